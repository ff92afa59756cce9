import { isUtf8 } from 'node:buffer'
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import { LRUCache } from 'lru-cache'
import { limits } from '../limits.ts'
import { type Batch, type Database, DatabaseError, type DatabaseValue, type Row } from './database.ts'
import { SqliteWriter } from './sqlite-writer.ts'

/**
 * SQLite through node:sqlite. It answers on the spot, so `querySync` exists and scripts need not wait.
 *
 * SQLite holds text as UTF-8, the rest of the program holds octets, one character each: both are translated here
 * and nowhere else.
 */
export function openSqlite(path: string): Database {
  return new SqliteDatabase(path)
}

/** Another process may hold the file for a moment. We wait on the event loop's time, so it must be short. */
const busyMilliseconds = 100

export class SqliteDatabase implements Database {
  readonly #connection: DatabaseSync
  readonly #statements = new LRUCache<string, StatementSync>({ max: limits.databaseStatementsMax })
  /** Null: what is in memory is of this connection alone. */
  readonly #writer: SqliteWriter | null

  constructor(path: string) {
    this.#writer = path === ':memory:' ? null : new SqliteWriter(path)
    this.#connection = guarded(
      `cannot open ${path}`,
      () => new DatabaseSync(path, { timeout: busyMilliseconds }),
    )
    guarded(`${path} is no SQLite database`, () =>
      this.#connection.exec('SELECT count(*) FROM sqlite_schema'),
    )
  }

  querySync(sql: string, parameters: readonly DatabaseValue[] = []): Row[] {
    return guarded(sql, () => {
      const rows = this.#statement(sql).all(...parameters.map(toSql))
      return rows.map((row) => toRow(row))
    })
  }

  async query(sql: string, parameters: readonly DatabaseValue[] = []): Promise<Row[]> {
    return this.querySync(sql, parameters)
  }

  executeSync(sql: string, parameters: readonly DatabaseValue[] = []): { changes: number } {
    return guarded(sql, () => {
      const { changes } = this.#statement(sql).run(...parameters.map(toSql))
      return { changes: Number(changes) }
    })
  }

  async execute(sql: string, parameters: readonly DatabaseValue[] = []): Promise<{ changes: number }> {
    return this.executeSync(sql, parameters)
  }

  async commit(batch: Batch): Promise<void> {
    if (this.#writer !== null) return await this.#writer.commit(batch)
    const translated = batch.calls.map(({ statement, parameters }) => ({
      statement,
      parameters: parameters.map(toSql),
    }))
    guarded('a transaction', () =>
      commitOn(this.#connection, (sql) => this.#statement(sql), { sql: batch.sql, calls: translated }),
    )
  }

  async close(): Promise<void> {
    await this.#writer?.close()
    this.#statements.clear()
    if (this.#connection.isOpen) this.#connection.close()
  }

  #statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql)
    if (statement === undefined) {
      statement = this.#connection.prepare(sql)
      this.#statements.set(sql, statement)
    }
    return statement
  }
}

function guarded<T>(what: string, run: () => T): T {
  try {
    return run()
  } catch (error) {
    throw new DatabaseError(`${what}: ${error instanceof Error ? error.message : String(error)}`)
  }
}

function toRow(columns: Record<string, unknown>): Row {
  const row: Record<string, DatabaseValue> = Object.create(null)
  for (const name of Object.keys(columns)) row[name] = fromSql(columns[name])
  return row
}

/** On a connection that is in no transaction. */
export function commitOn(
  connection: DatabaseSync,
  prepared: (sql: string) => StatementSync,
  {
    sql,
    calls,
  }: { sql: readonly string[]; calls: readonly { statement: number; parameters: SQLInputValue[] }[] },
): void {
  connection.exec('BEGIN IMMEDIATE')
  try {
    for (const { statement, parameters } of calls) prepared(sql[statement] ?? '').run(...parameters)
    connection.exec('COMMIT')
  } catch (error) {
    // Some errors have ended the transaction already.
    if (connection.isTransaction) connection.exec('ROLLBACK')
    throw error
  }
}

const beyondAscii = /[^\0-\x7f]/

export function toSql(value: DatabaseValue): SQLInputValue {
  if (typeof value !== 'string' || !beyondAscii.test(value)) return value
  const octets = Buffer.from(value, 'latin1')
  // What is no UTF-8 would be replaced: its octets are kept as they are.
  return isUtf8(octets) ? octets.toString('utf8') : octets
}

function fromSql(value: unknown): DatabaseValue {
  if (typeof value === 'string') {
    return beyondAscii.test(value) ? Buffer.from(value, 'utf8').toString('latin1') : value
  }
  if (typeof value === 'number' || value === null) return value
  if (value instanceof Uint8Array) return Buffer.from(value).toString('latin1')
  return typeof value === 'bigint' ? Number(value) : null
}
