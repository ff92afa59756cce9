import { type Clock, limits, type PackedValues, type Stored, type Value } from '../../src/plugin/index.ts'
import type { TableDefinition } from './definition.ts'
import type { ScriptTable } from './hash-table.ts'

/** One table of `$sht` that all workers of the router share: the same as HashTable, in a region. */
export class SharedTable implements ScriptTable {
  readonly definition: TableDefinition
  readonly #clock: Clock
  readonly #values: PackedValues

  constructor(definition: TableDefinition, clock: Clock, values: PackedValues) {
    this.definition = definition
    this.#clock = clock
    this.#values = values
  }

  get size(): number {
    return this.#values.count
  }

  get(key: string): Value {
    return this.#values.get(key, this.#seconds())?.value ?? this.definition.initialValue
  }

  has(key: string): boolean {
    return this.#values.get(key, this.#seconds()) !== undefined
  }

  set(key: string, value: Value, expireSeconds?: number): boolean {
    return this.#values.update(key, this.#seconds(), (known) =>
      value === null ? null : this.#stored(value, known, expireSeconds),
    )
  }

  add(key: string, amount: number): number | null {
    let sum: number | null = null
    const isKept = this.#values.update(key, this.#seconds(), (known) => {
      const value = known?.value ?? this.definition.initialValue
      if (typeof value !== 'number') return known ?? null
      sum = value + amount
      return this.#stored(sum, known, undefined)
    })
    return isKept ? sum : null
  }

  remove(key: string): boolean {
    let isThere = false
    this.#values.update(key, this.#seconds(), (known) => {
      isThere = known !== undefined
      return null
    })
    return isThere
  }

  expiry(key: string): number {
    const stored = this.#values.get(key, this.#seconds())
    return stored === undefined || stored.expiresAt === 0 ? 0 : stored.expiresAt - this.#seconds()
  }

  setExpiry(key: string, seconds: number): boolean {
    let isThere = false
    this.#values.update(key, this.#seconds(), (known) => {
      isThere = known !== undefined
      return known === undefined ? null : { value: known.value, expiresAt: this.#after(seconds) }
    })
    return isThere
  }

  clear(): void {
    this.#values.clear()
  }

  /** In no order. */
  *live(): IterableIterator<[key: string, value: string | number]> {
    for (const [key, { value }] of this.#values.entries(this.#seconds())) yield [key, value]
  }

  /** Each expired entry is one worker's: whoever sweeps first. */
  sweep(): { key: string; value: string | number }[] {
    const expired: { key: string; value: string | number }[] = []
    const now = this.#seconds()
    while (expired.length < limits.htableEntriesMax) {
      const one = this.#values.takeExpired(now)
      if (one === null) break
      expired.push(one)
    }
    return expired
  }

  #stored(value: string | number, known: Stored | undefined, expireSeconds: number | undefined): Stored {
    const { renewsExpiry, expireSeconds: usual } = this.definition
    if (known !== undefined && expireSeconds === undefined && !renewsExpiry) {
      return { value, expiresAt: known.expiresAt }
    }
    return { value, expiresAt: this.#after(expireSeconds ?? usual) }
  }

  #after(seconds: number): number {
    return seconds <= 0 ? 0 : this.#seconds() + seconds
  }

  #seconds(): number {
    return Math.floor(this.#clock.now() / 1000)
  }
}
