/**
 * Time as the rest of the program sees it: one monotonic clock for every lifetime and timer, one wall clock
 * for display and for what must be understood after a restart. Tests own both (src/testing/clock.ts).
 */
export interface Clock {
  /** Monotonic milliseconds. Only differences mean something; a jump of the host's date changes nothing. */
  now(): number
  /** Unix time in milliseconds. Never used to decide whether something has expired while we run. */
  wall(): number
  /** Calls `fire` once, `delayMs` milliseconds from now. Never keeps the process alive on its own. */
  schedule(delayMs: number, fire: () => void): Timer
  /**
   * From here to release() all that ask now() get one reading, the first one's: a batch of datagrams is handled in less
   * than any timer can tell, and a whole call asked 14 times, for 60 ns each and a cold page of the kernel's. Nothing
   * that waits may stand between the two.
   */
  hold?(): void
  release?(): void
  /**
   * Milliseconds so far that this thread's loop has slept because nothing was to be done. Only differences mean something.
   * Absent: nobody knows.
   */
  slept?(): number
}

export interface Timer {
  /** Safe to call more than once, and after the timer has fired. */
  cancel(): void
}

/**
 * `origin`: what is zero, in milliseconds of `systemMonotonic()`, for threads that share one clock; without it zero is
 * the start of this thread.
 */
export function systemClock(origin?: number): Clock {
  const shift = origin === undefined ? 0 : systemMonotonic() - performance.now() - origin
  let isHeld = false
  /** -1 until somebody has asked. */
  let held = -1
  return {
    now() {
      if (!isHeld) return performance.now() + shift
      if (held < 0) held = performance.now() + shift
      return held
    },
    hold() {
      isHeld = true
      held = -1
    },
    release() {
      isHeld = false
    },
    slept: () => performance.eventLoopUtilization().idle,
    wall: () => Date.now(),
    schedule(delayMs, fire) {
      const handle = setTimeout(fire, delayMs)
      handle.unref()
      return { cancel: () => clearTimeout(handle) }
    },
  }
}

/** Milliseconds of the system's monotonic clock: the same in all threads. */
export function systemMonotonic(): number {
  return Number(process.hrtime.bigint()) / 1e6
}
