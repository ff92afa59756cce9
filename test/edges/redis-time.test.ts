import { expect, test } from 'vitest'
import { RedisTime } from '../../src/edges/redis-time.ts'
import { simulatedClock } from '../../src/testing/clock.ts'

/** The clock of Redis is so much ahead of ours; an answer takes so long to come, and the question so long to get there. */
function measured(
  rounds: readonly { readonly ahead: number; readonly there: number; readonly back: number }[],
) {
  const clock = simulatedClock(0)
  const time = new RedisTime(clock)
  for (const { ahead, there, back } of rounds) {
    const askedAt = clock.now()
    clock.advanceSync(there)
    const said = clock.now() + ahead
    clock.advanceSync(back)
    time.measure(said, askedAt)
    clock.advanceSync(1_000)
  }
  return time.of(clock.now()) - clock.now()
}

const quick = { ahead: 70_000, there: 1, back: 1 }

test.each([
  { of: 'one answer, as long there as back', rounds: [quick], ahead: 70_000 },
  { of: 'one that took long to come is off by half of it', rounds: [{ ...quick, back: 101 }], ahead: 69_950 },
  {
    of: 'the quickest of some',
    rounds: [{ ...quick, there: 80 }, quick, { ...quick, back: 90 }],
    ahead: 70_000,
  },
  { of: 'a clock that was set', rounds: [quick, quick, { ahead: -500, there: 4, back: 4 }], ahead: -500 },
  {
    of: 'one that drifts',
    rounds: [0, 1, 2, 3, 4, 5].map((n) => ({ ...quick, ahead: 70_000 + n })),
    ahead: 70_000,
  },
])('the clock of Redis: $of', ({ rounds, ahead }) => {
  expect(measured(rounds)).toBe(ahead)
})

test('a drift is followed in the end', () => {
  const rounds = Array.from({ length: 100 }, (_, n) => ({ ...quick, ahead: 70_000 + n }))
  expect(Math.abs(measured(rounds) - 70_099)).toBeLessThanOrEqual(8)
})
