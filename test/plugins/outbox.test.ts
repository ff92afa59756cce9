import { beforeEach, describe, expect, test } from 'vitest'
import learn from '../../plugins/learn/index.ts'
import outbox from '../../plugins/outbox/index.ts'
import registrar from '../../plugins/registrar/index.ts'
import usrloc from '../../plugins/usrloc/index.ts'
import type { Table } from '../../src/plugin/index.ts'
import { memoryTable } from '../../src/store/memory.ts'
import { simulatedClock } from '../../src/testing/clock.ts'
import { createEdge, type Edge, requestText } from './edge.ts'

const device = { address: '60.250.149.198', port: 59177 }
let edge: Edge

async function edgeWith(
  values: Record<string, unknown> = {},
  tables?: Map<string, Table<unknown>>,
  clock = simulatedClock(),
) {
  const made = createEdge(tables === undefined ? { clock } : { tables, clock })
  await made.load(usrloc)
  await made.load(registrar)
  await made.load(learn, {
    source: ['60.250.0.0/16=>provisional=accept', '60.251.0.0/16'],
    devices: ['2000', '2001'],
  })
  await made.load(outbox, values)
  await made.start()
  return made
}

beforeEach(async () => {
  edge = await edgeWith()
})

/** The device says something, and what waits for it may leave. */
async function heard(user = '2000', from: object = device) {
  const context = edge.receives(
    requestText('MESSAGE', { from: `sip:${user}@10.0.0.1`, to: 'sip:1000@x' }),
    from,
  )
  edge.call('learn_location', context, 'location')
  const rc = edge.call('outbox_drain', context)
  await edge.clock.settle()
  return rc
}

async function stored(body: string, lines: string[] = [], user = '2000') {
  const uri = `sip:${user}@50.170.158.149`
  const context = edge.receives(
    requestText('MESSAGE', { uri, to: uri, body, lines: ['Content-Type: text/plain', ...lines] }),
    { address: '10.0.0.5' },
  )
  const rc = edge.call('outbox_store', context)
  await edge.clock.settle()
  return { rc, statusCode: context.replies[0]?.statusCode, replies: context.replies.length }
}

const sent = () => edge.requests.map(({ body }) => body)
async function answer(index: number, statusCode: number) {
  edge.requests[index]?.onResponse?.(statusCode, null)
  await edge.clock.settle()
}

async function cold() {
  await heard()
  await edge.clock.advance(61_000)
}

describe('a device whose pinhole is closed', () => {
  test('the sender gets 202 once the message is durable; the device gets all, in order, into its next pinhole', async () => {
    await cold()
    for (const body of ['one', 'two', 'three']) {
      expect(await stored(body)).toEqual({ rc: 1, statusCode: 202, replies: 1 })
    }
    expect(sent()).toEqual([])
    expect(await heard()).toBe(1)
    expect(sent()).toEqual(['one'])
    await answer(0, 200)
    await answer(1, 202)
    expect(sent()).toEqual(['one', 'two', 'three'])
    await answer(2, 200)
    expect(await heard()).toBe(2)
    expect(edge.requests[0]).toMatchObject({
      method: 'MESSAGE',
      contentType: 'text/plain',
      target: { trust: 'proven' },
    })
    expect(edge.requests[0]?.target.flow).toMatchObject(device)
    expect(edge.tables.get('outbox')?.count).toBe(0)
  })

  test('no answer: it stays, nothing overtakes it, and the next attempt says that it may be a duplicate', async () => {
    await cold()
    await stored('one')
    await stored('two')
    await heard()
    expect(edge.requests[0]?.headers).not.toContain('X-Delivery-Attempt')
    await answer(0, 408)
    expect(sent()).toEqual(['one'])
    await heard()
    expect(sent()).toEqual(['one', 'one'])
    expect(edge.requests[1]?.headers).toContain('X-Delivery-Attempt: 2')
    expect(edge.requests[1]?.callId).toBe(edge.requests[0]?.callId)
  })

  test('T5: nothing is drained to an unproven flow', async () => {
    const unproven = { address: '60.251.0.1', port: 1 }
    await heard('2001', unproven)
    await stored('one', [], '2001')
    expect(await heard('2001', unproven)).toBe(-1)
    expect(sent()).toEqual([])
  })

  test('one message at a time, however often the device is heard', async () => {
    await cold()
    await stored('one')
    await heard()
    await heard()
    await heard()
    expect(sent()).toEqual(['one'])
  })

  test('a message that the device refuses five times is given up, and does not hold up the others for ever', async () => {
    await cold()
    await stored('bad')
    await stored('good')
    for (let i = 0; i < 5; i++) {
      await heard()
      await answer(i, 415)
    }
    await heard()
    expect(sent().at(-1)).toBe('good')
  })
})

