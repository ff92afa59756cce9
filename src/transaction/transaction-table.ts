/**
 * Live transactions by 32 bits of what they are found by: buckets of chains that run through the transactions
 * themselves. Whoever looks walks a chain and compares, so that no message has a text made up for it to be found by.
 */
export interface TableEntry<E> {
  readonly hash: number
  /** The next of its bucket. Belongs to the table. */
  tableNext: E | null
}

export class TransactionTable<E extends TableEntry<E>> {
  #buckets: (E | null)[] = new Array(bucketsAtFirst).fill(null)
  #count = 0

  get count(): number {
    return this.#count
  }

  /** Where a walk by `tableNext` begins: transactions of this hash and of others. */
  first(hash: number): E | null {
    const buckets = this.#buckets
    return buckets[hash & (buckets.length - 1)] ?? null
  }

  add(entry: E): void {
    if (this.#count >= this.#buckets.length) this.#grow()
    this.#link(entry)
    this.#count++
  }

  /** False if it is not there. */
  delete(entry: E): boolean {
    const buckets = this.#buckets
    const bucket = entry.hash & (buckets.length - 1)
    let previous: E | null = null
    for (let at = buckets[bucket] ?? null; at !== null; at = at.tableNext) {
      if (at === entry) {
        if (previous === null) buckets[bucket] = entry.tableNext
        else previous.tableNext = entry.tableNext
        entry.tableNext = null
        this.#count--
        return true
      }
      previous = at
    }
    return false
  }

  /** All of them, collected: who works on them may add and delete. */
  entries(): E[] {
    const all: E[] = []
    for (const first of this.#buckets) {
      for (let at = first; at !== null; at = at.tableNext) all.push(at)
    }
    return all
  }

  clear(): void {
    for (const entry of this.entries()) entry.tableNext = null
    this.#buckets = new Array(bucketsAtFirst).fill(null)
    this.#count = 0
  }

  #link(entry: E): void {
    const buckets = this.#buckets
    const bucket = entry.hash & (buckets.length - 1)
    entry.tableNext = buckets[bucket] ?? null
    buckets[bucket] = entry
  }

  #grow(): void {
    const all = this.entries()
    this.#buckets = new Array(this.#buckets.length * 2).fill(null)
    for (const entry of all) this.#link(entry)
  }
}

const bucketsAtFirst = 1_024
