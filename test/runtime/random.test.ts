import { expect, test } from 'vitest'
import { systemRandom } from '../../src/runtime/random.ts'

const hexOf = (octets: Uint8Array) => Buffer.from(octets).toString('hex')

test('octets are never given out twice, whatever is asked for', () => {
  const random = systemRandom()
  const given = [5_000, 4_096, ...Array.from({ length: 1_200 }, () => 7), 4_090, 0].map((length) => {
    const octets = random.bytes(length)
    expect(octets).toHaveLength(length)
    return hexOf(octets)
  })
  const sevens = given.filter((text) => text.length === 14)
  expect(new Set(sevens).size).toBe(1_200)
  expect(sevens.filter((text) => given[1]?.includes(text))).toEqual([])
})

test('what was given out is the caller\u2019s own', () => {
  const random = systemRandom()
  const first = random.bytes(7)
  const before = hexOf(first)
  random.bytes(7).fill(0)
  new Uint8Array(random.bytes(7).buffer).fill(0)
  expect(hexOf(first)).toBe(before)
})

test('digits are of the length that was asked for, and never the same', () => {
  const random = systemRandom()
  const given = [16, 8_192, 16, 1, 16].map((length) => {
    const digits = random.hex(length)
    expect(digits).toMatch(new RegExp(`^[0-9a-f]{${2 * length}}$`))
    return digits
  })
  expect(new Set(given.map((digits) => digits.slice(0, 32))).size).toBe(5)
})
