import type { Value } from '../../src/plugin/index.ts'
import type { TableDefinition } from './definition.ts'
import type { ScriptTable } from './hash-table.ts'
import type { Change } from './untold.ts'

/** Whoever tells other edges: of this worker, or the worker that has the link. */
export interface ChangeSink {
  note(key: string, kind: Change['kind'], amount: number, renews: boolean): void
  noteClear(): void
  /** The sum that Redis came to; null if it did not say. */
  added(key: string, amount: number, renews: boolean): Promise<number | null>
  swept(ended: readonly { readonly key: string }[]): void
}

/** A table that edges share: read and written here like any other, and each change is told. */
export class EdgeTable implements ScriptTable {
  readonly definition: TableDefinition
  readonly #table: ScriptTable
  readonly #sink: ChangeSink

  constructor(table: ScriptTable, sink: ChangeSink) {
    this.definition = table.definition
    this.#table = table
    this.#sink = sink
  }

  get size(): number {
    return this.#table.size
  }

  get(key: string): Value {
    return this.#table.get(key)
  }

  has(key: string): boolean {
    return this.#table.has(key)
  }

  set(key: string, value: Value, expireSeconds?: number): boolean {
    if (value === null) {
      this.remove(key)
      return true
    }
    const renews = expireSeconds !== undefined || this.definition.renewsExpiry || !this.#table.has(key)
    if (!this.#table.set(key, value, expireSeconds)) return false
    this.#sink.note(key, 'set', 0, renews)
    return true
  }

  add(key: string, amount: number): number | null {
    const sum = this.#table.add(key, amount)
    if (sum !== null) this.#sink.note(key, 'add', amount, this.definition.renewsExpiry)
    return sum
  }

  /** Adds here at once. The promise is of the sum among all edges; null if Redis did not say it in time. */
  addAmongAll(key: string, amount: number): { readonly sum: number | null; among: Promise<number | null> } {
    const sum = this.#table.add(key, amount)
    const among =
      sum === null ? Promise.resolve(null) : this.#sink.added(key, amount, this.definition.renewsExpiry)
    return { sum, among }
  }

  remove(key: string): boolean {
    const isThere = this.#table.remove(key)
    if (isThere) this.#sink.note(key, 'remove', 0, false)
    return isThere
  }

  expiry(key: string): number {
    return this.#table.expiry(key)
  }

  setExpiry(key: string, seconds: number): boolean {
    const isThere = this.#table.setExpiry(key, seconds)
    if (isThere) this.#sink.note(key, 'expire', 0, true)
    return isThere
  }

  clear(): void {
    this.#table.clear()
    this.#sink.noteClear()
  }

  live(): IterableIterator<[key: string, value: string | number]> {
    return this.#table.live()
  }

  sweep(): { key: string; value: string | number }[] {
    const ended = this.#table.sweep()
    this.#sink.swept(ended)
    return ended
  }
}
