import { LRUCache } from 'lru-cache'
import { type Clock, type Database, DatabaseError, limits, type Row } from '../../src/plugin/index.ts'
import type { Algorithm, DigestUser, Secret } from '../auth/exports.ts'

/** Kamailio's `subscriber` table, read through `db_url`. */
export interface SubscriberColumns {
  readonly user: string
  readonly domain: string
  readonly password: string
  /** HA1 for digest usernames with a domain. */
  readonly passwordWithDomain: string
  /** The password column holds passwords, not HA1. */
  readonly isPlain: boolean
  readonly useDomain: boolean
}

/** Columns for algorithms other than MD5, if the table has them. */
const digestColumns: Readonly<Record<string, string>> = {
  'SHA-256': 'ha1_sha256',
  'SHA-512-256': 'ha1_sha512t256',
  'SHA-512': 'ha1_sha512',
}

export class Subscribers {
  readonly #database: Database
  readonly #columns: SubscriberColumns
  readonly #clock: Clock
  readonly #cacheMilliseconds: number
  readonly #cache = new LRUCache<string, { row: Row | null; at: number }>({
    max: limits.credentialsCachedMax,
  })

  constructor(database: Database, columns: SubscriberColumns, clock: Clock, cacheSeconds: number) {
    this.#database = database
    this.#columns = columns
    this.#clock = clock
    this.#cacheMilliseconds = cacheSeconds * 1000
  }

  /** Null if there is no such user. @throws DatabaseError */
  find(table: string, user: string, domain: string | null): Row | null {
    if (this.#cacheMilliseconds === 0) return this.#read(table, user, domain)
    const key = JSON.stringify([table, user, domain])
    const cached = this.#cache.get(key)
    const now = this.#clock.now()
    if (cached !== undefined && now - cached.at < this.#cacheMilliseconds) return cached.row
    const row = this.#read(table, user, domain)
    this.#cache.set(key, { row, at: now })
    return row
  }

  /**
   * Is there a row of that user, in any domain and any case? A name without letters is found by the index of the
   * column; one with letters needs an index COLLATE NOCASE, or costs a walk over the table.
   *
   * @throws DatabaseError
   */
  hasAnyCase(table: string, user: string): boolean {
    if (this.#database.querySync === undefined)
      throw new DatabaseError('this database cannot be asked at once')
    const collation = /[A-Za-z]/.test(user) ? ' COLLATE NOCASE' : ''
    const sql = `SELECT 1 FROM "${table}" WHERE "${this.#columns.user}" = ?${collation} LIMIT 1`
    return this.#database.querySync(sql, [user]).length > 0
  }

  /** The domain that a row must have: the username's, else the realm; null if it is not asked. */
  domainOf(user: DigestUser): string | null {
    if (!this.#columns.useDomain) return null
    return user.domain === '' ? user.realm : user.domain
  }

  secretOf(row: Row, user: DigestUser, algorithm: Algorithm): Secret {
    const column = this.#passwordColumn(user, algorithm)
    const value = row[column]
    if (value === undefined) return { kind: 'unusable', why: `the table has no column ${column}` }
    const text = value === null ? '' : String(value)
    if (text === '') return { kind: 'unusable', why: `column ${column} of ${user.user} is empty` }
    return this.#columns.isPlain ? { kind: 'password', password: text } : { kind: 'ha1', ha1: text }
  }

  #passwordColumn(user: DigestUser, algorithm: Algorithm): string {
    const { password, passwordWithDomain, isPlain } = this.#columns
    if (isPlain) return password
    return digestColumns[algorithm.name] ?? (user.domain === '' ? password : passwordWithDomain)
  }

  #read(table: string, user: string, domain: string | null): Row | null {
    const byDomain = domain === null ? '' : ` AND "${this.#columns.domain}" = ?`
    const sql = `SELECT * FROM "${table}" WHERE "${this.#columns.user}" = ?${byDomain} LIMIT 1`
    const rows = this.#database.querySync?.(sql, domain === null ? [user] : [user, domain])
    return rows?.[0] ?? null
  }
}
