import type { Binding } from './binding.ts'
import { ExpiryQueue } from './expiry.ts'
import type { FlowTable } from './flows.ts'

/**
 * The bindings that are kept as objects: those that hang on a flow (learned, delegated: some ten thousand), and those
 * that the store is not to know. They are the same object for whoever asks, as long as nobody changes them.
 */
const none: readonly Binding[] = []

export class HeldBindings {
  readonly #flows: FlowTable
  readonly #byAor = new Map<string, Binding[]>()
  readonly #byRuid = new Map<string, Binding>()
  readonly #expiry: ExpiryQueue<Binding>
  /** Addresses-of-record that have no other bindings. */
  readonly #alone = new Set<string>()

  constructor(flows: FlowTable, now: number) {
    this.#flows = flows
    this.#expiry = new ExpiryQueue(now, (binding) => binding.expiresAt)
  }

  get count(): number {
    return this.#byRuid.size
  }

  get aloneCount(): number {
    return this.#alone.size
  }

  of(aor: string): readonly Binding[] {
    return this.#byRuid.size === 0 ? none : (this.#byAor.get(aor) ?? none)
  }

  byRuid(ruid: string): Binding | undefined {
    return this.#byRuid.get(ruid)
  }

  all(): IterableIterator<Binding> {
    return this.#byRuid.values()
  }

  /** What has expired; it is still there. */
  due(now: number): Binding[] {
    return this.#expiry.due(now)
  }

  change(before: Binding | null, after: Binding | null): void {
    if (before !== null) this.#expiry.remove(before)
    if (after === null) {
      if (before !== null) this.#remove(before)
      return
    }
    this.#byRuid.set(after.ruid, after)
    this.#flows.attach(after)
    this.#expiry.add(after)
    const bindings = this.#byAor.get(after.aor)
    if (bindings === undefined) this.#byAor.set(after.aor, [after])
    else {
      const index = before === null ? -1 : bindings.indexOf(before)
      this.#byAor.set(after.aor, index < 0 ? [...bindings, after] : bindings.with(index, after))
    }
    // In this order: a flow that goes from one binding to the next must not be closed in between.
    if (before !== null && before.flow !== after.flow) this.#flows.detach(before)
    else if (before !== null) before.flow?.bindings.delete(before)
  }

  /** Whether this address-of-record has bindings of the other kind has been found out. */
  note(aor: string, hasOthers: boolean): void {
    if (!hasOthers && this.#byAor.has(aor)) this.#alone.add(aor)
    else this.#alone.delete(aor)
  }

  #remove(before: Binding): void {
    this.#byRuid.delete(before.ruid)
    this.#flows.detach(before)
    const rest = (this.#byAor.get(before.aor) ?? []).filter((binding) => binding !== before)
    if (rest.length === 0) this.#byAor.delete(before.aor)
    else this.#byAor.set(before.aor, rest)
  }
}
