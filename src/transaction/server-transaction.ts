import type { SipMessage } from '../sip/message.ts'
import type { Flow } from '../transport/socket.ts'
import { responseDestination } from '../transport/via.ts'
import { Do } from './actions.ts'
import type { Answer } from './answer-ring.ts'
import {
  type InviteServerInput,
  type InviteServerState,
  inviteServerLifetime,
  stepInviteServer,
} from './invite-server.ts'
import {
  classifyResponse,
  type NonInviteServerInput,
  type NonInviteServerState,
  nonInviteServerLifetime,
  stepNonInviteServer,
} from './non-invite-server.ts'
import { TimedTransaction, type TransactionServices } from './services.ts'
import type { ServerTransaction, ServerTransactionUser } from './transaction.ts'

type ServerState = InviteServerState | NonInviteServerState
type ServerInput = InviteServerInput | NonInviteServerInput

/** A server transaction at work: keeps the state of its machine and does what the machine asks for. */
export class LiveServer extends TimedTransaction implements ServerTransaction {
  readonly id: number
  /** Where the layer's table has it (matching.ts). */
  readonly hash: number
  /** Beside the hash, where its request is not kept any more. */
  readonly check: number
  tableNext: LiveServer | null = null
  /** Answered with 2xx: its ACK finds it by the dialog. */
  #isAccepted = false
  readonly request: SipMessage
  readonly flow: Flow
  readonly createdAt: number
  readonly method: string
  readonly isInvite: boolean
  readonly isReliable: boolean
  lastStatus = 0
  /** What a retransmitted request gets, '' for nothing. */
  lastResponse = ''
  user: ServerTransactionUser | null
  forceRport = false
  #state: ServerState
  readonly #services: TransactionServices
  #destination: { address: string; port: number } | null = null
  #destinationForced = false

  constructor(
    services: TransactionServices,
    id: number,
    hash: number,
    check: number,
    request: SipMessage,
    flow: Flow,
    user: ServerTransactionUser | null,
  ) {
    super()
    this.id = id
    this.hash = hash
    this.check = check
    this.request = request
    this.flow = flow
    this.method = request.method
    this.isInvite = request.method === 'INVITE'
    this.isReliable = flow.socket.transport !== 'udp'
    this.user = user
    this.#state = this.isInvite ? 'proceeding' : 'trying'
    this.#services = services
    this.createdAt = services.clock.now()
  }

  get isTerminated(): boolean {
    return this.#state === 'terminated'
  }

  respond(statusCode: number, text: string): boolean {
    const { actions } = this.#services
    const input = this.isInvite ? classifyForInvite(statusCode) : this.#classify(statusCode)
    const next = this.#step(input)
    const bits = actions.bits
    if (bits & Do.refuse) return false
    this.lastStatus = statusCode
    if (bits & Do.send) this.lastResponse = text
    this.#carryOut(next, bits)
    return true
  }

