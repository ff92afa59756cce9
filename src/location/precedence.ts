import { type Binding, isReachable, type Origin } from './binding.ts'

/**
 * Whose word counts: static > registered > delegated > learned. A lower origin never replaces, extends or evicts
 * a higher one (docs/learning.md).
 */
const rank: Readonly<Record<Origin, number>> = { learned: 0, delegated: 1, registered: 2, static: 3 }

export function mayReplace(writer: Origin, existing: Origin): boolean {
  return rank[writer] >= rank[existing]
}

export type Chosen = { readonly bindings: readonly Binding[]; readonly isCold: boolean }

const none: Chosen = { bindings: [], isCold: false }
const cold: Chosen = { bindings: [], isCold: true }

/**
 * The bindings that a request goes to: all reachable ones of the highest origin that has any. If there are only
 * such whose pinhole has closed, none, and `isCold`.
 */
export function chooseBindings(bindings: readonly Binding[], now: number): Chosen {
  if (bindings.length === 0) return none
  let best = -1
  let count = 0
  for (const binding of bindings) {
    if (!isReachable(binding, now)) continue
    const own = rank[binding.origin]
    if (own > best) {
      best = own
      count = 0
    }
    if (own === best) count++
  }
  if (best < 0) return cold
  if (count === bindings.length) return { bindings, isCold: false }
  return {
    bindings: bindings.filter((binding) => rank[binding.origin] === best && isReachable(binding, now)),
    isCold: false,
  }
}

/**
 * The order of lookup() and of the 200's Contact: by descending q (unset is lowest), and those of one q as they came,
 * a refreshed one in its old place; or what was registered or refreshed last first, whatever its q (desc_time_order).
 */
export function inOrder(bindings: readonly Binding[], newestFirst = false): readonly Binding[] {
  if (bindings.length < 2) return bindings
  if (!newestFirst) return bindings.toSorted((a, b) => b.q - a.q)
  return bindings.toReversed().toSorted((a, b) => b.modifiedAt - a.modifiedAt)
}
