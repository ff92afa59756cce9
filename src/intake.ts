import type { Overload } from './overload/overload.ts'
import type { ProxyCore } from './proxy/proxy.ts'
import type { Clock } from './runtime/clock.ts'
import type { Log } from './runtime/log.ts'
import type { Counter, Metrics } from './runtime/metrics.ts'
import type { Engine } from './script/engine.ts'
import type { SipMessage } from './sip/message.ts'
import { isFault, scanMessage, scannedMessage } from './sip/scan.ts'
import type { ScanRecord } from './sip/scan-record.ts'
import type { TransactionLayer } from './transaction/transaction.ts'
import type { Flow } from './transport/socket.ts'
import type { DatagramBatch, TransportHandler } from './transport/transport.ts'
import type { Handover } from './worker/handover.ts'

/**
 * Where datagrams come in. Hot: once per datagram.
 *
 *   datagram -> scan -> arrival -> request:  transaction layer -> script
 *                               -> response: the script's reply_route, then the transaction layer
 *
 * Whatever the octets are, this returns: a message that cannot be read is counted and answered with a 400 if that
 * is possible, and a broken invariant of our own costs that one datagram and a line in the log.
 */
export class Intake implements TransportHandler {
  readonly #log: Log
  readonly #clock: Clock | null
  readonly #received: Counter
  readonly #refused: Counter
  readonly #broken: Counter
  #rooms: { engine: Engine; transactions: TransactionLayer; proxy: ProxyCore } | null = null
  #isDraining = false
  /** Null unless newcomers are turned away. */
  #overload: Overload | null = null
  /** Either of the two: what is asked of every request is one word. */
  #isGuarded = false
  /** Null where there is one worker. */
  #handover: Handover | null = null

