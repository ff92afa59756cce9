import { reasonPhraseOf } from '../sip/build.ts'
import { createEditList, type EditList } from '../sip/edit.ts'
import type { SipMessage } from '../sip/message.ts'
import type { ServerTransaction, ServerTransactionUser } from '../transaction/transaction.ts'
import type { Flow } from '../transport/socket.ts'
import type { BranchOwner, ProxyBranch } from './branch.ts'
import { restartTimer } from './branch-timers.ts'
import { type CancelScope, cancelBranches, ownReason, reasonLines } from './cancel.ts'
import { type DepartureContext, departToAlternative } from './departure.ts'
import { Forking } from './forking.ts'
import { forwardedResponse, hasFurtherVia } from './forward.ts'
import type { BranchEnd, ReplyOptions, ResponseContext } from './proxy.ts'
import { errorAnswer, relayErrors } from './relay-error.ts'
import type { ProxyServices } from './services.ts'
import { Suspension } from './suspension.ts'
import { copyTarget, type Target } from './target.ts'
import { Upstream } from './upstream.ts'
import { isLoop, loopDigest } from './validate.ts'
import { Verdict } from './verdict.ts'

/**
 * The response context of RFC 3261 §16.7: one request, the branches that it went to, and what becomes of their
 * responses.
 *
 *   open --relay()--> proceeding --2xx, or all branches final--> answered --server transaction ends--> ended
 *     |                  ^   `--all final, failure route armed--> failing --relay()--> proceeding
 *     |                  `--------------------------------------------'  `--reply(), or neither--> answered
 *     |--reply()--> answered
 *     `--finishScript() with nothing done--> ended
 *
 * Handlers may return promises. While one is pending the context holds still: a branch that waits for its branch
 * route or for DNS counts as unfinished, a response behind one that waits for its reply route queues up in the branch,
 * and nothing is decided while a failure route runs.
 */
export class ProxyContext implements ResponseContext, ServerTransactionUser, BranchOwner, DepartureContext {
  readonly services: ProxyServices
  readonly server: ServerTransaction
  readonly flow: Flow
  readonly scope: object
  readonly #upstream: Upstream
  readonly #forking: Forking
  readonly #verdict: Verdict
  readonly #isInvite: boolean
  readonly createdAt: number

  branchRoute: string | null = null
  replyRoute: string | null = null
  failureRoute: string | null = null
  branchFailureRoute: string | null = null
  finalResponse = 0
  finalResponseInvite = 0
  maxLifetime = 0
  t1 = 0
  t2 = 0
  autoInvite100: boolean
  disable6xx = false
  disableFailover = false

  /** The list of all contexts (core.ts) runs through them. */
  older: ProxyContext | null = null
  younger: ProxyContext | null = null

  request: SipMessage
  edits: EditList | null = null
  firstTarget: Target | null = null
  isCancelled = false
  #suspension: Suspension | null = null
  relayError = 0
  #loopDigest = ''

  constructor(services: ProxyServices, server: ServerTransaction, scope: object) {
    this.services = services
    this.server = server
    this.request = server.request
    this.flow = server.flow
    this.scope = scope
    this.autoInvite100 = services.settings.autoInvite100
    this.#forking = new Forking(this)
    this.#upstream = new Upstream(services, server, this)
    this.#verdict = new Verdict(this, this.#forking, this.#upstream)
    this.#isInvite = server.method === 'INVITE'
    this.createdAt = server.createdAt
  }

  get branches(): readonly ProxyBranch[] {
    return this.#forking.branches
  }

  get isAnswered(): boolean {
    return this.#upstream.isAnswered
  }

  get forceRport(): boolean {
    return this.server.forceRport === true
  }

  set forceRport(force: boolean) {
    this.server.forceRport = force
  }

  get bestStatus(): number {
    const verdict = this.#verdict
    if (verdict.winner === null && this.isAnswered) return this.#upstream.finalStatus
    return verdict.best()?.status ?? this.server.lastStatus
  }

