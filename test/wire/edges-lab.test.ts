import { execFile } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { compiled, program } from '../../bench/generator.ts'
import { pause } from './caller.ts'
import { type Host, Lab, type Process, requireProgram, type UdpPeer } from './lab.ts'
import { respond } from './oracle.ts'
import { type Router, startRouter } from './router.ts'

/**
 * Three edges, a Redis, a carrier's NAT with a device behind it, and someone who writes to it: each a host of its own,
 * joined by one router in the middle. What a user of decision 25 is promised, tried by killing and cutting. Each
 * ladder starts from where the one before it has left everything: well.
 *
 *     device -- nat --+
 *     sender ---------+-- middle --+-- edge a, edge b, edge c
 *                                  +-- redis
 */
const names = ['a', 'b', 'c'] as const
type Name = (typeof names)[number]
const addresses = {
  a: '10.1.1.2',
  b: '10.1.2.2',
  c: '10.1.3.2',
  redis: '10.1.9.2',
  sender: '10.1.8.2',
} as const
const deviceAddress = '10.92.240.131'
const carrierAddress = '60.250.149.198'
/** Three heartbeats, and one to spare. */
const untilDeadMs = 4_500
/** VIADUCT_EDGE_BINDINGS=100000 is the whole ladder: test/README.md. */
const bindings = Number(process.env['VIADUCT_EDGE_BINDINGS'] ?? 20_000)

