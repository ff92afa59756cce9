import { describe, expect, test } from 'vitest'
import { ladder, playLadder, type World } from '../../src/testing/index.ts'
import { hostile, registrar, send, statusOf } from './hostile.ts'

/** What comes of messages that were made to do harm: rows 34 to 44, 66 and 67 of the list of attacks. */

/** One ladder for a table: a router each would be slow. */
function table<T extends { readonly what: string }>(
  title: string,
  rows: readonly T[],
  check: (row: T, world: World) => Promise<void>,
): void {
  test.each(rows)(`${title}: $what`, async (row) => {
    await playLadder(registrar, {}, (cast) => check(row, cast))
  })
}

describe('row 35: a header that is removed is gone for every reader', () => {
  const smuggled = [
    { what: 'a space before the colon', line: 'P-Asserted-Identity : <sip:boss@x>' },
    { what: 'a tab before the colon', line: 'P-Asserted-Identity\t: <sip:boss@x>' },
    { what: 'another case', line: 'p-asserted-IDENTITY: <sip:boss@x>' },
    { what: 'behind a bare LF', line: 'X: y\nP-Asserted-Identity: <sip:boss@x>' },
    { what: 'behind a bare CR', line: 'X: y\rP-Asserted-Identity: <sip:boss@x>' },
    { what: 'a NUL in the value', line: 'P-Asserted-Identity: <sip:boss@x>\0' },
    { what: 'a control character in the name', line: 'P-Asserted-\x01Identity: <sip:boss@x>' },
    { what: 'a NUL in the name', line: 'P-Asserted-Identity\0: <sip:boss@x>' },
    { what: 'folded', line: 'P-Asserted-Identity:\r\n <sip:boss@x>' },
    { what: 'twice', line: 'P-Asserted-Identity: <sip:a@x>\r\nP-Asserted-Identity: <sip:boss@x>' },
  ]
  table('removed or refused', smuggled, async ({ line }, world) => {
    const result = await send(world, hostile({ lines: [line] }))
    // A reader that ends lines at CR or LF, skips control characters and takes names as they come.
    const lenient = result.forwarded.flatMap((text) => text.split(/[\r\n]+/))
    const names = lenient.map((one) =>
      one
        .slice(0, one.indexOf(':'))
        .replace(/[^!-~]/g, '')
        .toLowerCase(),
    )
    expect(names).not.toContain('p-asserted-identity')
    if (result.forwarded.length === 0) expect([0, 400]).toContain(statusOf(result))
  })
})

describe('rows 34 and 36: one of each', () => {
  const doubled = [
    { what: 'From', line: 'From: <sip:other@x>;tag=2' },
    { what: 'To', line: 'To: <sip:other@x>' },
    { what: 'Call-ID', line: 'Call-ID: other' },
    { what: 'CSeq', line: 'CSeq: 2 OPTIONS' },
    { what: 'Max-Forwards', line: 'Max-Forwards: 1' },
    { what: 'Content-Length', line: 'Content-Length: 5' },
    { what: 'From, in short', line: 'f: <sip:other@x>;tag=2' },
  ]
  table('400', doubled, async ({ line }, world) => {
    const result = await send(world, hostile({ lines: [line] }))
    expect(result.forwarded).toEqual([])
    expect(statusOf(result)).toBe(400)
  })
})

describe('row 44: numbers are digits, and have a range', () => {
  const numbers = [
    { what: 'CSeq 2^32', parts: { cseq: 'CSeq: 4294967296 OPTIONS' } },
    { what: 'CSeq -1', parts: { cseq: 'CSeq: -1 OPTIONS' } },
    { what: 'CSeq 1e3', parts: { cseq: 'CSeq: 1e3 OPTIONS' } },
    { what: 'CSeq 0x1', parts: { cseq: 'CSeq: 0x1 OPTIONS' } },
    { what: 'Content-Length +0', parts: { contentLength: '+0' } },
    { what: 'Content-Length 0x0', parts: { contentLength: '0x0' } },
    { what: 'Content-Length 2^53+1', parts: { contentLength: '9007199254740993' } },
    { what: 'Content-Length -5', parts: { contentLength: '-5' } },
    { what: 'Content-Length longer than the datagram', parts: { contentLength: '5', body: 'four' } },
    { what: 'port 99999 in Via', parts: { via: 'Via: SIP/2.0/UDP 192.0.2.11:99999;branch=z9hG4bKp' } },
    {
      what: 'port 99999 in the Request-URI',
      parts: { startLine: 'OPTIONS sip:x@far.example:99999 SIP/2.0' },
    },
    { what: 'version 2.1', parts: { startLine: 'OPTIONS sip:x@far.example SIP/2.1' } },
  ]
  table('refused', numbers, async ({ parts }, world) => {
    const result = await send(world, hostile(parts))
    expect(result.forwarded).toEqual([])
    expect([0, 400, 505]).toContain(statusOf(result))
  })

  const lifetimes = [
    { what: '-1', expires: '-1' },
    { what: '2^32', expires: '4294967296' },
    { what: 'abc', expires: 'abc' },
    { what: '1e9', expires: '1e9' },
  ]
  table('Expires is a 400 or the default, never for ever', lifetimes, async ({ expires }, world) => {
    const result = await send(
      world,
      hostile({
        method: 'REGISTER',
        startLine: 'REGISTER sip:192.0.2.1 SIP/2.0',
        lines: [`Expires: ${expires}`, 'Contact: <sip:x@192.0.2.50>'],
      }),
    )
    if (statusOf(result) !== 200) expect(statusOf(result)).toBe(400)
    else expect(Number(/expires=(\d+)/.exec(result.finals[0] ?? '')?.[1])).toBeLessThanOrEqual(3600)
  })
})

