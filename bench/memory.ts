import { generate } from './generator.ts'
import { proportionalBytesOf } from './process-tree.ts'
import { scenario } from './scenarios.ts'
import { Server, type ServerName } from './server.ts'
import { settled, type Turns } from './session.ts'

/**
 * Bytes of memory for each live transaction, in both servers computed alike: PSS of the process tree after 4.5 s of
 * paced load on a new process, less that before it, divided by the transactions of those 4.5 s. All of these are live
 * then in both: Kamailio keeps one for 5 s after its final response (wt_timer), Viaduct for 32 s (timer J) or longer.
 * The server and the client transaction of one relayed request count as one; a call has two, the INVITE's and the
 * BYE's. What the process grows by once, whatever the load, is not for a transaction to pay: so before the first look
 * at PSS both servers answer requests for which they keep nothing (the script's 484), which makes V8 compile the
 * script and take its nursery. What a collector has not collected yet counts.
 */
export interface Footprint {
  readonly server: ServerName
  readonly scenario: string
  readonly transactions: number
  readonly bytesPerTransaction: number
}

export const footprintBar = 0.3

const loadSeconds = 4.5
const statelessRequests = 40_000

export async function measureFootprint(turns: Turns, progress: (text: string) => void): Promise<Footprint[]> {
  const found: Footprint[] = []
  for (const name of ['b', 'c']) {
    for (const server of turns.servers) {
      progress(`memory: ${server}, scenario ${name}`)
      found.push(await footprint(server, name, turns))
    }
  }
  return found
}

async function footprint(name: ServerName, scenarioName: string, turns: Turns): Promise<Footprint> {
  const { stand, settings } = turns
  const subject = scenario(scenarioName)
  const { load: play, users, requestsPerRate, transactions } = subject
  const server = await Server.start(name, subject, { ...settings, port: stand.serverPort })
  try {
    await settled()
    const withoutUser = ['-m', 'opt', '-M', 'OPTIONS']
    await generate(stand, { play: withoutUser, users, rate: 'sat', requests: statelessRequests })
    const before = proportionalBytesOf(server.pid)
    const rate = 5_000 * requestsPerRate
    const report = await generate(stand, { play, users, rate, requests: Math.round(rate * loadSeconds) })
    const live = report.ok * transactions
    return {
      server: name,
      scenario: scenarioName,
      transactions: live,
      bytesPerTransaction: (proportionalBytesOf(server.pid) - before) / live,
    }
  } finally {
    await server.stop()
  }
}
