import type { EditList } from '../sip/edit.ts'
import type { SipMessage } from '../sip/message.ts'
import type { ClientTransaction, ClientTransactionUser } from '../transaction/transaction.ts'
import type { Flow } from '../transport/socket.ts'
import type { Branch, BranchEnd, ReplyStatus, ResponseContext } from './proxy.ts'
import type { Target } from './target.ts'

/**
 * One branch of a response context (RFC 3261 §16.6, §16.7): a target, the client transaction that carries the request
 * there, and what came back. It hands everything on to its context; of its own it only keeps the order of responses
 * while a reply route waits for something.
 *
 *   routing --branch route--> resolving --address--> sent --2xx..6xx, timeout--> final
 *      `-- dropped                `-- 478               `-- 503, next address --> sent
 */
export class ProxyBranch implements Branch, ClientTransactionUser {
  readonly index: number
  readonly target: Target
  /** Which serial leg it belongs to: 0 for the request route's, 1 for the first failure route's, ... */
  readonly leg: number
  /** Its part of Max-Breadth, given back when it is final. */
  readonly breadth: number
  /** What the request says about it; -1 for nothing. */
  readonly statedBreadth: number
  /** This branch's own once it has a branch route or waits for DNS; else the script's. */
  edits: EditList | null
  readonly context: BranchOwner

  client: ClientTransaction | null = null
  status = 0
  response: SipMessage | null = null
  responseEdits: EditList | null = null
  replyStatus: ReplyStatus | null = null
  isFinal = false
  isTimeout = false
  /** A response came before the one that is looked at now, if any is. */
  wasReplied = false
  /** t_drop_replies, or an earlier leg by failure_reply_mode: its response no longer counts. */
  isForgotten = false
  /** The branch route said no: as if it had never been. */
  isDropped = false
  isCancelled = false
  /** A copy whose responses count for nothing. */
  isReplica = false
  /** Why it failed without a client transaction: one of relayErrors, 0 if it did not. */
  error = 0
  /** Addresses of the host name that were not tried yet. */
  alternatives: readonly { address: string; port: number }[] = []
  /** Milliseconds of the clock: when fr_inv_timer began, -1 before. */
  ringingSince = -1
  /** Null as long as no reply route has waited. */
  #waiting: { response: SipMessage; flow: Flow }[] | null = null
  #isBusy = false

  constructor(
    context: BranchOwner,
    index: number,
    target: Target,
    edits: EditList | null,
    leg: number,
    breadth: number,
    statedBreadth: number,
  ) {
    this.context = context
    this.index = index
    this.target = target
    this.edits = edits
    this.leg = leg
    this.breadth = breadth
    this.statedBreadth = statedBreadth
  }

  /** The response as a caller may still want it: null if it was forgotten. */
  get counts(): boolean {
    return this.isFinal && !this.isForgotten && !this.isDropped
  }

  /** What listeners hear of its end. */
  endedBy(context: ResponseContext, cause: BranchEnd['cause'], responseFlow: Flow | null): BranchEnd {
    const { target, status, client } = this
    const { method } = context.server
    const statusCode = cause === 'response' ? status : 0
    return { context, target, method, statusCode, cause, responseFlow, flow: client?.flow ?? null }
  }

  onResponse(response: SipMessage, flow: Flow): void {
    if (this.#isBusy) {
      this.#waiting ??= []
      if (this.#waiting.length < waitingMax) this.#waiting.push({ response, flow })
      return
    }
    const done = this.context.receive(this, response, flow)
    if (done === undefined) this.wasReplied = true
    else this.#waitFor(done)
  }

  onTimeout(): void {
    this.context.timedOut(this)
  }

  onTransportError(code: string): void {
    this.context.transportFailed(this, code)
  }

  /** A reply route is suspended: what comes meanwhile waits its turn. */
  #waitFor(done: Promise<void>): void {
    this.#isBusy = true
    const goOn = () => {
      this.wasReplied = true
      this.#isBusy = false
      while (!this.#isBusy) {
        const next = this.#waiting?.shift()
        if (next === undefined) return
        this.onResponse(next.response, next.flow)
      }
    }
    done.then(goOn, goOn)
  }
}

/** Responses of one branch that may wait for a suspended reply route; more are retransmissions or nonsense. */
const waitingMax = 16

/** What a branch needs of its response context. */
export interface BranchOwner extends ResponseContext {
  receive(branch: ProxyBranch, response: SipMessage, flow: Flow): undefined | Promise<void>
  timedOut(branch: ProxyBranch): void
  transportFailed(branch: ProxyBranch, code: string): void
}
