import { describe, expect, test } from 'vitest'
import { limits } from '../../src/limits.ts'
import type { RedisReply, RedisResult } from '../../src/redis/redis.ts'
import { defineScript } from '../../src/redis/script.ts'
import { world } from './world.ts'

const put = defineScript({ name: 'put', keys: 1, lua: "return redis.call('SET', KEYS[1], ARGV[1])" })
const get = defineScript({ name: 'get', keys: 1, lua: "return redis.call('GET', KEYS[1])", isReadOnly: true })
const both = defineScript({ name: 'both', keys: 2, lua: 'return 1' })
const deadline = limits.redisDeadlineMilliseconds

/** What a promise has come to by now, or `waiting`. */
async function now<T>(promise: Promise<RedisResult<T>>): Promise<RedisResult<T> | 'waiting'> {
  return await Promise.race([promise, Promise.resolve('waiting' as const)])
}

describe('an operation', () => {
  test('is sent as EVALSHA, with keys and arguments as octets, and answered', async () => {
    const { redis, up } = world()
    const connection = await up()
    const result = redis.run(put, ['k\xe4'], ['text', 7, 'caf\xe9', Buffer.from([0, 255])])
    expect(connection.last).toMatchObject({
      command: 'EVALSHA',
      args: [
        put.sha,
        '1',
        Buffer.from([0x6b, 0xe4]),
        'text',
        '7',
        Buffer.from('caf\xe9', 'latin1'),
        Buffer.from([0, 255]),
      ],
    })
    connection.last.answer.replied(Buffer.from('OK'))
    expect(await result).toEqual({ status: 'ok', value: Buffer.from('OK') })
    void redis.run(put, ['k'], ['v'])
    expect(connection.told).toEqual([put])
  })

  test('without an answer is late at its deadline, and a late answer is dropped', async () => {
    const { redis, clock, up, metrics } = world()
    const connection = await up()
    const result = redis.run(put, ['k'], ['v'])
    await clock.advance(deadline - 1)
    expect(await now(result)).toBe('waiting')
    await clock.advance(1)
    expect(await result).toEqual({ status: 'late', unknown: true })
    connection.last.answer.replied(Buffer.from('OK'))
    expect(await result).toEqual({ status: 'late', unknown: true })
    expect(metrics.samples().find(({ name }) => name === 'viaduct_redis_in_flight')?.value).toBe(0)
  })

  test('that only reads leaves nothing unknown', async () => {
    const { redis, clock, up } = world()
    const connection = await up()
    const late = redis.run(get, ['k'], [])
    await clock.advance(deadline)
    expect(await late).toEqual({ status: 'late', unknown: false })
    const lost = redis.run(get, ['k'], [])
    connection.end('gone')
    expect(await lost).toEqual({ status: 'down', unknown: false })
  })

  test('may have a deadline of its own', async () => {
    const { redis, clock, up } = world({ deadlineMs: 100 })
    await up()
    const [usual, patient] = [redis.run(put, ['k'], []), redis.run(put, ['k'], [], 1_000)]
    await clock.advance(100)
    expect(await now(usual)).toMatchObject({ status: 'late' })
    expect(await now(patient)).toBe('waiting')
  })

  test('whose script Redis does not know is sent again with the text, once, within the same deadline', async () => {
    const { redis, clock, up } = world()
    const connection = await up()
    const result = redis.run(put, ['k'], ['v'])
    connection.last.answer.refused('NOSCRIPT No matching script.')
    expect(connection.last).toMatchObject({ command: 'EVAL', args: [put.lua, '1', 'k', 'v'] })
    connection.last.answer.refused('NOSCRIPT again')
    expect(await result).toMatchObject({ status: 'refused', code: 'NOSCRIPT' })
    expect(connection.sent).toHaveLength(2)
    const late = redis.run(put, ['k'], ['v'])
    await clock.advance(deadline)
    connection.last.answer.refused('NOSCRIPT too late')
    expect(await late).toEqual({ status: 'late', unknown: true })
    expect(connection.sent).toHaveLength(3)
  })

  test.each([
    ["OOM command not allowed when used memory > 'maxmemory'.", 'OOM'],
    ['MISCONF Redis is configured to save RDB snapshots', 'MISCONF'],
    ['WRONGTYPE Operation against a key holding the wrong kind of value', 'WRONGTYPE'],
    ['whatever', 'ERR'],
  ])('that Redis refuses says why, and the link stays up: %s', async (message, code) => {
    const { redis, up } = world()
    const connection = await up()
    for (let i = 0; i < 100; i++) {
      const result = redis.run(put, ['k'], ['v'])
      connection.last.answer.refused(message)
      expect(await result).toEqual({ status: 'refused', code, message })
    }
    expect(redis.state).toBe('up')
  })

  test('whose answer is none that the script understands is refused; nothing is thrown', async () => {
    const { redis, up } = world()
    const connection = await up()
    const script = defineScript({
      name: 'count',
      keys: 0,
      lua: 'return 1',
      read: (reply: RedisReply) =>
        typeof reply === 'number' ? reply : reply === null ? JSON.parse('{') : undefined,
    })
    for (const garbage of [Buffer.from('x'), null, [1, new Error('x')], undefined, {}]) {
      const result = redis.run(script, [], [])
      connection.last.answer.replied(garbage)
      expect(await result).toMatchObject({ status: 'refused', code: 'reply' })
    }
    const result = redis.run(script, [], [])
    connection.last.answer.replied(3)
    expect(await result).toEqual({ status: 'ok', value: 3 })
  })

  test.each([
    ['too few keys', ['a{1}']],
    ['two tags', ['a{1}', 'a{2}']],
    ['no tag', ['a', 'b']],
  ])('with wrong keys is refused here, as a cluster would: %s', async (_, keys) => {
    const { redis, up } = world()
    const connection = await up()
    expect(await redis.run(both, keys, [])).toMatchObject({ status: 'refused', code: 'keys' })
    expect(connection.sent).toEqual([])
  })

  test('beyond the bounds is refused at once; what ends gives back its room', async () => {
    const { redis, up } = world({ inFlightMax: 2, inFlightBytesMax: 100 })
    const connection = await up()
    const first = redis.run(put, ['k'], ['v'])
    const second = redis.run(put, ['k'], ['v'])
    expect(await redis.run(put, ['k'], ['v'])).toMatchObject({ status: 'refused', code: 'busy' })
    for (const { answer } of connection.sent) answer.replied(1)
    await Promise.all([first, second])
    expect(await redis.run(put, ['k'], ['v'.repeat(100)])).toMatchObject({ status: 'refused', code: 'size' })
    const large = redis.run(put, ['k'], ['v'.repeat(60)])
    expect(await redis.run(put, ['k'], ['v'.repeat(60)])).toMatchObject({ status: 'refused', code: 'busy' })
    connection.last.answer.replied(1)
    expect(await large).toMatchObject({ status: 'ok' })
    const again = redis.run(put, ['k'], ['v'.repeat(60)])
    connection.last.answer.replied(1)
    expect(await again).toMatchObject({ status: 'ok' })
  })

  test('that is late takes its room until no answer can come any more', async () => {
    const { redis, clock, up } = world({ inFlightMax: 1 })
    const connection = await up()
    void redis.run(put, ['k'], ['v'])
    await clock.advance(deadline)
    expect(await redis.run(put, ['k'], ['v'])).toMatchObject({ status: 'refused', code: 'busy' })
    connection.last.answer.replied(1)
    const next = redis.run(put, ['k'], ['v'])
    connection.last.answer.replied(1)
    expect(await next).toMatchObject({ status: 'ok' })
  })
})

