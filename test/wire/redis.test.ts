import { execFileSync } from 'node:child_process'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { limits } from '../../src/limits.ts'
import { pxOf } from '../../src/redis/expiry.ts'
import { keyOf } from '../../src/redis/keys.ts'
import { openRedis } from '../../src/redis/open-redis.ts'
import type { Redis, RedisOptions, RedisResult } from '../../src/redis/redis.ts'
import { defineScript, textOf } from '../../src/redis/script.ts'
import { isRedisUrlFault } from '../../src/redis/url.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { createMetrics } from '../../src/runtime/metrics.ts'
import { systemRandom } from '../../src/runtime/random.ts'
import { collectingLog } from '../../src/testing/log.ts'
import { pause } from './caller.ts'
import { Lab } from './lab.ts'
import { freePort, type RedisServer, redisCli, startRedis } from './redis-server.ts'

/**
 * The link to a real Redis: security row 57 (slow, gone, garbage), failover by sentinel and in a cluster, and whatever
 * error Redis may answer with. docs/decisions/0020-redis.md promises what is asserted here.
 */
const set = defineScript({
  name: 'set',
  keys: 1,
  lua: "return redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])",
})
const get = defineScript({ name: 'get', keys: 1, lua: "return redis.call('GET', KEYS[1])", isReadOnly: true })
const minute = pxOf(60_000)
const patient = { deadlineMs: 2_000 }

