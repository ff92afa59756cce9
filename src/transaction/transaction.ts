import type { SipMessage } from '../sip/message.ts'
import type { Flow, ListenSocket } from '../transport/socket.ts'
import type { Answer } from './answer-ring.ts'

/**
 * Transactions as the proxy sees them: RFC 3261 §17, RFC 6026 (Accepted), RFC 4320 (non-INVITE). The machines
 * (invite-client.ts, invite-server.ts, non-invite-client.ts, non-invite-server.ts) are pure; layer.ts feeds
 * them datagrams and timers and does what they ask.
 */
export interface ServerTransaction {
  /** Unique for one run of the process. */
  readonly id: number
  readonly request: SipMessage
  readonly flow: Flow
  /** When the request came, in the clock's milliseconds. */
  readonly createdAt: number
  readonly method: string
  /** The highest status sent so far, 0 if none. */
  readonly lastStatus: number
  readonly isTerminated: boolean
  /**
   * Hands a whole response to the machine, which sends and, where the RFC says so, retransmits it. False, and
   * nothing is sent, if the state allows no such response: a second final one above all.
   */
  respond(statusCode: number, text: string): boolean
  /** Set by who owns the transaction: the response context. */
  user: ServerTransactionUser | null
  /** The script called force_rport(): responses go to the packet's source port. False if never set. */
  forceRport?: boolean
  /**
   * Forgets a transaction that will never be answered (RFC 4320 §4.2: a non-INVITE that timed out; a script
   * that neither answered nor relayed). Nothing is sent; the user hears nothing more.
   */
  release?(): void
  /** The last response that left, and where it went; null before. */
  readonly answer?: Answer | null
  /**
   * An INVITE that was answered with 2xx and whose branches are over needs no user any more, and no transaction: what
   * is left to do for 64*T1 is done without (RFC 6026 §7.1). INVITEs are swallowed, ACK and CANCEL still find it.
   */
  settle?(): void
}

export interface ServerTransactionUser {
  /** No ACK came for a non-2xx final response (timer H), or the transport failed for good. */
  onTerminated(reason: 'done' | 'no-ack' | 'transport'): void
}

export interface ClientTransaction {
  readonly id: number
  readonly branch: string
  readonly method: string
  /** The request as it left. Until its final response has been handed over: then it is let go. */
  readonly sent: SipMessage
  readonly flow: Flow
  readonly lastStatus: number
  readonly isTerminated: boolean
  /** Who was given to createClient. */
  readonly user?: ClientTransactionUser
  /**
   * RFC 3261 §9.1: sends CANCEL now, or as soon as a provisional response allows it. Does nothing once a final
   * response is here. `headers`: complete lines, e.g. Reason.
   */
  cancel(headers?: string): void
  /** Kamailio's fr_timer / fr_inv_timer for this branch: gives up `milliseconds` from now. */
  setTimeout(milliseconds: number): void
  /** Forgets the transaction; late responses become stray ones. */
  abandon(): void
  /** As the server's, for one of its branches: further 2xx go to `TransactionLayer.onFurtherSuccess`. */
  settle?(upstream: ServerTransaction): void
}

export interface ClientTransactionUser {
  /** 1xx other than retransmissions, every 2xx to INVITE (RFC 6026 §7.2), the first final one otherwise. */
  onResponse(response: SipMessage, flow: Flow): void
  /** Timer B, F, C or `setTimeout`: RFC 3261 §16.8 treats it as a 408. */
  onTimeout(): void
  /** The datagram could not be sent or the peer's host refused it: RFC 3261 §16.9, as a 503. */
  onTransportError(code: string): void
}

