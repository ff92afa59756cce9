import { createRequire } from 'node:module'
import type { Database, RootDatabase } from 'lmdb'
import type { Durability } from './durability.ts'
import { sortedKeys } from './memory.ts'
import type { RoomGuard } from './room.ts'
import type { OpenTable, Store, Table, TableRange } from './table.ts'
import { type Commits, WriteQueue } from './write-queue.ts'

/**
 * Tables in an LMDB environment (package lmdb): one environment per data directory, one database per table.
 * Reads come from memory-mapped pages; writes of one turn of the loop become one commit (write-queue.ts: about 8
 * microseconds a put in a batch, half a millisecond for a put that waits alone). A fulfilled put has been handed to the kernel:
 * kill -9 of the process cannot undo it; LMDB then flushes to the disk, and `flushed()` waits for that too. With `power`
 * a put is fulfilled when the disk has it. docs/decisions/0006-location-store.md has the measurements.
 */
export interface LmdbOptions {
  path: string
  /** The directory cannot be written: reads go on, every write is refused. */
  readOnly: boolean
  room: RoomGuard
  /** `memory` is the business of those who do not wait: here it is `crash`. */
  durability: Durability
}

/** Bytes of a key that LMDB takes; a longer one is refused. */
const keyBytesMax = 1_900
const noRecords: ReadonlyMap<string, { record: undefined }> = new Map()

const readOnlyText = 'the store is read-only'

/** Tables of one environment. */
const tablesMax = 128

export function lmdbStore({ path, readOnly, room, durability }: LmdbOptions): Store {
  const { open: openEnvironment } = loadLmdb()
  const environment = openEnvironment({
    path,
    readOnly,
    maxDbs: tablesMax,
    noSubdir: true,
    // The batches that lmdb makes by itself hold promises that nobody can catch when a commit fails.
    eventTurnBatching: false,
    // A commit first, its flush to the disk after it; or a commit that is none before the disk has it.
    overlappingSync: !readOnly && durability !== 'power',
  })
  const queue = new WriteQueue(commitsOf(environment), room)
  const tables = new Map<string, LmdbTable<unknown>>()
  const open: OpenTable = <R>(name: string) => {
    const existing = tables.get(name)
    if (existing !== undefined) return existing as unknown as Table<R>
    const created = new LmdbTable<R>(openDatabase(environment, name), readOnly, room, queue)
    tables.set(name, created as unknown as LmdbTable<unknown>)
    return created
  }
  return {
    open,
    description: readOnly ? `lmdb ${path} (read-only)` : `lmdb ${path}`,
    refusal: () => (readOnly ? readOnlyText : room.refusal()),
    async close() {
      for (const table of tables.values()) await table.flushed()
      await environment.close()
    },
  }
}

/**
 * Copies an environment as it is at this moment, without the pages that nothing refers to, while whoever has it open goes
 * on: LMDB reads one state to the end, whatever is committed meanwhile.
 */
export async function copyEnvironment(path: string, into: string): Promise<void> {
  const environment = loadLmdb().open({ path, readOnly: true, maxDbs: tablesMax, noSubdir: true })
  try {
    await environment.backup(into, true)
  } finally {
    await environment.close()
  }
}

/** What lmdb's thread says of a transaction that it was given: readers see it, the disk does not have it yet. */
const isVisible = 1

/** What the package has under its interface: starts the thread, and hears what becomes of the transaction. */
interface Environment {
  startWriting(address: number, onStatus: (status: number) => unknown): void
}

/**
 * lmdb fulfils a put when the disk has it (fdatasync, milliseconds on a hard disk), though it is written to the kernel
 * and readers see it long before. Its thread says so, and so we listen to the thread. There is one commit at a time and
 * so one start of the thread for each.
 */
function commitsOf(environment: RootDatabase): Commits {
  const { env } = environment as unknown as { readonly env: Environment }
  const start = env.startWriting
  let begun: (() => void) | null = null
  const startWriting: Environment['startWriting'] = (address, onStatus) => {
    const kept = begun
    begun = null
    start.call(env, address, (status) => {
      const answer = onStatus(status)
      if (status === isVisible && kept !== null) {
        environment.resetReadTxn()
        kept()
      }
      return answer
    })
  }
  Object.defineProperty(env, 'startWriting', { value: startWriting })
  return {
    commit(write, kept) {
      begun = kept
      return environment.batch(write)
    },
  }
}

