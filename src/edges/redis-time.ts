import type { Clock } from '../runtime/clock.ts'

/**
 * The clock of Redis, as an edge knows it: what Redis has said, measured against this process's own monotonic clock, which
 * no change of the date moves. Of the last few answers the quickest counts: it is off by half of its round trip at most.
 */
export class RedisTime {
  readonly #clock: Clock
  readonly #samples: { readonly roundTrip: number; readonly ahead: number }[] = []
  #ahead: number

  constructor(clock: Clock) {
    this.#clock = clock
    this.#ahead = clock.wall() - clock.now()
  }

  /** What TIME said, asked at that time and answered now. */
  measure(redisNow: number, askedAt: number): void {
    const now = this.#clock.now()
    this.#samples.push({ roundTrip: now - askedAt, ahead: redisNow - (askedAt + now) / 2 })
    if (this.#samples.length > samplesMax) this.#samples.shift()
    const quickest = this.#samples.reduce((best, sample) =>
      sample.roundTrip < best.roundTrip ? sample : best,
    )
    this.#ahead = quickest.ahead
  }

  /** Another Redis, or the same after its date was changed: what was measured counts no more. */
  restart(): void {
    this.#samples.length = 0
  }

  /** Unix milliseconds of Redis for a time of our own clock. */
  of(time: number): number {
    return Math.round(time + this.#ahead)
  }
}

/** So many heartbeats: a clock that is set is followed within that. */
const samplesMax = 8
