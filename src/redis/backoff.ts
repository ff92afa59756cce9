import { limits } from '../limits.ts'
import type { Random } from '../runtime/random.ts'

/**
 * How long to wait before the next attempt to reach Redis: twice as long each time, up to a bound, and of that a random
 * part between half and all, so that edges that lost Redis together do not come back together.
 */
export class Backoff {
  readonly #random: Random
  #attempts = 0

  constructor(random: Random) {
    this.#random = random
  }

  /** Attempts since the last success. */
  get attempts(): number {
    return this.#attempts
  }

  nextMs(): number {
    const { redisProbeMillisecondsMin: min, redisProbeMillisecondsMax: max } = limits
    const whole = Math.min(min * 2 ** Math.min(this.#attempts, 16), max)
    this.#attempts++
    return whole / 2 + this.#random.integer(whole / 2 + 1)
  }

  reset(): void {
    this.#attempts = 0
  }
}
