import type { Binding } from './binding.ts'
import type { Refreshed } from './record-refresh.ts'

/**
 * Where the bindings of one location table are kept: packed in memory (packed-bindings.ts) or in the store
 * (stored-bindings.ts). What hangs on a flow is not here but with the Location, as objects.
 */
export interface BindingTable {
  readonly isDurable: boolean
  readonly bindingCount: number
  readonly aorCount: number
  /** Octets that it takes of the region; 0 if it has none. */
  readonly bytes: number
  /** Is there room for so many more, however long they are? */
  hasRoomFor(count: number): boolean
  /** In the order in which they came, also those that have expired and were not taken out yet. */
  of(aor: string): readonly Binding[]
  byRuid(ruid: string): Binding | undefined
  /** Of both the same aor and, if neither is null, the same ruid. */
  change(before: Binding | null, after: Binding | null): Changed
  /**
   * The same device again: its address-of-record has this binding alone, and what differs is Call-ID, CSeq (a higher
   * one, if the Call-ID is the same) and times.
   */
  refresh(after: Refreshed, now: number): RefreshOutcome
  /** Takes out what has expired. Looks at no more than so many, and says if there may be more. */
  takeExpired(now: number, limit: number): Expired
  /** Some of all bindings: those from a page on, null for the first one. */
  page(from: PageMark | null): Page
  flushed(): Promise<void>
  /** Why the store would refuse a change now; null, or absent, if it would not. */
  refusal?(): string | null
}

export type RefreshOutcome =
  | 'done'
  /** There is no binding of this address-of-record. */
  | 'absent'
  /** Something else is to be done, or it cannot be done at once. As with `absent`, nothing has changed. */
  | 'other'

/** Visible at once. */
export type Changed =
  /** There is nothing to wait for. */
  | 'done'
  /** No room: nothing has changed. */
  | 'full'
  /** Fulfilled when it is durable; what a refusal leaves behind is for the table to undo, and what it says is an Undone. */
  | Promise<void>

/** The store refused a change. */
export class Undone extends Error {
  override readonly name = 'Undone'
  /** Somebody has changed the same binding since: there was nothing to undo. */
  readonly isSuperseded: boolean

  constructor(cause: unknown, isSuperseded: boolean) {
    super(cause instanceof Error ? cause.message : String(cause), { cause })
    this.isSuperseded = isSuperseded
  }
}

export interface Expired {
  /** They are gone. */
  readonly bindings: readonly Binding[]
  readonly isMore: boolean
}

export type PageMark = string | number | object

export interface Page {
  readonly bindings: readonly Binding[]
  /** Null: that was the last one. */
  readonly next: PageMark | null
}
