import { limits } from '../limits.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Log } from '../runtime/log.ts'
import type { Binding } from './binding.ts'
import { type BindingTable, type Page, type PageMark, type RefreshOutcome, Undone } from './binding-table.ts'
import {
  type ChangeCause,
  type ChangeListener,
  ChangeListeners,
  type RefreshListener,
} from './change-listeners.ts'
import type { FlowTable } from './flows.ts'
import { HeldBindings } from './held-bindings.ts'
import type { HeldPeers } from './held-peers.ts'
import type { HeldStore } from './held-store.ts'
import type { Refreshed } from './record-refresh.ts'
import { Outdated, type OwnBindings, type SharedTable } from './shared-table.ts'
import { alivePages, ownPart, Sharing } from './sharing.ts'

/**
 * One location table (Kamailio: a usrloc domain): all bindings of all addresses-of-record. Most are kept as octets, in
 * memory or in the store; those that hang on a flow are objects, since packets that come in on it change them.
 *
 * A change is visible at once; what `apply` returns is fulfilled when the store has it, and if the store refuses, the
 * change is undone: what a client was not told has not happened.
 */
export interface Change {
  /** Null: the binding is new. */
  readonly before: Binding | null
  /** Null: it is removed. */
  readonly after: Binding | null
  /** The request that removes it, if one does: what came before that request must not bring it back. */
  readonly request?: { readonly callId: string; readonly cseq: number }
}

export interface LocationOptions {
  name: string
  clock: Clock
  log: Log
  /** Shared by all tables: an address is one device's, whatever table it is filed in. */
  flows: FlowTable
  table: BindingTable
  /** Where held bindings come back from after a restart; null: in memory only. */
  heldStore: HeldStore | null
  /** The other workers of the router, who hold the same; absent where there are none. */
  peers?: HeldPeers | null
  bindingsMax?: number
  /** apply() has nobody wait for the store, unless the store refuses already. */
  answersFirst?: () => boolean
  /** Opens what other edges have of this table; absent where there is one edge. */
  share?: ((own: OwnBindings) => SharedTable) | null
}

/** A learned flow's last packet is told to the store this often, in milliseconds, not on every packet. */
const flowStoreInterval = 10_000

export class Location implements OwnBindings {
  readonly name: string
  readonly flows: FlowTable
  readonly #clock: Clock
  readonly #log: Log
  readonly #table: BindingTable
  readonly #held: HeldBindings
  readonly #heldStore: HeldStore | null
  readonly #peers: HeldPeers | null
  readonly #bindingsMax: number
  readonly #answersFirst: () => boolean
  /** Null where there is one edge. */
  readonly #sharing: Sharing | null
  readonly #listeners = new ChangeListeners()
  #isRestored = false