describe('rows 37 and 38: much of everything', () => {
  const many = [
    { what: '10,000 headers', text: () => hostile({ lines: repeat('X: y', 10_000) }) },
    { what: 'a header of 60,000 octets', text: () => hostile({ lines: [`X: ${'y'.repeat(60_000)}`] }) },
    {
      what: '1,000 Vias',
      text: () => hostile({ lines: repeat('Via: SIP/2.0/UDP h;branch=z9hG4bKm', 1_000) }),
    },
    { what: '500 Routes', text: () => hostile({ lines: repeat('Route: <sip:192.0.2.1;lr>', 500) }) },
    {
      what: '1,000 contacts',
      text: () =>
        hostile({
          method: 'REGISTER',
          startLine: 'REGISTER sip:192.0.2.1 SIP/2.0',
          lines: [`Contact: ${repeat('<sip:a@b>', 1_000).join(',')}`],
        }),
    },
    { what: '10,000 <', text: () => hostile({ from: `From: ${'<'.repeat(10_000)}sip:a@b>;tag=1` }) },
    { what: '10,000 "', text: () => hostile({ from: `From: ${'"'.repeat(10_000)} <sip:a@b>;tag=1` }) },
    { what: '10,000 ;', text: () => hostile({ to: `To: <sip:a@b>${';'.repeat(10_000)}` }) },
    { what: '10,000 folds', text: () => hostile({ lines: [`Subject: ${'\r\n x'.repeat(10_000)}`] }) },
    { what: '5,000 escapes', text: () => hostile({ to: `To: <sip:${'%41'.repeat(5_000)}@b>` }) },
    { what: '10,000 (', text: () => hostile({ lines: [`Server: ${'('.repeat(10_000)}`] }) },
    { what: '10,000 commas in Via', text: () => hostile({ via: `Via: ${','.repeat(10_000)}` }) },
  ]
  table('one answer at most, in no time', many, async ({ text }, world) => {
    const message = text()
    const began = performance.now()
    const { finals, forwarded } = await send(world, message)
    expect(finals.length + forwarded.length).toBeLessThanOrEqual(2)
    expect(finals.length).toBeLessThanOrEqual(1)
    // Linear is a few milliseconds; whatever is not takes seconds.
    expect(performance.now() - began).toBeLessThan(3_000)
  })

  function repeat(line: string, count: number): string[] {
    return Array.from({ length: count }, () => line)
  }
})

describe('row 39: what has crashed others', () => {
  const published = [
    {
      what: 'an empty To tag, twice To (CVE-2018-14767)',
      parts: { to: 'To: <sip:a@b>;tag=', lines: ['To: <sip:a@b>'] },
    },
    { what: 'a Via without a sent-by (CVE-2018-16657)', parts: { via: 'Via: SIP/2.0/UDP ;branch=z9hG4bKv' } },
    {
      what: 'a branch and a tag of odd length (CVE-2018-8828)',
      parts: {
        method: 'REGISTER',
        via: `Via: SIP/2.0/UDP 192.0.2.11;branch=z9hG4bK${'a'.repeat(3_000)}`,
        from: `From: <sip:a@b>;tag=${'b'.repeat(3_000)}`,
      },
    },
    {
      what: 'an unclosed quote in Authorization (CVE-2023-28098)',
      parts: {
        method: 'REGISTER',
        startLine: 'REGISTER sip:192.0.2.1 SIP/2.0',
        lines: ['Authorization: Digest username="', 'Contact: <sip:x@192.0.2.50>'],
      },
    },
    { what: 'a From without anything', parts: { from: 'From:' } },
    { what: 'a From of one quote', parts: { from: 'From: "' } },
    { what: 'a Contact of one angle bracket', parts: { method: 'REGISTER', lines: ['Contact: <'] } },
    { what: 'a CSeq without a method', parts: { cseq: 'CSeq: 1' } },
    { what: 'no Via at all', parts: { via: 'X: y' } },
    { what: 'a Request-URI that is only sip:', parts: { startLine: 'OPTIONS sip: SIP/2.0' } },
    { what: 'IPv6 that never ends', parts: { startLine: 'OPTIONS sip:[::1 SIP/2.0' } },
    { what: 'a body type of nothing', parts: { lines: ['Content-Type: '], body: 'x' } },
    { what: 'the name __proto__ as a header', parts: { lines: ['__proto__: polluted', 'constructor: x'] } },
  ]
  table('one answer at most', published, async ({ parts }, world) => {
    const { finals } = await send(world, hostile(parts))
    expect(finals.length).toBeLessThanOrEqual(1)
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
  })

  for (const what of [
    '\0',
    '\r\n\r\n',
    ' ',
    'SIP/2.0',
    'OPTIONS',
    'SIP/2.0 200 OK\r\n\r\n',
    '\xff'.repeat(2_000),
  ]) {
    ladder(`datagram ${JSON.stringify(what.slice(0, 12))} is dropped`, registrar, async (world) => {
      expect(await send(world, what)).toEqual({ finals: [], forwarded: [] })
    })
  }
})

