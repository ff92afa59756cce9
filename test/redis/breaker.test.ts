import { describe, expect, test } from 'vitest'
import { limits } from '../../src/limits.ts'
import { Backoff } from '../../src/redis/backoff.ts'
import { Breaker } from '../../src/redis/breaker.ts'
import { seededRandom } from '../../src/testing/random.ts'

const deadline = limits.redisDeadlineMilliseconds
const silence = 2 * deadline

/** `rate` operations a second from `from` to `to`, each of which is answered at once or misses its deadline. */
function play(
  breaker: Breaker,
  rate: number,
  from: number,
  to: number,
  isAnswered: (sentAt: number) => boolean,
) {
  const events: { at: number; sentAt: number; isAnswer: boolean }[] = []
  for (let sentAt = from; sentAt < to; sentAt += 1_000 / rate) {
    const isAnswer = isAnswered(sentAt)
    events.push({ at: isAnswer ? sentAt : sentAt + deadline, sentAt, isAnswer })
  }
  for (const { at, sentAt, isAnswer } of events.toSorted((a, b) => a.at - b.at)) {
    if (isAnswer) breaker.answered(at)
    else if (breaker.missed(sentAt, at)) return at
  }
  return null
}

describe('the breaker', () => {
  test('a busy link whose Redis hangs is down after two deadlines', () => {
    const opened = play(new Breaker(silence), 10_000, 0, 20_000, (sentAt) => sentAt < 10_000)
    expect(opened).toBeGreaterThanOrEqual(10_000 + silence)
    expect(opened).toBeLessThan(10_000 + silence + 10)
  })

  test('a pause of 300 ms under load is none', () => {
    const breaker = new Breaker(silence)
    expect(play(breaker, 10_000, 0, 20_000, (at) => at < 10_000 || at >= 10_300)).toBeNull()
  })

  test('a quiet link is down after five misses', () => {
    expect(play(new Breaker(silence), 1, 0, 60_000, (sentAt) => sentAt < 30_000)).toBe(34_000 + deadline)
  })

  test('one that answers every third time is down within its window', () => {
    let n = 0
    const opened = play(new Breaker(silence), 100, 0, 60_000, (sentAt) => sentAt < 10_000 || ++n % 3 === 0)
    expect(opened).toBeGreaterThan(10_000)
    expect(opened).toBeLessThan(10_000 + limits.redisWindowMilliseconds + deadline)
  })

  test('one that misses every third operation is not: most are answered', () => {
    let n = 0
    expect(play(new Breaker(silence), 100, 0, 60_000, () => ++n % 3 !== 0)).toBeNull()
  })

  test('in a cluster the silence of some is not that of all', () => {
    const isAnswered = (sentAt: number) => sentAt < 10_000 || sentAt >= 12_000
    expect(play(new Breaker(silence), 100, 0, 20_000, isAnswered)).toBe(10_000 + silence)
    expect(play(new Breaker(Number.POSITIVE_INFINITY), 100, 0, 20_000, isAnswered)).toBeNull()
  })

  test('errors count as failures, though they are answers', () => {
    const breaker = new Breaker(silence)
    const verdicts = Array.from({ length: 5 }, (_, i) => breaker.failed(i * 100))
    expect(verdicts).toEqual([false, false, false, false, true])
  })

  test('what is older than the window is forgotten', () => {
    const breaker = new Breaker(silence)
    for (let i = 0; i < 4; i++) breaker.failed(i)
    expect(breaker.failed(limits.redisWindowMilliseconds * 2)).toBe(false)
  })

  test('after a reset nothing is held against it', () => {
    const breaker = new Breaker(silence)
    for (let i = 0; i < 4; i++) breaker.missed(i, i + deadline)
    breaker.reset()
    expect(breaker.missed(300, 300 + deadline)).toBe(false)
  })
})

test('waits double up to a bound, by a random half', () => {
  const backoff = new Backoff(seededRandom(7))
  const { redisProbeMillisecondsMin: min, redisProbeMillisecondsMax: max } = limits
  for (let n = 0; n < 20; n++) {
    const whole = Math.min(min * 2 ** n, max)
    const wait = backoff.nextMs()
    expect(wait).toBeGreaterThanOrEqual(whole / 2)
    expect(wait).toBeLessThanOrEqual(whole)
  }
  expect(new Set(Array.from({ length: 20 }, () => backoff.nextMs())).size).toBeGreaterThan(10)
  backoff.reset()
  expect(backoff.nextMs()).toBeLessThanOrEqual(min)
})
