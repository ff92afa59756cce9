import { describe, expect, it } from 'vitest'
import sanity from '../../plugins/sanity/index.ts'
import { createStand } from './stand.ts'
import { type TextParts, textMessage } from './text-message.ts'

/** Reply texts and codes are those of Kamailio 5.6.3 unless a test says otherwise. */
const stand = createStand()

async function check(
  text: string,
  args: readonly unknown[],
  params: Record<string, unknown> = { autodrop: 0, proxy_require: 'foo, bar' },
) {
  const bench = await stand.load(sanity, params)
  const context = stand.context(text)
  const code = bench.call('sanity_check', context, ...args)
  const replies = context.replies.map(({ statusCode, reason, headers }) =>
    `${statusCode} ${reason} ${headers}`.trim(),
  )
  return { code, replies, bench, context }
}

const credentials = 'Authorization: Digest username="a", realm="b", nonce="c", uri="sip:a", response="d"\r\n'

describe('sanity_check', () => {
  it.each<[string, TextParts, number, number, string]>([
    ['scheme http', { uri: 'http://foo/bar' }, 2, 7, '416 Unsupported URI Scheme in Request URI'],
    ['no URI at all', { uri: 'abc' }, 2, 7, '400 Bad Request URI'],
    ['tel', { uri: 'tel:+123' }, 2, 7, ''],
    ['urn', { uri: 'urn:service:sos' }, 2, 7, ''],
    ['two From', { headers: 'f: <sip:x@y>;tag=2\r\n' }, 4, 7, '400 Bad Headers'],
    ['two Via are none too many', { headers: 'Via: SIP/2.0/UDP x\r\n' }, 4, 7, ''],
    ['Expires', { headers: 'Expires: abc\r\n' }, 256, 7, '400 Expires value is illegal'],
    ['Expires too large', { headers: 'Expires: 99999999999\r\n' }, 256, 7, '400 Expires value is illegal'],
    ['Expires right', { headers: 'Expires: 60\r\n' }, 256, 7, ''],
    [
      'Proxy-Require',
      { headers: 'Proxy-Require: Foo, baz\r\nProxy-Require: qux\r\n' },
      512,
      7,
      '420 Bad Proxy Require Extension Unsupported: baz, qux',
    ],
    ['Proxy-Require of what we know', { headers: 'Proxy-Require: bar\r\n' }, 512, 7, ''],
    ['From', { from: '<xsip:a@b>;tag=1' }, 1024, 7, '400 Invalid From Header'],
    ['From, not asked for', { from: '<xsip:a@b>;tag=1' }, 1024, 4, ''],
    ['To', { to: '<sip:a@b:99999999>' }, 1024, 7, '400 Invalid To Header'],
    ['Request-URI', { uri: 'sip:a@b:99999999' }, 1024, 7, '400 Bad Request URI'],
    ['Contact', { headers: 'm: <foo>\r\n' }, 1024, 15, '400 Bad Contact URI'],
    ['Contact, not asked for', { headers: 'm: <foo>\r\n' }, 1024, 7, ''],
    ['two From tags', { from: '<sip:x@y>;tag=2;tag=3' }, 4096, 7, '400 Many From Tag Params'],
    ['two To tags', { to: '<sip:x@y>;tag=2;TAG=3' }, 4096, 7, '400 Many To Tag Params'],
    [
      'half a digest',
      { headers: 'Authorization: Digest username="a"\r\n' },
      2048,
      7,
      '400 Bad Auth Credentials',
    ],
    ['another scheme may be', { headers: 'Authorization: Basic abc\r\n' }, 8192, 7, ''],
    [
      'half a digest there',
      { headers: 'Authorization: Digest x=y\r\n' },
      8192,
      7,
      '400 Bad Authorization Header',
    ],
    ['a whole digest', { headers: credentials }, 2048 | 8192, 7, ''],
    ['all of it', { headers: credentials }, 0x1ffff, 15, ''],
  ])('%s', async (_what, parts, mask, uris, reply) => {
    const { code, replies } = await check(textMessage(parts), [mask, uris])
    expect({ code, replies }).toEqual({ code: reply === '' ? 1 : -1, replies: reply === '' ? [] : [reply] })
  })

  it.each<[string, (text: string) => string, number, string]>([
    [
      'CSeq method',
      (text) => text.replace('1 INVITE', '1 BYE'),
      32,
      '400 CSeq method does not match request method',
    ],
    [
      'CSeq number',
      (text) => text.replace('1 INVITE', '99999999999 INVITE'),
      64,
      '400 CSeq number is illegal',
    ],
    [
      'Content-Length',
      (text) => text.replace(/Length: \d+/, 'Length: 500'),
      128,
      '400 Content-Length mis-match',
    ],
    ['SIP/7.0', (text) => text.replace('SIP/2.0\r', 'SIP/7.0\r'), 1, '505 Version Not Supported (R-URI)'],
  ])('%s', async (_what, change, mask, reply) => {
    const { code, replies } = await check(change(textMessage()), [mask])
    expect({ code, replies }).toEqual({ code: -1, replies: [reply] })
  })

  it('octets after the body are no mis-match: RFC 4475 §3.1.1.8 (Kamailio answers 400)', async () => {
    expect((await check(`${textMessage()}INVITE again`, [128])).code).toBe(1)
  })

  it.each<[string, string, number]>([
    ['an empty branch', 'branch=', 1 << 14],
    ['no cookie', 'branch=abc', 1 << 15],
  ])('%s is dropped without an answer', async (_what, branch, mask) => {
    const text = textMessage().replace('branch=z9hG4bK1', branch)
    expect(await check(text, [mask])).toMatchObject({ code: -1, replies: [] })
  })

  it('credentials of another scheme are dropped without an answer', async () => {
    const text = textMessage({ headers: 'Authorization: Basic abc\r\n' })
    expect(await check(text, [2048])).toMatchObject({ code: -1, replies: [] })
  })

  it('the first failing check answers, and no other', async () => {
    const parts = { uri: 'http://x', headers: 'Expires: abc\r\n' }
    expect((await check(textMessage(parts), [2 | 256])).replies).toHaveLength(1)
  })

  it('an ACK is never answered', async () => {
    expect(await check(textMessage({ method: 'ACK', headers: 'Expires: abc\r\n' }), [256])).toMatchObject({
      code: -1,
      replies: [],
    })
  })

  it('a response has no Request-URI to check, and is never answered', async () => {
    const response = textMessage({ to: '<bad>' }).replace(/^.*/, 'SIP/2.0 200 OK')
    expect((await check(response.replace('<bad>', '<sip:a@b>'), [17604, 6])).code).toBe(1)
    expect(await check(response.replace('<bad>', '<xsip:a@b>'), [17604, 6])).toMatchObject({
      code: -1,
      replies: [],
    })
  })
})

