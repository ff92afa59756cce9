import { spawn } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startDelayedRouter } from './delayed-router.ts'
import { generate, workFolder } from './generator.ts'

/**
 * How late the event loop of a router is that relays messages while somebody looks at all of its bindings:
 * `node bench/location-dump.ts [messages a second] [bindings]`. The bindings are in the embedded store; counted, dumped,
 * exported and backed up one after the other, each by the command that an operator has.
 */
const [rate = '5000', bindings = '1000000'] = process.argv.slice(2)
const port = 27_171
const at = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const folder = join(workFolder, 'dump')
const data = join(folder, 'data')
rmSync(folder, { recursive: true, force: true })

const router = await startDelayedRouter(
  [
    '-f',
    at('./scripts/e.cfg'),
    '-A',
    `PORT=${port}`,
    '-A',
    'CHILDREN=1',
    '-A',
    `RESULTS=${folder}`,
    '-A',
    'WITH_STORE',
  ].concat('--data', data),
)
const stand = { serverPort: port, callerPort: 28_000, calleePort: 28_100, cpu: '1', sleeps: true }
const users = Number(bindings)
const bound = await generate(stand, { play: ['-m', 'reg', '-q', '1'], users, requests: users, rate: 'sat' })
process.stdout.write(`${bound.ok} bindings\n`)

const looks: readonly [string, readonly string[]][] = [
  ['ul.db_contacts', ['ctl', '--data', data, 'ul.db_contacts', 'location']],
  ['ul.dump', ['ctl', '--data', data, 'ul.dump']],
  ['export', ['location', 'export', '--store', data]],
  ['backup', ['location', 'backup', '--store', data, join(folder, 'backup')]],
]
const messages = generate(stand, {
  ...{ play: ['-m', 'msg', '-D', '1', '-N', '1'], users, rate: Number(rate) },
  ...{ requests: Number(rate) * 90 },
})
await pause(10_000)
await router.ask()
await pause(10_000)
say('nothing', 10, await router.ask())
for (const [name, words] of looks) {
  const startedAt = performance.now()
  const code = await ended(words)
  const seconds = (performance.now() - startedAt) / 1_000
  say(code === 0 ? name : `${name}, exit code ${code}`, seconds, await router.ask())
}
const report = await messages
process.stdout.write(
  `${report.perSecond.toFixed(0)} messages/s, answered ${report.ok} of ${report.sent}, p50 ${report.p50Microseconds} us, p99 ${report.p99Microseconds} us\n`,
)
await router.stop()
rmSync(folder, { recursive: true, force: true })

function ended(words: readonly string[]): Promise<number | null> {
  const child = spawn(process.execPath, [at('../src/main.ts'), ...words], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  return new Promise((done) => child.once('exit', done))
}

function say(what: string, seconds: number, line: string): void {
  process.stdout.write(`${what}: ${seconds.toFixed(1)} s; ${line.replace(/ cpu.*/, '')}\n`)
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((next) => setTimeout(next, milliseconds))
}
