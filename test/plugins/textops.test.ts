import { beforeAll, describe, expect, it, test } from 'vitest'
import textops from '../../plugins/textops/index.ts'
import { ArgumentProblem, type Pattern } from '../../src/plugin/index.ts'
import { compilePattern } from '../../src/text/pattern.ts'
import { evaluatorOf, parseSubstitution } from '../../src/text/substitution.ts'
import { type Bench, createStand } from './stand.ts'
import {
  bodyOf,
  difference,
  multipart,
  multipartType,
  sdp,
  type TextParts,
  textMessage,
} from './text-message.ts'

/** Codes and effects are those of Kamailio 5.6.3 unless a test says otherwise. */
const stand = createStand()
let bench: Bench

beforeAll(async () => {
  bench = await stand.load(textops)
})

function re(source: string): Pattern {
  const pattern = compilePattern(source, { ignoreCase: true })
  if (typeof pattern === 'string') throw new Error(pattern)
  return pattern
}

/** Calls a function on the message and says what became of it. */
function run(parts: TextParts, name: string, ...args: unknown[]) {
  const text = textMessage(parts)
  const context = stand.context(text)
  const code = bench.call(name, context, ...args)
  const written = context.written()
  return { code, context, written, body: bodyOf(written), ...difference(text, written) }
}

const lists = { headers: 'X-A: one, two\r\nX-A: three;p=1\r\nP-Foo: x\r\n' }

describe('headers', () => {
  it.each<[string, unknown[], number, string[], string[]]>([
    ['append_hf', ['X: 1\r\n'], 1, ['X: 1'], []],
    ['append_hf', ['X: 1'], 1, ['X: 1'], []],
    ['append_hf', ['X: 1\r\n', 'Nope'], 1, ['X: 1'], []],
    ['insert_hf', ['X: 1\r\n', 'Contact'], 1, ['X: 1'], []],
    ['append_urihf', ['CC: ', '\r\n'], 1, ['CC: sip:bob@127.0.0.1'], []],
    ['remove_hf', ['Nope'], -1, [], []],
    ['remove_hf', ['m'], 1, [], ['Contact: <sip:alice@10.0.0.1:5070;transport=tcp;x=y>;expires=30']],
    ['remove_hf', ['x-a'], 1, [], ['X-A: one, two', 'X-A: three;p=1']],
    ['remove_hf_re', [re('^p-')], 1, [], ['P-Foo: x']],
    ['remove_hf_re', [re('^Z')], -1, [], []],
    ['remove_hf_exp', [re('^[XP]-'), re('^X')], 1, [], ['P-Foo: x']],
    ['remove_hf_idx', ['X-A', -1], 1, [], ['X-A: three;p=1']],
    ['remove_hf_idx', ['X-A', 0], 1, [], ['X-A: one, two']],
    ['remove_hf_idx', ['X-A', 2], 2, [], []],
    ['remove_hf_match', ['X-A', 'in', 'two'], 1, [], ['X-A: one, two']],
    ['remove_hf_match', ['X-A', 'eq', 'three;p=1'], 1, [], ['X-A: three;p=1']],
    ['remove_hf_match', ['X-A', 'ne', 'three;p=1'], 1, [], ['X-A: one, two']],
    ['remove_hf_match', ['X-A', 're', '^th'], 1, [], ['X-A: three;p=1']],
    ['remove_hf_match', ['X-A', 're', '('], -2, [], []],
    ['remove_hf_match', ['X-A', 'eq', 'one'], -2, [], []],
    ['is_present_hf', ['f'], 1, [], []],
    ['is_present_hf', ['Nope'], -1, [], []],
    ['is_present_hf_re', [re('^p-')], 1, [], []],
    ['is_present_hf_re', [re('^z-')], -1, [], []],
  ])('%s(%j) gives %i', (name, args, code, added, removed) => {
    expect(run(lists, name, ...args)).toMatchObject({ code, added, removed })
  })

  it('stand where they were put', () => {
    expect(run({}, 'append_hf', 'X: 1\r\n', 'Call-ID').written).toContain('Call-ID: c1\r\nX: 1\r\nCSeq')
    expect(run({}, 'insert_hf', 'X: 1\r\n', 'Call-ID').written).toContain('\r\nX: 1\r\nCall-ID: c1')
    expect(run({}, 'insert_hf', 'X: 1\r\n').written).toMatch(/^INVITE .*\r\nX: 1\r\nVia/)
    expect(run({}, 'append_hf', 'X: 1\r\n').written).toMatch(/Content-Length: \d+\r\nX: 1\r\n\r\n/)
    expect(run(lists, 'append_hf', 'X: 1\r\n', 'X-A').written).toContain('three;p=1\r\nX: 1\r\nP-Foo')
  })

  it('that were removed still show until the changes are applied', () => {
    const { context } = run(lists, 'remove_hf', 'P-Foo')
    expect(context.message.find('P-Foo')).not.toBe(-1)
    expect(bench.call('remove_hf', context, 'P-Foo')).toBe(1)
    expect(context.written()).not.toContain('P-Foo')
  })

  it('Date: of the message, and of our answers', () => {
    expect(run({}, 'append_time_to_request').added).toEqual([
      `Date: ${new Date(stand.clock.wall()).toUTCString()}`,
    ])
    expect(run({}, 'append_time_to_request').context.written()).toMatch(/\r\nVia: [^\n]+\nDate: /)
    expect(run({}, 'append_time').context.replyHeaders).toMatch(
      /^Date: \w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT\r\n$/,
    )
  })

  it('of our answers', () => {
    const { context, added } = run({}, 'append_to_reply', 'X: 1\r\n')
    bench.call('append_to_reply', context, 'Y: 2')
    expect(context.replyHeaders).toBe('X: 1\r\nY: 2\r\n')
    expect(added).toEqual([])
  })

  it.each([
    ['user;id', 'id', 1],
    ['user; ID', 'id', 1],
    ['user', 'id', -1],
    ['idle', 'id', -1],
  ])('Privacy: %s has %s: %i', (value, type, code) => {
    expect(run({ headers: `Privacy: ${value}\r\n` }, 'is_privacy', type).code).toBe(code)
  })
})

