import { type Server, type ServerOptions, startServer } from '../server.ts'
import type { OpenRegion, Region } from '../store/region.ts'
import type { Store } from '../store/table.ts'
import { memoryLinks } from '../worker/memory-link.ts'
import { seededRandom } from './random.ts'

/**
 * A router in one thread, of one worker or of several: each is a server of its own, on the same simulated host, which
 * gives each source to one of them. Linked in memory, they share regions and store, and nothing else.
 */
export interface RouterOptions extends ServerOptions {
  /** Default: 1. */
  readonly workers?: number
}

export async function startRouter(options: RouterOptions): Promise<Server> {
  const count = options.workers ?? 1
  if (count === 1) return await startServer(options)
  const { clock, random } = options
  const links = memoryLinks(count)
  const regions = regionsInOneThread()
  const store = sharedStore(
    typeof options.store === 'function' ? await options.store() : options.store,
    count,
  )
  const secret = random.hex(32)
  const servers: Server[] = []
  let allReady = () => {}
  const othersReady = new Promise<void>((resolve) => {
    allReady = resolve
  })
  try {
    const starting: Promise<Server>[] = []
    for (const link of links) {
      // One after the other, as the supervisor has it: the second finds what the first has made.
      const ready = new Promise<void>((resolve) => {
        starting.push(
          startServer({
            ...options,
            // A clock is how modules tell one router from another.
            clock: { ...clock },
            random: seededRandom(random.integer(2 ** 31)),
            store,
            regions,
            worker: {
              link,
              secret,
              isReplacement: false,
              othersReady: () => {
                resolve()
                return othersReady
              },
            },
          }),
        )
      })
      await Promise.race([ready, starting.at(-1)])
    }
    allReady()
    servers.push(...(await Promise.all(starting)))
  } catch (error) {
    await Promise.all(servers.map((server) => server.stop()))
    throw error
  }
  return together(servers)
}

/** What a test sees is the first of them; it stops them all. */
function together(servers: readonly Server[]): Server {
  const [first] = servers
  if (first === undefined) throw new Error('no server')
  return {
    ...first,
    async drain(milliseconds) {
      await Promise.all(servers.map((server) => server.drain(milliseconds)))
    },
    async stop(milliseconds = 0) {
      await Promise.all(servers.map((server) => server.drain(milliseconds)))
      await Promise.all(servers.map((server) => server.stop(0)))
    },
  }
}

/** Closed when the last of so many users has closed it. */
function sharedStore(store: Store, users: number): Store {
  let left = users
  return {
    open: store.open,
    description: store.description,
    close: async () => {
      left -= 1
      if (left === 0) await store.close()
    },
  }
}

/** As workers share them; within one thread nobody can meet anybody else in a locked section. */
function regionsInOneThread(): OpenRegion {
  const regions = new Map<string, Region>()
  return (name, bytesMax) => {
    const existing = regions.get(name)
    if (existing !== undefined) return existing
    const buffer = new SharedArrayBuffer(0, { maxByteLength: bytesMax })
    const created: Region = {
      buffer,
      isShared: true,
      grow(byteLength) {
        if (byteLength > bytesMax) return false
        if (byteLength > buffer.byteLength) buffer.grow(byteLength)
        return true
      },
      lock() {},
      unlock() {},
    }
    regions.set(name, created)
    return created
  }
}
