import { describe, expect, test } from 'vitest'
import { simulatedClock } from '../../src/testing/clock.ts'
import { seededRandom } from '../../src/testing/random.ts'

describe('the simulated clock', () => {
  test('stands still until told to move', () => {
    const clock = simulatedClock()
    expect([clock.now(), clock.now()]).toEqual([0, 0])
    clock.advanceSync(1_500)
    expect(clock.now()).toBe(1_500)
    expect(new Date(clock.wall()).toISOString()).toBe('2026-01-01T00:00:01.500Z')
  })

  test('fires in order of time, then in the order in which timers were set', () => {
    const clock = simulatedClock()
    const fired: string[] = []
    for (const [name, ms] of [
      ['c', 20],
      ['a', 10],
      ['b', 10],
      ['d', 20],
    ] as const) {
      clock.schedule(ms, () => fired.push(`${name}@${clock.now()}`))
    }
    clock.advanceSync(15)
    expect(fired).toEqual(['a@10', 'b@10'])
    clock.advanceSync(5)
    expect(fired).toEqual(['a@10', 'b@10', 'c@20', 'd@20'])
  })

  test('a cancelled timer does not fire; a timer may set another', () => {
    const clock = simulatedClock()
    const fired: number[] = []
    clock.schedule(5, () => fired.push(-1)).cancel()
    clock.schedule(5, () => clock.schedule(5, () => fired.push(clock.now())))
    clock.advanceSync(10)
    expect(fired).toEqual([10])
    expect([clock.pending, clock.untilNext()]).toEqual([0, Number.POSITIVE_INFINITY])
  })

  test('advance lets promises run before the next timer fires', async () => {
    const clock = simulatedClock()
    const order: string[] = []
    const wait = (ms: number) => new Promise<void>((resolve) => clock.schedule(ms, resolve))
    const first = wait(10).then(() => order.push(`first@${clock.now()}`))
    clock.schedule(20, () => order.push('second'))
    await clock.advance(20)
    await first
    expect(order).toEqual(['first@10', 'second'])
  })

  test("a jump of the host's date moves the wall clock alone", () => {
    const clock = simulatedClock()
    const before = clock.wall()
    clock.shiftWall(-3_600_000)
    expect([clock.now(), clock.wall() - before]).toEqual([0, -3_600_000])
  })
})

describe('seeded random', () => {
  test('is the same for the same seed, and another for another', () => {
    const [a, b, c] = [seededRandom(1), seededRandom(1), seededRandom(2)]
    expect(a.hex(16)).toBe(b.hex(16))
    expect(a.hex(16)).not.toBe(c.hex(16))
    expect(a.bytes(3)).toHaveLength(3)
  })

  test('whole numbers stay below their bound and reach all of it', () => {
    const random = seededRandom(3)
    const seen = new Set(Array.from({ length: 500 }, () => random.integer(10)))
    expect([...seen].sort((x, y) => x - y)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  })
})
