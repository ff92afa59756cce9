import fc from 'fast-check'
import { beforeEach, describe, expect, it, test } from 'vitest'
import { parseTableDefinition } from '../../plugins/htable/definition.ts'
import htable from '../../plugins/htable/index.ts'
import { limits } from '../../src/limits.ts'
import { type OpenRegion, privateRegions } from '../../src/store/region.ts'
import { simulatedClock } from '../../src/testing/clock.ts'
import type { Link } from '../../src/worker/link.ts'
import { memoryLinks } from '../../src/worker/memory-link.ts'
import { createWorkers, type Workers } from '../../src/worker/workers.ts'
import { requestText } from './digest-client.ts'
import { MemoryTables } from './memory-tables.ts'
import { createStand } from './stand.ts'

/** `$sht` tables of several edges over a Redis in memory: decision 26. */
const definitions = ['t=>size=4;store=redis://x', 'n=>initval=0;dmqreplicate=1;autoexpire=10;updateexpire=0']

let clock = simulatedClock()
let redis = new MemoryTables(clock)
let edges = 0

beforeEach(() => {
  clock = simulatedClock()
  redis = new MemoryTables(clock)
})

interface OfWorker {
  readonly workers: Workers
  readonly openRegion: OpenRegion
}

async function edge(values: Record<string, unknown> = {}, isUp = true, ofWorker?: OfWorker) {
  const link = redis.link()
  if (isUp) link.find()
  const stand = createStand({ seed: ++edges, clock, openRedis: () => link, ...ofWorker })
  const bench = await stand.load(htable, { htable: definitions, store: 'redis://x', ...values })
  const context = stand.context(requestText())
  const started = bench.start()
  await clock.advance(isUp ? 0 : limits.htableReadyMilliseconds)
  await started
  const sums: unknown[] = []
  const variable = { read: () => null, write: (_: unknown, value: unknown) => sums.push(value) > 0 }
  return {
    link,
    stand,
    bench,
    sums,
    get: (item: string) => bench.read('sht', context, item),
    set: (item: string, value: string | number | null) => bench.write('sht', context, item, value),
    inc: (item: string) => bench.read('shtinc', context, item),
    left: (item: string) => bench.read('shtex', context, item),
    setLeft: (item: string, seconds: number) => bench.write('shtex', context, item, seconds),
    call: (name: string, ...args: unknown[]) => bench.call(name, context, ...args),
    add: (item: string, amount: number) =>
      bench.call('sht_add', context, item, amount, variable) as unknown as Promise<number>,
    gauge: (name: string) => stand.metrics.samples().find((one) => one.name === name)?.value,
    dump: () => JSON.stringify([...tableOf(bench).live()].sort()),
  }
}

const tableOf = (bench: { exports: unknown }) =>
  (bench.exports as { table(name: string): { live(): Iterable<unknown>; size: number } }).table('t')

