import fc from 'fast-check'
import { beforeEach, describe, expect, test } from 'vitest'
import { isPrivateAddress } from '../../plugins/nathelper/addresses.ts'
import nathelper from '../../plugins/nathelper/index.ts'
import registrar from '../../plugins/registrar/index.ts'
import usrloc from '../../plugins/usrloc/index.ts'
import { parsePrefix } from '../../src/plugin/index.ts'
import { ladder } from '../../src/testing/index.ts'
import { createEdge, type Edge, requestText } from './edge.ts'

let edge: Edge
const source = { address: '203.0.113.9', port: 1024 }

beforeEach(async () => {
  edge = createEdge()
  await edge.load(nathelper)
})

const sdp = (c: string) =>
  `v=0\r\no=- 1 1 IN IP4 10.0.0.9\r\ns=-\r\nc=IN IP4 ${c}\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n`

function invite(contact: string | null, options: { body?: string; from?: object; uri?: string } = {}) {
  const { body = '' } = options
  const lines = [
    ...(contact === null ? [] : [`Contact: ${contact}`]),
    ...(body ? ['Content-Type: application/sdp'] : []),
  ]
  return edge.receives(
    requestText('INVITE', { uri: options.uri ?? 'sip:b@50.170.158.149', lines, body }),
    options.from ?? source,
  )
}

const contactLine = (text: string) => /Contact: (.*)\r\n/.exec(text)?.[1]

describe('nat_uac_test(): each sign by itself', () => {
  test.each([
    ['1', invite_('<sip:a@10.0.0.5>'), 1],
    ['1', invite_('<sip:a@100.64.1.1>'), 1],
    ['1', invite_('<sip:a@198.51.100.5>'), -1],
    ['1', invite_('<sip:a@10.example.com>'), -1],
    ['1', invite_(null), -1],
    ['2', invite_(null), 1],
    ['2', invite_(null, { from: { address: '10.92.240.131', port: 9 } }), -1],
    ['4', invite_(null), 1],
    ['8', invite_(null, { body: sdp('192.168.1.1') }), 1],
    ['8', invite_(null, { body: sdp('198.51.100.1') }), -1],
    ['16', invite_(null), 1],
    ['16', invite_(null, { from: { address: '10.92.240.131', port: 5060 } }), -1],
    ['32', invite_(null), -1],
    ['32', invite_(null, { from: { address: '10.92.240.131', port: 5060 } }), 1],
    ['64', invite_(null), -1],
    ['128', invite_('<sip:a@10.0.0.5>'), 1],
    ['128', invite_('<sip:a@10.0.0.5:1024>'), -1],
    ['256', invite_(null, { body: sdp('203.0.113.9') }), -1],
    ['256', invite_(null, { body: sdp('203.0.113.8') }), 1],
    ['512', invite_(null), -1],
    ['512', invite_(null, { uri: 'sip:b@192.0.2.99' }), 1],
    ['19', invite_('<sip:a@198.51.100.5>', { from: { address: '10.92.240.131', port: 5060 } }), -1],
  ])('%s', (mask, make, rc) => expect(edge.call('nat_uac_test', make(), mask)).toBe(rc))

  function invite_(contact: string | null, options: Parameters<typeof invite>[1] = {}) {
    return () => invite(contact, options)
  }
})

