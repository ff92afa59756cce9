import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { directoryKey, type ReadAnswer, readScript, tellScript } from '../../src/edges/directory-scripts.ts'
import { type Binding, createBinding } from '../../src/location/binding.ts'
import { openRedis } from '../../src/redis/open-redis.ts'
import type { Redis, RedisOptions, RedisResult } from '../../src/redis/redis.ts'
import { RedisLinks } from '../../src/redis/redis-links.ts'
import { isRedisUrlFault } from '../../src/redis/url.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { silentLog } from '../../src/runtime/log.ts'
import { createMetrics } from '../../src/runtime/metrics.ts'
import { systemRandom } from '../../src/runtime/random.ts'
import { simulatedClock } from '../../src/testing/clock.ts'
import { directoryLaws, type LawEdge, type LawWorld } from '../edges/directory-laws.ts'
import { MemoryRedis } from '../edges/memory-redis.ts'
import { type EdgeOptions, TestEdge } from '../edges/world.ts'
import { pause } from './caller.ts'
import { CutRedis } from './cut-redis.ts'
import { Lab } from './lab.ts'
import { type RedisServer, redisCli, startRedis } from './redis-server.ts'

/**
 * The directory of src/edges in a real Redis: that its scripts mean what the tests of test/edges take them to mean, and
 * what it costs. Printed figures are no assertions.
 */
const clock = systemClock()
let lab: Lab
let server: RedisServer
const open: (() => Promise<void>)[] = []

beforeAll(async () => {
  lab = new Lab()
  server = await startRedis(lab)
})
afterEach(async () => {
  await Promise.all(open.splice(0).map((close) => close()))
  await server.cli('FLUSHALL')
})
afterAll(() => lab.close())

/** Three masters of a cluster. */
async function startCluster(): Promise<RedisServer[]> {
  const settings = ['--cluster-enabled', 'yes', '--cluster-node-timeout', '20000']
  const nodes = await Promise.all([0, 1, 2].map(() => startRedis(lab, settings)))
  const addresses = nodes.map(({ port }) => `127.0.0.1:${port}`)
  await redisCli('--cluster', 'create', ...addresses, '--cluster-yes')
  for (const node of nodes) {
    await until(async () => /cluster_state:ok/.test(await node.cli('CLUSTER', 'INFO')))
  }
  return nodes
}

async function link(of = server, options: RedisOptions = { deadlineMs: 2_000 }): Promise<Redis> {
  const host = { clock, log: silentLog, random: systemRandom(), metrics: createMetrics() }
  const redis = openRedis(
    of.settings.includes('--cluster-enabled')
      ? `redis+cluster://127.0.0.1:${of.port}`
      : `redis://127.0.0.1:${of.port}/0`,
    host,
    options,
  )
  if (isRedisUrlFault(redis)) throw new Error(redis.fault)
  expect(await redis.whenUp(5_000)).toBe(true)
  return redis
}

/** One that stands, and has told all that it owns. */
async function edge(
  name: string,
  options: Partial<EdgeOptions> = {},
  of = server,
  linkOptions?: RedisOptions,
): Promise<LawEdge & { link: Redis }> {
  const redis = new CutRedis(await link(of, linkOptions))
  const opened = new TestEdge(name, redis, clock, { uri: 'sip:192.0.2.1:5060', seed: seeds++, ...options })
  open.push(async () => {
    await opened.close()
    await redis.close()
  })
  await until(() => opened.edges.standing !== null && opened.edges.ownFloor('location') > 0, 60_000)
  return Object.assign(opened, {
    link: redis,
    cut: () => redis.cut(),
    async mend() {
      redis.mend()
      await pause(50)
    },
  })
}
let seeds = 1

async function until(isSo: () => boolean | Promise<boolean>, milliseconds = 10_000): Promise<void> {
  const start = performance.now()
  while (!(await isSo())) {
    if (performance.now() - start > milliseconds) throw new Error('it does not come to that')
    await pause(10)
  }
}

directoryLaws(async (): Promise<LawWorld> => {
  return {
    edge,
    now: () => clock.now(),
    pass: (milliseconds) => pause(milliseconds),
    async loseData() {
      await server.cli('FLUSHALL')
    },
    async held() {
      return (await server.cli('--scan', '--pattern', 'loc.*')).split('\n').filter(Boolean).length
    },
  }
}, 'two edges and a directory in a real Redis')

