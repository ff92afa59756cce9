import { describe, expect, test } from 'vitest'
import type { ListenRequest } from '../../src/transport/socket.ts'
import { createListenSocket, createSocketTable } from '../../src/transport/sockets.ts'

function table(...requests: Partial<ListenRequest>[]) {
  return createSocketTable(
    requests.map((request, i) =>
      createListenSocket({ transport: 'udp', address: '192.0.2.1', port: 5060, ...request }, i),
    ),
  )
}

describe('myself, as measured on Kamailio 5.6.3', () => {
  const sockets = table(
    { address: '127.0.0.1', port: 25_060 },
    { address: '192.0.2.1', port: 5060, advertisedAddress: '203.0.113.7', advertisedPort: 5080 },
    { address: '2001:db8::1', port: 5060 },
  )
  sockets.addAlias('Example.COM', 0)
  sockets.addAlias('sip.example.net', 5070)

  test.each([
    ['127.0.0.1', 25_060, true, 'a socket'],
    ['127.0.0.1', 0, false, 'without a port 5060 is meant, and we listen on 25060'],
    ['127.0.0.1', 5060, false, 'another port'],
    ['192.0.2.1', 0, true, 'without a port 5060 is meant'],
    ['192.0.2.1', 5060, true, 'a socket'],
    ['192.0.2.1', 5080, false, 'the advertised port belongs to the advertised address'],
    ['203.0.113.7', 5080, true, 'what we advertise'],
    ['203.0.113.7', 0, false, 'the default port of what we advertise is not ours'],
    ['2001:db8::1', 0, true, 'IPv6'],
    ['[2001:DB8:0:0::1]', 0, true, 'IPv6 in another spelling, with brackets'],
    ['::ffff:192.0.2.1', 0, true, 'IPv4 in IPv6 clothes'],
    ['example.com', 0, true, 'an alias without a port'],
    ['EXAMPLE.com', 12_345, true, 'an alias without a port matches any'],
    ['example.com.', 0, true, 'the root dot of a name'],
    ['sip.example.net', 5070, true, 'an alias with a port'],
    ['sip.example.net', 0, false, 'an alias with another port than the default'],
    ['xexample.com', 0, false, 'part of an alias'],
    ['', 0, false, 'no host'],
    ['__proto__', 0, false, 'a name that objects have'],
  ])('%s:%d is %s: %s', (host, port, expected, _why) => {
    expect(sockets.isMyself(host, port)).toBe(expected)
  })

  test('the transport counts if both name one', () => {
    const tls = table({ transport: 'tls', port: 5061 })
    expect(tls.isMyself('192.0.2.1', 0, 'tls')).toBe(true)
    expect(tls.isMyself('192.0.2.1', 5061, 'udp')).toBe(false)
    expect(tls.isMyself('192.0.2.1', 5061)).toBe(true)
    tls.addAlias('example.com', 0, 'udp')
    expect(tls.isMyself('example.com', 0, 'tls')).toBe(false)
  })

  test("a plugin's own test is asked last", () => {
    const own = table({})
    const asked: string[] = []
    own.addCheck((host, port) => {
      asked.push(`${host}:${port}`)
      return host === 'hosted.example'
    })
    expect([own.isMyself('192.0.2.1', 0), own.isMyself('hosted.example', 0), own.isMyself('x', 1)]).toEqual([
      true,
      true,
      false,
    ])
    expect(asked).toEqual(['hosted.example:0', 'x:1'])
  })
})

describe('sockets by label, behind a NAT that maps ports', () => {
  const sockets = table(
    { port: 5060, advertisedAddress: '203.0.113.7', advertisedPort: 5080 },
    { port: 5070, advertisedAddress: '203.0.113.7', advertisedPort: 5060 },
  )
  test.each([
    ['udp:203.0.113.7:5080', 0, 'what the first one writes into Record-Route'],
    ['udp:203.0.113.7:5060', 1, 'what the second one writes, though the first is bound to that port'],
    ['udp:192.0.2.1:5060', 0, 'what it is bound to'],
    ['udp:192.0.2.1:5080', null, 'half of each is neither'],
  ])('%s is %s: %s', (label, index, _why) => {
    expect(sockets.find(label)?.index ?? null).toBe(index)
  })
})

describe('sockets by label', () => {
  const sockets = table(
    { name: 'outside', advertisedAddress: 'edge.example.com' },
    { port: 5070 },
    { address: '2001:db8::1' },
  )
  test.each([
    ['udp:192.0.2.1:5060', 0],
    ['192.0.2.1:5060', 0],
    ['192.0.2.1', 0],
    ['UDP:192.0.2.1:5070', 1],
    ['udp:[2001:db8::1]:5060', 2],
    ['[2001:DB8::0:1]', 2],
    ['outside', 0],
    ['edge.example.com:5060', 0],
    ['tcp:192.0.2.1:5060', null],
    ['udp:192.0.2.1:5080', null],
    ['inside', null],
    ['', null],
    ['udp:', null],
    ['udp:192.0.2.1:5060:7', null],
  ])('%s', (label, index) => {
    expect(sockets.find(label)?.index ?? null).toBe(index)
  })

  test('a socket says what it is', () => {
    expect(
      createListenSocket({ transport: 'udp', address: '[::1]'.slice(1, -1), port: 0 }, 3, 6_060),
    ).toEqual({
      index: 3,
      name: null,
      transport: 'udp',
      address: '::1',
      port: 6_060,
      family: 6,
      advertisedAddress: '::1',
      advertisedPort: 6_060,
      label: 'udp:[::1]:6060',
    })
  })
})

describe('the socket to send from', () => {
  const sockets = table({}, { address: '2001:db8::1' }, { port: 5070 }, { transport: 'tcp' })
  const [v4 = null, v6 = null, second = null] = sockets.sockets
  test.each([
    ['198.51.100.1', 'udp', null, v4],
    ['198.51.100.1', 'udp', second, second],
    ['198.51.100.1', 'udp', v6, v4],
    ['2001:db8::9', 'udp', v4, v6],
    ['2001:db8::9', 'tcp', v4, null],
    ['198.51.100.1', 'ws', v4, null],
  ] as const)('to %s over %s', (address, transport, arrival, expected) => {
    expect(sockets.chooseFor(address, transport, arrival)).toBe(expected)
  })
})