describe('a link to Redis', { timeout: 40_000 }, () => {
  let lab: Lab
  const open: Redis[] = []
  const log = collectingLog('debug')
  beforeEach(() => {
    lab = new Lab()
    log.clear()
  })
  afterEach(async () => {
    await Promise.all(open.splice(0).map((redis) => redis.close()))
    await lab.close()
  })

  const link = (url: string, options: RedisOptions = {}): Redis => {
    const metrics = createMetrics()
    const redis = openRedis(url, { clock: systemClock(), log, random: systemRandom(), metrics }, options)
    if (isRedisUrlFault(redis)) throw new Error(redis.fault)
    open.push(redis)
    return redis
  }
  /** Patient, for a machine that does something else besides: how patient a link is by default is asserted on its own. */
  const linkTo = async (server: RedisServer, options: RedisOptions = patient): Promise<Redis> => {
    const redis = link(`redis://127.0.0.1:${server.port}/0`, options)
    expect(await redis.whenUp(5_000)).toBe(true)
    return redis
  }
  const comesTo = async (redis: Redis, state: 'up' | 'down', withinMs: number) => {
    const start = performance.now()
    while (redis.state !== state && performance.now() - start < withinMs) await pause(10)
    expect(redis.state).toBe(state)
    return performance.now() - start
  }
  const says = (pattern: RegExp) =>
    log.lines.some(({ fields, message }) => pattern.test(`${message} ${JSON.stringify(fields)}`))

  test('keys, arguments and answers are octets', async () => {
    const redis = await linkTo(await startRedis(lab))
    const octets = Buffer.from(Array.from({ length: 256 }, (_, i) => i))
    const key = keyOf('loc', octets.toString('latin1'))
    expect(await redis.run(set, [key], [octets, minute])).toMatchObject({ status: 'ok' })
    expect(await redis.run(get, [Buffer.from(key, 'latin1')], [])).toEqual({ status: 'ok', value: octets })
    expect(await redis.run(set, [key], ['caf\xe9', minute])).toMatchObject({ status: 'ok' })
    const text = await redis.run(get, [key], [])
    expect(text.status === 'ok' && textOf(text.value)).toBe('caf\xe9')
    expect(await redis.run(get, [keyOf('loc', 'nobody')], [])).toEqual({ status: 'ok', value: null })
  })

  test('what is run in one turn leaves in few writes, in its order', async () => {
    const server = await startRedis(lab)
    const redis = await linkTo(server)
    const append = defineScript({
      name: 'append',
      keys: 1,
      lua: "return redis.call('RPUSH', KEYS[1], ARGV[1])",
    })
    await redis.run(append, ['list'], ['first'])
    const before = await server.info('total_reads_processed')
    const results = await Promise.all(
      Array.from({ length: 1_000 }, (_, n) => redis.run(append, ['list'], [n])),
    )
    const reads = (await server.info('total_reads_processed')) - before
    expect(results.map((result) => (result.status === 'ok' ? result.value : result))).toEqual(
      Array.from({ length: 1_000 }, (_, n) => n + 2),
    )
    // Redis reads 16 KiB at a time, and a few are those of INFO.
    expect(reads).toBeLessThan(30)
  })

  test('scripts are told again to a Redis that forgot them, and lifetimes end there', async () => {
    const server = await startRedis(lab)
    const redis = await linkTo(server)
    await redis.run(set, ['a'], ['1', pxOf(60)])
    await server.cli('SCRIPT', 'FLUSH')
    const results = await Promise.all(Array.from({ length: 50 }, () => redis.run(get, ['a'], [])))
    expect(new Set(results.map(({ status }) => status))).toEqual(new Set(['ok']))
    await pause(80)
    expect(await redis.run(get, ['a'], [])).toEqual({ status: 'ok', value: null })
    const skew = await redis.readSkew()
    expect(skew.status === 'ok' && Math.abs(skew.value)).toBeLessThan(50)
  })

  test('a script that is wrong is refused with what Redis says, and nothing else suffers', async () => {
    const redis = await linkTo(await startRedis(lab))
    const wrong = defineScript({ name: 'wrong', keys: 0, lua: 'return redis.call("NOSUCH")' })
    const unreadable = defineScript({ name: 'unreadable', keys: 0, lua: 'return (' })
    for (let n = 0; n < 20; n++) {
      expect(await redis.run(wrong, [], [])).toMatchObject({ status: 'refused', code: 'ERR' })
      expect(await redis.run(unreadable, [], [])).toMatchObject({ status: 'refused', code: 'ERR' })
    }
    expect(redis.state).toBe('up')
  })

  test('SIGSTOP: deadlines hold, then it is down at once, the loop runs on, and SIGCONT brings it back', async () => {
    const server = await startRedis(lab)
    const redis = await linkTo(server, {})
    await redis.run(set, ['a'], ['1', minute])
    const delay = monitorEventLoopDelay({ resolution: 5 })
    delay.enable()
    server.process.signal('SIGSTOP')
    const started = performance.now()
    const results: RedisResult<unknown>[] = []
    let longest = 0
    while (performance.now() - started < 2_000) {
      for (let n = 0; n < 20; n++) {
        const sent = performance.now()
        void redis.run(set, ['a'], ['2', minute]).then((result) => {
          results.push(result)
          longest = Math.max(longest, performance.now() - sent)
        })
      }
      await pause(10)
    }
    delay.disable()
    expect(redis.state).toBe('down')
    const statuses = results.map(({ status }) => status)
    expect(new Set(statuses)).toEqual(new Set(['late', 'down']))
    expect(results.at(-1)).toEqual({ status: 'down', unknown: false })
    expect(statuses.filter((status) => status === 'down').length).toBeGreaterThan(1_000)
    expect(longest).toBeLessThan(limits.redisDeadlineMilliseconds + 100)
    expect(delay.max / 1e6).toBeLessThan(100)
    expect(says(/redis is down.*does not answer/)).toBe(true)

    server.process.signal('SIGCONT')
    await comesTo(redis, 'up', limits.redisProbeMillisecondsMax + 2_000)
    expect(await redis.run(get, ['a'], [])).toMatchObject({ status: 'ok' })
    expect(log.lines.map(({ level }) => level).filter((level) => level !== 'debug')).toEqual([
      'info',
      'warn',
      'info',
    ])
  })

  test('one operation without an answer, and no other: the link finds out by itself', async () => {
    const server = await startRedis(lab)
    const redis = await linkTo(server, {})
    server.process.signal('SIGSTOP')
    expect(await redis.run(set, ['a'], ['1', minute])).toEqual({ status: 'late', unknown: true })
    await comesTo(redis, 'down', 3_000)
    server.process.signal('SIGCONT')
    await comesTo(redis, 'up', limits.redisProbeMillisecondsMax + 2_000)
  })

  test('kill -9, and back empty: what was under way is unknown, scripts and channels are there again', async () => {
    const server = await startRedis(lab)
    const redis = await linkTo(server)
    const heard: string[] = []
    const subscription = redis.subscribe('moves', {
      onMessage: (message) => void heard.push(message.toString('latin1')),
      onGap: () => void heard.push(subscription.isLive ? '(live)' : '(lost)'),
    })
    await comesTo(redis, 'up', 1_000)
    await waitUntil(() => subscription.isLive)
    expect(await redis.publish('moves', 'caf\xe9')).toEqual({ status: 'ok', value: null })
    await redis.run(set, ['a'], ['1', minute])
    await waitUntil(() => heard.length === 2)

    server.process.signal('SIGSTOP')
    const lost = redis.run(set, ['a'], ['2', minute])
    await pause(50)
    await server.kill()
    expect(await lost).toEqual({ status: 'down', unknown: true })
    expect(await redis.run(get, ['a'], [])).toEqual({ status: 'down', unknown: false })
    await pause(300)
    await server.restart()
    const back = await comesTo(redis, 'up', limits.redisProbeMillisecondsMax + 1_000)
    process.stdout.write(`redis: up again ${Math.round(back)} ms after it was ready\n`)
    expect(await redis.run(get, ['a'], [])).toEqual({ status: 'ok', value: null })
    await waitUntil(() => subscription.isLive)
    await redis.publish('moves', 'again')
    await waitUntil(() => heard.at(-1) === 'again')
    expect(heard).toEqual(['(live)', 'caf\xe9', '(lost)', '(live)', 'again'])
    expect(await server.cli('SCRIPT', 'EXISTS', set.sha, get.sha)).toBe('1\n1')
  })

  test('a channel that falls silent is a gap, and live again', async () => {
    const server = await startRedis(lab)
    const redis = await linkTo(server)
    const heard: boolean[] = []
    const subscription = redis.subscribe('moves', {
      onMessage: () => {},
      onGap: () => void heard.push(subscription.isLive),
    })
    await waitUntil(() => subscription.isLive)
    server.process.signal('SIGSTOP')
    await waitUntil(() => !subscription.isLive, 5_000)
    server.process.signal('SIGCONT')
    await waitUntil(() => subscription.isLive, 5_000)
    expect(heard).toEqual([true, false, true])
  })

  test('LOADING after a restart: down until it has loaded, and then the data is there', async () => {
    const server = await startRedis(lab)
    const redis = await linkTo(server)
    await server.cli('DEBUG', 'POPULATE', '3000')
    await redis.run(set, ['a'], ['1', minute])
    await server.cli('SAVE')
    await server.kill()
    await comesTo(redis, 'down', 1_000)
    const slow = ['--key-load-delay', '500', '--loading-process-events-interval-bytes', '1024']
    await server.restart(slow, /Loading RDB|Server initialized/)
    await waitUntil(() => says(/LOADING/), 4_000)
    expect(await redis.run(get, ['a'], [])).toEqual({ status: 'down', unknown: false })
    await comesTo(redis, 'up', 10_000)
    expect(await redis.run(get, ['a'], [])).toEqual({ status: 'ok', value: Buffer.from('1') })
  })

  test('READONLY: what became a replica is down until it is a master again', async () => {
    const [server, master] = [await startRedis(lab), await startRedis(lab)]
    const redis = await linkTo(server)
    await server.cli('REPLICAOF', '127.0.0.1', String(master.port))
    const result = await redis.run(set, ['a'], ['1', minute])
    expect(result).toMatchObject({ status: 'refused', code: 'READONLY' })
    await comesTo(redis, 'down', 500)
    await pause(500)
    expect(redis.state).toBe('down')
    await server.cli('REPLICAOF', 'NO', 'ONE')
    await comesTo(redis, 'up', limits.redisProbeMillisecondsMax + 1_000)
    expect(await redis.run(set, ['a'], ['1', minute])).toMatchObject({ status: 'ok' })
  })

  test('OOM: changes are refused, reading goes on, the link stays up', async () => {
    const server = await startRedis(lab)
    const redis = await linkTo(server)
    await redis.run(set, ['a'], ['1', minute])
    await server.cli('CONFIG', 'SET', 'maxmemory', '1')
    for (let n = 0; n < 20; n++) {
      expect(await redis.run(set, ['a'], ['2', minute])).toMatchObject({ status: 'refused', code: 'OOM' })
    }
    expect(redis.state).toBe('up')
    expect(says(/refuses operations.*OOM/)).toBe(true)
    await server.cli('CONFIG', 'SET', 'maxmemory', '0')
    expect(await redis.run(get, ['a'], [])).toEqual({ status: 'ok', value: Buffer.from('1') })
    expect(await redis.run(set, ['a'], ['2', minute])).toMatchObject({ status: 'ok' })
  })

  test('MISCONF: a Redis that cannot save refuses changes, and takes them again', async () => {
    const server = await startRedis(lab)
    const redis = await linkTo(server)
    await server.cli('CONFIG', 'SET', 'save', '3600 1')
    await redis.run(set, ['a'], ['1', minute])
    rmSync(server.directory, { recursive: true })
    await server.cli('BGSAVE')
    await waitUntil(async () => /rdb_last_bgsave_status:err/.test(await server.cli('INFO', 'persistence')))
    expect(await redis.run(set, ['a'], ['2', minute])).toMatchObject({ status: 'refused', code: 'MISCONF' })
    expect(await redis.run(get, ['a'], [])).toEqual({ status: 'ok', value: Buffer.from('1') })
    expect(redis.state).toBe('up')
    await server.cli('CONFIG', 'SET', 'save', '')
    expect(await redis.run(set, ['a'], ['2', minute])).toMatchObject({ status: 'ok' })
  })

  test('a wrong password: down, the reason is said, the password is not; the right one gets in', async () => {
    const server = await startRedis(lab, ['--requirepass', 'correct horse/@'])
    const wrong = link(`redis://:hunter2@127.0.0.1:${server.port}`)
    const none = link(`redis://127.0.0.1:${server.port}`)
    expect(await wrong.whenUp(700)).toBe(false)
    expect(none.state).toBe('down')
    expect(says(/WRONGPASS/)).toBe(true)
    expect(says(/NOAUTH/)).toBe(true)
    expect(JSON.stringify(log.lines)).not.toContain('hunter2')
    expect(wrong.description).toBe(`redis://127.0.0.1:${server.port}`)
    const right = link(`redis://:correct%20horse%2F%40@127.0.0.1:${server.port}`)
    expect(await right.whenUp(3_000)).toBe(true)
    await server.process.prints(/Ready/)
    await redisCli('-p', String(server.port), '-a', 'correct horse/@', '--no-auth-warning', ...acl)
    const user = link(`redis://edge:pw@127.0.0.1:${server.port}`)
    expect(await user.whenUp(3_000)).toBe(true)
    expect(await user.run(set, [keyOf('loc', 'a')], ['1', minute])).toMatchObject({ status: 'ok' })
    expect(await user.run(set, ['other'], ['1', minute])).toMatchObject({ status: 'refused' })
  })

  test('a database that is not there: down, and nothing is written to another', async () => {
    const server = await startRedis(lab)
    const redis = link(`redis://127.0.0.1:${server.port}/99`)
    expect(await redis.whenUp(700)).toBe(false)
    expect(says(/redis is down.*DB index is out of range/)).toBe(true)
    expect(await redis.run(set, ['a'], ['1', minute])).toEqual({ status: 'down', unknown: false })
    expect(await server.cli('DBSIZE')).toBe('0')
  })

  test('rediss: a certificate nobody vouches for is not accepted, one that is known is', async () => {
    const tlsPort = await freePort()
    const certificate = selfSigned(lab.directory)
    await startRedis(lab, [
      ...['--tls-port', String(tlsPort), '--tls-auth-clients', 'no', '--tls-ca-cert-file', certificate.cert],
      ...['--tls-cert-file', certificate.cert, '--tls-key-file', certificate.key],
    ])
    const stranger = link(`rediss://127.0.0.1:${tlsPort}`)
    expect(await stranger.whenUp(500)).toBe(false)
    expect(says(/self-signed certificate/)).toBe(true)
    const usual = getCACertificates('default')
    try {
      setDefaultCACertificates([...usual, readFileSync(certificate.cert, 'utf8')])
      const redis = link(`rediss://127.0.0.1:${tlsPort}`)
      expect(await redis.whenUp(3_000)).toBe(true)
      expect(await redis.run(set, ['a'], ['1', minute])).toMatchObject({ status: 'ok' })
    } finally {
      setDefaultCACertificates(usual)
    }
  })

  test.each([
    ['what is no Redis', 'HTTP/1.1 400 Bad Request\r\n\r\n'],
    ['a list without end', '*2000000000\r\n'],
    ['octets', '\x00\xff\x80\r\n'],
    ['a text that never comes', '$500000000\r\n'],
  ])('row 57: garbage is no answer: %s', async (_, garbage) => {
    const sockets: Socket[] = []
    const server = createServer((socket) => {
      sockets.push(socket.on('data', () => socket.write(garbage)).on('error', () => {}))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const address = server.address()
    const redis = link(`redis://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`)
    expect(await redis.whenUp(1_500)).toBe(false)
    expect(await redis.run(set, ['a'], ['1', minute])).toEqual({ status: 'down', unknown: false })
    await redis.close()
    for (const socket of sockets) socket.destroy()
    server.close()
  })

  test('close() lets what was asked come to its end', async () => {
    const server = await startRedis(lab)
    const redis = await linkTo(server)
    const results = Array.from({ length: 1_000 }, (_, n) => redis.run(set, [`k${n}`], ['1', minute]))
    await redis.close()
    expect(new Set((await Promise.all(results)).map(({ status }) => status))).toEqual(new Set(['ok']))
    expect(await server.cli('DBSIZE')).toBe('1000')
    expect(await redis.run(set, ['a'], ['1', minute])).toEqual({ status: 'down', unknown: false })
    await waitUntil(async () => (await server.info('connected_clients')) === 1)
  })

  test('sentinel: the master is killed, the replica takes over, the link follows', async () => {
    const master = await startRedis(lab)
    const replica = await startRedis(lab, ['--replicaof', '127.0.0.1', String(master.port)])
    await waitUntil(
      async () => /master_link_status:up/.test(await replica.cli('INFO', 'replication')),
      10_000,
    )
    const port = await freePort()
    const settings = join(lab.directory, 'sentinel.conf')
    writeFileSync(
      settings,
      [
        `port ${port}\nbind 127.0.0.1\ndir ${lab.directory}`,
        `sentinel monitor main 127.0.0.1 ${master.port} 1`,
        'sentinel down-after-milliseconds main 500',
        'sentinel failover-timeout main 3000\n',
      ].join('\n'),
    )
    const sentinel = lab.start(null, 'redis-server', [settings, '--sentinel'])
    await sentinel.prints(/\+slave slave/, 15_000)
    // The first of the two is not there.
    const redis = link(`redis+sentinel://127.0.0.1:${await freePort()},127.0.0.1:${port}/main/0`)
    expect(await redis.whenUp(5_000)).toBe(true)
    const heard: boolean[] = []
    const subscription = redis.subscribe('moves', {
      onMessage: () => {},
      onGap: () => void heard.push(subscription.isLive),
    })
    await redis.run(set, ['a'], ['1', minute])
    // Replication is asynchronous: what the replica does not have yet would be lost.
    await waitUntil(async () => (await replica.cli('GET', 'a')) === '1')
    await waitUntil(() => subscription.isLive)

    const started = performance.now()
    await master.kill()
    await comesTo(redis, 'down', 1_000)
    await comesTo(redis, 'up', 15_000)
    process.stdout.write(`sentinel: followed ${Math.round(performance.now() - started)} ms after the kill\n`)
    expect(await redis.run(get, ['a'], [])).toEqual({ status: 'ok', value: Buffer.from('1') })
    expect(await redis.run(set, ['a'], ['2', minute])).toMatchObject({ status: 'ok' })
    expect(await replica.cli('GET', 'a')).toBe('2')
    await waitUntil(() => subscription.isLive, 5_000)
    expect(heard).toEqual([true, false, true])
  })

  /** Masters, and as many replicas if asked for, that know each other. */
  const cluster = async (nodeTimeoutMs: number, replicas: 0 | 1): Promise<RedisServer[]> => {
    const settings = ['--cluster-enabled', 'yes', '--cluster-node-timeout', String(nodeTimeoutMs)]
    const count = 3 * (1 + replicas)
    const nodes = await Promise.all(Array.from({ length: count }, () => startRedis(lab, settings)))
    const addresses = nodes.map(({ port }) => `127.0.0.1:${port}`)
    await redisCli(
      '--cluster',
      'create',
      ...addresses,
      '--cluster-replicas',
      String(replicas),
      '--cluster-yes',
    )
    for (const node of nodes) {
      await waitUntil(async () => /cluster_state:ok/.test(await node.cli('CLUSTER', 'INFO')), 10_000)
    }
    return nodes
  }

  test('a cluster: each key finds its node, one node that hangs costs its keys only, channels reach all', async () => {
    const nodes = await cluster(20_000, 0)
    const redis = link(`redis+cluster://127.0.0.1:${await freePort()},127.0.0.1:${nodes[0]?.port}`, {
      deadlineMs: 1_000,
    })
    expect(await redis.whenUp(5_000)).toBe(true)
    const names = Array.from({ length: 300 }, (_, n) => `u${n}@example.com`)
    const move = defineScript({
      name: 'move',
      keys: 2,
      lua: "redis.call('SET', KEYS[2], ARGV[1]); redis.call('PUBLISH', 'moves', ARGV[1]); return redis.call('SET', KEYS[1], ARGV[1])",
    })
    const heard: string[] = []
    const subscription = redis.subscribe('moves', {
      onMessage: (message) => void heard.push(message.toString('latin1')),
      onGap: () => {},
    })
    await waitUntil(() => subscription.isLive, 5_000)
    const moved = await Promise.all(
      names.map((name) => redis.run(move, [keyOf('loc', name), keyOf('out', name)], [name])),
    )
    expect(new Set(moved.map(({ status }) => status))).toEqual(new Set(['ok']))
    const sizes = await Promise.all(nodes.map((node) => node.cli('DBSIZE')))
    expect(sizes.map(Number).reduce((a, b) => a + b)).toBe(600)
    expect(Math.min(...sizes.map(Number))).toBeGreaterThan(100)
    await waitUntil(() => heard.length === names.length)
    expect(heard.toSorted()).toEqual(names.toSorted())

    nodes[2]?.process.signal('SIGSTOP')
    const after: RedisResult<unknown>[] = []
    for (let round = 0; round < 10; round++) {
      const results = names.slice(0, 60).map((name) => redis.run(get, [keyOf('loc', name)], []))
      after.push(...(await Promise.all(results)))
    }
    expect(redis.state).toBe('up')
    const oks = after.filter(({ status }) => status === 'ok').length
    expect(oks).toBeGreaterThan(after.length / 2)
    expect(oks).toBeLessThan(after.length)
    nodes[2]?.process.signal('SIGCONT')
    await waitUntil(async () => {
      const results = await Promise.all(names.map((name) => redis.run(get, [keyOf('loc', name)], [])))
      return results.every(({ status }) => status === 'ok')
    }, 10_000)
  })

  test('a cluster whose master is killed: what was under way is unknown and not sent again, the link follows to the replica', async () => {
    const nodes = await cluster(1_000, 1)
    const master = nodes[0]
    for (const node of nodes.slice(3)) {
      await waitUntil(async () => /master_link_status:up/.test(await node.cli('INFO', 'replication')), 10_000)
    }
    const redis = link(`redis+cluster://127.0.0.1:${nodes[1]?.port}`, { deadlineMs: 1_000 })
    expect(await redis.whenUp(5_000)).toBe(true)
    const note = defineScript({ name: 'note', keys: 1, lua: "return redis.call('RPUSH', KEYS[1], ARGV[1])" })
    const list = defineScript({ name: 'list', keys: 1, lua: "return redis.call('LRANGE', KEYS[1], 0, -1)" })
    const keys = Array.from({ length: 30 }, (_, n) => keyOf('loc', `u${n}@example.com`))

    let count = 0
    const outcomes = new Map<string, Promise<RedisResult<unknown>>>()
    const noteAll = () => {
      for (const key of keys) outcomes.set(`${key} ${++count}`, redis.run(note, [key], [String(count)]))
    }
    noteAll()
    expect(await statusesOf([...outcomes.values()])).toEqual(new Set(['ok']))
    master?.process.signal('SIGSTOP')
    noteAll()
    await pause(100)
    await master?.kill()
    const started = performance.now()
    expect(await statusesOf([...outcomes.values()])).toEqual(new Set(['ok', 'down']))
    // Asked again elsewhere it would have taken longer: nobody is there yet who could answer.
    expect(performance.now() - started).toBeLessThan(250)

    let recovered = 0
    while (recovered === 0 && performance.now() - started < 20_000) {
      noteAll()
      const statuses = await statusesOf([...outcomes.values()].slice(-keys.length))
      if (statuses.size === 1 && statuses.has('ok')) recovered = performance.now() - started
      await pause(20)
    }
    process.stdout.write(`cluster: followed ${Math.round(recovered)} ms after the kill\n`)
    expect(recovered).toBeGreaterThan(0)
    for (const key of keys) {
      const noted = await redis.run(list, [key], [])
      const found =
        noted.status === 'ok' && Array.isArray(noted.value) ? noted.value.map((one) => textOf(one)) : []
      expect(found.length).toBeGreaterThan(0)
      expect(new Set(found).size).toBe(found.length)
      for (const id of found) {
        const outcome = await outcomes.get(`${key} ${id}`)
        expect(
          outcome?.status === 'ok' || (outcome !== undefined && 'unknown' in outcome && outcome.unknown),
        ).toBe(true)
      }
    }
  })
})

const acl = [
  'ACL',
  'SETUSER',
  'edge',
  'on',
  '>pw',
  '~loc*',
  '&moves',
  '+evalsha',
  '+eval',
  '+set',
  '+get',
  '+ping',
]

async function statusesOf(results: readonly Promise<RedisResult<unknown>>[]): Promise<Set<string>> {
  return new Set((await Promise.all(results)).map(({ status }) => status))
}

async function waitUntil(isSo: () => boolean | Promise<boolean>, withinMs = 3_000): Promise<void> {
  const start = performance.now()
  while (!(await isSo())) {
    if (performance.now() - start > withinMs) throw new Error(`it was not so within ${withinMs} ms`)
    await pause(10)
  }
}

function selfSigned(directory: string): { cert: string; key: string } {
  const [cert, key] = [join(directory, 'redis.crt'), join(directory, 'redis.key')]
  const subject = ['-subj', '/CN=redis', '-addext', 'subjectAltName=IP:127.0.0.1']
  execFileSync(
    'openssl',
    ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-keyout', key, '-out', cert, ...subject],
    { stdio: 'ignore' },
  )
  return { cert, key }
}
