import { generate } from './generator.ts'
import { proportionalBytesOf } from './process-tree.ts'
import { type Scenario, scenario } from './scenarios.ts'
import { Server, type ServerName } from './server.ts'
import { settled, type Turns } from './session.ts'

/**
 * Bytes of memory for each live transaction, in both servers computed alike: PSS of the process tree after 4.5 s of
 * paced load on a new process, less that before it, divided by the transactions of those 4.5 s. All of them are live
 * then in both: Kamailio keeps one for 5 s after its final response (wt_timer), Viaduct for 32 s (timer J) or longer.
 * The server and the client transaction of one relayed request count as one; a call has two, the INVITE's and the
 * BYE's. Before the first look at PSS both servers answer requests for which they keep nothing (the script's 484):
 * that makes V8 compile the script. What a collector has not collected counts.
 *
 * What a process grows by once, whatever the load, is in these figures. To see it, the same is done at a third of the
 * rate: the difference of both, divided by the difference in transactions, is what each further one takes.
 */
export interface Footprint {
  readonly server: ServerName
  readonly scenario: string
  readonly transactions: number
  readonly bytesPerTransaction: number
  readonly bytesPerFurtherOne: number
}

export const footprintBar = 0.3

const loadSeconds = 4.5
const statelessRequests = 40_000

export async function measureFootprint(turns: Turns, progress: (text: string) => void): Promise<Footprint[]> {
  const found: Footprint[] = []
  for (const name of ['b', 'c']) {
    const subject = scenario(name)
    const rate = 5_000 * subject.requestsPerRate
    for (const server of turns.servers) {
      progress(`memory: ${server}, scenario ${name}`)
      const less = await growth(server, subject, rate / 3, turns)
      const more = await growth(server, subject, rate, turns)
      found.push({
        server,
        scenario: name,
        transactions: more.transactions,
        bytesPerTransaction: more.bytes / more.transactions,
        bytesPerFurtherOne: (more.bytes - less.bytes) / (more.transactions - less.transactions),
      })
    }
  }
  return found
}

async function growth(
  name: ServerName,
  subject: Scenario,
  rate: number,
  { stand, settings }: Turns,
): Promise<{ bytes: number; transactions: number }> {
  const { load: play, users, transactions } = subject
  const server = await Server.start(name, subject, { ...settings, port: stand.serverPort })
  try {
    await settled()
    const withoutUser = ['-m', 'opt', '-M', 'OPTIONS']
    await generate(stand, { play: withoutUser, users, rate: 'sat', requests: statelessRequests })
    const before = proportionalBytesOf(server.pid)
    const report = await generate(stand, { play, users, rate, requests: Math.round(rate * loadSeconds) })
    const bytes = proportionalBytesOf(server.pid) - before
    if (report.failed > 0)
      throw new Error(`${name} lost ${report.failed} of ${report.sent} in scenario ${subject.name}`)
    return { bytes, transactions: report.ok * transactions }
  } finally {
    await server.stop()
  }
}
