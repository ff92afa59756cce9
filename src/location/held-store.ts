import type { Clock } from '../runtime/clock.ts'
import type { Log } from '../runtime/log.ts'
import type { Table } from '../store/table.ts'
import type { SocketTable } from '../transport/socket.ts'
import type { Binding } from './binding.ts'
import type { FlowTable } from './flows.ts'
import type { StoreTime } from './store-time.ts'
import { restoredBinding, type StoredBinding, storedForm } from './stored.ts'

/**
 * The store's table of held bindings, by ruid. It is read whole at the start: they are few, and their flows must be
 * watched from the first packet on. Before the others were packed, all bindings were in it: those are given back too,
 * and go where they belong.
 */
export interface HeldStoreWorld {
  table: Table<StoredBinding>
  clock: Clock
  time: StoreTime
  flows: FlowTable
  sockets: SocketTable
  log: Log
}

export class HeldStore {
  readonly #world: HeldStoreWorld

  constructor(world: HeldStoreWorld) {
    this.#world = world
  }

  /** Null: what changed is none of the store's business. */
  change(before: Binding | null, after: Binding | null): Promise<void> | null {
    const { table, time } = this.#world
    if (isHere(after)) return table.put(after.ruid, storedForm(after, time))
    return isHere(before) ? table.remove(before.ruid) : null
  }

  /** What has not expired. `hasRoom` is asked for each. */
  *restore(hasRoom: () => boolean): Iterable<Binding> {
    const stale: string[] = []
    for (const [ruid, stored] of this.#world.table.entries()) {
      if (stored.flow === null) continue
      const binding = hasRoom() ? this.#restored(ruid, stored) : null
      if (binding === null) stale.push(ruid)
      else yield binding
    }
    for (const ruid of stale) this.#forget(ruid)
  }

  /** What does not belong here any more, some of it at a time. */
  *former(): Iterable<Binding[]> {
    for (let from: string | null = ''; from !== null; ) {
      const batch: Binding[] = []
      let count = 0
      let last = ''
      for (const [ruid, stored] of this.#world.table.entries({ from, limit: formerAtOnce })) {
        count++
        last = ruid
        if (stored.flow !== null) continue
        const binding = this.#restored(ruid, stored)
        if (binding === null) this.#forget(ruid)
        else batch.push(binding)
      }
      if (batch.length > 0) yield batch
      from = count < formerAtOnce ? null : `${last}\u0000`
    }
  }

  remove(ruid: string): Promise<void> {
    return this.#world.table.remove(ruid)
  }

  flushed(): Promise<void> {
    return this.#world.table.flushed()
  }

  #restored(ruid: string, stored: StoredBinding): Binding | null {
    const { clock, time, flows, sockets } = this.#world
    return restoredBinding(ruid, stored, { now: clock.now(), time, flows, sockets })
  }

  #forget(ruid: string): void {
    this.remove(ruid).catch((error) =>
      this.#world.log.warn({ err: error, ruid }, 'an expired binding stays in the store'),
    )
  }
}

const formerAtOnce = 500

function isHere(binding: Binding | null): binding is Binding {
  return binding !== null && binding.flow !== null && binding.isDurable
}
