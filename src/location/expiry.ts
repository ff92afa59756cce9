/**
 * What falls due when, without looking at everything: items lie in buckets of one second. An item whose deadline
 * has moved to later is found in its old bucket and carried over then, so that a refresh costs nothing.
 */
export class ExpiryQueue<T> {
  readonly #buckets = new Map<number, Set<T>>()
  readonly #bucketOf = new Map<T, number>()
  readonly #deadlineOf: (item: T) => number
  #next: number

  /** `deadlineOf` in milliseconds of the clock that `due` gets; Infinity for never. */
  constructor(now: number, deadlineOf: (item: T) => number) {
    this.#deadlineOf = deadlineOf
    this.#next = Math.floor(now / 1000)
  }

  get size(): number {
    return this.#bucketOf.size
  }

  /** Also when the deadline has moved to earlier. */
  add(item: T): void {
    const deadline = this.#deadlineOf(item)
    if (deadline === Number.POSITIVE_INFINITY) {
      this.remove(item)
      return
    }
    const second = Math.max(this.#next, Math.ceil(deadline / 1000))
    const before = this.#bucketOf.get(item)
    if (before === second) return
    if (before !== undefined) this.remove(item)
    this.#bucketOf.set(item, second)
    const bucket = this.#buckets.get(second)
    if (bucket === undefined) this.#buckets.set(second, new Set([item]))
    else bucket.add(item)
  }

  remove(item: T): void {
    const second = this.#bucketOf.get(item)
    if (second === undefined) return
    this.#bucketOf.delete(item)
    const bucket = this.#buckets.get(second)
    bucket?.delete(item)
    if (bucket?.size === 0) this.#buckets.delete(second)
  }

  /** Takes out what is due. Looks at one bucket per second that has passed, or at all of them if that is less. */
  due(now: number): T[] {
    const out: T[] = []
    const last = Math.floor(now / 1000)
    if (last - this.#next > this.#buckets.size) {
      for (const second of [...this.#buckets.keys()].sort((a, b) => a - b)) {
        if (second <= last) this.#empty(second, now, out)
      }
    } else {
      for (let second = this.#next; second <= last; second++) this.#empty(second, now, out)
    }
    this.#next = Math.max(this.#next, last + 1)
    return out
  }

  #empty(second: number, now: number, out: T[]): void {
    const bucket = this.#buckets.get(second)
    if (bucket === undefined) return
    this.#buckets.delete(second)
    for (const item of bucket) {
      this.#bucketOf.delete(item)
      if (this.#deadlineOf(item) <= now) out.push(item)
      else this.#later.push(item)
    }
    for (const item of this.#later) this.#addAfter(item, second)
    this.#later.length = 0
  }

  readonly #later: T[] = []

  #addAfter(item: T, second: number): void {
    const before = this.#next
    this.#next = Math.max(before, second + 1)
    this.add(item)
    this.#next = before
  }
}
