import type { Clock } from '../runtime/clock.ts'
import type { Counter, Metrics } from '../runtime/metrics.ts'
import type { SipMessage } from '../sip/message.ts'
import type { TransactionLayer } from '../transaction/transaction.ts'
import type { Flow } from '../transport/socket.ts'
import type { Link } from './link.ts'
import { ownerOfBranch, ownerOfResponse } from './mark.ts'
import type { Workers } from './workers.ts'

/**
 * What arrives at one worker and belongs to another. The kernel spreads datagrams by their source: requests of one
 * source, and so all retransmissions, meet the same worker, but the answers of a next hop meet any. Their branch
 * says whose they are.
 *
 * An ACK to a failure and a CANCEL carry a branch of the client's. Where their sender's port changed between, they
 * meet a worker that knows nothing of the INVITE: then they go round the others, each of which looks, and the last
 * one handles them as what they are to all: unmatched. Nothing is passed twice to one worker.
 *
 * When a worker is replaced the kernel spreads sources anew: for as long as a transaction may get retransmissions all
 * requests that match nothing go round.
 */
export class Handover {
  readonly #link: Link
  readonly #workers: Workers
  readonly #clock: Clock
  readonly #transactions: TransactionLayer
  readonly #passed: Counter
  readonly #lost: Counter
  /** Workers that have died and are not back yet. */
  readonly #gone = new Set<number>()
  #unsettledUntil = Number.NEGATIVE_INFINITY

  constructor(link: Link, workers: Workers, clock: Clock, transactions: TransactionLayer, metrics: Metrics) {
    this.#link = link
    this.#workers = workers
    this.#clock = clock
    this.#transactions = transactions
    this.#passed = metrics.counter(
      'viaduct_worker_datagrams_passed_total',
      'Datagrams that met another worker than their transaction and were passed to it.',
    )
    this.#lost = metrics.counter(
      'viaduct_worker_datagrams_lost_total',
      'Datagrams that could not be passed to their worker because the way there was full.',
    )
  }

  /** Before a batch of datagrams: what other workers told before they sent is known before it is answered. Hot. */
  catchUp(): void {
    this.#link.catchUp()
  }

  /** For every datagram, before it is scanned: true if it is a response of another worker's, who has it now. Hot. */
  takesDatagram(text: string, flow: Flow): boolean {
    const owner = ownerOfResponse(text)
    return owner >= 0 && this.#pass(owner, text, flow)
  }

  /** The same for a response whose topmost Via does not stand first. */
  takesResponse(response: SipMessage, flow: Flow): boolean {
    const owner = ownerOfBranch(response.topmostVia?.branch ?? '')
    return owner >= 0 && this.#pass(owner, response.text, flow)
  }

  /** A request that no transaction knows here; `hops`: how many workers have had it before. True if it went on. */
  takesRequest(request: SipMessage, flow: Flow, hops: number): boolean {
    if (hops + 1 >= this.#link.count || !this.#goesRound(request)) return false
    const next = this.#next()
    return next >= 0 && this.#passTo(next, request.text, flow, hops + 1)
  }

  /** The kernel tells an ICMP error to whichever worker its hash says: all hear of it, one of them has sent. */
  tellSendError({ socket, address, port }: Flow, code: string): void {
    const told: ToldSendError = { socketIndex: socket.index, address, port, code }
    this.#workers.tell(sendErrorTopic, told)
  }

  /** A worker has died: what it had is lost, and nothing is passed to it. */
  lose(worker: number): void {
    this.#gone.add(worker)
    this.unsettle()
  }

  /** Another serves in its place. */
  regain(worker: number): void {
    this.#gone.delete(worker)
    this.unsettle()
  }

  /** Where the kernel puts a source may have changed. */
  unsettle(): void {
    this.#unsettledUntil = this.#clock.now() + this.#transactions.timers.j
  }

  /** The next one that lives; -1 if there is none. */
  #next(): number {
    const { index, count } = this.#link
    for (let step = 1; step < count; step++) {
      const worker = (index + step) % count
      if (!this.#gone.has(worker)) return worker
    }
    return -1
  }

  #goesRound(request: SipMessage): boolean {
    const { method } = request
    if (method === 'ACK') return this.#transactions.findServer(request) === null
    if (method === 'CANCEL') return this.#transactions.findCancelled(request) === null
    return this.#clock.now() < this.#unsettledUntil
  }

  #pass(owner: number, text: string, flow: Flow): boolean {
    if (owner === this.#link.index || owner >= this.#link.count || this.#gone.has(owner)) return false
    return this.#passTo(owner, text, flow, 1)
  }

  /** True also if it was lost on the way: here it has no place. */
  #passTo(worker: number, text: string, flow: Flow, hops: number): boolean {
    const { socket, address, port } = flow
    if (this.#link.passDatagram(worker, text, socket.index, address, port, hops)) this.#passed.add()
    else this.#lost.add()
    return true
  }
}

/** A notice of the link: an error of a datagram that any worker may have sent. */
export const sendErrorTopic = 'send-error'

export interface ToldSendError {
  readonly socketIndex: number
  readonly address: string
  readonly port: number
  readonly code: string
}