  get bestResponse(): SipMessage | null {
    return this.#verdict.best()?.response ?? null
  }

  get loopDigest(): string {
    this.#loopDigest ||= loopDigest(this.server.request, this.flow)
    return this.#loopDigest
  }

  // Relaying: RFC 3261 §16.6.

  relay(targets: readonly Target[], request: SipMessage, edits: EditList): number {
    if (this.server.method === 'CANCEL') {
      const invite = this.services.findCancelled(this.server.request)
      if (invite !== null) return this.#cancelEndToEnd(invite)
    }
    const refusal = this.#refusal(targets)
    if (refusal !== 0) return refusal
    if (this.firstTarget === null) this.#begin(targets, request, edits)
    this.#verdict.hold()
    const started = this.#forking.start(targets, edits)
    this.#verdict.letGo()
    if (started <= 0) return this.#fail(started)
    this.relayError = 0
    this.#verdict.reopen()
    this.#forking.started()
    if (this.#verdict.isComplete()) queueMicrotask(() => this.#verdict.evaluate())
    return started
  }

  /** 0 if branches may be added, else one of relayErrors. */
  #refusal(targets: readonly Target[]): number {
    if (this.isAnswered || targets.length === 0 || this.#verdict.isBlocked) return relayErrors.unspecified
    if (this.isCancelled) return this.#fail(relayErrors.cancelled)
    if (this.firstTarget !== null) return 0
    const { server, services } = this
    // Who was here before has our Via, and the one of whoever sent it to us then.
    if (!hasFurtherVia(server.request)) return 0
    return isLoop(server.request, this.loopDigest, services.sockets) ? this.#fail(relayErrors.loop) : 0
  }

  #fail(error: number): number {
    this.relayError = error
    return error
  }

  /** The first relay: what later legs go back to; 100 Trying before anything slow happens (§16.2). */
  #begin(targets: readonly Target[], request: SipMessage, edits: EditList): void {
    const [first] = targets
    this.request = request
    this.firstTarget = first === undefined ? null : copyTarget(first)
    this.edits = edits.isEmpty ? null : edits.clone()
    if (!this.#isInvite || !this.autoInvite100 || this.server.lastStatus !== 0) return
    this.reply(100, this.services.settings.autoInvite100Reason)
  }

  replicate(target: Target, request: SipMessage, edits: EditList): boolean {
    if (this.firstTarget === null) this.request = request
    return this.#forking.replicate(target, edits)
  }

  mayDepart(branch: ProxyBranch): boolean {
    if (branch.isFinal) return false
    if (branch.isReplica) return true
    if (!this.isAnswered && !branch.isCancelled) return true
    this.#end(branch, 487, 'transport', null)
    this.#verdict.evaluate()
    return false
  }

  departureFailed(branch: ProxyBranch, error: number): void {
    if (branch.isReplica) return
    branch.error = error
    branch.isDropped = error === relayErrors.scriptDropped
    this.#failBranch(branch, errorAnswer(error, 'TM').statusCode)
  }

  // Responses: RFC 3261 §16.7.

  receive(branch: ProxyBranch, response: SipMessage, flow: Flow): undefined | Promise<void> {
    if (branch.isReplica) return undefined
    this.services.statistics.repliesReceived++
    if (!hasFurtherVia(response)) {
      this.#notForwardable(branch, response, flow)
      return undefined
    }
    if (!branch.isFinal) branch.status = response.statusCode
    if (this.replyRoute === null) {
      this.#accept(branch, response, flow, null, true)
      return undefined
    }
    const edits = createEditList()
    branch.replyStatus = null
    const verdict = this.services.handlers.onReply(this, branch, response, flow, edits)
    if (typeof verdict === 'boolean') {
      this.#accept(branch, response, flow, edits, verdict)
      return undefined
    }
    return verdict.then(
      (keep) => this.#accept(branch, response, flow, edits, keep),
      () => this.#accept(branch, response, flow, edits, true),
    )
  }

