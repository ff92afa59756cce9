import { createReadStream, createWriteStream, existsSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Writable } from 'node:stream'
import { createOpenDatabase } from '../database/index.ts'
import { SqliteDatabase } from '../database/sqlite.ts'
import { type DumpFormat, readDump } from '../location/dump-readers.ts'
import { csvWriter, type DumpWriter, jsonWriter } from '../location/dump-writers.ts'
import { type Listed, type ListedBinding, listedOf } from '../location/listed-binding.ts'
import { LocationDatabase } from '../location/location-database.ts'
import { type ImportCounts, importBindings } from '../location/location-import.ts'
import { locationSchema } from '../location/location-schema.ts'
import { Locations } from '../location/locations.ts'
import type { StoredBinding } from '../location/stored.ts'
import { type Clock, systemClock } from '../runtime/clock.ts'
import type { Log } from '../runtime/log.ts'
import { createPinoLog } from '../runtime/pino-log.ts'
import { systemRandom } from '../runtime/random.ts'
import { backupStore, compactStore } from '../store/backup.ts'
import { memoryStore } from '../store/memory.ts'
import { openStore, openStoreToRead } from '../store/open-store.ts'
import { privateRegions } from '../store/region.ts'
import type { Store } from '../store/table.ts'
import type { SocketTable } from '../transport/socket.ts'

/**
 * `viaduct location export | import | backup | compact`: location tables between the embedded store, a database in
 * Kamailio's schema, and files; and care of the store. A table is never in memory as a whole.
 */
export interface PlaceOptions {
  /** A data directory. */
  readonly store?: string
  /** `sqlite:////path`, or a path; instead of the store. */
  readonly db?: string
  readonly table: string
  /** AoRs of the database are of two columns. */
  readonly useDomain?: boolean
}

export interface ExportOptions extends PlaceOptions {
  readonly format: 'kamailio-json' | 'csv' | 'sqlite'
}

export interface ImportOptions extends PlaceOptions {
  readonly from: DumpFormat | 'sqlite' | 'store'
  readonly dumpedAt?: string
  readonly dryRun?: boolean
  readonly replace?: boolean
}

/** A table somewhere, to read from and perhaps to write to. */
interface Place {
  readonly locations: Locations
  /** Bindings that hang on flows, as the store has them. */
  readonly onFlows: () => Iterable<ListedBinding>
  close(): Promise<void>
}

const clock: Clock = systemClock()
const log: Log = createPinoLog({ level: 'warn', pretty: process.stderr.isTTY === true })
/** Faults that are shown; the others are counted. */
const faultsShownMax = 100

export async function exportLocation(file: string | undefined, options: ExportOptions): Promise<number> {
  return await reported(async () => {
    const { table, format } = options
    if (format === 'sqlite') {
      if (file === undefined) throw new Error('--format sqlite needs the name of a file')
      if (existsSync(file))
        throw new Error(`${file} exists: import into it with viaduct location import --db`)
      const { db: _db, ...rest } = options
      return await transfer(await placeToRead(options), { ...rest, db: file }, {})
    }
    const place = await placeToRead(options)
    const output = file === undefined ? process.stdout : createWriteStream(file, { flags: 'wx' })
    const writer = format === 'csv' ? csvWriter() : jsonWriter(table)
    try {
      const count = await written(listed(place, table), writer, output)
      process.stderr.write(`${count} bindings exported\n`)
    } finally {
      await place.close()
      if (output !== process.stdout) await new Promise<void>((ended) => output.end(() => ended()))
    }
    return 0
  })
}

export async function importLocation(file: string, options: ImportOptions): Promise<number> {
  return await reported(async () => {
    const { from, table, useDomain = false } = options
    if (from === 'store' || from === 'sqlite') {
      const source = { table, useDomain, ...(from === 'store' ? { store: file } : { db: file }) }
      return await transfer(await placeToRead(source), options, options)
    }
    const dumpedAt =
      options.dumpedAt === undefined
        ? file === '-'
          ? clock.wall()
          : statSync(file).mtimeMs
        : Date.parse(options.dumpedAt)
    if (!Number.isFinite(dumpedAt))
      throw new Error(`--dumped-at ${options.dumpedAt}: no time such as 2026-01-31T12:00:00Z`)
    const input = file === '-' ? process.stdin : createReadStream(file)
    input.setEncoding('latin1')
    return await imported(readDump(from, input, dumpedAt), file, options, options)
  })
}

