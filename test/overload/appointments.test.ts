import { describe, expect, test } from 'vitest'
import { limits } from '../../src/limits.ts'
import { Appointments } from '../../src/overload/appointments.ts'

describe('an appointment', () => {
  const appointments = new Appointments(7)
  const key = appointments.keyOf('a@192.0.2.10', '192.0.2.10')
  appointments.appoint(key, 100, 220)

  test.each([
    ['is early before its time, by so many seconds', 90, 10],
    ['is due from its first second', 100, 0],
    ['until its last', 220, 0],
    ['and is forgotten afterwards', 221, -1],
  ])('%s', (_, now, early) => expect(appointments.early(key, now)).toBe(early))

  test('is of one Call-ID and one address', () => {
    expect(appointments.early(appointments.keyOf('b@192.0.2.10', '192.0.2.10'), 100)).toBe(-1)
    expect(appointments.early(appointments.keyOf('a@192.0.2.10', '192.0.2.11'), 100)).toBe(-1)
  })

  test('lets nobody in before its time', () => expect(appointments.goesOn(key, 100)).toBe(false))
})

describe('who was let in', () => {
  test('goes on, so many times', () => {
    const appointments = new Appointments(7)
    const key = appointments.keyOf('a', '192.0.2.10')
    appointments.admit(key, 100, 132, 2)
    expect([1, 2, 3].map(() => appointments.goesOn(key, 101))).toEqual([true, true, false])
  })

  test('and for so long', () => {
    const appointments = new Appointments(7)
    const key = appointments.keyOf('a', '192.0.2.10')
    appointments.admit(key, 100, 132, 2)
    expect(appointments.goesOn(key, 133)).toBe(false)
  })
})

test('twice as many as there is room for: nothing grows, and most of the last are there', () => {
  const appointments = new Appointments(7)
  const count = 2 * limits.overloadAppointmentsMax
  const keys = Array.from({ length: count }, (_, n) => appointments.keyOf(`call-${n}`, '192.0.2.10'))
  for (const [n, key] of keys.entries()) appointments.appoint(key, n, n + 1_000_000)
  const found = keys.filter((key) => appointments.early(key, 0) >= 0).length
  expect(found).toBeLessThanOrEqual(limits.overloadAppointmentsMax)
  expect(found).toBeGreaterThan(limits.overloadAppointmentsMax / 2)
  const last = keys.slice(-1_000).filter((key) => appointments.early(key, 0) >= 0).length
  expect(last).toBeGreaterThan(950)
})