describe('is_method', () => {
  it.each([
    ['INVITE', 'INVITE', 1],
    ['INVITE', 'BYE|INVITE', 1],
    ['INVITE', 'invite', 1],
    ['INVITE', 'BYE', -1],
    ['FOO', 'FOO', 1],
    ['FOO', 'INVITE|FOO', 1],
    ['FOO', 'foo', -1],
    ['invite', 'INVITE', -1],
    ['RE%47IST%45R', 'REGISTER', -1],
  ])('%s against %s: %i', (method, list, code) => {
    expect(run({ method }, 'is_method', list).code).toBe(code)
  })

  it('of a response is the method of CSeq', () => {
    const context = stand.context(textMessage({ method: 'BYE' }).replace(/^.*/, 'SIP/2.0 200 OK'))
    expect([bench.call('is_method', context, 'BYE'), bench.call('is_method', context, 'INVITE')]).toEqual([
      1, -1,
    ])
  })
})

describe('search', () => {
  it.each<[string, unknown[], number]>([
    ['search', [re('^invite')], 1],
    ['search', [re('^to: .*example')], 1],
    ['search', [re('Al.*bob')], -1],
    ['search_body', [re('AUDIO')], 1],
    ['search_body', [re('alice')], -1],
    ['search_str', ['sip:a@b;transport=tcp', re(';transport=tcp')], 1],
    ['search_hf', ['X-A', re('three'), 'f'], -1],
    ['search_hf', ['X-A', re('three'), 'l'], 1],
    ['search_hf', ['X-A', re('three'), 'a'], 1],
    ['search_hf', ['Nope', re('x'), 'a'], -1],
  ])('%s %#: %i', (name, args, code) => {
    expect(run(lists, name, ...args).code).toBe(code)
  })
})