  #classify(statusCode: number): NonInviteServerInput {
    const { clock, timers } = this.#services
    // Its age decides about these two only.
    const age = statusCode === 100 || statusCode === 408 ? clock.now() - this.createdAt : 0
    return classifyResponse(statusCode, age, timers, this.isReliable)
  }

  /** The request came once more. */
  retransmitted(): void {
    this.#feed('request')
  }

  /** False if the ACK is for somebody behind us: it acknowledges a 2xx. */
  acknowledged(): boolean {
    if (this.#state === 'accepted') return false
    this.#feed('ack')
    return true
  }

  transportFailed(): void {
    this.#feed('transportError')
  }

  release(): void {
    if (this.isTerminated) return
    this.discard()
    this.#services.serverEnded(this)
  }

  /** Ends without a word to anybody. */
  discard(): void {
    this.#state = 'terminated'
    this.#services.wheel.cancel(this)
  }

  protected onRetransmitTimer(): void {
    this.#services.countRetransmission()
    this.#feed('retransmitTimer')
  }

  protected onLifetimeTimer(): void {
    this.#feed('lifetimeTimer')
  }

  #feed(input: ServerInput): void {
    const next = this.#step(input)
    this.#carryOut(next, this.#services.actions.bits)
  }

  #step(input: ServerInput): ServerState {
    const { actions } = this.#services
    return this.isInvite
      ? stepInviteServer(
          this.#state as InviteServerState,
          input as InviteServerInput,
          this.isReliable,
          actions,
        )
      : stepNonInviteServer(this.#state as NonInviteServerState, input as NonInviteServerInput, actions)
  }

  #carryOut(next: ServerState, bits: number): void {
    this.#state = next
    if (bits & Do.send) this.#send()
    if (next === 'completed' && !this.isInvite && this.lastResponse !== '') {
      this.#handOver()
      return
    }
    const now = this.#services.clock.now()
    if (bits & Do.startRetransmit) this.runRetransmitTimer(this.#services.timers.t1, now)
    if (bits & Do.backOff) {
      this.runRetransmitTimer(Math.min(2 * this.retransmitMs, this.#services.timers.t2), now)
    }
    if (bits & Do.stopRetransmit || next === 'accepted') this.retransmitAt = Number.POSITIVE_INFINITY
    if (bits & Do.startLifetime) this.#startLifetime(next, now)
    if (next === 'accepted') {
      // RFC 6026 §7.1: retransmitted INVITEs are swallowed from here on.
      this.lastResponse = ''
      if (!this.#isAccepted) this.#services.serverAccepted(this)
      this.#isAccepted = true
    }
    if (next === 'terminated') this.#end(reasonOf(bits))
    else this.rearm(this.#services.wheel)
  }

  #startLifetime(state: ServerState, now: number): void {
    const { timers } = this.#services
    this.lifetimeAt =
      now +
      (this.isInvite
        ? inviteServerLifetime(state as InviteServerState, timers, this.isReliable)
        : nonInviteServerLifetime(state as NonInviteServerState, timers, this.isReliable))
  }

  /** Where the last response went. */
  get answer(): Answer | null {
    if (this.#destination === null) return null
    const { address, port } = this.#destination
    return { text: this.lastResponse, socket: this.flow.socket, address, port }
  }

  settle(): void {
    if (this.#state !== 'accepted') return
    const { answer } = this
    if (answer !== null) this.#services.keepAnswer(this, answer, 64 * this.#services.timers.t1)
    this.#state = 'terminated'
    this.#end('done')
  }

  /**
   * A non-INVITE with its final answer has nothing more to do: what a retransmission gets is kept without the
   * transaction, the request and the response context, which would be the collector's greatest burden (answer-ring.ts).
   */
  #handOver(): void {
    const { answer } = this
    if (!this.isReliable && answer !== null) {
      this.#services.keepAnswer(this, answer, this.#services.timers.j)
    }
    this.#state = 'terminated'
    this.#end('done')
  }

  #send(): void {
    if (this.lastResponse === '') return
    if (this.#destination === null || this.#destinationForced !== this.forceRport) {
      this.#destination = responseDestination(this.request, this.flow, this.forceRport)
      this.#destinationForced = this.forceRport
    }
    const { address, port } = this.#destination
    this.#services.send(this.flow.socket, this.lastResponse, address, port)
  }

  #end(reason: 'done' | 'no-ack' | 'transport'): void {
    this.#services.wheel.cancel(this)
    this.#services.serverEnded(this)
    this.lastResponse = ''
    this.user?.onTerminated(reason)
  }
}

function classifyForInvite(statusCode: number): 'provisional' | 'success' | 'failure' {
  return statusCode < 200 ? 'provisional' : statusCode < 300 ? 'success' : 'failure'
}

function reasonOf(bits: number): 'done' | 'no-ack' | 'transport' {
  return bits & Do.reportNoAck ? 'no-ack' : bits & Do.reportTransport ? 'transport' : 'done'
}
