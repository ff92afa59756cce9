import { isIPv4 } from 'node:net'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { canonicalAddress } from '../../src/transport/address.ts'
import { Destinations, ipv4Bits } from '../../src/transport/destinations.ts'
import { FlowCache } from '../../src/transport/flow-cache.ts'
import { type NativeAddon, recordWords, word } from '../../src/transport/native-addon.ts'
import { createListenSocket } from '../../src/transport/sockets.ts'

/** Between the words of a record and addresses as text: what the native UDP engine sees of a peer. */
const sockets = [
  createListenSocket({ transport: 'udp', address: '192.0.2.1', port: 5060 }, 0),
  createListenSocket({ transport: 'udp', address: '2001:db8::1', port: 5060 }, 1),
  createListenSocket({ transport: 'udp', address: '192.0.2.2', port: 5060 }, 2),
]

function record(socket: number, port: number, ...address: number[]): Int32Array {
  const words = new Int32Array(recordWords)
  words[word.socket] = socket
  words[word.port] = port
  words.set(address, word.address)
  return words
}

/** Eight groups of 16 bits as four words. */
function ipv6Words(groups: readonly number[]): number[] {
  return [0, 2, 4, 6].map((i) => ((groups[i] ?? 0) << 16) | (groups[i + 1] ?? 0))
}

describe('flows', () => {
  test.each([
    ['127.0.0.1', 0x7f000001],
    ['0.0.0.0', 0],
    ['255.255.255.255', -1],
    ['192.0.2.128', 0xc0000280 | 0],
  ])('IPv4: %s', (address, bits) => {
    const flow = new FlowCache(sockets, 8).flow(record(0, 5_061, bits), 0)
    expect(flow).toEqual({ socket: sockets[0], address, port: 5_061 })
  })

  test.each([
    ['2001:db8::1', [0x2001, 0xdb8, 0, 0, 0, 0, 0, 1]],
    ['::1', [0, 0, 0, 0, 0, 0, 0, 1]],
    ['::', [0, 0, 0, 0, 0, 0, 0, 0]],
    ['fe80::ffff:1:0:8000', [0xfe80, 0, 0, 0, 0xffff, 1, 0, 0x8000]],
    ['192.0.2.1', [0, 0, 0, 0, 0, 0xffff, 0xc000, 0x0201]],
  ])('IPv6 as RFC 5952 writes it: %s', (address, groups) => {
    const flow = new FlowCache(sockets, 8).flow(record(1, 5_061, ...ipv6Words(groups)), 0)
    expect(flow).toEqual({ socket: sockets[1], address, port: 5_061 })
  })

  test('law: whoever speaks in whatever order, the flow is the right one, however few places there are', () => {
    const four = fc.record({ socket: fc.constantFrom(0, 2), bits: fc.integer({ min: -3, max: 3 }) })
    const six = fc.array(fc.constantFrom(0, 1, 0xffff), { minLength: 8, maxLength: 8 })
    const port = fc.constantFrom(1, 5_060, 65_535)
    const peer = fc.tuple(fc.oneof(four, six), port)
    fc.assert(
      fc.property(fc.array(peer, { maxLength: 60 }), (peers) => {
        const cache = new FlowCache(sockets, 4)
        for (const [who, port] of peers) {
          const isIpv6 = Array.isArray(who)
          const words = isIpv6 ? record(1, port, ...ipv6Words(who)) : record(who.socket, port, who.bits)
          const flow = cache.flow(words, 0)
          expect(flow.port).toBe(port)
          expect(flow.socket.index).toBe(isIpv6 ? 1 : who.socket)
          const address = isIpv6
            ? canonicalAddress(who.map((group) => group.toString(16)).join(':'))
            : [24, 16, 8, 0].map((shift) => (who.bits >>> shift) & 255).join('.')
          expect(flow.address).toBe(address)
          expect(cache.flow(words, 0)).toBe(flow)
        }
      }),
    )
  })

  test('the record of a batch is found by where it begins', () => {
    const both = new Int32Array(2 * recordWords)
    both.set(record(0, 1, 0x01020304))
    both.set(record(2, 2, 0x05060708), recordWords)
    const cache = new FlowCache(sockets, 8)
    expect(cache.flow(both, recordWords)).toEqual({ socket: sockets[2], address: '5.6.7.8', port: 2 })
    expect(cache.flow(both, 0)).toEqual({ socket: sockets[0], address: '1.2.3.4', port: 1 })
  })
})

describe('destinations', () => {
  test('law: IPv4 is what Node.js takes for it, and the flow of its bits is its text again', () => {
    const part = fc.oneof(
      fc.nat(300).map(String),
      fc.constantFrom('', '00', '01', ' 1', '-1', '1e1', 'x', '٣'),
    )
    const dotted = fc.array(part, { minLength: 1, maxLength: 6 }).map((parts) => parts.join('.'))
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), dotted, fc.string()), (text) => {
        expect(ipv4Bits(text) !== 0 || text === '0.0.0.0').toBe(isIPv4(text))
        if (!isIPv4(text)) return
        expect(new FlowCache(sockets, 8).flow(record(0, 1, ipv4Bits(text)), 0).address).toBe(text)
      }),
    )
  })

  test('IPv6 is read once for each address, however many there are', () => {
    const asked: string[] = []
    const parse: NativeAddon['parse'] = (text, isIpv6, words) => {
      asked.push(text)
      words.set([1, 2, 3, 4, 5])
      return isIpv6 && text !== 'no address'
    }
    const destinations = new Destinations({ parse } as NativeAddon)
    const words = new Int32Array(recordWords)
    for (let i = 0; i < 3; i++) expect(destinations.write('2001:db8::7', 6, words, word.address)).toBe(true)
    expect(asked).toEqual(['2001:db8::7'])
    expect([...words]).toEqual([0, 0, 0, 0, 1, 2, 3, 4, 5])
    for (let i = 0; i < 2; i++) expect(destinations.write('no address', 6, words, word.address)).toBe(false)
    for (let i = 0; i < 10_000; i++) expect(destinations.write(`2001:db8::${i}`, 6, words, 4)).toBe(true)
    expect(asked).toHaveLength(1 + 2 + 10_000 - 1)
  })
})
