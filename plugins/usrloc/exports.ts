import type { AorRules, Edges, FlowTable, Location } from '../../src/plugin/index.ts'

/** What the modules that read and write bindings get from usrloc: `host.exportsOf<UsrlocExports>('usrloc')`. */
export interface UsrlocExports {
  /** The table of that name (Kamailio: domain), opened and restored when first asked for. */
  table(name: string): Location
  tables(): Iterable<Location>
  /** Hears of every table, also of those that are opened later. */
  onTable(listener: (location: Location) => void): void
  readonly flows: FlowTable
  /** use_domain of the table; the registrar adds its own rules. */
  readonly aorRules: AorRules
  /** The edges that share its tables; null without `store`. */
  readonly edges: Edges | null
  /** A name for a new binding of this address-of-record. */
  newRuid(aor: string): string
  /** matching_mode. */
  readonly matchingMode: MatchingMode
  /** cseq_delay in milliseconds. */
  readonly cseqDelay: number
  /** Bits of nat_bflag; 0 for none. */
  readonly natBranchFlags: number
  /** desc_time_order. */
  readonly newestFirst: boolean
}

/** 0 by contact URI; 1 also by Call-ID; 2 also by Path; 3 by Call-ID alone. */
export type MatchingMode = 0 | 1 | 2 | 3

export function matchingMode(value: number): MatchingMode {
  return value === 1 || value === 2 || value === 3 ? value : 0
}

/** For the declaration of functions that look at bindings: where other edges have some, these are asked for first. */
export const waitsIfShared = { module: 'usrloc', param: 'store' } as const

/**
 * Goes on once it is known what other edges have (Location.fetch), at once if it is. `isKnown` is false if nobody could
 * say: then there is what this edge has itself.
 */
export function onceAsked<R>(asked: Promise<boolean> | null, goOn: (isKnown: boolean) => R): R | Promise<R> {
  return asked === null ? goOn(true) : asked.then(goOn)
}

/** `$ulc(profile=>attribute)` reads these, by profile name, from the message's notes under this key. */
export const ulcNote = 'registrar.ulc'

export { aimAtBinding, mayReceive, skipOwnHop, uriOfHop } from './aim.ts'
export { aimAtEdge } from './edge-route.ts'
export { type UlcRecord, ulcAttribute, ulcAttributes, ulcRecord } from './ulc-record.ts'
