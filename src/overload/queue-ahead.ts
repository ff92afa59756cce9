import { limits } from '../limits.ts'

/**
 * How long it would take to serve those who were told to come again, at the rate at which newcomers are served now: the
 * middle of the time over which the next ones are spread. In seconds.
 */
export class QueueAhead {
  /** Newcomers let in per second, those who come at their time included: smoothed, and never lowered by a lack of them. */
  #rate = 0
  #seconds = 0

  /** `hasRoom`: fewer came than could have been served. */
  sample(elapsedSeconds: number, admitted: number, refused: number, hasRoom: boolean): void {
    const rate = admitted / elapsedSeconds
    if (this.#rate === 0) this.#rate = rate
    else if (!hasRoom || rate > this.#rate) this.#rate += (rate - this.#rate) * smoothing
    const grown = this.#seconds - elapsedSeconds + refused / Math.max(this.#rate, 1)
    this.#seconds = Math.min(Math.max(grown, 0), limits.overloadRetrySecondsMax)
  }

  /** Bounds within which a Retry-After is chosen by lot: from half of the queue to one and a half. */
  get window(): { readonly from: number; readonly to: number } {
    const middle = Math.max(this.#seconds, shortest)
    return { from: Math.ceil(middle / 2), to: Math.ceil(middle * 1.5) }
  }
}

const smoothing = 0.2
/** Middle of the shortest window, in seconds: less would have them come back before anything has changed. */
const shortest = 8
