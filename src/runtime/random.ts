import { randomBytes, randomInt } from 'node:crypto'

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
    hex: (length) => randomBytes(length).toString('hex'),
    integer: (below) => randomInt(below),
  }
}

const poolOctets = 4_096
