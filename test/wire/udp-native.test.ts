import { execFile, execFileSync } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Worker } from 'node:worker_threads'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { silentLog } from '../../src/runtime/log.ts'
import { HeaderId } from '../../src/sip/header-id.ts'
import type { SipMessage } from '../../src/sip/message.ts'
import { scannedMessage } from '../../src/sip/scan.ts'
import { loadNativeAddon } from '../../src/transport/native-addon.ts'
import { createSystemNetwork } from '../../src/transport/system-network.ts'
import type { DatagramBatch, Transport } from '../../src/transport/transport.ts'

/** What only the native UDP engine does. The contract that it shares with node:dgram is in udp.test.ts. */
const at = (name: string) => fileURLToPath(new URL(name, import.meta.url))
const opened: { close(): unknown }[] = []

afterEach(async () => {
  for (const one of opened.splice(0)) await one.close()
})

async function open(onDatagrams: (batch: DatagramBatch) => void, address = '127.0.0.1', moderation = 0) {
  const errors: string[] = []
  const network = createSystemNetwork({
    log: silentLog,
    environment: { VIADUCT_UDP: 'native' },
    moderationMicroseconds: moderation,
  })
  const transport: Transport = await network.open(
    [{ transport: 'udp', address, port: 0 }],
    { onDatagrams, onSendError: (flow, code) => errors.push(`${code} ${flow.address}:${flow.port}`) },
    { receiveBufferBytes: 4_194_304 },
  )
  opened.push(transport)
  const [socket] = transport.sockets
  if (socket === undefined) throw new Error('no socket')
  return { transport, socket, errors }
}

async function peer(address = '127.0.0.1') {
  const dgram = createSocket(address.includes(':') ? 'udp6' : 'udp4')
  opened.push({ close: () => new Promise<void>((resolve) => dgram.close(() => resolve())) })
  dgram.bind(0, address)
  await once(dgram, 'listening')
  const received: string[] = []
  dgram.on('message', (octets) => received.push(octets.toString()))
  return { dgram, received, port: dgram.address().port }
}

async function closedPort(address: string): Promise<number> {
  const { dgram, port } = await peer(address)
  opened.pop()
  await new Promise<void>((resolve) => dgram.close(() => resolve()))
  return port
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await pause(2)
}

const child = async (args: string[], environment: Record<string, string> = {}) => {
  const { stdout } = await promisify(execFile)(process.execPath, [at('./udp-child.ts'), ...args], {
    env: { ...process.env, ...environment },
  })
  return JSON.parse(stdout)
}

/** Lines of other lengths for another Call-ID. */
function usualMessage(callId: string): string {
  return [
    `OPTIONS sip:${callId}@example.com SIP/2.0`,
    `Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK-${callId}`,
    `From: <sip:${callId}@example.com>;tag=tag-${callId}`,
    'To: <sip:b@example.com>',
    `Call-ID: ${callId}`,
    'CSeq: 1 OPTIONS',
    `User-Agent: Telephone ${callId}`,
    '\r\n',
  ].join('\r\n')
}

