import { availableParallelism } from 'node:os'
import type { Rate } from './generator.ts'
import { loadOf, measure, medianRun, type Run, warmUp } from './measurement.ts'
import { type Scenario, scenario } from './scenarios.ts'
import { Server, type ServerName } from './server.ts'
import { settled, type Turns } from './session.ts'

/**
 * What more workers carry: requests a second at saturation, with one worker and with several. Nothing is pinned, and
 * generator and server share all processors: so the generator sleeps while there is nothing to do, its share is told,
 * and the script is one that keeps the server busier than the generator. Requests come from so many ports that the
 * system spreads them about evenly over the workers' sockets.
 */
export interface Throughput {
  readonly server: ServerName
  readonly scenario: string
  readonly workers: number
  readonly run: Run
  /** Requests a second, divided by those of one worker. */
  readonly timesOne: number
}

export interface WorkerTurns extends Turns {
  readonly rounds: number
  readonly amounts: Parameters<typeof loadOf>[2]
}

/** A heavy script, and a light one that forwards: replies to it come in wherever the system puts them. */
export const workerScenarios = ['w', 'b']
const callerSocketsDefault = 200
const inFlight = 256
const rate: Rate = 'sat'
/**
 * How much longer than elsewhere. V8 compiles while the code runs, in each worker for itself: a run of the usual length
 * measures that. Kamailio compiles nothing, and its w is slow enough for a quarter.
 */
const timesAsLong = { viaduct: 5, kamailio: 0.25 } as const

export async function measureWorkers(
  turns: WorkerTurns,
  progress: (text: string) => void,
): Promise<Throughput[]> {
  const several = turns.settings.workers ?? Math.max(2, availableParallelism())
  const found: Throughput[] = []
  for (const name of workerScenarios) {
    for (const server of turns.servers) {
      const runs = new Map<number, Run[]>()
      for (let round = 0; round < turns.rounds; round++) {
        for (const workers of round % 2 === 0 ? [1, several] : [several, 1]) {
          progress(`${name}: ${server}, ${workers} workers, round ${round + 1} of ${turns.rounds}`)
          runs.set(workers, [
            ...(runs.get(workers) ?? []),
            await saturated(server, scenario(name), workers, turns),
          ])
        }
      }
      found.push(...compared(server, name, runs))
    }
  }
  return found
}

async function saturated(
  name: ServerName,
  subject: Scenario,
  workers: number,
  { stand, settings, amounts: usual }: WorkerTurns,
): Promise<Run> {
  const amounts = {
    ...usual,
    requests: usual.requests * timesAsLong[name],
    warmUpRequests: usual.warmUpRequests * timesAsLong[name],
  }
  const cpus = `0-${availableParallelism() - 1}`
  const callerSockets = stand.callerSockets ?? callerSocketsDefault
  const everywhere = { ...stand, cpu: cpus, callerSockets, sleeps: true }
  const server = await Server.start(name, subject, { ...settings, cpus, workers, port: stand.serverPort })
  try {
    await settled()
    await warmUp(subject, everywhere, amounts)
    return await measure(server, everywhere, { ...loadOf(subject, rate, amounts), inFlight })
  } finally {
    await server.stop()
  }
}

function compared(
  server: ServerName,
  scenario: string,
  runs: ReadonlyMap<number, readonly Run[]>,
): Throughput[] {
  const medians = [...runs].map(([workers, all]) => ({ workers, run: medianRun(all) }))
  const one = medians.find(({ workers }) => workers === 1)?.run?.perSecond ?? Number.NaN
  return medians
    .toSorted((left, right) => left.workers - right.workers)
    .flatMap(({ workers, run }) =>
      run === null ? [] : [{ server, scenario, workers, run, timesOne: run.perSecond / one }],
    )
}
