import { expect, test } from 'vitest'
import { simulatedClock } from '../../src/testing/clock.ts'
import { type Answer, AnswerRing } from '../../src/transaction/answer-ring.ts'
import { peer } from './layer-alone.ts'

const answer = (text: string): Answer => ({ ...peer, text })
/** Some of them alike, as hashes are. */
const hashes = (i: number) => Math.imul(i, 0x01000193) >> 3

test('an answer is there for its time, and leaves no timer behind', () => {
  const clock = simulatedClock()
  const answered = new AnswerRing(clock)
  answered.remember(1, 'a', answer('200'), 27_000)
  clock.advanceSync(26_999)
  expect(answered.find(1, 'a')?.text).toBe('200')
  clock.advanceSync(1)
  expect(answered.find(1, 'a')).toBeNull()
  clock.advanceSync(1_000)
  expect([answered.size, clock.pending]).toEqual([0, 0])
})

test('a flood of requests costs no more than the bound: the oldest answers go', () => {
  const answered = new AnswerRing(simulatedClock(), 100_000)
  for (let i = 0; i < 10_000; i++) {
    answered.remember(hashes(i), `key ${i}`, answer('x'.repeat(300)), 27_000)
    if (i % 1_000 === 999) expect(answered.bytes).toBeLessThanOrEqual(100_000)
  }
  expect(answered.size).toBeGreaterThan(200)
  expect(answered.find(hashes(9_999), 'key 9999')).not.toBeNull()
  expect(answered.find(hashes(0), 'key 0')).toBeNull()
})

test('each gets its own answer and none an older one, whatever the hashes are', () => {
  const clock = simulatedClock()
  const answered = new AnswerRing(clock, 40_000)
  const expected = new Map<string, Answer>()
  for (let i = 0; i < 3_000; i++) {
    const key = `key ${i}`
    const own = { ...answer(`${i} ${'y'.repeat(i % 700)}`), address: `192.0.2.${i % 200}`, port: 1_024 + i }
    answered.remember(i % 7, key, own, 10_000)
    expected.set(key, own)
    clock.advanceSync(10)
    for (const n of [i, i - 3, i - 20, i - 200, i - 1_100]) {
      const found = answered.find(n % 7, `key ${n}`)
      if (found !== null) expect(found).toEqual({ ...expected.get(`key ${n}`) })
      if (n > i - 20 && n >= 0) expect(found, key).not.toBeNull()
      if (n <= i - 1_000) expect(found, key).toBeNull()
    }
    expect(answered.find((i + 1) % 7, key)).toBeNull()
  }
  clock.advanceSync(11_000)
  expect([answered.size, answered.bytes, clock.pending]).toEqual([0, 0, 0])
})

test('an answer as long as a datagram can be is kept whole', () => {
  const answered = new AnswerRing(simulatedClock(), 200_000)
  const long = answer('z'.repeat(65_507))
  answered.remember(5, 'long', long, 1_000)
  answered.remember(5, 'short', answer('s'), 1_000)
  expect(answered.find(5, 'long')?.text).toBe(long.text)
  expect(answered.find(5, 'short')?.text).toBe('s')
  answered.clear()
  expect([answered.find(5, 'long'), answered.mayKnow(5), answered.size]).toEqual([null, false, 0])
})

test('one key twice is one entry', () => {
  const answered = new AnswerRing(simulatedClock(), 1_000)
  for (let i = 0; i < 10; i++) answered.remember(1, 'a', answer(`${i}`), 27_000)
  expect([answered.size, answered.find(1, 'a')?.text]).toEqual([1, '9'])
})
