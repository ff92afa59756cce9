import { readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Log } from '../runtime/log.ts'
import { type Database, DatabaseError, type DatabaseValue, type Row } from './database.ts'
import { SqliteDatabase } from './sqlite.ts'

/**
 * Kamailio's db_text: a directory with a file per table. The first line declares the columns, every other is a
 * row; fields are separated by colons:
 *
 *   username(string) password(string) domain(string,null)
 *   alice:secret:example.com
 *
 * The tables are read into an SQLite database in memory, which then answers every query; a file that somebody
 * changed is read again. What a statement changes is written back to its table's file at once.
 */
export function openTextDirectory(directory: string, log: Log): Database {
  return new TextDatabase(directory, log)
}

interface Column {
  name: string
  type: string
  attributes: string
}

interface LoadedTable {
  columns: readonly Column[]
  /** Of the file, when it was read or written last. */
  modified: number
}

class TextDatabase implements Database {
  readonly #directory: string
  readonly #log: Log
  readonly #memory = new SqliteDatabase(':memory:')
  readonly #tables = new Map<string, LoadedTable>()

  constructor(directory: string, log: Log) {
    this.#directory = directory
    this.#log = log
    this.#refresh()
  }

  querySync(sql: string, parameters?: readonly DatabaseValue[]): Row[] {
    this.#refresh()
    return this.#memory.querySync(sql, parameters)
  }

  async query(sql: string, parameters?: readonly DatabaseValue[]): Promise<Row[]> {
    return this.querySync(sql, parameters)
  }

  async execute(sql: string, parameters?: readonly DatabaseValue[]): Promise<{ changes: number }> {
    this.#refresh()
    const result = this.#memory.executeSync(sql, parameters)
    const table = changedTable(sql)
    if (result.changes > 0 && table !== null && this.#tables.has(table)) this.#write(table)
    return result
  }

  async close(): Promise<void> {
    await this.#memory.close()
  }

  #refresh(): void {
    for (const name of readdirSync(this.#directory)) {
      if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) continue
      const { mtimeMs, isFile } = fileState(join(this.#directory, name))
      if (isFile && this.#tables.get(name)?.modified !== mtimeMs) this.#read(name, mtimeMs)
    }
  }

  #read(name: string, modified: number): void {
    const text = readFileSync(join(this.#directory, name), 'latin1')
    const table = parseTable(text)
    if (typeof table === 'string') {
      this.#log.warn({ table: name }, `text table not read: ${table}`)
      this.#tables.set(name, { columns: [], modified })
      return
    }
    this.#memory.executeSync(`DROP TABLE IF EXISTS "${name}"`)
    this.#memory.executeSync(`CREATE TABLE "${name}" (${table.columns.map(columnSql).join(', ')})`)
    const insert = `INSERT INTO "${name}" VALUES (${table.columns.map(() => '?').join(', ')})`
    for (const row of table.rows) this.#memory.executeSync(insert, row)
    this.#tables.set(name, { columns: table.columns, modified })
  }

  #write(name: string): void {
    const columns = this.#tables.get(name)?.columns ?? []
    const lines = [columns.map((column) => `${column.name}(${column.attributes})`).join(' ')]
    for (const row of this.#memory.querySync(`SELECT * FROM "${name}"`)) {
      lines.push(columns.map((column) => writeField(row[column.name] ?? null)).join(':'))
    }
    const path = join(this.#directory, name)
    const unfinished = join(this.#directory, `.${name}.tmp`)
    try {
      writeFileSync(unfinished, `${lines.join('\n')}\n`, 'latin1')
      renameSync(unfinished, path)
    } catch (error) {
      throw new DatabaseError(
        `cannot write ${path}: ${error instanceof Error ? error.message : String(error)}`,
      )
    }
    this.#tables.set(name, { columns, modified: fileState(path).mtimeMs })
  }
}

function fileState(path: string): { mtimeMs: number; isFile: boolean } {
  const state = statSync(path, { throwIfNoEntry: false })
  return { mtimeMs: state?.mtimeMs ?? 0, isFile: state?.isFile() ?? false }
}

function changedTable(sql: string): string | null {
  const match = /^\s*(?:insert\s+(?:or\s+\w+\s+)?into|replace\s+into|update|delete\s+from)\s+"?(\w+)"?/i.exec(
    sql,
  )
  return match?.[1] ?? null
}

/** A string says what is wrong. */
function parseTable(text: string): { columns: Column[]; rows: DatabaseValue[][] } | string {
  const [header = '', ...lines] = text.split(/\r?\n/)
  const columns: Column[] = []
  for (const word of header.trim().split(/\s+/)) {
    const column = parseColumn(word)
    if (column === null) return `"${word}" in its first line is no column such as username(string)`
    columns.push(column)
  }
  const rows: DatabaseValue[][] = []
  for (const [index, line] of lines.entries()) {
    if (line === '' || line.startsWith('#')) continue
    const fields = splitFields(line)
    if (fields.length !== columns.length) {
      return `line ${index + 2} has ${fields.length} fields, the table has ${columns.length} columns`
    }
    rows.push(fields.map((field, at) => readField(field, columns[at]?.type ?? 'string')))
  }
  return { columns, rows }
}

function parseColumn(word: string): Column | null {
  const match = /^(\w+)\((\w+)((?:,\w+)*)\)$/.exec(word)
  if (match === null) return null
  const [, name = '', type = '', rest = ''] = match
  return { name, type: type.toLowerCase(), attributes: type + rest }
}

function columnSql(column: Column): string {
  const type = isInteger(column.type) ? 'INTEGER' : column.type === 'double' ? 'REAL' : 'TEXT'
  return `"${column.name}" ${type}${column.attributes.endsWith(',auto') ? ' PRIMARY KEY' : ''}`
}

const isInteger = (type: string): boolean => type === 'int' || type === 'integer' || type === 'time'

function splitFields(line: string): string[] {
  const fields: string[] = []
  let field = ''
  for (let at = 0; at < line.length; at++) {
    const character = line.charAt(at)
    if (character === '\\') field += character + line.charAt(++at)
    else if (character === ':') {
      fields.push(field)
      field = ''
    } else field += character
  }
  fields.push(field)
  return fields
}

const escapes: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', '0': '\0' }

function readField(field: string, type: string): DatabaseValue {
  if (isInteger(type) || type === 'double') {
    const number = Number(field)
    return field === '' || Number.isNaN(number) ? null : number
  }
  return field.replace(/\\(.)/g, (_, character: string) => escapes[character] ?? character)
}

function writeField(value: DatabaseValue): string {
  if (value === null) return ''
  return String(value).replace(/[\\:\n\r\t\0]/g, (character) => {
    const letter = Object.entries(escapes).find(([, meaning]) => meaning === character)?.[0]
    return `\\${letter ?? character}`
  })
}
