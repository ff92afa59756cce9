import { expect, test } from 'vitest'
import { simulatedClock } from '../../src/testing/clock.ts'
import { AnsweredRequests } from '../../src/transaction/answered.ts'
import { peer } from './layer-alone.ts'

const answer = (text: string) => ({ ...peer, text })

test('an answer is there for its time, and leaves no timer behind', () => {
  const clock = simulatedClock()
  const answered = new AnsweredRequests(clock)
  answered.remember('a', answer('200'), 27_000)
  clock.advanceSync(26_999)
  expect(answered.find('a')?.text).toBe('200')
  clock.advanceSync(1)
  expect(answered.find('a')).toBeUndefined()
  clock.advanceSync(1_000)
  expect([answered.size, clock.pending]).toEqual([0, 0])
})

test('a flood of requests costs no more than the bound: the oldest answers go', () => {
  const answered = new AnsweredRequests(simulatedClock(), 100_000)
  for (let i = 0; i < 10_000; i++) answered.remember(`key ${i}`, answer('x'.repeat(300)), 27_000)
  expect(answered.size).toBeLessThan(100_000 / 500)
  expect(answered.size).toBeGreaterThan(150)
  expect(answered.find('key 9999')).toBeDefined()
  expect(answered.find('key 0')).toBeUndefined()
})

test('one key twice is one entry', () => {
  const answered = new AnsweredRequests(simulatedClock(), 1_000)
  for (let i = 0; i < 10; i++) answered.remember('a', answer(`${i}`), 27_000)
  expect([answered.size, answered.find('a')?.text]).toEqual([1, '9'])
})
