import type { Value } from '../../grammar/declarations.ts'
import type { SipMessage } from '../sip/message.ts'

/**
 * What a script keeps about a message for as long as its transaction lives: message flags, $avp, $xavp, $xavu,
 * $xavi. Implemented in script/scope.ts; plugins that Kamailio gives AVPs (auth's credentials, received_avp,
 * permissions' tag) write them here.
 */
export interface MessageScope {
  /** Message flags ($mf): bits. */
  flags: number
  readonly avps: AvpStore
  /** Record lists by name: $xavp. */
  readonly xavps: RecordStore
  /** Same, names compared without case: $xavi. */
  readonly xavis: RecordStore
  /** Unique names: $xavu. */
  readonly xavus: RecordStore
  /** The user whom the digest proved, '' if none: set by the auth modules, read by learn and policies. */
  authenticated: AuthenticatedUser | null
  /** What plugins keep, by plugin name. */
  readonly notes: Map<string, unknown>
  /** False: nobody has kept anything yet, and asking `notes` would make the table for nothing. */
  readonly hasNotes?: boolean
}

export interface AuthenticatedUser {
  /** Digest username without a domain part. */
  readonly user: string
  readonly realm: string
  /** True if the answer was to a nonce that we bound to this very flow. */
  readonly flowProven: boolean
  readonly qop: boolean
  /** The credentials that proved it: who asks for their username (`$au`) need not read them again, 1.2 us. */
  readonly used?: UsedCredentials
}

export interface UsedCredentials {
  readonly message: SipMessage
  /** Of their header. */
  readonly index: number
  /** As it stands there. */
  readonly username: string
}

/** Stacks of values by name: assignment pushes, reading gives the newest (measured on Kamailio 5.6.3). */
export interface AvpStore {
  push(name: string, value: string | number): boolean
  /** 0: the newest. Negative and too large: null. */
  get(name: string, index: number): Value
  all(name: string): readonly (string | number)[]
  /** The newest one only. */
  remove(name: string): void
  removeAll(name: string): void
  count(name: string): number
}

export interface RecordStore {
  /** The newest record of a name is index 0. */
  get(root: string, rootIndex: number, key: string, keyIndex: number): Value
  /** `rootIndex` null: a new record for $xavp, the one record for $xavu. */
  /**
   * False if there is no such record or no room. `keyIndex` null or absent: a further value of the key, the newest
   * ($xavu: the value).
   */
  set(root: string, rootIndex: number | null, key: string, value: Value, keyIndex?: number | null): boolean
  /** Key null: the record; otherwise the key's newest value. `rootIndex` null means 0. */
  remove(root: string, rootIndex: number | null, key: string | null): void
  count(root: string): number
  /** Names that have records. */
  roots(): readonly string[]
  /** Keys of a record, oldest first; [] if there is no such record. */
  keys(root: string, rootIndex: number): readonly string[]
}
