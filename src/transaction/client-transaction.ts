import { buildAck, buildCancel } from '../sip/build.ts'
import type { SipMessage } from '../sip/message.ts'
import type { Flow } from '../transport/socket.ts'
import { Do } from './actions.ts'
import {
  type InviteClientInput,
  type InviteClientState,
  inviteClientLifetime,
  startInviteClient,
  stepInviteClient,
} from './invite-client.ts'
import {
  type NonInviteClientInput,
  type NonInviteClientState,
  nextTimerE,
  nonInviteClientLifetime,
  startNonInviteClient,
  stepNonInviteClient,
} from './non-invite-client.ts'
import { TimedTransaction, type TransactionServices } from './services.ts'
import type {
  ClientOptions,
  ClientTransaction,
  ClientTransactionUser,
  ServerTransaction,
  TransactionTimers,
} from './transaction.ts'

type ClientState = InviteClientState | NonInviteClientState
type ClientInput = InviteClientInput | NonInviteClientInput

/** A client transaction at work: keeps the state of its machine and does what the machine asks for. */
export class LiveClient extends TimedTransaction implements ClientTransaction {
  readonly id: number
  /** Where the layer's table has it (matching.ts). */
  readonly hash: number
  tableNext: LiveClient | null = null
  readonly branch: string
  readonly method: string
  readonly isInvite: boolean
  readonly isReliable: boolean
  readonly flow: Flow
  lastStatus = 0
  readonly #services: TransactionServices
  readonly user: ClientTransactionUser
  readonly #timers: TransactionTimers
  #state: ClientState = 'trying'
  #text: string
  #sent: SipMessage | null = null
  /** The ACK to a non-2xx final response: sent again with every retransmission of that. */
  #ack = ''
  /** Lines of a CANCEL that waits for a provisional response; null if none does. */
  #cancelHeaders: string | null = null
  #isCancelled = false
  #retransmissionsLeft: number
  #finalAt = -1
  /** What the step now at work is about. */
  #response: SipMessage | null = null
  #responseFlow: Flow | null = null
  #errorCode = ''

  constructor(
    services: TransactionServices,
    id: number,
    hash: number,
    method: string,
    options: ClientOptions,
  ) {
    super()
    this.id = id
    this.hash = hash
    this.branch = options.branch
    this.method = method
    this.isInvite = method === 'INVITE'
    this.flow = options.flow
    this.isReliable = options.flow.socket.transport !== 'udp'
    this.#services = services
    this.user = options.user
    this.#timers = timersFor(services.timers, options)
    this.#text = options.text
    this.#retransmissionsLeft = options.retransmissionsMax ?? Number.POSITIVE_INFINITY
  }

  get isTerminated(): boolean {
    return this.#state === 'terminated'
  }

  get isFinal(): boolean {
    return this.#state !== 'calling' && this.#state !== 'trying' && this.#state !== 'proceeding'
  }

  get sent(): SipMessage {
    this.#sent ??= this.#services.scan(this.#text)
    return this.#sent
  }

  /** Octets of the request: a host that refuses long datagrams does not refuse the short ones. */
  get sentBytes(): number {
    return this.#text.length
  }

  /** The request leaves for the first time. */
  start(now: number): void {
    const { actions } = this.#services
    const next = this.isInvite
      ? startInviteClient(this.isReliable, actions)
      : startNonInviteClient(this.isReliable, actions)
    this.#carryOut(next, actions.bits, now)
  }

  received(response: SipMessage, flow: Flow): void {
    const { statusCode } = response
    this.#response = response
    this.#responseFlow = flow
    if (!this.isFinal) this.lastStatus = statusCode
    this.#feed(this.isInvite ? classifyForInvite(statusCode) : statusCode < 200 ? 'provisional' : 'final')
    this.#response = null
    this.#responseFlow = null
  }

