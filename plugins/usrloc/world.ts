import {
  type Clock,
  Locations,
  type OwnBindings,
  type PluginHost,
  type SharedDirectoryTable,
  type SharedLocations,
} from '../../src/plugin/index.ts'
import type { Choice } from './database.ts'
import type { Sharing } from './sharing.ts'

/**
 * What outlives a reload of the script: the same bindings and the same flows, proven or not. There is one world per
 * router, and one clock per router to know it by. A script that files differently (use_domain, db_mode) gets
 * another one.
 */
export interface World {
  readonly kind: string
  readonly locations: Locations
  readonly shared: Shared | null
  /** Scripts that use it: a database is told the rest and closed with the last of them, and other edges are left. */
  users: number
  readonly close: (() => Promise<void>) | null
}

/** What other edges have of these tables. */
export class Shared {
  readonly #locations: SharedLocations
  readonly #tables = new Map<string, SharedDirectoryTable>()

  constructor(locations: SharedLocations) {
    this.#locations = locations
  }

  get edges(): SharedLocations['edges'] {
    return this.#locations.edges
  }

  readonly open = (name: string, own: OwnBindings): SharedDirectoryTable => {
    const table = this.#locations.open(name, own)
    this.#tables.set(name, table)
    return table
  }

  /** What was kept of the table is there again: the others may be told. */
  begin(name: string): void {
    this.#tables.get(name)?.begin()
  }

  close(): Promise<void> {
    return this.#locations.close()
  }
}

const worlds = new WeakMap<Clock, World>()

/** `release`: whoever has called is done with it. */
export function worldOf(
  host: PluginHost,
  choice: Choice,
  filing: string,
  sharing: Sharing | null,
): { locations: Locations; shared: Shared | null; release: () => Promise<void> } {
  const { isDurable, database } = choice
  const kept = database === null ? (isDurable ? 'store' : 'memory') : `db ${database.mode} ${database.url}`
  const kind = `${kept} ${filing}`
  const existing = worlds.get(host.clock)
  // Edges are left with the last script that shares: whoever shares begins anew.
  const isShared = sharing !== null || existing?.shared != null
  const world = existing?.kind === kind && !isShared ? existing : begin(host, choice, kind, sharing)
  worlds.set(host.clock, world)
  world.users++
  return { locations: world.locations, shared: world.shared, release: () => release(host, world) }
}

function begin(
  host: PluginHost,
  { isDurable, database }: Choice,
  kind: string,
  sharing: Sharing | null,
): World {
  if (sharing !== null) return beginSharing(host, { isDurable, kind }, sharing)
  if (database === null) {
    const locations = new Locations(host, { isDurable, kind })
    return { kind, locations, shared: null, users: 0, close: null }
  }
  const { table, close } = database.open()
  const locations = new Locations(host, { isDurable, kind, database: { mode: database.mode, open: table } })
  return { kind, locations, shared: null, users: 0, close }
}

function beginSharing(
  host: PluginHost,
  { isDurable, kind }: { isDurable: boolean; kind: string },
  { url, ...options }: Sharing,
): World {
  const shared = new Shared(host.openSharedLocations(url, options))
  const locations = new Locations(host, { isDurable, kind, share: shared.open })
  return { kind, locations, shared, users: 0, close: () => shared.close() }
}

/** What the database refuses at the end is lost, and said. */
async function release(host: PluginHost, world: World): Promise<void> {
  world.users--
  if (world.users > 0 || world.close === null) return
  if (worlds.get(host.clock) === world) worlds.delete(host.clock)
  for (const location of world.locations.tables.values()) {
    await location
      .flushed()
      .catch((error) =>
        host.log.error({ err: error, table: location.name }, 'registrations were not written'),
      )
  }
  await world.close()
}
