import { hash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { plain, type Transformations, withNumbers } from './declare.ts'

/** Class `s`: digests, in lower-case hexadecimal digits, over the octets of the value. */
export const hashTransformations: Transformations = {
  ...Object.fromEntries(
    ['md5', 'sha1', 'sha256', 'sha384', 'sha512'].map((name) => [`s.${name}`, digest(name, name)]),
  ),
  ...Object.fromEntries(
    ['224', '256', '384', '512'].map((bits) => [`s.sha3.${bits}`, digest(`SHA3-${bits}`, `sha3-${bits}`)]),
  ),
  's.corehash': withNumbers(
    "Kamailio's core hash as a number; with `size`, a power of two, a slot of a table of that size.",
    ['[size]'],
    (value, size) => String(size > 0 ? (coreHash(value) & (size - 1)) >>> 0 : coreHash(value)),
  ),
  's.crc32': plain('CRC-32 (IEEE 802.3) as a number.', (value) => crc32(Buffer.from(value, 'latin1'))),
}

function digest(name: string, algorithm: string) {
  return plain(`${name} of the value.`, (value) => hash(algorithm, Buffer.from(value, 'latin1'), 'hex'))
}

/**
 * The hash by which Kamailio finds slots: big-endian words, each mixed with itself shifted by three. Scripts use
 * it to spread calls over numbered peers, so that it must agree.
 */
export function coreHash(value: string): number {
  let sum = 0
  const whole = value.length - (value.length % 4)
  for (let at = 0; at < whole; at += 4) sum = (sum + mixed(word(value, at, at + 4))) >>> 0
  sum = (sum + mixed(word(value, whole, value.length))) >>> 0
  return (sum + (sum >>> 11) + (sum >>> 13) + (sum >>> 23)) >>> 0
}

function word(value: string, from: number, to: number): number {
  let bits = 0
  for (let at = from; at < to; at++) bits = ((bits << 8) | value.charCodeAt(at)) >>> 0
  return bits
}

const mixed = (bits: number): number => (bits ^ (bits >>> 3)) >>> 0
