import { limits } from '../../src/plugin/index.ts'
import type { Item, ToldChange } from './edge-scripts.ts'
import type { ScriptTable } from './hash-table.ts'
import { type Batch, type Change, settleAll, type UntoldChanges } from './untold.ts'

/**
 * What this router knows of a table that edges share: in which version it has each entry, and whose change comes last. The
 * order is Redis'. An entry that has been changed here is this router's own until Redis has said where in that order the
 * change stands; what others did meanwhile is held back, and is the later one or not.
 */
export class Replica {
  readonly #table: ScriptTable
  readonly #untold: UntoldChanges
  readonly #known = new Map<string, Known>()
  /** Versions of what was removed lately: a page or a message may be older than that. */
  #gone = new Map<string, number>()
  #goneBefore = new Map<string, number>()
  #forgotAt = 0
  readonly #held = new Map<string, Item>()
  #underWay: Batch = nothing
  #round = 0

  constructor(table: ScriptTable, untold: UntoldChanges) {
    this.#table = table
    this.#untold = untold
  }

  get underWay(): Batch | null {
    return this.#underWay === nothing ? null : this.#underWay
  }

  set underWay(batch: Batch | null) {
    this.#underWay = batch ?? nothing
  }

  /** From here on Redis' entries are read, page by page. */
  beginRound(): void {
    this.#round++
  }