describe.skipIf(typeof loadNativeAddon() === 'string')('the native UDP engine', () => {
  describe('ICMP errors: RFC 3261 §18.4', () => {
    test.each(['127.0.0.1', '::1'])('a port of %s where nobody listens', async (address) => {
      const { transport, socket, errors } = await open(() => {}, address)
      const port = await closedPort(address)
      transport.send(socket, 'x', address, port)
      await until(() => errors.length > 0)
      expect(errors).toEqual([`ECONNREFUSED ${address}:${port}`])
    })

    test('do not touch what is sent to others in the same batch', async () => {
      const { transport, socket, errors } = await open(() => {})
      const { received, port } = await peer()
      const closed = await closedPort('127.0.0.1')
      for (let i = 0; i < 150; i++) {
        transport.send(socket, `${i}`, '127.0.0.1', i % 2 === 0 ? port : closed)
        if (i % 50 === 49) await pause(5)
      }
      await until(() => received.length === 75 && errors.length > 0)
      await pause(20)
      expect(received.map(Number)).toEqual(Array.from({ length: 75 }, (_, i) => i * 2))
      expect(new Set(errors)).toEqual(new Set([`ECONNREFUSED 127.0.0.1:${closed}`]))
    })

    test('are heard while datagrams are collected, too', async () => {
      let heard = 0
      const { transport, socket, errors } = await open(
        (batch) => {
          heard += batch.count
        },
        '127.0.0.1',
        1_000,
      )
      const { dgram } = await peer()
      const port = await closedPort('127.0.0.1')
      for (let turn = 0; turn < 60; turn++) {
        for (let i = 0; i < 8; i++) dgram.send('x', socket.port, '127.0.0.1')
        if (turn === 50) transport.send(socket, 'x', '127.0.0.1', port)
        await pause(1)
      }
      await until(() => heard === 480 && errors.length > 0)
      expect(errors).toEqual([`ECONNREFUSED 127.0.0.1:${port}`])
    })
  })

  describe('batches', () => {
    test('more answers than the slab holds, sent from within a batch, leave in order', async () => {
      const { transport, socket } = await open((batch) => {
        const { address, port } = batch.flow(0)
        for (let i = 0; i < 500; i++) transport.send(socket, `${i} ${'x'.repeat(i)}`, address, port)
      })
      const { dgram, received } = await peer()
      dgram.setRecvBufferSize(4_194_304)
      dgram.send('go', socket.port, '127.0.0.1')
      await until(() => received.length === 500)
      expect(received.map((text) => Number.parseInt(text, 10))).toEqual(
        Array.from({ length: 500 }, (_, i) => i),
      )
    })

    test('a peer that speaks again has the same flow, another one has another', async () => {
      const flows: unknown[] = []
      const { socket } = await open((batch) => {
        for (let i = 0; i < batch.count; i++) flows.push(batch.flow(i))
      })
      const [first, second] = [await peer(), await peer()]
      for (const { dgram } of [first, second, first]) {
        const count = flows.length
        dgram.send('x', socket.port, '127.0.0.1')
        await until(() => flows.length > count)
      }
      expect(flows[2]).toBe(flows[0])
      expect(flows[1]).not.toEqual(flows[0])
    })

    test('a message of an earlier batch says what it said, whatever its record holds now', async () => {
      const said: string[][] = []
      let earlier: SipMessage | null = null
      const { socket } = await open((batch) => {
        for (let i = 0; i < batch.count; i++) {
          if (earlier !== null)
            said.push([earlier.callId, earlier.fromTag, earlier.value(HeaderId.userAgent)])
          const record = batch.record?.(i)
          if (!record) throw new Error('not usual')
          earlier = scannedMessage(batch.text(i), record)
        }
      })
      const { dgram } = await peer()
      for (const [index, callId] of ['a', 'b-is-longer', 'c'].entries()) {
        dgram.send(usualMessage(callId), socket.port, '127.0.0.1')
        await until(() => earlier?.text.includes(callId) === true && said.length === index)
      }
      expect(said).toEqual([
        ['a', 'tag-a', 'Telephone a'],
        ['b-is-longer', 'tag-b-is-longer', 'Telephone b-is-longer'],
      ])
    })

    test.each(['CRLF CRLF', 'not usual'])(
      'a datagram that is %s has no record, after one that had',
      async (what) => {
        const records: unknown[] = []
        const { socket } = await open((batch) => {
          for (let i = 0; i < batch.count; i++) records.push(batch.record?.(i) ?? null)
        })
        const { dgram } = await peer()
        const text =
          what === 'not usual' ? usualMessage('a').replace('SIP/2.0/UDP', 'SIP/2.0/TCP') : '\r\n\r\n'
        for (const [index, one] of [usualMessage('a'), text].entries()) {
          dgram.send(one, socket.port, '127.0.0.1')
          await until(() => records.length === index + 1)
        }
        expect(records).toEqual([expect.any(Int32Array), null])
      },
    )

    test('a handler that throws: an uncaughtException each, what it sent leaves, the next batch comes', async () => {
      expect(await child(['throwing'])).toEqual({
        received: ['0', '1', '2', '3'],
        thrown: ['batch 1', 'batch 3'],
      })
    })

    test('a handler that closes: nothing more comes, what it sent has left, the port is free', async () => {
      expect(await child(['closing'])).toEqual({ received: ['bye'], batches: 1, errors: ['EBADF'] })
    })
  })

  describe('a kernel that takes no more', () => {
    const directory = mkdtempSync(join(tmpdir(), 'viaduct-udp-'))
    const faults = join(directory, 'faults.so')
    const numbers = (count: number) => Array.from({ length: count }, (_, i) => i)
    const send = (plan: string, count: number, size: number, perTurn: number) =>
      child(['send', String(count), String(size), String(perTurn)], { LD_PRELOAD: faults, UDP_FAULTS: plan })

    beforeAll(() => {
      execFileSync('cc', ['-shared', '-fPIC', '-o', faults, at('./udp-faults.c'), '-ldl'])
    })
    afterAll(() => rmSync(directory, { recursive: true }))

    test.each([
      ['takes one at a time', '1'],
      ['takes some, then nothing for a while', '11aaaa1a1a1aaaa.'],
      ['takes nothing at first', 'aaaaaaaaaaaaaaaaaaaaaaaa.'],
    ])('%s: all leave, in order', async (_, plan) => {
      expect(await send(plan, 300, 400, 40)).toEqual({ received: numbers(300), errors: {} })
    })

    test('takes nothing ever: a mebibyte is kept, the newest are dropped and told, and close ends', async () => {
      const { received, errors } = await send('a', 60, 60_000, 1)
      expect(received).toEqual([])
      expect(errors).toEqual({ 'ENOBUFS peer': 43 })
    })

    // Each is tried again before it is given up: the error may have been about an earlier datagram.
    test.each([
      ['ENOBUFS', 'bb.'],
      ['EPERM', 'pp.'],
    ])('%s costs one datagram', async (code, plan) => {
      expect(await send(plan, 100, 100, 5)).toEqual({
        received: numbers(100).slice(1),
        errors: { [`${code} peer`]: 1 },
      })
    })

    test('one error that was about an earlier datagram costs none', async () => {
      expect(await send('.p.', 100, 100, 10)).toEqual({ received: numbers(100), errors: {} })
    })
  })

  describe('bursts: datagrams of one length to one destination', () => {
    const directory = mkdtempSync(join(tmpdir(), 'viaduct-udp-'))
    const faults = join(directory, 'faults.so')
    const counted = join(directory, 'messages')
    const numbers = (count: number) => Array.from({ length: count }, (_, i) => i)

    beforeAll(() => {
      execFileSync('cc', ['-shared', '-fPIC', '-o', faults, at('./udp-faults.c'), '-ldl'])
    })
    afterAll(() => rmSync(directory, { recursive: true }))

    /** In a network of its own, where nobody captures unless `captures` says so. */
    async function send(plan: string, perTurn: number, captures = 'pass') {
      const command = `
import os, socket, subprocess, sys
subprocess.run(['ip', 'link', 'set', 'lo', 'up'], check=True)
${captures}
sys.exit(subprocess.run(sys.argv[1:], env={**os.environ, 'LD_PRELOAD': '${faults}'}).returncode)`
      const { stdout } = await promisify(execFile)(
        'unshare',
        [
          '-n',
          'python3',
          '-c',
          command,
          process.execPath,
          at('./udp-child.ts'),
          'send',
          '160',
          '400',
          `${perTurn}`,
        ],
        { env: { ...process.env, UDP_FAULTS: plan, UDP_MESSAGES: counted } },
      )
      expect(JSON.parse(stdout)).toEqual({ received: numbers(160), errors: {} })
      return Number(readFileSync(counted, 'utf8'))
    }

    test.each([
      [4, 160],
      [40, 4],
    ])('%d that leave at once, of 160: %d messages for the kernel', async (perTurn, messages) => {
      expect(await send('.', perTurn)).toBe(messages)
    })

    test('while somebody captures, as tcpdump and sngrep do, each leaves alone', async () => {
      const captures = 'kept = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))'
      expect(await send('.', 40, captures)).toBe(160)
    })

    test('a DHCP client, which hears IP only, captures nothing', async () => {
      const captures = 'kept = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x800))'
      expect(await send('.', 40, captures)).toBe(4)
    })

    test.each([
      ['refuses them', 's'],
      ['refuses them, then takes nothing for a while', 'ssaaaaaaaaa.'],
      ['takes them one after the other', '1a1a1aaaa1a.'],
      ['fails at one for another reason', 'bbb.'],
    ])('a kernel that %s: all leave, in order', async (_, plan) => {
      await send(plan, 40)
    })

    test('to several destinations, of many lengths: each gets its own, whole and in order', async () => {
      const { transport, socket } = await open((batch) => {
        const { address } = batch.flow(0)
        for (const { to, text } of sent) transport.send(socket, text, address, peers[to]?.port ?? 0)
      })
      const peers = await Promise.all([peer(), peer(), peer()])
      // Alike for a while, then shorter, longer, empty, and too long for any burst.
      const lengths = [300, 300, 300, 299, 300, 300, 0, 0, 1_232, 1_232, 1_233, 1_233, 5_000, 5_000, 300]
      const sent = Array.from({ length: 120 }, (_, i) => ({
        to: ((i * 7) % 5) % 3,
        text: `${i} `
          .padEnd(lengths[i % lengths.length] ?? 0, 'abcdefg')
          .slice(0, lengths[i % lengths.length]),
      }))
      for (const { dgram } of peers) dgram.setRecvBufferSize(4_194_304)
      peers[0]?.dgram.send('go', socket.port, '127.0.0.1')
      await until(() => peers.reduce((sum, { received }) => sum + received.length, 0) === sent.length)
      for (const [index, { received }] of peers.entries())
        expect(received).toEqual(sent.filter(({ to }) => to === index).map(({ text }) => text))
    })
  })

  describe('moderation', () => {
    test.each([0, 100, 1_000, 10_000])('of %d us: nothing is lost, the order stays', async (moderation) => {
      const heard: number[] = []
      const { socket } = await open(
        (batch) => {
          for (let i = 0; i < batch.count; i++) heard.push(Number(batch.text(i)))
        },
        '127.0.0.1',
        moderation,
      )
      const { dgram } = await peer()
      let sent = 0
      for (let turn = 0; turn < 200; turn++) {
        for (let i = 0; i < turn % 40; i++) dgram.send(`${sent++}`, socket.port, '127.0.0.1')
        if (turn % 3 === 0) await pause(1)
      }
      await until(() => heard.length === sent)
      expect(heard).toEqual(Array.from({ length: sent }, (_, i) => i))
    })

    test('ends with the load: an idle engine does not turn the loop', async () => {
      let heard = 0
      const { socket } = await open(
        (batch) => {
          heard += batch.count
        },
        '127.0.0.1',
        1_000,
      )
      const { dgram } = await peer()
      for (let turn = 0; turn < 50; turn++) {
        for (let i = 0; i < 20; i++) dgram.send('x', socket.port, '127.0.0.1')
        await pause(1)
      }
      await until(() => heard === 1_000)
      await pause(100)
      const before = performance.nodeTiming.uvMetricsInfo.loopCount
      await pause(300)
      // 300 ticks if they went on.
      expect(performance.nodeTiming.uvMetricsInfo.loopCount - before).toBeLessThan(100)
    })
  })

  test('worker threads load it each for itself; one that is ended while it listens frees its port', async () => {
    const { dgram, received } = await peer()
    const workers = ['a', 'b', 'c'].map((name) => new Worker(at('./udp-child.ts'), { workerData: name }))
    const ports = await Promise.all(
      workers.map(async (worker) => (await once(worker, 'message'))[0] as number),
    )
    for (const port of ports) dgram.send('hello', port, '127.0.0.1')
    await until(() => received.length === 3)
    expect(received.toSorted()).toEqual(['a: hello', 'b: hello', 'c: hello'])
    const [closed, ended] = workers
    closed?.postMessage('close')
    if (closed) await once(closed, 'exit')
    await ended?.terminate()
    for (const port of ports.slice(0, 2)) {
      const again = createSocket('udp4')
      again.bind(port, '127.0.0.1')
      await once(again, 'listening')
      again.close()
    }
    dgram.send('still there', ports[2] ?? 0, '127.0.0.1')
    await until(() => received.length === 4)
    expect(received[3]).toBe('c: still there')
    await workers[2]?.terminate()
  })
})
