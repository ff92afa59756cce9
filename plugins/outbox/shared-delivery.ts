import { type Binding, type Location, limits, type PluginHost } from '../../src/plugin/index.ts'
import type { DrainOutcome } from './delivery.ts'
import { isTransient, provenBinding, rejectionsMax, sendWaiting } from './outgoing.ts'
import { messageOfText, type SharedOutbox } from './shared-outbox.ts'

/**
 * Delivery of what all edges keep together: as Delivery has it, only that each message is claimed before. One that another edge has
 * claimed is asked for again when its lease has ended, since the device may have gone from a dead edge to this one.
 */
export class SharedDelivery {
  readonly #host: PluginHost
  readonly #outbox: SharedOutbox
  readonly #listener: SharedListener
  readonly #busy = new Set<string>()
  readonly #later = new Set<string>()

  constructor(host: PluginHost, outbox: SharedOutbox, listener: SharedListener) {
    this.#host = host
    this.#outbox = outbox
    this.#listener = listener
  }

  drain(aor: string, location: Location): DrainOutcome {
    if (!this.#outbox.mayHave(aor)) return 'nothing'
    if (this.#busy.has(aor)) return 'draining'
    const binding = provenBinding(location, aor, this.#host.clock.now())
    if (binding === null) return 'unreachable'
    this.#busy.add(aor)
    void this.#claim(aor, binding, location)
    return 'draining'
  }

  async #claim(aor: string, binding: Binding, location: Location): Promise<void> {
    const claim = await this.#outbox.claim(aor)
    if (claim?.status === 'claimed') {
      const { id, attempts } = claim
      const message = messageOfText(claim.message, aor, attempts, id)
      if (message !== null && !this.#outbox.isDelivered(id)) {
        sendWaiting(
          this.#host,
          message,
          binding,
          (statusCode) => void this.#answered(aor, id, statusCode, location),
        )
        return
      }
      await this.#outbox.settle(aor, id, 'delivered', rejectionsMax)
      this.#busy.delete(aor)
      this.drain(aor, location)
      return
    }
    this.#busy.delete(aor)
    if (claim?.status === 'busy') this.#tryLater(aor, claim.leftMs, location)
  }

  #tryLater(aor: string, leftMs: number, location: Location): void {
    if (this.#later.has(aor) || this.#later.size >= limits.outboxLaterMax) return
    this.#later.add(aor)
    this.#host.clock.schedule(leftMs + marginMs, () => {
      this.#later.delete(aor)
      this.drain(aor, location)
    })
  }

  async #answered(aor: string, id: string, statusCode: number, location: Location): Promise<void> {
    if ((statusCode > 0 && statusCode < 200) || !this.#busy.has(aor)) return
    const isDelivered = statusCode >= 200 && statusCode < 300
    const outcome = isDelivered ? 'delivered' : isTransient(statusCode) ? 'failed' : 'rejected'
    this.#listener(isDelivered ? 'delivered' : 'failed', aor, statusCode)
    const isGone = await this.#outbox.settle(aor, id, outcome, rejectionsMax)
    this.#busy.delete(aor)
    if (isDelivered) this.drain(aor, location)
    else if (isGone) this.#listener('rejected', aor, statusCode)
  }
}

export type SharedListener = (
  event: 'delivered' | 'rejected' | 'failed',
  aor: string,
  statusCode: number,
) => void

const marginMs = 100