test('any changes, one after the other: Redis answers what the directory in memory does', {
  timeout: 60_000,
}, async () => {
  const redis = await link()
  open.push(() => redis.close())
  const memory = new MemoryRedis(simulatedClock())
  const like = memory.link()
  like.find()
  const names = ['a', 'b', 'c']
  const change = fc.record({
    by: fc.constantFrom(...names),
    op: fc.constantFrom('+', '+', '-'),
    owner: fc.constantFrom(...names),
    ruid: fc.constantFrom('r1', 'r2', 'r3'),
    callId: fc.constantFrom('', 'c1', 'c2'),
    cseq: fc.integer({ min: 0, max: 3 }),
    age: fc.integer({ min: 0, max: 4 }),
    origin: fc.constantFrom(0, 2),
    instance: fc.constantFrom('', 'i1'),
    regId: fc.integer({ min: 0, max: 2 }),
    contact: fc.constantFrom('sip:x', 'sip:y'),
    other: fc.constantFrom('', 'c1', 'r1', 'r2'),
  })
  const calls = fc.array(
    fc.record({ changes: fc.array(change, { minLength: 1, maxLength: 2 }), isStrict: fc.boolean() }),
    { minLength: 1, maxLength: 12 },
  )
  let run = 0
  const law = fc.asyncProperty(calls, async (sequence) => {
    run++
    const key = directoryKey('law', `aor ${run}`)
    for (const { changes, isStrict } of sequence) {
      const by = changes[0]?.by ?? 'a'
      // Two clocks, to which the same must have happened at the same time: far from where a rounding could tell.
      const argsFor = (now: number) => [
        ...['viaduct:loc.law', 'aor', by, 1, 0, isStrict ? '1' : '0', 4, 3],
        ...changes.flatMap((one) => [
          ...[
            one.op,
            one.op === '+' ? by : one.owner,
            one.ruid,
            one.callId,
            one.cseq,
            now - one.age * 60_000,
          ],
          ...[now + 3_600_000, one.origin, one.instance, one.regId, one.contact, '', ''],
          ...(one.op === '+' ? [one.owner, one.other] : [one.other, one.cseq]),
        ]),
      ]
      const [real, simulated] = await Promise.all([
        redis.run(tellScript, [key], argsFor(startedAt)),
        like.run(tellScript, [key], argsFor(memory.now)),
      ])
      expect(real).toEqual(simulated)
      for (const name of names) {
        const [read, meant] = await Promise.all([
          redis.run(readScript, [key], [name]),
          like.run(readScript, [key], [name]),
        ])
        expect(timeless(read)).toEqual(timeless(meant))
      }
    }
  })
  const startedAt = clock.wall()
  await fc.assert(law, { numRuns: 300 })
})

/** Without what depends on when it was asked. */
function timeless(result: RedisResult<ReadAnswer>): unknown {
  if (result.status !== 'ok') return result
  const { own, others } = result.value
  return { own, others: others.map(({ ageMs: _age, remainingMs: _remaining, ...rest }) => rest) }
}

