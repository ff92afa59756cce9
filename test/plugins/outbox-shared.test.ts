import { beforeEach, describe, expect, test } from 'vitest'
import learn from '../../plugins/learn/index.ts'
import outbox from '../../plugins/outbox/index.ts'
import registrar from '../../plugins/registrar/index.ts'
import usrloc from '../../plugins/usrloc/index.ts'
import { limits } from '../../src/limits.ts'
import { simulatedClock } from '../../src/testing/clock.ts'
import { createEdge, requestText } from './edge.ts'
import { MemoryTables } from './memory-tables.ts'

/** An outbox that several edges share over a Redis in memory: decision 26. Each has a location of its own. */
const device = { address: '60.250.149.198', port: 59177 }
let clock = simulatedClock()
let redis = new MemoryTables(clock)
let seeds = 0

beforeEach(() => {
  clock = simulatedClock()
  redis = new MemoryTables(clock)
})

async function edge(values: Record<string, unknown> = {}) {
  const link = redis.link()
  link.find()
  // A clock is how modules tell one router from another.
  const made = createEdge({ clock: { ...clock }, openRedis: () => link, seed: ++seeds })
  await made.load(usrloc)
  await made.load(registrar)
  await made.load(learn, { source: ['60.250.0.0/16=>provisional=accept'], devices: ['2000', '2001'] })
  await made.load(outbox, { store: 'redis://x', ...values })
  await made.start()
  await clock.settle()

  const heard = async (user = '2000') => {
    const context = made.receives(
      requestText('MESSAGE', { from: `sip:${user}@10.0.0.1`, to: 'sip:1000@x' }),
      device,
    )
    made.call('learn_location', context, 'location')
    const rc = made.call('outbox_drain', context)
    await clock.settle()
    return rc
  }
  return {
    made,
    link,
    heard,
    async cold() {
      await heard()
      await clock.advance(61_000)
    },
    async stored(body: string, user = '2000') {
      const uri = `sip:${user}@50.170.158.149`
      const context = made.receives(
        requestText('MESSAGE', { uri, to: uri, body, lines: ['Content-Type: text/plain'] }),
        { address: '10.0.0.5' },
      )
      const rc = made.call('outbox_store', context)
      await clock.advance(limits.redisDeadlineMilliseconds)
      return [rc, context.replies[0]?.statusCode]
    },
    async answer(statusCode: number) {
      made.requests.at(-1)?.onResponse?.(statusCode, null)
      await clock.settle()
    },
    sent: () => made.requests.map(({ body }) => body),
    marks: () => made.requests.map(({ headers }) => /X-Delivery-Attempt: (\d+)/.exec(headers ?? '')?.[1]),
    waits: () => redis.boxes.get('location')?.messages.length ?? 0,
    waitsHere: () => made.tables.get('outbox')?.count ?? 0,
  }
}

describe('an outbox that edges share', () => {
  test('stored at one, delivered in order by the one to which the device speaks; at the first nothing is left', async () => {
    const [a, b] = [await edge(), await edge()]
    await a.cold()
    expect([await a.stored('one'), await a.stored('two'), a.waits(), a.waitsHere()]).toEqual([
      [1, 202],
      [1, 202],
      2,
      0,
    ])
    expect(await b.heard()).toBe(1)
    expect([b.sent(), b.marks()]).toEqual([['one'], [undefined]])
    await b.answer(200)
    await b.answer(200)
    expect([b.sent(), a.sent(), a.waits()]).toEqual([['one', 'two'], [], 0])
    expect([await a.heard(), await b.heard()]).toEqual([2, 2])
  })

  test('a device for which nothing waits costs Redis nothing', async () => {
    const a = await edge()
    await a.heard()
    const before = redis.runs.size
    let claims = 0
    const { run } = redis
    redis.run = (name, ...rest) => {
      if (name === 'outbox.claim') claims++
      return run.call(redis, name, ...rest)
    }
    for (let n = 0; n < 5; n++) await a.heard()
    expect([claims, redis.runs.size]).toEqual([0, before])
  })

  test('an edge that dies with a message under way: the other waits for the lease, and says that it may be the second', async () => {
    const [a, b] = [await edge(), await edge()]
    await a.cold()
    await a.stored('one')
    await a.heard()
    expect(a.sent()).toEqual(['one'])
    a.link.lose()
    await b.heard()
    expect(b.sent()).toEqual([])
    await clock.advance(limits.outboxLeaseMilliseconds + 1_000)
    expect([b.sent(), b.marks()]).toEqual([['one'], ['2']])
    await b.answer(200)
    expect(a.waits()).toBe(0)
  })

  test('no answer: it stays, and the other edge delivers it with a mark', async () => {
    const [a, b] = [await edge(), await edge()]
    await a.cold()
    await a.stored('one')
    await a.heard()
    await a.answer(408)
    await b.heard()
    expect([b.sent(), b.marks()]).toEqual([['one'], ['2']])
  })

  test('refused five times, by whichever edge: given up', async () => {
    const both = [await edge(), await edge()]
    await both[0]?.cold()
    await both[0]?.stored('bad')
    await both[0]?.stored('good')
    for (let n = 0; n < 5; n++) {
      await both[n % 2]?.heard()
      await both[n % 2]?.answer(415)
    }
    await both[1]?.heard()
    expect(both[1]?.sent().at(-1)).toBe('good')
  })

  test('bounds hold among all edges: full is full at the other one too', async () => {
    const [a, b] = [await edge({ max_messages: 2 }), await edge({ max_messages: 2 })]
    await a.cold()
    await b.cold()
    expect([await a.stored('one'), await b.stored('two'), await a.stored('three')]).toEqual([
      [1, 202],
      [1, 202],
      [-3, undefined],
    ])
    b.link.interrupt()
    // Without the channel b does not know; Redis does, and the sender hears of it.
    expect(await b.stored('four')).toEqual([1, 480])
  })

  test('what waits too long is dropped, and one edge says so', async () => {
    const [a, b] = [await edge({ expires: 60 }), await edge({ expires: 60 })]
    await a.cold()
    await a.stored('one')
    await clock.advance(62_000)
    const expired = [a, b].flatMap(({ made }) => made.events.filter(({ name }) => name === 'outbox:expired'))
    expect([expired.length, a.waits()]).toEqual([1, 0])
  })

  test('outbox.list, outbox.flush and outbox.purge are of all edges', async () => {
    const [a, b] = [await edge(), await edge()]
    await a.cold()
    await a.stored('one')
    expect(await b.made.rpc('outbox.list', '2000')).toMatchObject([
      { AoR: '2000', Attempts: 0, Expires: 86_400 },
    ])
    expect(await b.made.rpc('outbox.list')).toHaveLength(1)
    expect(b.made.rpc('outbox.flush')).toEqual({ draining: 0 })
    expect(await b.made.rpc('outbox.purge', '2000')).toEqual({ purged: 1 })
    expect([await a.made.rpc('outbox.list'), a.waits()]).toEqual([[], 0])
  })
})