export async function backupLocation(into: string, store: string): Promise<number> {
  return await reported(async () => {
    const { path, bytesBefore, bytes } = await backupStore(store, into)
    process.stderr.write(`${path}: ${bytes} octets, of a store of ${bytesBefore}\n`)
    return 0
  })
}

export async function compactLocation(store: string): Promise<number> {
  return await reported(async () => {
    const { path, bytesBefore, bytes } = await compactStore(store)
    process.stderr.write(`${path}: ${bytes} octets instead of ${bytesBefore}\n`)
    return 0
  })
}

/** What an operator did wrong is one line. */
async function reported(work: () => Promise<number>): Promise<number> {
  try {
    return await work()
  } catch (error) {
    process.stderr.write(`viaduct location: ${error instanceof Error ? error.message : String(error)}\n`)
    return 1
  }
}

async function transfer(
  source: Place,
  into: PlaceOptions,
  how: Pick<ImportOptions, 'dryRun' | 'replace'>,
): Promise<number> {
  try {
    return await imported(asListed(listed(source, into.table)), 'binding', into, how)
  } finally {
    await source.close()
  }
}

async function* asListed(aors: AsyncIterable<readonly ListedBinding[]>): AsyncGenerator<Listed> {
  let line = 0
  for await (const bindings of aors) {
    for (const binding of bindings) yield { kind: 'binding', line: ++line, binding }
  }
}

async function imported(
  bindings: AsyncIterable<Listed>,
  file: string,
  into: PlaceOptions,
  { dryRun = false, replace = false }: Pick<ImportOptions, 'dryRun' | 'replace'>,
): Promise<number> {
  const place = await placeToWrite(into, dryRun)
  let shown = 0
  const onFault = (line: number, reason: string) => {
    if (shown++ < faultsShownMax) process.stderr.write(`${file}:${line}: ${reason}\n`)
  }
  try {
    const { locations } = place
    const location = locations.open(into.table)
    const newRuid = (aor: string) => locations.newRuid(aor)
    const counts = await importBindings(bindings, { location, clock, newRuid, replace, dryRun, onFault })
    await location.flushed()
    locations.note()
    process.stderr.write(`${summary(counts)}${dryRun ? ' (nothing was changed)' : ''}\n`)
    return counts.faults === 0 ? 0 : 1
  } finally {
    await place.close()
  }
}

const words: Readonly<Record<keyof ImportCounts, string>> = {
  read: 'read',
  added: 'added',
  replaced: 'replaced',
  same: 'the same',
  older: 'older than what is there',
  lower: 'of a lower origin than what is there',
  expired: 'expired',
  onFlows: 'on flows, which are learned again',
  faults: 'not understood or refused',
}

function summary(counts: ImportCounts): string {
  const names = Object.keys(words) as (keyof ImportCounts)[]
  return names
    .filter((name) => name === 'read' || name === 'added' || counts[name] > 0)
    .map((name) => `${counts[name]} ${words[name]}`)
    .join(', ')
}

/** All bindings that have not expired, those of one address-of-record together. */
async function* listed(place: Place, table: string): AsyncGenerator<readonly ListedBinding[]> {
  const location = place.locations.open(table)
  const toWall = clock.wall() - clock.now()
  for (let from = location.tablePage(null); ; from = location.tablePage(from.next)) {
    const alive = from.bindings.filter(({ expiresAt }) => expiresAt > clock.now())
    for (const bindings of Map.groupBy(alive, ({ aor }) => aor).values()) {
      yield bindings.map((binding) => listedOf(binding, toWall))
    }
    if (from.next === null) break
  }
  for (const binding of place.onFlows()) yield [binding]
}

