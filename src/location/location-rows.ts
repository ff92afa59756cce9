import type { Call, DatabaseValue, Row } from '../database/database.ts'
import { allMethods, type Binding, createBinding } from './binding.ts'

/**
 * Bindings as rows of Kamailio's `location` table (version 9): what its usrloc writes is read, and what is written here
 * its usrloc reads. Times are Julian days, as its db_sqlite keeps them, or seconds since 1970 (expires_type 1).
 *
 * The table does not say who a binding is from: one that was read back is `registered`. What hangs on a flow is not
 * in it at all.
 */
export const locationTableVersion = 9

/** In the order of the statements' parameters. */
const columnNames = [
  'ruid',
  'username',
  'domain',
  'contact',
  'received',
  'path',
  'expires',
  'q',
  'callid',
  'cseq',
  'last_modified',
  'flags',
  'cflags',
  'user_agent',
  'socket',
  'methods',
  'instance',
  'reg_id',
  'server_id',
  'connection_id',
  'keepalive',
  'partition',
] as const

export type LocationColumn = (typeof columnNames)[number]
export const locationColumns: readonly LocationColumn[] = columnNames

export interface RowSettings {
  readonly table: string
  /** Names that the script gives to columns; those of the schema for the others. */
  readonly columns: Partial<Readonly<Record<LocationColumn, string>>>
  readonly useDomain: boolean
  readonly serverId: number
  /** Rows of other servers are not ours: neither read nor removed with an address-of-record. */
  readonly filterServerId: boolean
  /** expires_type 1. */
  readonly timesAreSeconds: boolean
  /** Bits of nat_bflag; a binding that has them is marked for keepalives. */
  readonly natBranchFlags: number
}

/** Statements of `LocationRows.sql`, by what they do. */
const statement = { put: 0, remove: 1, removeAor: 2 } as const

/** Words of SQL that a parameter of the script becomes part of. */
const identifier = /^[A-Za-z_][A-Za-z0-9_]{0,63}$/

export class LocationRows {
  readonly settings: RowSettings
  /** What `put`, `remove` and `removeAor` are calls of. */
  readonly sql: readonly string[]
  readonly #names: Readonly<Record<LocationColumn, string>>
  readonly #selected: string

  /** @throws Error if a name is none. */
  constructor(settings: RowSettings) {
    this.settings = settings
    const names = Object.fromEntries(
      columnNames.map((column) => [column, quotedName(settings.columns[column] ?? column)]),
    ) as Record<LocationColumn, string>
    this.#names = names
    const table = quotedName(settings.table)
    const all = columnNames.map((column) => names[column])
    const updates = all.filter((name) => name !== names.ruid).map((name) => `${name} = excluded.${name}`)
    const isOurs = settings.filterServerId ? ` AND ${names.server_id} = ${settings.serverId}` : ''
    this.sql = [
      `INSERT INTO ${table} (${all.join(', ')}) VALUES (${all.map(() => '?').join(', ')}) ` +
        `ON CONFLICT (${names.ruid}) DO UPDATE SET ${updates.join(', ')}`,
      `DELETE FROM ${table} WHERE ${names.ruid} = ?`,
      `DELETE FROM ${table} WHERE ${this.#isAor}${isOurs}`,
    ]
    const selected = columnNames.map((column) => `${names[column]} AS ${column}`)
    this.#selected = `SELECT _rowid_ AS row, ${selected.join(', ')} FROM ${table} WHERE ${settings.filterServerId ? `${names.server_id} = ${settings.serverId} AND ` : ''}`
  }

