import type { Clock, Database, Row } from '../../src/plugin/index.ts'
import type { ScriptTable } from './hash-table.ts'

/** Columns of Kamailio's `htable` table. */
export interface StoredColumns {
  readonly name: string
  readonly keyType: string
  readonly valueType: string
  readonly value: string
  readonly expires: string
  /** `expires` is read and written. */
  readonly hasExpires: boolean
  /** What the number of elements of an array is stored under: `key::size`. */
  readonly arraySizeSuffix: string
}

/** Reads the rows of a table into it. Rows of key type 1 are elements of an array: `key[0]`, `key[1]`, ... */
export async function loadTable(
  table: ScriptTable,
  database: Database,
  columns: StoredColumns,
  clock: Clock,
): Promise<void> {
  const now = Math.floor(clock.wall() / 1000)
  const sizes = new Map<string, number>()
  for (const row of await database.query(`SELECT * FROM "${table.definition.databaseTable}"`)) {
    const expires = columns.hasExpires ? Number(row[columns.expires] ?? 0) : 0
    if (expires !== 0 && expires <= now) continue
    const key = keyOf(row, columns, sizes)
    const isNumber = Number(row[columns.valueType] ?? 0) === 1
    const value = isNumber ? Number(row[columns.value] ?? 0) : String(row[columns.value] ?? '')
    table.set(key, value, expires === 0 ? undefined : expires - now)
  }
  for (const [name, size] of sizes) table.set(`${name}${columns.arraySizeSuffix}`, size)
}

function keyOf(row: Row, columns: StoredColumns, sizes: Map<string, number>): string {
  const name = String(row[columns.name] ?? '')
  if (Number(row[columns.keyType] ?? 0) !== 1) return name
  const index = sizes.get(name) ?? 0
  sizes.set(name, index + 1)
  return `${name}[${index}]`
}

/** The rows of the database table become the entries of the table. */
export async function saveTable(
  table: ScriptTable,
  database: Database,
  columns: StoredColumns,
  clock: Clock,
): Promise<void> {
  const name = table.definition.databaseTable
  const now = Math.floor(clock.wall() / 1000)
  const written = [columns.name, columns.keyType, columns.valueType, columns.value]
  if (columns.hasExpires) written.push(columns.expires)
  const names = written.map((column) => `"${column}"`).join(', ')
  const insert = `INSERT INTO "${name}" (${names}) VALUES (${written.map(() => '?').join(', ')})`
  await database.execute(`DELETE FROM "${name}"`)
  for (const [key, value] of table.live()) {
    const row = [key, 0, typeof value === 'number' ? 1 : 0, String(value)]
    const left = table.expiry(key)
    await database.execute(insert, columns.hasExpires ? [...row, left === 0 ? 0 : now + left] : row)
  }
}