describe('contacts', () => {
  test('fix_nated_contact(): host and port of the packet, the rest as it was; once per message', () => {
    const context = invite('"A" <sip:a@10.0.0.5:5062;transport=udp>;q=1')
    expect(edge.call('fix_nated_contact', context)).toBe(1)
    expect(contactLine(context.written())).toBe('"A" <sip:a@203.0.113.9:1024;transport=udp>;q=1')
    expect(edge.call('fix_nated_contact', context)).toBe(-1)
    expect(edge.call('fix_nated_contact', invite(null))).toBe(-1)
  })

  test('set_contact_alias(): at the end of the URI, always', () => {
    const context = invite('<sip:1000@10.0.0.5:5062>')
    expect(edge.call('set_contact_alias', context)).toBe(1)
    expect(contactLine(context.written())).toBe('<sip:1000@10.0.0.5:5062;alias=203.0.113.9~1024~1>')
  })

  test('add_contact_alias(): behind host and port, before other parameters; 2 if it is not needed', () => {
    const context = invite('<sip:1000@10.0.0.5:5062;ob>')
    expect(edge.call('add_contact_alias', context)).toBe(1)
    expect(contactLine(context.written())).toBe('<sip:1000@10.0.0.5:5062;alias=203.0.113.9~1024~1;ob>')
    expect(edge.call('add_contact_alias', invite('<sip:1000@203.0.113.9:1024>'))).toBe(1)
    expect(edge.call('add_contact_alias', invite('<sip:1000@203.0.113.9:1024;transport=udp>'))).toBe(2)
    expect(edge.call('add_contact_alias', invite(null))).toBe(2)
    expect(edge.call('add_contact_alias', invite('*'))).toBe(-1)
  })

  test('an alias is a parameter of the URI: a bare one gets brackets', () => {
    for (const name of ['add_contact_alias', 'set_contact_alias']) {
      const context = invite('sip:1000@10.0.0.5:5062;expires=60')
      expect(edge.call(name, context)).toBe(1)
      const expected = '<sip:1000@10.0.0.5:5062;alias=203.0.113.9~1024~1>;expires=60'
      expect(contactLine(context.written())).toBe(expected)
    }
  })

  test('handle_ruri_alias() takes one alias: the first, or with a mode the last', () => {
    const uri = 'sip:a@10.0.0.5;alias=192.0.2.1~5070~1;alias=192.0.2.2~5070~1'
    for (const [mode, left, next] of [
      [undefined, 'sip:a@10.0.0.5;alias=192.0.2.2~5070~1', 'sip:192.0.2.1:5070'],
      ['1', 'sip:a@10.0.0.5;alias=192.0.2.1~5070~1', 'sip:192.0.2.2:5070'],
    ] as const) {
      const context = invite(null, { uri })
      expect(edge.call('handle_ruri_alias', context, ...(mode ? [mode] : []))).toBe(1)
      expect([context.target.uri, context.target.destinationUri]).toEqual([left, next])
    }
  })

  test.each([
    ['sip:1000@10.0.0.5:5062;alias=203.0.113.9~1024~1', 1, 'sip:1000@10.0.0.5:5062', 'sip:203.0.113.9:1024'],
    [
      'sip:1000@10.0.0.5;alias=203.0.113.9~1024~2;ob',
      1,
      'sip:1000@10.0.0.5;ob',
      'sip:203.0.113.9:1024;transport=tcp',
    ],
    ['sip:1000@10.0.0.5;alias=[2001:db8::1]~1024~1', 1, 'sip:1000@10.0.0.5', 'sip:[2001:db8::1]:1024'],
    ['sip:1000@10.0.0.5', 2, 'sip:1000@10.0.0.5', null],
    ['sip:1000@10.0.0.5;alias=', 2, 'sip:1000@10.0.0.5;alias=', null],
    ['sip:1000@10.0.0.5;alias=203.0.113.9~70000~1', -1, 'sip:1000@10.0.0.5;alias=203.0.113.9~70000~1', null],
    ['sip:1000@10.0.0.5;alias=evil.example~5060~1', -1, 'sip:1000@10.0.0.5;alias=evil.example~5060~1', null],
    ['sip:1000@10.0.0.5;alias=224.0.0.1~5060~1', -1, 'sip:1000@10.0.0.5;alias=224.0.0.1~5060~1', null],
  ])('handle_ruri_alias() of %s: %i', (uri, rc, ruri, du) => {
    const context = invite(null, { uri })
    expect(edge.call('handle_ruri_alias', context)).toBe(rc)
    expect([context.target.uri, context.target.destinationUri]).toEqual([ruri, du])
  })

  test('an alias that was written is read back', () => {
    const context = invite('<sip:1000@10.0.0.5:5062>')
    edge.call('set_contact_alias', context)
    const back = invite(null, { uri: /<(.*)>/.exec(contactLine(context.written()) ?? '')?.[1] ?? '' })
    expect(edge.call('handle_ruri_alias', back)).toBe(1)
    expect(back.target).toMatchObject({
      uri: 'sip:1000@10.0.0.5:5062',
      destinationUri: 'sip:203.0.113.9:1024',
    })
  })

  test('add_rcv_param(): of the header, or of the URI', () => {
    const header = invite('<sip:a@10.0.0.5>')
    edge.call('add_rcv_param', header)
    expect(contactLine(header.written())).toBe('<sip:a@10.0.0.5>;received="sip:203.0.113.9:1024"')
    const uri = invite('<sip:a@10.0.0.5>')
    edge.call('add_rcv_param', uri, '1')
    expect(contactLine(uri.written())).toBe('<sip:a@10.0.0.5;received=sip:203.0.113.9:1024>')
  })
})

