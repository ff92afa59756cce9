import { LRUCache } from 'lru-cache'
import { type Clock, limits } from '../../src/plugin/index.ts'

/**
 * Against guessing: after so many wrong passwords for one user from one address, even the right one is refused
 * from there for a while. Never by user alone: anybody could lock anybody out.
 */
export class Lockout {
  readonly #clock: Clock
  readonly #failuresMax: number
  readonly #milliseconds: number
  readonly #entries: LRUCache<string, { failures: number; since: number }>

  /** `failuresMax` 0: never. */
  constructor(clock: Clock, failuresMax: number, seconds: number) {
    this.#clock = clock
    this.#failuresMax = failuresMax
    this.#milliseconds = seconds * 1000
    // The cache takes room for all its entries at once.
    this.#entries = new LRUCache({ max: failuresMax === 0 ? 1 : limits.lockoutsMax })
  }

  isLocked(user: string, address: string): boolean {
    if (this.#failuresMax === 0) return false
    const entry = this.#entries.get(keyOf(user, address))
    return entry !== undefined && !this.#isOver(entry) && entry.failures >= this.#failuresMax
  }

  /** True if this failure was the one that locks. */
  recordFailure(user: string, address: string): boolean {
    if (this.#failuresMax === 0) return false
    const key = keyOf(user, address)
    const entry = this.#entries.get(key)
    if (entry === undefined || this.#isOver(entry)) {
      this.#entries.set(key, { failures: 1, since: this.#clock.now() })
      return this.#failuresMax === 1
    }
    entry.failures++
    if (entry.failures !== this.#failuresMax) return false
    entry.since = this.#clock.now()
    return true
  }

  recordSuccess(user: string, address: string): void {
    if (this.#failuresMax !== 0) this.#entries.delete(keyOf(user, address))
  }

  #isOver(entry: { since: number }): boolean {
    return this.#clock.now() - entry.since >= this.#milliseconds
  }
}

const keyOf = (user: string, address: string): string => `${address} ${user}`
