import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import { parentPort, workerData } from 'node:worker_threads'
import type { Batch } from './database.ts'
import { commitOn, toSql } from './sqlite.ts'
import type { FromSqliteThread, ToSqliteThread } from './sqlite-writer.ts'

/**
 * The thread of sqlite-writer.ts. The file is put into WAL mode, where who reads and who writes do not wait for each
 * other; that is a property of the file, which every SQLite since 2010 knows. A commit is in the kernel's hands then:
 * a crash of the process undoes nothing, a loss of power may undo the last moments.
 *
 * After an error the connection is opened anew: a file that was replaced, or a disk that came back, is met that way.
 */

/** Somebody else may be writing: nobody's event loop waits here. */
const busyMilliseconds = 2_000

const { path } = workerData as { path: string }
let connection: DatabaseSync | null = null
const statements = new Map<string, StatementSync>()

parentPort?.on('message', (message: ToSqliteThread | 'close') => {
  if (message === 'close') {
    disconnect()
    parentPort?.close()
    return
  }
  const answer: FromSqliteThread = { number: message.number, fault: faultOf(message.batch) }
  parentPort?.postMessage(answer)
})

function faultOf(batch: Batch): string | null {
  try {
    const open = connection ?? connect()
    const calls = batch.calls.map(({ statement, parameters }) => ({
      statement,
      parameters: parameters.map(toSql) as SQLInputValue[],
    }))
    commitOn(open, (sql) => prepared(open, sql), { sql: batch.sql, calls })
    return null
  } catch (error) {
    disconnect()
    return error instanceof Error ? error.message : String(error)
  }
}

function connect(): DatabaseSync {
  // Not one that is made here: an empty file in its place would hide that the database is gone.
  const url = new URL('file:///')
  url.pathname = path
  url.searchParams.set('mode', 'rw')
  const opened = new DatabaseSync(url, { timeout: busyMilliseconds })
  opened.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL')
  connection = opened
  return opened
}

function prepared(open: DatabaseSync, sql: string): StatementSync {
  const known = statements.get(sql)
  if (known !== undefined) return known
  const statement = open.prepare(sql)
  statements.set(sql, statement)
  return statement
}

function disconnect(): void {
  statements.clear()
  try {
    connection?.close()
  } catch {
    // Nothing that could be done about it.
  }
  connection = null
}
