import { limits } from '../limits.ts'
import type { Binding } from './binding.ts'
import {
  type BindingTable,
  type Changed,
  type Expired,
  type Page,
  type PageMark,
  type RefreshOutcome,
  Undone,
} from './binding-table.ts'
import type { LocationDatabase } from './location-database.ts'
import { replaced } from './packed-bindings.ts'

/**
 * db_mode 3: bindings in the database and nowhere else, so that several servers may share it. Each look is a query;
 * beside it there is only what has not been committed yet, which counts as done for who looks here.
 */
interface Change {
  readonly ruid: string
  readonly after: Binding | null
}

export interface DatabaseBindingsOptions {
  readonly database: LocationDatabase
  /** Is it this worker that removes what has expired? */
  readonly isInCharge: () => boolean
}

const pageRowsMax = 200

export class DatabaseBindings implements BindingTable {
  readonly isDurable = true
  readonly bytes = 0
  readonly #database: LocationDatabase
  readonly #isInCharge: () => boolean
  /** By address-of-record, in the order in which they were made. */
  readonly #uncommitted = new Map<string, Change[]>()
  #bindingCount: number
  #aorCount: number

  /** @throws DatabaseError */
  constructor({ database, isInCharge }: DatabaseBindingsOptions) {
    this.#database = database
    this.#isInCharge = isInCharge
    const { bindings, aors } = database.counts()
    this.#bindingCount = bindings
    this.#aorCount = aors
  }

  /** As there were at the start, and what has been changed here since: other servers are not heard of. */
  get bindingCount(): number {
    return this.#bindingCount
  }

  get aorCount(): number {
    return this.#aorCount
  }

  hasRoomFor(): boolean {
    return true
  }

  of(aor: string): readonly Binding[] {
    let bindings: readonly Binding[] = this.#database.of(aor)
    for (const { ruid, after } of this.#uncommitted.get(aor) ?? []) bindings = replaced(bindings, ruid, after)
    return bindings
  }

  byRuid(ruid: string): Binding | undefined {
    const aor = this.#database.aorOfRuid(ruid)
    if (aor !== null) return this.of(aor).find((binding) => binding.ruid === ruid)
    for (const changes of this.#uncommitted.values()) {
      const change = changes.findLast((one) => one.ruid === ruid)
      if (change !== undefined) return change.after ?? undefined
    }
    return undefined
  }

  change(before: Binding | null, after: Binding | null): Changed {
    const subject = after ?? before
    if (subject === null) return 'done'
    const { aor, ruid } = subject
    const known = this.of(aor)
    const next = replaced(known, ruid, after)
    if (next === known) return 'done'
    this.#count(known, next)
    return this.#written(aor, { ruid, after }, () => this.#count(next, known))
  }

  refresh(): RefreshOutcome {
    return 'other'
  }

  takeExpired(now: number, limit: number): Expired {
    if (!this.#isInCharge()) return { bindings: [], isMore: false }
    const found = this.#expired(now, limit)
    const bindings = found.filter(({ aor, ruid }) => {
      const changes = this.#uncommitted.get(aor)
      return changes === undefined || !changes.some((change) => change.ruid === ruid)
    })
    for (const binding of bindings) {
      const changed = this.change(binding, null)
      if (changed instanceof Promise) changed.catch(() => undefined)
    }
    // What is being removed is still there: the next look is for the next second.
    return { bindings, isMore: false }
  }

  page(from: PageMark | null): Page {
    const { bindings, last } = this.#database.namesAfter(from === null ? null : String(from), pageRowsMax)
    return { bindings: byAor(bindings), next: last }
  }

  async flushed(): Promise<void> {
    await this.#database.writer.idle()
  }

  /** A database that does not answer removes nothing. */
  #expired(now: number, limit: number): Binding[] {
    try {
      return this.#database.expired(now, Math.min(limit, limits.expiredAtOnceMax))
    } catch {
      return []
    }
  }

  #count(before: readonly Binding[], after: readonly Binding[]): void {
    this.#bindingCount += after.length - before.length
    this.#aorCount += Number(after.length > 0) - Number(before.length > 0)
  }

  async #written(aor: string, change: Change, uncount: () => void): Promise<void> {
    const { rows, writer, toWall } = this.#database
    const { ruid, after } = change
    const changes = this.#uncommitted.get(aor) ?? []
    changes.push(change)
    this.#uncommitted.set(aor, changes)
    try {
      await writer.write([after === null ? rows.remove(ruid) : rows.put(after, toWall)])
    } catch (error) {
      const isSuperseded = changes.findLast((one) => one.ruid === ruid) !== change
      uncount()
      throw new Undone(error, isSuperseded)
    } finally {
      changes.splice(changes.indexOf(change), 1)
      if (changes.length === 0) this.#uncommitted.delete(aor)
    }
  }
}

/** Those of one address-of-record together, as they came. */
function byAor(bindings: readonly Binding[]): Binding[] {
  return [...Map.groupBy(bindings, ({ aor }) => aor).values()].flat()
}
