import type { ProxyBranch } from './branch.ts'

/**
 * Serial forking: the branches that the request route started are leg 0, those of the first failure route leg 1, and
 * so on. When a new leg is on its way, do the answers of earlier ones still count? Kamailio's failure_reply_mode and
 * t_drop_replies() say so.
 */
export class SerialLegs {
  /** Which run of a failure route adds branches now. */
  current = 0
  readonly #forking: { readonly branches: readonly ProxyBranch[] }
  /** The script said itself what to forget: the mode does not. */
  #hasDropped = false

  constructor(forking: { readonly branches: readonly ProxyBranch[] }) {
    this.#forking = forking
  }

  /** A failure route begins. */
  next(): void {
    this.current++
    this.#hasDropped = false
  }

  /** Branches of the current leg left. */
  started(failureReplyMode: number): void {
    if (this.current === 0 || this.#hasDropped) return
    if (failureReplyMode === 1 || failureReplyMode === 3) this.#forget(0)
    else if (failureReplyMode === 2) this.#forget(this.current - 1)
  }

  drop(which: 'all' | 'last' | 'none'): void {
    this.#hasDropped = true
    if (which === 'all') this.#forget(0)
    else if (which === 'last') this.#forget(this.current - 1)
  }

  #forget(fromLeg: number): void {
    for (const branch of this.#forking.branches) {
      if (branch.isFinal && branch.leg >= fromLeg && branch.leg < this.current) branch.isForgotten = true
    }
  }
}