test.each([
  ['10.0.0.1', 1],
  ['172.16.0.1', 1],
  ['172.32.0.1', -1],
  ['192.168.255.1', 1],
  ['100.64.0.1', 1],
  ['100.128.0.1', -1],
  ['8.8.8.8', -1],
  ['fd00::1', 1],
  ['nonsense', -1],
])('is_rfc1918(%s): %i', (address, rc) => expect(edge.call('is_rfc1918', invite(null), address)).toBe(rc))

test('law: an IPv4 address is private if it is in one of the reserved prefixes, at their edges too', () => {
  const reserved = [
    '10.0.0.0/8',
    '172.16.0.0/12',
    '192.168.0.0/16',
    '100.64.0.0/10',
    '169.254.0.0/16',
    '192.0.0.0/24',
  ]
  const prefixes = reserved.map((text) => parsePrefix(text))
  const octet = fc.oneof(
    fc.constantFrom(0, 9, 10, 11, 15, 16, 31, 32, 63, 64, 127, 128, 168, 169, 172, 192, 254, 255),
    fc.nat(255),
  )
  fc.assert(
    fc.property(octet, octet, octet, octet, (a, b, c, d) => {
      const address = `${a}.${b}.${c}.${d}`
      return isPrivateAddress(address) === prefixes.some((prefix) => prefix?.contains(address))
    }),
    { numRuns: 1_000 },
  )
})

test.each(['10.0.0', '10.0.0.256', '10.0.0.1.2', '10..0.1', '10.0.0.', '10.0.0.1x', '1'])(
  '%s is not four decimal numbers: what ipaddr.js makes of it counts',
  (text) => expect(isPrivateAddress(text)).toBe(parsePrefix('10.0.0.0/8')?.contains(text)),
)

