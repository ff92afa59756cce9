import { setImmediate } from 'node:timers/promises'
import { type Database, DatabaseError, type DatabaseValue, type Row } from '../database/database.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Log } from '../runtime/log.ts'
import type { Binding } from './binding.ts'
import { LocationRows, locationTableVersion, type RowSettings } from './location-rows.ts'
import { RowWriter } from './row-writer.ts'

/** One location table of a database in Kamailio's schema: reads on the spot, writes through a RowWriter. */
export interface LocationDatabaseOptions {
  readonly database: Database
  readonly rows: RowSettings
  readonly clock: Clock
  readonly log: Log
  /** Is the table of the version that we know? (version_table) */
  readonly checkVersion: boolean
  /** Rows of one read (fetch_rows). */
  readonly fetchRows: number
  /** Rows of sockets that are not ours are passed over when all are read (skip_remote_socket). */
  readonly isOurs?: ((socket: string) => boolean) | undefined
}

export class LocationDatabase {
  readonly rows: LocationRows
  readonly writer: RowWriter
  readonly #query: NonNullable<Database['querySync']>
  readonly #clock: Clock
  readonly #log: Log
  #isFailing = false
  readonly #fetchRows: number
  readonly #isOurs: ((socket: string) => boolean) | null

  /** @throws DatabaseError if there is no such table, or one that we do not know. */
  constructor({ database, rows, clock, log, checkVersion, fetchRows, isOurs }: LocationDatabaseOptions) {
    if (database.querySync === undefined || database.commit === undefined) {
      throw new DatabaseError(
        'location tables are kept in SQLite (sqlite:////path/to/file) and no other database',
      )
    }
    const query = database.querySync.bind(database)
    this.#query = (sql, parameters) => this.#answered(() => query(sql, parameters))
    this.#clock = clock
    this.#log = log.child({ table: rows.table })
    this.#fetchRows = Math.max(1, fetchRows)
    this.#isOurs = isOurs ?? null
    this.rows = new LocationRows(rows)
    if (checkVersion) this.#checkVersion(rows.table)
    this.#checkColumns(rows.table)
    this.writer = new RowWriter({ database, sql: this.rows.sql, clock, log: this.#log })
  }

  /** What makes wall time of the process's own. */
  get toWall(): number {
    return this.#clock.wall() - this.#clock.now()
  }

  of(aor: string): Binding[] {
    return this.#bindings(this.rows.selectAor, this.rows.aorParameters(aor))
  }

  byRuid(ruid: string): Binding | undefined {
    return this.#bindings(this.rows.selectRuid, [ruid])[0]
  }

  aorOfRuid(ruid: string): string | null {
    const [row] = this.#query(this.rows.selectRuid, [ruid])
    return row === undefined ? null : this.rows.aorOf(row)
  }

  /** What has expired by now, the longest ago first. */
  expired(now: number, limit: number): Binding[] {
    const { rows, toWall } = this
    return this.#bindings(rows.selectExpired, [rows.time(0), rows.time(now + toWall), limit])
  }

  /** Those of the next names after one, of the first names if that is null; all of a name. */
  namesAfter(username: string | null, limit: number): { bindings: Binding[]; last: string | null } {
    const nameless = username === null ? this.#query(this.rows.selectName, ['']) : []
    const found = [...nameless, ...this.#query(this.rows.selectNamesAfter, [username ?? '', limit])]
    const last = found.length - nameless.length < limit ? null : String(found[found.length - 1]?.['username'])
    if (last === null) return { bindings: this.#read(found), last }
    // The name at the end may have more rows.
    const whole = found.filter((row) => row['username'] !== last)
    return { bindings: this.#read([...whole, ...this.#query(this.rows.selectName, [last])]), last }
  }

  counts(): { bindings: number; aors: number } {
    const [row] = this.#query(this.rows.countAll)
    return { bindings: Number(row?.['bindings'] ?? 0), aors: Number(row?.['aors'] ?? 0) }
  }

  /** All rows, some at a time, and everybody else has a turn in between. */
  async *all(): AsyncGenerator<Binding[]> {
    for (let after = Number.MIN_SAFE_INTEGER; ; ) {
      const found = this.#query(this.rows.selectAfter, [after, this.#fetchRows])
      if (found.length === 0) return
      const isOurs = this.#isOurs
      const read = this.#read(found)
      yield isOurs === null ? read : read.filter(({ socket }) => socket === '' || isOurs(socket))
      after = Number(found[found.length - 1]?.['row'])
      await setImmediate()
    }
  }

  #bindings(sql: string, parameters: readonly DatabaseValue[]): Binding[] {
    return this.#read(this.#query(sql, parameters))
  }

  #read(found: readonly Row[]): Binding[] {
    const { toWall } = this
    return found.map((row) => this.rows.binding(row, toWall))
  }

  /** What is looked up all the time fails all the time: that it does, and that it is over, is logged once. */
  #answered(query: () => Row[]): Row[] {
    try {
      const rows = query()
      if (this.#isFailing) this.#log.info({}, 'the database answers again')
      this.#isFailing = false
      return rows
    } catch (error) {
      if (!this.#isFailing) this.#log.error({ err: error }, 'the database does not answer')
      this.#isFailing = true
      throw error
    }
  }

  #checkVersion(table: string): void {
    let version: DatabaseValue | undefined
    try {
      version = this.#query('SELECT table_version FROM version WHERE table_name = ?', [table])[0]?.[
        'table_version'
      ]
    } catch (error) {
      throw new DatabaseError(`${(error as Error).message}: ${howToMake(table)}`)
    }
    if (version === undefined)
      throw new DatabaseError(`no table ${table} is noted in "version": ${howToMake(table)}`)
    if (version === locationTableVersion) return
    throw new DatabaseError(
      `the table ${table} has version ${version}, and ${locationTableVersion} is needed: convert it with ` +
        "Kamailio's scripts, or say version_table 0 if it has the columns of that version",
    )
  }

  #checkColumns(table: string): void {
    try {
      this.#query(this.rows.selectRuid, [''])
    } catch (error) {
      throw new DatabaseError(`${(error as Error).message}: ${howToMake(table)}`)
    }
  }
}

function howToMake(table: string): string {
  return (
    `the table ${table} is made with standard-create.sql and usrloc-create.sql of Kamailio, or with ` +
    '`viaduct location import --db URL`'
  )
}
