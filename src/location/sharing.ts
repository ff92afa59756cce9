import type { Clock } from '../runtime/clock.ts'
import type { Binding } from './binding.ts'
import type { BindingTable, Page, PageMark } from './binding-table.ts'
import type { HeldBindings } from './held-bindings.ts'
import type { Change } from './location.ts'
import { Outdated, type SharedTable } from './shared-table.ts'

/**
 * What a Location does where other edges have bindings of its table too (docs/decisions/0025-edges.md): a change is made
 * here first and the others are told once it is durable, so that nobody hears of what was refused. What came too late,
 * since another edge has heard something newer of the same binding, is taken back.
 */
export class Sharing {
  readonly #table: SharedTable
  readonly #takeBack: (changes: readonly Change[]) => void
  /** Bindings of other edges that a change takes from them, until they have been told. */
  readonly #taken = new Set<string>()

  constructor(table: SharedTable, takeBack: (changes: readonly Change[]) => void) {
    this.#table = table
    this.#takeBack = takeBack
  }

  fetch(aor: string): Promise<boolean> | null {
    return this.#table.fetch(aor)
  }

  /** Our own, and those of others as far as they are known. */
  allOf(aor: string, own: readonly Binding[]): readonly Binding[] {
    const others = this.#table.of(aor)
    if (others.length === 0) return own
    const theirs = this.#taken.size === 0 ? others : others.filter(({ ruid }) => !this.#taken.has(ruid))
    return own.length === 0 ? theirs : [...own, ...theirs]
  }

  /**
   * Tells the others what has been made of our own table. Null: nothing to wait for. Otherwise fulfilled when it is durable
   * and they know; rejects, when all is as it was, if it was refused or came too late.
   */
  tell(changes: readonly Change[], made: Promise<void> | null): Promise<void> | null {
    if (changes.length === 0) return made
    if (made !== null) return this.#tellOnce(changes, made)
    const told = this.#table.tell(changes)
    return told === null ? null : this.#tellOnce(changes, told, true)
  }

  async #tellOnce(changes: readonly Change[], ready: Promise<void>, isTold = false): Promise<void> {
    for (const { before } of changes) if (isOfOthers(before)) this.#taken.add(before.ruid)
    try {
      await ready
      if (!isTold) await this.#table.tell(changes)
    } catch (error) {
      if (error instanceof Outdated) this.#takeBack(changes)
      throw error
    } finally {
      for (const { before } of changes) if (isOfOthers(before)) this.#taken.delete(before.ruid)
    }
  }
}

/** All that others are told of after they have forgotten it, some at a time. */
export function* alivePages(
  table: BindingTable,
  held: HeldBindings,
  clock: Clock,
): Iterable<readonly Binding[]> {
  const isAlive = ({ expiresAt }: Binding) => expiresAt > clock.now()
  let from: PageMark | null = null
  do {
    const page: Page = table.page(from)
    yield page.bindings.filter(isAlive)
    from = page.next
  } while (from !== null)
  const objects = [...held.all()]
  for (let i = 0; i < objects.length; i += heldPerPage)
    yield objects.slice(i, i + heldPerPage).filter(isAlive)
}

const heldPerPage = 200

export function isOfOthers(binding: Binding | null): binding is Binding {
  return binding !== null && binding.elsewhere !== null
}

/** What of the changes is made in our own table: another edge's bindings are not there. */
export function ownPart(changes: readonly Change[]): readonly Change[] {
  if (!changes.some(({ before }) => isOfOthers(before))) return changes
  const own: Change[] = []
  for (const change of changes) {
    if (!isOfOthers(change.before)) own.push(change)
    else if (change.after !== null) own.push({ before: null, after: change.after })
  }
  return own
}