describe('replace', () => {
  it.each<[string, unknown[], number, string[]]>([
    ['replace', [re('alice'), 'ALICE'], 1, ['From: "Al" <sip:ALICE@example.com>;tag=1']],
    ['replace', [re('INVITE'), 'XX'], 1, ['CSeq: 1 XX']],
    ['replace', [re('nope'), 'x'], -1, []],
    [
      'replace_all',
      [re('alice'), 'A'],
      1,
      ['From: "Al" <sip:A@example.com>;tag=1', 'Contact: <sip:A@10.0.0.1:5070;transport=tcp;x=y>;expires=30'],
    ],
    ['replace_hdrs', [re('10.0.0.1'), '9'], 1, ['Contact: <sip:alice@9:5070;transport=tcp;x=y>;expires=30']],
    ['replace_str', ['alice', 'xx', 'f'], 1, ['From: "Al" <sip:xx@example.com>;tag=1']],
    ['replace_hdrs_str', ['audio', 'xx', 'a'], 1, []],
    ['search_append', [re('alice'), 'ZZ'], 1, ['From: "Al" <sip:aliceZZ@example.com>;tag=1']],
  ])('%s %#: %i', (name, args, code, added) => {
    expect(run({}, name, ...args)).toMatchObject({ code, added })
  })

  it.each<[string, unknown[], string]>([
    ['replace_body', [re('10.0.0.1'), '9'], sdp.replace('10.0.0.1', '9')],
    ['replace_body', [re('(10).'), '\\1x'], sdp.replace('10.', '\\1x')],
    ['replace_body_all', [re('10.0.0.1'), '9'], sdp.replaceAll('10.0.0.1', '9')],
    ['replace_body_all', [re('^.'), 'x'], sdp.replaceAll(/^./gm, 'x')],
    ['replace_body_atonce', [re('^.+$'), ''], ''],
    ['replace_body_str', ['IN IP4', 'IN IP6', 'a'], sdp.replaceAll('IP4', 'IP6')],
    ['search_append_body', [re('audio'), '!'], sdp.replace('audio', 'audio!')],
  ])('%s %#', (name, args, body) => {
    const result = run({}, name, ...args)
    expect(result).toMatchObject({ code: 1, body })
    expect(result.written).toContain(`Content-Length: ${body.length}\r\n`)
  })
})

describe('subst', () => {
  it.each<[string, unknown[], number, string[]]>([
    ['subst', ['/alice/A\\0B/'], 1, ['From: "Al" <sip:AaliceB@example.com>;tag=1']],
    ['subst', ['/ALICE/A/'], -1, []],
    ['subst', ['/ALICE/A/i'], 1, ['From: "Al" <sip:A@example.com>;tag=1']],
    ['subst', ['/^(To: ).*$/\\1x\r/'], 1, ['To: x']],
    ['subst', ['#alice@#x/y@#'], 1, ['From: "Al" <sip:x/y@example.com>;tag=1']],
    ['subst_hf', ['X-A', '/t/T/', 'a'], 1, ['X-A: one, Two', 'X-A: Three;p=1']],
    ['subst_hf', ['X-A', '/t/T/g', 'l'], 1, ['X-A: Three;p=1']],
    ['subst_hf', ['X-A', '/t/T/g', 'f'], 1, ['X-A: one, Two']],
    ['subst_hf', ['Nope', '/t/T/g', 'f'], -1, []],
  ])('%s(%j) gives %i', (name, args, code, added) => {
    expect(run(lists, name, ...args)).toMatchObject({ code, added })
  })

  it.each([
    ['/10.0.0.(.)/9.\\1/g', sdp.replaceAll('10.0.0.1', '9.1')],
    ['/^c=.*$/c=zz/', sdp.replace('c=IN IP4 10.0.0.1\r', 'c=zz')],
    ['/o=.*audio/c=zz/s', 'v=0\r\nc=zz 4000 RTP/AVP 0\r\n'],
  ])('subst_body(%j)', (expression, body) => {
    expect(run({}, 'subst_body', expression)).toMatchObject({ code: 1, body })
  })

  it('without s a line is all that an expression sees', () => {
    expect(run({}, 'subst_body', '/o=.*audio/c=zz/').code).toBe(-1)
  })

  it.each([
    [
      'subst_uri',
      '/^sip:(.*)@(.*)$/sip:3463\\1@\\2;orig=\\0/',
      1,
      'sip:3463bob@127.0.0.1;orig=sip:bob@127.0.0.1',
    ],
    ['subst_uri', '/nope/x/', -1, 'sip:bob@127.0.0.1'],
    ['subst_user', '/b$/8/', 1, 'sip:bo8@127.0.0.1'],
    ['subst_user', '/127/8/', -1, 'sip:bob@127.0.0.1'],
  ])('%s(%j) gives %i and %s', (name, expression, code, uri) => {
    const { context, code: given } = run({}, name, expression)
    expect([given, context.target.uri, context.requestUriChanged]).toEqual([code, uri, code === 1])
  })

  it('evaluates pseudo-variables for each message, and what they hold is not read as an expression', () => {
    const substitution = parseSubstitution('/alice/<$rU>\\u\\t/', compilePattern)
    expect(substitution.variables).toEqual(['$rU', '$ru'])
    substitution.readers = [(context: { user: string }) => context.user, () => 'sip:u'] as never
    const evaluate = evaluatorOf(substitution, { user: '\\0/x/' })
    expect(substitution.apply('alice', evaluate)).toBe('<\\0/x/>sip:u\t')
  })

  it.each(['', '/a/b', '/a', '//b/', '/(/b/', '/a/b/x', '/a/$/'])('%j is refused', (expression) => {
    expect(() => parseSubstitution(expression, compilePattern)).toThrow(ArgumentProblem)
  })
})

