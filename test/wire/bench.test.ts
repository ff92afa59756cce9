import { availableParallelism } from 'node:os'
import { beforeAll, describe, expect, test } from 'vitest'
import { compared } from '../../bench/comparison.ts'
import { compiled } from '../../bench/generator.ts'
import { scenario, scenarioNames } from '../../bench/scenarios.ts'
import type { ServerName } from '../../bench/server.ts'
import { type Measured, measureScenario } from '../../bench/session.ts'
import { scenarioMarkdown, workersMarkdown } from '../../bench/table.ts'
import { measureWorkers, workerScenarios } from '../../bench/workers.ts'
import { requireProgram } from './lab.ts'
import { freePort } from './oracle.ts'

/**
 * The measuring stick itself: each scenario once, for a moment and slowly, through the functions of `npm run bench`.
 * What a request costs is nobody's business here; that each is answered, and that each figure is there, is.
 */
describe('npm run bench', { timeout: 60_000 }, () => {
  const cpus = `0-${availableParallelism() - 1}`
  const stand = { serverPort: freePort(), callerPort: consecutivePorts(8), calleePort: freePort(), cpu: cpus }
  const amounts = { seconds: 0.3, requests: 100, warmUpRequests: 20, leadSeconds: 0 }

  beforeAll(() => {
    requireProgram('gcc', 'gcc libc6-dev')
    requireProgram('taskset', 'util-linux')
    compiled()
  })

  const measuredOf = (name: string, servers: readonly ServerName[]): Promise<Measured[]> =>
    measureScenario(
      scenario(name),
      { servers, rates: [200, 'sat'], rounds: 1, amounts, stand, settings: { cpus } },
      () => {},
    )

  const usual = scenarioNames.filter((name) => name !== 'f0')

  test.each(usual)('%s: nothing is lost, and every figure is there', async (name) => {
    const measured = await measuredOf(name, ['viaduct'])
    expect(measured.map(({ rate }) => rate)).toEqual([200 * scenario(name).requestsPerRate, 'sat'])
    for (const { run } of measured) {
      expect(run).toMatchObject({ lost: 0, sent: expect.any(Number) })
      for (const figure of [run.sent, run.cpuMicroseconds, run.p50Microseconds, run.proportionalBytes]) {
        expect(figure).toBeGreaterThan(0)
      }
      expect(run.userMicroseconds + run.systemMicroseconds).toBeCloseTo(run.cpuMicroseconds, 6)
      expect(run.p99Microseconds).toBeGreaterThanOrEqual(run.p50Microseconds)
    }
  })

  test('workers: requests a second with one and with two, for a heavy script and for one that forwards', async () => {
    const turns = { servers: ['viaduct'], rounds: 1, amounts, stand, settings: { cpus, workers: 2 } } as const
    const found = await measureWorkers({ ...turns, stand: { ...stand, callerSockets: 8 } }, () => {})
    expect(found.map(({ scenario, workers }) => [scenario, workers])).toEqual(
      workerScenarios.flatMap((name) => [1, 2].map((workers) => [name, workers])),
    )
    for (const { run, timesOne } of found) {
      expect(run.lost).toBe(0)
      expect(Math.min(run.perSecond, run.generatorShare, timesOne)).toBeGreaterThan(0)
    }
    expect(workersMarkdown(found)).toMatch(/^\| w \| viaduct \| 2 \| \d+ \| \*\*[\d.]+\*\* \|/m)
  })

  test('beside Kamailio: a ratio against a bar, in JSON and as a table', async () => {
    requireProgram('kamailio', 'kamailio')
    const [paced, saturated, ...more] = compared(await measuredOf('a', ['kamailio', 'viaduct']))
    expect(more).toEqual([])
    expect([paced, saturated]).toMatchObject([
      { scenario: 'a', rate: 200, ratio: expect.any(Number), must: expect.any(Number) },
      { scenario: 'a', rate: 'sat', ratio: expect.any(Number), ...scenario('a').bars?.saturated },
    ])
    expect(paced?.engine).toMatch(/^(native|node:dgram|dgram)/)
    const verdict = expect.stringMatching(/^(reached|holds|misses)$/)
    expect(JSON.parse(JSON.stringify(paced))).toMatchObject({
      verdict,
      dirtyRuns: expect.any(Number),
      kamailio: { lost: 0, retransmissions: expect.any(Number) },
      viaduct: { lost: 0, retransmissions: expect.any(Number) },
    })
    expect(paced && scenarioMarkdown([paced])).toMatch(/^\| a \| 200 \| [\d.]+ \(\d+ \+ \d+\) \|/m)
  })
})

/** The first of so many in a row. */
function consecutivePorts(count: number): number {
  let ports = [freePort()]
  while (ports.length < count) {
    const next = freePort()
    ports = next === (ports.at(-1) ?? 0) + 1 ? [...ports, next] : [next]
  }
  return ports[0] ?? 0
}