/** Kamailio's names of the timers, in milliseconds. Everything else follows from RFC 3261 §17.1.1.1, table 4. */
export interface TransactionTimers {
  /** T1: retr_timer1, 500. */
  t1: number
  /** T2: retr_timer2, 4000. */
  t2: number
  /** T4: 5000. */
  t4: number
  /** Until a non-INVITE or an unanswered INVITE is given up: fr_timer, 30000 (RFC: 64*T1 = 32000). */
  finalResponse: number
  /** After a provisional response: fr_inv_timer, 120000 (RFC timer C: more than 180000). */
  finalResponseInvite: number
  /** How long a finished transaction stays that may still hear of something: wt_timer, 5000. */
  wait: number
  /**
   * Timer J (RFC 3261 §17.2.2): how long a non-INVITE request that was answered over UDP gets that answer again, 64*T1.
   * Only the response is kept. A script that sets wt_timer sets this too.
   */
  j: number
}

export const defaultTimers: TransactionTimers = {
  t1: 500,
  t2: 4_000,
  t4: 5_000,
  finalResponse: 30_000,
  finalResponseInvite: 120_000,
  wait: 5_000,
  j: 32_000,
}

/** What became of a request that arrived. */
export type RequestOutcome =
  /** Nobody knows it: run the script. */
  | { kind: 'new' }
  /** A retransmission, answered or swallowed; or an ACK to a non-2xx final response. The script does not run. */
  | { kind: 'absorbed' }
  /** The same request is being worked on by a suspended script run and has no transaction yet. */
  | { kind: 'pending' }

export interface TransactionLayer {
  /** First thing for every request. */
  receiveRequest(request: SipMessage, flow: Flow): RequestOutcome
  /** True if a client transaction took the response; false for a stray one, which nobody forwards. */
  receiveResponse(response: SipMessage, flow: Flow): boolean
  /**
   * RFC 3261 §17.2.3: the INVITE server transaction that this CANCEL means, or null. What has been settled is made up
   * again from the CANCEL, which repeats what identifies an INVITE: terminated, and without a user.
   */
  findCancelled(cancel: SipMessage): ServerTransaction | null
  /**
   * The server transaction of this very request, or null. For an ACK: of the INVITE it acknowledges, if it still lives
   * or has been settled.
   */
  findServer(request: SipMessage): ServerTransaction | null
  /** The client transaction that a response belongs to, or null; changes nothing. */
  findClient(response: SipMessage): ClientTransaction | null
  /** Whether it answers a request of ours, even if the transaction has been settled. */
  knowsResponse(response: SipMessage): boolean
  /** Given by the proxy: takes a 2xx to an INVITE that has been settled, and where it must go. */
  onFurtherSuccess: (response: SipMessage, upstream: Answer) => void
  /** Null if the table is full (limits.transactionsMax): answer 503 with Retry-After. */
  createServer(request: SipMessage, flow: Flow, user: ServerTransactionUser | null): ServerTransaction | null
  /** `request` is the whole message, our Via with `branch` on top. Sends it at once. Null if the table is full. */
  createClient(options: ClientOptions): ClientTransaction | null
  /** A script run of this request was suspended (true) or went on (false): retransmissions are swallowed meanwhile. */
  setPending(request: SipMessage, pending: boolean): void
  /** A new branch value with the magic cookie: unguessable, and cheap. */
  newBranch(): string
  readonly timers: TransactionTimers
  readonly serverCount: number
  readonly clientCount: number
  /** Requests whose answer is kept for those that ask again, without a transaction. */
  readonly answeredCount: number
  onSendError(flow: Flow, code: string): void
  /** Ends everything without sending; used at the end of a drain. */
  close(): void
}

export interface ClientOptions {
  text: string
  branch: string
  flow: Flow
  user: ClientTransactionUser
  /** The clock's reading, from who has just asked it. */
  now?: number
  /** Milliseconds that override the layer's timers for this transaction. */
  finalResponse?: number
  finalResponseInvite?: number
  /** Send once and never again (an unproven flow: learning.md T5). */
  retransmissionsMax?: number
  /** Milliseconds instead of the layer's T1 and T2 (Kamailio: t_set_retr). */
  t1?: number
  t2?: number
}

/** How the layer sends: given by server.ts. */
export type SendDatagram = (socket: ListenSocket, text: string, address: string, port: number) => void