  cancel(headers = ''): void {
    if (!this.isInvite || this.isFinal || this.#isCancelled) return
    this.#cancelHeaders = headers
    if (this.#state === 'proceeding') this.#sendCancel()
  }

  setTimeout(milliseconds: number): void {
    if (this.isFinal) return
    this.lifetimeAt = this.#services.clock.now() + milliseconds
    this.rearm(this.#services.wheel)
  }

  abandon(): void {
    if (!this.isTerminated) this.#end()
  }

  settle(upstream: ServerTransaction): void {
    const { answer } = upstream
    if (this.#state !== 'accepted' || !answer) return
    this.#services.keepBranch(this, answer, this.lifetimeAt - this.#services.clock.now())
    this.#end()
  }

  transportFailed(code: string): void {
    this.#errorCode = code
    this.#feed('transportError')
  }

  /** Ends without a word to anybody. */
  discard(): void {
    this.#state = 'terminated'
    this.#services.wheel.cancel(this)
  }

  protected onRetransmitTimer(): void {
    if (this.#retransmissionsLeft <= 0) {
      this.retransmitAt = Number.POSITIVE_INFINITY
      this.rearm(this.#services.wheel)
      return
    }
    this.#retransmissionsLeft--
    this.#services.countRetransmission()
    this.#feed('retransmitTimer')
  }

  protected onLifetimeTimer(): void {
    this.#feed('lifetimeTimer')
  }

  #feed(input: ClientInput): void {
    const { actions } = this.#services
    const next = this.isInvite
      ? stepInviteClient(this.#state as InviteClientState, input as InviteClientInput, actions)
      : stepNonInviteClient(this.#state as NonInviteClientState, input as NonInviteClientInput, actions)
    this.#carryOut(next, actions.bits, this.#services.clock.now())
  }

  #carryOut(next: ClientState, bits: number, now: number): void {
    const { wheel } = this.#services
    this.#state = next
    if (bits & Do.send) this.#send(this.#text)
    if (bits & Do.ack) this.#acknowledge()
    if (bits & Do.cancel && !this.#isCancelled) {
      this.#cancelHeaders ??= ''
      this.#sendCancel()
    }
    this.#moveTimers(next, bits, now)
    if (next === 'proceeding' && this.#cancelHeaders !== null && !this.#isCancelled) this.#sendCancel()
    // A state that lasts no time at all is over before the response goes up.
    if (next === 'terminated' || (this.isFinal && this.lifetimeAt <= now)) this.#end()
    else this.rearm(wheel)
    this.#report(bits)
    if (this.isFinal && (this.isTerminated || next === 'accepted' || this.#ack !== '')) this.#letGo()
  }

  #end(): void {
    this.discard()
    this.#services.clientEnded(this)
  }

  /** Nothing sends the request again: its octets go, the linger time costs a few words only. */
  #letGo(): void {
    this.#text = ''
    this.#sent = null
  }

  #moveTimers(next: ClientState, bits: number, now: number): void {
    if (bits & Do.startRetransmit) this.runRetransmitTimer(this.#timers.t1, now)
    if (bits & Do.backOff) {
      const interval = this.isInvite
        ? 2 * this.retransmitMs
        : nextTimerE(next as NonInviteClientState, this.retransmitMs, this.#timers)
      this.runRetransmitTimer(interval, now)
    }
    if (bits & Do.stopRetransmit) this.retransmitAt = Number.POSITIVE_INFINITY
    if (bits & Do.startLifetime) this.#startLifetime(next, now)
  }

  /**
   * Timer D absorbs retransmitted responses for 32 s. Most servers get the first ACK and never answer again: for them
   * it runs `wait`. One that did has lost something, and gets the RFC's time; so does one that may still answer a CANCEL.
   */
  #startLifetime(state: ClientState, now: number): void {
    const timers = this.#timers
    const isFirst = this.#finalAt < 0
    if (isFirst && this.isFinal) this.#finalAt = now
    if (!this.isInvite) {
      this.lifetimeAt = now + nonInviteClientLifetime(state as NonInviteClientState, timers)
      return
    }
    // RFC 3261 §9.1: a cancelled request has 64*T1 from its CANCEL, whatever comes meanwhile.
    if (state === 'proceeding' && this.#isCancelled) return
    const lifetime = inviteClientLifetime(state as InviteClientState, timers, this.isReliable)
    const isLong = state === 'completed' && (!isFirst || this.#ack === '')
    this.lifetimeAt = isLong ? this.#finalAt + Math.max(lifetime, 64 * timers.t1) : now + lifetime
  }

  #report(bits: number): void {
    if (bits & Do.deliver && this.#response && this.#responseFlow) {
      this.user.onResponse(this.#response, this.#responseFlow)
    }
    if (bits & Do.reportTimeout) this.user.onTimeout()
    if (bits & Do.reportTransport) this.user.onTransportError(this.#errorCode)
  }

  #acknowledge(): void {
    if (this.#ack === '' && this.#response) this.#ack = buildAck(this.sent, this.#response)
    this.#send(this.#ack)
  }

  /**
   * RFC 3261 §9.1: if no final response follows within 64*T1, the request counts as cancelled; it then times out
   * like any other.
   */
  #sendCancel(): void {
    this.#isCancelled = true
    this.#services.sendCancel(this, buildCancel(this.sent, this.#cancelHeaders || undefined))
    if (this.isFinal) return
    this.lifetimeAt = this.#services.clock.now() + 64 * this.#timers.t1
    this.rearm(this.#services.wheel)
  }

  #send(text: string): void {
    this.#services.send(this.flow.socket, text, this.flow.address, this.flow.port)
  }
}

function classifyForInvite(statusCode: number): 'provisional' | 'success' | 'failure' {
  return statusCode < 200 ? 'provisional' : statusCode < 300 ? 'success' : 'failure'
}

/** The layer's own, unless this transaction has some of its own. */
function timersFor(timers: TransactionTimers, options: ClientOptions): TransactionTimers {
  const t1 = options.t1 ?? timers.t1
  const t2 = options.t2 ?? timers.t2
  const finalResponse = options.finalResponse ?? timers.finalResponse
  const finalResponseInvite = options.finalResponseInvite ?? timers.finalResponseInvite
  const isOwn =
    t1 !== timers.t1 ||
    t2 !== timers.t2 ||
    finalResponse !== timers.finalResponse ||
    finalResponseInvite !== timers.finalResponseInvite
  if (!isOwn) return timers
  return { t1, t2, t4: timers.t4, finalResponse, finalResponseInvite, wait: timers.wait, j: timers.j }
}
