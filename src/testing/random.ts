import type { Random } from '../runtime/random.ts'

/** The same numbers for the same seed: for tests only. The generator is mulberry32. */
export function seededRandom(seed = 1): Random {
  let state = seed | 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return (mixed ^ (mixed >>> 14)) >>> 0
  }
  const bytes = (length: number): Uint8Array => {
    const out = new Uint8Array(length)
    for (let i = 0; i < length; i++) out[i] = next() >>> 24
    return out
  }
  return {
    bytes,
    hex: (length) => Buffer.from(bytes(length)).toString('hex'),
    integer: (below) => Math.floor((next() / 2 ** 32) * below),
  }
}
