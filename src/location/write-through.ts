import type { Binding } from './binding.ts'
import { type Changed, type Expired, type RefreshOutcome, Undone } from './binding-table.ts'
import { LoadedBindings } from './loaded-bindings.ts'

/**
 * db_mode 1: bindings in memory, and each change is in the database before its 200 leaves. A change is visible at
 * once; if the database refuses, the binding becomes again what the database has of it.
 */
interface UnderWay {
  /** What the database has; null: nothing. */
  committed: Binding | null
  /** The last of the writes that have not come back, and how many they are. */
  last: object
  count: number
}

export class WriteThroughBindings extends LoadedBindings {
  override readonly isDurable = true
  readonly #underWay = new Map<string, UnderWay>()

  override change(before: Binding | null, after: Binding | null): Changed {
    const subject = after ?? before
    if (subject === null) return 'done'
    const { aor, ruid } = subject
    const known = this.front.of(aor).find((binding) => binding.ruid === ruid) ?? null
    if (known === null && after === null) return 'done'
    const changed = this.front.change(known, after)
    if (changed !== 'done') return changed
    const { rows, writer, toWall } = this.database
    const call = after === null ? rows.remove(ruid) : rows.put(after, toWall)
    return this.#written(ruid, known, after, () => writer.write([call]))
  }

  /** What is written is waited for: change(). */
  override refresh(): RefreshOutcome {
    return 'other'
  }

  /** A row that stays is no harm: it has expired for whoever reads it. */
  override takeExpired(now: number, limit: number): Expired {
    const expired = this.front.takeExpired(now, limit)
    this.forget(expired.bindings)
    return expired
  }

  override async flushed(): Promise<void> {
    await this.database.writer.idle()
  }

  protected override forget(expired: readonly Binding[]): void {
    const { rows, writer } = this.database
    writer.write(expired.map(({ ruid }) => rows.remove(ruid))).catch(() => undefined)
  }

  async #written(
    ruid: string,
    before: Binding | null,
    after: Binding | null,
    write: () => Promise<void>,
  ): Promise<void> {
    const token = {}
    const underWay = this.#underWay.get(ruid) ?? { committed: before, last: token, count: 0 }
    underWay.last = token
    underWay.count++
    this.#underWay.set(ruid, underWay)
    try {
      await write()
      underWay.committed = after
    } catch (error) {
      const isSuperseded = underWay.last !== token
      // In memory: nothing to wait for.
      if (!isSuperseded) void this.front.change(after, underWay.committed)
      throw new Undone(error, isSuperseded)
    } finally {
      if (--underWay.count === 0) this.#underWay.delete(ruid)
    }
  }
}
