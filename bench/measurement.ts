import { generate, type Load, type Rate, type Stand } from './generator.ts'
import { cpuTimeOf, proportionalBytesOf, stolenSeconds } from './process-tree.ts'
import type { Scenario } from './scenarios.ts'
import { pause, type Server } from './server.ts'

/** One run: what a server used while the generator played, divided by the requests that came out well. */
export interface Run {
  readonly cpuMicroseconds: number
  readonly userMicroseconds: number
  readonly systemMicroseconds: number
  /** Of one processor. Below 0.9 at saturation there was sleep in it: compare with its like. */
  readonly utilisation: number
  readonly perSecond: number
  readonly p50Microseconds: number
  readonly p99Microseconds: number
  readonly sent: number
  readonly lost: number
  readonly retransmissions: number
  /** Seconds in which a thread was ready and had no processor, a second. */
  readonly waiting: number
  /** Share of the time that the hypervisor took. */
  readonly stolen: number
  /** Of one processor, used by the generator. */
  readonly generatorShare: number
  readonly proportionalBytes: number
  /** A stall of the machine caused retransmissions, or something was lost: not to be counted with the others. */
  readonly isDirty: boolean
}

/** What was sent and is answered twice is dearer than what was not: beyond this share a run says little. */
const retransmissionsMax = 0.02

export async function measure(server: Server, stand: Stand, load: Load): Promise<Run> {
  const [before, stolenBefore] = [cpuTimeOf(server.pid), stolenSeconds()]
  const report = await generate(stand, load)
  await pause(0.05)
  const [after, stolen] = [cpuTimeOf(server.pid), stolenSeconds() - stolenBefore]
  if (!server.isRunning) throw new Error(`${server.name} ended:\n${server.log.slice(-2_000)}`)
  const user = after.userSeconds - before.userSeconds
  const system = after.systemSeconds - before.systemSeconds
  const total = after.totalSeconds - before.totalSeconds
  const userShare = user + system === 0 ? 0.5 : user / (user + system)
  const cpuMicroseconds = (total * 1e6) / Math.max(1, report.ok)
  return {
    cpuMicroseconds,
    userMicroseconds: cpuMicroseconds * userShare,
    systemMicroseconds: cpuMicroseconds * (1 - userShare),
    utilisation: total / report.elapsedSeconds,
    perSecond: report.perSecond,
    p50Microseconds: report.p50Microseconds,
    p99Microseconds: report.p99Microseconds,
    sent: report.sent,
    lost: report.failed,
    retransmissions: report.retransmissions,
    waiting: (after.waitedSeconds - before.waitedSeconds) / report.elapsedSeconds,
    stolen: stolen / report.elapsedSeconds,
    generatorShare: report.cpuSeconds / report.elapsedSeconds,
    proportionalBytes: proportionalBytesOf(server.pid),
    isDirty: report.failed > 0 || report.retransmissions > retransmissionsMax * report.sent,
  }
}

/** How long and how much. */
export interface Amounts {
  /** Of a paced run. */
  readonly seconds: number
  /** Of a run at saturation. */
  readonly requests: number
  readonly warmUpRequests: number
  /**
   * Before each run its load is played for this long where transactions outlive their requests, so that what is measured
   * pays for the end of earlier ones: Kamailio keeps them for 5 s (wt_timer).
   */
  readonly leadSeconds: number
}

export function loadOf(scenario: Scenario, rate: Rate, amounts: Amounts): Load {
  const { load: play, users, requestsPerRate } = scenario
  const pace: Rate = rate === 'sat' ? 'sat' : rate * requestsPerRate
  const requests =
    rate === 'sat' ? amounts.requests * requestsPerRate : rate * requestsPerRate * amounts.seconds
  return { play, users, rate: pace, requests: Math.max(1, Math.round(requests)) }
}

/** Registers who must be there, and runs hot what will run. */
export async function warmUp(scenario: Scenario, stand: Stand, amounts: Amounts): Promise<void> {
  if (scenario.registersFirst) await register(stand, scenario.users)
  const { load: play, users, requestsPerRate } = scenario
  const requests = Math.round(amounts.warmUpRequests * requestsPerRate)
  if (requests > 0) await generate(stand, { play, users, rate: 'sat', requests })
}

export async function lead(scenario: Scenario, stand: Stand, load: Load, amounts: Amounts): Promise<void> {
  if (scenario.transactions === 0 || amounts.leadSeconds === 0) return
  const endless = load.rate === 'sat' ? 500_000 : Math.round(load.rate * amounts.leadSeconds)
  await generate(stand, { ...load, requests: endless, secondsMax: amounts.leadSeconds })
}

export async function register(stand: Stand, users: number): Promise<void> {
  const play = ['-m', 'reg', '-q', '1']
  const report = await generate(stand, { play, users, requests: users, rate: 'sat', inFlight: 64 })
  if (report.ok < users) throw new Error(`${report.failed} of ${users} users could not be registered`)
}

/** Of runs that differ by more than noise the median is what a typical one cost; a single stall does not move it. */
export function medianRun(runs: readonly Run[]): Run | null {
  const [first] = runs
  if (first === undefined) return null
  const median = (field: Exclude<keyof Run, 'isDirty'>) => middle(runs.map((run) => run[field]))
  const sum = (field: 'sent' | 'lost' | 'retransmissions') =>
    runs.reduce((total, run) => total + run[field], 0)
  return {
    cpuMicroseconds: median('cpuMicroseconds'),
    userMicroseconds: median('userMicroseconds'),
    systemMicroseconds: median('systemMicroseconds'),
    utilisation: median('utilisation'),
    perSecond: median('perSecond'),
    p50Microseconds: median('p50Microseconds'),
    p99Microseconds: median('p99Microseconds'),
    sent: sum('sent'),
    lost: sum('lost'),
    retransmissions: sum('retransmissions'),
    waiting: median('waiting'),
    stolen: median('stolen'),
    generatorShare: median('generatorShare'),
    proportionalBytes: median('proportionalBytes'),
    isDirty: first.isDirty,
  }
}

export function middle(values: readonly number[]): number {
  const sorted = values.toSorted((left, right) => left - right)
  const half = Math.floor(sorted.length / 2)
  const upper = sorted[half] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[half - 1] ?? upper) + upper) / 2
}
