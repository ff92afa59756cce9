import { limits } from '../limits.ts'
import type { Clock, Timer } from '../runtime/clock.ts'

/**
 * Script runs, and promised answers, that wait for something: how many there may be, and how long each may take.
 * All have the same deadline, so they expire in the order they began, and one timer watches the oldest.
 */
export class RunGate {
  readonly #clock: Clock
  readonly #waiting = new Set<Wait>()
  #timer: Timer | null = null
  #whenIdle: (() => void)[] = []

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get count(): number {
    return this.#waiting.size
  }

  get isFull(): boolean {
    return this.#waiting.size >= limits.suspendedRunsMax
  }

  /** `onDeadline` is called if `leave` was not before limits.scriptWaitMillisecondsMax is over. */
  enter(onDeadline: () => void): Wait {
    const wait: Wait = { deadline: this.#clock.now() + limits.scriptWaitMillisecondsMax, onDeadline }
    this.#waiting.add(wait)
    this.#timer ??= this.#clock.schedule(limits.scriptWaitMillisecondsMax, this.#expire)
    return wait
  }

  /** False if the deadline came first. */
  leave(wait: Wait): boolean {
    const wasWaiting = this.#waiting.delete(wait)
    if (this.#waiting.size === 0) this.#tellIdle()
    return wasWaiting
  }

  idle(): Promise<void> {
    if (this.#waiting.size === 0) return Promise.resolve()
    return new Promise((resolve) => this.#whenIdle.push(resolve))
  }

  close(): void {
    this.#timer?.cancel()
    this.#timer = null
  }

  readonly #expire = (): void => {
    this.#timer = null
    const now = this.#clock.now()
    for (const wait of this.#waiting) {
      if (wait.deadline > now) {
        this.#timer = this.#clock.schedule(wait.deadline - now, this.#expire)
        return
      }
      this.#waiting.delete(wait)
      wait.onDeadline()
    }
    this.#tellIdle()
  }

  #tellIdle(): void {
    const listeners = this.#whenIdle
    this.#whenIdle = []
    for (const listener of listeners) listener()
  }
}

export interface Wait {
  /** Clock milliseconds. */
  readonly deadline: number
  readonly onDeadline: () => void
}
