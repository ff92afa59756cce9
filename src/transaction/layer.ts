import { limits } from '../limits.ts'
import type { Clock, Timer } from '../runtime/clock.ts'
import type { Log } from '../runtime/log.ts'
import { type Counter, createMetrics, type Metrics } from '../runtime/metrics.ts'
import type { Random } from '../runtime/random.ts'
import type { SipMessage } from '../sip/message.ts'
import { isFault, scanMessage } from '../sip/scan.ts'
import type { Flow, ListenSocket } from '../transport/socket.ts'
import type { Actions } from './actions.ts'
import type { Answer } from './answer-ring.ts'
import { branchSource } from './branch.ts'
import { LiveClient } from './client-transaction.ts'
import { branchHash, Fingerprint, isSameTransaction, oldKey, serverKey } from './matching.ts'
import { LiveServer } from './server-transaction.ts'
import type { TimedTransaction, TransactionServices } from './services.ts'
import { Settled } from './settled.ts'
import { TimerWheel } from './timer-wheel.ts'
import {
  type ClientOptions,
  type ClientTransaction,
  type ClientTransactionUser,
  defaultTimers,
  type RequestOutcome,
  type SendDatagram,
  type ServerTransaction,
  type ServerTransactionUser,
  type TransactionLayer,
  type TransactionTimers,
} from './transaction.ts'
import { TransactionTable } from './transaction-table.ts'

/**
 * The transaction layer: RFC 3261 §17. Feeds the four machines with messages and timers, and keeps the tables by
 * which a message finds its transaction. Hot: a retransmission is answered here and nowhere else, so that a storm
 * of them costs a look-up each and runs no script.
 *
 * A CANCEL is a request like any other here (`new`): whoever makes it stateful answers it and tells the INVITE's
 * user (`findCancelled`). Only retransmissions of it are absorbed.
 */
export interface LayerOptions {
  readonly clock: Clock
  readonly random: Random
  readonly send: SendDatagram
  readonly log?: Log
  readonly metrics?: Metrics
  readonly timers?: TransactionTimers
  readonly transactionsMax?: number
  /** In all branches of a router's worker where there are several. */
  readonly branchMark?: string
  /** Which of how many workers this is: an id says whose transaction it is, by its remainder. */
  readonly worker?: { readonly index: number; readonly count: number }
}

export function createTransactionLayer(options: LayerOptions): TransactionLayer {
  return new Layer(options)
}

const outcomeNew: RequestOutcome = { kind: 'new' }
const outcomeAbsorbed: RequestOutcome = { kind: 'absorbed' }
const outcomePending: RequestOutcome = { kind: 'pending' }

/** The errors of so many milliseconds are told in one pass over the table. */
const errorPassMs = 20
/** A datagram shorter than this fits every path: EMSGSIZE was about a longer one. */
const bytesThatAlwaysFit = 1_280

class Layer implements TransactionLayer, TransactionServices {
  readonly timers: TransactionTimers
  readonly clock: Clock
  readonly actions: Actions = { bits: 0 }
  readonly wheel: TimerWheel<TimedTransaction>
  readonly newBranch: () => string
  readonly send: SendDatagram
  readonly #log: Log | null
  readonly #transactionsMax: number
  readonly #servers = new TransactionTable<LiveServer>()
  readonly #clients = new TransactionTable<LiveClient>()
  /** CANCELs have the branch of what they cancel (RFC 3261 §9.1). */
  readonly #cancels = new Map<string, LiveClient>()
  readonly #pending = new Set<string>()
  /** Requests that have their final answer and no transaction any more. */
  readonly #settled: Settled
  onFurtherSuccess: TransactionLayer['onFurtherSuccess'] = () => {}
  readonly #fingerprint: Fingerprint
  readonly #failedFlows = new Map<string, string>()
  #errorTimer: Timer | null = null
  #lastId: number
  readonly #idStep: number
  readonly #absorbed: Counter
  readonly #retransmitted: Counter
  readonly #stray: Counter
  readonly #refused: Counter

