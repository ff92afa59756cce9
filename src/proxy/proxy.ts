import type { EditList } from '../sip/edit.ts'
import type { SipMessage } from '../sip/message.ts'
import type { ClientTransaction, ServerTransaction } from '../transaction/transaction.ts'
import type { Flow } from '../transport/socket.ts'
import type { Target } from './target.ts'

/**
 * The proxy core (RFC 3261 §16) as scripts and plugins use it: stateless answers and forwarding, and response
 * contexts, one per request that is handled statefully. A response context owns a server transaction and the
 * client transactions of its branches, and sees to it that exactly one final response goes upstream.
 */
export interface ProxyCore {
  readonly stateless: StatelessProxy
  /**
   * Makes the request stateful. Null if the transaction table is full. `scope` travels with the context: what
   * the script keeps for the life of the transaction ($avp, message flags).
   */
  createContext(request: SipMessage, flow: Flow, scope: object): ResponseContext | null
  /** The context of the request that this is (a retransmission), cancels or acknowledges; null if there is none. */
  findContext(request: SipMessage): ResponseContext | null
  /** The context whose branch this response answers. */
  findContextOfResponse(response: SipMessage): { context: ResponseContext; branch: Branch } | null
  /** Whether this response answers one of our branches, even one of an INVITE that was settled. */
  knowsResponse(response: SipMessage): boolean
  /** Sends a request of our own, outside any script (OPTIONS pings, the outbox): its own To-tag-less dialog. */
  sendRequest(request: OwnRequest): void
  /**
   * Hears of every request of our own before it leaves (event_route[tm:local-request]): gives the text to send,
   * which may have changed, or null to keep it back.
   */
  onOwnRequest(listener: (request: SipMessage, flow: Flow) => string | null): void
  /** Hears of every branch's end: how flows are proven, and how dead ones are found. */
  onBranchEnd(listener: (end: BranchEnd) => void): void
  readonly contextCount: number
  /** All living contexts, oldest first: tm.list, t_cancel_callid. */
  contexts(): Iterable<ResponseContext>
  readonly statistics: ProxyStatistics
  settings: ProxySettings
  /** Given by script/run: what runs the routes that a context armed. */
  handlers: ProxyHandlers
}

/** What tm's parameters change, with Kamailio's defaults. */
export interface ProxySettings {
  /** `trying -- your call is important to us` */
  autoInvite100: boolean
  autoInvite100Reason: string
  /** 503 of a branch goes upstream as 500 (Kamailio: remap_503_500). */
  remap503To500: boolean
  /** Combine the challenges of all 401 and 407 branches (RFC 3261 §16.7 step 7). */
  aggregateChallenges: boolean
  /** Kamailio's failure_reply_mode: which replies of earlier serial legs still count (3: none after a new leg started). */
  failureReplyMode: number
  /** `Server: ...` line without CRLF for our own responses; '' for none. */
  serverHeader: string
  /** `User-Agent: ...` line for our own requests; '' for none. */
  userAgentHeader: string
  maxForwardsDefault: number
  /** Branches of one response context (max_branches). */
  branchesMax: number
  /** A later provisional response starts fr_inv_timer anew (Kamailio: restart_fr_on_each_reply). */
  restartTimerOnEachReply: boolean
  /** Milliseconds from the request's arrival after which no branch of it lives on (max_inv_lifetime, max_noninv_lifetime). */
  maxLifetimeInvite: number
  maxLifetimeNonInvite: number
  /** A 6xx does not forbid further branches (disable_6xx_block). */
  disable6xxBlock: boolean
  /** CANCELs of our own making say why: `Reason: SIP;cause=200;text="Call completed elsewhere"` (RFC 3326). */
  localCancelReason: boolean
}

