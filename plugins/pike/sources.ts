import { LRUCache } from 'lru-cache'
import { type Clock, customerPrefix, flat, limits } from '../../src/plugin/index.ts'

/**
 * Requests per source and sampling unit, as Kamailio's pike judges them: a source is hot if it sent more than
 * allowed in this unit, or in the one before, or in both on average. (Kamailio's tree of octets takes a few requests
 * more before it notices: measured, eight where four are allowed.)
 *
 * A source is one IPv4 address, or 64 bits of IPv6: that is what one customer of a network has.
 */
export interface Source {
  readonly name: string
  /** Number of the sampling unit that `current` belongs to. */
  unit: number
  previous: number
  current: number
  /** It was hot when it was asked last. */
  isBlocked: boolean
}

export type Verdict = 'pass' | 'first-block' | 'blocked'

export class Sources {
  readonly #clock: Clock
  readonly #unitMilliseconds: number
  readonly #density: number
  readonly #sources: LRUCache<string, Source>

  constructor(clock: Clock, unitSeconds: number, density: number, max: number = limits.pikeSourcesMax) {
    this.#clock = clock
    this.#unitMilliseconds = unitSeconds * 1000
    this.#density = density
    this.#sources = new LRUCache({ max })
  }

  count(address: string): Verdict {
    const source = this.#source(customerPrefix(address))
    source.current++
    const wasBlocked = source.isBlocked
    source.isBlocked = this.isHot(source)
    if (!source.isBlocked) return 'pass'
    return wasBlocked ? 'blocked' : 'first-block'
  }

  /** All that are remembered, the latest first. */
  list(): Source[] {
    const unit = this.#unit()
    return [...this.#sources.values()].map((source) => {
      roll(source, unit)
      return source
    })
  }

  isHot({ previous, current }: Source): boolean {
    return previous > this.#density || current > this.#density || (previous + current) >> 1 > this.#density
  }

  #source(name: string): Source {
    const unit = this.#unit()
    const known = this.#sources.get(name)
    if (known !== undefined) {
      roll(known, unit)
      return known
    }
    const kept = flat(name)
    const created: Source = { name: kept, unit, previous: 0, current: 0, isBlocked: false }
    this.#sources.set(kept, created)
    return created
  }

  #unit(): number {
    return Math.floor(this.#clock.now() / this.#unitMilliseconds)
  }
}

/** Brings the counts to a later unit. */
function roll(source: Source, unit: number): void {
  if (unit === source.unit) return
  source.previous = unit === source.unit + 1 ? source.current : 0
  source.current = 0
  source.unit = unit
}
