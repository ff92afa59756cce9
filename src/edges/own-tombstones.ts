import { limits } from '../limits.ts'
import type { Clock } from '../runtime/clock.ts'
import type { TimedChange } from './directory-record.ts'

/**
 * What this edge has removed and would still be alive otherwise: a Redis that has lost its data is told of it again, so that
 * nobody who was cut off brings it back. Bounded; the oldest go first.
 */
export class OwnTombstones {
  readonly #clock: Clock
  readonly #removed = new Map<string, TimedChange>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  note(change: TimedChange): void {
    if (change.after !== null) {
      if (this.#removed.size > 0) this.#removed.delete(change.after.ruid)
      return
    }
    if (change.before === null) return
    this.#removed.delete(change.before.ruid)
    this.#removed.set(change.before.ruid, change)
    if (this.#removed.size > limits.edgeTombstonesMax) this.#dropOldest()
  }

  /** Those that count still. */
  all(): TimedChange[] {
    const now = this.#clock.now()
    for (const [ruid, { before }] of this.#removed) {
      if (before === null || before.expiresAt <= now) this.#removed.delete(ruid)
    }
    return [...this.#removed.values()]
  }

  #dropOldest(): void {
    const [oldest] = this.#removed.keys()
    if (oldest !== undefined) this.#removed.delete(oldest)
  }
}
