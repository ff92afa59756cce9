import { limits, type ResponseContext } from '../../src/plugin/index.ts'

/**
 * Transactions that t_suspend() left waiting, by what `$T(id_index)` and `$T(id_label)` say of them. The proxy ends
 * those that nobody continues; they leave this table when it has doubled since the last look.
 */
export class SuspendedTransactions {
  readonly #byLabel = new Map<number, ResponseContext>()
  #sweepAt = sweepAtLeast

  get size(): number {
    return this.#byLabel.size
  }

  add(context: ResponseContext): boolean {
    if (this.#byLabel.size >= this.#sweepAt) this.#sweep()
    if (this.#byLabel.size >= limits.suspendedRunsMax || !context.suspend()) return false
    this.#byLabel.set(labelOf(context), context)
    return true
  }

  /** Null if none waits under that number. */
  take(index: number, label: number): ResponseContext | null {
    const context = this.#byLabel.get(label)
    if (context === undefined || indexOf(context) !== index) return null
    this.#byLabel.delete(label)
    return context.isSuspended ? context : null
  }

  #sweep(): void {
    for (const [label, context] of this.#byLabel) if (!context.isSuspended) this.#byLabel.delete(label)
    this.#sweepAt = Math.min(limits.suspendedRunsMax, Math.max(sweepAtLeast, 2 * this.#byLabel.size))
  }
}

/** So many may stay although they are over: an ended context keeps its request in memory. */
const sweepAtLeast = 64

export function indexOf(context: ResponseContext): number {
  return context.server.id % 65_536
}

export function labelOf(context: ResponseContext): number {
  return context.server.id
}
