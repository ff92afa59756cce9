import { describe, expect, test } from 'vitest'
import type { NatOptions } from '../../src/testing/nat.ts'
import {
  type SimulatedHost,
  type SimulatedNetwork,
  type SimulatedSocket,
  simulatedNetwork,
} from '../../src/testing/network.ts'

interface Ear {
  readonly socket: SimulatedSocket
  /** `192.0.2.1:5060 text`. */
  readonly heard: string[]
  readonly errors: string[]
}

function bind(host: SimulatedHost, port = 5060, address = host.address): Ear {
  const heard: string[] = []
  const errors: string[] = []
  const socket = host.bind(address, port, {
    onDatagram: (text, source) => heard.push(`${source.address}:${source.port} ${text}`),
    onError: (to, code) => errors.push(`${to.address}:${to.port} ${code}`),
  })
  return { socket, heard, errors }
}

function two(network: SimulatedNetwork): { a: Ear; b: Ear } {
  return {
    a: bind(network.host('a', { address: '192.0.2.1' })),
    b: bind(network.host('b', { address: '192.0.2.2' })),
  }
}

describe('the simulated network', () => {
  test('delivers in order after its delay', () => {
    const network = simulatedNetwork({ delayMs: 20 })
    const { a, b } = two(network)
    a.socket.send('one', '192.0.2.2', 5060)
    network.clock.advanceSync(10)
    a.socket.send('two', '192.0.2.2', 5060)
    network.clock.advanceSync(10)
    expect(b.heard).toEqual(['192.0.2.1:5060 one'])
    network.clock.advanceSync(10)
    expect(b.heard).toEqual(['192.0.2.1:5060 one', '192.0.2.1:5060 two'])
  })

  test('keeps everything on record, with its fate', () => {
    const network = simulatedNetwork()
    const { a } = two(network)
    network.drop(({ text }) => text === 'lost')
    for (const text of ['lost', 'lost']) a.socket.send(text, '192.0.2.2', 5060)
    a.socket.send('closed port', '192.0.2.2', 9)
    a.socket.send('nobody', '203.0.113.1', 5060)
    network.clock.advanceSync(10)
    expect(network.captured.map(({ text, toHost, fate }) => [text, toHost, fate])).toEqual([
      ['lost', 'b', 'lost'],
      ['lost', 'b', 'delivered'],
      ['closed port', 'b', 'unreachable'],
      ['nobody', '', 'unreachable'],
    ])
    expect(a.errors).toEqual(['192.0.2.2:9 ECONNREFUSED'])
  })

  test('loses, doubles and reorders by its seed, always the same', () => {
    const run = (seed: number) => {
      const network = simulatedNetwork({ seed })
      network.lossRate = 0.2
      network.duplicationRate = 0.2
      network.reorderingRate = 0.2
      const { a, b } = two(network)
      for (let i = 0; i < 200; i++) a.socket.send(String(i), '192.0.2.2', 5060)
      network.clock.advanceSync(100)
      return b.heard.map((line) => Number(line.split(' ')[1]))
    }
    const numbers = run(1)
    const distinct = new Set(numbers)
    expect(run(1)).toEqual(numbers)
    expect(run(2)).not.toEqual(numbers)
    expect(distinct.size).toBeGreaterThan(130)
    expect(distinct.size).toBeLessThan(190)
    expect(numbers.length).toBeGreaterThan(distinct.size)
    expect(numbers).not.toEqual([...numbers].sort((x, y) => x - y))
  })

  test('a datagram that UDP cannot carry is refused at the sender', () => {
    const network = simulatedNetwork()
    const { a } = two(network)
    a.socket.send('x'.repeat(65_508), '192.0.2.2', 5060)
    expect(a.errors).toEqual(['192.0.2.2:5060 EMSGSIZE'])
    expect(network.captured).toEqual([])
  })

  test('one port has one owner', () => {
    const host = simulatedNetwork().host('a', { address: '192.0.2.1' })
    const first = bind(host)
    expect(() => bind(host)).toThrow('192.0.2.1:5060 is in use on a')
    expect(() => bind(host, 5060, '192.0.2.9')).toThrow('a has no address 192.0.2.9')
    first.socket.close()
    expect(bind(host).socket.port).toBe(5060)
  })

  test('is the Network of a server: sockets, names, addresses', async () => {
    const network = simulatedNetwork()
    const host = network.host('router', { address: '192.0.2.1', addresses: ['2001:db8::1'] })
    network.names.set('example.com', [{ address: '192.0.2.7', port: 5080 }])
    const heard: string[] = []
    const transport = await host.open(
      [{ transport: 'udp', address: '192.0.2.1', port: 5060, name: 'edge' }],
      {
        onDatagrams: (batch) => heard.push(`${batch.text(0)} ${batch.flow(0).socket.label}`),
        onSendError: (flow, code) => heard.push(`${code} ${flow.address}`),
      },
      { receiveBufferBytes: 0 },
    )
    const peer = bind(network.host('peer', { address: '192.0.2.2' }))
    peer.socket.send('hello', '192.0.2.1', 5060)
    const [socket] = transport.sockets
    if (socket) {
      transport.send(socket, 'back', '192.0.2.2', 5060)
      transport.send(socket, 'refused', '192.0.2.2', 9)
    }
    network.clock.advanceSync(10)
    expect(heard).toEqual(['hello udp:192.0.2.1:5060', 'ECONNREFUSED 192.0.2.2'])
    expect(peer.heard).toEqual(['192.0.2.1:5060 back'])
    expect(host.interfaceAddresses()).toEqual(['192.0.2.1', '2001:db8::1'])
    expect(await host.resolve('EXAMPLE.com', 0, 'udp')).toEqual([{ address: '192.0.2.7', port: 5080 }])
    expect(await host.resolve('192.0.2.9', 0, 'udp')).toEqual([{ address: '192.0.2.9', port: 5060 }])
    expect(await host.resolve('unknown.example', 0, 'udp')).toEqual([])
    await transport.close()
    peer.socket.send('too late', '192.0.2.1', 5060)
    network.clock.advanceSync(10)
    expect(peer.errors).toEqual(['192.0.2.1:5060 ECONNREFUSED'])
  })
})

