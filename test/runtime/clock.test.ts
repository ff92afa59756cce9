import { describe, expect, test } from 'vitest'
import { systemClock } from '../../src/runtime/clock.ts'

/** Until the system's clock has moved by a thousandth of a millisecond at least. */
function letTimePass(): void {
  const start = performance.now()
  while (performance.now() - start < 0.001);
}

describe('the system clock', () => {
  test.each([undefined, 0])('goes on, whatever is zero (%s)', (origin) => {
    const clock = systemClock(origin)
    const before = clock.now()
    letTimePass()
    expect(clock.now()).toBeGreaterThan(before)
  })

  test('has one reading while it is held, that of who asks first, and goes on afterwards', () => {
    const clock = systemClock()
    const before = clock.now()
    letTimePass()
    clock.hold?.()
    const first = clock.now()
    letTimePass()
    expect(clock.now()).toBe(first)
    expect(first).toBeGreaterThan(before)
    clock.release?.()
    expect(clock.now()).toBeGreaterThan(first)
  })

  test('who holds it again gets another reading', () => {
    const clock = systemClock()
    clock.hold?.()
    const first = clock.now()
    clock.release?.()
    letTimePass()
    clock.hold?.()
    expect(clock.now()).toBeGreaterThan(first)
    clock.release?.()
  })
})
