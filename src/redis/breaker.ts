import { limits } from '../limits.ts'

/**
 * When a link has to be given up for down: pure, time is handed in.
 *
 *   dead   so many operations in a row without an answer, for so long: Redis hangs, or is gone without a word
 *   ill    at least half of what was asked within the window failed, though some is answered
 *
 * A pause of Redis' own (a fork for a snapshot, a key of a million members) fails many operations at once and is neither.
 * In a cluster nobody is dead: that one node is silent says nothing of the others.
 */
export class Breaker {
  readonly #asked = new Array<number>(slots).fill(0)
  readonly #failed = new Array<number>(slots).fill(0)
  #slot = 0
  #misses = 0
  /** When the first of these misses was sent. */
  #silentSince = 0
  readonly #silenceMs: number

  /** `silenceMs`: two deadlines, or Infinity for a cluster. */
  constructor(silenceMs: number) {
    this.#silenceMs = silenceMs
  }

  answered(now: number): void {
    this.#misses = 0
    this.#count(now, 0)
  }

  /** No answer within the deadline to what was sent then. True: the link is down. */
  missed(sentAt: number, now: number): boolean {
    if (this.#misses === 0) this.#silentSince = sentAt
    this.#misses++
    this.#count(now, 1)
    return this.#isDead(now) || this.#isIll()
  }

  /** An answer that says that Redis cannot serve now. True: the link is down. */
  failed(now: number): boolean {
    this.#misses = 0
    this.#count(now, 1)
    return this.#isIll()
  }

  reset(): void {
    this.#misses = 0
    this.#asked.fill(0)
    this.#failed.fill(0)
  }

  #isDead(now: number): boolean {
    return this.#misses >= limits.redisMissesMax && now - this.#silentSince >= this.#silenceMs
  }

  #isIll(): boolean {
    const failed = sum(this.#failed)
    return failed >= limits.redisMissesMax && failed * 2 >= sum(this.#asked)
  }

  #count(now: number, failures: number): void {
    const slot = Math.floor(now / slotMilliseconds)
    // What has not been touched for a whole window is as old as that, and there are so many places at most.
    for (let stale = Math.max(this.#slot + 1, slot - slots + 1); stale <= slot; stale++) {
      this.#asked[stale % slots] = 0
      this.#failed[stale % slots] = 0
    }
    this.#slot = slot
    const place = slot % slots
    this.#asked[place] = (this.#asked[place] ?? 0) + 1
    this.#failed[place] = (this.#failed[place] ?? 0) + failures
  }
}

/** The window moves in tenths. */
const slots = 10
const slotMilliseconds = limits.redisWindowMilliseconds / slots

function sum(counts: readonly number[]): number {
  let total = 0
  for (const count of counts) total += count
  return total
}
