import type { Binding } from './binding.ts'
import type { BindingTable, Changed, Expired, Page, PageMark, RefreshOutcome } from './binding-table.ts'
import type { LocationDatabase } from './location-database.ts'
import type { Refreshed } from './record-refresh.ts'

/**
 * db_mode 4: bindings in memory that were read from a database at the start, and the ground of modes 1 and 2, which
 * write too (write-through.ts, write-back.ts). Names that Kamailio gave say nothing about where a binding is: the
 * database is asked.
 */
export class LoadedBindings implements BindingTable {
  readonly isDurable: boolean = false
  protected readonly front: BindingTable
  protected readonly database: LocationDatabase
  #isLoading = false

  constructor(front: BindingTable, database: LocationDatabase) {
    this.front = front
    this.database = database
  }

  get bindingCount(): number {
    return this.front.bindingCount
  }

  get aorCount(): number {
    return this.front.aorCount
  }

  get bytes(): number {
    return this.front.bytes
  }

  hasRoomFor(count: number): boolean {
    return this.front.hasRoomFor(count)
  }

  of(aor: string): readonly Binding[] {
    return this.front.of(aor)
  }

  byRuid(ruid: string): Binding | undefined {
    const found = this.front.byRuid(ruid)
    if (found !== undefined) return found
    const aor = this.database.aorOfRuid(ruid)
    return aor === null ? undefined : this.front.of(aor).find((binding) => binding.ruid === ruid)
  }

  change(before: Binding | null, after: Binding | null): Changed {
    return this.front.change(before, after)
  }

  refresh(after: Refreshed, now: number): RefreshOutcome {
    return this.front.refresh(after, now)
  }

  takeExpired(now: number, limit: number): Expired {
    return this.front.takeExpired(now, limit)
  }

  page(from: PageMark | null): Page {
    return this.front.page(from)
  }

  flushed(): Promise<void> {
    return Promise.resolve()
  }

  /**
   * Reads what the database has, some rows at a time, and keeps what is not known already. How many; `isFull` if there
   * was no room for all. Once, by the worker that comes first.
   *
   * @throws DatabaseError
   */
  async load(now: number, bindingsMax: number): Promise<{ count: number; isFull: boolean }> {
    if (this.#isLoading) return { count: 0, isFull: false }
    this.#isLoading = true
    let count = 0
    for await (const bindings of this.database.all()) {
      this.forget(bindings.filter(({ expiresAt }) => expiresAt <= now))
      for (const binding of bindings) {
        if (binding.expiresAt <= now || this.#isKnown(binding)) continue
        if (this.bindingCount >= bindingsMax || !this.hasRoomFor(1)) return { count, isFull: true }
        if (this.front.change(null, binding) === 'full') return { count, isFull: true }
        count++
      }
    }
    return { count, isFull: false }
  }

  /** Rows that have expired while nobody looked. */
  protected forget(_expired: readonly Binding[]): void {}

  #isKnown({ aor, ruid }: Binding): boolean {
    return this.front.of(aor).some((known) => known.ruid === ruid)
  }
}
