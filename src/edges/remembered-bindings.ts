import { LRUCache } from 'lru-cache'
import { limits } from '../limits.ts'
import type { Clock } from '../runtime/clock.ts'
import type { OthersBinding } from './directory-record.ts'

/**
 * What an edge has read of other edges' bindings, also that there are none, until somebody says that it has changed. What
 * must not be remembered - nobody would say so, or it was changed while it was read - can be read for a moment by who has
 * asked.
 */
export class RememberedBindings {
  readonly #clock: Clock
  readonly #entries = new LRUCache<string, readonly OthersBinding[]>({ max: limits.edgeRememberedMax })
  readonly #moments = new LRUCache<string, Moment>({ max: limits.redisInFlightMax })
  /** Addresses-of-record that are being read, and whether what is read will be old. */
  readonly #readings = new Map<string, { isStale: boolean }>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Nothing has to be read. What has expired may have been refreshed, of which nobody is told. */
  has(aor: string): boolean {
    const entry = this.#entries.get(aor)
    if (entry === undefined) return false
    if (entry.length === 0) return true
    const now = this.#clock.now()
    return entry.every(({ expiresAt }) => expiresAt > now)
  }

  of(aor: string): readonly OthersBinding[] {
    const entry = this.#entries.get(aor)
    if (entry !== undefined) return entry
    if (this.#moments.size === 0) return none
    const moment = this.#moments.get(aor)
    return moment === undefined || moment.until < this.#clock.now() ? none : moment.bindings
  }

  /** Between this and `put` or `fail`, `forget` is not in vain. */
  read(aor: string): void {
    this.#readings.set(aor, { isStale: false })
  }

  put(aor: string, bindings: readonly OthersBinding[], mayRemember: boolean): void {
    const isStale = this.#readings.get(aor)?.isStale ?? true
    this.#readings.delete(aor)
    this.#entries.delete(aor)
    if (mayRemember && !isStale) this.#entries.set(aor, bindings.length === 0 ? none : bindings)
    else {
      const until = this.#clock.now() + limits.edgeMomentMilliseconds
      this.#moments.set(aor, { bindings, until })
    }
  }

  fail(aor: string): void {
    this.#readings.delete(aor)
  }

  forget(aor: string): void {
    this.#entries.delete(aor)
    this.#moments.delete(aor)
    const reading = this.#readings.get(aor)
    if (reading !== undefined) reading.isStale = true
  }

  /** Another edge's binding that we have taken from it, or removed. */
  drop(aor: string, ruid: string): void {
    const reading = this.#readings.get(aor)
    if (reading !== undefined) reading.isStale = true
    const entry = this.#entries.get(aor)
    if (entry !== undefined) this.#entries.set(aor, withoutRuid(entry, ruid))
    const moment = this.#moments.get(aor)
    if (moment !== undefined)
      this.#moments.set(aor, { ...moment, bindings: withoutRuid(moment.bindings, ruid) })
  }

  clear(): void {
    this.#entries.clear()
    this.#moments.clear()
    for (const reading of this.#readings.values()) reading.isStale = true
  }
}

interface Moment {
  readonly bindings: readonly OthersBinding[]
  readonly until: number
}

const none: readonly OthersBinding[] = []

function withoutRuid(bindings: readonly OthersBinding[], ruid: string): readonly OthersBinding[] {
  return bindings.filter((binding) => binding.ruid !== ruid)
}
