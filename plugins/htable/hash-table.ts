import { type Clock, flat, limits, type Value } from '../../src/plugin/index.ts'
import type { TableDefinition } from './definition.ts'

/**
 * One table of `$sht`: keys and values, strings or numbers, with a time to live.
 *
 * Nothing is ever scanned for what has expired: entries wait in buckets of one second. An entry stands in at most
 * one bucket; when its bucket comes up and the entry was renewed meanwhile, it moves on to a later one.
 */
export interface Entry {
  value: string | number
  /** Monotonic seconds; 0: never. */
  expiresAt: number
  /** The bucket that it waits in; 0: none. */
  bucket: number
}

/** A table as the rest of the module uses it: of this worker alone, or shared (shared-table.ts). */
export interface ScriptTable {
  readonly definition: TableDefinition
  readonly size: number
  get(key: string): Value
  has(key: string): boolean
  /** Null removes. False if the table is full. `expireSeconds`: instead of the table's own. */
  set(key: string, value: Value, expireSeconds?: number): boolean
  /** Adds to a number; null if there is none and no initial value, or if the value is a text. */
  add(key: string, amount: number): number | null
  remove(key: string): boolean
  /** Seconds left; 0 if the entry never expires or is not there. */
  expiry(key: string): number
  /** 0: never. False if there is no such entry. */
  setExpiry(key: string, seconds: number): boolean
  clear(): void
  /** Those that have not expired. Entries may be removed meanwhile. */
  live(): IterableIterator<[key: string, value: string | number]>
  /** Takes out what has expired since the last time. */
  sweep(): { key: string; value: string | number }[]
}

export class HashTable implements ScriptTable {
  readonly definition: TableDefinition
  readonly #clock: Clock
  readonly #entries = new Map<string, Entry>()
  readonly #buckets = new Map<number, Set<string>>()
  readonly #entriesMax: number
  #swept: number

  constructor(definition: TableDefinition, clock: Clock, entriesMax: number = limits.htableEntriesMax) {
    this.definition = definition
    this.#clock = clock
    this.#entriesMax = entriesMax
    this.#swept = this.#seconds()
  }

  get size(): number {
    return this.#entries.size
  }

  get(key: string): Value {
    return this.#live(key)?.value ?? this.definition.initialValue
  }

  has(key: string): boolean {
    return this.#live(key) !== undefined
  }

  /** Null removes. False if the table is full. `expireSeconds`: instead of the table's own. */
  set(key: string, value: Value, expireSeconds?: number): boolean {
    if (value === null) {
      this.#drop(key)
      return true
    }
    const now = this.#seconds()
    const known = this.#liveAt(key, now)
    const kept = typeof value === 'string' ? flat(value) : value
    if (known !== undefined) {
      known.value = kept
      if (expireSeconds !== undefined) this.#expire(key, known, expireSeconds, now)
      else if (this.definition.renewsExpiry) this.#expire(key, known, this.definition.expireSeconds, now)
      return true
    }
    return this.#insert(flat(key), kept, expireSeconds ?? this.definition.expireSeconds, now)
  }

  /** Adds to a number; null if there is none and no initial value, or if the value is a text. */
  add(key: string, amount: number): number | null {
    const value = this.get(key)
    if (typeof value !== 'number') return null
    const sum = value + amount
    return this.set(key, sum) ? sum : null
  }

  remove(key: string): boolean {
    const isThere = this.#live(key) !== undefined
    this.#drop(key)
    return isThere
  }

  /** Seconds left; 0 if the entry never expires or is not there. */
  expiry(key: string): number {
    const entry = this.#live(key)
    return entry === undefined || entry.expiresAt === 0 ? 0 : entry.expiresAt - this.#seconds()
  }

  /** 0: never. False if there is no such entry. */
  setExpiry(key: string, seconds: number): boolean {
    const now = this.#seconds()
    const entry = this.#liveAt(key, now)
    if (entry === undefined) return false
    this.#expire(key, entry, seconds, now)
    return true
  }

  clear(): void {
    this.#entries.clear()
    this.#buckets.clear()
  }

  /** Those that have not expired, oldest first. Entries may be removed meanwhile. */
  *live(): IterableIterator<[key: string, value: string | number]> {
    const now = this.#seconds()
    for (const [key, entry] of this.#entries) {
      if (entry.expiresAt === 0 || entry.expiresAt > now) yield [key, entry.value]
    }
  }

  /** Takes out what has expired since the last time. */
  sweep(): { key: string; value: string | number }[] {
    const now = this.#seconds()
    const expired: { key: string; value: string | number }[] = []
    for (let second = this.#swept + 1; second <= now && this.#buckets.size > 0; second++) {
      const bucket = this.#buckets.get(second)
      if (bucket === undefined) continue
      this.#buckets.delete(second)
      for (const key of bucket) this.#sweepOne(key, now, expired)
    }
    this.#swept = now
    return expired
  }

  #sweepOne(key: string, now: number, expired: { key: string; value: string | number }[]): void {
    const entry = this.#entries.get(key)
    if (entry === undefined) return
    entry.bucket = 0
    if (entry.expiresAt === 0) return
    if (entry.expiresAt > now) this.#wait(key, entry)
    else {
      this.#entries.delete(key)
      expired.push({ key, value: entry.value })
    }
  }

  #insert(key: string, value: string | number, expireSeconds: number, now: number): boolean {
    this.#drop(key)
    if (this.#entries.size >= this.#entriesMax) return false
    const entry: Entry = { value, expiresAt: 0, bucket: 0 }
    this.#entries.set(key, entry)
    this.#expire(key, entry, expireSeconds, now)
    return true
  }

  #expire(key: string, entry: Entry, seconds: number, now: number): void {
    entry.expiresAt = seconds <= 0 ? 0 : now + seconds
    if (entry.expiresAt === 0) return
    if (entry.bucket === 0 || entry.bucket > entry.expiresAt) this.#wait(key, entry)
  }

  #wait(key: string, entry: Entry): void {
    this.#buckets.get(entry.bucket)?.delete(key)
    entry.bucket = Math.max(entry.expiresAt, this.#swept + 1)
    const bucket = this.#buckets.get(entry.bucket)
    if (bucket === undefined) this.#buckets.set(entry.bucket, new Set([key]))
    else bucket.add(key)
  }

  #drop(key: string): void {
    const entry = this.#entries.get(key)
    if (entry === undefined) return
    this.#entries.delete(key)
    this.#buckets.get(entry.bucket)?.delete(key)
  }

  #live(key: string): Entry | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined || entry.expiresAt === 0) return entry
    return entry.expiresAt > this.#seconds() ? entry : undefined
  }

  /** For who needs the time himself: a look at the clock takes 50 ns, half of what a look-up does. */
  #liveAt(key: string, now: number): Entry | undefined {
    const entry = this.#entries.get(key)
    return entry === undefined || entry.expiresAt === 0 || entry.expiresAt > now ? entry : undefined
  }

  #seconds(): number {
    return Math.floor(this.#clock.now() / 1000)
  }
}
