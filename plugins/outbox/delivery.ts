import type { Binding, Location, PluginHost } from '../../src/plugin/index.ts'
import { isTransient, provenBinding, rejectionsMax, sendWaiting } from './outgoing.ts'
import type { OutboxPeers } from './peers.ts'
import type { Entry, Outbox, StoredMessage } from './queue.ts'

/**
 * Sends what waits for an address-of-record, one message after the other: the next when the one before was
 * answered 2xx. Only to a flow that is open and proven: an unproven one may be a victim's (docs/learning.md, T5).
 */
export type DrainOutcome = 'draining' | 'nothing' | 'unreachable'

export type DeliveryListener = (
  event: 'delivered' | 'rejected' | 'failed',
  entry: Entry,
  statusCode: number,
  callId: string,
) => void

export class Delivery {
  readonly #host: PluginHost
  readonly #outbox: Outbox
  readonly #listener: DeliveryListener
  readonly #peers: OutboxPeers | null
  /** Recipients with a message under way. */
  readonly #busy = new Set<string>()
  /** How often a message was refused; gone with the message, however it goes. */
  readonly #rejections = new WeakMap<Entry, number>()

  constructor(
    host: PluginHost,
    outbox: Outbox,
    listener: DeliveryListener,
    peers: OutboxPeers | null = null,
  ) {
    this.#host = host
    this.#outbox = outbox
    this.#listener = listener
    this.#peers = peers
  }

  /** A message of this recipient is under way. */
  isBusy(aor: string): boolean {
    return this.#busy.has(aor)
  }

  drain(aor: string, location: Location): DrainOutcome {
    const [entry] = this.#outbox.of(aor)
    if (entry === undefined) return 'nothing'
    if (this.#busy.has(aor)) return 'draining'
    const binding = provenBinding(location, aor, this.#host.clock.now())
    if (binding === null) return 'unreachable'
    if (this.#peers !== null && !this.#peers.isInCharge(aor)) {
      this.#peers.askToDrain(aor, location.name)
      return 'draining'
    }
    const message = this.#outbox.read(entry)
    if (message === undefined) {
      this.#outbox.remove(entry)
      return this.drain(aor, location)
    }
    this.#busy.add(aor)
    void this.#send(entry, message, binding, location)
    return 'draining'
  }

  /** The attempt is noted first: after a crash a second delivery says that it may be one. Never rejects. */
  async #send(entry: Entry, message: StoredMessage, binding: Binding, location: Location): Promise<void> {
    await this.#outbox.noteAttempt(entry, message)
    sendWaiting(this.#host, message, binding, (statusCode) =>
      this.#answered(entry, statusCode, location, message.callId),
    )
  }

  /** 2xx: gone, and the next one. Anything else: kept, and the drain ends, so that the order stays. */
  #answered(entry: Entry, statusCode: number, location: Location, callId: string): void {
    if (statusCode > 0 && statusCode < 200) return
    if (!this.#busy.delete(entry.aor)) return
    if (statusCode >= 200 && statusCode < 300) {
      this.#outbox.remove(entry)
      this.#listener('delivered', entry, statusCode, callId)
      this.drain(entry.aor, location)
      return
    }
    this.#listener('failed', entry, statusCode, callId)
    if (isTransient(statusCode)) return
    const rejections = (this.#rejections.get(entry) ?? 0) + 1
    this.#rejections.set(entry, rejections)
    if (rejections < rejectionsMax) return
    this.#outbox.remove(entry)
    this.#listener('rejected', entry, statusCode, callId)
  }
}
