import { createSocket, type Socket } from 'node:dgram'
import { afterEach, describe, expect, test } from 'vitest'
import { silentLog } from '../../src/runtime/log.ts'
import { loadNativeAddon } from '../../src/transport/native-addon.ts'
import type { Flow, ListenRequest } from '../../src/transport/socket.ts'
import { createSystemNetwork } from '../../src/transport/system-network.ts'
import type { DatagramBatch, NetworkOptions, Transport } from '../../src/transport/transport.ts'

/**
 * The UDP engines on loopback: every engine behind Transport must pass this. The native one where it is built; what
 * only it does is in udp-native.test.ts.
 */
const engines = typeof loadNativeAddon() === 'string' ? ['dgram'] : ['dgram', 'native']

const opened: { close(): unknown }[] = []

afterEach(async () => {
  for (const one of opened.splice(0)) await one.close()
})

interface Heard {
  readonly text: string
  readonly flow: Flow
}

async function open(
  requests: Partial<ListenRequest>[],
  engine: string | undefined,
  options: Partial<NetworkOptions> = {},
  onDatagram: (batch: DatagramBatch, index: number) => void = () => {},
) {
  const heard: Heard[] = []
  const errors: string[] = []
  const waiting: (() => void)[] = []
  const network = createSystemNetwork({ log: silentLog, environment: { VIADUCT_UDP: engine } })
  const transport: Transport = await network.open(
    requests.map((request) => ({ transport: 'udp', address: '127.0.0.1', port: 0, ...request })),
    {
      onDatagrams(batch) {
        for (let i = 0; i < batch.count; i++) {
          heard.push({ text: batch.text(i), flow: batch.flow(i) })
          onDatagram(batch, i)
        }
        for (const wake of waiting.splice(0)) wake()
      },
      onSendError(flow, code) {
        errors.push(`${code} ${flow.socket.index} ${flow.address}:${flow.port}`)
        for (const wake of waiting.splice(0)) wake()
      },
    },
    { receiveBufferBytes: 262_144, ...options },
  )
  opened.push(transport)
  const until = async (isSo: () => boolean) => {
    while (!isSo()) await new Promise<void>((resolve) => waiting.push(resolve))
  }
  const socket = (index: number) => {
    const found = transport.sockets[index]
    if (!found) throw new Error(`no socket ${index}`)
    return found
  }
  return { network, transport, heard, errors, until, socket }
}

async function peer(type: 'udp4' | 'udp6' = 'udp4') {
  const dgram: Socket = createSocket(type)
  opened.push({ close: () => new Promise<void>((resolve) => dgram.close(() => resolve())) })
  await new Promise<void>((resolve) => dgram.bind(0, type === 'udp4' ? '127.0.0.1' : '::1', resolve))
  const next = () => new Promise<Buffer>((resolve) => dgram.once('message', resolve))
  return { dgram, port: dgram.address().port, next }
}

const everyOctet = String.fromCharCode(...Array.from({ length: 256 }, (_, i) => i))

