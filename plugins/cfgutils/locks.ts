import { type Clock, limits } from '../../src/plugin/index.ts'

/**
 * Locks by name, each held by one run of the script; others wait in line. A run may end without letting go: nobody
 * can keep a lock for longer than a run may wait at all.
 */
export class Locks {
  readonly #clock: Clock
  readonly #held = new Map<string, Lock>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** 1 once the lock is held; -1 at once if this holder has it already, or too many wait. */
  take(name: string, holder: object): number | Promise<number> {
    if (this.tryTake(name, holder)) return 1
    const lock = this.#held.get(name)
    if (!lock || lock.holder === holder || lock.waiting.length >= limits.suspendedRunsMax) return -1
    return new Promise((resolve) => lock.waiting.push({ holder, go: () => resolve(1) }))
  }

  /** False if it is held, by whomever. */
  tryTake(name: string, holder: object): boolean {
    const lock = this.#held.get(name)
    if (lock && this.#clock.now() < lock.until) return false
    this.#held.set(name, { holder, until: this.#deadline(), waiting: lock?.waiting ?? [] })
    return true
  }

  /** False if this holder does not have it. The one who waits longest gets it next. */
  release(name: string, holder: object): boolean {
    const lock = this.#held.get(name)
    if (lock?.holder !== holder) return false
    const next = lock.waiting.shift()
    if (next) {
      lock.holder = next.holder
      lock.until = this.#deadline()
      next.go()
    } else this.#held.delete(name)
    return true
  }

  #deadline(): number {
    return this.#clock.now() + limits.scriptWaitMillisecondsMax
  }
}

interface Lock {
  holder: object
  /** Clock milliseconds. */
  until: number
  readonly waiting: Waiter[]
}

interface Waiter {
  readonly holder: object
  go(): void
}