  /** `clock`: held for as long as a batch takes. */
  constructor(log: Log, metrics: Metrics, clock: Clock | null = null) {
    this.#log = log
    this.#clock = clock
    this.#received = metrics.counter(
      'viaduct_datagrams_received_total',
      'Datagrams read, keepalives included.',
    )
    this.#refused = metrics.counter('viaduct_parse_errors_total', 'Messages that cannot be read.', ['kind'])
    this.#broken = metrics.counter('viaduct_internal_errors_total', 'Datagrams lost to a defect of our own.')
  }

  /** From now on datagrams are handled; until then they are dropped, as if we were not there yet. */
  open(
    engine: Engine,
    transactions: TransactionLayer,
    proxy: ProxyCore,
    handover: Handover | null = null,
  ): void {
    this.#rooms = { engine, transactions, proxy }
    this.#handover = handover
  }

  onDatagrams(batch: DatagramBatch): void {
    if (this.#rooms === null) return
    this.#clock?.hold?.()
    try {
      this.#handover?.catchUp()
      for (let i = 0; i < batch.count; i++) this.#receiveOne(batch, i)
    } finally {
      this.#clock?.release?.()
    }
  }

  #receiveOne(batch: DatagramBatch, index: number): void {
    try {
      this.#receive(batch.text(index), batch.flow(index), batch.record?.(index) ?? null)
    } catch (error) {
      this.#lost(error, batch.flow(index))
    }
  }

  /** A datagram that arrived at another worker, on that flow, and belongs here; `hops` workers have had it before. */
  onPassed(text: string, flow: Flow, hops: number): void {
    try {
      this.#scan(text, flow, hops, null)
    } catch (error) {
      this.#lost(error, flow)
    }
  }

  onSendError(flow: Flow, code: string): void {
    this.#rooms?.engine.onSendError(flow, code)
    this.#handover?.tellSendError(flow, code)
  }

  /** Another worker was told of it, and we may have sent. */
  onToldSendError(flow: Flow, code: string): void {
    this.#rooms?.engine.onSendError(flow, code)
  }

  /**
   * New requests get 503 from now on; resolves when nobody waits for an answer, or after so many milliseconds. What
   * comes in is handled until close(): others may wait for what meets us.
   */
  async drain(clock: Clock, milliseconds: number): Promise<void> {
    this.#isDraining = true
    this.#isGuarded = true
    const rooms = this.#rooms
    const end = clock.now() + milliseconds
    while (rooms && clock.now() < end && isBusy(rooms.proxy, rooms.engine)) {
      await new Promise<void>((next) => clock.schedule(Math.min(50, milliseconds), next))
    }
  }

  /** From now on requests that begin something are shown to it; null: no more. */
  shed(overload: Overload | null): void {
    this.#overload = overload
    this.#isGuarded = this.#isDraining || overload !== null
  }

  /** Datagrams are dropped from now on. */
  close(): void {
    this.#rooms = null
  }

  #receive(text: string, flow: Flow, record: ScanRecord | null): void {
    const rooms = this.#rooms
    if (rooms === null) return
    this.#received.add()
    if (isKeepalive(text)) {
      rooms.engine.onArrival(null, flow)
      return
    }
    if (this.#handover?.takesDatagram(text, flow)) return
    this.#scan(text, flow, 0, record)
  }

  #scan(text: string, flow: Flow, hops: number, record: ScanRecord | null): void {
    const rooms = this.#rooms
    if (rooms === null) return
    const message = record === null ? scanMessage(text) : scannedMessage(text, record)
    if (isFault(message)) {
      this.#refuse(message.code, message.reason, message.offset, flow)
      return
    }
    if (message.fault !== null) {
      this.#answerFault(message, flow)
      return
    }
    if (message.isRequest) {
      // Who goes round has arrived before.
      if (hops > 0 || rooms.engine.onArrival(message, flow)) this.#request(message, flow, hops)
      return
    }
    if (hops === 0 && this.#handover !== null && this.#handover.takesResponse(message, flow)) return
    if (rooms.engine.onArrival(message, flow)) rooms.engine.onReply(message, flow)
  }

  #request(request: SipMessage, flow: Flow, hops: number): void {
    const rooms = this.#rooms
    if (rooms === null) return
    if (rooms.transactions.receiveRequest(request, flow).kind !== 'new') return
    if (request.method === 'ACK' && rooms.proxy.stateless.isAckToReply(request)) return
    if (this.#handover?.takesRequest(request, flow, hops)) return
    if (this.#isGuarded && this.#turnsAway(request, flow, rooms.proxy)) return
    rooms.engine.onRequest(request, flow)
  }

  #turnsAway(request: SipMessage, flow: Flow, { stateless }: ProxyCore): boolean {
    const isDrained = this.#isDraining && request.method !== 'ACK' && request.toTag === ''
    const seconds = isDrained ? drainedSeconds : (this.#overload?.refusal(request, flow) ?? 0)
    if (seconds === 0) return false
    stateless.reply(request, flow, 503, 'Service Unavailable', { headers: `Retry-After: ${seconds}\r\n` })
    return true
  }

  /** RFC 3261 §8.2, §16.3: a request that is wrong in a way we can name is told so, once, statelessly. */
  #answerFault(message: SipMessage, flow: Flow): void {
    const { fault } = message
    if (fault === null) return
    this.#refuse(fault.code, fault.reason, fault.offset, flow)
    if (!message.isRequest || message.method === 'ACK') return
    this.#rooms?.proxy.stateless.reply(message, flow, fault.status, fault.reason)
  }

  #lost(error: unknown, { address }: Flow): void {
    this.#broken.add()
    this.#log.error({ err: error, source: address }, 'a datagram met a defect of ours and was lost')
  }

  #refuse(code: string, reason: string, offset: number, flow: Flow): void {
    this.#refused.add(1, code)
    if (this.#log.enabled('debug')) {
      const source = `${flow.address}:${flow.port}`
      this.#log.debug(
        { code, offset, source },
        `refused a message from ${source}: ${reason} (octet ${offset})`,
      )
    }
  }
}

/** What who comes while we stop is told: another router is there by then, or this one again. */
const drainedSeconds = 5

/** Somebody still waits for an answer. What is answered and only lingers for retransmissions holds nobody up. */
function isBusy(proxy: ProxyCore, engine: Engine): boolean {
  if (engine.suspendedCount > 0) return true
  for (const context of proxy.contexts()) if (!context.isAnswered) return true
  return false
}

/** RFC 5626 §4.4.1 and what devices really send: CR LF pairs, zeros, or less than a start line could have. */
function isKeepalive(text: string): boolean {
  if (text.length > 8) return false
  for (let i = 0; i < text.length; i++) {
    const octet = text.charCodeAt(i)
    if (octet !== 0x0d && octet !== 0x0a && octet !== 0 && octet !== 0x20) return text.length <= 4
  }
  return true
}
