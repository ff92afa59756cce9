import { limits } from '../limits.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Log } from '../runtime/log.ts'
import type { Table } from '../store/table.ts'
import type { SocketTable } from '../transport/socket.ts'
import type { Binding } from './binding.ts'
import { ExpiryQueue } from './expiry.ts'
import type { FlowTable } from './flows.ts'
import { restoredBinding, type StoredBinding, storedForm } from './stored.ts'

/**
 * One location table (Kamailio: a usrloc domain): all bindings of all addresses-of-record, in memory, and behind
 * them the store. A change is in memory at once; what `apply` returns is fulfilled when the store has it, and
 * if the store refuses, the change is undone: what a client was not told has not happened.
 */
export interface Change {
  /** Null: the binding is new. */
  readonly before: Binding | null
  /** Null: it is removed. */
  readonly after: Binding | null
}

/** Why a binding went, or that it came. */
export type ChangeCause = 'added' | 'updated' | 'removed' | 'expired' | 'undone'

export type ChangeListener = (cause: ChangeCause, binding: Binding, before: Binding | null) => void

export interface LocationOptions {
  name: string
  clock: Clock
  log: Log
  sockets: SocketTable
  /** Shared by all tables: an address is one device's, whatever table it is filed in. */
  flows: FlowTable
  /** Null: in memory only. */
  table: Table<StoredBinding> | null
  bindingsMax?: number
}

const noBindings: readonly Binding[] = []
const done = Promise.resolve()

/** A learned flow's last packet is told to the store this often, in milliseconds, not on every packet. */
const flowStoreInterval = 10_000

export class Location {
  readonly name: string
  readonly flows: FlowTable
  readonly #options: LocationOptions
  readonly #byAor = new Map<string, Binding[]>()
  readonly #byRuid = new Map<string, Binding>()
  readonly #expiry: ExpiryQueue<Binding>
  readonly #listeners: ChangeListener[] = []

  constructor(options: LocationOptions) {
    this.name = options.name
    this.flows = options.flows
    this.#options = options
    this.#expiry = new ExpiryQueue(options.clock.now(), (binding) => binding.expiresAt)
  }

  /** False: what is told here is gone with the process. */
  get isDurable(): boolean {
    return this.#options.table !== null
  }

  get bindingCount(): number {
    return this.#byRuid.size
  }

  get aorCount(): number {
    return this.#byAor.size
  }

  /** Is there room for so many more? */
  hasRoomFor(count: number): boolean {
    return this.#byRuid.size + count <= (this.#options.bindingsMax ?? limits.bindingsMax)
  }

  /** What has not expired, in the order in which it came. The array is not to be changed. */
  of(aor: string): readonly Binding[] {
    const bindings = this.#byAor.get(aor)
    if (bindings === undefined) return noBindings
    const now = this.#options.clock.now()
    for (const binding of bindings) {
      if (binding.expiresAt <= now) return bindings.filter(({ expiresAt }) => expiresAt > now)
    }
    return bindings
  }

  byRuid(ruid: string): Binding | undefined {
    return this.#byRuid.get(ruid)
  }

  aors(): IterableIterator<string> {
    return this.#byAor.keys()
  }

  all(): IterableIterator<Binding> {
    return this.#byRuid.values()
  }

  /** Until what it returns is called. */
  onChange(listener: ChangeListener): () => void {
    this.#listeners.push(listener)
    return () => {
      const index = this.#listeners.indexOf(listener)
      if (index >= 0) this.#listeners.splice(index, 1)
    }
  }

  /**
   * Makes the changes, visible at once. Fulfilled when they are durable; rejects, after having undone them, if
   * the store refuses.
   */
  apply(changes: readonly Change[]): Promise<void> {
    for (const { before, after } of changes) this.#swap(before, after, after === null ? 'removed' : undefined)
    const { table } = this.#options
    return table === null || changes.length === 0 ? done : this.#store(table, changes)
  }

  /** Same, where nobody waits for the store: its refusal is logged, and memory keeps what it has. */
  applyUnwatched(changes: readonly Change[]): void {
    for (const { before, after } of changes) this.#swap(before, after, after === null ? 'removed' : undefined)
    this.#storeUnwatched(changes)
  }