  constructor(options: LayerOptions) {
    this.clock = options.clock
    this.send = options.send
    this.#lastId = options.worker?.index ?? 0
    this.#idStep = options.worker?.count ?? 1
    this.timers = { ...(options.timers ?? defaultTimers) }
    this.newBranch = branchSource(options.random, options.branchMark)
    const { random } = options
    this.#fingerprint = new Fingerprint(random.integer(2 ** 32) | 0, random.integer(2 ** 32) | 0)
    this.wheel = new TimerWheel(options.clock, (transaction, now) => transaction.expired(now))
    this.#log = options.log ?? null
    this.#transactionsMax = options.transactionsMax ?? limits.transactionsMax
    this.#settled = new Settled(options.clock, this.#fingerprint, this.#transactionsMax)
    const metrics = options.metrics ?? createMetrics()
    this.#absorbed = metrics.counter(
      'viaduct_retransmissions_received_total',
      'Requests that came again and were answered or swallowed without the script.',
    )
    this.#retransmitted = metrics.counter(
      'viaduct_retransmissions_sent_total',
      'Requests and responses that we sent again because nobody answered.',
    )
    this.#stray = metrics.counter(
      'viaduct_stray_responses_total',
      'Responses that no transaction waits for; they are dropped.',
    )
    this.#refused = metrics.counter(
      'viaduct_transactions_refused_total',
      'Requests that found the transaction table full.',
    )
    metrics.gauge('viaduct_server_transactions', 'Live server transactions.', () => this.serverCount)
    metrics.gauge('viaduct_client_transactions', 'Live client transactions.', () => this.clientCount)
  }

  get serverCount(): number {
    return this.#servers.count
  }

  get clientCount(): number {
    return this.#clients.count + this.#cancels.size
  }

  get answeredCount(): number {
    return this.#settled.count
  }

  receiveRequest(request: SipMessage, _flow: Flow): RequestOutcome {
    // A router that keeps no state has nobody to look for.
    if (this.#servers.count === 0 && this.#settled.count === 0 && this.#pending.size === 0) return outcomeNew
    if (request.method === 'ACK') return this.#receiveAck(request)
    const server = this.#serverOf(request, request.method)
    if (server !== null) {
      this.#absorbed.add()
      server.retransmitted()
      return outcomeAbsorbed
    }
    const answer = this.#settled.answerTo(request, request.method)
    if (answer !== null) {
      this.#absorbed.add()
      // RFC 6026 §7.1: an INVITE that was answered with 2xx is swallowed.
      if (answer.text !== '') this.send(answer.socket, answer.text, answer.address, answer.port)
      return outcomeAbsorbed
    }
    if (this.#pending.size === 0 || !this.#pending.has(serverKey(request, request.method))) return outcomeNew
    this.#absorbed.add()
    return outcomePending
  }

  receiveResponse(response: SipMessage, flow: Flow): boolean {
    const client = this.#clientOf(response)
    if (client === null) {
      if (this.#wasSettled(response)) return true
      this.#stray.add()
      if (this.#log?.enabled('debug')) {
        this.#log.debug(
          { statusCode: response.statusCode, method: response.method, callId: response.callId },
          `dropped a ${response.statusCode} that no transaction waits for`,
        )
      }
      return false
    }
    client.received(response, flow)
    return true
  }

  findCancelled(cancel: SipMessage): ServerTransaction | null {
    return this.#serverOf(cancel, 'INVITE') ?? this.#settled.cancelledBy(cancel)
  }

  findServer(request: SipMessage): ServerTransaction | null {
    if (request.method !== 'ACK') return this.#serverOf(request, request.method)
    return this.#acknowledgedBy(request) ?? this.#settled.acknowledgedBy(request, this.#serverAt)
  }

  findClient(response: SipMessage): ClientTransaction | null {
    return this.#clientOf(response)
  }

  knowsResponse(response: SipMessage): boolean {
    return this.#clientOf(response) !== null || this.#settled.upstreamOf(response) !== null
  }

  createServer(
    request: SipMessage,
    flow: Flow,
    user: ServerTransactionUser | null,
  ): ServerTransaction | null {
    const { method } = request
    if (request.topmostVia === null || method === 'ACK') return null
    if (this.#serverOf(request, method) !== null || this.#isFull()) return null
    const hash = this.#hashOf(request)
    const check = this.#fingerprint.checkOf(request, method)
    const server = new LiveServer(this, this.#nextId(), hash, check, request, flow, user)
    this.#servers.add(server)
    return server
  }

  createClient(options: ClientOptions): ClientTransaction | null {
    const hash = branchHash(options.branch)
    if (this.#isFull() || this.#clientWith(options.branch, hash) !== null) return null
    const client = new LiveClient(this, this.#nextId(), hash, methodOf(options.text), options)
    this.#clients.add(client)
    client.start(options.now ?? this.clock.now())
    return client
  }

  setPending(request: SipMessage, pending: boolean): void {
    if (request.method === 'ACK') return
    const key = serverKey(request, request.method)
    if (!pending) this.#pending.delete(key)
    else if (this.#pending.size < limits.suspendedRunsMax) this.#pending.add(key)
  }

  /**
   * An ICMP error concerns every request that waits for an answer from there; it may come a thousand times a second,
   * so the table is walked at most once in `errorPassMs`.
   */
  onSendError(flow: Flow, code: string): void {
    if (this.#failedFlows.size >= limits.failedFlowsMax) return
    this.#failedFlows.set(flowKey(flow), code)
    this.#errorTimer ??= this.clock.schedule(errorPassMs, () => this.#tellErrors())
  }

  close(): void {
    this.#errorTimer?.cancel()
    for (const server of this.#servers.entries()) server.discard()
    for (const client of this.#clients.entries()) client.discard()
    for (const client of this.#cancels.values()) client.discard()
    for (const table of [this.#servers, this.#clients, this.#cancels]) table.clear()
    this.#fingerprint.forget()
    this.#settled.clear()
    this.#pending.clear()
    this.#failedFlows.clear()
    this.wheel.clear()
  }

  // What live transactions ask for.

  scan(text: string): SipMessage {
    const message = scanMessage(text)
    if (isFault(message)) throw new Error(`a request of our own cannot be read: ${message.reason}`)
    return message
  }

  countRetransmission(): void {
    this.#retransmitted.add()
  }

  serverAccepted(server: LiveServer): void {
    const { request, answer } = server
    if (answer !== null) this.#settled.keepDialog(request, server, answer, 64 * this.timers.t1)
  }

  serverEnded(server: LiveServer): void {
    this.#servers.delete(server)
  }

  keepAnswer(server: LiveServer, answer: Answer, milliseconds: number): void {
    this.#settled.keepAnswer(server, answer, milliseconds)
  }

  keepBranch({ branch }: LiveClient, answer: Answer, milliseconds: number): void {
    this.#settled.keepBranch(branch, answer, milliseconds)
  }

  clientEnded(client: LiveClient): void {
    if (client.method === 'CANCEL') this.#cancels.delete(client.branch)
    else this.#clients.delete(client)
  }

  sendCancel(invite: LiveClient, text: string): void {
    const options = { text, branch: invite.branch, flow: invite.flow, user: nobody }
    const cancel = new LiveClient(this, this.#nextId(), invite.hash, 'CANCEL', options)
    this.#cancels.set(cancel.branch, cancel)
    cancel.start(this.clock.now())
  }

  #nextId(): number {
    this.#lastId += this.#idStep
    return this.#lastId
  }

  #receiveAck(ack: SipMessage): RequestOutcome {
    const invite = this.#acknowledgedBy(ack)
    if (invite === null || !invite.acknowledged()) return outcomeNew
    this.#absorbed.add()
    return outcomeAbsorbed
  }

  /** The INVITE whose branch this ACK repeats: RFC 3261 §17.2.3. */
  #acknowledgedBy(ack: SipMessage): LiveServer | null {
    const invite = this.#serverOf(ack, 'INVITE')
    if (invite !== null || ack.topmostVia?.isRfc3261 !== false) return invite
    const key = oldKey(ack, 'INVITE', '')
    for (let at = this.#servers.first(this.#hashOf(ack)); at !== null; at = at.tableNext) {
      if (!at.isInvite || oldKey(at.request, 'INVITE', at.request.toTag) !== key) continue
      if (this.#toTagOfResponse(at) === ack.toTag) return at
    }
    return null
  }

  /** Of an INVITE that was answered with 2xx: as Settled has kept it. */
  readonly #serverAt = ({ hash, check }: { hash: number; check: number }): LiveServer | null => {
    for (let at = this.#servers.first(hash); at !== null; at = at.tableNext) {
      if (at.hash === hash && at.check === check) return at
    }
    return null
  }

  #toTagOfResponse(server: LiveServer): string {
    const response = scanMessage(server.lastResponse)
    return isFault(response) ? '' : response.toTag
  }

  #hashOf(request: SipMessage): number {
    return this.#fingerprint.hashOf(request)
  }

  #serverOf(request: SipMessage, method: string): LiveServer | null {
    if (this.#servers.count === 0) return null
    const hash = this.#hashOf(request)
    for (let at = this.#servers.first(hash); at !== null; at = at.tableNext) {
      if (at.hash === hash && isSameTransaction(at.request, request, method)) return at
    }
    return null
  }

  #clientOf(response: SipMessage): LiveClient | null {
    const branch = response.topmostVia?.branch ?? ''
    const { method } = response
    if (method === 'CANCEL') return this.#cancels.get(branch) ?? null
    // A router without state asks this of every response: the hash of its branch took 2 % of its time.
    if (this.#clients.count === 0) return null
    const client = this.#clientWith(branch, branchHash(branch))
    return client !== null && client.method === method ? client : null
  }

  /** RFC 6026 §7.2: in the accepted state every 2xx goes up, and nothing else does. */
  #wasSettled(response: SipMessage): boolean {
    const upstream = this.#settled.upstreamOf(response)
    if (upstream === null) return false
    if (response.statusCode >= 200 && response.statusCode < 300) this.onFurtherSuccess(response, upstream)
    return true
  }

  #clientWith(branch: string, hash: number): LiveClient | null {
    for (let at = this.#clients.first(hash); at !== null; at = at.tableNext) {
      if (at.hash === hash && at.branch === branch) return at
    }
    return null
  }

  #isFull(): boolean {
    if (this.serverCount + this.clientCount < this.#transactionsMax) return false
    this.#refused.add()
    return true
  }

  /** Collected first: who is told may send to the same flow again, and that is another matter. */
  #tellErrors(): void {
    this.#errorTimer = null
    const concerned: [LiveClient, string][] = []
    for (const client of [...this.#clients.entries(), ...this.#cancels.values()]) {
      const code = this.#failedFlows.get(flowKey(client.flow))
      if (code === undefined || (code === 'EMSGSIZE' && client.sentBytes < bytesThatAlwaysFit)) continue
      concerned.push([client, code])
    }
    this.#failedFlows.clear()
    for (const [client, code] of concerned) client.transportFailed(code)
  }
}

/** A CANCEL is sent for the sake of the INVITE; how it fares itself interests no one. */
const nobody: ClientTransactionUser = {
  onResponse() {},
  onTimeout() {},
  onTransportError() {},
}

function methodOf(text: string): string {
  return text.slice(0, text.indexOf(' '))
}

function flowKey(flow: { socket: ListenSocket; address: string; port: number }): string {
  return `${flow.socket.index} ${flow.port} ${flow.address}`
}