describe('Redis has bad days', { timeout: 60_000 }, () => {
  test('it is killed and comes back empty: what is bound goes on, nothing waits, and all is told again', async () => {
    const own = await startRedis(lab)
    const a = await edge('a', {}, own)
    const b = await edge('b', {}, own)
    for (let n = 0; n < 500; n++) await a.binds(`user${n}`)
    await own.kill()
    await until(() => a.link.state === 'down' && b.link.state === 'down')
    const started = performance.now()
    for (let n = 0; n < 100; n++) expect((await b.binds(`late${n}`)).told).toBe('later')
    expect(await b.finds('user1')).toBe('unknown')
    expect(performance.now() - started).toBeLessThan(1_000)
    expect(b.metric('viaduct_edges_untold')).toBe(100)
    expect(b.edges.all().filter(({ isAlive }) => isAlive)).toHaveLength(2)
    await own.restart()
    await until(
      async () => JSON.stringify(await b.finds('user499')) === '["a sip:user499@198.51.100.1:5060"]',
    )
    await until(async () => JSON.stringify(await a.finds('late99')) === '["b sip:late99@198.51.100.1:5060"]')
    await until(() => a.edges.haveToldAll('location') && b.edges.haveToldAll('location'))
    expect(b.metric('viaduct_edges_untold')).toBe(0)
    expect(await a.finds('nobody')).toEqual([])
    expect(a.edges.secret).toEqual(b.edges.secret)
    expect(b.edges.all().filter(({ isAlive }) => isAlive)).toHaveLength(2)
    expect(b.log.lines.filter(({ message }) => /are told later|have been told/.test(message))).toHaveLength(2)
    expect(b.log.lines.some(({ message }) => /lost its data/.test(message))).toBe(true)
    expect(b.log.lines.some(({ message }) => /edge is dead/.test(message))).toBe(false)
  })

  test('it hangs: nobody waits for longer than the deadline, and what was late is told once', async () => {
    const own = await startRedis(lab)
    const a = await edge('a', {}, own, {})
    const b = await edge('b', {}, own, {})
    own.process.signal('SIGSTOP')
    const started = performance.now()
    const { told } = await a.binds('alice')
    expect(told).toBe('told')
    expect(performance.now() - started).toBeLessThan(1_000)
    expect(await b.finds('alice')).toBe('unknown')
    expect(a.metric('viaduct_edges_untold')).toBe(1)
    await pause(1_000)
    own.process.signal('SIGCONT')
    await until(() => a.metric('viaduct_edges_untold') === 0)
    await until(async () => JSON.stringify(await b.finds('alice')) === '["a sip:alice@198.51.100.1:5060"]')
    expect(b.edges.all().filter(({ isAlive }) => isAlive)).toHaveLength(2)
  })

  test('it has no memory left: the edges say so, serve what they have, and tell it when there is', async () => {
    const own = await startRedis(lab)
    const a = await edge('a', {}, own)
    const b = await edge('b', {}, own)
    await own.cli('CONFIG', 'SET', 'maxmemory', '1')
    await a.binds('alice')
    expect(a.metric('viaduct_edges_untold')).toBe(1)
    await own.cli('CONFIG', 'SET', 'maxmemory', '0')
    await until(async () => JSON.stringify(await b.finds('alice')) === '["a sip:alice@198.51.100.1:5060"]')
  })

  test('one address-of-record, two edges, a thousand changes at once: in the end one has it, and both know', async () => {
    const [a, b] = [await edge('a'), await edge('b')]
    const modifiedAt = clock.now() - 5_000
    await Promise.all(
      Array.from({ length: 500 }, (_, n) => [
        a.shared
          .tell([{ before: null, after: createTestBinding('a', 2 * n + 1, modifiedAt) }])
          ?.catch(() => {}),
        b.shared
          .tell([{ before: null, after: createTestBinding('b', 2 * n + 2, modifiedAt) }])
          ?.catch(() => {}),
      ]).flat(),
    )
    expect((await a.others('alice')).map(({ cseq, elsewhere }) => [cseq, elsewhere?.edge.name])).toEqual([
      [1000, 'b'],
    ])
    expect(await b.others('alice')).toEqual([])
  })
})

function createTestBinding(edgeName: string, cseq: number, modifiedAt: number): Binding {
  const contact = `sip:alice@198.51.100.${cseq % 200}`
  const expiresAt = modifiedAt + 3_600_000
  return createBinding({ aor: 'alice', ruid: edgeName, contact, callId: 'c', cseq, modifiedAt, expiresAt })
}

