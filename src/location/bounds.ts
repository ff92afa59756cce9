import { limits } from '../limits.ts'
import type { Binding } from './binding.ts'

/**
 * How many learned bindings there may be: in all, per flow, per address or declared carrier-NAT prefix, and how
 * many new ones per second. Limits are per prefix and never a ban of an address: thousands of devices share the
 * address of one carrier. Only learned bindings are ever evicted, the longest silent first.
 */
export interface BoundSettings {
  total: number
  perFlow: number
  perAddress: number
  perCarrierPrefix: number
  newPerSecond: number
}

export const defaultBounds: BoundSettings = {
  total: limits.learnedMax,
  perFlow: limits.learnedPerFlowMax,
  perAddress: limits.learnedPerAddressMax,
  perCarrierPrefix: limits.learnedPerPrefixMax,
  newPerSecond: limits.learnedNewPerSecondPerPrefixMax,
}

/** The prefix that a binding is counted under. */
export interface BoundScope {
  readonly key: string
  /** A declared carrier NAT. */
  readonly isCarrier: boolean
}

export type Admission =
  | { readonly kind: 'admitted'; readonly evict: Binding | null }
  | { readonly kind: 'refused'; readonly reason: 'flow-full' | 'address-full' | 'rate' }

export class LearnedBounds {
  readonly settings: BoundSettings
  /** Longest silent first: learning and refreshing put a binding at the end. */
  readonly #all = new Map<string, Binding>()
  readonly #byScope = new Map<string, Map<string, Binding>>()
  readonly #rates = new Map<string, { second: number; count: number }>()

  constructor(settings: BoundSettings = defaultBounds) {
    this.settings = settings
  }

  get count(): number {
    return this.#all.size
  }

  /** May one more binding be learned on this flow, which has `onFlow` of them? Counts against the rate if so. */
  admit(scope: BoundScope, onFlow: number, now: number): Admission {
    if (onFlow >= this.settings.perFlow) return { kind: 'refused', reason: 'flow-full' }
    const members = this.#byScope.get(scope.key)
    const most = scope.isCarrier ? this.settings.perCarrierPrefix : this.settings.perAddress
    let evict: Binding | null = null
    if ((members?.size ?? 0) >= most) {
      evict = oldestOf(members)
      if (evict === null || !isCold(evict, now)) return { kind: 'refused', reason: 'address-full' }
    }
    if (!this.#takeFromRate(scope.key, now)) return { kind: 'refused', reason: 'rate' }
    if (evict === null && this.#all.size >= this.settings.total) evict = oldestOf(this.#all)
    return { kind: 'admitted', evict }
  }

  /** A binding was learned or refreshed: it is now the last to be evicted. */
  note(binding: Binding, scope: BoundScope): void {
    this.#all.delete(binding.ruid)
    this.#all.set(binding.ruid, binding)
    const members = this.#byScope.get(scope.key)
    if (members === undefined) {
      this.#byScope.set(scope.key, new Map([[binding.ruid, binding]]))
      return
    }
    members.delete(binding.ruid)
    members.set(binding.ruid, binding)
  }

  forget(binding: Binding, scope: BoundScope): void {
    if (this.#all.get(binding.ruid) === binding) this.#all.delete(binding.ruid)
    const members = this.#byScope.get(scope.key)
    if (members?.get(binding.ruid) !== binding) return
    members.delete(binding.ruid)
    if (members.size === 0) this.#byScope.delete(scope.key)
  }

  #takeFromRate(key: string, now: number): boolean {
    const second = Math.floor(now / 1000)
    const rate = this.#rates.get(key)
    if (rate === undefined || rate.second !== second) {
      if (this.#rates.size >= this.settings.total) this.#rates.clear()
      this.#rates.set(key, { second, count: 1 })
      return this.settings.newPerSecond > 0
    }
    return ++rate.count <= this.settings.newPerSecond
  }
}

function oldestOf(members: Map<string, Binding> | undefined): Binding | null {
  return members?.values().next().value ?? null
}

function isCold(binding: Binding, now: number): boolean {
  return binding.flow === null || binding.flow.reachableUntil <= now
}