describe('bodies', () => {
  const parts = { body: multipart, contentType: multipartType }

  it.each<[string, TextParts, string | undefined, number]>([
    ['any', {}, undefined, 1],
    ['none', { body: '' }, undefined, -1],
    ['that type', {}, 'application/SDP', 1],
    ['another type', {}, 'text/plain', -1],
    ['a part is not the body', parts, 'application/sdp', -1],
    ['0 asks for none', {}, '0', 1],
  ])('has_body: %s', (_what, message, type, code) => {
    expect(run(message, 'has_body', type).code).toBe(code)
  })

  it('set_body brings Content-Type and Content-Length along', () => {
    expect(run({}, 'set_body', 'hi', 'text/plain')).toMatchObject({
      code: 1,
      body: 'hi',
      added: ['Content-Type: text/plain', 'Content-Length: 2', 'hi'],
    })
    expect(run({ body: '', contentType: null }, 'set_body', 'hi', 'text/plain').written).toMatch(
      /Content-Length: 2\r\nContent-Type: text\/plain\r\n\r\nhi$/,
    )
    expect(run({}, 'set_body', '', 'text/plain').code).toBe(-1)
  })

  it('set_reply_body is for our answers', () => {
    const { context, code } = run({}, 'set_reply_body', 'hi', 'text/plain')
    expect([code, context.replyBody]).toEqual([1, { text: 'hi', contentType: 'text/plain' }])
  })

  it.each<[string, TextParts, unknown[], number, string]>([
    ['filter_body', parts, ['application/sdp'], 1, 'v=0'],
    ['filter_body', parts, ['application/xml'], -1, multipart],
    ['filter_body', {}, ['application/sdp'], -1, sdp],
    ['remove_body_part', parts, ['text/plain'], 1, multipart.slice(multipart.indexOf('--B1', 2))],
    ['remove_body_part', parts, ['text/html'], -1, multipart],
    [
      'append_body_part',
      parts,
      ['zz', 'text/foo', 'sig'],
      1,
      multipart.replace(
        '--B1--',
        '--B1\r\nContent-Type: text/foo\r\nContent-Disposition: sig\r\n\r\nzz\r\n--B1--',
      ),
    ],
    [
      'append_body_part_hex',
      parts,
      ['6b 61', 'a/b'],
      1,
      multipart.replace('--B1--', '--B1\r\nContent-Type: a/b\r\n\r\nka\r\n--B1--'),
    ],
    ['append_body_part_hex', parts, ['6b 6', 'a/b'], -1, multipart],
    ['append_body_part', {}, ['zz', 'text/foo'], -1, sdp],
    [
      'set_body_multipart',
      {},
      ['zz', 'a/b', 'BND'],
      1,
      '--BND\r\nContent-Type: a/b\r\n\r\nzz\r\n--BND--\r\n',
    ],
    [
      'set_body_multipart',
      {},
      [],
      1,
      `--unique-boundary-1\r\nContent-Type: application/sdp\r\n\r\n${sdp}\r\n--unique-boundary-1--\r\n`,
    ],
  ])('%s %#', (name, message, args, code, body) => {
    const result = run(message, name, ...args)
    expect(result).toMatchObject({ code, body })
    expect(result.written).toContain(`Content-Length: ${body.length}\r\n`)
  })

  it('several parts can be added, in order', () => {
    const { context } = run(parts, 'append_body_part', '1', 'a/b')
    bench.call('append_body_part', context, '2', 'c/d')
    expect(bodyOf(context.written())).toMatch(
      /v=0\r\n--B1\r\n.*a\/b\r\n\r\n1\r\n--B1\r\n.*c\/d\r\n\r\n2\r\n--B1--\r\n$/,
    )
  })

  it.each([
    ['get_body_part', 'text/plain', 'hello'],
    ['get_body_part_raw', 'application/sdp', 'Content-Type: application/sdp\r\n\r\nv=0\r\n--B1--\r\n'],
    ['get_body_part', 'text/none', undefined],
  ])('%s(%s)', (name, type, content) => {
    const written: unknown[] = []
    const variable = { write: (_context: unknown, value: unknown) => written.push(value) > 0 }
    expect(run(parts, name, type, variable).code).toBe(content === undefined ? -1 : 1)
    expect(written[0]).toBe(content)
  })

  it.each([
    ['c=IN IP4 10.0.0.1\r\nm=audio 1 RTP/AVP 0\r\n', -1],
    ['c=IN IP4 0.0.0.0\r\nm=audio 1 RTP/AVP 0\r\n', 1],
    ['c=IN IP4 10.0.0.1\r\nm=audio 1 RTP/AVP 0\r\nc=IN IP4 0.0.0.0\r\n', 1],
    ['c=IN IP4 0.0.0.0\r\nm=audio 1 RTP/AVP 0\r\nc=IN IP4 10.0.0.1\r\n', -1],
    ['c=IN IP4 10.0.0.1\r\nm=audio 1 RTP/AVP 0\r\na=sendonly\r\n', 2],
    ['a=inactive\r\nm=audio 1 RTP/AVP 0\r\n', 2],
    ['a=inactive\r\nm=audio 1 RTP/AVP 0\r\na=sendrecv\r\n', -1],
    ['m=audio 1 RTP/AVP 0\r\nm=video 2 RTP/AVP 31\r\na=inactive\r\n', -1],
    ['m=video 2 RTP/AVP 31\r\na=inactive\r\nm=audio 1 RTP/AVP 0\r\na=inactive\r\n', 2],
    ['c=IN IP4 0.0.0.0\r\nm=audio 1 RTP/AVP 0\r\na=sendonly\r\n', 2],
    ['', -1],
  ])('is_audio_on_hold: %j gives %i', (body, code) => {
    expect(run({ body }, 'is_audio_on_hold').code).toBe(code)
  })
})

