import type { Binding } from './binding.ts'
import type { Change } from './location.ts'

/**
 * What the edges of one location have in common of one table, as Location sees it (docs/decisions/0025-edges.md). What
 * this edge has bound itself is in its own BindingTable; here is what others have, as far as it is known, and here others
 * are told what changes.
 */
export interface SharedTable {
  /**
   * Finds out what others have of this address-of-record. Null: of() knows already. Otherwise true once it does, or false if
   * nobody could say within the deadline. Never rejects.
   */
  fetch(aor: string): Promise<boolean> | null
  /** Bindings of other edges that have not expired; [] if there are none, or if that is not known. */
  of(aor: string): readonly Binding[]
  /**
   * Tells the others, in this order, what has been made here. `before` may be another edge's binding, which this one replaces or
   * removes: of() has it no more once it is told, or is to be told later. Null: nothing to wait for, it is told later (Redis is
   * away, or the binding is not to be shared). Otherwise fulfilled when they know, or when it is clear that they are told later;
   * rejects with Outdated if one of the changes came too late, and then none was told. Nothing is told of what expires.
   */
  tell(changes: readonly Change[]): Promise<void> | null
}

/** Another edge has heard something newer of the same binding: the change is not to be made. */
export class Outdated extends Error {
  override readonly name = 'Outdated'
}

/** What a shared table asks of the Location whose it is. */
export interface OwnBindings {
  /** Another edge has it now, or has removed it: gone here, and nobody is told. */
  lose(ruid: string): void
  /** All that others should know, some at a time: for a directory that has forgotten. */
  pages(): Iterable<readonly Binding[]>
}

/** A binding that another edge has. */
export interface Elsewhere {
  readonly edge: Owner
  /** It can be reached without its edge: its contact is no NAT's. */
  readonly isDirect: boolean
}

/** Another edge; one object for all of its bindings. */
export interface Owner {
  readonly name: string
  /** `sip:192.0.2.7:5060`: where requests for its bindings go. */
  readonly uri: string
  /** False: what only it can reach is cold. */
  readonly isAlive: boolean
}
