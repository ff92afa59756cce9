import { limits } from '../limits.ts'
import type { EditList } from '../sip/edit.ts'
import { type BranchOwner, ProxyBranch } from './branch.ts'
import { type DepartureContext, depart } from './departure.ts'
import { relayErrors } from './relay-error.ts'
import { SerialLegs } from './serial-legs.ts'
import { copyTarget, type Target } from './target.ts'
import { Breadth } from './validate.ts'

/** Of all that have none yet: never written to. */
const noBranches: ProxyBranch[] = []

/**
 * How a target set becomes branches: RFC 3261 §16.6 for each target, RFC 5393 §5.3.3 for all of them. One by one the
 * branch route has its say, and the branch leaves, waits (for its branch route or for DNS), or is skipped.
 */
export class Forking {
  /** An array for exactly one at first, since most requests have one: one that grows takes room for 17. */
  branches: ProxyBranch[] = noBranches
  #legs: SerialLegs | null = null
  readonly #context: BranchOwner & DepartureContext
  #breadth: Breadth | null = null

  constructor(context: BranchOwner & DepartureContext) {
    this.#context = context
  }

  /** Made when the first failure route runs: most requests have one leg. */
  get legs(): SerialLegs {
    this.#legs ??= new SerialLegs(this)
    return this.#legs
  }

  /** Branches left: what do the answers of earlier legs still count? */
  started(): void {
    this.#legs?.started(this.#context.services.settings.failureReplyMode)
  }

  /** How many left or wait, else the last of relayErrors. What does not fit into branchesMax is left out. */
  start(targets: readonly Target[], edits: EditList): number {
    const { log, settings } = this.#context.services
    const room = settings.branchesMax - this.branches.length
    if (targets.length <= room) return this.#startAll(targets, edits)
    log.error({ targets: targets.length, room }, 'maximum number of branches exceeded')
    return this.#startAll(targets.slice(0, room), edits)
  }

  /** A copy whose responses count for nothing; its index is none that a branch can have. */
  replicate(target: Target, edits: EditList): boolean {
    const index = limits.branchesSettableMax + this.branches.length
    const branch = new ProxyBranch(this.#context, index, copyTarget(target), edits, this.#currentLeg(), 0, -1)
    branch.isReplica = true
    return depart(this.#context, branch) === 0
  }

  /** The branch is final: others may have its part of the breadth. */
  ended(branch: ProxyBranch): void {
    this.#breadth?.giveBack(branch.breadth)
  }

  #currentLeg(): number {
    return this.#legs === null ? 0 : this.#legs.current
  }

  #startAll(targets: readonly Target[], edits: EditList): number {
    if (targets.length === 0) return relayErrors.unspecified
    const context = this.#context
    this.#breadth ??= new Breadth(context.server.request)
    const share = this.#breadth.share(targets.length)
    if (share === 0) return relayErrors.breadth
    const stated = this.#breadth.mustState(targets.length, share) ? share : -1
    let started = 0
    let error: number = relayErrors.unspecified
    for (const target of targets) {
      const own = context.branchRoute === null ? edits : edits.clone()
      const index = this.branches.length
      const branch = new ProxyBranch(
        context,
        index,
        copyTarget(target),
        own,
        this.#currentLeg(),
        share,
        stated,
      )
      if (index === 0) this.branches = [branch]
      else this.branches.push(branch)
      this.#breadth.take(share)
      const outcome = this.#startOne(branch, own)
      if (outcome === 0) started++
      else {
        error = outcome
        this.branches.pop()
        this.#breadth.giveBack(share)
        context.services.log.info({ target: branch.target.uri, code: outcome }, 'branch skipped')
      }
    }
    return started === 0 ? error : started
  }

  /** 0 if it left, or waits for its branch route or DNS. */
  #startOne(branch: ProxyBranch, edits: EditList): number {
    const context = this.#context
    if (context.branchRoute === null) return depart(context, branch)
    const verdict = context.services.handlers.onBranch(context, branch.index, branch.target, edits)
    if (typeof verdict === 'boolean') return verdict ? depart(context, branch) : relayErrors.scriptDropped
    verdict.then(
      (keep) => this.#startLater(branch, keep),
      () => this.#startLater(branch, false),
    )
    return 0
  }

  #startLater(branch: ProxyBranch, keep: boolean): void {
    if (!this.#context.mayDepart(branch)) return
    const error = keep ? depart(this.#context, branch) : relayErrors.scriptDropped
    if (error !== 0) this.#context.departureFailed(branch, error)
  }
}
