import fc from 'fast-check'
import { expect, it, test } from 'vitest'
import { hexOf, isHexOf, SipHash } from '../../src/runtime/sip-hash.ts'

const key = Uint8Array.from({ length: 16 }, (_, i) => i)

function tagOf(hash: SipHash, ...parts: (string | number)[]): string {
  hash.start()
  for (const part of parts) typeof part === 'string' ? hash.text(part) : hash.word(part)
  hash.finish()
  return [hash.high, hash.low].map((half) => (half >>> 0).toString(16).padStart(8, '0')).join('')
}

const octets = (count: number) => String.fromCharCode(...Array.from({ length: count }, (_, i) => i))

// The reference implementation's vectors_sip64: key 00..0f, input 00, 00 01, 00 01 02, ...
test.each([
  [0, '726fdb47dd0e0e31'],
  [1, '74f839c593dc67fd'],
  [2, '0d6c8009d9a94f5a'],
  [7, 'ab0200f58b01d137'],
  [8, '93f5f5799a932462'],
  [15, 'a129ca6149be45e5'],
  [63, '958a324ceb064572'],
])('SipHash-2-4 of %i octets', (count, expected) => {
  expect(tagOf(new SipHash(key), octets(count))).toBe(expected)
})

/** The same by the book, with numbers of 64 bits. */
function reference(text: string): string {
  const mask = (1n << 64n) - 1n
  const k0 = 0x0706050403020100n
  const k1 = 0x0f0e0d0c0b0a0908n
  const v = [
    0x736f6d6570736575n ^ k0,
    0x646f72616e646f6dn ^ k1,
    0x6c7967656e657261n ^ k0,
    0x7465646279746573n ^ k1,
  ]
  const at = (i: number) => v[i] as bigint
  const turn = (x: bigint, by: bigint) => ((x << by) | (x >> (64n - by))) & mask
  const mix = (a: number, b: number, by: bigint) => {
    v[a] = (at(a) + at(b)) & mask
    v[b] = turn(at(b), by) ^ at(a)
  }
  const rounds = (count: number) => {
    for (let i = 0; i < count; i++) {
      mix(0, 1, 13n)
      v[0] = turn(at(0), 32n)
      mix(2, 3, 16n)
      mix(0, 3, 21n)
      mix(2, 1, 17n)
      v[2] = turn(at(2), 32n)
    }
  }
  const padded = Buffer.alloc((text.length | 7) + 1)
  padded.write(text, 'latin1')
  padded[padded.length - 1] = text.length
  for (let i = 0; i < padded.length; i += 8) {
    const word = padded.readBigUInt64LE(i)
    v[3] = at(3) ^ word
    rounds(2)
    v[0] = at(0) ^ word
  }
  v[2] = at(2) ^ 0xffn
  rounds(4)
  return (at(0) ^ at(1) ^ at(2) ^ at(3)).toString(16).padStart(16, '0')
}

const latin1 = fc.string({
  unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)),
  maxLength: 400,
})

it('law: as the book says, whatever the text, wherever it is cut', () => {
  const hash = new SipHash(key)
  fc.assert(
    fc.property(latin1, fc.nat(400), (text, cut) => {
      const expected = reference(text)
      return tagOf(hash, text) === expected && tagOf(hash, text.slice(0, cut), text.slice(cut)) === expected
    }),
  )
})

it('a number is four octets, the lowest first', () => {
  const hash = new SipHash(key)
  expect(tagOf(hash, 'a', -2, 0x04030201)).toBe(tagOf(hash, 'a\xfe\xff\xff\xff\x01\x02\x03\x04'))
})

it('pad() adds zeros up to eight octets, and none where there are eight', () => {
  const hash = new SipHash(key)
  const padded = (...texts: string[]) => {
    hash.start()
    for (const text of texts) {
      hash.text(text)
      hash.pad()
    }
    hash.finish()
    return hash.high
  }
  tagOf(hash, 'what was there before, and must not be there any more')
  expect(padded('abc', '12345678', '', 'x')).toBe(padded('abc\0\0\0\0\x0012345678x\0\0\0\0\0\0\0'))
  expect(padded('abc', 'd')).not.toBe(padded('abcd'))
})

it('another key gives another tag; a key of another length is none', () => {
  expect(tagOf(new SipHash(key.map((octet) => octet ^ 1)), 'text')).not.toBe(tagOf(new SipHash(key), 'text'))
  expect(() => new SipHash(new Uint8Array(8))).toThrow(RangeError)
})

test('32 bits as eight digits, and known again', () => {
  fc.assert(
    fc.property(fc.integer(), fc.nat(31), (word, bit) => {
      expect(hexOf(word)).toBe((word >>> 0).toString(16).padStart(8, '0'))
      expect(isHexOf(`x${hexOf(word)}`, 1, word)).toBe(true)
      expect(isHexOf(hexOf(word), 0, word ^ (1 << bit))).toBe(false)
    }),
  )
  expect(isHexOf('1234567', 0, 0x1234567f)).toBe(false)
})