describe('strings', () => {
  it.each<[string, unknown[], number]>([
    ['in_list', ['fi', 'dk, fi ,no', ','], 1],
    ['in_list', ['f', 'dk,fi,no', ','], -1],
    ['in_list', ['', 'dk,,no', ','], -1],
    ['in_list_prefix', ['final', 'dk,fi,no', ','], 1],
    ['in_list_prefix', ['final', 'dk,,final2', ','], -1],
    ['cmp_str', ['a', 'b'], -2],
    ['cmp_str', ['b', 'a'], -1],
    ['cmp_str', ['a', 'a'], 1],
    ['cmp_str', ['a', 'A'], -1],
    ['cmp_istr', ['a', 'A'], 1],
    ['cmp_istr', ['a', 'b'], -2],
    ['starts_with', ['abc', 'ab'], 1],
    ['starts_with', ['abc', 'b'], -2],
    ['starts_with', ['a', 'abc'], -1],
    ['ends_with', ['abc', 'bc'], 1],
    ['ends_with', ['abc', 'x'], -1],
    ['ends_with', ['x', 'abc'], -1],
    ['str_find', ['abc', 'b'], 2],
    ['str_find', ['abc', 'x'], -1],
    ['str_ifind', ['ABC', 'b'], 2],
    ['str_ifind', ['ABC', 'x'], -1],
  ])('%s%j gives %i', (name, args, code) => {
    expect(run({}, name, ...args).code).toBe(code)
  })

  test('regex_substring stores a group', () => {
    const written: unknown[] = []
    const variable = { write: (_context: unknown, value: unknown) => written.push(value) > 0 }
    const pattern = re('([a-z]*)([0-9]+)([a-z]*)')
    expect(run({}, 'regex_substring', '___ abc123def', pattern, 1, 3, variable).code).toBe(1)
    expect(run({}, 'regex_substring', '___ abc123def', pattern, 0, 3, variable).code).toBe(1)
    expect(run({}, 'regex_substring', '___ abc123def', pattern, 4, 3, variable).code).toBe(-1)
    expect(run({}, 'regex_substring', '___ abc123def', pattern, 1, 1, variable).code).toBe(-1)
    expect(run({}, 'regex_substring', '___', pattern, 1, 3, variable).code).toBe(-1)
    expect(written).toEqual(['abc', 'abc123def'])
  })
})
