/**
 * A durable table: string keys, records that msgpackr can encode. Reads are synchronous and from memory-mapped
 * pages; writes are visible at once and durable when the returned promise is fulfilled.
 * Implementations: memory.ts and lmdb.ts.
 */
export interface Table<R> {
  get(key: string): R | undefined
  /** Fulfilled once a crash of the process cannot undo it. Rejects if the store refuses (disk full, read-only). */
  put(key: string, record: R): Promise<void>
  remove(key: string): Promise<void>
  /** In key order, from `from` (inclusive) while keys start with `prefix`. Reads lazily. */
  entries(options?: { prefix?: string; from?: string; limit?: number }): IterableIterator<[string, R]>
  readonly count: number
  /** Sees what other workers have committed by now. */
  refresh?(): void
  /** Everything written so far is durable. */
  flushed(): Promise<void>
}

export type OpenTable = <R>(name: string, options?: { durable?: boolean }) => Table<R>

/** All tables of one data directory. */
export interface Store {
  readonly open: OpenTable
  /** For the start line: `memory`, `lmdb ./var/viaduct`. */
  readonly description: string
  close(): Promise<void>
}