/** Numbers since the start: what tm.stats, sl.stats and the exporters show. */
export interface ProxyStatistics {
  created: number
  freed: number
  /** Requests of our own. */
  local: number
  repliesReceived: number
  repliesGenerated: number
  repliesSent: number
  /** Final responses sent statefully by class, index 2 to 6. */
  readonly finalByClass: number[]
  /** Stateless answers by status code. */
  readonly statelessReplies: Map<number, number>
  statelessAcks: number
}

export interface StatelessProxy {
  /** Kamailio's sl_send_reply. The same request always gets the same To-tag. False for an ACK. */
  reply(request: SipMessage, flow: Flow, statusCode: number, reason: string, options?: ReplyOptions): boolean
  /** True if this ACK acknowledges one of our stateless responses, by its To-tag: swallow it. */
  isAckToReply(ack: SipMessage): boolean
  /** RFC 3261 §16.11. Negative: -1 nothing to send to, -477, -478 as t_relay. */
  forwardRequest(
    request: SipMessage,
    flow: Flow,
    target: Target,
    edits: EditList,
    options?: ForwardOptions,
  ): number
  /** To the second Via, whose address must be that of a request that we forwarded statelessly, else it is dropped. */
  forwardResponse(response: SipMessage, edits: EditList | null, status?: ReplyStatus | null): boolean
}

export interface ReplyOptions {
  /** Complete lines. */
  headers?: string
  body?: string
  contentType?: string
  /** The script called force_rport(). */
  forceRport?: boolean
}

export interface ForwardOptions {
  forceRport?: boolean
}

export interface ResponseContext {
  readonly server: ServerTransaction
  /** What was relayed first: the request as received, or with msg_apply_changes() applied. */
  readonly request: SipMessage
  /** What the script had changed when it relayed first; a failure route starts from a clone of it. Null before. */
  readonly edits: EditList | null
  /** The Request-URI's branch of that first relay: `$ru` of a failure route. Null before. */
  readonly firstTarget: Target | null
  readonly flow: Flow
  /** Milliseconds of the clock. */
  readonly createdAt: number
  readonly scope: object
  readonly branches: readonly Branch[]
  /** Names of the routes that are armed; null for none. */
  branchRoute: string | null
  replyRoute: string | null
  failureRoute: string | null
  branchFailureRoute: string | null
  /** Milliseconds; 0 for the default. Apply to branches created from now on. */
  finalResponse: number
  finalResponseInvite: number
  forceRport: boolean
  /** True once a final response went upstream. */
  readonly isAnswered: boolean
  /** The status that would go upstream now: of the best response, or of the last one sent; 0 if none. */
  readonly bestStatus: number
  readonly bestResponse: SipMessage | null
  readonly isCancelled: boolean
  /** The Kamailio error of the last relay() that failed, 0 if none: answered by finishScript() if nobody else does. */
  relayError: number
  /** Send 100 Trying when an INVITE is relayed (t_set_auto_inv_100); undefined for the setting. */
  autoInvite100?: boolean
  /** A 6xx is treated like any other failure (t_set_disable_6xx). */
  disable6xx?: boolean
  /** No further addresses of a host name after the first (t_set_disable_failover). */
  disableFailover?: boolean
  /** Milliseconds; 0 for the setting. */
  maxLifetime?: number
  /** Milliseconds instead of T1 and T2, 0 for the default; apply to branches created from now on (t_set_retr). */
  t1?: number
  t2?: number
  /** Waiting for a resume() that a plugin announced: finishScript() leaves it alone. */
  readonly isSuspended: boolean
  /** t_suspend: whoever calls resume() goes on with it. False if it is answered already. */
  suspend(): boolean
  /** t_continue: runs that route (kind request) again for the request. False if it was not suspended. */
  resume(route: string): boolean
  /** t_drop_replies: forgets what earlier branches answered. `last`: of the last serial leg only. */
  dropResponses(which: 'all' | 'last' | 'none'): void
  /** RFC 3261 §16.10 for the whole INVITE, as if its CANCEL had come. `headers`: complete lines, e.g. Reason. */
  cancel(headers?: string): void
  /** The script declared that it wants nothing more done with an unanswered context (t_release). */
  release(): void
  /**
   * Our own response. In a failure route it replaces the winner. False if a final one went before.
   * `defer` hands it out only when the promise is fulfilled, and the response it resolves to instead, if any.
   */
  reply(statusCode: number, reason: string, options?: ReplyOptions): boolean
  /**
   * RFC 3261 §16.6 for each target; runs the branch route for each. Returns how many left, or Kamailio's
   * negative code: -6 all dropped by the script, -477 send failed, -478 unresolvable, -479 bad URI, -1 nothing to do.
   */
  relay(targets: readonly Target[], request: SipMessage, edits: EditList): number
  /** Sends a copy there whose responses interest no one (t_replicate). False if it cannot be sent. */
  replicate(target: Target, request: SipMessage, edits: EditList): boolean
  /** RFC 3261 §16.10: cancels branches that have no final response. `headers`: complete lines. */
  cancelBranches(which: 'all' | 'others' | 'this', branchIndex?: number, headers?: string): void
  /** Ends a context that nobody answered nor relayed: logged, silent on the wire (Kamailio: script writer did not release). */
  finishScript(): void
}

