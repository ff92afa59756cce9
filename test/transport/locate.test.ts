import { describe, expect, test } from 'vitest'
import { canonicalAddress, isAddress } from '../../src/transport/address.ts'
import { bindError } from '../../src/transport/bind-error.ts'
import { createLookups, type DnsSource } from '../../src/transport/dns.ts'
import { type Located, type Lookups, locate, type SrvRecord } from '../../src/transport/locate.ts'

describe('addresses in one spelling', () => {
  test.each([
    ['192.0.2.1', '192.0.2.1', true],
    ['::ffff:127.0.0.1', '127.0.0.1', true],
    ['::FFFF:7f00:1', '127.0.0.1', true],
    ['0:0:0:0:0:ffff:192.0.2.1', '192.0.2.1', true],
    ['2001:DB8:0:0:0:0:0:1', '2001:db8::1', true],
    ['fe80::1%eth0', 'fe80::1', true],
    ['::1', '::1', true],
    ['example.com', 'example.com', false],
    ['1.2.3', '1.2.3', false],
    ['G::1', 'g::1', false],
    ['[::1]', '[::1]', true],
    ['[::1', '[::1', false],
  ])('%s is %s (an address: %s)', (text, canonical, isLiteral) => {
    if (!text.startsWith('[')) expect(canonicalAddress(text)).toBe(canonical)
    expect(isAddress(text)).toBe(isLiteral)
  })
})

describe('locating SIP servers: RFC 3263 §4.2', () => {
  const zone: Record<string, readonly string[]> = {
    'example.com': ['192.0.2.10', '2001:db8::10'],
    'a.example.com': ['192.0.2.11'],
    'b.example.com': ['192.0.2.12'],
    'c.example.com': ['192.0.2.13'],
  }

  function lookups(
    srv: Record<string, SrvRecord[]> = {},
    draws: number[] = [],
  ): Lookups & { asked: string[] } {
    const asked: string[] = []
    return {
      asked,
      srv: async (name) => {
        asked.push(`SRV ${name}`)
        return srv[name] ?? []
      },
      addresses: async (host) => {
        asked.push(`A ${host}`)
        return zone[host] ?? []
      },
      integer: (below) => Math.min(draws.shift() ?? 0, below - 1),
    }
  }

  function record(target: string, priority: number, weight: number, port = 5060): SrvRecord {
    return { target, priority, weight, port }
  }

  function hosts(located: readonly Located[]): string[] {
    return located.map(({ address, port }) => `${address} ${port}`)
  }

  test.each([
    ['192.0.2.1', 0, 'udp', '192.0.2.1 5060'],
    ['192.0.2.1', 5070, 'udp', '192.0.2.1 5070'],
    ['192.0.2.1', 0, 'tls', '192.0.2.1 5061'],
    ['[2001:db8::1]', 0, 'udp', '2001:db8::1 5060'],
    ['2001:db8::1', 5070, 'udp', '2001:db8::1 5070'],
  ] as const)('a literal address asks nobody: %s %d %s', async (host, port, transport, expected) => {
    const dns = lookups()
    expect(hosts(await locate(host, port, transport, dns))).toEqual([expected])
    expect(dns.asked).toEqual([])
  })

  test('a port means addresses and no SRV', async () => {
    const dns = lookups({ '_sip._udp.example.com': [record('a.example.com', 1, 1)] })
    expect(hosts(await locate('example.com', 5070, 'udp', dns))).toEqual([
      '192.0.2.10 5070',
      '2001:db8::10 5070',
    ])
    expect(dns.asked).toEqual(['A example.com'])
  })

  test('without SRV records: addresses and the default port', async () => {
    const dns = lookups()
    expect(hosts(await locate('example.com', 0, 'udp', dns))).toEqual([
      '192.0.2.10 5060',
      '2001:db8::10 5060',
    ])
    expect(dns.asked).toEqual(['SRV _sip._udp.example.com', 'A example.com'])
  })

  test.each([
    ['udp', '_sip._udp'],
    ['tcp', '_sip._tcp'],
    ['tls', '_sips._tcp'],
  ] as const)('the service of %s is %s', async (transport, service) => {
    const dns = lookups()
    await locate('example.com', 0, transport, dns)
    expect(dns.asked[0]).toBe(`SRV ${service}.example.com`)
  })

  test('priorities in order, weights by draw: RFC 2782', async () => {
    const srv = {
      '_sip._udp.example.com': [
        record('c.example.com', 20, 0, 5090),
        record('a.example.com', 10, 1, 5070),
        record('b.example.com', 10, 9, 5080),
      ],
    }
    const light = await locate('example.com', 0, 'udp', lookups(srv, [1]))
    expect(hosts(light)).toEqual(['192.0.2.11 5070', '192.0.2.12 5080', '192.0.2.13 5090'])
    const heavy = await locate('example.com', 0, 'udp', lookups(srv, [2]))
    expect(hosts(heavy)).toEqual(['192.0.2.12 5080', '192.0.2.11 5070', '192.0.2.13 5090'])
  })

  test('a name without any record has no address', async () => {
    expect(await locate('nowhere.example', 0, 'udp', lookups())).toEqual([])
  })

  test('a thousand records cost a bounded number of questions', async () => {
    const many = Array.from({ length: 1_000 }, (_, i) =>
      record(i % 2 ? 'a.example.com' : 'b.example.com', i, 0),
    )
    const dns = lookups({ '_sip._udp.example.com': many })
    expect(await locate('example.com', 0, 'udp', dns)).toHaveLength(16)
    expect(dns.asked.length).toBeLessThanOrEqual(17)
  })
})

