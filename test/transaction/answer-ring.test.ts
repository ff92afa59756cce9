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
  answered.remember(1, 10, answer('200'), 27_000)
  clock.advanceSync(26_999)
  expect(answered.find(1, 10)?.text).toBe('200')
  clock.advanceSync(1)
  expect(answered.find(1, 10)).toBeNull()
  clock.advanceSync(1_000)
  expect([answered.size, clock.pending]).toEqual([0, 0])
})

test('a flood of requests costs no more than the bound: the oldest answers go', () => {
  const answered = new AnswerRing(simulatedClock(), 100_000)
  for (let i = 0; i < 10_000; i++) {
    answered.remember(hashes(i), i, answer('x'.repeat(300)), 27_000)
    if (i % 1_000 === 999) expect(answered.bytes).toBeLessThanOrEqual(100_000)
  }
  expect(answered.size).toBeGreaterThan(200)
  expect(answered.find(hashes(9_999), 9_999)).not.toBeNull()
  expect(answered.find(hashes(0), 0)).toBeNull()
})

test('each gets its own answer and none an older one, whatever the hashes are', () => {
  const clock = simulatedClock()
  const answered = new AnswerRing(clock, 40_000)
  const expected = new Map<number, Answer>()
  for (let i = 0; i < 3_000; i++) {
    const own = { ...answer(`${i} ${'y'.repeat(i % 700)}`), address: `192.0.2.${i % 200}`, port: 1_024 + i }
    answered.remember(i % 7, i, own, 10_000)
    expected.set(i, own)
    clock.advanceSync(10)
    for (const n of [i, i - 3, i - 20, i - 200, i - 1_100]) {
      const found = answered.find(n % 7, n)
      if (found !== null) expect(found).toEqual({ ...expected.get(n) })
      if (n > i - 20 && n >= 0) expect(found, `${n}`).not.toBeNull()
      if (n <= i - 1_000) expect(found, `${n}`).toBeNull()
    }
    expect(answered.find((i + 1) % 7, i)).toBeNull()
  }
  clock.advanceSync(11_000)
  expect([answered.size, answered.bytes, clock.pending]).toEqual([0, 0, 0])
})

test('answers of one bucket are found, however many came after them and whatever their upper bits are', () => {
  const answered = new AnswerRing(simulatedClock())
  const hashes = Array.from({ length: 128 }, (_, i) => (i << 25) | 3)
  for (const hash of hashes) {
    expect(answered.mayKnow(hash)).toBe(false)
    answered.remember(hash, 10, answer(`${hash}`), 27_000)
  }
  for (const hash of hashes) expect(answered.find(hash, 10)?.text).toBe(`${hash}`)
  expect(answered.mayKnow((1 << 24) | 3)).toBe(false)
})

test('an answer as long as a datagram can be is kept whole', () => {
  const answered = new AnswerRing(simulatedClock(), 200_000)
  const long = answer('z'.repeat(65_507))
  answered.remember(5, 100, long, 1_000)
  answered.remember(5, 200, answer('s'), 1_000)
  expect(answered.find(5, 100)?.text).toBe(long.text)
  expect(answered.find(5, 200)?.text).toBe('s')
  answered.clear()
  expect([answered.find(5, 100), answered.mayKnow(5), answered.size]).toEqual([null, false, 0])
})

test('of several answers to one request the last one counts', () => {
  const answered = new AnswerRing(simulatedClock(), 1_000)
  for (let i = 0; i < 10; i++) answered.remember(1, 10, answer(`${i}`), 27_000)
  expect(answered.find(1, 10)?.text).toBe('9')
})