describe('row 42: octets that are no UTF-8 go through as they are', () => {
  const every = Array.from({ length: 256 }, (_, code) => String.fromCharCode(code)).join('')
  ladder('all 256 in a body, those above 127 in headers', registrar, async (world) => {
    const high = every.slice(128)
    const { forwarded } = await send(
      world,
      hostile({
        from: `From: "${high}" <sip:evil@far.example>;tag=hi`,
        lines: [`Subject: ${high}`],
        body: every,
      }),
    )
    expect(forwarded).toHaveLength(1)
    expect(forwarded[0]).toContain(`\r\n\r\n${every}`)
    expect(forwarded[0]).toContain(`\r\nSubject: ${high}\r\n`)
    expect(forwarded[0]).toContain(`From: "${high}"`)
    expect(forwarded[0]).toContain('Content-Length: 256\r\n')
  })
})

describe('row 43: letters are those of ASCII', () => {
  /** UTF-8 octets, as they come in a datagram. */
  const utf8 = (text: string) => Buffer.from(text, 'utf8').toString('latin1')

  ladder('a method with a dotted I is another method', registrar, async (world) => {
    const method = utf8('REG\u0130STER')
    const { finals, forwarded } = await send(
      world,
      hostile({ startLine: `${method} sip:192.0.2.1 SIP/2.0`, cseq: `CSeq: 1 ${method}` }),
    )
    expect(finals.some((text) => text.startsWith('SIP/2.0 200'))).toBe(false)
    expect(forwarded.length + finals.length).toBeLessThanOrEqual(1)
  })

  ladder('users who differ in an accented letter are two users', registrar, async (world) => {
    const register = hostile({
      method: 'REGISTER',
      startLine: 'REGISTER sip:192.0.2.1 SIP/2.0',
      to: 'To: <sip:\xc4nne@192.0.2.1>',
      lines: ['Contact: <sip:anne@192.0.2.12>'],
    })
    await send(world, register)
    const other = hostile({ method: 'MESSAGE', startLine: 'MESSAGE sip:\xe4nne@192.0.2.1 SIP/2.0' })
    expect((await send(world, other)).forwarded).toEqual([])
  })
})

describe('row 66: headers in a URI stay where they are', () => {
  ladder('in a Contact', registrar, async ({ bob, ...world }) => {
    const register = hostile({
      method: 'REGISTER',
      startLine: 'REGISTER sip:192.0.2.1 SIP/2.0',
      to: 'To: <sip:user@192.0.2.1>',
      lines: ['Contact: <sip:bob@192.0.2.12?Route=%3Csip:203.0.113.99%3E&Subject=x>'],
    })
    await send(world, register)
    await send(world, hostile({ method: 'MESSAGE', startLine: 'MESSAGE sip:user@192.0.2.1 SIP/2.0' }))
    for (const request of bob.inbox) {
      expect(request.headers('Route')).toEqual([])
      expect(request.headers('Subject')).toEqual([])
    }
  })

  ladder('in the Request-URI', registrar, async ({ bob, ...world }) => {
    await send(
      world,
      hostile({ startLine: 'OPTIONS sip:x@far.example?Route=%3Csip:203.0.113.99%3E SIP/2.0' }),
    )
    for (const request of bob.inbox) expect(request.headers('Route')).toEqual([])
    expect(world.network.captured.some(({ to }) => to.address === '203.0.113.99')).toBe(false)
  })
})

describe('row 67: NUL is a character', () => {
  ladder('null%00 and null are two users, each with one answer', registrar, async (world) => {
    const register = (user: string, port: number) =>
      hostile({
        method: 'REGISTER',
        startLine: 'REGISTER sip:192.0.2.1 SIP/2.0',
        to: `To: <sip:${user}@192.0.2.1>`,
        lines: [`Contact: <sip:c@192.0.2.12:${port}>`],
      })
    for (const [user, port] of [
      ['null-%00-null', 5061],
      ['null-', 5062],
    ] as const) {
      const { finals } = await send(world, register(user, port))
      expect(finals).toHaveLength(1)
      expect(finals[0]?.match(/<sip:c@/g)).toHaveLength(1)
      expect(finals[0]).toContain(`192.0.2.12:${port}`)
    }
  })
})