export interface Branch {
  readonly index: number
  readonly target: Target
  readonly client: ClientTransaction | null
  /** The last status received, 0 if none, 408 on timeout, 503 on transport failure. */
  readonly status: number
  readonly response: SipMessage | null
  readonly isFinal: boolean
  /** True if `status` was made up by a timeout. */
  readonly isTimeout: boolean
  /** A response came before the one that is looked at now, if any is. */
  readonly wasReplied: boolean
  /** change_reply_status(): onReply sets it to send the response upstream under another status of the same class. */
  replyStatus?: ReplyStatus | null
}

export interface ReplyStatus {
  readonly code: number
  readonly reason: string
}

export interface BranchEnd {
  /** Null for a request of our own. */
  context: ResponseContext | null
  target: Target
  method: string
  /** The final status; 0 if there was none. */
  statusCode: number
  cause: 'response' | 'timeout' | 'transport'
  /** Where the response came from; null without one. */
  responseFlow: Flow | null
  /** Where the request went. */
  flow: Flow | null
}

/** Upward calls into the script. All run synchronously unless they return a promise. */
export interface ProxyHandlers {
  /** branch_route: false to drop the branch. May change target and edits, which are this branch's own. */
  onBranch(
    context: ResponseContext,
    index: number,
    target: Target,
    edits: EditList,
  ): boolean | Promise<boolean>
  /** tm's onreply_route[N]: false to drop a provisional response. `edits` belong to what goes upstream. */
  onReply(
    context: ResponseContext,
    branch: Branch,
    response: SipMessage,
    flow: Flow,
    edits: EditList,
  ): boolean | Promise<boolean>
  /** failure_route[N]; the context has disarmed it. It may relay again, reply, or do neither. */
  onFailure(context: ResponseContext, route: string): void | Promise<void>
  /** event_route[tm:branch-failure:N]. */
  onBranchFailure(context: ResponseContext, route: string, branch: Branch): void | Promise<void>
  /** t_continue(): runs request route `route` for a context that was suspended; finishScript() when it has ended. */
  onContinue?(context: ResponseContext, route: string): void | Promise<void>
  /** onsend_route: the datagram of a request, ready to leave. False keeps it back. */
  onSend?(request: SipMessage, text: string, flow: Flow): boolean
  /** Any response before it leaves us or after the transaction ended: for statistics and events. */
  onLocalResponse?(context: ResponseContext, statusCode: number): void
}

export interface OwnRequest {
  method: string
  target: Target
  /** Complete header values. */
  from: string
  to: string
  callId?: string
  cseq?: number
  headers?: string
  body?: string
  contentType?: string
  /** False: sent once, without a transaction (keepalives). */
  stateful: boolean
  finalResponse?: number
  onResponse?(statusCode: number, response: SipMessage | null): void
}