describe('the state of a link', () => {
  test('is down until it is opened: operations settle at once, and nothing is sent', async () => {
    const { redis, latest, up } = world()
    expect(redis.state).toBe('down')
    expect(await now(redis.run(put, ['k'], ['v']))).toEqual({ status: 'down', unknown: false })
    await up()
    expect(redis.state).toBe('up')
    expect(latest().sent).toEqual([])
  })

  test('a lost connection takes what is under way with it, and is looked for again', async () => {
    const { redis, clock, up, latest, connections, log } = world()
    const first = await up()
    const result = redis.run(put, ['k'], ['v'])
    first.end('read ECONNRESET')
    expect(await result).toEqual({ status: 'down', unknown: true })
    expect(await redis.run(put, ['k'], ['v'])).toEqual({ status: 'down', unknown: false })
    expect(first.isDropped).toBe(true)
    await clock.advance(limits.redisProbeMillisecondsMin)
    expect(connections).toHaveLength(2)
    expect(latest().scripts).toEqual([put])
    await up()
    expect(redis.state).toBe('up')
    expect(log.lines.map(({ level, message }) => [level, message])).toEqual([
      ['info', 'redis is up'],
      ['warn', 'redis is down'],
      ['info', 'redis is up again'],
    ])
    expect(log.lines[1]?.fields).toEqual({ redis: 'redis://test', reason: 'read ECONNRESET' })
    expect(log.lines[2]?.fields).toMatchObject({ refused: 1, downMs: expect.any(Number) })
    // An answer or an end of what was given up means nothing.
    first.last.answer.replied(1)
    first.end('again')
    expect(redis.state).toBe('up')
  })

  test('silence opens the breaker, and all that is under way comes to an end', async () => {
    const { redis, clock, up, metrics } = world()
    await up()
    const results: Promise<RedisResult<unknown>>[] = []
    for (let n = 0; n < 200 && redis.state === 'up'; n++) {
      results.push(redis.run(put, ['k'], ['v']))
      await clock.advance(10)
    }
    expect(redis.state).toBe('down')
    expect(clock.now()).toBeLessThanOrEqual(2 * deadline + 20)
    const statuses = (await Promise.all(results)).map(({ status }) => status)
    expect(new Set(statuses)).toEqual(new Set(['late', 'down']))
    const value = (name: string) => metrics.samples().find((sample) => sample.name === name)?.value
    expect([value('viaduct_redis_up'), value('viaduct_redis_in_flight')]).toEqual([0, 0])
    expect(metrics.counter('viaduct_redis_outages_total', '').value()).toBe(1)
  })

  test.each(['LOADING Redis is loading the dataset', 'CLUSTERDOWN The cluster is down', 'BUSY a script'])(
    'an answer that it cannot serve now, five times: %s',
    async (message) => {
      const { redis, up } = world()
      const connection = await up()
      for (let n = 0; n < 5; n++) {
        const result = redis.run(put, ['k'], ['v'])
        connection.last.answer.refused(message)
        expect(await result).toMatchObject({ status: 'refused', message })
      }
      expect(redis.state).toBe('down')
    },
  )

  test('READONLY is the end of this connection at once: the master is another', async () => {
    const { redis, up } = world()
    const connection = await up()
    const [first, second] = [redis.run(put, ['k'], ['v']), redis.run(put, ['k'], ['v'])]
    connection.sent[0]?.answer.refused("READONLY You can't write against a read only replica.")
    expect(await first).toMatchObject({ status: 'refused', code: 'READONLY' })
    expect(await second).toEqual({ status: 'down', unknown: true })
    expect(redis.state).toBe('down')
  })

  test('attempts that fail, or never end, are repeated ever more slowly, each with the next host first', async () => {
    const { clock, latest, connections, log } = world()
    const moments: number[] = []
    for (let n = 0; n < 12; n++) {
      expect(latest().attempt).toBe(n)
      moments.push(clock.now())
      if (n % 2 === 0) {
        latest().open('connect ECONNREFUSED')
        await clock.settle()
      } else {
        await clock.advance(limits.redisConnectMilliseconds + limits.redisDeadlineMilliseconds)
      }
      expect(clock.untilNext()).toBeLessThanOrEqual(limits.redisProbeMillisecondsMax)
      await clock.advance(clock.untilNext())
      expect(connections).toHaveLength(n + 2)
      expect(connections[n]?.isDropped).toBe(true)
    }
    expect((moments.at(-1) ?? 0) - (moments.at(-2) ?? 0)).toBeGreaterThanOrEqual(
      limits.redisProbeMillisecondsMax / 2,
    )
    expect(log.messages('info')).toEqual([])
  })

  test('a failure that goes on is one line; another reason is another, after a while', async () => {
    const { clock, latest, log } = world()
    while (clock.now() < 60_000) {
      latest().open(clock.now() < 2_000 ? 'ECONNREFUSED' : 'WRONGPASS no')
      await clock.settle()
      await clock.advance(clock.untilNext())
    }
    const lines = log.lines.filter(({ level }) => level === 'warn')
    expect(lines.map(({ message, fields }) => [message, fields['reason']])).toEqual([
      ['redis is down', 'ECONNREFUSED'],
      ['redis is still down, for another reason', 'WRONGPASS no'],
    ])
  })

  test('whoever listens hears of each change', async () => {
    const { redis, up, latest, clock } = world()
    const heard: string[] = []
    const forget = redis.onState((state) => heard.push(`${state} ${redis.state}`))
    await up()
    latest().end('gone')
    await clock.advance(limits.redisProbeMillisecondsMin)
    await up()
    forget()
    latest().end('gone')
    expect(heard).toEqual(['up up', 'down down', 'up up'])
  })

  test('whenUp() waits so long', async () => {
    const { redis, clock, up } = world()
    const early = redis.whenUp(100)
    const patient = redis.whenUp(1_000)
    await clock.advance(100)
    expect(await early).toBe(false)
    await up()
    expect(await patient).toBe(true)
    expect(await redis.whenUp(0)).toBe(true)
  })
})

