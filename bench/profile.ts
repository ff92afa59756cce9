import { execFile } from 'node:child_process'
import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Command } from 'commander'
import { type ProfileSummary, readProfile, type Share } from './cpu-profile.ts'
import { generate, workFolder } from './generator.ts'
import { loadOf, measure, warmUp } from './measurement.ts'
import { readNumber, readRate, readTurns, serverOptions } from './options.ts'
import { scenario } from './scenarios.ts'
import { isInstalled, pause, Server } from './server.ts'
import { settled } from './session.ts'

/**
 * `npm run bench:profile`: where the time of one scenario goes. Three lives of the router, since each way of looking
 * disturbs the others: V8's sampler (functions), strace and perf (system calls, and the share of the kernel, of V8's
 * own code and of what it compiled), and, if asked for, what V8 took back of its optimizations.
 */
const command = serverOptions(new Command('npm run bench:profile --'))
  .description('Where the time of one scenario goes, in Viaduct.')
  .argument('<scenario>')
  .option('--rate <rate>', 'requests a second, or sat', readRate, 'sat')
  .option('--top <n>', 'lines of each list', readNumber, 30)
  .option('--trace-deopt', "counts V8's deoptimizations, by reason and function")
  .parse()
const given = command.opts()
const subject = scenario(command.args[0] ?? 'b')
const { stand, settings } = readTurns(given)
const amounts = { seconds: 6, requests: 120_000, warmUpRequests: 20_000, leadSeconds: 0 }
const load = loadOf(subject, given['rate'], amounts)
const root =
  settings.checkout === undefined ? fileURLToPath(new URL('..', import.meta.url)) : `${settings.checkout}/`

try {
  await sampled()
  await counted()
  if (given['traceDeopt'] === true) await deoptimized()
} catch (error) {
  console.error(`not measured: ${(error as Error).message}`)
  process.exitCode = 1
}

async function sampled(): Promise<void> {
  const folder = `${workFolder}profiles`
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  await withServer(['--cpu-prof', '--cpu-prof-interval', '250', '--cpu-prof-dir', folder], async (server) => {
    const run = await measure(server, stand, load)
    console.log(
      `${subject.name} at ${load.rate}: ${run.cpuMicroseconds.toFixed(1)} µs a request with the sampler on`,
    )
  })
  // One file for each thread that runs JavaScript: the busiest has the most samples.
  const [largest] = readdirSync(folder)
    .map((name) => `${folder}/${name}`)
    .toSorted((left, right) => statSync(right).size - statSync(left).size)
  if (largest === undefined) throw new Error('no profile was written')
  show(readProfile(largest, root))
}

function show(summary: ProfileSummary): void {
  const { busyMilliseconds, idleMilliseconds, self, inclusive } = summary
  console.log(`busy ${Math.round(busyMilliseconds)} ms, idle ${Math.round(idleMilliseconds)} ms`)
  list('in itself', self)
  list('with what it called', inclusive)
}

function list(title: string, shares: readonly Share[]): void {
  console.log(`\n${title}`)
  for (const { where, percent } of shares.slice(0, given['top'])) {
    console.log(`${percent.toFixed(1).padStart(6)} %  ${where}`)
  }
}

/** What the kernel sees: under strace everything is slower, so only proportions count. */
async function counted(): Promise<void> {
  const missing = ['strace', 'perf'].filter((program) => !isInstalled(program))
  if (missing.length > 0)
    console.log(`\nnot installed, left out: ${missing.join(' ')} (apt-get install strace linux-perf)`)
  await withServer([], async (server) => {
    if (!missing.includes('strace')) {
      const paced = loadOf(subject, 2_000, { ...amounts, seconds: 4 })
      const args = ['1', 'strace', '-c', '-f', '-p', String(server.pid)]
      console.log(
        `\nsystem calls of one second at ${paced.rate}/s\n${rowsOf(await during(paced, 'timeout', args))}`,
      )
    }
    if (missing.includes('perf')) return
    const file = `${workFolder}perf.data`
    await during(load, 'perf', [
      'record',
      '-F',
      '2999',
      '-g',
      '-o',
      file,
      '-p',
      String(server.pid),
      '--',
      'sleep',
      '1.5',
    ])
    for (const sort of ['dso', 'symbol']) {
      const report = await output('perf', [
        'report',
        '-i',
        file,
        '--no-children',
        '--sort',
        sort,
        '--stdio',
        '-g',
        'none',
      ])
      const lines = report
        .split('\n')
        .filter((line) => line.includes('%'))
        .map((line) => line.trimEnd())
      console.log(`\nshare by ${sort} at ${load.rate}\n${lines.slice(0, given['top']).join('\n')}`)
    }
  })
}

/** The table of `strace -c`, without what it says of each thread. */
function rowsOf(text: string): string {
  return text
    .split('\n')
    .filter((line) => !line.startsWith('strace:'))
    .slice(0, given['top'])
    .join('\n')
}

/** Code that V8 optimized on an assumption which then failed: in a steady state there should be none. */
async function deoptimized(): Promise<void> {
  await withServer(['--trace-deopt'], async (server) => {
    const before = server.log.length
    await generate(stand, load)
    const counts = new Map<string, number>()
    const pattern = /bailout \(kind: ([\w-]+), reason: (.*?)\): begin\. deoptimizing \S+ <JSFunction (\S*)/g
    for (const [, kind, reason, name] of server.log.slice(before).matchAll(pattern)) {
      const key = `${name} (${kind}): ${reason}`
      counts.set(key, (counts.get(key) ?? 0) + 1)
    }
    console.log(
      `\ndeoptimizations after the warm-up, in ${load.requests} requests: ${counts.size === 0 ? 'none' : ''}`,
    )
    for (const [key, count] of [...counts].toSorted((left, right) => right[1] - left[1]))
      console.log(`${count} x ${key}`)
  })
}

async function withServer(node: readonly string[], work: (server: Server) => Promise<void>): Promise<void> {
  const options = {
    ...settings,
    isCompiled: false,
    port: stand.serverPort,
    node: [...(settings.node ?? []), ...node],
  }
  const server = await Server.start('viaduct', subject, options)
  try {
    await settled()
    await warmUp(subject, stand, amounts)
    await work(server)
  } finally {
    await server.stop()
  }
}

/** What a program prints that looks at the server while it is under load. */
async function during(underLoad: typeof load, program: string, args: readonly string[]): Promise<string> {
  const playing = generate(stand, underLoad)
  await pause(0.5)
  const text = await output(program, args)
  await playing
  return text
}

async function output(program: string, args: readonly string[]): Promise<string> {
  const run = promisify(execFile)
  const options = { encoding: 'utf8', maxBuffer: 2 ** 26 } as const
  // `timeout` ends strace with a signal, which is how it is meant to end.
  const { stdout, stderr } = await run(program, args, options).catch((error) => error)
  return `${stdout ?? ''}${stderr ?? ''}`
}
