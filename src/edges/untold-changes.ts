import { limits } from '../limits.ts'
import type { TimedChange } from './directory-record.ts'

/**
 * What could not be told yet, by address-of-record: of each binding the last that became of it. Bounded; who has more to
 * tell than fits tells all that it owns.
 */
export class UntoldChanges {
  readonly #waiting = new Map<string, readonly TimedChange[]>()
  readonly #max: number
  #hasOverflown = false

  constructor(max: number) {
    this.#max = max
  }

  get count(): number {
    return this.#waiting.size
  }

  /** Something had no room. */
  get hasOverflown(): boolean {
    return this.#hasOverflown
  }

  has(aor: string): boolean {
    return this.#waiting.size > 0 && this.#waiting.has(aor)
  }

  of(aor: string): readonly TimedChange[] | undefined {
    return this.#waiting.get(aor)
  }

  add(aor: string, changes: readonly TimedChange[]): void {
    const earlier = this.#waiting.get(aor)
    if (earlier === undefined && this.#waiting.size >= this.#max) {
      this.#hasOverflown = true
      return
    }
    let merged = earlier ?? []
    for (const change of changes) merged = merge(merged, change)
    if (merged.length > limits.edgeBindingsPerAorMax) this.#hasOverflown = true
    this.#waiting.set(aor, merged.slice(-limits.edgeBindingsPerAorMax))
  }

  /** What has waited longest. It waits on until `done`. */
  next(count: number): [string, readonly TimedChange[]][] {
    const out: [string, readonly TimedChange[]][] = []
    for (const entry of this.#waiting) {
      if (out.length === count) break
      out.push(entry)
    }
    return out
  }

  /** Told as it was then; what came since still waits. */
  done(aor: string, told: readonly TimedChange[]): void {
    if (this.#waiting.get(aor) === told) this.#waiting.delete(aor)
  }

  /** All that is owned is about to be told. */
  forgetOverflow(): void {
    this.#hasOverflown = false
  }
}

/** A binding that was refreshed ten times is told once; what it took from another edge stays taken. */
function merge(earlier: readonly TimedChange[], change: TimedChange): readonly TimedChange[] {
  const { after } = change
  const ruid = (after ?? change.before)?.ruid
  const former = earlier.find((other) => (other.after ?? other.before)?.ruid === ruid)
  if (former === undefined) return [...earlier, change]
  const others = earlier.filter((other) => other !== former)
  // It was removed, and is there again: both are told, since what it was is buried.
  if (former.after === null && after !== null) return [...earlier, change]
  const hasTaken = former.after !== null && former.before !== null && former.before.ruid !== ruid
  if (!hasTaken) return [...others, change]
  return after === null
    ? [...others, { ...former, after: null }, change]
    : [...others, { ...change, before: former.before }]
}