describe('bounds', () => {
  test('row 12 of the threat model: per recipient by number and by octets, and only known recipients', async () => {
    edge = await edgeWith({ max_messages: 2, max_bytes: 2_000 })
    await cold()
    expect([(await stored('a')).rc, (await stored('b')).rc]).toEqual([1, 1])
    expect(await stored('c')).toMatchObject({ rc: -3, replies: 0 })
    expect(await stored('x', [], '9999')).toMatchObject({ rc: -2, replies: 0 })
    edge = await edgeWith({ max_bytes: 2_000 })
    await cold()
    expect((await stored('x'.repeat(3_000))).rc).toBe(-3)
  })

  test('in all', async () => {
    edge = await edgeWith({ max_total_bytes: 1_000 })
    await cold()
    expect((await stored('x'.repeat(400))).rc).toBe(1)
    expect((await stored('x'.repeat(400))).rc).toBe(-3)
  })

  test.each([
    ['Expires: 60', 59, 61],
    ['Expires: 900000', 86_300, 86_500],
    ['Expires: nonsense', 86_300, 86_500],
  ])('%s', async (line, before, after) => {
    await heard()
    await stored('one', [line])
    const waiting = () => (edge.rpc('outbox.list') as unknown[]).length
    await edge.clock.advance(before * 1000)
    expect(waiting()).toBe(1)
    await edge.clock.advance((after - before) * 1000)
    expect(waiting()).toBe(0)
    expect(edge.events.map(({ name }) => name)).toContain('outbox:expired')
  })

  test('RFC 3428 §4: Expires 0 is now or never; other methods do not wait', async () => {
    await cold()
    expect(await stored('one', ['Expires: 0'])).toMatchObject({ rc: -1, replies: 0 })
    const invite = edge.receives(requestText('INVITE', { uri: 'sip:2000@50.170.158.149' }))
    expect(edge.call('outbox_store', invite)).toBe(-1)
  })
})

describe('the store', () => {
  test('messages are back after a restart, in order', async () => {
    const tables = new Map<string, Table<unknown>>()
    edge = await edgeWith({}, tables)
    await cold()
    await stored('one')
    await stored('two')
    edge = await edgeWith({}, tables)
    await heard()
    await answer(0, 200)
    expect(sent()).toEqual(['one', 'two'])
  })

  test.each([
    ['an hour forward', 3_600_000],
    ['an hour back', -3_600_000],
  ])('row 53: a date that jumps %s changes no lifetime, nor does a restart after it', async (_name, jump) => {
    const tables = new Map<string, Table<unknown>>()
    edge = await edgeWith({ expires: 600 }, tables)
    await cold()
    await stored('one')
    const bound = edge.clock.now() + 600_000
    edge.clock.shiftWall(jump)
    await edge.clock.advance(20_000)
    edge = await edgeWith({ expires: 600 }, tables, edge.clock)
    const expires = () => edge.rpc('outbox.list') as { Expires: number }[]
    expect(expires()).toMatchObject([{ Expires: Math.ceil((bound - edge.clock.now()) / 1000) }])
    await edge.clock.advance(bound - edge.clock.now() - 2_000)
    expect(expires()).toHaveLength(1)
    await edge.clock.advance(4_000)
    expect(expires()).toEqual([])
  })

  test('row 55: if it refuses the sender gets 503, and nothing is kept', async () => {
    const table = { ...memoryTable<unknown>(), put: () => Promise.reject(new Error('ENOSPC')) }
    edge = await edgeWith({}, new Map([['outbox', table as Table<unknown>]]))
    await cold()
    expect(await stored('one')).toMatchObject({ statusCode: 503, replies: 1 })
    expect(edge.rpc('outbox.list')).toEqual([])
  })
})

test('outbox.list, outbox.flush and outbox.purge', async () => {
  await cold()
  await stored('one')
  expect(edge.rpc('outbox.list', '2000')).toMatchObject([{ AoR: '2000', Attempts: 0, Expires: 86_400 }])
  expect(edge.rpc('outbox.flush')).toEqual({ draining: 0 })
  expect(edge.rpc('outbox.purge', '2000')).toEqual({ purged: 1 })
  expect(edge.rpc('outbox.list')).toEqual([])
})
