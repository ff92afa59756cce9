import { limits } from '../../src/plugin/index.ts'

/**
 * Changes of a shared table that Redis does not know yet. Each says which entry has changed and how; what the entry is
 * by now is read when it is told, so that however often something changes while Redis is away, it takes one place.
 */
export interface Change {
  kind: 'set' | 'add' | 'expire' | 'remove' | 'restore'
  /** Of `add`: the sum of all that was added. */
  amount: number
  /** It lives from now on; otherwise an entry that is there keeps its end. */
  renews: boolean
  /** Who waits for the sum, and how much had been added when they began. */
  waiters: Waiter[] | null
}

export interface Waiter {
  readonly upTo: number
  /** Null: Redis has not said. */
  settle(sum: number | null): void
}

export interface Batch {
  readonly clears: boolean
  readonly changes: ReadonlyMap<string, Change>
}

export class UntoldChanges {
  #waiting = new Map<string, Change>()
  #clears = false
  #isOverflown = false

  get size(): number {
    return this.#waiting.size + Number(this.#clears)
  }

  /** Some changes were not noted: there were too many. */
  get isOverflown(): boolean {
    return this.#isOverflown
  }

  get(key: string): Change | undefined {
    return this.#waiting.get(key)
  }

  /** False if there is no room: what was written is here, and nobody will be told. */
  note(key: string, kind: Change['kind'], amount: number, renews: boolean, waiter?: Waiter): boolean {
    const known = this.#waiting.get(key)
    if (known === undefined) {
      if (this.#waiting.size >= limits.htableUntoldMax) {
        this.#isOverflown = true
        waiter?.settle(null)
        return false
      }
      this.#waiting.set(key, { kind, amount, renews, waiters: waiter === undefined ? null : [waiter] })
      return true
    }
    merge(known, kind, amount, renews)
    if (waiter !== undefined) {
      known.waiters ??= []
      known.waiters.push({ ...waiter, upTo: known.amount })
    }
    return true
  }

  /** All that was written before it need not be told. */
  noteClear(): void {
    for (const { waiters } of this.#waiting.values()) settleAll(waiters)
    this.#waiting.clear()
    this.#clears = true
  }

  /** The oldest of them, as many as one script takes. */
  take(): Batch {
    const changes = new Map<string, Change>()
    for (const [key, change] of this.#waiting) {
      if (changes.size >= limits.htableBatchMax) break
      changes.set(key, change)
    }
    for (const key of changes.keys()) this.#waiting.delete(key)
    const clears = this.#clears
    this.#clears = false
    return { clears, changes }
  }

  /** A batch that was not made: it is older than what has been noted since. */
  giveBack({ clears, changes }: Batch): void {
    const newer = this.#waiting
    if (this.#clears) return
    this.#clears = clears
    this.#waiting = new Map(changes)
    for (const [key, change] of newer) {
      const older = this.#waiting.get(key)
      if (older === undefined) this.#waiting.set(key, change)
      else {
        merge(older, change.kind, change.amount, change.renews)
        settleAll(change.waiters)
      }
    }
  }

  /** Redis has lost what was added to: the sums themselves are told. */
  setSums(): void {
    for (const change of this.#waiting.values()) {
      if (change.kind !== 'add' && change.kind !== 'expire') continue
      settleAll(change.waiters)
      change.waiters = null
      change.kind = 'set'
    }
  }

  forgetOverflow(): void {
    this.#isOverflown = false
  }
}

/** What two changes of one entry come to. A removal and then a value is a value; an end of its own stays. */
function merge(known: Change, kind: Change['kind'], amount: number, renews: boolean): void {
  if (kind === 'add') {
    if (known.kind === 'remove' || known.kind === 'restore') {
      known.renews = true
      known.kind = 'set'
    } else if (known.kind !== 'set') {
      known.kind = 'add'
      known.amount += amount
    }
  } else if (kind === 'expire') {
    if (known.kind === 'restore') known.kind = 'set'
  } else if (kind === 'restore') {
    return
  } else {
    if (known.kind === 'remove' || known.kind === 'restore') known.renews = true
    known.kind = kind
  }
  known.renews ||= renews
}

export function settleAll(waiters: readonly Waiter[] | null): void {
  for (const waiter of waiters ?? []) waiter.settle(null)
}