describe('closing', () => {
  test('waits for what is under way, takes nothing more, and disconnects', async () => {
    const { redis, up, clock, connections } = world()
    const connection = await up()
    const running = redis.run(put, ['k'], ['v'], 10_000)
    let isClosed = false
    const closed = redis.close().then(() => {
      isClosed = true
    })
    expect(await redis.run(put, ['k'], ['v'])).toEqual({ status: 'down', unknown: false })
    await clock.settle()
    expect(isClosed).toBe(false)
    connection.last.answer.replied(1)
    expect(await running).toMatchObject({ status: 'ok' })
    await closed
    expect(connection.isDropped).toBe(true)
    await redis.close()
    await clock.advance(100_000)
    expect(connections).toHaveLength(1)
  })

  test('waits so long and no longer', async () => {
    const { redis, up, clock } = world()
    await up()
    const running = redis.run(put, ['k'], ['v'], 10_000)
    const closed = redis.close()
    await clock.advance(limits.redisCloseMilliseconds)
    await closed
    expect(await running).toEqual({ status: 'down', unknown: true })
  })

  test('while it is down ends the attempts', async () => {
    const { redis, clock, connections, latest } = world()
    latest().open('ECONNREFUSED')
    await clock.settle()
    await redis.close()
    await clock.advance(100_000)
    expect(connections).toHaveLength(1)
    expect(clock.pending).toBe(0)
  })
})

test('readSkew() compares the middle of the question with the answer', async () => {
  const { redis, up, clock } = world()
  const connection = await up()
  const skew = redis.readSkew()
  await clock.advance(20)
  expect(connection.last.command).toBe('TIME')
  const ahead = (clock.wall() - 10 + 5_000) / 1_000
  connection.last.answer.replied([
    Buffer.from(String(Math.floor(ahead))),
    Buffer.from(String(((ahead % 1) * 1e6) | 0)),
  ])
  const result = await skew
  expect(result.status === 'ok' && Math.round(result.value)).toBe(5_000)
})

test('a password in what an error says is not in the log', async () => {
  const { log, latest, clock } = world()
  latest().open('cannot reach redis://edge:hunter2@host:6379')
  await clock.settle()
  expect(JSON.stringify(log.lines)).not.toContain('hunter2')
})
