import { type Clock, FlowTable, type Location, type PluginHost } from '../../src/plugin/index.ts'

/**
 * What outlives a reload of the script: the same bindings and the same flows, proven or not. There is one world per
 * router, and one clock per router to know it by. A script that files differently (use_domain, db_mode) gets
 * another one.
 */
export interface World {
  readonly kind: string
  readonly flows: FlowTable
  readonly tables: Map<string, Location>
  readonly ruidPrefix: string
  nextRuid: number
  /** Of the hashes of addresses-of-record. */
  readonly seed: number
}

const worlds = new WeakMap<Clock, World>()

export function worldOf({ clock, random }: PluginHost, kind: string): World {
  const existing = worlds.get(clock)
  if (existing?.kind === kind) return existing
  const ruidPrefix = `uloc-${random.hex(6)}-`
  const created: World = {
    kind,
    flows: new FlowTable(),
    tables: new Map(),
    ruidPrefix,
    nextRuid: 0,
    seed: random.integer(0x7fffffff),
  }
  worlds.set(clock, created)
  return created
}
