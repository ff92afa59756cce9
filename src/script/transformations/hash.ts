import { hash } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { coreHash } from '../../text/core-hash.ts'
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
