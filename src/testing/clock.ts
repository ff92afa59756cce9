import type { Clock, Timer } from '../runtime/clock.ts'

/**
 * A clock that stands still until it is told to move. Timers fire in the order of their time, those of one time in
 * the order in which they were set; promises that a timer fulfilled run before the next timer does.
 */
export interface SimulatedClock extends Clock {
  /** Fires what is due within the next `milliseconds`, in order, and lets all promise continuations run. */
  advance(milliseconds: number): Promise<void>
  /** The same without promises in between: for rooms that have none. */
  advanceSync(milliseconds: number): void
  /** Milliseconds from now to the next timer, Infinity if there is none. */
  untilNext(): number
  /** Timers that wait. */
  readonly pending: number
  /** Moves the host's date, and nothing else. */
  shiftWall(milliseconds: number): void
  /** Promise continuations that are due run now; no time passes. */
  settle(): Promise<void>
}

/** 2026-01-01T00:00:00Z. */
const wallStart = 1_767_225_600_000

interface Waiting {
  readonly at: number
  readonly order: number
  readonly fire: () => void
}

export function simulatedClock(startWall = wallStart): SimulatedClock {
  const queue = new TimerQueue()
  let now = 0
  let wallShift = startWall
  let order = 0

  const fireNext = (limit: number): boolean => {
    const next = queue.peek()
    if (next === null || next.at > limit) return false
    queue.remove(next)
    now = Math.max(now, next.at)
    next.fire()
    return true
  }

  return {
    now: () => now,
    wall: () => now + wallShift,
    schedule(delayMs, fire): Timer {
      const waiting = { at: now + Math.max(0, delayMs), order: order++, fire }
      queue.add(waiting)
      return { cancel: () => queue.remove(waiting) }
    },
    async advance(milliseconds) {
      const end = now + milliseconds
      await settle()
      while (fireNext(end)) await settle()
      now = end
    },
    advanceSync(milliseconds) {
      const end = now + milliseconds
      while (fireNext(end));
      now = end
    },
    untilNext: () => (queue.peek()?.at ?? Number.POSITIVE_INFINITY) - now,
    get pending() {
      return queue.size
    },
    shiftWall(milliseconds) {
      wallShift += milliseconds
    },
    settle,
  }
}

/** Lets continuations of promises run: a turn of the event loop runs all microtasks, however many they cause. */
async function settle(): Promise<void> {
  await new Promise<void>((resolve) => setImmediate(resolve))
}

/** Sorted by time, then by order of arrival. */
class TimerQueue {
  readonly #waiting: Waiting[] = []

  get size(): number {
    return this.#waiting.length
  }

  peek(): Waiting | null {
    return this.#waiting[0] ?? null
  }

  add(waiting: Waiting): void {
    this.#waiting.splice(this.#position(waiting), 0, waiting)
  }

  remove(waiting: Waiting): void {
    const position = this.#position(waiting)
    if (this.#waiting[position] === waiting) this.#waiting.splice(position, 1)
  }

  #position(waiting: Waiting): number {
    let low = 0
    let high = this.#waiting.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const other = this.#waiting[middle]
      if (other && (other.at < waiting.at || (other.at === waiting.at && other.order < waiting.order))) {
        low = middle + 1
      } else {
        high = middle
      }
    }
    return low
  }
}
