import { describe, expect, test } from 'vitest'
import { openEdges } from '../../src/edges/edges.ts'
import { createMetrics } from '../../src/runtime/metrics.ts'
import { collectingLog } from '../../src/testing/log.ts'
import { seededRandom } from '../../src/testing/random.ts'
import { memoryLinks } from '../../src/worker/memory-link.ts'
import { createWorkers, oneWorker } from '../../src/worker/workers.ts'
import { MemoryRedis } from './memory-redis.ts'
import { world } from './world.ts'

const lives = (edge: Awaited<ReturnType<ReturnType<typeof world>['edge']>>) =>
  edge.edges
    .all()
    .filter(({ isAlive }) => isAlive)
    .map(({ name }) => name)
    .toSorted()

describe('who lives', () => {
  test('edges find each other, with the URI of each, and sign with one secret', async () => {
    const { edge, pass } = world()
    const a = await edge('a', { uri: 'sip:192.0.2.1:5062' })
    const b = await edge('b')
    await pass(100)
    expect(lives(a)).toEqual(['a', 'b'])
    expect(b.edges.owner('a')).toMatchObject({ name: 'a', uri: 'sip:192.0.2.1:5062', isAlive: true })
    expect(b.edges.owner('a')).toBe(b.edges.owner('a'))
    expect(a.edges.secret).toHaveLength(32)
    expect(a.edges.secret).toEqual(b.edges.secret)
    expect(b.edges.owner('nobody')).toMatchObject({ isAlive: false, uri: '' })
    expect(b.edges.all().map(({ name, isSelf }) => [name, isSelf])).toEqual([
      ['b', true],
      ['a', false],
    ])
  })

  test('after three heartbeats in silence an edge is dead, and one more brings it back', async () => {
    const { edge, pass } = world()
    const a = await edge('a')
    const b = await edge('b')
    await pass(1_000)
    let changes = 0
    a.edges.onChange(() => changes++)
    b.link.lose()
    await pass(2_900)
    expect(lives(a)).toEqual(['a', 'b'])
    await pass(2_000)
    expect(lives(a)).toEqual(['a'])
    expect(a.metric('viaduct_edges_alive')).toBe(1)
    expect(changes).toBe(1)
    expect(a.log.lines.map(({ message }) => message)).toContain(
      'an edge is dead: what only it can reach is cold',
    )
    b.link.find()
    await pass(50)
    expect(lives(a)).toEqual(['a', 'b'])
    expect(changes).toBe(2)
  })

  test('a goodbye is heard at once', async () => {
    const { edge, pass } = world()
    const a = await edge('a')
    const b = await edge('b')
    await pass(10)
    await b.close()
    await pass(1)
    expect(lives(a)).toEqual(['a'])
    expect(a.log.lines.at(-1)?.message).toBe('an edge has said goodbye')
  })

  test('an edge whose port answers with ICMP is dead until its next heartbeat', async () => {
    const { edge, pass } = world()
    const a = await edge('a')
    await edge('b')
    await pass(1_500)
    a.edges.suspect('b')
    expect(lives(a)).toEqual(['a'])
    await pass(2_000)
    expect(lives(a)).toEqual(['a', 'b'])
    a.edges.suspect('a')
    a.edges.suspect('nobody')
    expect(lives(a)).toEqual(['a', 'b'])
  })

  test('who is emptied says so at once, and takes it back', async () => {
    const { edge, pass } = world()
    const a = await edge('a')
    const b = await edge('b')
    await pass(10)
    b.edges.drain(true)
    expect(b.edges.isDraining).toBe(true)
    await pass(1)
    const draining = () => a.edges.all().find(({ name }) => name === 'b')?.isDraining
    expect(draining()).toBe(true)
    b.edges.drain(false)
    await pass(1)
    expect(draining()).toBe(false)
  })

  test('while Redis is away nobody dies; when it is back, whoever does not beat again does', async () => {
    const { edge, pass, redis } = world()
    const a = await edge('a')
    await edge('b')
    const c = await edge('c')
    await pass(1_000)
    redis.stop()
    await pass(60_000)
    expect(lives(a)).toEqual(['a', 'b', 'c'])
    const [first, second] = redis.links
    first?.find()
    await pass(500)
    second?.find()
    expect(lives(a)).toEqual(['a', 'b', 'c'])
    await pass(5_000)
    expect(lives(a)).toEqual(['a', 'b'])
    expect(c.edges.isDraining).toBe(false)
  })

  test('a Redis that comes back empty gets the same secret, and kills nobody', async () => {
    const { edge, pass, redis } = world()
    const a = await edge('a')
    await edge('b')
    await pass(1_000)
    const secret = a.edges.secret
    const epoch = a.edges.standing?.epoch
    redis.flush()
    const seen: string[][] = []
    for (let n = 0; n < 40; n++) {
      await pass(100)
      seen.push(lives(a))
    }
    expect(new Set(seen.map((names) => names.join()))).toEqual(new Set(['a,b']))
    expect(a.edges.secret).toEqual(secret)
    expect(a.edges.standing?.epoch).not.toBe(epoch)
    expect(a.log.lines.some(({ message }) => message.startsWith('redis has lost its data'))).toBe(true)
  })

  test.each([
    ['192.0.2.1', 5062, true],
    ['192.0.2.1', 5060, false],
    ['192.0.2.2', 5060, true],
    ['::ffff:192.0.2.2', 5060, true],
    ['2001:db8::3', 5060, true],
    ['203.0.113.1', 5060, false],
  ])('%s:%i is an edge\u2019s address: %s', async (address, port, isEdges) => {
    const { edge, pass } = world()
    const a = await edge('a', { uri: 'sip:192.0.2.1:5062' })
    await edge('b', { uri: 'sip:192.0.2.2' })
    await edge('c', { uri: 'sip:[2001:db8:0::3]:5060' })
    await pass(10)
    expect(a.edges.isEdgeAddress(address, port)).toBe(isEdges)
  })

  test('clocks of edges do not count: Redis\u2019 does', async () => {
    const { edge, pass, redis, clock } = world()
    redis.skewMs = 3_600_000
    const a = await edge('a')
    await pass(1_000)
    clock.shiftWall(-86_400_000)
    expect(a.edges.time.of(clock.now())).toBe(redis.now + 86_400_000)
  })
})

