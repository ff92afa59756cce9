import { createSocket, type Socket } from 'node:dgram'
import { afterEach, describe, expect, test } from 'vitest'
import { silentLog } from '../../src/runtime/log.ts'
import type { Flow, ListenRequest } from '../../src/transport/socket.ts'
import { createSystemNetwork } from '../../src/transport/system-network.ts'
import type { Transport } from '../../src/transport/transport.ts'

/** The UDP engine on loopback: every engine behind Transport must pass this. */
const opened: { close(): unknown }[] = []

afterEach(async () => {
  for (const one of opened.splice(0)) await one.close()
})

interface Heard {
  readonly text: string
  readonly flow: Flow
}

async function open(requests: Partial<ListenRequest>[], engine?: string) {
  const heard: Heard[] = []
  const errors: string[] = []
  const waiting: (() => void)[] = []
  const network = createSystemNetwork({ log: silentLog, environment: { VIADUCT_UDP: engine } })
  const transport: Transport = await network.open(
    requests.map((request) => ({ transport: 'udp', address: '127.0.0.1', port: 0, ...request })),
    {
      onDatagrams(batch) {
        for (let i = 0; i < batch.count; i++) heard.push({ text: batch.text(i), flow: batch.flow(i) })
        for (const wake of waiting.splice(0)) wake()
      },
      onSendError(flow, code) {
        errors.push(`${code} ${flow.socket.index} ${flow.address}:${flow.port}`)
        for (const wake of waiting.splice(0)) wake()
      },
    },
    { receiveBufferBytes: 262_144 },
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

describe('UDP', () => {
  test('every octet arrives as it was sent, both ways', async () => {
    const { transport, heard, until, socket } = await open([{}])
    const { dgram, port, next } = await peer()
    dgram.send(Buffer.from(everyOctet, 'latin1'), socket(0).port, '127.0.0.1')
    await until(() => heard.length === 1)
    expect(heard[0]).toEqual({ text: everyOctet, flow: { socket: socket(0), address: '127.0.0.1', port } })
    const arrival = next()
    transport.send(socket(0), everyOctet, '127.0.0.1', port)
    expect((await arrival).toString('latin1')).toBe(everyOctet)
  })

  test('says on which socket a datagram arrived, and sends from the one it is told to', async () => {
    const { transport, heard, until, socket } = await open([{ name: 'a' }, { name: 'b' }])
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
    const { transport, socket } = await open([{}])
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
    const { transport, socket, errors, until } = await open([{}])
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
    const { transport, socket, errors, until } = await open([{}])
    transport.send(socket(0), 'x', address, port)
    await until(() => errors.length === 1)
    expect(errors[0]).toMatch(/^E[A-Z_]+ 0 /)
  })

  test('IPv6: no brackets in the flow, none needed to answer', async () => {
    const { transport, heard, until, socket } = await open([{ address: '::1' }])
    const { dgram, port, next } = await peer('udp6')
    dgram.send('six', socket(0).port, '::1')
    await until(() => heard.length === 1)
    expect(heard[0]?.flow.address).toBe('::1')
    const arrival = next()
    transport.send(socket(0), 'back', '::1', port)
    expect((await arrival).toString()).toBe('back')
  })

  test('what was sent before close leaves; what arrives after it is not read; close is safe to send after', async () => {
    const { transport, heard, socket } = await open([{}])
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

describe('sockets that cannot be had', () => {
  test('a port in use: what, why, what to do; and nothing stays open', async () => {
    const { socket } = await open([{}])
    const taken = socket(0).port
    const { port: free, dgram } = await peer()
    opened.pop()
    await new Promise<void>((resolve) => dgram.close(() => resolve()))
    await expect(open([{ port: free }, { port: taken }])).rejects.toThrow(
      new RegExp(`cannot listen on udp:127\\.0\\.0\\.1:${taken}: another program uses that port`),
    )
    const again = await open([{ port: free }])
    expect(again.socket(0).port).toBe(free)
  })

  test('an address that the host does not have', async () => {
    await expect(open([{ address: '203.0.113.77' }])).rejects.toThrow(/this host has no such address/)
  })

  test('a transport that is not served, and an engine that does not exist', async () => {
    await expect(open([{ transport: 'tcp' }])).rejects.toThrow('only udp is served yet')
    await expect(open([{}], 'carrier-pigeon')).rejects.toThrow(
      'VIADUCT_UDP=carrier-pigeon is no engine: there is native, dgram',
    )
  })
})

describe('the host', () => {
  test('has the loopback address on its loopback interface, and no link-local ones', async () => {
    const { network } = await open([])
    expect(network.interfaceAddresses('lo')).toContain('127.0.0.1')
    expect(network.interfaceAddresses('no-such-interface')).toEqual([])
    expect(network.interfaceAddresses().filter((address) => address.startsWith('fe80'))).toEqual([])
  })

  test('resolves literal addresses and localhost', async () => {
    const { network } = await open([])
    expect(await network.resolve('192.0.2.1', 0, 'udp')).toEqual([{ address: '192.0.2.1', port: 5060 }])
    expect(await network.resolve('localhost', 5070, 'udp')).toContainEqual({
      address: '127.0.0.1',
      port: 5070,
    })
  })
})