describe('a table that edges share', () => {
  test('a write is read here at once, and there as soon as Redis has told it', async () => {
    const [a, b] = [await edge(), await edge()]
    expect([a.set('t=>x', 'text'), a.set('n=>y', 7), a.get('t=>x')]).toEqual([true, true, 'text'])
    expect(b.get('t=>x')).toBeNull()
    await clock.settle()
    expect([b.get('t=>x'), b.get('n=>y')]).toEqual(['text', 7])
    b.set('t=>x', null)
    b.call('sht_setxs', 't', 'z', 'brief', 5)
    await clock.settle()
    expect([a.get('t=>x'), a.left('t=>z')]).toEqual([null, 5])
    a.call('sht_reset', 't')
    await clock.settle()
    expect(b.get('t=>z')).toBeNull()
  })

  test('all that a script writes in one go is one script of Redis, and nobody echoes it', async () => {
    const [a] = [await edge(), await edge(), await edge()]
    const before = redis.runs.get('sht.change') ?? 0
    const runs = watchRuns('sht.change')
    for (let n = 0; n < 50; n++) a.set(`t=>${n}`, n)
    await clock.settle()
    expect(runs() - before).toBe(1)
  })

  test('an edge that begins finds what is there, however many pages, and what ends there ends here', async () => {
    const a = await edge()
    for (let n = 0; n < 9; n++) a.set(`t=>k${n}`, n)
    a.call('sht_setxi', 't', 'brief', 1, 3)
    await clock.settle()
    const b = await edge()
    expect([b.get('t=>k8'), b.left('t=>brief')]).toEqual([8, 3])
    await clock.advance(3_000)
    expect(b.get('t=>brief')).toBeNull()
    expect((await edge()).get('t=>brief')).toBeNull()
  })

  test('conflicting writes end as Redis had them, on all edges', async () => {
    const [a, b] = [await edge(), await edge()]
    a.link.delayMs = 40
    b.link.delayMs = 100
    a.set('t=>x', 'a')
    b.set('t=>x', 'b')
    await clock.advance(300)
    expect([a.get('t=>x'), b.get('t=>x')]).toEqual(['b', 'b'])
    b.set('t=>x', 'b2')
    a.set('t=>x', null)
    await clock.advance(300)
    expect([a.get('t=>x'), b.get('t=>x')]).toEqual(['b2', 'b2'])
  })

  test('$shtinc loses no increment, though two edges may see the same sum; an end is not put off by turns', async () => {
    const [a, b] = [await edge(), await edge()]
    for (const one of [a, b]) one.link.delayMs = 10
    expect([a.inc('n=>x'), b.inc('n=>x')]).toEqual([1, 1])
    for (let n = 0; n < 9; n++) {
      await clock.advance(1_050)
      a.inc('n=>x')
      b.inc('n=>x')
    }
    await clock.advance(100)
    expect([a.get('n=>x'), b.get('n=>x')]).toEqual([20, 20])
    await clock.advance(1_500)
    expect([a.get('n=>x'), b.get('n=>x')]).toEqual([0, 0])
  })

  test('sht_add gives each edge a sum of its own, and says when it is not certain', async () => {
    const [a, b] = [await edge(), await edge()]
    a.link.delayMs = 50
    const rcs = Promise.all([a.add('n=>x', 1), a.add('n=>x', 1), b.add('n=>x', 1), a.add('n=>x', 5)])
    await clock.advance(200)
    expect([await rcs, [...a.sums, ...b.sums].map(Number).sort((x, y) => x - y)]).toEqual([
      [1, 1, 1, 1],
      [1, 2, 3, 8],
    ])
    expect([await a.add('t=>none', 1), await a.add('nope=>x', 1)]).toEqual([-1, -1])
    a.link.delayMs = 5_000
    const late = a.add('n=>x', 1)
    await clock.advance(limits.redisDeadlineMilliseconds)
    expect([await late, a.sums.at(-1)]).toEqual([-2, 9])
    redis.stop()
    expect(await b.add('n=>x', 1)).toBe(-2)
  })

  test('sht_add does not take what an entry is by now for the sum that it came to', async () => {
    const [a, b] = [await edge(), await edge()]
    a.link.delayMs = 60
    const asked = a.add('n=>x', 1)
    await clock.advance(40)
    // Redis has made it; the answer does not come, and is asked for again at once.
    a.link.lose()
    await clock.advance(25)
    b.inc('n=>x')
    await clock.settle()
    a.link.delayMs = 0
    a.link.find()
    await clock.advance(300)
    expect([await asked, a.sums, a.get('n=>x'), b.get('n=>x')]).toEqual([-2, [1], 2, 2])
  })

  test('an answer that is late is asked for again, and nothing is added twice', async () => {
    const [a, b] = [await edge(), await edge()]
    a.link.delayMs = 400
    for (let n = 0; n < 3; n++) a.inc('n=>x')
    await clock.advance(1_000)
    a.link.delayMs = 0
    await clock.advance(1_000)
    expect([a.get('n=>x'), b.get('n=>x'), a.gauge('viaduct_htable_untold')]).toEqual([3, 3, 0])
  })
})