describe.each(engines)('UDP by %s', (engine) => {
  test('every octet arrives as it was sent, both ways', async () => {
    const { transport, heard, until, socket } = await open([{}], engine)
    const { dgram, port, next } = await peer()
    dgram.send(Buffer.from(everyOctet, 'latin1'), socket(0).port, '127.0.0.1')
    await until(() => heard.length === 1)
    expect(heard[0]).toEqual({ text: everyOctet, flow: { socket: socket(0), address: '127.0.0.1', port } })
    const arrival = next()
    transport.send(socket(0), everyOctet, '127.0.0.1', port)
    expect((await arrival).toString('latin1')).toBe(everyOctet)
  })

  test('says on which socket a datagram arrived, and sends from the one it is told to', async () => {
    const { transport, heard, until, socket } = await open([{ name: 'a' }, { name: 'b' }], engine)
    const { dgram, port } = await peer()
    dgram.send('to b', socket(1).port, '127.0.0.1')
    await until(() => heard.length === 1)
    expect(heard[0]?.flow.socket).toBe(socket(1))
    const from = new Promise<number>((resolve) => dgram.once('message', (_, remote) => resolve(remote.port)))
    transport.send(socket(0), 'from a', '127.0.0.1', port)
    expect(await from).toBe(socket(0).port)
    expect(socket(0).port).not.toBe(socket(1).port)
  })

  test('two hundred datagrams in one turn leave in order, whatever buffer they share', async () => {
    const { transport, socket } = await open([{}], engine)
    const { dgram, port } = await peer()
    dgram.setRecvBufferSize(1_048_576)
    const received: string[] = []
    const all = new Promise<void>((resolve) => {
      dgram.on('message', (octets) => {
        if (received.push(octets.toString()) === 200) resolve()
      })
    })
    const sent = Array.from({ length: 200 }, (_, i) => `${i} ${'x'.repeat(i)}`)
    for (const text of sent) transport.send(socket(0), text, '127.0.0.1', port)
    await all
    expect(received).toEqual(sent)
  })

  test('the longest datagram passes; a longer one is an error with its destination', async () => {
    const { transport, socket, errors, until } = await open([{}], engine)
    const { port, next } = await peer()
    const arrival = next()
    transport.send(socket(0), 'x'.repeat(65_507), '127.0.0.1', port)
    expect((await arrival).length).toBe(65_507)
    transport.send(socket(0), 'x'.repeat(65_508), '127.0.0.1', port)
    transport.send(socket(0), 'x'.repeat(70_000), '127.0.0.1', port)
    await until(() => errors.length === 2)
    expect(errors.sort()).toEqual([`EMSGSIZE 0 127.0.0.1:${port}`, `EMSGSIZE 0 127.0.0.1:${port}`])
  })

  test.each([
    ['an address of the other family', '2001:db8::1', 5060],
    ['port 0', '127.0.0.1', 0],
  ])('%s is an error that is reported, never thrown', async (_, address, port) => {
    const { transport, socket, errors, until } = await open([{}], engine)
    transport.send(socket(0), 'x', address, port)
    await until(() => errors.length === 1)
    expect(errors[0]).toMatch(/^E[A-Z_]+ 0 /)
  })

  test('IPv6: no brackets in the flow, none needed to answer', async () => {
    const { transport, heard, until, socket } = await open([{ address: '::1' }], engine)
    const { dgram, port, next } = await peer('udp6')
    dgram.send('six', socket(0).port, '::1')
    await until(() => heard.length === 1)
    expect(heard[0]?.flow.address).toBe('::1')
    const arrival = next()
    transport.send(socket(0), 'back', '::1', port)
    expect((await arrival).toString()).toBe('back')
  })

  test('a socket of each kind: who arrived where is told apart, whatever came together', async () => {
    const { transport, heard, until, socket } = await open([{}, {}, { address: '::1' }, {}], engine)
    const peers = await Promise.all([peer(), peer(), peer('udp6'), peer()])
    const addresses = ['127.0.0.1', '127.0.0.1', '::1', '127.0.0.1']
    for (let round = 0; round < 20; round++) {
      peers.forEach(({ dgram }, i) => {
        dgram.send(`${i} ${round}`, socket(i).port, addresses[i])
      })
    }
    await until(() => heard.length === 80)
    for (const [i, { port }] of peers.entries()) {
      const own = heard.filter(({ flow }) => flow.socket.index === i)
      expect(own.map(({ text }) => text)).toEqual(Array.from({ length: 20 }, (_, round) => `${i} ${round}`))
      expect(new Set(own.map(({ flow }) => `${flow.address} ${flow.port}`))).toEqual(
        new Set([`${addresses[i]} ${port}`]),
      )
    }
    const answers = peers.map(({ next }) => next())
    for (const [i, { port }] of peers.entries()) {
      transport.send(socket(i), `to ${i}`, addresses[i] ?? '', port)
    }
    expect((await Promise.all(answers)).map(String)).toEqual(['to 0', 'to 1', 'to 2', 'to 3'])
  })

  test('an empty datagram is one, both ways', async () => {
    const { transport, heard, until, socket } = await open([{}], engine)
    const { dgram, port, next } = await peer()
    dgram.send('', socket(0).port, '127.0.0.1')
    await until(() => heard.length === 1)
    expect(heard[0]).toEqual({ text: '', flow: { socket: socket(0), address: '127.0.0.1', port } })
    const arrival = next()
    transport.send(socket(0), '', '127.0.0.1', port)
    expect((await arrival).length).toBe(0)
  })

  test('datagrams of any size come back as they were, answered from within the batch', async () => {
    const echo = await open([{}], engine, { receiveBufferBytes: 4_194_304 }, (batch, i) => {
      const { socket: own, address, port } = batch.flow(i)
      echo.transport.send(own, batch.text(i), address, port)
    })
    const { dgram } = await peer()
    const sizes = [0, 1, 2, 1_471, 1_472, 1_473, 9_000, 32_768, 65_506, 65_507]
    for (let i = 0; i < 60; i++) sizes.push(Math.floor((i * 7_919.77) % 65_508))
    for (const size of sizes) {
      const octets = Buffer.from(Array.from({ length: size }, (_, i) => (i * 31 + size) & 255))
      const arrival = new Promise<Buffer>((resolve) => dgram.once('message', resolve))
      dgram.send(octets, echo.socket(0).port, '127.0.0.1')
      expect(octets.equals(await arrival)).toBe(true)
    }
  })

  test('what is sent from a timer, a promise, an immediate and a tick leaves at once', async () => {
    const { transport, socket } = await open([{}], engine)
    const { dgram, port } = await peer()
    const received: string[] = []
    const all = new Promise<void>((resolve) => {
      dgram.on('message', (octets) => {
        if (received.push(octets.toString()) === 4) resolve()
      })
    })
    const send = (text: string) => transport.send(socket(0), text, '127.0.0.1', port)
    setTimeout(() => send('timer'), 5)
    setImmediate(() => send('immediate'))
    process.nextTick(() => send('tick'))
    void Promise.resolve().then(() => send('promise'))
    await all
    expect(received.toSorted()).toEqual(['immediate', 'promise', 'tick', 'timer'])
  })

  test.each([
    ['a name', 'localhost'],
    ['a number too many', '127.0.0.1.1'],
    ['a number too large', '127.0.0.256'],
    ['a leading zero', '127.0.0.01'],
    ['an empty number', '127..0.1'],
    ['too few numbers', '127.1'],
    ['more than any address', '1'.repeat(300)],
  ])('%s is no address: an error, never a look-up', async (_, address) => {
    const { transport, socket, errors, until } = await open([{}, { address: '::1' }], engine)
    transport.send(socket(0), 'x', address, 5_060)
    transport.send(socket(1), 'x', address, 5_060)
    await until(() => errors.length === 2)
    expect(errors.map((error) => error.replace(/^E[A-Z_]+ /, '').slice(0, 2)).sort()).toEqual(['0 ', '1 '])
  })

  test('a refused datagram does not hold up those before and after it', async () => {
    const { transport, socket, errors, until } = await open([{}], engine)
    const { dgram, port } = await peer()
    const received: string[] = []
    dgram.on('message', (octets) => received.push(octets.toString()))
    for (let i = 0; i < 100; i++) {
      if (i % 3 === 1) transport.send(socket(0), 'x'.repeat(65_508), '127.0.0.1', port)
      // A broadcast, for which the socket has no permission.
      else if (i % 3 === 2) transport.send(socket(0), `${i}`, '255.255.255.255', port)
      else transport.send(socket(0), `${i}`, '127.0.0.1', port)
    }
    await until(() => errors.length === 66)
    while (received.length < 34) await new Promise((resolve) => dgram.once('message', resolve))
    expect(received.map(Number)).toEqual(Array.from({ length: 34 }, (_, i) => i * 3))
    expect(errors.filter((error) => error === `EMSGSIZE 0 127.0.0.1:${port}`)).toHaveLength(33)
    expect(errors.filter((error) => error.endsWith(` 0 255.255.255.255:${port}`))).toHaveLength(33)
  })

  test('reusePort: two transports on one port, and each source stays with one of them', async () => {
    const first = await open([{}], engine, { reusePort: true })
    const second = await open([{ port: first.socket(0).port }], engine, { reusePort: true })
    await expect(open([{ port: first.socket(0).port }], engine)).rejects.toThrow(/another program uses/)
    const sources = await Promise.all(Array.from({ length: 16 }, () => peer()))
    for (let round = 0; round < 3; round++) {
      for (const { dgram } of sources) dgram.send('x', first.socket(0).port, '127.0.0.1')
    }
    while (first.heard.length + second.heard.length < 48) await new Promise((next) => setTimeout(next, 5))
    const portsOf = ({ heard }: typeof first) => new Set(heard.map(({ flow }) => flow.port))
    expect([...portsOf(first)].filter((port) => portsOf(second).has(port))).toEqual([])
    expect(portsOf(first).size + portsOf(second).size).toBe(16)
  })

  test('what was sent before close leaves; what arrives after it is not read; close is safe to send after', async () => {
    const { transport, heard, socket } = await open([{}], engine)
    const { dgram, port, next } = await peer()
    const arrival = next()
    transport.send(socket(0), 'last words', '127.0.0.1', port)
    await transport.close()
    expect((await arrival).toString()).toBe('last words')
    dgram.send('hello?', socket(0).port, '127.0.0.1')
    expect(() => transport.send(socket(0), 'x', '127.0.0.1', port)).not.toThrow()
    await new Promise((resolve) => setTimeout(resolve, 30))
    expect(heard).toEqual([])
    opened.splice(opened.indexOf(transport), 1)
  })
})

