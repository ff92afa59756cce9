import type { Rate, Stand } from './generator.ts'
import { type Amounts, lead, loadOf, measure, medianRun, type Run, warmUp } from './measurement.ts'
import type { Scenario } from './scenarios.ts'
import { pause, Server, type ServerName, type ServerSettings } from './server.ts'

/**
 * Servers in turn: K V, V K, K V... A machine that is slower for a minute is so for both, and what is compared are
 * the medians of one session, never figures of different days.
 */
export interface Session extends Turns {
  readonly rates: readonly Rate[]
  readonly rounds: number
  readonly amounts: Amounts
}

/** Who takes turns, and where. */
export interface Turns {
  readonly servers: readonly ServerName[]
  readonly stand: Stand
  readonly settings: Omit<ServerSettings, 'port'>
}

/** What one server did at one rate: the median of its clean runs, of all of them if none was clean. */
export interface Measured {
  readonly server: ServerName
  readonly scenario: string
  /** Requests a second that were offered: of a scenario with fewer of them, those. */
  readonly rate: Rate
  readonly run: Run
  readonly runs: readonly Run[]
  readonly dirtyRuns: number
  /** Of Viaduct: what reads and writes UDP, as it says itself; null: it does not say. */
  readonly engine: string | null
}

export async function measureScenario(
  scenario: Scenario,
  session: Session,
  progress: (text: string) => void,
): Promise<Measured[]> {
  const runs = new Map<string, Run[]>()
  const engines = new Map<ServerName, string | null>()
  for (let round = 0; round < session.rounds; round++) {
    for (const name of round % 2 === 0 ? session.servers : session.servers.toReversed()) {
      progress(`${scenario.name}: ${name}, round ${round + 1} of ${session.rounds}`)
      const life = await live(name, scenario, session)
      engines.set(name, life.engine)
      for (const [rate, added] of life.runs) {
        const key = `${name} ${rate}`
        runs.set(key, [...(runs.get(key) ?? []), ...added])
      }
    }
  }
  return session.rates.flatMap((rate) =>
    session.servers.flatMap((server) => {
      const all = runs.get(`${server} ${rate}`) ?? []
      const clean = all.filter((run) => !run.isDirty)
      const run = medianRun(clean.length > 0 ? clean : all)
      if (run === null) return []
      const offered = rate === 'sat' ? rate : rate * scenario.requestsPerRate
      const counts = { runs: all, dirtyRuns: all.length - clean.length }
      const engine = engines.get(server) ?? null
      return [{ server, scenario: scenario.name, rate: offered, run, ...counts, engine }]
    }),
  )
}

interface Life {
  readonly runs: ReadonlyMap<Rate, readonly Run[]>
  readonly engine: string | null
}

/** One life of one server: warmed up, then each rate; a dirty run is followed by another, once. */
async function live(name: ServerName, scenario: Scenario, session: Session): Promise<Life> {
  const { stand, amounts, rates } = session
  const runs = new Map<Rate, Run[]>()
  const server = await Server.start(name, scenario, { ...session.settings, port: stand.serverPort })
  try {
    await settled()
    await warmUp(scenario, stand, amounts)
    for (const rate of rates) {
      const load = loadOf(scenario, rate, amounts)
      await lead(scenario, stand, load, amounts)
      const run = await measure(server, stand, load)
      runs.set(rate, run.isDirty ? [run, await measure(server, stand, load)] : [run])
    }
    return { runs, engine: server.engine }
  } finally {
    await server.stop()
  }
}

/** The port is bound before the last worker is ready. */
export function settled(): Promise<void> {
  return pause(0.5)
}
