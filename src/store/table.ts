/**
 * A durable table: string keys, records that msgpackr can encode. Reads are synchronous and from memory-mapped
 * pages; writes are visible at once and durable when the returned promise is fulfilled.
 * Implementations: memory.ts and lmdb.ts.
 */
export interface Table<R> {
  get(key: string): R | undefined
  /**
   * Fulfilled once a crash of the process cannot undo it, or a loss of power, as the store was opened (durability.ts).
   * Rejects if the store refuses (disk full, read-only, a device that fails).
   */
  put(key: string, record: R): Promise<void>
  remove(key: string): Promise<void>
  /** In key order. Reads lazily. */
  entries(options?: TableRange): IterableIterator<[string, R]>
  readonly count: number
  /** Why a put would be refused now; null, or absent, if it would not. */
  refusal?(): string | null
  /** Sees what other workers have committed by now. */
  refresh?(): void
  /** Everything written so far is durable. */
  flushed(): Promise<void>
}

export interface TableRange {
  /** While keys start with it. */
  prefix?: string
  /** Inclusive. */
  from?: string
  limit?: number
  /** What is not durable yet may be left out: for who knows it anyway, and asks often. */
  committed?: boolean
}

export type OpenTable = <R>(name: string, options?: { durable?: boolean }) => Table<R>

/** All tables of one data directory. */
export interface Store {
  readonly open: OpenTable
  /** For the start line: `memory`, `lmdb ./var/viaduct`. */
  readonly description: string
  /** Why nothing can be written now; null if it can. Absent where nothing is refused. */
  refusal?(): string | null
  close(): Promise<void>
}