describe('Redis is away', () => {
  test('everything goes on here; what was written is told when it is back, and what others wrote is read', async () => {
    const [a, b] = [await edge(), await edge()]
    a.set('t=>old', 1)
    a.set('t=>both', 'first')
    await clock.settle()
    a.link.lose()
    expect(a.gauge('viaduct_htable_alone')).toBe(2)
    a.set('t=>a', 'x')
    a.set('t=>both', 'from a')
    b.set('t=>b', 'y')
    b.set('t=>old', null)
    await clock.advance(5_000)
    expect([a.get('t=>b'), a.get('t=>old'), b.get('t=>a')]).toEqual([null, 1, null])
    expect(a.gauge('viaduct_htable_untold')).toBe(2)
    a.link.find()
    await clock.advance(10)
    expect([a.get('t=>b'), a.get('t=>old'), b.get('t=>a'), b.get('t=>both')]).toEqual([
      'y',
      null,
      'x',
      'from a',
    ])
    expect([a.gauge('viaduct_htable_alone'), a.gauge('viaduct_htable_untold')]).toEqual([0, 0])
  })

  test('back without its data: each gives back what it knows, the newest of each, and no removed one', async () => {
    const [a, b] = [await edge(), await edge()]
    for (let n = 0; n < 5; n++) a.set(`t=>k${n}`, n)
    a.set('n=>x', 5)
    await clock.settle()
    redis.stop()
    redis.flush()
    a.set('t=>k1', 'newer')
    b.set('t=>k2', null)
    a.inc('n=>x')
    await clock.advance(500)
    for (const { link } of [b, a]) {
      link.find()
      await clock.advance(300)
    }
    expect(a.dump()).toBe(b.dump())
    expect([b.get('t=>k1'), a.get('t=>k2'), a.get('t=>k4'), b.get('n=>x')]).toEqual(['newer', null, 4, 6])
    const c = await edge()
    expect([c.dump(), c.get('n=>x')]).toEqual([a.dump(), 6])
    expect(a.stand.log.lines.filter(({ message }) => message.includes('in step')).length).toBeGreaterThan(0)
  })

  test('messages that are missed without a word are found out by the next one', async () => {
    const [a, b] = [await edge(), await edge()]
    a.set('t=>x', 1)
    await clock.settle()
    b.link.interrupt()
    a.set('t=>x', 2)
    await clock.settle()
    expect(b.get('t=>x')).toBe(1)
    b.link.resume()
    await clock.settle()
    expect(b.get('t=>x')).toBe(2)
  })

  test('a start without Redis waits for a moment, and goes on alone', async () => {
    const a = await edge({}, false)
    a.set('t=>x', 1)
    a.link.find()
    await clock.settle()
    expect((await edge()).get('t=>x')).toBe(1)
  })

  test('what Redis refuses is told later', async () => {
    const [a, b] = [await edge(), await edge()]
    a.link.refusal = 'OOM'
    a.set('t=>x', 1)
    await clock.advance(3_000)
    expect([a.get('t=>x'), b.get('t=>x')]).toEqual([1, null])
    a.link.refusal = ''
    await clock.advance(1_000)
    expect(b.get('t=>x')).toBe(1)
  })

  test('too much to tell is not remembered but compared: new entries are not lost, of others Redis has the say', async () => {
    const [a, b] = [await edge(), await edge()]
    b.set('t=>known', 1)
    b.set('t=>gone', 2)
    await clock.settle()
    a.link.lose()
    const count = limits.htableUntoldMax + 100
    for (let n = 0; n < count; n++) a.set(`t=>k${n}`, n)
    a.set('t=>known', 'untold')
    a.set('t=>gone', null)
    expect(a.gauge('viaduct_htable_untold')).toBe(limits.htableUntoldMax)
    expect(a.stand.log.lines.some(({ message }) => message.includes('too much to tell'))).toBe(true)
    a.link.find()
    await clock.advance(5_000)
    expect([a.get('t=>known'), a.get('t=>gone'), b.get('t=>known')]).toEqual([1, 2, 1])
    expect([b.get(`t=>k${count - 1}`), tableOf(b.bench).size - 2, a.gauge('viaduct_htable_untold')]).toEqual([
      count - 1,
      count,
      0,
    ])
  }, 60_000)

  it('ends on all edges with the same, whatever happens in whichever order (law)', async () => {
    const who = fc.integer({ min: 0, max: 1 })
    const key = fc.constantFrom('a', 'b', 'c')
    const step = fc.oneof(
      fc.record({ op: fc.constant('set' as const), who, key, value: fc.integer({ min: 0, max: 9 }) }),
      fc.record({ op: fc.constant('remove' as const), who, key }),
      fc.record({ op: fc.constant('inc' as const), who, key }),
      fc.record({ op: fc.constant('expire' as const), who, key }),
      fc.record({ op: fc.constant('clear' as const), who }),
      fc.record({ op: fc.constant('delay' as const), who, ms: fc.constantFrom(0, 30, 200, 400) }),
      fc.record({ op: fc.constant('turn' as const), who }),
      fc.record({ op: fc.constant('interrupt' as const), who }),
      fc.record({ op: fc.constant('forget' as const) }),
      fc.record({ op: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: 500 }) }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        clock = simulatedClock()
        redis = new MemoryTables(clock)
        const both = [await edge(), await edge()] as const
        for (const one of steps) {
          const { link, set, inc, setLeft, call } = both['who' in one && one.who === 1 ? 1 : 0]
          if (one.op === 'set') set(`t=>${one.key}`, one.value)
          else if (one.op === 'remove') set(`t=>${one.key}`, null)
          else if (one.op === 'inc') inc(`t=>${one.key}`)
          else if (one.op === 'expire') setLeft(`t=>${one.key}`, 1_000)
          else if (one.op === 'clear') call('sht_reset', 't')
          else if (one.op === 'delay') link.delayMs = one.ms
          else if (one.op === 'wait') await clock.advance(one.ms)
          else if (one.op === 'interrupt') link.interrupt()
          else if (one.op === 'forget') redis.flush()
          else if (link.state === 'up') link.lose()
          else link.find()
        }
        for (const { link } of both) {
          link.delayMs = 0
          link.lose()
          link.find()
        }
        await clock.advance(5_000)
        expect(both[0].dump()).toBe(both[1].dump())
        expect((await edge()).dump()).toBe(both[0].dump())
      }),
      { numRuns: 500 },
    )
  }, 60_000)
})

