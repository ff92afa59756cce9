import { pickBest } from './best-response.ts'
import type { ProxyBranch } from './branch.ts'
import type { Forking } from './forking.ts'
import type { ResponseContext } from './proxy.ts'
import type { ProxyServices } from './services.ts'
import type { Upstream } from './upstream.ts'

/** The context that is decided about. */
export interface JudgedContext extends ResponseContext {
  readonly services: ProxyServices
  readonly branches: readonly ProxyBranch[]
}

/**
 * What becomes of a response context whose branches have all failed (RFC 3261 §16.7 step 6): the failure route has its
 * say, which may start another leg, and then the best response goes upstream. While a handler runs nothing is decided.
 */
export class Verdict {
  /** A 6xx came: no further branches. */
  isBlocked = false
  readonly #context: JudgedContext
  readonly #forking: Forking
  readonly #upstream: Upstream
  /** Handlers that are running. */
  #holds = 0
  #winner: ProxyBranch | null = null
  /** A failure route added nothing: it is not asked again. */
  #isExhausted = false

  constructor(context: JudgedContext, forking: Forking, upstream: Upstream) {
    this.#context = context
    this.#forking = forking
    this.#upstream = upstream
  }

  get isHeld(): boolean {
    return this.#holds > 0
  }

  hold(): void {
    this.#holds++
  }

  letGo(): void {
    this.#holds--
  }

  /** Branches were added: the failure route may be asked again. */
  reopen(): void {
    this.#isExhausted = false
  }

  /** The response that a running failure route is about. */
  get winner(): ProxyBranch | null {
    return this.#winner
  }

  /** The winner while there is one, else what would win now. */
  best(): ProxyBranch | null {
    return this.#winner ?? this.#pick()
  }

  isComplete(): boolean {
    const { branches } = this.#context
    for (const branch of branches) if (!branch.isFinal) return false
    return branches.length > 0
  }

  /** Once nothing is open any more: the failure route, then the best response. */
  evaluate(): void {
    const context = this.#context
    while (!context.isAnswered && this.#holds === 0 && this.isComplete()) {
      const route = context.failureRoute
      const best = this.#pick()
      if (route === null || best === null || this.#isExhausted) {
        this.#upstream.answer(best, context.branches.filter(counts), context.relayError)
        return
      }
      this.#runFailureRoute(route, best)
    }
  }

  /** One more has failed. */
  failed(branch: ProxyBranch): void {
    this.#branchFailed(branch)
    this.evaluate()
  }

  /** event_route[tm:branch-failure:...]: it may relay, so nothing is decided before it is done. */
  #branchFailed(branch: ProxyBranch): void {
    const context = this.#context
    const route = context.branchFailureRoute
    if (route === null || context.isAnswered || branch.isDropped) return
    this.#holds++
    const done = context.services.handlers.onBranchFailure(context, route, branch)
    if (!(done instanceof Promise)) {
      this.#holds--
      return
    }
    const goOn = () => {
      this.#holds--
      this.evaluate()
    }
    done.then(goOn, goOn)
  }

  #pick(): ProxyBranch | null {
    const { branches, server } = this.#context
    return pickBest(branches.filter(counts), server.method === 'INVITE')
  }

  /** A failure route is armed for one run: the script arms it again for the next leg. */
  #runFailureRoute(route: string, best: ProxyBranch): void {
    const context = this.#context
    context.failureRoute = null
    // After a 6xx no branch is added on its own account (§16.7 step 5); a script that sees it may: voicemail after 603.
    this.isBlocked = false
    this.#winner = best
    this.#forking.legs.next()
    this.#isExhausted = true
    this.#holds++
    const done = context.services.handlers.onFailure(context, route)
    if (!(done instanceof Promise)) {
      this.#endFailureRoute()
      return
    }
    const goOn = () => {
      this.#endFailureRoute()
      this.evaluate()
    }
    done.then(goOn, goOn)
  }

  #endFailureRoute(): void {
    this.#holds--
    this.#winner = null
  }
}

const counts = (branch: ProxyBranch) => branch.counts
