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
    const sample = { roundTrip: now - askedAt, ahead: redisNow - (askedAt + now) / 2 }
    // No two answers to one clock disagree by more than half of their round trips, and what clocks drift in seconds.
    const [last] = this.#samples.slice(-1)
    const sure = (sample.roundTrip + (last?.roundTrip ?? 0)) / 2 + driftMilliseconds
    if (last !== undefined && Math.abs(sample.ahead - last.ahead) > sure) this.restart()
    this.#samples.push(sample)
    if (this.#samples.length > samplesMax) this.#samples.shift()
    const quickest = this.#samples.reduce((best, sample) =>
      sample.roundTrip < best.roundTrip ? sample : best,
    )
    this.#ahead = quickest.ahead
  }

  /** Another Redis, or the same after somebody has set its clock: what was measured counts no more. */
  restart(): void {
    this.#samples.length = 0
  }

  /** Unix milliseconds of Redis for a time of our own clock. */
  of(time: number): number {
    return Math.round(time + this.#ahead)
  }
}

const samplesMax = 8
const driftMilliseconds = 5
