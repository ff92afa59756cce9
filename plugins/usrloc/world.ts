import { type Clock, Locations, type PluginHost } from '../../src/plugin/index.ts'
import type { Choice } from './database.ts'

/**
 * What outlives a reload of the script: the same bindings and the same flows, proven or not. There is one world per
 * router, and one clock per router to know it by. A script that files differently (use_domain, db_mode) gets
 * another one.
 */
export interface World {
  readonly kind: string
  readonly locations: Locations
  /** Scripts that use it: a database is told the rest and closed with the last of them. */
  users: number
  readonly close: (() => Promise<void>) | null
}

const worlds = new WeakMap<Clock, World>()

/** `release`: whoever has called is done with it. */
export function worldOf(
  host: PluginHost,
  choice: Choice,
  filing: string,
): { locations: Locations; release: () => Promise<void> } {
  const { isDurable, database } = choice
  const kept = database === null ? (isDurable ? 'store' : 'memory') : `db ${database.mode} ${database.url}`
  const kind = `${kept} ${filing}`
  const existing = worlds.get(host.clock)
  const world = existing?.kind === kind ? existing : begin(host, choice, kind)
  worlds.set(host.clock, world)
  world.users++
  return { locations: world.locations, release: () => release(host, world) }
}

function begin(host: PluginHost, { isDurable, database }: Choice, kind: string): World {
  if (database === null) {
    return { kind, locations: new Locations(host, { isDurable, kind }), users: 0, close: null }
  }
  const { table, close } = database.open()
  const locations = new Locations(host, { isDurable, kind, database: { mode: database.mode, open: table } })
  return { kind, locations, users: 0, close }
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