test('what 100,000 bindings cost', { timeout: 120_000 }, async () => {
  const own = await startRedis(lab)
  const owned = Array.from({ length: 100_000 }, (_, n) =>
    createBinding({
      aor: `user${n}@example.com`,
      ruid: `uloc-4f1a9c33b2d0-${n.toString(16)}-5d3c9e10`,
      contact: `sip:user${n}@10.${n >> 16}.${(n >> 8) & 255}.${n & 255}:5060;transport=udp`,
      received: 'sip:60.250.149.198:59177',
      callId: `${n.toString(16).padStart(8, '0')}-3848276298220188511@10.0.0.1`,
      cseq: 20,
      trust: 'digest',
      methods: 0x1fff,
      modifiedAt: clock.now() - 1_000,
      expiresAt: clock.now() + 3_600_000,
    }),
  )
  const empty = await own.info('used_memory')
  const started = performance.now()
  const a = await edge('edge-1.example.com', { owned }, own, { deadlineMs: 10_000 })
  const toldMs = performance.now() - started
  const keys = Number(await own.cli('DBSIZE')) - 1
  expect(keys).toBe(100_000)
  const octets = ((await own.info('used_memory')) - empty) / keys
  const b = await edge('edge-2.example.com', {}, own, { deadlineMs: 10_000 })
  const commands = async (name: string) =>
    Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(await own.cli('INFO', 'commandstats'))?.[1] ?? 0)
  const busyMicroseconds = async () =>
    Number(/cmdstat_evalsha:calls=\d+,usec=(\d+)/.exec(await own.cli('INFO', 'commandstats'))?.[1] ?? 0)
  const count = async (what: () => Promise<unknown>) => {
    const before = [await commands('evalsha'), await commands('publish')]
    const busyBefore = await busyMicroseconds()
    const from = performance.now()
    await what()
    const ms = performance.now() - from
    // What the hearts say meanwhile is among it.
    const [scripts = 0, published = 0] = before
    const asked = (await commands('evalsha')) - scripts
    const said = (await commands('publish')) - published
    const busy = (await busyMicroseconds()) - busyBefore
    return `${(asked / 10_000).toFixed(2)} scripts and ${(said / 10_000).toFixed(2)} messages, ${(busy / 10_000).toFixed(0)} us of Redis, ${((ms * 1_000) / 10_000).toFixed(0)} us from end to end`
  }
  const some = owned.slice(0, 10_000)
  const inTurns = async (each: (binding: Binding) => Promise<unknown> | null) => {
    for (let i = 0; i < some.length; i += 100) await Promise.all(some.slice(i, i + 100).map(each))
  }
  const refresh = (binding: Binding) => ({ ...binding, cseq: 21, modifiedAt: clock.now() })
  const moved = (binding: Binding) => ({ ...refresh(binding), ruid: `${binding.ruid}-b`, cseq: 22 })
  const figures = {
    'octets of Redis for a binding': octets.toFixed(0),
    'told again, all of them': `${(toldMs / 1_000).toFixed(1)} s`,
    'a refresh': await count(() =>
      inTurns((binding) => a.shared.tell([{ before: binding, after: refresh(binding) }])),
    ),
    'a look-up': await count(() => inTurns((binding) => b.shared.fetch(binding.aor))),
    'a look-up of what is remembered': await count(() => inTurns((binding) => b.shared.fetch(binding.aor))),
    'a move to another edge': await count(() =>
      inTurns((binding) => b.shared.tell([{ before: null, after: moved(binding) }])),
    ),
  }
  await until(() => a.owned.size === 90_000)
  process.stdout.write(
    `100,000 bindings in one Redis, for each:\n${Object.entries(figures)
      .map(([what, figure]) => `  ${what}: ${figure}\n`)
      .join('')}`,
  )
})

test('a router has one link for each URL, closes them, and what it says last is heard', async () => {
  const metrics = createMetrics()
  const links = new RedisLinks({ clock, log: silentLog, random: systemRandom(), metrics })
  const url = `redis://127.0.0.1:${server.port}/0`
  const redis = links.open(url)
  expect(links.open(url)).toBe(redis)
  expect(links.open(`redis://127.0.0.1:${server.port}/1`)).not.toBe(redis)
  expect(() => links.open('mysql://user:secret@127.0.0.1/x')).toThrow(/redis:\/\/host/)
  expect(await redis.whenUp(5_000)).toBe(true)
  const names = metrics.samples().map(({ name }) => name)
  expect(names).toEqual(expect.arrayContaining(['viaduct_redis_up', 'viaduct_redis_2_up']))
  const other = await edge('other')
  const leaving = new TestEdge('leaving', redis, clock, { uri: 'sip:192.0.2.9:5060', seed: 99 })
  await until(() => other.edges.owner('leaving').isAlive)
  await leaving.binds('alice')
  await leaving.close()
  await links.close()
  await until(() => !other.edges.owner('leaving').isAlive, 900)
  const [found] = await other.others('alice')
  expect(found?.elsewhere?.edge).toMatchObject({ name: 'leaving', isAlive: false })
  expect(redis.state).toBe('down')
})

test('in a cluster: addresses-of-record lie on all nodes, and what happens on one is heard everywhere', {
  timeout: 60_000,
}, async () => {
  const nodes = await startCluster()
  const [first, second] = nodes
  const a = await edge('a', {}, first)
  const b = await edge('b', {}, second)
  const aors = Array.from({ length: 60 }, (_, n) => `user${n}`)
  for (const aor of aors) expect(await b.finds(aor)).toEqual([])
  for (const aor of aors) expect((await a.binds(aor)).told).toBe('told')
  await until(async () =>
    (await Promise.all(aors.map((aor) => b.finds(aor)))).every((found) => found.length === 1),
  )
  for (const aor of aors) expect((await b.binds(aor, { cseq: 2 })).told).toBe('told')
  await until(() => a.owned.size === 0)
  for (const node of nodes) expect(Number(await node.cli('DBSIZE'))).toBeGreaterThan(10)
})
