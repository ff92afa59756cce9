import type { ProxyBranch } from './branch.ts'
import type { ResponseContext } from './proxy.ts'
import type { ProxyServices } from './services.ts'

/**
 * How long the branches of one context may take: fr_timer without any answer, fr_inv_timer after a provisional one
 * (RFC 3261 §16.6 step 11, §16.7 step 2), and never beyond the context's longest life. The transaction layer runs
 * the timers; here is what differs from its own.
 */
export class BranchTimers {
  readonly #services: ProxyServices
  readonly #context: ResponseContext
  readonly #isInvite: boolean

  constructor(services: ProxyServices, context: ResponseContext, isInvite: boolean) {
    this.#services = services
    this.#context = context
    this.#isInvite = isInvite
  }

  /** Milliseconds; 0 for the layer's own. */
  finalResponse(): number {
    const { finalResponse } = this.#services.transactions.timers
    const wanted = this.#withinLifetime(this.#context.finalResponse || finalResponse)
    return wanted === finalResponse ? 0 : wanted
  }

  finalResponseInvite(): number {
    const { finalResponseInvite } = this.#services.transactions.timers
    const wanted = this.#withinLifetime(this.#context.finalResponseInvite || finalResponseInvite)
    return wanted === finalResponseInvite ? 0 : wanted
  }

  /** A provisional response came: the layer starts fr_inv_timer anew with each. */
  restart(branch: ProxyBranch): void {
    // RFC 3261 §9.1: a cancelled one has 64*T1 from its CANCEL, whatever comes meanwhile.
    if (!this.#isInvite || branch.isCancelled) return
    const { clock, settings, transactions } = this.#services
    const now = clock.now()
    const wanted = this.#context.finalResponseInvite || transactions.timers.finalResponseInvite
    if (branch.ringingSince < 0) branch.ringingSince = now
    const since = settings.restartTimerOnEachReply ? now : branch.ringingSince
    const milliseconds = this.#withinLifetime(Math.max(1, since + wanted - now))
    if (milliseconds !== wanted) branch.client?.setTimeout(milliseconds)
  }

  #withinLifetime(milliseconds: number): number {
    const { settings, clock } = this.#services
    const setting = this.#isInvite ? settings.maxLifetimeInvite : settings.maxLifetimeNonInvite
    const left = this.#context.createdAt + (this.#context.maxLifetime || setting) - clock.now()
    return Math.max(1, Math.min(milliseconds, left))
  }
}
