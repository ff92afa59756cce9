import { expect, test } from 'vitest'
import { coreHash } from '../../src/text/core-hash.ts'

test('the hash spreads over its low bits, by which slots are chosen', () => {
  const slots = new Set(Array.from({ length: 2000 }, (_, i) => coreHash(`user${i}`) & 15))
  expect([...slots].sort((a, b) => a - b)).toEqual(Array.from({ length: 16 }, (_, i) => i))
})

test('a second text goes on where the first one ended; nothing adds nothing', () => {
  expect(coreHash('abcd', 'efgh')).toBe(coreHash('abcdefgh'))
  expect(coreHash('abcd', '')).toBe(coreHash('abcd'))
  expect(coreHash('')).toBe(0)
})