  constructor(options: LocationOptions) {
    this.name = options.name
    this.flows = options.flows
    this.#clock = options.clock
    this.#log = options.log
    this.#table = options.table
    this.#heldStore = options.heldStore
    this.#peers = options.peers ?? null
    this.#held = new HeldBindings(options.flows, options.clock.now())
    this.#bindingsMax = options.bindingsMax ?? limits.bindingsMax
    this.#answersFirst = options.answersFirst ?? (() => false)
    const shared = options.share?.(this) ?? null
    this.#sharing =
      shared === null ? null : new Sharing(shared, (changes) => this.#takeBack(ownPart(changes)))
  }

  /** False: what is told here is gone with the process. */
  get isDurable(): boolean {
    return this.#table.isDurable
  }

  /** Other edges have bindings of it too, and are told of ours. */
  get isShared(): boolean {
    return this.#sharing !== null
  }

  /** This edge's own, as are all counts. */
  get bindingCount(): number {
    return this.#table.bindingCount + this.#held.count
  }

  /** Who has held bindings alone is counted too. */
  get aorCount(): number {
    return this.#table.aorCount + this.#held.aloneCount
  }

  /** Without the held ones. */
  get tableCounts(): { bindings: number; aors: number } {
    return { bindings: this.#table.bindingCount, aors: this.#table.aorCount }
  }

  /** Octets outside the heap. */
  get bytes(): number {
    return this.#table.bytes
  }

  /** Is there room for so many more? */
  hasRoomFor(count: number): boolean {
    return this.bindingCount + count <= this.#bindingsMax && this.#table.hasRoomFor(count)
  }

  /**
   * Finds out what other edges have of this address-of-record, for of(). Null: there is nothing to wait for, as always where
   * there is one edge. Otherwise true once it is known, or false if nobody could say in time. Never rejects.
   */
  fetch(aor: string): Promise<boolean> | null {
    return this.#sharing === null ? null : this.#sharing.fetch(aor)
  }

  /**
   * What has not expired, in the order in which it came, those on flows after those without, other edges' last, as far as
   * they are known: fetch(). The array is not to be changed.
   */
  of(aor: string, now = this.#clock.now()): readonly Binding[] {
    const kept = this.#table.of(aor)
    const held = this.#held.of(aor)
    const own = held.length === 0 ? kept : kept.length === 0 ? held : [...kept, ...held]
    const bindings = this.#sharing === null ? own : this.#sharing.allOf(aor, own)
    for (const binding of bindings) {
      if (binding.expiresAt <= now) return bindings.filter(({ expiresAt }) => expiresAt > now)
    }
    return bindings
  }

  /** This edge's own. */
  byRuid(ruid: string): Binding | undefined {
    return this.#held.byRuid(ruid) ?? this.#table.byRuid(ruid)
  }

  /** Bindings that hang on flows, or that the store is not to know. */
  held(): IterableIterator<Binding> {
    return this.#held.all()
  }

  /**
   * Some of all other bindings, a millisecond's work: from the beginning (null), or from where the page before ended.
   * Those that are there all the while are met once, those of one address-of-record together. What has expired and was
   * not removed yet is among them.
   */
  tablePage(from: PageMark | null): Page {
    return this.#table.page(from)
  }

  /**
   * Until what it returns is called. `onRefresh` hears of refresh() instead, where a binding has nothing new but Call-ID,
   * CSeq and times; who does not give it wants to see every binding, which makes registrations dearer.
   */
  onChange(listener: ChangeListener, onRefresh: RefreshListener | null = null): () => void {
    return this.#listeners.add(listener, onRefresh)
  }

  /**
   * What nearly every REGISTER is, in one step: the address-of-record has one binding, in memory, and it is bound again
   * with another Call-ID or a higher CSeq, and other times. If it is something else, nothing has changed, and of() and
   * apply() are to find out what is to be done. Never `absent` where there is no room for one more.
   */
  refresh(after: Refreshed, now = this.#clock.now()): RefreshOutcome {
    // The others are told of what apply() makes.
    if (this.#sharing !== null) return 'other'
    if (this.#held.of(after.aor).length > 0 || this.#listeners.seeAll) return 'other'
    const outcome = this.#table.refresh(after, now)
    if (outcome === 'absent' && !this.hasRoomFor(1)) return 'other'
    if (outcome === 'done') this.#listeners.refreshed(after.origin)
    return outcome
  }

  /**
   * Makes the changes, visible at once. Null: that was all, as always in memory. Otherwise fulfilled when they are
   * durable and other edges know; rejects, after having undone them, if the store refuses or there is no room, or with
   * Outdated if another edge has heard something newer. `waitsForOthers` false: they are told, and nobody waits for it.
   */
  apply(changes: readonly Change[], waitsForOthers = true): Promise<void> | null {
    const ready = this.#sharing === null ? this.#makeAll(changes) : this.#shareAll(changes, waitsForOthers)
    if (ready === null || !this.#answersFirst() || typeof this.#table.refusal?.() === 'string') return ready
    ready.catch((error) => this.#complain(error))
    return null
  }

  #shareAll(changes: readonly Change[], waits: boolean): Promise<void> | null {
    const made = this.#makeAll(ownPart(changes))
    const told = this.#sharing?.tell(changes, made) ?? null
    if (waits || told === null) return told
    told.catch((error) => this.#complain(error))
    return made
  }

  #makeAll(changes: readonly Change[]): Promise<void> | null {
    const [first] = changes
    if (first === undefined) return null
    if (changes.length === 1) return this.#make(first)
    const ready = changes.map((change) => this.#make(change))
    return ready.every((promise) => promise === null) ? null : this.#allOrNone(changes, ready)
  }

  /** Same, where nobody waits for the store: its refusal is logged. What hangs on a flow stays as it is in memory. */
  applyUnwatched(changes: readonly Change[]): void {
    for (const change of changes) {
      const [own] = ownPart([change])
      const made = own === undefined ? null : this.#makeUnwatched(own)
      const ready = this.#sharing === null ? made : this.#sharing.tell([change], made)
      ready?.catch((error) => this.#complain(error))
    }
  }

  #makeUnwatched(change: Change): Promise<void> | null {
    const { before, after } = change
    if (this.#isTables(before) || this.#isTables(after)) return this.#make(change)
    this.#hold(before, after)
    this.#tell(change)
    this.#tellHeldStore(before, after)
    return null
  }

  /** Another edge has it now, or has removed it. */
  lose(ruid: string): void {
    const before = this.byRuid(ruid)
    if (before !== undefined)
      this.#makeUnwatched({ before, after: null })?.catch((error) => this.#complain(error))
  }

  /** What has not expired, some at a time: for others who have forgotten it, or do not know it yet. */
  pages(): Iterable<readonly Binding[]> {
    return alivePages(this.#table, this.#held, this.#clock)
  }

  /** Removes what has expired by now and says so to the listeners. How many. */
  expire(): number {
    let count = 0
    for (let isMore = true; isMore; ) {
      const some = this.expireSome()
      count += some.count
      isMore = some.isMore
    }
    return count
  }

  /** Same, some milliseconds' work of it. */
  expireSome(): { count: number; isMore: boolean } {
    const now = this.#clock.now()
    const held = this.#held.due(now)
    for (const binding of held) {
      // All workers see it for themselves, one of them says it.
      const isOurs = this.#peers?.isInCharge(binding.ruid) ?? true
      this.#keep(binding, null)
      this.#say(isOurs ? 'expired' : 'removed', binding, binding, !isOurs)
      if (isOurs) this.#tellHeldStore(binding, null)
    }
    const { bindings, isMore } = this.#table.takeExpired(now, limits.expiredAtOnceMax)
    for (const binding of bindings) {
      this.#noteAlone(binding)
      this.#say('expired', binding, binding)
    }
    return { count: held.length + bindings.length, isMore }
  }

  /** Tells the store when a flow was last heard from, seldom enough to cost nothing. */
  noteHeard(binding: Binding): void {
    const state = binding.flow
    if (state === null || state.lastSeen - state.storedAt < flowStoreInterval) return
    state.storedAt = state.lastSeen
    this.#tellHeldStore(binding, binding)
  }

  /** What another worker has made of a held binding; null: it is gone. The store knows. */
  receive(ruid: string, after: Binding | null): void {
    const before = this.#held.byRuid(ruid) ?? null
    const subject = after ?? before
    if (subject === null) return
    this.#keep(before, after)
    this.#say(after === null ? 'removed' : before === null ? 'added' : 'updated', subject, before, true)
  }

  /** Reads the held bindings that the store has, once; drops what has expired meanwhile. How many bindings there are. */
  restore(): number {
    if (this.#isRestored) return this.bindingCount
    this.#isRestored = true
    const hasRoom = () => this.hasRoomFor(1)
    for (const binding of this.#heldStore?.restore(hasRoom) ?? []) {
      this.#hold(null, binding)
      this.#say('added', binding, null)
    }
    return this.bindingCount
  }

  /** Takes over what a store of the time before bindings were packed has. How many. */
  async migrate(ruidFor: (aor: string, old: string) => string): Promise<number> {
    let count = 0
    for (const batch of this.#heldStore?.former() ?? []) {
      const moves = batch.map((binding) => this.#takeOver(binding, ruidFor(binding.aor, binding.ruid)))
      await Promise.all(moves)
      count += batch.length
    }
    return count
  }

  /** If the store refuses, it is held in memory, and the store keeps it as it was. */
  async #takeOver(binding: Binding, ruid: string): Promise<void> {
    const moved = { ...binding, ruid }
    // Written in this order, and so committed: a crash leaves one of the two.
    const changed = this.#table.change(null, moved)
    const removed = this.#heldStore?.remove(binding.ruid)
    const outcomes = await Promise.allSettled([changed, removed])
    if (outcomes[0].status === 'fulfilled') return
    this.#complain(outcomes[0].reason)
    this.#hold(null, { ...moved, isDurable: false })
  }

  /** Fulfilled when all that was changed so far is on the disk. */
  async flushed(): Promise<void> {
    await this.#table.flushed()
    await this.#heldStore?.flushed()
  }

  /** Null: done. */
  #make(change: Change, cause?: ChangeCause): Promise<void> | null {
    const { before, after } = change
    const wasHeld = this.#isHeld(before)
    const willBeHeld = this.#isHeld(after)
    const changed =
      wasHeld && willBeHeld ? 'done' : this.#table.change(wasHeld ? null : before, willBeHeld ? null : after)
    if (changed === 'full') return Promise.reject(new Error('the location table is full'))
    if (wasHeld || willBeHeld) this.#hold(wasHeld ? before : null, willBeHeld ? after : null)
    else this.#noteAlone(after ?? before)
    this.#tell(change, cause)
    const stored = wasHeld || willBeHeld ? this.#storeHeld(before, after) : null
    if (changed === 'done' && stored === null) return null
    const ready = changed === 'done' ? stored : stored === null ? changed : allOf([changed, stored])
    return ready === null ? null : this.#undoing(ready, change)
  }

  /** What was made of a request that was not made as a whole is taken back. */
  async #allOrNone(changes: readonly Change[], ready: readonly (Promise<void> | null)[]): Promise<void> {
    const outcomes = await Promise.allSettled(ready)
    const refusal = outcomes.find((outcome) => outcome.status === 'rejected')
    if (refusal === undefined) return
    this.#takeBack(changes.filter((_, i) => outcomes[i]?.status === 'fulfilled'))
    throw refusal.reason
  }

  /** Except where somebody else has changed it since. */
  #takeBack(changes: readonly Change[]): void {
    for (const { before, after } of changes) {
      const subject = after ?? before
      if (subject === null) continue
      const current = this.of(subject.aor).find(({ ruid }) => ruid === subject.ruid) ?? null
      if (!isSame(current, after)) continue
      this.#make({ before: after, after: before }, 'undone')?.catch((error) => this.#complain(error))
    }
  }

  async #undoing(ready: Promise<void>, change: Change): Promise<void> {
    try {
      await ready
    } catch (error) {
      this.#undo(change, error)
      throw error
    }
  }

  /** Back to what was before, except where somebody else has changed it since. */
  #undo({ before, after }: Change, error: unknown): void {
    const wasHeld = this.#isHeld(before)
    const willBeHeld = this.#isHeld(after)
    if (wasHeld || willBeHeld) {
      const ruid = (after ?? before)?.ruid ?? ''
      if (this.#held.byRuid(ruid) !== (willBeHeld ? (after ?? undefined) : undefined)) return
      this.#hold(willBeHeld ? after : null, wasHeld ? before : null)
    }
    // What is kept in the table has been undone there.
    else if (error instanceof Undone && error.isSuperseded) return
    else this.#noteAlone(after ?? before)
    const subject = before ?? after
    if (subject !== null) this.#say('undone', subject, after)
  }

  /** With its flow, or in memory only where there is a store: kept as an object. */
  #isHeld(binding: Binding | null): boolean {
    return binding !== null && (binding.flow !== null || (this.isDurable && !binding.isDurable))
  }

  #isTables(binding: Binding | null): boolean {
    return binding !== null && !this.#isHeld(binding)
  }

  #hold(before: Binding | null, after: Binding | null): void {
    this.#keep(before, after)
    this.#peers?.changed(this.name, (after ?? before)?.ruid ?? '', after)
  }

  #keep(before: Binding | null, after: Binding | null): void {
    this.#held.change(before, after)
    this.#noteAlone(after ?? before)
  }

  #noteAlone(binding: Binding | null): void {
    if (binding !== null && this.#held.count + this.#held.aloneCount > 0) {
      this.#held.note(binding.aor, this.#table.of(binding.aor).length > 0)
    }
  }

