import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { parseTableDefinition } from '../../plugins/htable/definition.ts'
import { EdgeTable } from '../../plugins/htable/edge-table.ts'
import { HashTable } from '../../plugins/htable/hash-table.ts'
import { TableSharing } from '../../plugins/htable/sharing.ts'
import type { StoredMessage } from '../../plugins/outbox/queue.ts'
import { SharedOutbox } from '../../plugins/outbox/shared-outbox.ts'
import { openRedis } from '../../src/redis/open-redis.ts'
import type { Redis } from '../../src/redis/redis.ts'
import { isRedisUrlFault } from '../../src/redis/url.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { createMetrics } from '../../src/runtime/metrics.ts'
import { systemRandom } from '../../src/runtime/random.ts'
import { collectingLog } from '../../src/testing/log.ts'
import { Caller, pause, request } from './caller.ts'
import { Lab } from './lab.ts'
import { type RedisServer, redisCli, startRedis } from './redis-server.ts'
import { type Router, startRouter } from './router.ts'

/** Tables of several edges over a real Redis that is killed, comes back empty, or hangs: decision 26. */
const clock = systemClock()
const random = systemRandom()

let lab: Lab
let server: RedisServer
const closing: (() => Promise<void>)[] = []
beforeEach(async () => {
  lab = new Lab()
  server = await startRedis(lab)
})
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
  await lab.close()
})

function link(url = `redis://127.0.0.1:${server.port}/0`): Redis {
  const host = { clock, log: collectingLog(), random, metrics: createMetrics() }
  const redis = openRedis(url, host)
  if (isRedisUrlFault(redis)) throw new Error(redis.fault)
  closing.push(() => redis.close())
  return redis
}

const until = async (isSo: () => boolean, withinMs = 8_000) => {
  const start = performance.now()
  while (!isSo() && performance.now() - start < withinMs) await pause(10)
  expect(isSo()).toBe(true)
}

async function edge(definition = 't=>size=8', redis = link()) {
  const table = new HashTable(parseTableDefinition(definition), clock)
  const events = createMetrics().counter('events', '', ['event'])
  const world = {
    clock,
    log: collectingLog(),
    events,
    origin: random.hex(8),
    newEpoch: () => random.hex(16),
  }
  const sharing = new TableSharing(table, redis, world)
  closing.push(() => sharing.close())
  await sharing.ready(3_000)
  return { table: new EdgeTable(table, sharing), sharing, events }
}