describe('fix_nated_sdp()', () => {
  test('c= and o= follow the packet; what is on hold stays so', () => {
    const context = invite(null, { body: sdp('192.168.1.1') })
    expect(edge.call('fix_nated_sdp', context, '10')).toBe(1)
    const written = context.written()
    expect(written).toContain('o=- 1 1 IN IP4 203.0.113.9\r\n')
    expect(written).toContain('c=IN IP4 203.0.113.9\r\nt=0 0\r\n')
    expect(written).toMatch(/\r\na=oldmediaip:192\.168\.1\.1\r\na=oldmediaip:10\.0\.0\.9\r\n$/)
    const body = written.slice(written.indexOf('\r\n\r\n') + 4)
    expect(written).toContain(`Content-Length: ${body.length}\r\n`)
    expect(edge.call('fix_nated_sdp', invite(null, { body: sdp('0.0.0.0') }), '2')).toBe(2)
    expect(edge.call('fix_nated_sdp', invite(null), '2')).toBe(-1)
  })

  test('direction and mark stand at the end', () => {
    const context = invite(null, { body: sdp('192.168.1.1') })
    expect(edge.call('fix_nated_sdp', context, '5')).toBe(2)
    expect(context.written()).toMatch(/m=audio[\s\S]*\r\na=direction:active\r\na=nortpproxy:yes\r\n$/)
  })

  test('each medium has its direction', () => {
    const context = invite(null, { body: `${sdp('192.168.1.1')}m=video 4002 RTP/AVP 31\r\n` })
    edge.call('fix_nated_sdp', context, '1')
    expect(context.written().match(/a=direction:active\r\n/g)).toHaveLength(2)
    expect(context.written()).toMatch(/a=direction:active\r\nm=video [^\r]+\r\na=direction:active\r\n$/)
  })

  test('an address of the other family changes its type', () => {
    const context = invite(null, { body: sdp('fd00::1').replaceAll('IP4', 'IP6') })
    expect(edge.call('fix_nated_sdp', context, '2')).toBe(1)
    expect(context.written()).toContain('c=IN IP4 203.0.113.9\r\n')
    expect(context.written()).toContain('a=oldmediaip6:fd00::1\r\n')
  })
})

describe('keepalives', () => {
  async function world(values: Record<string, unknown>) {
    edge = createEdge()
    await edge.load(usrloc, { nat_bflag: 6 })
    await edge.load(registrar)
    await edge.load(nathelper, { natping_interval: 10, ...values })
    await edge.start()
  }

  function register(user: string, flags: number) {
    const uri = `sip:${user}@x`
    const context = edge.receives(
      requestText('REGISTER', { from: uri, lines: [`Contact: <sip:${user}@203.0.113.9:1024>`] }),
    )
    context.target.flags = flags
    edge.call('save', context, 'location')
  }

  test('each binding once per interval: four zero octets to where it registered from', async () => {
    await world({})
    register('a', 0)
    register('b', 0)
    await edge.clock.advance(40_000)
    expect(edge.raw.length).toBeGreaterThanOrEqual(6)
    expect(edge.raw.length).toBeLessThanOrEqual(8)
    expect(edge.raw[0]).toEqual({ text: '\u0000\u0000\u0000\u0000', address: '203.0.113.9', port: 1024 })
  })

  test('ping_nated_only, sipping_bflag, natping_disable_bflag', async () => {
    await world({
      ping_nated_only: 1,
      sipping_bflag: 7,
      natping_disable_bflag: 8,
      sipping_from: 'sip:pinger@x',
    })
    register('public', 0)
    register('silent', (1 << 6) | (1 << 8))
    register('sip', (1 << 6) | (1 << 7))
    await edge.clock.advance(12_000)
    expect(edge.raw).toEqual([])
    expect(edge.requests).toMatchObject([
      { method: 'OPTIONS', to: 'sip:sip@203.0.113.9:1024', stateful: false },
    ])
    expect(edge.requests[0]?.from).toMatch(/^sip:pinger@x;tag=uloc-[0-9a-f]+-\d+-[0-9a-f]{8}-0-0$/)
  })

  test('keepalive_timeout: who answers stays, who does not goes', async () => {
    await world({ sipping_bflag: 7, sipping_from: 'sip:pinger@x', keepalive_timeout: 35 })
    register('alive', 1 << 7)
    register('dead', 1 << 7)
    for (let i = 0; i < 60; i++) {
      await edge.clock.advance(1_000)
      for (const request of edge.requests.splice(0)) {
        if (!request.to.includes('alive')) continue
        const text = `SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 50.170.158.149;branch=z9hG4bKp\r\nFrom: ${request.from}\r\nTo: <${request.to}>;tag=1\r\nCall-ID: p\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n`
        edge.receives(text, source)
      }
    }
    const rc = (user: string) =>
      edge.call('lookup', edge.receives(requestText('INVITE', { uri: `sip:${user}@x` })), 'location')
    expect([rc('alive'), rc('dead')]).toEqual([1, -1])
  })
})