describe('a NAT box', () => {
  function behindNat(options: Partial<NatOptions> = {}) {
    const network = simulatedNetwork()
    const nat = network.nat({ publicAddress: '60.250.149.198', firstPort: 59_177, ...options })
    const modem = bind(network.host('modem', { address: '10.92.240.131', behind: nat }))
    const router = bind(network.host('router', { address: '50.170.158.149' }))
    const routerOther = bind(network.host('other', { address: '50.170.158.150' }))
    const deliver = () => network.clock.advanceSync(5)
    return { network, nat, modem, router, routerOther, deliver }
  }

  test('hides the private source and lets the answer in', () => {
    const { modem, router, deliver } = behindNat()
    modem.socket.send('hello', '50.170.158.149', 5060)
    deliver()
    expect(router.heard).toEqual(['60.250.149.198:59177 hello'])
    router.socket.send('answer', '60.250.149.198', 59_177)
    deliver()
    expect(modem.heard).toEqual(['50.170.158.149:5060 answer'])
  })

  test('lets nothing in that was not asked for: not from another port, nor from another address', () => {
    const { network, modem, routerOther, deliver } = behindNat()
    const otherPort = bind(network.host('second', { address: '50.170.158.151' }), 5060)
    modem.socket.send('hello', '50.170.158.149', 5060)
    deliver()
    routerOther.socket.send('x', '60.250.149.198', 59_177)
    otherPort.socket.send('x', '60.250.149.198', 59_177)
    routerOther.socket.send('x', '10.92.240.131', 5060)
    deliver()
    expect(modem.heard).toEqual([])
    expect(network.captured.map(({ fate }) => fate)).toEqual([
      'delivered',
      'filtered',
      'filtered',
      'unreachable',
    ])
  })

  test.each([
    ['address-and-port', false, false],
    ['address', true, false],
    ['none', true, true],
  ] as const)(
    'filtering %s: same address other port %s, other address %s',
    (filtering, samePasses, otherPasses) => {
      const { network, modem, routerOther, deliver } = behindNat({ filtering })
      const host = network.host('both', { address: '50.170.158.152' })
      const spokenTo = bind(host, 5060)
      const otherPort = bind(host, 5070)
      modem.socket.send('hello', '50.170.158.152', 5060)
      deliver()
      expect(spokenTo.heard).toHaveLength(1)
      otherPort.socket.send('port', '60.250.149.198', 59_177)
      routerOther.socket.send('address', '60.250.149.198', 59_177)
      deliver()
      const texts = modem.heard.map((line) => line.split(' ')[1])
      expect(texts).toEqual([...(samePasses ? ['port'] : []), ...(otherPasses ? ['address'] : [])])
    },
  )

  test('forgets after its time; outbound packets alone refresh it', () => {
    const { network, modem, router, nat, deliver } = behindNat({ mappingSeconds: 60 })
    modem.socket.send('hello', '50.170.158.149', 5060)
    network.clock.advanceSync(59_000)
    router.socket.send('in time', '60.250.149.198', 59_177)
    deliver()
    expect(modem.heard).toHaveLength(1)
    network.clock.advanceSync(1_000)
    router.socket.send('too late', '60.250.149.198', 59_177)
    deliver()
    expect([modem.heard.length, nat.mappings.length]).toEqual([1, 0])
    modem.socket.send('again', '50.170.158.149', 5060)
    deliver()
    expect(router.heard.at(-1)).toBe('60.250.149.198:59178 again')
  })

  test('keeps one port for all destinations; a symmetric one gives each its own', () => {
    const cone = behindNat()
    const symmetric = behindNat({ mapping: 'symmetric' })
    for (const { modem, deliver } of [cone, symmetric]) {
      modem.socket.send('x', '50.170.158.149', 5060)
      modem.socket.send('x', '50.170.158.150', 5060)
      deliver()
    }
    expect(cone.routerOther.heard).toEqual(['60.250.149.198:59177 x'])
    expect(symmetric.routerOther.heard).toEqual(['60.250.149.198:59178 x'])
  })

  test('may give a freed port to somebody else: a late packet then reaches another subscriber', () => {
    const { network, nat, modem, router, deliver } = behindNat({ mappingSeconds: 30, reusesPorts: true })
    const stranger = bind(network.host('stranger', { address: '10.92.240.132', behind: nat }))
    modem.socket.send('hello', '50.170.158.149', 5060)
    network.clock.advanceSync(30_000)
    stranger.socket.send('hello', '50.170.158.149', 5060)
    deliver()
    router.socket.send('for the modem', '60.250.149.198', 59_177)
    deliver()
    expect([modem.heard.length, stranger.heard.length]).toEqual([0, 1])
  })

  test('a restart of the box gives new ports', () => {
    const { nat, modem, router, deliver } = behindNat()
    modem.socket.send('before', '50.170.158.149', 5060)
    nat.forget()
    modem.socket.send('after', '50.170.158.149', 5060)
    deliver()
    expect(router.heard).toEqual(['60.250.149.198:59177 before', '60.250.149.198:59178 after'])
  })

  test('hosts behind the same box reach each other directly', () => {
    const { network, nat, modem, deliver } = behindNat()
    const neighbour = bind(network.host('neighbour', { address: '10.92.240.133', behind: nat }))
    modem.socket.send('hi', '10.92.240.133', 5060)
    deliver()
    expect(neighbour.heard).toEqual(['10.92.240.131:5060 hi'])
    expect(nat.mappings).toEqual([])
  })
})
