import { expect, test } from 'vitest'
import { limits } from '../../src/limits.ts'
import { QueueAhead } from '../../src/overload/queue-ahead.ts'

/** Samples of 0.2 seconds. */
function queueAfter(seconds: number, admittedPerSecond: number, refusedPerSecond: number): QueueAhead {
  const queue = new QueueAhead()
  for (let n = 0; n < seconds * 5; n++) queue.sample(0.2, admittedPerSecond / 5, refusedPerSecond / 5, false)
  return queue
}

test('at first the window is a short one', () => {
  expect(new QueueAhead().window).toEqual({ from: 4, to: 12 })
})

test('it grows with what was refused, by the rate at which newcomers are served', () => {
  // In 30 seconds 9,000 were refused; 100 a second are served: 90 seconds, of which 30 are over.
  expect(queueAfter(30, 100, 300).window).toEqual({ from: 30, to: 90 })
  expect(queueAfter(60, 100, 300).window).toEqual({ from: 60, to: 180 })
})

test('and shrinks as time goes by', () => {
  const queue = queueAfter(30, 100, 300)
  for (let n = 0; n < 5 * 40; n++) queue.sample(0.2, 20, 0, false)
  expect(queue.window.to).toBe(30)
})

test('a lack of newcomers says nothing about what can be served', () => {
  const queue = queueAfter(30, 100, 300)
  for (let n = 0; n < 50; n++) queue.sample(0.2, 0, 0, true)
  for (let n = 0; n < 5; n++) queue.sample(0.2, 20, 60, false)
  // 50 seconds were left, and a second brings two more.
  expect(queue.window.to).toBe(78)
})

test('it has a bound', () => {
  expect(queueAfter(600, 1, 10_000).window.to).toBe(limits.overloadRetrySecondsMax * 1.5)
})