async function written(
  aors: AsyncIterable<readonly ListedBinding[]>,
  writer: DumpWriter,
  output: Writable,
): Promise<number> {
  let count = 0
  await write(output, writer.begin())
  let piece = ''
  for await (const bindings of aors) {
    count += bindings.length
    piece += writer.aor(bindings, clock.wall())
    if (piece.length < pieceCharacters) continue
    await write(output, piece)
    piece = ''
  }
  await write(output, piece + writer.end())
  return count
}

const pieceCharacters = 65_536

/** Who reads slowly is waited for. */
function write(output: Writable, text: string): Promise<void> {
  return new Promise((done, failed) => {
    output.write(text, 'latin1', (error) => (error ? failed(error) : done()))
  })
}

async function placeToRead({ store, db, table, useDomain = false }: PlaceOptions): Promise<Place> {
  return db === undefined
    ? inStore(openStoreToRead(store ?? './var', clock), table)
    : inDatabase(db, useDomain)
}

/** Where nothing will be written, nothing is made. */
async function placeToWrite(options: PlaceOptions, dryRun: boolean): Promise<Place> {
  const { store = './var', db, table, useDomain = false } = options
  if (db === undefined) {
    if (!dryRun) return inStore(await openStore({ directory: store, log, clock }), table)
    return inStore(
      existsSync(resolve(store, 'viaduct.mdb')) ? openStoreToRead(store, clock) : memoryStore(),
      table,
    )
  }
  const path = pathOf(db)
  if (existsSync(path)) return inDatabase(db, useDomain)
  if (dryRun) return inStore(memoryStore(), table)
  const database = new SqliteDatabase(path)
  for (const statement of locationSchema(table)) database.executeSync(statement)
  await database.close()
  return inDatabase(db, useDomain)
}

function inStore(store: Store, table: string): Place {
  const locations = locationsOf(store, {})
  return { locations, onFlows: () => onFlows(store, table), close: () => store.close() }
}

/** As the store has them: on which socket, and where to. */
function* onFlows(store: Store, table: string): Generator<ListedBinding> {
  const skew = store.open<number>('usrloc.meta').get('skew') ?? 0
  for (const [ruid, stored] of store.open<StoredBinding>(`usrloc.${table}`).entries()) {
    const { flow, modified, expires, ...rest } = stored
    if (flow === null) continue
    const wallExpires = expires === 0 ? Number.POSITIVE_INFINITY : expires + skew
    if (wallExpires <= clock.wall()) continue
    const text = `${flow.socket} ${flow.address}:${flow.port}`
    yield { ...rest, ruid, expires: wallExpires, modified: modified + skew, flow: text }
  }
}

function inDatabase(url: string, useDomain: boolean): Place {
  const database = createOpenDatabase((path) => resolve(path), log)(`sqlite:///${pathOf(url)}`)
  const open = (table: string) =>
    new LocationDatabase({
      database,
      rows: {
        table,
        columns: {},
        useDomain,
        serverId: 0,
        filterServerId: false,
        timesAreSeconds: false,
        natBranchFlags: 0,
      },
      clock,
      log,
      checkVersion: true,
      fetchRows: 2_000,
    })
  const locations = locationsOf(memoryStore(), { database: { mode: 3, open } })
  return { locations, onFlows: () => [], close: () => database.close() }
}

function pathOf(url: string): string {
  const match = /^(?:db_)?sqlite:\/\/\/(.*)$/.exec(url)
  if (match === null && url.includes('://'))
    throw new Error(`${url}: no database but sqlite:////path/to/file`)
  return resolve(match?.[1] ?? url)
}

function locationsOf(
  store: Store,
  more: Pick<ConstructorParameters<typeof Locations>[1], 'database'>,
): Locations {
  const sockets = { sockets: [], find: () => null } as unknown as SocketTable
  return new Locations(
    { clock, log, random: systemRandom(), sockets, openTable: store.open, openRegion: privateRegions() },
    { isDurable: true, kind: '', ...more },
  )
}