describe('DNS answers', () => {
  function source(overrides: Partial<DnsSource> = {}): DnsSource & { asked: string[] } {
    const asked: string[] = []
    const failing = async () => {
      throw new Error('ENOTFOUND')
    }
    const base: DnsSource = {
      resolve4: failing,
      resolve6: failing,
      resolveSrv: failing,
      lookup: failing,
      ...overrides,
    }
    const noting =
      <T>(type: string, ask: (name: string) => Promise<T>) =>
      (name: string): Promise<T> => {
        asked.push(`${type} ${name}`)
        return ask(name)
      }
    return {
      asked,
      resolve4: noting('A', base.resolve4),
      resolve6: noting('AAAA', base.resolve6),
      resolveSrv: noting('SRV', base.resolveSrv),
      lookup: noting('hosts', base.lookup),
    }
  }

  test('are remembered, names without regard to case; two at once are one question', async () => {
    const dns = source({ resolve4: async () => [{ address: '192.0.2.1', ttl: 300 }] })
    const { addresses } = createLookups(() => 0, dns)
    expect(await Promise.all([addresses('example.com'), addresses('EXAMPLE.com')])).toEqual([
      ['192.0.2.1'],
      ['192.0.2.1'],
    ])
    expect(await addresses('example.com')).toEqual(['192.0.2.1'])
    expect(dns.asked).toEqual(['A example.com', 'AAAA example.com'])
  })

  test('IPv4 comes before IPv6', async () => {
    const dns = source({
      resolve4: async () => [{ address: '192.0.2.1', ttl: 300 }],
      resolve6: async () => [{ address: '2001:db8::1', ttl: 300 }],
    })
    expect(await createLookups(() => 0, dns).addresses('x')).toEqual(['192.0.2.1', '2001:db8::1'])
  })

  test('what DNS does not know may be in /etc/hosts', async () => {
    const dns = source({ lookup: async () => [{ address: '127.0.0.1' }] })
    expect(await createLookups(() => 0, dns).addresses('localhost')).toEqual(['127.0.0.1'])
  })

  test('a failure is no address and no exception', async () => {
    const lookups = createLookups(() => 0, source())
    expect([await lookups.addresses('x'), await lookups.srv('_sip._udp.x')]).toEqual([[], []])
  })

  test('a flood of names waits for a bounded number of answers', async () => {
    const dns = source({ resolve4: () => new Promise(() => {}), resolve6: () => new Promise(() => {}) })
    const lookups = createLookups(() => 0, dns)
    for (let i = 0; i < 2_000; i++) void lookups.addresses(`host${i}`)
    expect(await lookups.addresses('one-more')).toEqual([])
    expect(dns.asked.filter((question) => question.startsWith('A '))).toHaveLength(512)
  })
})

describe('a socket that cannot be bound', () => {
  test.each([
    ['EADDRINUSE', /another program uses that port.*ss -lunp/],
    ['EACCES', /below 1024/],
    ['EADDRNOTAVAIL', /no such address.*advertise 192\.0\.2\.1:5060/],
    ['EAFNOSUPPORT', /IPv6/],
    ['EWHATEVER', /bind EWHATEVER/],
  ])('%s says what to do', (code, expected) => {
    const cause = Object.assign(new Error(`bind ${code}`), { code })
    const error = bindError({ transport: 'udp', address: '192.0.2.1', port: 5060 }, cause)
    expect(error.message).toMatch(/^cannot listen on udp:192\.0\.2\.1:5060: /)
    expect(error.message).toMatch(expected)
  })
})