  #accept(
    branch: ProxyBranch,
    response: SipMessage,
    flow: Flow,
    edits: EditList | null,
    keep: boolean,
  ): void {
    const status = response.statusCode
    if (status < 200) {
      this.#provisional(branch, response, edits, keep)
      return
    }
    const isFirstFinal = !branch.isFinal
    if (isFirstFinal && status === 503 && this.#triesElsewhere(branch)) return
    if (isFirstFinal) {
      branch.response = response
      branch.responseEdits = edits
      this.#end(branch, status, 'response', flow)
    }
    if (status < 300) this.#success(branch, response, edits)
    else if (isFirstFinal) this.#failure(branch, status)
  }

  /** §16.7 steps 2 and 5: timer C starts anew; 1xx other than 100 goes upstream at once. */
  #provisional(branch: ProxyBranch, response: SipMessage, edits: EditList | null, keep: boolean): void {
    restartTimer(this, this.services, branch)
    if (!keep || this.isAnswered || branch.isFinal || response.statusCode === 100) return
    this.#upstream.respond(response.statusCode, forwardedResponse(response, edits, branch.replyStatus))
  }

  /** §16.7 steps 5 and 10: forwarded at once, and every 2xx to an INVITE however late. */
  #success(branch: ProxyBranch, response: SipMessage, edits: EditList | null): void {
    if (this.isAnswered && !this.#isInvite) return
    if (!this.isAnswered) this.#cancel('others', branch.index, 200, 'Call completed elsewhere')
    this.#upstream.respondAnyway(response.statusCode, forwardedResponse(response, edits, branch.replyStatus))
    this.#settle()
  }

  /**
   * An INVITE that was answered with 2xx lives on for 64*T1, to swallow INVITEs and to forward what 2xx come again. Once
   * no branch is open the transaction layer does that without the context, the request and the transactions: what a
   * call leaves behind is then some hundred octets outside the heap. A reply route wants to see every 2xx: it keeps them.
   */
  #settle(): void {
    if (!this.#isInvite || !this.isAnswered || this.#verdict.isHeld || this.replyRoute !== null) return
    if (this.branches.length > 0 && !this.#verdict.isComplete()) return
    for (const branch of this.branches) branch.client?.settle?.(this.server)
    this.server.settle?.()
  }

  #failure(branch: ProxyBranch, status: number): void {
    if (status >= 600 && !this.disable6xx) {
      this.#verdict.isBlocked = !this.services.settings.disable6xxBlock
      this.#cancel('others', branch.index, status, '')
    }
    this.#verdict.failed(branch)
  }

  /** §16.7 step 3: there is nobody to forward it to. A final one is the end of the branch. */
  #notForwardable(branch: ProxyBranch, response: SipMessage, flow: Flow): void {
    const { statusCode } = response
    this.services.log.info({ target: branch.target.uri, statusCode }, 'a response without a further Via')
    if (statusCode < 200 || branch.isFinal) return
    this.#end(branch, 502, 'response', flow)
    this.#verdict.failed(branch)
  }

  /** RFC 3263 §4.3: after a 503, silence, or an error of the transport the next address of the host name has its turn. */
  #triesElsewhere(branch: ProxyBranch): boolean {
    if (branch.isCancelled || this.isAnswered || !departToAlternative(this, branch)) return false
    branch.status = 0
    return true
  }

  /** RFC 3261 §16.8. What was cancelled and never answered counts as cancelled, as in Kamailio. */
  timedOut(branch: ProxyBranch): void {
    if (branch.isFinal || branch.isReplica) return
    if (branch.status === 0 && this.#triesElsewhere(branch)) return
    branch.isTimeout = true
    this.#failBranch(branch, branch.isCancelled ? 487 : 408)
  }

  /** RFC 3261 §16.9, RFC 3263 §4.3. */
  transportFailed(branch: ProxyBranch, code: string): void {
    if (branch.isFinal || branch.isReplica) return
    if (this.#triesElsewhere(branch)) return
    this.services.log.info({ target: branch.target.uri, code }, 'branch failed: the transport refused it')
    this.#failBranch(branch, 503)
  }

  #failBranch(branch: ProxyBranch, status: number): void {
    if (branch.isFinal) return
    this.#end(branch, status, branch.isTimeout ? 'timeout' : 'transport', null)
    this.#verdict.failed(branch)
  }

  #end(branch: ProxyBranch, status: number, cause: BranchEnd['cause'], responseFlow: Flow | null): void {
    branch.isFinal = true
    branch.status = status
    this.#forking.ended(branch)
    if (this.isAnswered) this.#settle()
    // What never left says nothing about the flow it would have gone to.
    if (branch.client === null || !this.services.isWatched) return
    this.services.branchEnded(branch.endedBy(this, cause, responseFlow))
  }

  dropResponses(which: 'all' | 'last' | 'none'): void {
    this.#forking.legs.drop(which)
  }

  // CANCEL: RFC 3261 §9, §16.10.

  cancel(headers = ''): void {
    if (this.isCancelled || !this.#isInvite) return
    this.isCancelled = true
    if (this.isAnswered) return
    this.cancelBranches('all', -1, headers)
    if (this.branches.length === 0) this.reply(487, reasonPhraseOf(487))
  }

  cancelBranches(which: CancelScope, branchIndex = -1, headers = ''): void {
    if (!this.#isInvite) return
    const unsent = cancelBranches(this.branches, which, branchIndex, headers)
    for (const branch of unsent) this.#end(branch, 487, 'transport', null)
    if (unsent.length > 0) queueMicrotask(() => this.#verdict.evaluate())
  }

  /** Of our own accord. Most calls have one branch, and then there are no others. */
  #cancel(which: CancelScope, branchIndex: number, status: number, text: string): void {
    const { length } = this.branches
    if (!this.#isInvite || length === 0 || (length === 1 && which === 'others')) return
    const { localCancelReason } = this.services.settings
    this.cancelBranches(which, branchIndex, localCancelReason ? ownReason(status, text) : '')
  }

  /** A CANCEL that the script relays: answered here, passed on hop by hop. */
  #cancelEndToEnd(invite: ResponseContext): number {
    this.reply(200, invite.isAnswered ? 'ok -- no more pending branches' : 'canceling')
    invite.cancel(reasonLines(this.server.request))
    return 1
  }

  // The script's hold on it.

  reply(statusCode: number, reason: string, options?: ReplyOptions): boolean {
    if (this.isAnswered) return false
    if (statusCode >= 200) this.#cancel('all', -1, statusCode, reason)
    const isSent = this.#upstream.reply(statusCode, reason, options)
    this.#settle()
    return isSent
  }

  get isSuspended(): boolean {
    return this.#suspension !== null
  }

  suspend(): boolean {
    if (this.isAnswered || this.isSuspended) return false
    this.#suspension = new Suspension(this, this.services, () => this.#wake())
    return true
  }

  resume(route: string): boolean {
    const suspension = this.#suspension
    if (suspension === null || this.services.handlers.onContinue === undefined) return false
    this.#wake()
    suspension.resume(route)
    return true
  }

  #wake(): void {
    this.#suspension?.end()
    this.#suspension = null
  }

  release(): void {
    if (!this.isAnswered && this.branches.length === 0) this.#upstream.abandon()
  }

  finishScript(): void {
    if (this.isAnswered || this.isSuspended || this.#verdict.isHeld) return
    if (this.branches.length > 0) {
      this.#verdict.evaluate()
    } else if (this.relayError !== 0) {
      this.#upstream.answer(null, this.branches, this.relayError)
    } else {
      const { callId, method } = this.server.request
      this.services.log.warn({ callId, method }, 'the script neither answered nor relayed nor released')
      this.#upstream.abandon()
    }
  }

  onTerminated(): void {
    this.#wake()
    this.services.contextEnded(this)
  }
}