/** Loaded when somebody asks for it: a router without a data directory runs without the native addon. */
function loadLmdb(): typeof import('lmdb') {
  return createRequire(import.meta.url)('lmdb')
}

/** No shared structures: each record can be read by itself, whatever was lost beside it. */
function openDatabase(environment: RootDatabase, name: string): Database<unknown, string> | null {
  try {
    return environment.openDB<unknown, string>({ name, encoding: 'msgpack' })
  } catch (error) {
    if (String(error).includes('read only') || String(error).includes('MDB_NOTFOUND')) return null
    throw error
  }
}

class LmdbTable<R> implements Table<R> {
  /** Null: the environment is read-only and the table was never made. */
  readonly #database: Database<unknown, string> | null
  readonly #readOnly: boolean
  readonly #room: RoomGuard
  readonly #queue: WriteQueue
  /** What was written and is not committed yet, so that a write is visible at once. */
  readonly #pending = new Map<string, { record: R | undefined }>()

  constructor(
    database: Database<unknown, string> | null,
    readOnly: boolean,
    room: RoomGuard,
    queue: WriteQueue,
  ) {
    this.#database = database
    this.#readOnly = readOnly
    this.#room = room
    this.#queue = queue
  }

  get(key: string): R | undefined {
    const pending = this.#pending.get(key)
    if (pending !== undefined) return pending.record
    return this.#database?.get(key) as R | undefined
  }

  put(key: string, record: R): Promise<void> {
    return this.#write(key, record)
  }

  remove(key: string): Promise<void> {
    return this.#write(key, undefined)
  }

  *entries(options: TableRange = {}): IterableIterator<[string, R]> {
    let left = options.limit ?? Number.POSITIVE_INFINITY
    const prefix = options.prefix ?? ''
    const start = options.from !== undefined && options.from > prefix ? options.from : prefix
    const pending = options.committed === true ? noRecords : this.#pending
    const fresh = sortedKeys(pending.keys(), options)
    let next = 0
    for (const { key, value } of this.#database?.getRange({ start }) ?? []) {
      if (typeof key !== 'string' || !key.startsWith(prefix)) break
      for (; next < fresh.length && (fresh[next] ?? '') <= key; next++) {
        const record = pending.get(fresh[next] ?? '')?.record
        if (record !== undefined && left-- > 0) yield [fresh[next] ?? '', record]
      }
      if (left <= 0) return
      if (!pending.has(key) && left-- > 0) yield [key, value as R]
    }
    for (; next < fresh.length; next++) {
      const record = pending.get(fresh[next] ?? '')?.record
      if (record !== undefined && left-- > 0) yield [fresh[next] ?? '', record]
    }
  }

  /** Without what is not committed yet. */
  get count(): number {
    const stats = this.#database?.getStats() as { entryCount?: number } | undefined
    return stats?.entryCount ?? 0
  }

  refresh(): void {
    this.#database?.resetReadTxn()
  }

  refusal(): string | null {
    return this.#database === null || this.#readOnly ? readOnlyText : this.#room.refusal()
  }

  async flushed(): Promise<void> {
    if (this.#readOnly) return
    await this.#queue.idle()
    await this.#database?.flushed
  }

  async #write(key: string, record: R | undefined): Promise<void> {
    const database = this.#database
    if (database === null || this.#readOnly) throw new Error(readOnlyText)
    if (Buffer.byteLength(key) > keyBytesMax) throw new Error(`a key of more than ${keyBytesMax} octets`)
    const refusal = this.#room.refusal()
    if (refusal !== null) throw new Error(refusal)
    const entry = { record }
    this.#pending.set(key, entry)
    try {
      await this.#queue.add(() => {
        if (record === undefined) void database.remove(key)
        else void database.put(key, record)
      })
    } finally {
      if (this.#pending.get(key) === entry) this.#pending.delete(key)
    }
  }
}
