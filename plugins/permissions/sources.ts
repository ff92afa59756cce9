import { readFileSync } from 'node:fs'
import { ArgumentProblem, type Database } from '../../src/plugin/index.ts'
import { type AddressRow, AddressTable } from './address-table.ts'

/**
 * One address: `group address mask port tag`, blanks or commas between, everything after the address optional.
 * The format of Kamailio's address_file. @throws ArgumentProblem
 */
export function parseAddressLine(line: string): AddressRow {
  const [group = '', address = '', mask = '', port = '', ...tag] = line.trim().split(/[\s,]+/)
  if (!/^\d{1,9}$/.test(group) || address === '') {
    throw new ArgumentProblem(`"${line}" is no address`, 'group address [mask [port [tag]]]')
  }
  if (!/^\d{0,3}$/.test(mask) || !/^\d{0,5}$/.test(port)) {
    throw new ArgumentProblem(`mask and port of "${line}" must be numbers`)
  }
  return {
    group: Number(group),
    address,
    mask: mask === '' ? null : Number(mask),
    port: Number(port),
    tag: tag.join(' '),
  }
}

/** What addresses are read from; all of it is read again by permissions.addressReload. */
export interface AddressSources {
  readonly lines: readonly string[]
  /** Absolute; null for none. */
  readonly file: string | null
  readonly database: Database | null
  readonly table: string
  readonly columns: { group: string; address: string; mask: string; port: string; tag: string }
}

/** @throws ArgumentProblem, DatabaseError, or the error of reading the file: nothing is let in by half a table. */
export async function readAddresses(sources: AddressSources): Promise<AddressTable> {
  const table = new AddressTable()
  const add = (row: AddressRow, where: string) => {
    const rule = table.add(row)
    if (typeof rule === 'string') throw new ArgumentProblem(`${where}: ${rule}`)
  }
  for (const line of sources.lines) add(parseAddressLine(line), `address "${line}"`)
  if (sources.file !== null) {
    for (const [index, line] of readFileSync(sources.file, 'latin1').split(/\r?\n/).entries()) {
      const record = line.split('#', 1)[0] ?? ''
      if (record.trim() !== '') add(parseAddressLine(record), `${sources.file}:${index + 1}`)
    }
  }
  for (const row of await databaseRows(sources)) add(row, `table ${sources.table}, address ${row.address}`)
  return table
}

async function databaseRows({ database, table, columns }: AddressSources): Promise<AddressRow[]> {
  if (database === null) return []
  const rows = await database.query(`SELECT * FROM "${table}"`)
  return rows.map((row) => ({
    group: Number(row[columns.group] ?? 0),
    address: String(row[columns.address] ?? ''),
    mask: maskOf(row[columns.mask], String(row[columns.address] ?? '')),
    port: Number(row[columns.port] ?? 0),
    tag: String(row[columns.tag] ?? ''),
  }))
}

/** 32 is the column's default: beside an IPv6 address it means all of its bits, as nobody owns a /32. */
function maskOf(value: string | number | null | undefined, address: string): number | null {
  if (value === null || value === undefined) return null
  return Number(value) === 32 && address.includes(':') ? null : Number(value)
}