describe.each(engines)('sockets of %s that cannot be had', (engine) => {
  test('a port in use: what, why, what to do; and nothing stays open', async () => {
    const { socket } = await open([{}], engine)
    const taken = socket(0).port
    const { port: free, dgram } = await peer()
    opened.pop()
    await new Promise<void>((resolve) => dgram.close(() => resolve()))
    await expect(open([{ port: free }, { port: taken }], engine)).rejects.toThrow(
      new RegExp(`cannot listen on udp:127\\.0\\.0\\.1:${taken}: another program uses that port`),
    )
    const again = await open([{ port: free }], engine)
    expect(again.socket(0).port).toBe(free)
  })

  test('an address that the host does not have', async () => {
    await expect(open([{ address: '203.0.113.77' }], engine)).rejects.toThrow(/this host has no such address/)
  })

  test('a transport that is not served, and an engine that does not exist', async () => {
    await expect(open([{ transport: 'tcp' }], engine)).rejects.toThrow('only udp is served yet')
    await expect(open([{}], 'carrier-pigeon')).rejects.toThrow(
      'VIADUCT_UDP=carrier-pigeon is no engine: there is native, dgram',
    )
  })
})

describe('the host', () => {
  test('has the loopback address on its loopback interface, and no link-local ones', async () => {
    const { network } = await open([], undefined)
    expect(network.interfaceAddresses('lo')).toContain('127.0.0.1')
    expect(network.interfaceAddresses('no-such-interface')).toEqual([])
    expect(network.interfaceAddresses().filter((address) => address.startsWith('fe80'))).toEqual([])
  })

  test('resolves literal addresses and localhost', async () => {
    const { network } = await open([], undefined)
    expect(await network.resolve('192.0.2.1', 0, 'udp')).toEqual([{ address: '192.0.2.1', port: 5060 }])
    expect(await network.resolve('localhost', 5070, 'udp')).toContainEqual({
      address: '127.0.0.1',
      port: 5070,
    })
  })
})