describe('Redis is away', () => {
  test('messages wait at this edge, which delivers them if the device speaks here; the others move when it is back', async () => {
    const [a, b] = [await edge(), await edge()]
    await a.cold()
    redis.stop()
    for (const body of ['one', 'two', 'three']) expect(await a.stored(body)).toEqual([1, 202])
    expect([a.waitsHere(), a.waits()]).toEqual([3, 0])
    await a.heard()
    await a.answer(200)
    expect(a.sent()).toEqual(['one', 'two'])
    await a.answer(408)
    await clock.advance(61_000)
    redis.start()
    await clock.advance(2_000)
    expect([a.waitsHere(), a.waits()]).toEqual([0, 2])
    await b.heard()
    await b.answer(200)
    expect([b.sent(), b.marks()]).toEqual([
      ['two', 'three'],
      ['2', undefined],
    ])
  })

  test('one that is being delivered from here does not move', async () => {
    const a = await edge()
    await a.cold()
    redis.stop()
    await a.stored('one')
    await a.heard()
    redis.start()
    await clock.advance(3_000)
    expect([a.sent(), a.waitsHere(), a.waits()]).toEqual([['one'], 1, 0])
    await a.answer(200)
    expect([a.waitsHere(), a.waits()]).toEqual([0, 0])
  })

  test('no answer in time: it waits here as well, and once there it is one', async () => {
    const [a, b] = [await edge(), await edge()]
    await a.cold()
    a.link.delayMs = 400
    expect(await a.stored('one')).toEqual([1, 202])
    a.link.delayMs = 0
    await clock.advance(2_000)
    expect([a.waitsHere(), a.waits()]).toEqual([0, 1])
    await b.heard()
    expect([b.sent(), b.marks()]).toEqual([['one'], [undefined]])
  })

  test('no answer in time, and delivered before it moved: the second time says so', async () => {
    const [a, b] = [await edge(), await edge()]
    await a.cold()
    a.link.delayMs = 400
    await a.stored('one')
    await b.heard()
    await b.answer(200)
    a.link.delayMs = 0
    await clock.advance(2_000)
    await b.heard()
    expect([b.sent(), b.marks()]).toEqual([
      ['one', 'one'],
      [undefined, '2'],
    ])
  })

  test('delivered while Redis went away: settled when it is back, and not sent again', async () => {
    const a = await edge()
    await a.cold()
    await a.stored('one')
    await a.heard()
    a.link.lose()
    await a.answer(200)
    expect(a.waits()).toBe(1)
    a.link.find()
    await clock.advance(2_000)
    await a.heard()
    expect([a.sent(), a.waits()]).toEqual([['one'], 0])
  })

  test('Redis takes nothing more: messages wait here, and are delivered from here', async () => {
    const a = await edge()
    await a.cold()
    a.link.refusal = 'OOM'
    expect(await a.stored('one')).toEqual([1, 202])
    await clock.advance(2_000)
    await a.heard()
    expect([a.waitsHere(), a.sent()]).toEqual([1, ['one']])
  })

  test('the store of this edge refuses as well: 503', async () => {
    const a = await edge()
    await a.cold()
    redis.stop()
    const table = a.made.tables.get('outbox')
    if (table !== undefined) table.put = () => Promise.reject(new Error('ENOSPC'))
    expect(await a.stored('one')).toEqual([1, 503])
  })
})