describe('several workers', () => {
  function linked(link: Link | undefined, isReplacement = false): Workers {
    if (link === undefined) throw new Error('no link')
    const one = createWorkers(link, 'a secret of the router', isReplacement)
    link.open({ onPassed: () => {}, onTold: (from, topic, text) => one.told(from, topic, text) })
    return one
  }

  async function router() {
    const openRegion = privateRegions()
    const all: Awaited<ReturnType<typeof edge>>[] = []
    for (const workers of memoryLinks(3).map((link) => linked(link))) {
      all.push(await edge({}, true, { workers, openRegion }))
    }
    return all
  }

  test('share one link: what any of them writes is told once, what others write all of them read', async () => {
    const all = await router()
    const other = await edge()
    const runs = watchRuns('sht.change')
    all[0]?.set('t=>k0', 0)
    all[1]?.set('t=>k1', 1)
    all[2]?.inc('n=>x')
    all[1]?.inc('n=>x')
    await clock.settle()
    expect([other.get('t=>k0'), other.get('t=>k1'), other.get('n=>x')]).toEqual([0, 1, 2])
    expect(runs()).toBeLessThanOrEqual(4)
    other.set('t=>k1', 'newer')
    await clock.settle()
    expect(all.map(({ get }) => get('t=>k1'))).toEqual(['newer', 'newer', 'newer'])
    all[2]?.call('sht_reset', 't')
    await clock.settle()
    expect(other.get('t=>k0')).toBeNull()
  })

  test('sht_add in any of them gives a sum that nobody else gets', async () => {
    const all = await router()
    const other = await edge()
    const rcs = await Promise.all([...all, other].map(({ add }) => add('n=>x', 1)))
    expect(rcs).toEqual([1, 1, 1, 1])
    expect([...all, other].flatMap(({ sums }) => sums).sort()).toEqual([1, 2, 3, 4])
    redis.stop()
    expect(await all[2]?.add('n=>x', 1)).toBe(-2)
  })

  test('one that stands in for the first gives Redis what that one had not told', async () => {
    const links = memoryLinks(2)
    const openRegion = privateRegions()
    await edge({}, false, { workers: linked(links[0]), openRegion })
    const second = await edge({}, true, { workers: linked(links[1]), openRegion })
    second.set('t=>x', 1)
    await clock.settle()
    const other = await edge()
    expect(other.get('t=>x')).toBeNull()
    await edge({}, true, { workers: linked(links[0], true), openRegion })
    await clock.settle()
    expect([second.get('t=>x'), other.get('t=>x')]).toEqual([1, 1])
  })
})

describe('definitions', () => {
  test.each([
    ['t=>store=redis://h:6379/0;size=4', { store: 'redis://h:6379/0', isReplicated: false }],
    ['t=>dmqreplicate=1', { store: '', isReplicated: true }],
    ['t', { store: '', isReplicated: false }],
  ])('%s', (text, expected) => {
    expect(parseTableDefinition(text)).toMatchObject(expected)
  })

  test('dmqreplicate=1 without a store, and tables without either, are of this edge alone', async () => {
    const a = await edge({ htable: ['t=>dmqreplicate=1', 'u'], store: '' })
    a.set('t=>x', 1)
    await clock.settle()
    expect([a.get('t=>x'), redis.tables.size, a.gauge('viaduct_htable_alone')]).toEqual([1, 0, undefined])
  })
})

function watchRuns(name: string): () => number {
  let runs = 0
  const { run } = redis
  redis.run = (script, ...rest) => {
    if (script === name) runs++
    return run.call(redis, script, ...rest)
  }
  return () => runs
}
