import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as pause } from 'node:timers/promises'
import { Redis as Ioredis } from 'ioredis'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { pxOf } from '../../src/redis/expiry.ts'
import { keyOf } from '../../src/redis/keys.ts'
import { openRedis } from '../../src/redis/open-redis.ts'
import type { Redis } from '../../src/redis/redis.ts'
import { defineScript } from '../../src/redis/script.ts'
import { isRedisUrlFault } from '../../src/redis/url.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { silentLog } from '../../src/runtime/log.ts'
import { createMetrics } from '../../src/runtime/metrics.ts'
import { systemRandom } from '../../src/runtime/random.ts'

/**
 * The link to a Redis on loopback: what an operation costs this process, what it adds to a bare round trip, and what
 * 10,000 a second do to the event loop. Needs redis-server; without it there is nothing to measure.
 */
const has = spawnSync('redis-server', ['--version']).status === 0
const put = defineScript({
  name: 'put',
  keys: 1,
  lua: "return redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])",
})
/** What a binding takes. */
const record = Buffer.alloc(200, 0xb7)
const minute = pxOf(60_000)
const users = Array.from({ length: 10_000 }, (_, n) => keyOf('loc', `u${n}@example.com`))

const directory = mkdtempSync(join(tmpdir(), 'redis-bench-'))
let server: ChildProcess | null = null
let redis: Redis
let bare: Ioredis
let socket: Socket
let next = 0

beforeAll(async () => {
  if (!has) return
  const port = await freePort()
  server = spawn('redis-server', [
    '--port',
    String(port),
    '--bind',
    '127.0.0.1',
    '--save',
    '',
    '--dir',
    directory,
  ])
  const host = { clock: systemClock(), log: silentLog, random: systemRandom(), metrics: createMetrics() }
  const opened = openRedis(`redis://127.0.0.1:${port}`, host, { deadlineMs: 5_000 })
  if (isRedisUrlFault(opened) || !(await opened.whenUp(5_000))) throw new Error('redis-server does not start')
  redis = opened
  bare = new Ioredis(port, '127.0.0.1', { enableAutoPipelining: true })
  await bare.script('LOAD', put.lua)
  socket = connect(port, '127.0.0.1').setNoDelay(true)
})
afterAll(async () => {
  if (has) {
    await redis.close()
    bare.disconnect()
    socket.destroy()
  }
  server?.kill()
  rmSync(directory, { recursive: true, force: true })
})

const key = () => users[next++ % users.length] ?? ''
const run = () => redis.run(put, [key()], [record, minute])
const together = async (count: number) => {
  const results = await Promise.all(Array.from({ length: count }, run))
  for (const { status } of results) if (status !== 'ok') throw new Error(status)
}

test.runIf(has)('operations on Redis, on loopback', async ({ bench }) => {
  await bench.compare(
    bench('a bare socket: PING and its answer', () => answered()),
    bench('one operation, and then the next', () => together(1)),
    bench('100 operations in one turn', () => together(100)),
    bench('1,000 operations in one turn', () => together(1_000)),
    bench('100 EVALSHA by ioredis alone, its own pipelining', async () => {
      await Promise.all(Array.from({ length: 100 }, () => bare.evalsha(put.sha, 1, key(), record, minute)))
    }),
  )
  expect(redis.state).toBe('up')
})

test.runIf(has)(
  '10,000 operations a second, for ten seconds',
  async () => {
    const seconds = 10
    await together(1_000)
    for (const isAsking of [false, true]) {
      const latencies: number[] = []
      const delay = monitorEventLoopDelay({ resolution: 1 })
      const cpu = process.cpuUsage()
      const start = performance.now()
      delay.enable()
      let sent = 0
      while (performance.now() - start < seconds * 1_000) {
        const due = ((performance.now() - start) / 1_000) * 10_000
        for (; isAsking && sent < due; sent++) {
          const at = performance.now()
          void run().then(() => latencies.push(performance.now() - at))
        }
        await pause(1)
      }
      delay.disable()
      const { user, system } = process.cpuUsage(cpu)
      await pause(100)
      latencies.sort((a, b) => a - b)
      const share = (of: number) => (latencies[Math.floor(latencies.length * of)] ?? 0).toFixed(2)
      const loop = (of: number) => (delay.percentile(of) / 1e6).toFixed(1)
      process.stdout.write(
        `${isAsking ? `${latencies.length} operations in ${seconds} s` : 'nothing asked'}: CPU ` +
          `${((user + system) / 10_000 / seconds).toFixed(1)} % of a processor; ` +
          `answers after ms p50 ${share(0.5)}, p99 ${share(0.99)}, p99.9 ${share(0.999)}, all ${share(0.99999)}; ` +
          `turns of the loop ms p50 ${loop(50)}, p99 ${loop(99)}, p99.9 ${loop(99.9)}, max ${loop(100)}\n`,
      )
    }
    expect(redis.state).toBe('up')
  },
  60_000,
)

function answered(): Promise<void> {
  return new Promise((resolve) => {
    socket.once('data', () => resolve())
    socket.write('PING\r\n')
  })
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const address = probe.address()
      probe.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0))
    })
  })
}