describe('$sht tables of two edges', { timeout: 40_000 }, () => {
  test('what one writes the other reads: texts of any octets, numbers, ends, removals, sums', async () => {
    const [a, b] = [await edge(), await edge()]
    const octets = Array.from({ length: 256 }, (_, n) => String.fromCharCode(n)).join('')
    a.table.set('text', octets)
    a.table.set(octets, -7)
    a.table.set('short', 'x', 2)
    for (let n = 0; n < 10; n++) a.table.set('n', n)
    await until(() => b.table.get('n') === 9)
    expect([b.table.get('text'), b.table.get(octets), b.table.get('short')]).toEqual([octets, -7, 'x'])
    expect(b.table.expiry('short')).toBeGreaterThan(0)
    a.table.remove('text')
    b.table.add('n', 5)
    a.table.add('n', 3)
    await until(() => !b.table.has('text') && a.table.get('n') === 17 && b.table.get('n') === 17)
    b.table.clear()
    await until(() => a.table.size === 0)
    await until(() => !a.table.has('short'))
  })

  test('who begins later finds what is there, page by page, and nothing that has ended', async () => {
    const a = await edge()
    for (let n = 0; n < 5_000; n++) a.table.set(`key-${n}`, n)
    a.table.set('brief', 1, 1)
    await until(() => a.sharing.untold === 0)
    await pause(1_100)
    const b = await edge()
    expect([b.table.size, b.table.get('key-4711'), b.table.has('brief')]).toEqual([5_000, 4711, false])
  })

  test('1,000 sums that wait, from two edges: none comes twice', async () => {
    const [a, b] = [await edge('t=>size=8;initval=0'), await edge('t=>size=8;initval=0')]
    const sums = await Promise.all(
      Array.from({ length: 1_000 }, (_, n) => (n % 2 === 0 ? a : b).table.addAmongAll('n', 1).among),
    )
    // On a machine that does much besides some are not said in time; they count all the same.
    const said = sums.filter((sum) => sum !== null)
    expect(said.length).toBeGreaterThan(0)
    expect(new Set(said).size).toBe(said.length)
    await until(() => a.table.get('n') === 1_000 && b.table.get('n') === 1_000)
  })

  test('kill -9, and back without its data: both go on alone, and give back what they know', async () => {
    const [a, b] = [await edge(), await edge()]
    for (let n = 0; n < 1_000; n++) a.table.set(`key-${n}`, n)
    await until(() => b.table.size === 1_000)
    await server.kill()
    await until(() => !a.sharing.isInStep && !b.sharing.isInStep)
    a.table.set('from a', 'x')
    a.table.remove('key-1')
    b.table.set('from b', 'y')
    b.table.add('key-2', 40)
    expect(await a.table.addAmongAll('key-3', 1).among).toBeNull()
    await server.restart()
    await until(() => a.sharing.isInStep && b.sharing.isInStep && a.sharing.untold + b.sharing.untold === 0)
    await until(() => a.table.get('from b') === 'y' && b.table.get('from a') === 'x')
    await until(() => a.table.get('key-2') === 42 && b.table.get('key-2') === 42)
    await until(() => b.table.get('key-3') === 4 && a.table.get('key-3') === 4)
    // Who removed it and who still had it came back in whichever order.
    await until(() => [a, b].every(({ table }) => !table.has('key-1') && table.size === 1_001))
    const c = await edge()
    expect([c.table.get('key-999'), c.table.size]).toEqual([999, 1_001])
  })

  test('a Redis that hangs: writes are at once, nothing is told twice, and all is even when it goes on', async () => {
    const [a, b] = [await edge('t=>initval=0'), await edge('t=>initval=0')]
    a.table.add('n', 1)
    await until(() => b.table.get('n') === 1)
    server.process.signal('SIGSTOP')
    const start = performance.now()
    for (let n = 0; n < 100; n++) {
      a.table.add('n', 1)
      b.table.add('n', 1)
      await pause(20)
    }
    expect(a.table.get('n')).toBe(101)
    expect(performance.now() - start).toBeGreaterThan(1_500)
    server.process.signal('SIGCONT')
    await until(() => a.table.get('n') === 201 && b.table.get('n') === 201)
    await pause(300)
    expect([a.table.get('n'), b.table.get('n')]).toEqual([201, 201])
  })

  test('two that write the same end the same', async () => {
    const [a, b] = [await edge(), await edge()]
    for (let n = 0; n < 2_000; n++) {
      const { table } = n % 3 === 0 ? a : b
      const key = `k${n % 7}`
      if (n % 11 === 0) table.remove(key)
      else table.set(key, n)
      if (n % 50 === 0) await pause(1)
    }
    await until(() => a.sharing.untold + b.sharing.untold === 0)
    await pause(200)
    const sorted = (one: typeof a) => [...one.table.live()].sort(([x], [y]) => (x < y ? -1 : 1))
    expect(sorted(a)).toEqual(sorted(b))
    expect(sorted(a)).toEqual(sorted(await edge()))
  })
})

const bounds = { messagesPerAorMax: 3, bytesPerAorMax: 4_000, bytesMax: 8_000 }

async function box(redis = link()) {
  const world = { clock, log: collectingLog(), edge: random.hex(8) }
  const outbox = new SharedOutbox(redis, 'location', bounds, world)
  closing.push(async () => outbox.close())
  expect(await redis.whenUp(5_000)).toBe(true)
  return { outbox, redis }
}

let ids = 0
const message = (aor: string, body: string, attempts = 0): StoredMessage => ({
  ...{ aor, body, attempts, from: '<sip:1000@x>;tag=1', to: '<sip:2000@x>', contentType: 'text/plain' },
  ...{ storedAt: 1_700_000_000_000, expiresAt: 0, callId: `${ids++}@outbox` },
})

