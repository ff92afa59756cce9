import { type Clock, limits } from '../../src/plugin/index.ts'
import type { WorkerLocks } from './worker-locks.ts'

/**
 * Locks by name, each held by one run of the script; others wait in line. A run may end without letting go: nobody
 * can keep a lock for longer than a run may wait at all. Where there are several workers a run has the lock once its
 * worker has it too.
 */
export class Locks {
  readonly #clock: Clock
  /** Null where there is one worker. */
  readonly #workers: WorkerLocks | null
  readonly #held = new Map<string, Lock>()

  constructor(clock: Clock, workers: WorkerLocks | null = null) {
    this.#clock = clock
    this.#workers = workers
  }

  /** 1 once the lock is held; -1 at once if this holder has it already, or too many wait. */
  take(name: string, holder: object): number | Promise<number> {
    const taken = this.#takeHere(name, holder)
    return this.#workers === null || taken === -1 ? taken : this.#takeThere(name, taken, this.#workers)
  }

  /** False if it is held, by whomever. */
  tryTake(name: string, holder: object): boolean {
    if (!this.#tryTakeHere(name, holder)) return false
    if (this.#workers === null || this.#workers.tryTake(name)) return true
    this.#releaseHere(name, holder)
    return false
  }

  /** False if this holder does not have it. The one who waits longest gets it next. */
  release(name: string, holder: object): boolean {
    if (!this.#releaseHere(name, holder)) return false
    if (!this.#held.has(name)) this.#workers?.release(name)
    return true
  }

  async #takeThere(name: string, taken: number | Promise<number>, workers: WorkerLocks): Promise<number> {
    const outcome = await taken
    if (outcome === 1) await workers.take(name)
    return outcome
  }

  #takeHere(name: string, holder: object): number | Promise<number> {
    if (this.#tryTakeHere(name, holder)) return 1
    const lock = this.#held.get(name)
    if (!lock || lock.holder === holder || lock.waiting.length >= limits.suspendedRunsMax) return -1
    return new Promise((resolve) => lock.waiting.push({ holder, go: () => resolve(1) }))
  }

  #tryTakeHere(name: string, holder: object): boolean {
    const lock = this.#held.get(name)
    if (lock && this.#clock.now() < lock.until) return false
    this.#held.set(name, { holder, until: this.#deadline(), waiting: lock?.waiting ?? [] })
    return true
  }

  #releaseHere(name: string, holder: object): boolean {
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
