import { randomBytes, randomFillSync, randomInt } from 'node:crypto'

/** Unguessable numbers: branches, tags, nonces. Tests seed it (src/testing/random.ts). */
export interface Random {
  bytes(length: number): Uint8Array
  /** `2 * length` lower-case hexadecimal digits. */
  hex(length: number): string
  /** A whole number from 0 up to, and without, `below`. */
  integer(below: number): number
}

/** The system's generator. What is asked for in bits is bought in bulk: a call of it costs a microsecond. */
export function systemRandom(): Random {
  let pool = randomBytes(0)
  let position = 0
  /** Room for what becomes digits: branches are bought in blocks of 8 KB, and memory for each cost half of that. */
  let digitOctets = Buffer.alloc(0)
  return {
    bytes(length) {
      if (length > poolOctets) return randomBytes(length)
      if (position + length > pool.length) {
        pool = randomBytes(poolOctets)
        position = 0
      }
      position += length
      return Uint8Array.prototype.slice.call(pool, position - length, position)
    },
    hex(length) {
      if (length > digitOctets.length) digitOctets = Buffer.allocUnsafeSlow(length)
      return randomFillSync(digitOctets, 0, length).toString('hex', 0, length)
    },
    integer: (below) => randomInt(below),
  }
}

const poolOctets = 4_096
