import { availableParallelism } from 'node:os'
import { getHeapStatistics } from 'node:v8'
import type { MessagePort } from 'node:worker_threads'
import { limits } from '../limits.ts'
import { systemClock, systemMonotonic } from '../runtime/clock.ts'
import type { Log } from '../runtime/log.ts'
import { systemRandom } from '../runtime/random.ts'
import type { AcceptedScript } from '../server.ts'
import type { ListenRequest } from '../transport/socket.ts'
import type { Network } from '../transport/transport.ts'
import { Supervisor } from '../worker/supervisor.ts'

/** A router of several worker threads, seen from the main thread, which supervises them and does nothing else. */

/** What each thread gets of the command line. */
export interface ThreadSettings {
  readonly path: string
  /** Null: nothing is kept. */
  readonly directory: string | null
  readonly define: ReadonlyMap<string, string> | undefined
  readonly plugins: readonly string[] | undefined
  /** Instead of what the script says. */
  readonly listen: readonly ListenRequest[] | undefined
  readonly moderation: number | undefined
  readonly debug: number
  readonly pretty: boolean
  readonly environment: Readonly<Record<string, string | undefined>>
}

/** `children=` of the script is a wish: there are no more workers than processors. */
export function workersWished({ loaded }: AcceptedScript, log: Log): number {
  const children = Number(loaded.global('children'))
  const processors = availableParallelism()
  if (children > processors) {
    log.info(
      { children, processors },
      `children=${children}: ${processors} workers, as many as there are processors`,
    )
  }
  return Math.max(1, Math.min(children, processors, limits.workersMax))
}

/**
 * With the ports that the system chose. Whoever else has one of them is found out here: a socket with SO_REUSEPORT
 * would share it with another router of the same user.
 *
 * @throws Error that says which socket cannot be bound.
 */
export async function freeSockets(
  network: Network,
  requests: readonly ListenRequest[],
): Promise<ListenRequest[]> {
  const deaf = { onDatagrams() {}, onSendError() {} }
  const transport = await network.open(requests, deaf, { receiveBufferBytes: 0 })
  const found = requests.map((request, i) => ({
    ...request,
    port: transport.sockets[i]?.port ?? request.port,
  }))
  await transport.close()
  return found
}

/** Octets of V8's heap that a worker needs in any case. */
const leastHeapMebibytes = 192

export function superviseThreads(
  count: number,
  settings: ThreadSettings,
  log: Log,
  onThread: (worker: number, commands: MessagePort) => void,
): Supervisor<ThreadSettings> {
  // The name of the file differs once it is compiled.
  const entry = new URL(import.meta.url.endsWith('.ts') ? './thread.ts' : './thread.js', import.meta.url)
  const heapMebibytes = getHeapStatistics().heap_size_limit / 2 ** 20 / count
  return new Supervisor({
    count,
    entry,
    secret: systemRandom().hex(32),
    clockOrigin: systemMonotonic(),
    settings,
    heapMebibytes: Math.max(leastHeapMebibytes, Math.floor(heapMebibytes)),
    clock: systemClock(),
    log,
    onThread,
  })
}