describe('names', () => {
  test('a process that starts anew takes its name at once, and has another life', async () => {
    const { edge, pass } = world()
    const before = await edge('a')
    before.link.lose()
    const after = await edge('a')
    await pass(10)
    expect(before.edges.standing?.life).toBe(1)
    expect(after.edges.standing?.life).toBe(2)
  })

  test('two that live have one name: the first is told so, and takes it back when the other is gone', async () => {
    const { edge, pass } = world()
    const first = await edge('a')
    const second = await edge('a')
    await pass(1_500)
    expect(first.edges.standing).toBeNull()
    expect(second.edges.standing).not.toBeNull()
    const complaints = first.log.lines.filter(({ message }) => message.startsWith('another process'))
    expect(complaints).toHaveLength(1)
    await second.close()
    await pass(1_100)
    expect(first.edges.standing?.life).toBe(3)
  })
})

describe('several workers', () => {
  const router = (count: number) => {
    const { redis, clock } = world()
    const metrics = createMetrics()
    const log = collectingLog()
    const workers = memoryLinks(count).map((link) => {
      const one = createWorkers(link, 'a secret of the router')
      link.open({ onPassed: () => {}, onTold: (from, topic, text) => one.told(from, topic, text) })
      return one
    })
    const all = workers.map((one, i) => {
      const redisLink = redis.link()
      redisLink.find()
      const host = { clock, log, metrics, random: seededRandom(i), workers: one }
      return openEdges(redisLink, host, { name: 'a', uri: 'sip:192.0.2.1' })
    })
    return { redis, clock, log, all }
  }

  test('are one edge of one life: the first beats, and all know', async () => {
    const { clock, all, log } = router(3)
    await clock.advance(2_000)
    expect(all.map(({ standing }) => standing?.life)).toEqual([1, 1, 1])
    expect(all.map(({ isHeart }) => isHeart)).toEqual([true, false, false])
    expect(log.lines.map(({ message }) => message)).toEqual(['this edge shares its bindings'])
  })

  test('one that drains drains all; one that finds an edge dead tells the others', async () => {
    const { clock, redis, all } = router(2)
    const link = redis.link()
    link.find()
    const host = {
      clock,
      log: collectingLog(),
      metrics: createMetrics(),
      random: seededRandom(9),
      workers: oneWorker,
    }
    openEdges(link, host, { name: 'b', uri: 'sip:192.0.2.2' })
    await clock.advance(1_500)
    expect(all.map((edges) => edges.owner('b').isAlive)).toEqual([true, true])
    all[1]?.suspect('b')
    await clock.advance(1)
    expect(all.map((edges) => edges.owner('b').isAlive)).toEqual([false, false])
    all[1]?.drain(true)
    await clock.advance(1)
    expect(all.map(({ isDraining }) => isDraining)).toEqual([true, true])
    await clock.advance(2_000)
    expect(all.map(({ isDraining }) => isDraining)).toEqual([true, true])
  })
})

test('nobody is asked while the link is down, and one question is under way at a time', async () => {
  const { clock, redis } = world()
  const link = redis.link()
  const host = {
    clock,
    log: collectingLog(),
    metrics: createMetrics(),
    random: seededRandom(1),
    workers: oneWorker,
  }
  const edges = openEdges(link, host, { name: 'a', uri: 'sip:192.0.2.1' })
  await clock.advance(10_000)
  expect(redis.runs.size).toBe(0)
  expect(edges.secret).toBeNull()
  expect(edges.standing).toBeNull()
  link.delayMs = 5_000
  link.find()
  await clock.advance(10_000)
  expect(edges.standing).toBeNull()
  link.delayMs = 0
  await clock.advance(2_000)
  expect(edges.standing).not.toBeNull()
  expect(redis).toBeInstanceOf(MemoryRedis)
})