describe('an outbox of two edges', { timeout: 40_000 }, () => {
  const minute = 60_000
  const bodyOf = (claim: unknown) => {
    const { status, message: text, attempts } = claim as { status: string; message: string; attempts: number }
    return status === 'claimed' ? [JSON.parse(text)[3], attempts] : status
  }
  const idOf = (claim: unknown) => (claim as { id: string }).id

  test('any edge delivers, in order, one edge at a time; octets stay as they are', async () => {
    const [{ outbox: a }, { outbox: b }] = [await box(), await box()]
    const octets = Array.from({ length: 256 }, (_, n) => String.fromCharCode(n)).join('')
    const aor = 'caf\xe9 {1}|/2000'
    for (const body of [octets, 'two', 'three']) {
      expect(await a.put(message(aor, body), minute)).toBe('kept')
    }
    await until(() => b.waiting(aor) === 3)
    expect([...b.aors()]).toEqual([aor])
    const first = await b.claim(aor)
    expect(bodyOf(first)).toEqual([octets, 0])
    expect(await a.claim(aor)).toMatchObject({ status: 'busy' })
    expect(await b.settle(aor, idOf(first), 'delivered', 5)).toBe(true)
    const second = await a.claim(aor)
    expect(bodyOf(second)).toEqual(['two', 0])
    expect(await a.settle(aor, idOf(second), 'failed', 5)).toBe(false)
    expect(bodyOf(await b.claim(aor))).toEqual(['two', 1])
    expect((await a.list(aor)).map(({ message: { body, attempts } }) => [body, attempts])).toEqual([
      ['two', 2],
      ['three', 0],
    ])
    expect([await a.purge(aor), await b.claim(aor)]).toEqual([2, { status: 'nothing' }])
    await until(() => a.count === 0 && b.count === 0 && a.bytes === 0 && b.bytes === 0)
  })

  test('an edge that dies between claim and delivery: the next one has it when the lease ends, and says so', async () => {
    const [{ outbox: a }, { outbox: b }] = [await box(), await box()]
    await a.put(message('2000', 'one'), minute)
    expect(bodyOf(await a.claim('2000', 400))).toEqual(['one', 0])
    a.close()
    expect(await b.claim('2000')).toMatchObject({ status: 'busy' })
    await pause(450)
    expect(bodyOf(await b.claim('2000'))).toEqual(['one', 1])
  })

  test('bounds hold among all edges; what is put twice is there once; five rejections are the last', async () => {
    const [{ outbox: a }, { outbox: b }] = [await box(), await box()]
    const one = message('2000', 'one')
    expect([await a.put(one, minute), await b.put(one, minute), await b.put(one, minute)]).toEqual([
      'kept',
      'kept',
      'kept',
    ])
    expect((await a.list('2000')).length).toBe(1)
    await a.put(message('2000', 'two'), minute)
    await b.put(message('2000', 'three'), minute)
    expect(await a.put(message('2000', 'four'), minute)).toBe('full')
    expect(await a.put(message('2001', 'x'.repeat(4_000)), minute)).toBe('full')
    for (let n = 0; n < 5; n++) {
      const claim = await b.claim('2000')
      expect(bodyOf(claim)).toEqual(['one', n])
      expect(await b.settle('2000', idOf(claim), 'rejected', 5)).toBe(n === 4)
    }
    expect(bodyOf(await b.claim('2000'))).toEqual(['two', 0])
  })

  test('what has ended is told to one edge, and claimed by nobody', async () => {
    const [{ outbox: a }, { outbox: b }] = [await box(), await box()]
    await a.put(message('2000', 'one'), 100)
    await a.put(message('2001', 'two'), 100)
    await until(() => b.count === 2)
    await pause(150)
    expect(bodyOf(await a.claim('2001'))).toBe('nothing')
    expect([...(await a.sweep()), ...(await b.sweep())]).toEqual(['2000'])
    await until(() => a.count === 0 && b.count === 0 && a.bytes === 0)
  })

  test('kill -9: what is put is away at once, what was delivered is settled later, and the index is read anew', async () => {
    const { outbox: a, redis } = await box()
    await a.put(message('2000', 'one'), minute)
    await a.put(message('2000', 'two'), minute)
    const claim = await a.claim('2000')
    // Redis keeps what it was told, as with appendonly: the file is written by hand.
    await server.cli('SAVE')
    await server.kill()
    await until(() => redis.state === 'down')
    expect(await a.put(message('2000', 'three'), minute)).toBe('away')
    expect(await a.settle('2000', idOf(claim), 'delivered', 5)).toBeNull()
    expect([a.isDelivered(idOf(claim)), a.mayHave('2000')]).toEqual([true, false])
    await server.restart()
    await until(() => redis.state === 'up')
    await a.settleRest()
    expect(a.isDelivered(idOf(claim))).toBe(false)
    expect(bodyOf(await a.claim('2000'))).toEqual(['two', 0])
    await until(() => a.count === 1)
    await server.kill()
    await server.cli('PING').catch(() => '')
    await server.restart(['--dbfilename', 'none.rdb'])
    await until(() => redis.state === 'up' && a.count === 0)
    expect(await a.claim('2000')).toEqual({ status: 'nothing' })
  })

  test('a Redis that hangs: nobody waits longer than the deadline, and what is unknown may be there', async () => {
    const { outbox: a, redis } = await box()
    const [one, two] = [message('2000', 'one'), message('2000', 'two')]
    server.process.signal('SIGSTOP')
    const start = performance.now()
    expect([await a.put(one, minute), await a.claim('2000')]).toEqual(['unknown', null])
    expect(performance.now() - start).toBeLessThan(1_500)
    server.process.signal('SIGCONT')
    await until(() => redis.state === 'up')
    await pause(100)
    expect(await a.put({ ...one, attempts: 1 }, minute)).toBe('kept')
    expect(await a.put(two, minute)).toBe('kept')
    await until(() => a.count === 2)
    expect((await a.list('2000')).length).toBe(2)
  })
})

