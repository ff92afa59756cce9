import type { Binding, Origin } from './binding.ts'

/** Why a binding went, or that it came. */
export type ChangeCause = 'added' | 'updated' | 'removed' | 'expired' | 'undone'

/** `isElsewhere`: another worker has changed it, and its listeners have heard of it as what they are to act on. */
export type ChangeListener = (
  cause: ChangeCause,
  binding: Binding,
  before: Binding | null,
  isElsewhere: boolean,
) => void

/** Hears that a binding of this origin has been refreshed. */
export type RefreshListener = (origin: Origin) => void

/** Who hears of what changes in a table. */
export class ChangeListeners {
  readonly #listeners: ChangeListener[] = []
  /** One for each of them. */
  readonly #refreshListeners: (RefreshListener | null)[] = []

  get isEmpty(): boolean {
    return this.#listeners.length === 0
  }

  /** Somebody wants to see every binding, also one that is refreshed. */
  get seeAll(): boolean {
    return this.#refreshListeners.includes(null)
  }

  /** Until what it returns is called. */
  add(listener: ChangeListener, onRefresh: RefreshListener | null): () => void {
    this.#listeners.push(listener)
    this.#refreshListeners.push(onRefresh)
    return () => {
      const index = this.#listeners.indexOf(listener)
      if (index < 0) return
      this.#listeners.splice(index, 1)
      this.#refreshListeners.splice(index, 1)
    }
  }

  changed(cause: ChangeCause, binding: Binding, before: Binding | null, isElsewhere: boolean): void {
    for (const listener of this.#listeners) listener(cause, binding, before, isElsewhere)
  }

  refreshed(origin: Origin): void {
    for (const listener of this.#refreshListeners) listener?.(origin)
  }
}