  /** Removes what has expired by now and says so to the listeners. */
  expire(): number {
    const due = this.#expiry.due(this.#options.clock.now())
    for (const binding of due) {
      if (this.#byRuid.get(binding.ruid) !== binding) continue
      this.#swap(binding, null, 'expired')
      this.#storeUnwatched([{ before: binding, after: null }])
    }
    return due.length
  }

  /** Tells the store when a flow was last heard from, seldom enough to cost nothing. */
  noteHeard(binding: Binding): void {
    const state = binding.flow
    if (state === null || state.lastSeen - state.storedAt < flowStoreInterval) return
    state.storedAt = state.lastSeen
    this.#storeUnwatched([{ before: binding, after: binding }])
  }

  /** Reads what the store has; drops what has expired meanwhile. How many bindings came back. */
  restore(): number {
    const { table, clock, flows, sockets, log } = this.#options
    if (table === null) return 0
    const stale: string[] = []
    for (const [ruid, stored] of table.entries()) {
      const binding = this.hasRoomFor(1) ? restoredBinding(ruid, stored, { clock, flows, sockets }) : null
      if (binding === null) stale.push(ruid)
      else this.#swap(null, binding)
    }
    for (const ruid of stale) {
      table
        .remove(ruid)
        .catch((error) => log.warn({ err: error, ruid }, 'an expired binding stays in the store'))
    }
    return this.#byRuid.size
  }

  /** Fulfilled when all that was changed so far is on the disk. */
  flushed(): Promise<void> {
    return this.#options.table?.flushed() ?? done
  }

  async #store(table: Table<StoredBinding>, changes: readonly Change[]): Promise<void> {
    try {
      await Promise.all(changes.map((change) => this.#write(table, change)))
    } catch (error) {
      this.#undo(changes)
      throw error
    }
  }

  #storeUnwatched(changes: readonly Change[]): void {
    const { table, log, name } = this.#options
    if (table === null) return
    for (const change of changes) {
      this.#write(table, change).catch((error) =>
        log.warn({ err: error, table: name }, 'the store refused a binding'),
      )
    }
  }

  #write(table: Table<StoredBinding>, { before, after }: Change): Promise<void> {
    if (after?.isDurable) return table.put(after.ruid, storedForm(after, this.#options.clock))
    return before?.isDurable ? table.remove(before.ruid) : done
  }

  /** Back to what was before, except where somebody else has changed it since. */
  #undo(changes: readonly Change[]): void {
    for (const { before, after } of changes.toReversed()) {
      const current = this.#byRuid.get((after ?? before)?.ruid ?? '')
      if (current !== (after ?? undefined)) continue
      this.#swap(after, before, 'undone')
    }
  }

  #swap(before: Binding | null, after: Binding | null, cause?: ChangeCause): void {
    if (before !== null) this.#detach(before, after)
    if (after !== null) this.#attach(before, after)
    const subject = after ?? before
    if (subject === null) return
    const what = cause ?? (before === null ? 'added' : 'updated')
    for (const listener of this.#listeners) listener(what, subject, before)
  }

  #attach(before: Binding | null, after: Binding): void {
    this.#byRuid.set(after.ruid, after)
    this.flows.attach(after)
    this.#expiry.add(after)
    const bindings = this.#byAor.get(after.aor)
    if (bindings === undefined) this.#byAor.set(after.aor, [after])
    else {
      const index = before === null ? -1 : bindings.indexOf(before)
      this.#byAor.set(after.aor, index < 0 ? [...bindings, after] : bindings.with(index, after))
    }
    if (before !== null && before.flow !== after.flow) this.flows.detach(before)
    else if (before !== null) before.flow?.bindings.delete(before)
  }

  #detach(before: Binding, after: Binding | null): void {
    this.#expiry.remove(before)
    if (after !== null) return
    this.#byRuid.delete(before.ruid)
    this.flows.detach(before)
    const rest = (this.#byAor.get(before.aor) ?? []).filter((binding) => binding !== before)
    if (rest.length === 0) this.#byAor.delete(before.aor)
    else this.#byAor.set(before.aor, rest)
  }
}
