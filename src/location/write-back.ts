import type { Call } from '../database/database.ts'
import { limits } from '../limits.ts'
import type { Binding } from './binding.ts'
import type { Changed, Expired, RefreshOutcome } from './binding-table.ts'
import { LoadedBindings } from './loaded-bindings.ts'
import type { Refreshed } from './record-refresh.ts'

/**
 * db_mode 2: bindings in memory, and what has changed is written to the database now and then. Remembered are not
 * changes but addresses-of-record: what is written is how things are then. A crash loses what was not written.
 */
interface Unwritten {
  /** Names of bindings that are gone; null: more than are remembered, so that all rows are written anew. */
  removed: readonly string[] | null
}

/** Addresses-of-record of one transaction: a millisecond's work. */
const aorsPerTransaction = 64
const removedRememberedMax = 8
const noneRemoved: readonly string[] = []

export class WriteBackBindings extends LoadedBindings {
  readonly #unwritten = new Map<string, Unwritten>()
  #work: Promise<boolean> | null = null

  /** Addresses-of-record of which the database knows an older state. */
  get unwrittenCount(): number {
    return this.#unwritten.size
  }

  override change(before: Binding | null, after: Binding | null): Changed {
    if (this.#unwritten.size >= limits.bindingsMax) return 'full'
    const changed = this.front.change(before, after)
    if (changed === 'done') this.#note(before, after)
    return changed
  }

  override refresh(after: Refreshed, now: number): RefreshOutcome {
    const outcome = this.front.refresh(after, now)
    if (outcome === 'done' && after.isDurable) this.#noteAor(after.aor)
    return outcome
  }

  override takeExpired(now: number, limit: number): Expired {
    const expired = this.front.takeExpired(now, limit)
    for (const binding of expired.bindings) this.#note(binding, null)
    return expired
  }

  /** Writes what has changed; false if the database has refused, and then nothing of it is forgotten. */
  writeBack(): Promise<boolean> {
    this.#work ??= this.#write().finally(() => {
      this.#work = null
    })
    return this.#work
  }

  /** What comes while it is being written is written too. Rejects if the database refuses. */
  override async flushed(): Promise<void> {
    await this.#work
    if (!(await this.writeBack())) throw new Error('the database takes no registrations')
  }

  protected override forget(expired: readonly Binding[]): void {
    for (const binding of expired) this.#note(binding, null)
  }

  #note(before: Binding | null, after: Binding | null): void {
    const subject = after ?? before
    if (subject === null || !subject.isDurable) return
    const unwritten = this.#noteAor(subject.aor)
    if (after !== null || before === null || unwritten.removed === null) return
    unwritten.removed =
      unwritten.removed.length < removedRememberedMax ? [...unwritten.removed, before.ruid] : null
  }

  #noteAor(aor: string): Unwritten {
    const existing = this.#unwritten.get(aor)
    if (existing !== undefined) return existing
    const unwritten: Unwritten = { removed: noneRemoved }
    // A text of its own: the one that came may be a piece of a message.
    this.#unwritten.set(Buffer.from(aor, 'latin1').toString('latin1'), unwritten)
    if (this.#unwritten.size === limits.locationUnwrittenMax) void this.writeBack()
    return unwritten
  }

  /** As many as there are now: who refreshes meanwhile is written too, or the next time. */
  async #write(): Promise<boolean> {
    let left = this.#unwritten.size
    let some: [string, Unwritten][] = []
    for (const one of this.#unwritten) {
      some.push(one)
      if (--left > 0 && some.length < aorsPerTransaction) continue
      if (!(await this.#writeSome(some))) return false
      if (left === 0) break
      some = []
    }
    return true
  }

  async #writeSome(some: readonly [string, Unwritten][]): Promise<boolean> {
    const { rows, writer, toWall } = this.database
    const calls: Call[] = []
    for (const [aor, { removed }] of some) {
      // What is noted from here on is for another time.
      this.#unwritten.delete(aor)
      if (removed === null) calls.push(rows.removeAor(aor))
      else for (const ruid of removed) calls.push(rows.remove(ruid))
      for (const binding of this.front.of(aor)) if (binding.isDurable) calls.push(rows.put(binding, toWall))
    }
    try {
      await writer.write(calls)
      return true
    } catch {
      for (const one of some) this.#takeBack(one)
      return false
    }
  }

  #takeBack([aor, { removed }]: [string, Unwritten]): void {
    const since = this.#unwritten.get(aor)
    if (since === undefined) this.#unwritten.set(aor, { removed })
    else since.removed = joined(removed, since.removed)
  }
}

function joined(a: readonly string[] | null, b: readonly string[] | null): readonly string[] | null {
  if (a === null || b === null || a.length + b.length > removedRememberedMax) return null
  return [...a, ...b]
}
