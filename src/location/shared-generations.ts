import type { Region } from '../store/region.ts'

/**
 * What workers tell each other about the bindings in the store they share: how many there are, and that some of an
 * address-of-record have changed, by its hash. A worker that has decoded something of an older generation reads it anew.
 */
const word = { isBegun: 0, bindings: 1, aors: 2, claimed: 3, generations: 4 } as const
const generationsCount = 65_536
export const generationsBytes = (word.generations + generationsCount) * 4

export class SharedGenerations {
  /** There are other workers. */
  readonly isShared: boolean
  readonly #region: Region
  readonly #words: Int32Array

  constructor(region: Region) {
    region.lock()
    try {
      if (!region.grow(generationsBytes)) throw new Error('a region that is too small for generations')
    } finally {
      region.unlock()
    }
    this.#region = region
    this.#words = new Int32Array(region.buffer, 0, generationsBytes >> 2)
    this.isShared = region.isShared
  }

  /** Whoever comes first says how many there are. */
  begin(bindings: number, aors: number): void {
    this.#locked(() => {
      if (this.#words[word.isBegun] !== 0) return
      this.#words[word.isBegun] = 1
      this.#words[word.bindings] = bindings
      this.#words[word.aors] = aors
    })
  }

  get bindingCount(): number {
    return this.#words[word.bindings] ?? 0
  }

  get aorCount(): number {
    return this.#words[word.aors] ?? 0
  }

  count(bindings: number, aors: number): void {
    if (bindings === 0 && aors === 0) return
    Atomics.add(this.#words, word.bindings, bindings)
    Atomics.add(this.#words, word.aors, aors)
  }

  of(hash: number): number {
    return this.isShared ? Atomics.load(this.#words, placeOf(hash)) : 0
  }

  advance(hash: number): void {
    if (this.isShared) Atomics.add(this.#words, placeOf(hash), 1)
  }

  /** Seconds up to this one are for the caller alone to look at: gives the first of them, null if there is none. */
  claimUntil(second: number): number | null {
    return this.#locked(() => {
      const claimed = (this.#words[word.claimed] ?? 0) >>> 0
      if (second <= claimed) return null
      this.#words[word.claimed] = second | 0
      return claimed === 0 ? 0 : claimed + 1
    })
  }

  #locked<T>(work: () => T): T {
    this.#region.lock()
    try {
      return work()
    } finally {
      this.#region.unlock()
    }
  }
}

function placeOf(hash: number): number {
  return word.generations + (hash & (generationsCount - 1))
}
