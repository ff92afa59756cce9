import { describe, expect, test } from 'vitest'
import { limits } from '../../src/limits.ts'
import { world } from './world.ts'

/** A listener that writes down what it hears. */
function ear() {
  const heard: string[] = []
  return {
    heard,
    onMessage: (message: Buffer) => void heard.push(message.toString('latin1')),
    onGap: () => void heard.push('(gap)'),
  }
}

describe('a subscription', () => {
  test('is live when Redis has confirmed it, and hears its channel', async () => {
    const { redis, clock, heard } = world()
    const listener = ear()
    const subscription = redis.subscribe('moves', listener)
    expect(subscription.isLive).toBe(false)
    heard().open(null)
    await clock.settle()
    expect([subscription.isLive, heard().channels]).toEqual([true, ['moves']])
    heard().onMessage('moves', Buffer.from('alice'))
    heard().onMessage('else', Buffer.from('bob'))
    expect(listener.heard).toEqual(['(gap)', 'alice'])
  })

  test('a lost connection is a gap when it is lost and when all channels are live again', async () => {
    const { redis, clock, heard, listenings } = world()
    const [one, two] = [ear(), ear()]
    const subscription = redis.subscribe('a', one)
    redis.subscribe('b', two)
    heard().open(null)
    await clock.settle()
    const lost = heard()
    lost.end('gone')
    expect([one.heard, two.heard, subscription.isLive]).toEqual([
      ['(gap)', '(gap)'],
      ['(gap)', '(gap)'],
      false,
    ])
    lost.onMessage('a', Buffer.from('of the dead'))
    await clock.advance(limits.redisProbeMillisecondsMin)
    expect(listenings).toHaveLength(2)
    heard().open(null)
    await clock.settle()
    expect(heard().channels).toEqual(['a', 'b'])
    heard().onMessage('a', Buffer.from('alice'))
    expect(one.heard).toEqual(['(gap)', '(gap)', '(gap)', 'alice'])
  })

  test('a Redis that falls silent is found out', async () => {
    const { redis, clock, heard, listenings } = world()
    const listener = ear()
    redis.subscribe('a', listener)
    heard().open(null)
    await clock.advance(60_000)
    expect(listenings).toHaveLength(1)
    heard().isSilent = true
    await clock.advance(2 * limits.redisListenMilliseconds)
    expect(listener.heard).toEqual(['(gap)', '(gap)'])
    expect(listenings[0]?.isDropped).toBe(true)
  })

  test('more listeners of one channel, and a later channel, share the connection', async () => {
    const { redis, clock, heard, listenings } = world()
    const [one, two, three] = [ear(), ear(), ear()]
    redis.subscribe('a', one)
    heard().open(null)
    await clock.settle()
    const second = redis.subscribe('a', two)
    redis.subscribe('c', three)
    await clock.settle()
    heard().onMessage('a', Buffer.from('x'))
    heard().onMessage('c', Buffer.from('y'))
    second.end()
    second.end()
    heard().onMessage('a', Buffer.from('z'))
    expect([one.heard, two.heard, three.heard]).toEqual([
      ['(gap)', 'x', 'z'],
      ['(gap)', 'x'],
      ['(gap)', 'y'],
    ])
    expect(listenings).toHaveLength(1)
  })

  test('one sign of life at a time, however many channels were added', async () => {
    const { redis, clock, heard } = world()
    redis.subscribe('first', ear())
    heard().open(null)
    await clock.settle()
    for (let n = 0; n < 20; n++) {
      redis.subscribe(`c${n}`, ear())
      await clock.advance(limits.redisListenMilliseconds / 2)
    }
    const before = heard().pings
    await clock.advance(10 * limits.redisListenMilliseconds)
    expect(heard().pings - before).toBeLessThanOrEqual(10)
    expect(heard().pings - before).toBeGreaterThanOrEqual(9)
  })

  test('the last that ends takes its channel, and then the connection', async () => {
    const { redis, clock, heard, listenings } = world()
    const subscriptions = [redis.subscribe('a', ear()), redis.subscribe('b', ear())]
    heard().open(null)
    await clock.settle()
    subscriptions[0]?.end()
    expect([heard().channels, heard().isDropped]).toEqual([['b'], false])
    subscriptions[1]?.end()
    expect(heard().isDropped).toBe(true)
    await clock.advance(100_000)
    expect(listenings).toHaveLength(1)
    redis.subscribe('a', ear())
    expect(listenings).toHaveLength(2)
  })

  test('closing ends it, and nothing is heard after it', async () => {
    const { redis, clock, heard, listenings } = world()
    const listener = ear()
    redis.subscribe('a', listener)
    heard().open(null)
    await clock.settle()
    await redis.close()
    heard().onMessage('a', Buffer.from('late'))
    expect(redis.subscribe('b', listener).isLive).toBe(false)
    await clock.advance(100_000)
    expect(listener.heard).toEqual(['(gap)'])
    expect(listenings).toHaveLength(1)
  })

  test('there are so many', () => {
    const { redis, log } = world()
    for (let n = 0; n < limits.redisSubscriptionsMax; n++) redis.subscribe('a', ear())
    expect(log.messages('error')).toEqual([])
    redis.subscribe('a', ear())
    expect(log.messages('error')).toEqual(['a subscription to redis is refused'])
  })
})