  /** Others have made a change. False if there was no room for it. */
  receive(item: Item): boolean {
    if (item.action === 'c') {
      this.#clearBefore(item.version, true)
      return true
    }
    if (!this.#isPending(item.key)) return this.#settle(item)
    this.#hold(item)
    return true
  }

  /** An entry of a page. What is here and newer, Redis has lost: a failover may. */
  load(item: Item): boolean {
    const known = this.#known.get(item.key)
    const isNewer = known !== undefined && known.round !== this.#round && known.version > item.version
    if (!isNewer || this.#isPending(item.key)) return this.receive(item)
    known.round = this.#round
    this.#untold.note(item.key, 'restore', 0, false)
    return true
  }

  /**
   * An entry that is here, when all pages have been read: `kept` if Redis has it, `lost` if it had; otherwise somebody has
   * removed it, and it goes.
   */
  judge(key: string, joinedAt: number, putsBack: boolean): 'kept' | 'lost' | 'removed' {
    const known = this.#known.get(key)
    if (this.#isPending(key) || known?.round === this.#round) return 'kept'
    if (putsBack || (known !== undefined && known.version > joinedAt)) return 'lost'
    this.#drop(key)
    return 'removed'
  }

  /** The batch under way as it is told: what its entries are by now. */
  told(): ToldChange[] {
    const { clears, changes } = this.#underWay
    const told: ToldChange[] = clears ? [['c', '', '', '', '0', '']] : []
    for (const [key, change] of changes) told.push(this.#toldOf(key, change))
    return told
  }

  /** Redis has made the batch under way. `results` has an answer for each change. */
  confirm(version: number, results: readonly string[]): void {
    const { clears, changes } = this.#underWay
    if (clears) this.#clearBefore(version, false)
    this.#underWay = nothing
    let index = Number(clears)
    for (const [key, change] of changes) this.#confirmOne(key, change, version, results[index++] ?? '')
  }

  /** It has changed and nobody will be told: what Redis has of it is newer. */
  forgetVersion(key: string): void {
    this.#known.delete(key)
    this.#gone.delete(key)
    this.#goneBefore.delete(key)
  }

  /** Redis has lost what it knew: also what was removed lately, which an edge that was cut off may still have. */
  tellRemovals(): void {
    for (const gone of [this.#goneBefore, this.#gone]) {
      for (const key of gone.keys()) if (!this.#table.has(key)) this.#untold.note(key, 'restore', 0, false)
    }
  }

  /** Now and then: entries that have ended, and removals that are long past. */
  forget(ended: readonly { readonly key: string }[], now: number, isLoading: boolean): void {
    for (const { key } of ended) this.#known.delete(key)
    if (isLoading) return
    const isTime = now - this.#forgotAt > limits.htableTombstoneMilliseconds
    if (isTime || this.#gone.size > limits.htableUntoldMax) {
      this.#goneBefore = this.#gone
      this.#gone = new Map()
      this.#forgotAt = now
    }
    // What other workers have swept.
    if (this.#known.size <= 2 * this.#table.size + 1_000) return
    for (const key of this.#known.keys()) if (!this.#table.has(key)) this.#known.delete(key)
  }

  #toldOf(key: string, { kind, amount, renews }: Change): ToldChange {
    const value = this.#table.get(key)
    const left = String(this.#table.expiry(key) * 1_000)
    const mode = renews ? 'r' : 'k'
    const { initialValue } = this.#table.definition
    if (kind === 'add') return ['a', key, String(initialValue ?? ''), String(amount), left, mode]
    if (kind === 'expire') return ['x', key, '', '', left, 'r']
    if (kind === 'restore' && !this.#table.has(key)) {
      const version = this.#removedAt(key) ?? this.#known.get(key)?.version ?? 1
      return ['p', key, 'x', '', String(limits.htableTombstoneMilliseconds), version.toFixed(0)]
    }
    if (kind === 'remove' || value === null || !this.#table.has(key)) return ['d', key, '', '', '0', '']
    const type = typeof value === 'number' ? 'i' : 's'
    if (kind === 'set') return ['s', key, type, String(value), left, mode]
    return ['p', key, type, String(value), left, (this.#known.get(key)?.version ?? 0).toFixed(0)]
  }

  #confirmOne(key: string, change: Change, version: number, result: string): void {
    const held = this.#held.get(key)
    const later = this.#untold.get(key)
    const isLater = held !== undefined && (held.version > version || !isWhole(change, result))
    if (change.kind === 'add') settleWaiters(change, result)
    if (later?.kind === 'add') this.#addTo(key, isLater ? Number(held.value) : sumOf(result), later.amount)
    if (later === undefined || !isLater) this.#held.delete(key)
    if (later !== undefined) {
      if (!isLater && change.kind !== 'restore') this.#note(key, version)
      return
    }
    if (change.kind === 'add') this.#addTo(key, sumOf(result), 0)
    if (!isWhole(change, result) && result === '') this.#drop(key)
    const left = this.#table.expiry(key)
    if (isLater) this.#settle(held)
    if (isLater && held.version > version) return
    if (isLater && change.kind === 'expire') this.#table.setExpiry(key, left)
    if (change.kind !== 'restore') this.#note(key, version)
  }

  #removedAt(key: string): number | undefined {
    return this.#gone.get(key) ?? this.#goneBefore.get(key)
  }

  /** Redis has no such entry: others have removed it, or all. */
  #drop(key: string): void {
    this.#table.remove(key)
    this.#known.delete(key)
  }

  /** Entries that were added to here while Redis added somewhere else: the sum of both. */
  #addTo(key: string, base: number, amount: number): void {
    if (Number.isNaN(base) || !this.#table.has(key)) return
    this.#table.set(key, base + amount, this.#table.expiry(key))
  }

  #note(key: string, version: number): void {
    if (this.#table.has(key)) this.#known.set(key, { version, round: this.#round })
    else this.#remember(key, version)
  }

  #remember(key: string, version: number): void {
    this.#known.delete(key)
    this.#gone.set(key, version)
  }

  #settle(item: Item): boolean {
    const { key, version, leftMs, action, value } = item
    const known = this.#known.get(key)
    if (version <= (known?.version ?? this.#removedAt(key) ?? 0)) {
      if (known !== undefined) known.round = this.#round
      return true
    }
    if (action === 'd') {
      this.#table.remove(key)
      this.#remember(key, version)
      return true
    }
    const keepsEnd = action === 'k' && this.#table.has(key)
    const seconds = keepsEnd ? this.#table.expiry(key) : Math.ceil(leftMs / 1_000)
    if (!this.#table.set(key, value, seconds)) return false
    this.#known.set(key, { version, round: this.#round })
    return true
  }

  /** A removal of all and what came after it may have one version. */
  #hold(item: Item): void {
    const held = this.#held.get(item.key)
    if (held === undefined || held.version <= item.version) this.#held.set(item.key, item)
  }

  /** What has changed here since was made after a clear of our own, and before or after one of others. */
  #clearBefore(version: number, isOthers: boolean): void {
    for (const [key, { version: at }] of this.#held) if (at < version) this.#held.delete(key)
    // Entries that a clear of our own has taken out already.
    for (const key of this.#known.keys()) if (!this.#table.has(key)) this.#known.delete(key)
    for (const [key] of this.#table.live()) {
      if (this.#isPending(key)) {
        if (isOthers) this.#hold({ action: 'd', key, value: '', leftMs: 0, version })
      } else if ((this.#known.get(key)?.version ?? 0) < version) {
        this.#drop(key)
      }
    }
  }

  #isPending(key: string): boolean {
    return this.#untold.get(key) !== undefined || this.#underWay.changes.has(key)
  }
}

interface Known {
  readonly version: number
  /** When pages were read last and it was among them, or has been changed since. */
  round: number
}

const nothing: Batch = { clears: false, changes: new Map() }

/** Whether it made the entry what it is here, whatever that was in Redis; the others build on what they find there. */
function isWhole({ kind }: Change, result: string): boolean {
  return kind === 'set' || kind === 'remove' || (kind === 'add' && result !== '')
}

function sumOf(result: string): number {
  return result === '' ? Number.NaN : Number(result)
}

/** Each gets the sum as it was after what it added itself: no two get the same. */
function settleWaiters({ waiters, amount }: Change, result: string): void {
  if (result === '') settleAll(waiters)
  else for (const { upTo, settle } of waiters ?? []) settle(Number(result) - (amount - upTo))
}