describe('three edges and a Redis, in networks of their own', { timeout: 300_000 }, () => {
  const lab = new Lab()
  const hosts = {} as Record<Name | 'redis' | 'sender', Host>
  /** The ends of the cables at the middle. */
  const cables = {} as Record<Name | 'redis' | 'sender', string>
  const edges = {} as Record<Name, Router>
  let middle: Host
  let redis: Process
  let device: UdpPeer
  let sender: UdpPeer
  let calls = 0
  /** Where the device had each MESSAGE from, and what it was answered, by Call-ID. */
  const hadFrom = new Map<string, string>()
  const answers = new Map<string, (text: string) => void>()

  beforeAll(async () => {
    for (const [name, of] of [
      ['nft', 'nftables'],
      ['ip', 'iproute2'],
      ['redis-server', 'redis-server'],
      ['gcc', 'gcc libc6-dev'],
    ] as const)
      requireProgram(name, of)
    compiled()
    middle = lab.host('mid')
    middle.setting('net.ipv4.ip_forward', 1)
    for (const name of [...names, 'redis', 'sender'] as const) joins(name)
    const [inside, nat] = [lab.host('dev'), lab.host('nat')]
    lab.cable(inside, `${deviceAddress}/24`, nat, '10.92.240.1/24')
    const outside = lab.cable(nat, `${carrierAddress}/24`, middle, '60.250.149.1/24').a
    inside.route('default', '10.92.240.1')
    nat.route('default', '60.250.149.1')
    nat.becomeNat(outside, 120)
    redis = await startsRedis()
    for (const name of names) edges[name] = await startsEdge(name)
    device = await inside.peer(deviceAddress, 5060)
    sender = await hosts.sender.peer(addresses.sender, 5060)
    void answersAll()
    await pause(2_500)
  }, 60_000)
  afterAll(() => lab.close())

  function joins(name: Name | 'redis' | 'sender'): void {
    const host = lab.host(name)
    const network = addresses[name].replace(/\.\d+$/, '')
    cables[name] = lab.cable(host, `${addresses[name]}/24`, middle, `${network}.1/24`).b
    host.route('default', `${network}.1`)
    hosts[name] = host
  }

  async function startsRedis(): Promise<Process> {
    const settings = ['--bind', addresses.redis, '--protected-mode', 'no', '--save', '', '--appendonly', 'no']
    const started = lab.start(hosts.redis, 'redis-server', ['--dir', lab.directory, ...settings])
    await started.prints(/Ready to accept connections/)
    return started
  }

  async function startsEdge(name: Name): Promise<Router> {
    const data = join(lab.directory, name)
    mkdirSync(data, { recursive: true })
    const defines = { NAME: name, STORE: `redis://${addresses.redis}:6379/0` }
    const at = { host: hosts[name], address: addresses[name], port: 5060 }
    // sipgen speaks on loopback alone.
    const args = ['-l', 'udp:127.0.0.1:5060']
    return await startRouter(lab, 'test/wire/scripts/edges.cfg', { ...at, data, defines, args })
  }

  /** The device takes every MESSAGE. */
  async function answersAll(): Promise<void> {
    for (;;) {
      const datagram = await device.receives(/^/, 100).catch(() => null)
      if (datagram === null) return
      const { text, address, port } = datagram
      const callId = /^Call-ID: (.+?)\r$/m.exec(text)?.[1] ?? ''
      if (text.startsWith('SIP/2.0')) answers.get(callId)?.(text)
      else {
        hadFrom.set(callId, address)
        device.send(respond(text, '200 OK'), address, port)
      }
    }
  }

  /** Bound for an hour at a Contact that nobody can reach; the status of the answer, 0 if there is none. */
  async function registers(edge: Name, user = 'device'): Promise<number> {
    const callId = `r${calls++}@device`
    const answered = new Promise<string>((done) => {
      answers.set(callId, done)
      setTimeout(() => done(''), 5_000)
    })
    device.send(
      `REGISTER sip:example.com SIP/2.0
Via: SIP/2.0/UDP ${deviceAddress}:5060;branch=z9hG4bK-${callId};rport
From: <sip:${user}@example.com>;tag=${calls}
To: <sip:${user}@example.com>
Call-ID: ${callId}
CSeq: 1 REGISTER
Contact: <sip:${user}@${deviceAddress}:5060>
Expires: 3600
Content-Length: 0

`,
      addresses[edge],
      5060,
    )
    return statusOf(await answered)
  }

  /** A MESSAGE to one edge. What the device got of it, if anything, which it answers; and what the sender got. */
  async function writes(
    edge: Name,
    seconds = 3,
  ): Promise<{ status: number; via: string | null; ms: number }> {
    const callId = `m${calls++}@sender`
    const startedAt = performance.now()
    sender.send(
      `MESSAGE sip:device@example.com SIP/2.0
Via: SIP/2.0/UDP ${addresses.sender}:5060;branch=z9hG4bK-${callId};rport
Max-Forwards: 70
From: <sip:sender@example.com>;tag=${calls}
To: <sip:device@example.com>
Call-ID: ${callId}
CSeq: 1 MESSAGE
Content-Type: text/plain
Content-Length: 5

hello`,
      addresses[edge],
      5060,
    )
    const { text } = await sender.receives(new RegExp(`^SIP/2.0 [2-6].*^Call-ID: ${callId}`, 'ms'), seconds)
    const ms = performance.now() - startedAt
    const from = hadFrom.get(callId)
    return { status: statusOf(text), via: names.find((name) => addresses[name] === from) ?? null, ms }
  }

  const statusOf = (text: string) => Number(/^SIP\/2.0 (\d+)/.exec(text)?.[1] ?? 0)

  /** All at once, from the owner. */
  async function allReach(owner: Name): Promise<void> {
    for (const edge of names) expect(await writes(edge), edge).toMatchObject({ status: 200, via: owner })
  }

  test('registered at one, written to through any: it leaves through the pinhole of the one', async () => {
    expect(await registers('a')).toBe(200)
    await allReach('a')
  })

  test('registered again at another: that one is the owner from then on', async () => {
    expect(await registers('b')).toBe(200)
    await allReach('b')
  })

  test('the owner is killed: an answer at once, never silence; registered anywhere, reached again', async () => {
    await edges.b.kill()
    const first = await writes('a')
    expect(first.status).toBeGreaterThanOrEqual(480)
    expect(first.ms).toBeLessThan(500)
    expect(await writes('a')).toMatchObject({ status: 480 })
    const killedAt = performance.now()
    await pause(untilDeadMs)
    expect(await writes('c')).toMatchObject({ status: 480 })
    expect(await registers('c')).toBe(200)
    expect(await writes('a')).toMatchObject({ status: 200, via: 'c' })
    expect(await writes('c')).toMatchObject({ status: 200, via: 'c' })
    process.stdout.write(`owner killed: an answer after ${first.ms.toFixed(0)} ms\n`)
    expect(performance.now() - killedAt).toBeLessThan(20_000)
    edges.b = await startsEdge('b')
    await pause(2_500)
    await allReach('c')
  })

  test('the owner is cut off: cold for the others after three beats; healed, it is reached without a word of the device', async () => {
    middle.execute('ip', ['link', 'set', cables.c, 'down'])
    await pause(untilDeadMs)
    for (const edge of ['a', 'b'] as const) {
      const { status, ms } = await writes(edge)
      expect(status).toBe(480)
      expect(ms).toBeLessThan(1_000)
    }
    middle.execute('ip', ['link', 'set', cables.c, 'up'])
    await pause(4_000)
    await allReach('c')
  })

  test('an edge is cut off from Redis alone: it serves what it owns, binds anew, and tells later', async () => {
    hosts.c.execute('nft', ['add', 'table', 'inet', 'cut'])
    hosts.c.execute('nft', ['add', 'chain', 'inet', 'cut', 'out', '{ type filter hook output priority 0 ; }'])
    hosts.c.execute('nft', ['add', 'rule', 'inet', 'cut', 'out', 'ip', 'daddr', addresses.redis, 'drop'])
    expect(await writes('c')).toMatchObject({ status: 200, via: 'c' })
    expect(await registers('c', 'late')).toBe(200)
    expect(await registers('c')).toBe(200)
    expect(await writes('c')).toMatchObject({ status: 200, via: 'c' })
    hosts.c.execute('nft', ['delete', 'table', 'inet', 'cut'])
    await pause(6_000)
    await allReach('c')
  })

  test('Redis is killed: owned bindings go on, others are cold; back without its data, all are reached again', async () => {
    redis.signal('SIGKILL')
    await redis.exited
    await pause(1_000)
    expect(await writes('c')).toMatchObject({ status: 200, via: 'c' })
    expect((await writes('b')).ms).toBeLessThan(1_000)
    redis = await startsRedis()
    await pause(5_000)
    await allReach('c')
  })

  test('an edge with many bindings; Redis comes back without them, and has them all again', async () => {
    const play = [
      '-m',
      'reg',
      '-q',
      '1',
      '-n',
      String(bindings),
      '-k',
      String(bindings),
      '-w',
      '64',
      '-T',
      '250',
    ]
    const sipgen = [
      'netns',
      'exec',
      hosts.a.namespace,
      program,
      '-s',
      '127.0.0.1:5060',
      '-u',
      '6100',
      ...play,
    ]
    const { stdout } = await promisify(execFile)('ip', sipgen)
    expect(JSON.parse(stdout)).toMatchObject({ ok: bindings, failed: 0 })
    await untilKeys(bindings)
    redis.signal('SIGKILL')
    await redis.exited
    redis = await startsRedis()
    const startedAt = performance.now()
    await untilKeys(bindings)
    process.stdout.write(
      `told again: ${bindings} in ${((performance.now() - startedAt) / 1000).toFixed(1)} s\n`,
    )
    await allReach('c')
  })

  async function untilKeys(count: number): Promise<void> {
    const size = () => {
      try {
        return Number(hosts.redis.execute('redis-cli', ['-h', addresses.redis, 'DBSIZE']))
      } catch {
        return 0
      }
    }
    for (let n = 0; n < 1_000 && size() < count; n++) await pause(100)
    expect(size()).toBeGreaterThanOrEqual(count)
  }
})
