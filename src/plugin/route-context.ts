import type { RouteKind, RunContext, Value } from '../../grammar/declarations.ts'
import type { Branch, ReplyOptions, ResponseContext } from '../proxy/proxy.ts'
import type { Target } from '../proxy/target.ts'
import type { EditList } from '../sip/edit.ts'
import type { SipMessage } from '../sip/message.ts'
import type { Uri } from '../sip/uri.ts'
import type { Flow } from '../transport/socket.ts'
import type { MessageScope } from './scope.ts'

/**
 * One message on its way through one route: what every plugin function gets first. It lives as long as the run;
 * what must live as long as the transaction is in `scope`.
 */
export interface RouteContext extends RunContext {
  readonly kind: RouteKind
  /** Name of the route that the run began with, '' for the unnamed one. */
  readonly route: string
  /** The message that the script sees. msg_apply_changes() replaces it by one with the edits applied. */
  message: SipMessage
  /** Where it came from and on which socket it arrived. Of a reply: the reply's flow. */
  readonly flow: Flow
  /** What the script changed; applied when the message leaves. */
  edits: EditList
  /** False: the script has changed nothing yet, and asking `edits` would make a list for nothing. */
  readonly hasEdits?: boolean
  readonly scope: MessageScope
  /** Null until the request is stateful. */
  transaction: ResponseContext | null

  /** The Request-URI's branch: `$ru`, `$du`, `$fs`, branch flags. In a branch route: that branch's. */
  target: Target
  /** `append_branch()` and further contacts of `lookup()`. */
  readonly branches: Target[]
  /** `$ru` parsed, cached until `target.uri` changes; null if it is not a URI. */
  readonly requestUri: Uri | null
  /** The URI of To, parsed once for the run; null if it is none. */
  readonly toUri?: Uri | null
  /** True if the script set or changed the Request-URI in this run: what a failure route relays to anew. */
  requestUriChanged: boolean

  /** The branch that a branch or reply route is about; null elsewhere. */
  readonly branch: Branch | null
  /** The reply as it will go upstream may have another status: change_reply_status(). Null if unchanged. */
  replyStatus: { code: number; reason: string } | null
  /** Lines for our own responses: append_to_reply(). */
  replyHeaders: string
  /** The body of our own responses: set_reply_body(). Null if they have none. */
  replyBody?: { text: string; contentType: string } | null
  forceRport: boolean
  /** Script flags ($sf): live for one run. */
  scriptFlags: number
  /** A final response was sent in this run, by whatever function. */
  isReplied: boolean

  /**
   * Answers the request: statefully if it is stateful, else statelessly. 1, or -1 if it cannot be answered (a
   * reply route, an ACK, a second final response).
   */
  reply(statusCode: number, reason: string, options?: ReplyOptions): number
  /**
   * Answers when `ready` is fulfilled: with what it resolves to, or with this response if it resolves to null.
   * Meanwhile retransmissions are absorbed and the run goes on. If `ready` rejects the answer is 500.
   */
  replyLater(
    ready: Promise<{ statusCode: number; reason: string; headers?: string } | null>,
    statusCode: number,
    reason: string,
    options?: ReplyOptions,
  ): number
  /** The edits become the message: Kamailio's msg_apply_changes(). False if the result does not scan. */
  applyEdits(): boolean
  /** Says why a function did what it did: the explanation of a message (trace), and the log at debug level. */
  explain(what: string, why: string): void
  /** max_branches: how many the request may have, the Request-URI's own included. */
  readonly branchesMax?: number
  /** What log_prefix puts before the lines that the script writes about this message; '' for nothing. */
  readonly logPrefix?: string
  /** What belongs into a log line about this message: call-id, cseq, method, source, script place. */
  logFields(): Record<string, unknown>
}

export type { Branch, ReplyOptions, ResponseContext, RouteKind, Target, Value }