describe('two routers with a script', { timeout: 40_000 }, () => {
  const edge = async (name: string) =>
    await startRouter(lab, 'test/wire/scripts/shared-tables.cfg', {
      data: join(lab.directory, name),
      defines: { STORE: `redis://127.0.0.1:${server.port}/0` },
    })

  async function caller(): Promise<Caller> {
    const opened = await Caller.open()
    closing.push(async () => opened.close())
    return opened
  }

  test('sums of all, numbers of their own, and the last caller of the other', async () => {
    const [a, b] = [await edge('a'), await edge('b')]
    const phone = await caller()
    const ask = async ({ port }: Router, user: string) => {
      const answer = await phone.ask(request(phone, port, { method: 'OPTIONS', user }), port)
      await pause(100)
      return /X-Sum: (\d+)\r\nX-Own: (\d+)\r\nX-Last: ([^\r]*)/.exec(answer?.text ?? '')?.slice(1)
    }
    expect([await ask(a, 'alice'), await ask(b, 'bob'), await ask(a, 'carol')]).toEqual([
      ['1', '1', '<null>'],
      ['2', '1', 'alice'],
      ['3', '2', 'bob'],
    ])
    await server.kill()
    // Whoever waits for Redis waits no longer than the deadline, and reads on.
    const before = performance.now()
    expect((await ask(b, 'dave'))?.[2]).toBe('carol')
    expect(performance.now() - before).toBeLessThan(1_500)
    expect([await a.stop(), await b.stop()]).toEqual([0, 0])
  })

  test('a MESSAGE that waits at one edge, killed since, is delivered by the one where the device registers', async () => {
    const [a, b] = [await edge('a'), await edge('b')]
    const [device, sender] = [await caller(), await caller()]
    const registers = async ({ port }: Router) => {
      const headers = `Contact: <sip:device@127.0.0.1:${device.port}>\r\nExpires: 600\r\n`
      const callId = `register-${port}`
      return await device.ask(
        request(device, port, { method: 'REGISTER', user: 'device', callId, headers }),
        port,
      )
    }
    expect((await registers(a))?.status).toBe(200)
    const waits = request(sender, a.port, { method: 'MESSAGE', user: 'device', body: 'hello' })
    expect((await sender.ask(waits, a.port))?.status).toBe(202)
    await a.kill()
    expect((await registers(b))?.status).toBe(200)
    await until(() => device.received.length > 0)
    await pause(200)
    expect(device.received).toHaveLength(1)
    expect(device.received[0]).toMatch(/^MESSAGE .*hello$/s)
  })
})

test('in a cluster: tables lie on all nodes, and what happens on one is heard everywhere', {
  timeout: 60_000,
}, async () => {
  const settings = ['--cluster-enabled', 'yes', '--cluster-node-timeout', '20000']
  const nodes = [
    await startRedis(lab, settings),
    await startRedis(lab, settings),
    await startRedis(lab, settings),
  ]
  const addresses = nodes.map(({ port }) => `127.0.0.1:${port}`)
  await redisCli('--cluster', 'create', ...addresses, '--cluster-yes')
  const states = async () => await Promise.all(nodes.map((node) => node.cli('CLUSTER', 'INFO')))
  while (!(await states()).every((state) => state.includes('cluster_state:ok'))) await pause(100)

  const url = `redis+cluster://${addresses[0]}`
  const [first, second] = [link(url), link(url)]
  const names = Array.from({ length: 12 }, (_, n) => `t${n}`)
  const here = await Promise.all(names.map((name) => edge(`${name}=>size=8`, first)))
  const there = await Promise.all(names.map((name) => edge(`${name}=>size=8`, second)))
  for (const [n, { table }] of here.entries()) table.set('x', n)
  await until(() => there.every(({ table }, n) => table.get('x') === n))
  const sizes = await Promise.all(nodes.map(async (node) => Number(await node.cli('DBSIZE'))))
  expect(sizes.every((size) => size > 0)).toBe(true)

  const [a, b] = [await box(first), await box(second)]
  expect(await a.outbox.put(message('2000', 'one'), 60_000)).toBe('kept')
  await until(() => b.outbox.waiting('2000') === 1)
  expect(await b.outbox.claim('2000')).toMatchObject({ status: 'claimed', attempts: 0 })
})
