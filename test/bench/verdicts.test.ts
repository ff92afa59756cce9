import { describe, expect, test } from 'vitest'
import { compared } from '../../bench/comparison.ts'
import { medianRun, middle, type Run } from '../../bench/measurement.ts'
import type { ServerName } from '../../bench/server.ts'
import type { Measured } from '../../bench/session.ts'
import { type Sample, verdictOn } from '../../bench/soak-verdict.ts'

/** What the measuring stick makes of figures: the median, the ratio, whether a bar holds, whether a soak was flat. */
const run = (cpuMicroseconds: number, more: Partial<Run> = {}): Run => ({
  cpuMicroseconds,
  userMicroseconds: cpuMicroseconds / 2,
  systemMicroseconds: cpuMicroseconds / 2,
  utilisation: 1,
  perSecond: 1_000,
  p50Microseconds: 100,
  p99Microseconds: 1_000,
  sent: 1_000,
  lost: 0,
  retransmissions: 0,
  waiting: 0,
  stolen: 0,
  generatorShare: 0,
  proportionalBytes: 2 ** 20,
  isDirty: false,
  ...more,
})

const moderated = 'native (2000 us of moderation)'

const measured = (
  server: ServerName,
  one: Run,
  scenario = 'b',
  rate: number | 'sat' = 'sat',
  engine = moderated,
): Measured => ({
  server,
  scenario,
  rate,
  run: one,
  runs: [one],
  dirtyRuns: one.isDirty ? 1 : 0,
  engine: server === 'viaduct' ? engine : null,
})

describe('the median of runs', () => {
  test.each([
    [[3, 1, 2], 2],
    [[4, 1, 3, 2], 2.5],
    [[7], 7],
    [[], Number.NaN],
  ])('of %j is %d', (values, expected) => {
    expect(middle(values)).toBe(expected)
  })

  test('is taken of costs; what was sent and lost is added up', () => {
    const runs = [run(10, { lost: 1, isDirty: true }), run(30), run(20)]
    expect(medianRun(runs)).toMatchObject({ cpuMicroseconds: 20, userMicroseconds: 10, sent: 3_000, lost: 1 })
    expect(medianRun([])).toBeNull()
  })
})

describe('a ratio against its bar', () => {
  const verdictOf = (viaduct: number, scenario: string, rate: number | 'sat', engine = moderated) =>
    compared([
      measured('kamailio', run(100), scenario, rate),
      measured('viaduct', run(viaduct), scenario, rate, engine),
    ]).map(({ must, reach, verdict }) => [must, reach, verdict])

  test.each([
    ['b', 'sat', 50.4, [0.7, 0.5, 'reached']],
    ['b', 'sat', 50.6, [0.7, 0.5, 'holds']],
    ['b', 'sat', 70.4, [0.7, 0.5, 'holds']],
    ['b', 'sat', 70.6, [0.7, 0.5, 'misses']],
    ['b', 5_000, 66, [0.65, 0.4, 'misses']],
    ['c', 'sat', 60, [0.75, 0.55, 'holds']],
    ['f0', 'sat', 60, [null, null, null]],
  ] as const)('%s at %s, %d of 100: %j', (scenario, rate, cost, expected) => {
    expect(verdictOf(cost, scenario, rate)).toEqual([expected])
  })

  test('without wake-up moderation, below saturation: no dearer than Kamailio; saturated as ever', () => {
    const immediate = 'native (no moderation)'
    expect(verdictOf(100, 'b', 5_000, immediate)).toEqual([[1, null, 'holds']])
    expect(verdictOf(101, 'b', 5_000, immediate)).toEqual([[1, null, 'misses']])
    expect(verdictOf(100, 'b', 5_000, 'dgram')).toEqual([[1, null, 'holds']])
    expect(verdictOf(71, 'b', 'sat', immediate)).toEqual([[0.7, 0.5, 'misses']])
  })

  test('one server alone has no ratio; a pair of which one never had a clean run says so', () => {
    expect(compared([measured('viaduct', run(10))])).toMatchObject([
      { kamailio: null, ratio: null, verdict: null, isClean: true },
    ])
    const dirty = measured('kamailio', run(10, { isDirty: true }))
    expect(compared([dirty, measured('viaduct', run(5))])).toMatchObject([
      { ratio: 0.5, isClean: false, dirtyRuns: 1 },
    ])
  })
})

describe('a soak', () => {
  const steady: Sample = {
    seconds: 0,
    anonymousBytes: 200 * 2 ** 20,
    fileBytes: 0,
    storeBytes: 2 ** 20,
    descriptors: 25,
    threads: 11,
  }
  const samplesOf = (change: (index: number) => Partial<Sample>) =>
    Array.from({ length: 20 }, (_, index) => ({ ...steady, seconds: 5 * index, ...change(index) }))
  const failing = (change: (index: number) => Partial<Sample>) =>
    verdictOn(samplesOf(change))
      .filter(({ isFlat }) => !isFlat)
      .map(({ text }) => text.split(':')[0])

  test.each([
    ['nothing moves', () => ({}), []],
    ['a saw', (index: number) => ({ anonymousBytes: steady.anonymousBytes * (1 + (index % 4) / 20) }), []],
    [
      'memory shrinks',
      (index: number) => ({ anonymousBytes: steady.anonymousBytes * (1 - index / 100) }),
      [],
    ],
    [
      'garbage is collected in the middle',
      (index: number) => ({ anonymousBytes: steady.anonymousBytes * (index < 9 ? 1.6 : 1) }),
      [],
    ],
    [
      'memory grows',
      (index: number) => ({ anonymousBytes: steady.anonymousBytes * (1 + index / 200) }),
      ['memory'],
    ],
    [
      'one peak',
      (index: number) => ({ anonymousBytes: steady.anonymousBytes * (index === 9 ? 2 : 1) }),
      ['memory'],
    ],
    [
      'the store grows',
      (index: number) => ({ storeBytes: steady.storeBytes * (1 + index / 100) }),
      ['store'],
    ],
    ['a descriptor leaks', (index: number) => ({ descriptors: index > 10 ? 26 : 25 }), ['descriptors']],
    ['a thread comes and goes', (index: number) => ({ threads: index === 9 ? 12 : 11 }), ['threads']],
  ])('%s', (_, change, expected) => {
    expect(failing(change)).toEqual(expected)
  })
})
