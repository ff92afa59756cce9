import type { AorRules, FlowTable, Location } from '../../src/plugin/index.ts'

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

/** `$ulc(profile=>attribute)` reads these, by profile name, from the message's notes under this key. */
export const ulcNote = 'registrar.ulc'

export { type UlcRecord, ulcAttribute, ulcAttributes, ulcRecord } from './ulc-record.ts'