describe('what the script corrects about a Contact counts from then on (measured on Kamailio 5.6.3)', () => {
  const script = (correct: string) => ({
    script: `
      loadmodule "tm.so"
      loadmodule "sl.so"
      loadmodule "xlog.so"
      loadmodule "usrloc.so"
      loadmodule "registrar.so"
      loadmodule "nathelper.so"
      loadmodule "kex.so"
      request_route {
        ${correct}
        $var(private) = nat_uac_test("1");
        xlog("L_NOTICE", "sel=$sel(contact.uri) ct=$ct private=$var(private)\\n");
        save("location");
      }`,
  })
  const sent = '<sip:alice@10.0.0.5:5062>;q=0.5'

  for (const [correct, seen, isPrivate] of [
    ['fix_nated_contact();', 'sip:alice@192.0.2.11:5060', '-1'],
    ['set_contact_alias();', 'sip:alice@10.0.0.5:5062;alias=192.0.2.11~5060~1', '1'],
    // These two are for the next hop alone.
    ['add_contact_alias();', 'sip:alice@10.0.0.5:5062', '1'],
    ['add_rcv_param();', 'sip:alice@10.0.0.5:5062', '1'],
  ] as const) {
    ladder(`${correct} then save()`, script(correct), async ({ alice, log }) => {
      await alice.sends('REGISTER sip:example.com', { headers: { Contact: sent } })
      const answer = await alice.receives(200)
      expect(answer.header('Contact')).toContain(`<${seen}>`)
      expect(log.messages('info').join()).toContain(`sel=${seen} ct=${sent} private=${isPrivate}`)
    })
  }
})

describe('answers to SIP pings', () => {
  const script = {
    script: `
      loadmodule "tm.so"
      loadmodule "sl.so"
      loadmodule "xlog.so"
      loadmodule "usrloc.so"
      loadmodule "registrar.so"
      loadmodule "nathelper.so"
      loadmodule "kex.so"
      modparam("usrloc", "nat_bflag", 6)
      modparam("nathelper", "natping_interval", 10)
      modparam("nathelper", "keepalive_timeout", 35)
      modparam("nathelper", "sipping_bflag", 7)
      modparam("nathelper", "sipping_from", "sip:pinger@example.com")
      request_route {
        if ($rm == "REGISTER") { setbflag(7); save("location"); exit; }
        if (!lookup("location")) { sl_send_reply("404", "Not Found"); exit; }
        t_relay();
      }
      reply_route { xlog("L_NOTICE", "reply_route saw $rm from $si\\n"); }`,
  }

  ladder(
    'are for nobody else, and keep the binding',
    script,
    async ({ alice, carol, advance, log, network }) => {
      alice.answers('OPTIONS', 200)
      await alice.registers()
      await advance(120_000)
      expect(network.captured.filter(({ text }) => text.startsWith('OPTIONS')).length).toBeGreaterThan(9)
      expect(log.messages('info').filter((line) => line.includes('reply_route'))).toEqual([])
      await carol.sends('MESSAGE sip:alice@example.com')
      await alice.receives('MESSAGE')
      await alice.sends(200)
      await carol.receives(200)
      expect(log.messages('info').filter((line) => line.includes('reply_route saw MESSAGE'))).toHaveLength(1)
    },
  )

  ladder('from another address keep nothing alive', script, async ({ alice, bob, carol, advance }) => {
    await alice.registers()
    for (let i = 0; i < 60; i++) {
      await advance(1_000)
      for (const ping of alice.inbox.filter((received) => !received.isExpected)) {
        ping.isExpected = true
        const lines = ping.text.split('\r\n').filter((line) => /^(Via|From|To|Call-ID|CSeq):/.test(line))
        await bob.sendsText(`SIP/2.0 200 OK\r\n${lines.join('\r\n')}\r\nContent-Length: 0\r\n\r\n`)
      }
    }
    await carol.sends('MESSAGE sip:alice@example.com')
    await carol.receives(404)
  })
})
