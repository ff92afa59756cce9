import { limits } from '../limits.ts'

/**
 * How long it would take to serve those who were told to come again, at the rate at which newcomers are served now: the
 * middle of the time over which the next ones are spread. In seconds.
 */
export class QueueAhead {
  /** Newcomers let in per second, those who come at their time included: at first the mean, then smoothed. */
  #rate = 0
  #samples = 0
  #seconds = 0

  /** `hasRoom`: fewer came than could have been served, which says nothing about how many could have been. */
  sample(elapsedSeconds: number, admitted: number, refused: number, hasRoom: boolean): void {
    const rate = admitted / elapsedSeconds
    if (!hasRoom) {
      this.#samples = Math.min(this.#samples + 1, samplesMax)
      this.#rate += (rate - this.#rate) / this.#samples
    }
    const grown = this.#seconds - elapsedSeconds + refused / Math.max(this.#rate, 1)
    this.#seconds = Math.min(Math.max(grown, 0), limits.overloadRetrySecondsMax)
  }

  /** Bounds within which a Retry-After is chosen by lot: from half of the queue to one and a half. */
  get window(): { readonly from: number; readonly to: number } {
    const middle = Math.max(this.#seconds, shortest)
    return { from: Math.ceil(middle / 2), to: Math.ceil(middle * 1.5) }
  }
}

/** Five seconds. */
const samplesMax = 25
/** Middle of the shortest window, in seconds: less would have them come back before anything has changed. */
const shortest = 8