  put(binding: Binding, toWall: number): Call {
    return { statement: statement.put, parameters: this.#row(binding, toWall) }
  }

  remove(ruid: string): Call {
    return { statement: statement.remove, parameters: [ruid] }
  }

  removeAor(aor: string): Call {
    return { statement: statement.removeAor, parameters: this.aorParameters(aor) }
  }

  /** Rows after the one that has this number, in their order. */
  get selectAfter(): string {
    return `${this.#selected}_rowid_ > ? ORDER BY _rowid_ LIMIT ?`
  }

  /** Rows of an address-of-record, in the order in which they came. */
  get selectAor(): string {
    return `${this.#selected}${this.#isAor} ORDER BY _rowid_`
  }

  get selectRuid(): string {
    return `${this.#selected}${this.#names.ruid} = ?`
  }

  /** Rows that expired in between. */
  get selectExpired(): string {
    return `${this.#selected}${this.#names.expires} > ? AND ${this.#names.expires} <= ? ORDER BY ${this.#names.expires} LIMIT ?`
  }

  /** Rows of names beyond one. */
  get selectNamesAfter(): string {
    return `${this.#selected}${this.#names.username} > ? ORDER BY ${this.#names.username} LIMIT ?`
  }

  get selectName(): string {
    return `${this.#selected}${this.#names.username} = ? ORDER BY _rowid_`
  }

  get countAll(): string {
    const { username, domain } = this.#names
    const person = this.settings.useDomain ? `${username} || '@' || coalesce(${domain}, '')` : username
    return `SELECT count(*) AS bindings, count(DISTINCT ${person}) AS aors FROM ${quotedName(this.settings.table)}`
  }

  aorParameters(aor: string): string[] {
    if (!this.settings.useDomain) return [aor]
    const at = aor.lastIndexOf('@')
    return at < 0 ? ['', aor] : [aor.slice(0, at), aor.slice(at + 1)]
  }

  aorOf(row: Row): string {
    const username = text(row['username'])
    if (!this.settings.useDomain) return username
    const domain = text(row['domain'])
    return username === '' ? domain : `${username}@${domain}`
  }

  /** Never expires: `expires` is 1970. */
  binding(row: Row, toWall: number): Binding {
    const aor = this.aorOf(row)
    const expires = this.wallOf(row['expires'])
    const q = typeof row['q'] === 'number' ? row['q'] : -1
    const methods = row['methods']
    const userAgent = text(row['user_agent'])
    return createBinding({
      aor,
      ruid: text(row['ruid']),
      contact: text(row['contact']),
      by: aor,
      received: text(row['received']),
      path: pathOf(text(row['path'])),
      socket: text(row['socket']),
      q: q < 0 ? -1 : Math.min(1000, Math.round(q * 1000)),
      callId: text(row['callid']),
      cseq: whole(row['cseq']),
      userAgent: userAgent === unknownUserAgent ? '' : userAgent,
      methods: typeof methods !== 'number' || methods < 0 || methods >= 0xffffffff ? allMethods : methods | 0,
      instance: text(row['instance']),
      regId: whole(row['reg_id']),
      flags: whole(row['flags']) | 0,
      branchFlags: whole(row['cflags']) | 0,
      expiresAt: expires === 0 ? Number.POSITIVE_INFINITY : expires - toWall,
      modifiedAt: this.wallOf(row['last_modified']) - toWall,
    })
  }

  /** As the columns have times. */
  time(wall: number): number {
    return this.settings.timesAreSeconds ? Math.round(wall / 1000) : wall / dayMilliseconds + unixEpochDay
  }

  /** Milliseconds since 1970, to the whole one. */
  wallOf(value: DatabaseValue | undefined): number {
    if (typeof value === 'string') return wallOfText(value)
    if (typeof value !== 'number') return 0
    const isSeconds = this.settings.timesAreSeconds
    return Math.max(0, Math.round(isSeconds ? value * 1000 : (value - unixEpochDay) * dayMilliseconds))
  }

  get #isAor(): string {
    const { username, domain } = this.#names
    return this.settings.useDomain ? `${username} = ? AND ${domain} = ?` : `${username} = ?`
  }

  #row(binding: Binding, toWall: number): DatabaseValue[] {
    const { useDomain, serverId, natBranchFlags } = this.settings
    const [username = '', domain] = this.aorParameters(binding.aor)
    const { expiresAt, modifiedAt, branchFlags, path } = binding
    return [
      binding.ruid,
      username,
      useDomain ? (domain ?? null) : null,
      binding.contact,
      binding.received || null,
      path.length === 0 ? null : path.join(', '),
      this.time(Number.isFinite(expiresAt) ? expiresAt + toWall : 0),
      binding.q < 0 ? -1 : binding.q / 1000,
      binding.callId,
      binding.cseq,
      this.time(modifiedAt + toWall),
      binding.flags,
      branchFlags,
      binding.userAgent || unknownUserAgent,
      binding.socket || null,
      binding.methods === allMethods ? null : binding.methods,
      binding.instance || null,
      binding.regId,
      serverId,
      -1,
      (branchFlags & natBranchFlags) === 0 ? 0 : 1,
      0,
    ]
  }
}

/** What Kamailio says of a device that did not name itself. */
const unknownUserAgent = 'n/a'

const dayMilliseconds = 86_400_000
/** 1970-01-01 as a Julian day. */
const unixEpochDay = 2_440_587.5

function quotedName(name: string): string {
  if (!identifier.test(name)) throw new Error(`"${name}" is no name of a table or column`)
  return `"${name}"`
}

/** `2026-11-23 02:57:09`, UTC: who filled the table by hand may have written so. */
function wallOfText(value: string): number {
  const wall = Date.parse(`${value.replace(' ', 'T')}Z`)
  return Number.isFinite(wall) ? Math.max(0, wall) : 0
}

/** The values of a Path header field: a comma within `<>` or quotes is none between two of them. */
export function pathOf(path: string): readonly string[] {
  const hops: string[] = []
  let start = 0
  let depth = 0
  let isQuoted = false
  for (let at = 0; at < path.length; at++) {
    const character = path.charAt(at)
    if (character === '"' && path.charAt(at - 1) !== '\\') isQuoted = !isQuoted
    if (isQuoted) continue
    if (character === '<') depth++
    else if (character === '>') depth--
    else if (character === ',' && depth === 0) {
      hops.push(path.slice(start, at).trim())
      start = at + 1
    }
  }
  hops.push(path.slice(start).trim())
  return hops.filter((hop) => hop !== '')
}

function text(value: DatabaseValue | undefined): string {
  return value === null || value === undefined ? '' : String(value)
}

function whole(value: DatabaseValue | undefined): number {
  const number = Number(value ?? 0)
  return Number.isSafeInteger(number) ? number : 0
}
