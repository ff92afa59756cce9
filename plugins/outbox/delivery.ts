import {
  type Binding,
  chooseBindings,
  createTarget,
  type Location,
  type PluginHost,
  parseNameAddr,
  type Target,
} from '../../src/plugin/index.ts'
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
) => void

/** Times that a recipient may refuse a message (not: fail to answer) before it is given up. */
const rejectionsMax = 5

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

  drain(aor: string, location: Location): DrainOutcome {
    const [entry] = this.#outbox.of(aor)
    if (entry === undefined) return 'nothing'
    if (this.#busy.has(aor)) return 'draining'
    const binding = provenBinding(location.of(aor), this.#host.clock.now())
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
    this.#host.proxy.sendRequest({
      method: 'MESSAGE',
      target: targetOf(binding, this.#host),
      from: message.from,
      to: message.to,
      callId: message.callId,
      cseq: message.attempts + 1,
      headers: headersOf(message),
      body: message.body,
      ...(message.contentType === '' ? {} : { contentType: message.contentType }),
      stateful: true,
      onResponse: (statusCode) => this.#answered(entry, statusCode, location),
    })
  }

  /** 2xx: gone, and the next one. Anything else: kept, and the drain ends, so that the order stays. */
  #answered(entry: Entry, statusCode: number, location: Location): void {
    if (statusCode > 0 && statusCode < 200) return
    if (!this.#busy.delete(entry.aor)) return
    if (statusCode >= 200 && statusCode < 300) {
      this.#outbox.remove(entry)
      this.#listener('delivered', entry, statusCode)
      this.drain(entry.aor, location)
      return
    }
    this.#listener('failed', entry, statusCode)
    if (isTransient(statusCode)) return
    const rejections = (this.#rejections.get(entry) ?? 0) + 1
    this.#rejections.set(entry, rejections)
    if (rejections < rejectionsMax) return
    this.#outbox.remove(entry)
    this.#listener('rejected', entry, statusCode)
  }
}

/** No answer, a failure of the network, or a recipient that is not there (any more): not the message's fault. */
function isTransient(statusCode: number): boolean {
  return statusCode === 0 || statusCode === 404 || statusCode === 408 || statusCode >= 480
}

function provenBinding(bindings: readonly Binding[], now: number): Binding | null {
  for (const binding of chooseBindings(bindings, now).bindings) {
    if (binding.flow === null || binding.flow.proven) return binding
  }
  return null
}

function targetOf(binding: Binding, host: PluginHost): Target {
  const target = createTarget(binding.contact)
  target.path = binding.path
  const hop = binding.path[0]
  target.destinationUri = hop === undefined ? binding.received || null : (parseNameAddr(hop)?.uri ?? null)
  target.socket = binding.socket === '' ? null : host.sockets.find(binding.socket)
  target.ruid = binding.ruid
  target.aor = binding.aor
  if (binding.flow === null) return target
  target.flow = binding.flow.flow
  target.socket = binding.flow.flow.socket
  target.trust = 'proven'
  return target
}

/** When it was written (RFC 3428 §4), and whether it may have come before. */
function headersOf(message: StoredMessage): string {
  const date = `Date: ${new Date(message.storedAt).toUTCString()}\r\n`
  return message.attempts === 0 ? date : `${date}X-Delivery-Attempt: ${message.attempts + 1}\r\n`
}
