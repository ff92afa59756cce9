import { type EdgesOptions, openEdges } from '../../src/edges/edges.ts'
import { SharedBindings } from '../../src/edges/shared-bindings.ts'
import { limits } from '../../src/limits.ts'
import { type Binding, createBinding } from '../../src/location/binding.ts'
import type { Change } from '../../src/location/location.ts'
import { Outdated, type OwnBindings } from '../../src/location/shared-table.ts'
import type { Redis } from '../../src/redis/redis.ts'
import type { Clock } from '../../src/runtime/clock.ts'
import { createMetrics } from '../../src/runtime/metrics.ts'
import { simulatedClock } from '../../src/testing/clock.ts'
import { collectingLog } from '../../src/testing/log.ts'
import { seededRandom } from '../../src/testing/random.ts'
import { oneWorker, type Workers } from '../../src/worker/workers.ts'
import { MemoryRedis } from './memory-redis.ts'

/** Edges that share one Redis in memory, on one simulated clock. */
export function world() {
  const clock = simulatedClock()
  const redis = new MemoryRedis(clock)
  let seed = 0
  return {
    clock,
    redis,
    /** The loop of time: heartbeats go on meanwhile. */
    pass: (milliseconds: number) => clock.advance(milliseconds),
    /** One that is there: its link is up, and it has told all that it owns. */
    async edge(name: string, given: Partial<EdgeOptions> = {}) {
      seed++
      const link = redis.link()
      const edge = new TestEdge(name, link, clock, { uri: `sip:192.0.2.${seed}:5060`, seed, ...given })
      link.find()
      await clock.advance(100)
      return Object.assign(edge, { link })
    },
  }
}

export interface EdgeOptions extends Omit<EdgesOptions, 'name'> {
  readonly seed: number
  readonly workers: Workers
  readonly matchingMode: 0 | 1 | 2 | 3
  readonly untoldMax: number
  /** What a process before this one has left in its store. */
  readonly owned: Iterable<Binding>
}

/** What a router has of it: Edges, one SharedBindings, and in the place of a Location a map of what it owns. */
export class TestEdge {
  readonly log = collectingLog('debug')
  readonly metrics = createMetrics()
  readonly owned = new Map<string, Binding>()
  readonly edges
  readonly shared
  readonly #clock: Clock
  readonly #name: string
  readonly #seed: number
  #ruids = 0

  constructor(
    name: string,
    redis: Redis,
    clock: Clock,
    {
      seed,
      workers = oneWorker,
      matchingMode = 0,
      untoldMax = limits.edgeUntoldMax,
      owned = [],
      ...options
    }: Partial<EdgeOptions> & { uri: string },
  ) {
    this.#clock = clock
    this.#name = name
    this.#seed = seed ?? 0
    for (const binding of owned) this.owned.set(binding.ruid, binding)
    const host = { clock, log: this.log, metrics: this.metrics, random: seededRandom(seed ?? 0), workers }
    this.edges = openEdges(redis, host, { name, ...options })
    this.shared = new SharedBindings(redis, this.edges, this.#own(), host, {
      table: 'location',
      matchingMode,
      untoldMax,
    })
    this.shared.begin()
  }

  /** A new binding, or one that takes the place of `before`. Says how telling it ended. */
  async binds(aor: string, given: Partial<Binding> = {}, before: Binding | null = null) {
    const now = this.#clock.now()
    const after = createBinding({
      aor,
      ruid: before?.elsewhere === null ? before.ruid : `uloc-${this.#name}-${this.#seed}-${this.#ruids++}`,
      contact: `sip:${aor}@198.51.100.1:5060`,
      callId: `call of ${aor}`,
      cseq: 1,
      trust: 'digest',
      expiresAt: now + 3_600_000,
      modifiedAt: now,
      ...given,
    })
    return { binding: after, told: await this.change({ before, after }) }
  }

  async removes(before: Binding, request?: { callId: string; cseq: number }) {
    return await this.change({ before, after: null, ...(request && { request }) })
  }

  async change(change: Change): Promise<'told' | 'later' | 'outdated'> {
    const { before, after } = change
    if (before !== null && before.elsewhere === null) this.owned.delete(before.ruid)
    if (after !== null) this.owned.set(after.ruid, after)
    const telling = this.shared.tell([change])
    if (telling === null) return 'later'
    try {
      await telling
      return 'told'
    } catch (error) {
      if (!(error instanceof Outdated)) throw error
      if (after !== null) this.owned.delete(after.ruid)
      if (before !== null && before.elsewhere === null) this.owned.set(before.ruid, before)
      return 'outdated'
    }
  }

  /** What it finds of others: their names and contacts; `unknown` if nobody could say. */
  async finds(aor: string): Promise<string[] | 'unknown'> {
    const isKnown = (await this.shared.fetch(aor)) ?? true
    const found = this.shared.of(aor).map(({ elsewhere, contact }) => `${elsewhere?.edge.name} ${contact}`)
    return isKnown ? found : 'unknown'
  }

  async others(aor: string): Promise<readonly Binding[]> {
    await this.shared.fetch(aor)
    return this.shared.of(aor)
  }

  owns(aor: string): string[] {
    return [...this.owned.values()].filter((binding) => binding.aor === aor).map(({ contact }) => contact)
  }

  metric(name: string): number {
    return this.metrics.samples().find((sample) => sample.name === name)?.value ?? 0
  }

  /** Without a goodbye if it is killed. */
  async close(): Promise<void> {
    await this.shared.close()
    await this.edges.close()
  }

  #own(): OwnBindings {
    const { owned } = this
    const clock = this.#clock
    return {
      lose: (ruid) => void owned.delete(ruid),
      *pages() {
        const all = [...owned.values()].filter(({ expiresAt }) => expiresAt > clock.now())
        for (let i = 0; i < all.length; i += 500) yield all.slice(i, i + 500)
      },
    }
  }
}
