import { describe, expect, test } from 'vitest'
import { playStorm, type StormOptions, type StormOutcome } from './storm.ts'

/**
 * An edge dies, and its devices come back at the others, which cannot take them all at once: docs/scaling.md, "When an edge dies".
 * Usually a small storm at four edges; VIADUCT_STORM=100000 is the one of the page, at ten, in some minutes. Times are of
 * the simulated clock, and the same for a seed.
 */
const devices = Number(process.env['VIADUCT_STORM'] ?? 0)
const isFull = devices > 0

const small = { edges: 4, devices: 6_500, withinSeconds: 12, knownPerEdge: 60, secondsMax: 150 }
const full = { edges: 10, devices, withinSeconds: 60, knownPerEdge: 500, secondsMax: 900 }
const usual = { ...(isFull ? full : small), knownShare: 0.5, excess: 2, shed: true } as const
const milliseconds = isFull ? 3_600_000 : 60_000

/** Seconds until all of them must be registered: `excess` times the storm could not be less. */
const allWithinSeconds = isFull ? 300 : 90

describe.each([
  ['dns', 'a name has all addresses, and each device takes one', usual],
  // Half of them come to one edge, so that fewer are as many for it.
  ['anycast', 'the network leads them to the three nearest', { ...usual, devices: usual.devices / 2 }],
] as const)('%s: %s', (takenOver, _, options) => {
  let outcome: StormOutcome
  test('plays', { timeout: milliseconds }, async () => {
    outcome = await playStorm({ ...options, takenOver })
    if (isFull) process.stdout.write(`${figures(takenOver, outcome)}\n`)
    expect(outcome.edges.some(({ overloads }) => overloads > 0)).toBe(true)
  })

  test('whom an edge knows it goes on answering: all of them, none with 503, and soon', () => {
    const { known } = outcome
    expect(known.asked).toBeGreaterThan(1_000)
    expect([...known.others]).toEqual([])
    expect(known.answered).toBe(known.asked)
    expect(outcome.knownRefused).toBe(0)
    expect(known.p50).toBeLessThan(100)
    expect(known.p99).toBeLessThan(500)
    // One may be lost before anybody is turned away, and is sent again after T1.
    expect(known.worst).toBeLessThan(2_000)
    expect(outcome.callsLost).toBe(0)
  })

  test('all newcomers are registered, and nobody is told to wait for ever', () => {
    expect(outcome.isAllRegistered).toBe(true)
    expect(outcome.registered.all).toBeLessThan(allWithinSeconds)
    expect(Math.max(...outcome.refusals.keys())).toBeLessThanOrEqual(5)
    const thrice = [...outcome.refusals]
      .filter(([times]) => times > 2)
      .reduce((sum, [, count]) => sum + count, 0)
    expect(thrice / options.devices).toBeLessThan(0.05)
  })

  test('they do not all come back at once', () => {
    const { retryAfter } = outcome
    const told = [...retryAfter.values()].reduce((sum, count) => sum + count, 0)
    expect(told).toBeGreaterThan(options.devices / 4)
    expect(retryAfter.size).toBeGreaterThan(isFull ? 60 : 12)
    expect(Math.max(...retryAfter.values()) / told).toBeLessThan(isFull ? 0.05 : 0.15)
    expect(Math.min(...retryAfter.keys())).toBeGreaterThanOrEqual(1)
    expect(Math.max(...retryAfter.keys())).toBeLessThan(allWithinSeconds)
  })

  test('no edge falls over, and each says once that it began and once that it was over', () => {
    for (const { overloads } of outcome.edges) expect(overloads).toBeLessThanOrEqual(1)
    const [began, over] = ['overloaded', 'no longer'].map(
      (word) => outcome.log.filter((line) => line.startsWith(`warn ${word}`)).length,
    )
    expect(began).toBe(over)
    expect(outcome.log).toHaveLength(2 * Number(began))
  })
})

test.runIf(!isFull)(
  'without overload_shed the same storm is felt by everybody',
  { timeout: milliseconds },
  async () => {
    const { known, edges } = await playStorm({ ...usual, takenOver: 'dns', shed: false })
    expect(known.p99).toBeGreaterThan(5_000)
    expect(edges.every(({ dropped }) => dropped > 100)).toBe(true)
  },
)

function figures(
  takenOver: StormOptions['takenOver'],
  { retryAfter, refusals, ...outcome }: StormOutcome,
): string {
  const seconds = [...retryAfter.keys()]
  const tens = new Map<number, number>()
  for (const [second, count] of retryAfter) {
    tens.set(Math.floor(second / 20) * 20, (tens.get(Math.floor(second / 20) * 20) ?? 0) + count)
  }
  return [
    `${takenOver}: ${JSON.stringify({ ...outcome, log: outcome.log.length })}`,
    `  turned away so many times: ${[...refusals].map(([times, count]) => `${times}: ${count}`).join(', ')}`,
    `  Retry-After from ${Math.min(...seconds)} to ${Math.max(...seconds)} s: ${[...tens].map(([from, count]) => `${from}-${from + 19}: ${count}`).join(', ')}`,
  ].join('\n')
}
