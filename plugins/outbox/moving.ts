import type { Clock, Counter, Log } from '../../src/plugin/index.ts'
import type { Delivery } from './delivery.ts'
import type { OutboxPeers } from './peers.ts'
import type { Entry, Outbox } from './queue.ts'
import type { SharedOutbox } from './shared-outbox.ts'

/**
 * Messages that came while Redis was away lie in this edge's own store, and move when it is back. Of several workers the
 * one that would deliver a message moves it.
 */
export class Moving {
  readonly #own: Outbox
  readonly #shared: SharedOutbox
  readonly #delivery: Delivery
  readonly #peers: OutboxPeers | null
  readonly #world: { readonly clock: Clock; readonly log: Log; readonly events: Counter }
  /** Redis is there, and does not take what these have. */
  readonly #stuck = new Set<string>()
  #isMoving = false

  constructor(
    own: Outbox,
    shared: SharedOutbox,
    delivery: Delivery,
    peers: OutboxPeers | null,
    world: { readonly clock: Clock; readonly log: Log; readonly events: Counter },
  ) {
    this.#own = own
    this.#shared = shared
    this.#delivery = delivery
    this.#peers = peers
    this.#world = world
  }

  /** Its messages cannot move now: they are delivered from here. */
  isStuck(aor: string): boolean {
    return this.#stuck.has(aor)
  }

  /** Returns whose messages have moved. Never rejects. */
  async move(): Promise<readonly string[]> {
    if (this.#isMoving || !this.#shared.isUp || this.#own.count === 0) return []
    this.#isMoving = true
    this.#stuck.clear()
    const moved: string[] = []
    let count = 0
    for (const aor of [...this.#own.aors()]) {
      if (!(this.#peers?.isInCharge(aor) ?? true) || this.#delivery.isBusy(aor)) continue
      const some = await this.#moveAll(aor)
      if (some > 0) moved.push(aor)
      count += some
      if (!this.#shared.isUp) break
    }
    this.#isMoving = false
    if (count > 0) {
      this.#world.events.add(count, 'moved')
      this.#world.log.info(
        { messages: count, left: this.#own.count },
        'messages that waited here moved to redis',
      )
    }
    return moved
  }

  async #moveAll(aor: string): Promise<number> {
    let count = 0
    for (const entry of [...this.#own.of(aor)]) {
      if (!(await this.#moveOne(entry))) {
        this.#stuck.add(aor)
        break
      }
      count++
    }
    return count
  }

  /** False: it stays, and so do those behind it. */
  async #moveOne(entry: Entry): Promise<boolean> {
    const message = this.#own.read(entry)
    if (message === undefined) return true
    const leftMs = entry.expiresAt - this.#world.clock.now()
    if (leftMs <= 0) return true
    if ((await this.#shared.put(message, leftMs)) !== 'kept') return false
    this.#own.remove(entry)
    return true
  }
}
