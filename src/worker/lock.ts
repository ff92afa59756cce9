/**
 * A lock in shared memory, one word of it: 0 free; who holds it; and whether somebody sleeps until it is free. Sections
 * are short: a waiter looks a few times before it sleeps.
 *
 * The holder's number is in the word so that the lock survives a worker that dies with it: the supervisor frees what
 * the dead one held (releaseLocksOf). What that one was writing may then be half written.
 */
const sleepersBit = 0x1_0000
const holderMask = 0xffff
const looksMax = 100
/** Milliseconds of one sleep: whoever frees a lock wakes a sleeper, this is for what nobody thought of. */
const sleepMs = 100

export class SharedLock {
  readonly #words: Int32Array
  readonly #at: number
  readonly #self: number

  constructor(words: Int32Array, at: number, worker: number) {
    this.#words = words
    this.#at = at
    this.#self = worker + 1
  }

  lock(): void {
    const words = this.#words
    const at = this.#at
    if (Atomics.compareExchange(words, at, 0, this.#self) === 0) return
    if ((Atomics.load(words, at) & holderMask) === this.#self) throw new Error('locked twice by one worker')
    for (let look = 0; look < looksMax; look++) {
      if (Atomics.load(words, at) === 0 && Atomics.compareExchange(words, at, 0, this.#self) === 0) return
    }
    this.#sleepFor()
  }

  /** False if it could not be had within so many milliseconds. */
  tryLock(milliseconds: number): boolean {
    const until = performance.now() + milliseconds
    while (Atomics.compareExchange(this.#words, this.#at, 0, this.#self) !== 0) {
      const held = Atomics.load(this.#words, this.#at)
      if ((held & holderMask) === this.#self) return true
      const left = until - performance.now()
      if (left <= 0) return false
      this.#sleep(held, Math.min(left, sleepMs))
    }
    return true
  }

  /** Nothing if this worker does not hold it. */
  unlock(): void {
    const held = Atomics.load(this.#words, this.#at)
    if ((held & holderMask) !== this.#self) return
    const last = Atomics.exchange(this.#words, this.#at, 0)
    if ((last & sleepersBit) !== 0) Atomics.notify(this.#words, this.#at, 1)
  }

  /** Whoever has slept takes it with the bit set: others may sleep too. */
  #sleepFor(): void {
    for (;;) {
      const held = Atomics.compareExchange(this.#words, this.#at, 0, this.#self | sleepersBit)
      if (held === 0) return
      this.#sleep(held, sleepMs)
    }
  }

  #sleep(held: number, milliseconds: number): void {
    if (held === 0) return
    const marked = held | sleepersBit
    if (held !== marked && Atomics.compareExchange(this.#words, this.#at, held, marked) !== held) return
    Atomics.wait(this.#words, this.#at, marked, milliseconds)
  }
}

/** For the supervisor, once a worker is dead. How many it had held. */
export function releaseLocksOf(words: Int32Array, worker: number): number {
  let count = 0
  for (let at = 0; at < words.length; at++) {
    const held = Atomics.load(words, at)
    if ((held & holderMask) !== worker + 1) continue
    Atomics.store(words, at, 0)
    Atomics.notify(words, at)
    count++
  }
  return count
}
