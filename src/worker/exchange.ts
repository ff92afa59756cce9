import type { Workers } from './workers.ts'

/**
 * What each worker counts for itself, so that any of them can tell the sum: each publishes its numbers now and then, and
 * keeps the latest of the others.
 */
export class Exchange<T> {
  readonly #workers: Workers
  readonly #topic: string
  readonly #read: () => T
  readonly #latest = new Map<number, T>()

  constructor(workers: Workers, topic: string, read: () => T) {
    this.#workers = workers
    this.#topic = topic
    this.#read = read
    workers.onTold(topic, (value, from) => this.#latest.set(from, value as T))
  }

  publish(): void {
    if (this.#workers.count > 1) this.#workers.tell(this.#topic, this.#read())
  }

  /** As they were when they last published. */
  others(): Iterable<T> {
    return this.#latest.values()
  }
}
