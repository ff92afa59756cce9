import { type Clock, Locations, type PluginHost } from '../../src/plugin/index.ts'

/**
 * What outlives a reload of the script: the same bindings and the same flows, proven or not. There is one world per
 * router, and one clock per router to know it by. A script that files differently (use_domain, db_mode) gets
 * another one.
 */
export interface World {
  readonly kind: string
  readonly locations: Locations
}

const worlds = new WeakMap<Clock, World>()

export function worldOf(host: PluginHost, isDurable: boolean, filing: string): World {
  const kind = `${isDurable ? 'store' : 'memory'} ${filing}`
  const existing = worlds.get(host.clock)
  if (existing?.kind === kind) return existing
  const created: World = { kind, locations: new Locations(host, { isDurable, kind }) }
  worlds.set(host.clock, created)
  return created
}