  #storeHeld(before: Binding | null, after: Binding | null): Promise<void> | null {
    return this.#heldStore?.change(before, after) ?? null
  }

  #tellHeldStore(before: Binding | null, after: Binding | null): void {
    this.#storeHeld(before, after)?.catch((error) => this.#complain(error))
  }

  #complain(error: unknown): void {
    if (error instanceof Outdated)
      this.#log.debug({ table: this.name }, 'another edge knows better: a binding is as it was')
    else this.#log.warn({ err: error, table: this.name }, 'the store refused a binding')
  }

  #tell({ before, after }: Change, cause?: ChangeCause): void {
    const subject = after ?? before
    if (subject === null || this.#listeners.isEmpty) return
    this.#say(cause ?? (after === null ? 'removed' : before === null ? 'added' : 'updated'), subject, before)
  }

  #say(cause: ChangeCause, binding: Binding, before: Binding | null, isElsewhere = false): void {
    this.#listeners.changed(cause, binding, before, isElsewhere)
  }
}

function isSame(a: Binding | null, b: Binding | null): boolean {
  if (a === null || b === null || a === b) return a === b
  return (
    a.contact === b.contact &&
    a.callId === b.callId &&
    a.cseq === b.cseq &&
    // To the millisecond, which is what is kept; what never expires is no number of them.
    (a.expiresAt === b.expiresAt || Math.abs(a.expiresAt - b.expiresAt) <= 1)
  )
}

async function allOf(promises: readonly Promise<void>[]): Promise<void> {
  if (promises.length === 1) return promises[0]
  const outcomes = await Promise.allSettled(promises)
  for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
}