describe('parameters', () => {
  const bad = textMessage({ headers: 'Expires: abc\r\n' })

  it('default_checks and uri_checks stand in for missing arguments', async () => {
    expect((await check(bad, [], { autodrop: 0 })).code).toBe(-1)
    expect((await check(bad, [], { autodrop: 0, default_checks: 2 })).code).toBe(1)
    const from = textMessage({ from: '<xsip:a@b>' })
    expect((await check(from, [1024], { autodrop: 0 })).code).toBe(-1)
    expect((await check(from, [1024], { autodrop: 0, uri_checks: 5 })).code).toBe(1)
  })

  it('autodrop ends the script', async () => {
    expect(await check(bad, [], {})).toMatchObject({ code: 0, replies: ['400 Expires value is illegal'] })
  })

  it('noreply leaves the answer to sanity_reply(), once', async () => {
    const { bench, context, replies, code } = await check(bad, [], { autodrop: 0, noreply: 1 })
    expect({ code, replies }).toEqual({ code: -1, replies: [] })
    expect([bench.call('sanity_reply', context), bench.call('sanity_reply', context)]).toEqual([1, -1])
    expect(context.replies).toMatchObject([{ statusCode: 400, reason: 'Expires value is illegal' }])
  })

  it('sanity_reply() without noreply has nothing to send', async () => {
    const { bench, context } = await check(bad, [])
    expect(bench.call('sanity_reply', context)).toBe(-1)
    expect(context.replies).toHaveLength(1)
  })
})
