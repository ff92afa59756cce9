import { existsSync, statSync } from 'node:fs'
import type { Log } from '../runtime/log.ts'
import { type Database, DatabaseError, type OpenDatabase } from './database.ts'
import { openSqlite } from './sqlite.ts'
import { openTextDirectory } from './text.ts'

/**
 * Opens databases by the URLs that Kamailio's `db_url` parameters hold:
 *
 *   sqlite:////var/lib/sip.db   an absolute path; three slashes: seen from the script's directory
 *   text:///etc/sip/dbtext      a directory with one file per table (Kamailio's db_text)
 *
 * Two modules that name the same database share one connection: it is closed when the last of them closes it.
 *
 * @throws DatabaseError that says what is wrong with the URL or the file, and what would work.
 */
export function createOpenDatabase(resolvePath: (path: string) => string, log: Log): OpenDatabase {
  const shared = new Map<string, { database: Database; users: number }>()
  return (url) => {
    const source = sourceOf(url, resolvePath)
    const key = `${source.engine}:${source.path}`
    const known = shared.get(key)
    const entry = known ?? { database: open(source, log), users: 0 }
    shared.set(key, entry)
    entry.users++
    return lease(entry.database, async () => {
      entry.users--
      if (entry.users > 0) return
      shared.delete(key)
      await entry.database.close()
    })
  }
}

interface Source {
  engine: 'sqlite' | 'text'
  path: string
}

/** What a db_url names, without opening it. */
function sourceOf(url: string, resolvePath: (path: string) => string): Source {
  const match = /^([A-Za-z_]+):\/\/(.*)$/s.exec(url)
  if (match === null) {
    throw new DatabaseError(
      `"${withoutPassword(url)}" is no database URL: sqlite:////path/to/file or text:///directory`,
    )
  }
  const [, scheme = '', rest = ''] = match
  switch (scheme) {
    case 'sqlite':
    case 'db_sqlite':
      return { engine: 'sqlite', path: sqlitePath(url, rest, resolvePath) }
    case 'text':
    case 'dbtext':
    case 'db_text':
      return { engine: 'text', path: textPath(rest, resolvePath) }
    default:
      throw new DatabaseError(
        `${scheme} databases are not supported (${withoutPassword(url)}): use sqlite:////path/to/file, ` +
          'a file with the same tables, or text:///directory',
      )
  }
}

/**
 * After `sqlite://` Kamailio takes one slash off, so that three of them mean a relative path. Many people write
 * three and mean an absolute one: that is tried where the relative path does not exist.
 */
function sqlitePath(url: string, rest: string, resolvePath: (path: string) => string): string {
  if (!rest.startsWith('/')) throw new DatabaseError(`"${url}" lacks a slash: sqlite:////path/to/file`)
  const path = resolvePath(rest.slice(1))
  if (existsSync(path)) return path
  if (existsSync(rest)) return rest
  throw new DatabaseError(
    `there is no database file ${path} (${url}): make it with sqlite3 and the tables you need`,
  )
}

function textPath(rest: string, resolvePath: (path: string) => string): string {
  const path = resolvePath(rest)
  if (existsSync(path) && statSync(path).isDirectory()) return path
  throw new DatabaseError(`there is no directory ${path} of text tables`)
}

function open(source: Source, log: Log): Database {
  const ownLog = log.child({ database: source.path })
  return source.engine === 'sqlite' ? openSqlite(source.path) : openTextDirectory(source.path, ownLog)
}

/** The database as one of its users sees it: closing twice does no harm to the others. */
function lease(database: Database, release: () => Promise<void>): Database {
  let isOpen = true
  const close = async () => {
    if (!isOpen) return
    isOpen = false
    await release()
  }
  const { querySync, commit } = database
  return {
    query: (sql, parameters) => database.query(sql, parameters),
    execute: (sql, parameters) => database.execute(sql, parameters),
    ...(querySync === undefined ? {} : { querySync: querySync.bind(database) }),
    ...(commit === undefined ? {} : { commit: commit.bind(database) }),
    close,
  }
}

/** A password in a URL never reaches a log. */
export function withoutPassword(url: string): string {
  return url.replace(/(:\/\/[^:/@]*):[^@]*@/, '$1:***@')
}
