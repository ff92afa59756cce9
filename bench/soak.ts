import { rmSync } from 'node:fs'
import { Command } from 'commander'
import { generate, type Report, type Stand, workFolder } from './generator.ts'
import { readNumber, readTurns, serverOptions } from './options.ts'
import { scenario } from './scenarios.ts'
import { pause, Server } from './server.ts'
import { settled } from './session.ts'
import { type Sample, sampleOf, samplesMarkdown, verdictOn } from './soak-verdict.ts'

/**
 * `npm run bench:soak`: does it stay as it is? A million users register, with the store on; then, for ten minutes,
 * some refresh, some get a MESSAGE and some a call, at a pace that leaves the processor air. What grows from minute to
 * minute would grow from day to day. Ends with 0 if nothing did and no request was lost.
 */
const command = serverOptions(new Command('npm run bench:soak --'))
  .description('Ten minutes of steady traffic over a million registered users: is memory flat?')
  .option('--minutes <n>', 'of steady traffic that are judged', readNumber, 10)
  .option('--users <n>', 'who are registered first', readNumber, 1_000_000)
  .option('--every <s>', 'seconds between two samples', readNumber, 5)
  .option('--refreshes <n>', 'a second', readNumber, 300)
  .option('--messages <n>', 'a second', readNumber, 500)
  .option('--calls <n>', 'a second', readNumber, 50)
  .parse()
const given = command.opts()
const { stand, settings } = readTurns(given)

/** Timer J is 32 s: only after that do as many transactions end as begin. V8's nursery has its size by then, too. */
const settlingSeconds = 45
const judgedSeconds = given['minutes'] * 60

/** One half of the users gets messages and the other half calls: whom they reach is a port of one generator each. */
const half = Math.ceil(given['users'] / 2)
const data = `${workFolder}soak-data`

process.exitCode = await soak().catch((error: Error) => {
  console.error(`not measured: ${error.message}`)
  return 1
})

async function soak(): Promise<number> {
  rmSync(data, { recursive: true, force: true })
  const subject = { ...scenario('e'), defines: { WITH_STORE: '' } }
  const server = await Server.start('viaduct', subject, { ...settings, port: stand.serverPort, data })
  try {
    await settled()
    const startedAt = performance.now()
    for (const group of [0, 1]) await registerAll(group)
    const seconds = (performance.now() - startedAt) / 1_000
    console.log(`${2 * half} users registered in ${seconds.toFixed(1)} s`)
    await fill()
    const playing = Promise.all([refreshes(0), refreshes(1), messages(), calls()])
    await pause(settlingSeconds)
    const samples = await sampled(server)
    return report(samples, await playing)
  } finally {
    await server.stop()
  }
}

async function registerAll(group: number): Promise<void> {
  const play = ['-m', 'reg', '-q', '1', ...usersOf(group)]
  const load = { play, users: half, requests: half, rate: 'sat', inFlight: 64 } as const
  const { failed } = await generate(standOf(group, 0), load)
  if (failed > 0) throw new Error(`${failed} of ${half} users could not be registered`)
}

/** What fills once and then goes round, such as the ring of answers, is full afterwards: it is not growth. */
async function fill(): Promise<void> {
  const play = ['-m', 'msg', '-D', '1', '-N', '1', ...usersOf(0)]
  await generate(standOf(0, 0), { play, users: half, requests: 200_000, rate: 'sat' })
}

function refreshes(group: number): Promise<Report> {
  return steadily(standOf(group, 1), given['refreshes'] / 2, ['-m', 'reg', '-q', '1', ...usersOf(group)])
}

function messages(): Promise<Report> {
  return steadily(standOf(0, 2), given['messages'], ['-m', 'msg', '-D', '1', '-N', '1', ...usersOf(0)])
}

function calls(): Promise<Report> {
  return steadily(standOf(1, 2), given['calls'], ['-m', 'call', '-D', '1', ...usersOf(1)])
}

/** Sleeps between two requests: several generators share a processor. */
function steadily(at: Stand, rate: number, play: readonly string[]): Promise<Report> {
  const requests = Math.round(rate * (settlingSeconds + judgedSeconds))
  return generate(at, { play: [...play, '-P', '1'], users: half, rate, requests })
}

function usersOf(group: number): string[] {
  return ['-B', String(group * half)]
}

/** Each generator has callers' ports of its own; those of one group share the port where its users are. */
function standOf(group: number, generator: number): Stand {
  const callerPort = stand.callerPort + 10 * (3 * group + generator)
  return { ...stand, callerPort, calleePort: stand.calleePort + group }
}

async function sampled(server: Server): Promise<Sample[]> {
  const samples: Sample[] = []
  const startedAt = performance.now()
  for (let seconds = 0; seconds < judgedSeconds; ) {
    await pause(given['every'])
    seconds = (performance.now() - startedAt) / 1_000
    if (!server.isRunning) throw new Error(`the router ended:\n${server.log.slice(-2_000)}`)
    samples.push(sampleOf(server.pid, seconds, data))
  }
  return samples
}

function report(samples: readonly Sample[], reports: readonly Report[]): number {
  console.log(`\n${samplesMarkdown(samples)}\n`)
  const sent = reports.reduce((sum, { sent }) => sum + sent, 0)
  const lost = reports.reduce((sum, { failed }) => sum + failed, 0)
  const verdicts = verdictOn(samples)
  for (const { text } of verdicts) console.log(text)
  console.log(`${sent} requests, ${lost} lost: ${lost === 0 ? 'holds' : 'misses'}`)
  return lost === 0 && verdicts.every(({ isFlat }) => isFlat) ? 0 : 1
}
