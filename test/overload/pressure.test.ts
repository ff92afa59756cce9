import { describe, expect, test } from 'vitest'
import { calm, type Pressure, pressed } from '../../src/overload/pressure.ts'

/** docs/decisions/0023-overload.md, "The level". */
const stateAfter = (from: Pressure, busy: readonly number[]) => busy.reduce(pressed, from)
const times = (count: number, busy: number) => new Array<number>(count).fill(busy)
const shedding = (level: number): Pressure => ({ isShedding: true, level, inRow: 0 })

describe('shedding begins', () => {
  test.each([
    ['after 0.8 seconds without sleep', times(4, 1), true],
    ['not after 0.6', times(3, 1), false],
    ['not where the loop slept in between', [1, 1, 1, 0.5, 1, 1, 1], false],
    ['never at 90 %', times(1_000, 0.9), false],
  ])('%s', (_, busy, expected) => {
    expect(stateAfter(calm, busy).isShedding).toBe(expected)
  })

  test('with half of the newcomers', () => expect(stateAfter(calm, times(4, 1)).level).toBe(0.5))
})

describe('the level', () => {
  test.each([
    ['rises while the loop does not sleep', 0.5, [1, 1], 0.7],
    ['stays between 85 and 95 %', 0.5, [0.86, 0.9, 0.94], 0.5],
    ['falls slowly where there is room', 0.5, [0.5, 0.5], 0.46],
    ['rises more slowly for those who come at their time', 1.2, [1, 1], 1.3],
    ['and falls faster', 1.3, [0.5], 1.2],
    ['never above 2', 1.95, times(10, 1), 2],
    ['never below 0', 0.01, times(3, 0.1), 0],
  ])('%s', (_, level, busy, expected) => {
    expect(stateAfter(shedding(level), busy).level).toBeCloseTo(expected)
  })
})

describe('shedding ends', () => {
  test('five seconds after the last newcomer was turned away', () => {
    expect(stateAfter(shedding(0), times(24, 0.5)).isShedding).toBe(true)
    expect(stateAfter(shedding(0), times(25, 0.5))).toEqual(calm)
  })

  test('not while it is busy, though nobody is turned away', () => {
    expect(stateAfter(shedding(0), times(100, 0.88)).isShedding).toBe(true)
  })
})
