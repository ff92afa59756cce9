import type { Clock, Timer } from '../runtime/clock.ts'
import type { Log } from '../runtime/log.ts'
import type { Metrics, Series } from '../runtime/metrics.ts'
import type { Random } from '../runtime/random.ts'
import type { SipMessage } from '../sip/message.ts'
import type { Flow } from '../transport/socket.ts'
import { Appointments } from './appointments.ts'
import { calm, hasRoom, type Pressure, pressed } from './pressure.ts'
import { QueueAhead } from './queue-ahead.ts'

/**
 * What a router does that cannot keep up: it goes on answering those whom it knows, and tells newcomers when to come again
 * (RFC 3261 §21.5.4, RFC 5390). docs/decisions/0023-overload.md says why it is measured as it is.
 *
 * Five times a second it asks how long the loop has slept: nothing of it runs per message while there is no
 * overload. While there is, each request that begins something is judged once, after retransmissions are gone:
 *
 *   1. what belongs to a dialog or cancels one, emergency calls, trusted addresses, whoever has a binding here: always let in
 *   2. who was let in a moment ago, and comes with the answer to a challenge: let in
 *   3. who comes at the time that it was told: let in, unless these alone are too many
 *   4. newcomers: by lot, as many as fit
 */
export interface OverloadOptions {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly metrics: Metrics
  /** Has this sender a binding, or whatever else the modules know it by? Asked under overload only. */
  readonly isKnown: (request: SipMessage, flow: Flow) => boolean
  /** Hears when requests are to be shown to refusal(), and when no more. */
  readonly onChange: (isShedding: boolean) => void
}

/** Milliseconds between two samples: long enough to cost nothing, a few of them shorter than T1's retransmission twice. */
const sampleMs = 200
/** Seconds in which a newcomer that was let in is done: it answers a challenge, or sends the same again (timer F). */
const admittedSeconds = 32
/** Requests of a newcomer that was let in: two challenges, and some that were lost on the way. */
const admittedRequests = 6
/** Seconds after its time in which a device may come: clocks of devices are coarse. */
const lateSeconds = 120

export class Overload {
  readonly #options: OverloadOptions
  readonly #newcomers: Series
  readonly #appointed: Series
  readonly #began: Series
  #pressure: Pressure = calm
  #appointments: Appointments | null = null
  #queue = new QueueAhead()
  #admitted = 0
  #refused = 0
  #refusedSinceBegin = 0
  #beganAt = 0
  #sampledAt: number
  #slept: number
  #busy = 0
  #timer: Timer

  /** The clock must know how long the loop has slept. */
  constructor(options: OverloadOptions) {
    const { clock, metrics } = options
    this.#options = options
    this.#sampledAt = clock.now()
    this.#slept = clock.slept?.() ?? 0
    const refused = metrics.counter(
      'viaduct_overload_refused_total',
      'Requests that got 503 because the router could not keep up: of newcomers, and of those who came at their time.',
      ['who'],
    )
    this.#newcomers = refused.series('newcomer')
    this.#appointed = refused.series('appointed')
    this.#began = metrics
      .counter('viaduct_overloads_total', 'How often requests began to be turned away.')
      .series()
    metrics.gauge(
      'viaduct_overload_level',
      'Share of newcomers turned away, 0 to 1; above 1 also of those who come at their time. Of all workers together.',
      () => this.#pressure.level,
    )
    metrics.gauge(
      'viaduct_busy',
      'Share of the last 0.2 seconds that the loop did not sleep. Of all workers together.',
      () => this.#busy,
    )
    this.#timer = clock.schedule(sampleMs, this.#sample)
  }

  /** 0: let it in. Otherwise 503, and it is to come again after so many seconds. */
  refusal(request: SipMessage, flow: Flow): number {
    const appointments = this.#appointments
    if (appointments === null || isOfSomethingKnown(request) || this.#options.isKnown(request, flow)) return 0
    const now = Math.floor(this.#options.clock.now() / 1000)
    const key = appointments.keyOf(request.callId, flow.address)
    if (appointments.goesOn(key, now)) return 0
    const early = appointments.early(key, now)
    // A retransmission, or a device in a hurry: what it was told holds.
    if (early > 0) return this.#refuse(this.#newcomers, early)
    const isAppointed = early === 0
    if (this.#isDrawn(isAppointed ? this.#pressure.level - 1 : this.#pressure.level)) {
      const seconds = this.#retryAfter()
      appointments.appoint(key, now + seconds - 1, now + seconds + lateSeconds)
      this.#refused++
      return this.#refuse(isAppointed ? this.#appointed : this.#newcomers, seconds)
    }
    appointments.admit(key, now, now + admittedSeconds, admittedRequests)
    this.#admitted++
    return 0
  }

  close(): void {
    this.#timer.cancel()
  }

  #refuse(who: Series, seconds: number): number {
    who.add()
    this.#refusedSinceBegin++
    return seconds
  }

  #isDrawn(share: number): boolean {
    return share > 0 && (share >= 1 || this.#options.random.integer(lots) < share * lots)
  }

  #retryAfter(): number {
    const { from, to } = this.#queue.window
    return from + this.#options.random.integer(to - from + 1)
  }

  readonly #sample = (): void => {
    const { clock } = this.#options
    const now = clock.now()
    const slept = clock.slept?.() ?? 0
    const elapsed = Math.max(now - this.#sampledAt, 1)
    this.#busy = Math.min(Math.max(1 - (slept - this.#slept) / elapsed, 0), 1)
    this.#sampledAt = now
    this.#slept = slept
    const before = this.#pressure
    this.#pressure = pressed(before, this.#busy)
    if (before.isShedding)
      this.#queue.sample(elapsed / 1000, this.#admitted, this.#refused, hasRoom(this.#busy))
    this.#admitted = this.#refused = 0
    if (before.isShedding !== this.#pressure.isShedding) this.#change(now)
    this.#timer = clock.schedule(sampleMs, this.#sample)
  }

  #change(now: number): void {
    const { log, random, onChange } = this.#options
    const { isShedding } = this.#pressure
    if (isShedding) {
      this.#appointments = new Appointments(random.integer(2 ** 32) | 0)
      this.#queue = new QueueAhead()
      this.#beganAt = now
      this.#refusedSinceBegin = 0
      this.#began.add()
      log.warn(
        { busy: this.#busy },
        'overloaded: newcomers are told to come again later, whom we know is served',
      )
    } else {
      this.#appointments = null
      const seconds = Math.round((now - this.#beganAt) / 1000)
      log.warn({ seconds, refused: this.#refusedSinceBegin }, 'no longer overloaded: everybody is served')
    }
    onChange(isShedding)
  }
}

/** Lots are drawn in thousandths. */
const lots = 1_000

/** In a dialog (by its To tag), about an INVITE that is here, or an emergency (RFC 5031): never turned away. */
function isOfSomethingKnown({ method, toTag, requestUri }: SipMessage): boolean {
  return toTag !== '' || method === 'ACK' || method === 'CANCEL' || requestUri.startsWith('urn:service:sos')
}
