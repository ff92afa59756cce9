import type { Clock } from '../runtime/clock.ts'

/**
 * The clock of what is in the store. It goes on through a restart as the wall clock does, and it goes evenly while we
 * run, whatever somebody does to the date: what it is ahead of or behind the wall clock is remembered in the store. A
 * host that learns the date only after it has started (1970 until then) loses no binding that way.
 */
export class StoreTime {
  readonly #clock: Clock
  /** Store time minus monotonic time, in milliseconds. */
  readonly shift: number
  /** Wall time minus store time. */
  #skew: number
  readonly #onSkew: (skew: number) => void

  /** `skew` as the store remembers it; `onSkew` has it remembered. */
  constructor(clock: Clock, skew: number, onSkew: (skew: number) => void) {
    this.#clock = clock
    this.#skew = skew
    this.#onSkew = onSkew
    this.shift = clock.wall() - skew - clock.now()
  }

  /** Now and then: has the date been changed? */
  check(): void {
    const skew = Math.round(this.#clock.wall() - this.#clock.now() - this.shift)
    if (Math.abs(skew - this.#skew) < jumpMin) return
    this.#skew = skew
    this.#onSkew(skew)
  }
}

/** Milliseconds that are a jump and no drift; what drift adds up to is one in the end. */
const jumpMin = 1_000
