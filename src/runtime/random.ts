import { randomBytes, randomInt } from 'node:crypto'

/** Unguessable numbers: branches, tags, nonces. Tests seed it (src/testing/random.ts). */
export interface Random {
  bytes(length: number): Uint8Array
  /** `2 * length` lower-case hexadecimal digits. */
  hex(length: number): string
  /** A whole number from 0 up to, and without, `below`. */
  integer(below: number): number
}

export function systemRandom(): Random {
  return {
    bytes: (length) => randomBytes(length),
    hex: (length) => randomBytes(length).toString('hex'),
    integer: (below) => randomInt(below),
  }
}
