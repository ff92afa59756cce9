import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { simulatedClock } from '../../src/testing/clock.ts'
import { TimerWheel, WheelEntry } from '../../src/transaction/timer-wheel.ts'

class Entry extends WheelEntry {
  readonly name: number

  constructor(name: number) {
    super()
    this.name = name
  }
}

function wheelOf(onExpire: (entry: Entry, now: number) => void = () => {}) {
  const clock = simulatedClock()
  return { clock, wheel: new TimerWheel<Entry>(clock, onExpire) }
}

describe('the timer wheel', () => {
  test('an empty one wakes up once at most, and keeps no timer of the clock afterwards', () => {
    const { clock, wheel } = wheelOf()
    const entry = new Entry(1)
    expect(clock.pending).toBe(0)
    wheel.set(entry, 500)
    expect(clock.pending).toBe(1)
    wheel.cancel(entry)
    clock.advanceSync(500)
    expect(clock.pending).toBe(0)
    wheel.set(entry, 600)
    clock.advanceSync(600)
    expect([wheel.count, clock.pending]).toEqual([0, 0])
    wheel.set(entry, 2_000)
    wheel.clear()
    expect(clock.pending).toBe(0)
  })

  test('entries that come and go one by one share one timer of the clock', () => {
    const fired: number[] = []
    const { clock, wheel } = wheelOf((_, now) => fired.push(now))
    let timers = 0
    const { schedule } = clock
    clock.schedule = (delay, fire) => {
      timers++
      return schedule(delay, fire)
    }
    for (let ms = 0; ms < 400; ms++) {
      const entry = new Entry(ms)
      wheel.set(entry, ms + 500)
      wheel.cancel(entry)
      clock.advanceSync(1)
    }
    wheel.set(new Entry(400), 900)
    expect([timers, clock.pending]).toEqual([1, 1])
    clock.advanceSync(500)
    expect([timers, fired, clock.pending]).toEqual([2, [900], 0])
  })

  test.each([1, 500, 1_023, 1_024, 32_000, 180_000, 3_600_000])(
    'wakes up once for one entry in %d ms',
    (ms) => {
      const fired: number[] = []
      const { clock, wheel } = wheelOf((_, now) => fired.push(now))
      let wakeUps = 0
      const { schedule } = clock
      clock.schedule = (delay, fire) =>
        schedule(delay, () => {
          wakeUps++
          fire()
        })
      clock.advanceSync(777)
      wheel.set(new Entry(1), 777 + ms)
      clock.advanceSync(ms)
      expect(fired).toEqual([777 + ms])
      // Beyond the far ring's horizon of nine minutes it has to look again.
      expect(wakeUps).toBeLessThanOrEqual(1 + ms / 500_000)
    },
  )

  test('an entry may set itself, and cancel others, while it expires', () => {
    const fired: string[] = []
    const first = new Entry(1)
    const second = new Entry(2)
    const { clock, wheel } = wheelOf((entry, now) => {
      fired.push(`${entry.name}@${now}`)
      if (entry === first && now < 30) wheel.set(first, now + 10)
      wheel.cancel(second)
    })
    wheel.set(first, 10)
    wheel.set(second, 10)
    clock.advanceSync(100)
    expect(fired).toEqual(['1@10', '1@20', '1@30'])
  })

  test('what was due during a suspended hour is served at once, and later entries keep their time', () => {
    const fired: string[] = []
    const { clock, wheel } = wheelOf((entry, now) => fired.push(`${entry.name}@${now}`))
    for (const ms of [500, 32_000, 4_000_000]) wheel.set(new Entry(ms), ms)
    // The host sleeps: timers of the clock do not fire, time goes on.
    const { now } = clock
    let slept = 0
    clock.now = () => now() + slept
    slept = 3_600_000
    clock.advanceSync(500)
    expect(fired).toEqual(['500@3600500', '32000@3600500'])
    clock.advanceSync(399_500)
    expect(fired[2]).toBe('4000000@4000000')
  })

  test('after a busy wake-up it rests: a thousand timers of a second cost a hundred wake-ups', () => {
    let wakeUps = 0
    const { clock, wheel } = wheelOf()
    const { schedule } = clock
    clock.schedule = (delay, fire) =>
      schedule(delay, () => {
        wakeUps++
        fire()
      })
    for (let i = 0; i < 20_000; i++) wheel.set(new Entry(i), 1_000 + (i % 1_000))
    clock.advanceSync(2_100)
    expect(wheel.count).toBe(0)
    expect(wakeUps).toBeLessThan(110)
  })

  test('law: every entry expires once, never early, at most the rest of a busy wheel late, in order of time', () => {
    const step = fc.record({
      entry: fc.nat(30),
      delay: fc.oneof(fc.integer({ min: 0, max: 3_000 }), fc.integer({ min: 0, max: 700_000 })),
      pause: fc.integer({ min: 0, max: 2_000 }),
      cancels: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const due = new Map<number, number>()
        const { clock, wheel } = wheelOf((entry, now) => {
          const expected = due.get(entry.name)
          due.delete(entry.name)
          expect(expected).toBeDefined()
          expect(now).toBeGreaterThanOrEqual(expected ?? 0)
          expect(now).toBeLessThanOrEqual((expected ?? 0) + 11)
        })
        const entries = Array.from({ length: 31 }, (_, i) => new Entry(i))
        for (const { entry, delay, pause, cancels } of steps) {
          const chosen = entries[entry] ?? new Entry(entry)
          if (cancels) {
            wheel.cancel(chosen)
            due.delete(entry)
          } else {
            wheel.set(chosen, clock.now() + delay)
            due.set(entry, clock.now() + delay)
          }
          clock.advanceSync(pause)
          expect(wheel.count).toBe(due.size)
        }
        clock.advanceSync(800_000)
        expect(due.size).toBe(0)
        expect(clock.pending).toBe(0)
      }),
    )
  })
})
