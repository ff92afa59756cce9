import type { Workers } from '../../src/plugin/index.ts'
import type { Entry, Outbox } from './queue.ts'

/**
 * The outbox of a router with several workers: the messages lie in the store that all of them share, and each worker
 * has the list of what waits. Whoever stores or removes a message tells the others.
 *
 * Delivery to one recipient is always the same worker's: so that messages leave in order, and each only once.
 */
type Told =
  | { readonly kind: 'kept'; readonly entry: Entry }
  | { readonly kind: 'gone'; readonly key: string; readonly aor: string }
  | { readonly kind: 'drain'; readonly aor: string; readonly table: string }

const topic = 'outbox'

export class OutboxPeers {
  readonly workers: Workers

  constructor(workers: Workers) {
    this.workers = workers
  }

  isInCharge(aor: string): boolean {
    return this.workers.inCharge(aor) === this.workers.index
  }

  tellKept(entry: Entry): void {
    this.#tell({ kind: 'kept', entry })
  }

  tellGone({ key, aor }: Entry): void {
    this.#tell({ kind: 'gone', key, aor })
  }

  /** The worker in charge begins to deliver. */
  askToDrain(aor: string, table: string): void {
    const told: Told = { kind: 'drain', aor, table }
    this.workers.tellOne(this.workers.inCharge(aor), topic, told)
  }

  follow(outbox: Outbox, drain: (aor: string, table: string) => void): void {
    this.workers.onTold(topic, (value) => {
      const told = value as Told
      if (told.kind === 'kept') outbox.receive(told.entry)
      else if (told.kind === 'gone') outbox.receiveGone(told.aor, told.key)
      else drain(told.aor, told.table)
    })
  }

  #tell(told: Told): void {
    this.workers.tell(topic, told)
  }
}
