import { describe, expect, it, test } from 'vitest'
import { parseDecimal, quoted, unfold, unquote } from '../../src/sip/bytes.ts'
import { HeaderId, headerId, headerIdAt, headerKey, slotNames } from '../../src/sip/header-id.ts'
import { bodyParts, parseContentType, parseMultipart } from '../../src/sip/headers/content-type.ts'
import { parseChallenges, parseCredentials, writeAuthValue } from '../../src/sip/headers/credentials.ts'
import { parseCSeq } from '../../src/sip/headers/cseq.ts'
import { parseDeltaSeconds, parseQ } from '../../src/sip/headers/expires.ts'
import { paramOf, parseNameAddr, parseNameAddrs, splitValues } from '../../src/sip/headers/name-addr.ts'
import { parseParams, withoutParamIn } from '../../src/sip/headers/params.ts'
import { hasToken, nameAddrsOf, valuesOf } from '../../src/sip/headers/token-list.ts'
import { parseVia } from '../../src/sip/headers/via.ts'
import { isFault, scanMessage } from '../../src/sip/scan.ts'

describe('name-addr: RFC 3261 §20.10, §25.1', () => {
  it.each([
    ['<sip:a@b>', { displayName: '', uri: 'sip:a@b', params: '', uriStart: 1, uriEnd: 8 }],
    ['sip:a@b;tag=1;x', { uri: 'sip:a@b', params: 'tag=1;x' }],
    ['<sip:a@b;lr>;tag=1', { uri: 'sip:a@b;lr', params: 'tag=1' }],
    ['"A, \\"B\\" <x>" <sip:a@b>', { displayName: '"A, \\"B\\" <x>"', uri: 'sip:a@b' }],
    ['Bob Smith  < sip:a@b > ; tag = 1', { displayName: 'Bob Smith', uri: 'sip:a@b', params: ' tag = 1' }],
    ['"A"\r\n <sip:a@b>\r\n ;tag=1', { displayName: '"A"', uri: 'sip:a@b', params: 'tag=1' }],
    ['<tel:+1>', { uri: 'tel:+1' }],
    ['<sip:a@b?x=y>', { uri: 'sip:a@b?x=y' }],
  ])('%j', (value, parts) => {
    expect(parseNameAddr(value)).toMatchObject(parts)
  })

  it.each([
    '',
    '*',
    'bob',
    '<>',
    '<sip:a@b',
    '"A <sip:a@b>',
    '"A" sip:a@b',
    '<sip:a@b> x',
    'sip:a@b?x=y',
    '<:a>',
    '<sip:>',
  ])('%j is none', (value) => {
    expect(parseNameAddr(value)).toBeNull()
  })

  it('lists are split at commas outside quotes and brackets', () => {
    const value = '"a,b" <sip:a,b@c>;x="1,2" , sip:d@e ,, <sip:f@g>'
    expect(splitValues(value)).toEqual(['"a,b" <sip:a,b@c>;x="1,2"', 'sip:d@e', '<sip:f@g>'])
    const list = parseNameAddrs(value, 3)
    expect(list?.map(({ uri }) => uri)).toEqual(['sip:a,b@c', 'sip:d@e', 'sip:f@g'])
    for (const { uri, uriStart, uriEnd } of list ?? []) expect(value.slice(uriStart, uriEnd)).toBe(uri)
    expect(parseNameAddrs(value, 2)).toBeNull()
    expect(parseNameAddrs('<sip:a@b>, junk', 9)).toBeNull()
  })
})

describe('parameters', () => {
  it.each([
    ['tag=1', 'tag', '1'],
    [' Tag = 1 ', 'TAG', '1'],
    ['x;lr;y', 'lr', ''],
    ['x="a;tag=no";tag=yes', 'tag', 'yes'],
    ['x="a\\"b"', 'x', 'a"b'],
    ['tagging=1', 'tag', null],
    [';tag=1', 'tag', '1'],
    ['tag=1;tag=2', 'tag', '1'],
    ['x=', 'x', ''],
    ['', 'x', null],
  ])('paramOf(%j, %s) is %j', (params, name, value) => {
    expect(paramOf(params, name)).toBe(value)
  })

  it('are listed and removed', () => {
    expect(parseParams('a=1;;B="x;y";c')).toEqual([
      { name: 'a', value: '1' },
      { name: 'B', value: 'x;y' },
      { name: 'c', value: '' },
    ])
    expect(withoutParamIn('a=1;b="x;y";c', 'B')).toBe('a=1;c')
  })
})

describe('Via: RFC 3261 §20.42, RFC 3581', () => {
  it.each([
    ['SIP/2.0/UDP h', { transport: 'UDP', host: 'h', port: 0, branch: '', rport: null, isRfc3261: false }],
    [
      'SIP/2.0/TCP h:5070;branch=z9hG4bKa;rport',
      { port: 5070, branch: 'z9hG4bKa', rport: 0, isRfc3261: true },
    ],
    ['SIP/2.0/UDP h;RPORT=77;Received=1.2.3.4;maddr=m', { rport: 77, received: '1.2.3.4', maddr: 'm' }],
    [
      'SIP / 2.0 / TLS   [::1] : 5061 ; branch = "x"',
      { transport: 'TLS', host: '::1', port: 5061, branch: 'x' },
    ],
    ['SIP/2.0/UDP h;received=[::1]', { received: '::1' }],
    ['SIP/2.0/UDP h;branchless=1;rports', { branch: '', rport: null }],
    ['SIP/2.0/UDP h;rport=abc', { rport: 0 }],
    ['SIP/2.0/UDP a, SIP/2.0/UDP b', { host: 'a', start: 0, end: 13 }],
    ['SIP/2.0/UDP h;x="a,b";branch=1', { branch: '1' }],
  ])('%s', (value, parts) => {
    expect(parseVia(value)).toMatchObject(parts)
  })

  it.each([
    '',
    'SIP/2.0/UDP',
    'SIP/2.0 UDP h',
    'UDP h',
    'SIP/2.0/UDP h:',
    'SIP/2.0/UDP h:0',
    'SIP/2.0/UDP h:99999',
    'SIP/2.0/UDP h x',
    'SIP/2.0/UDP ;x',
    'SIP/2.0/UDP [::1',
  ])('%j is none', (value) => {
    expect(parseVia(value)).toBeNull()
  })

  it('offsets count from where the value starts', () => {
    expect(parseVia('SIP/2.0/UDP h ', 100)).toMatchObject({ start: 100, end: 113 })
  })
})

describe('numbers are digits in their range (security.md case 44)', () => {
  it.each([
    ['0 INVITE', { number: 0, method: 'INVITE' }],
    ['0009  \r\n INVITE', { number: 9, method: 'INVITE' }],
    ['2147483647 FOO', { number: 2147483647, method: 'FOO' }],
  ])('CSeq %j', (value, cseq) => {
    expect(parseCSeq(value)).toEqual(cseq)
  })

  it.each(['2147483648 X', '-1 X', '+1 X', '1e3 X', '0x5 X', '1', 'X', '1X', '1 A B', '', '1 \u0001'])(
    'CSeq %j is none',
    (value) => {
      expect(parseCSeq(value)).toBeNull()
    },
  )

  it.each([
    ['0', 0],
    ['4294967295', 4294967295],
    ['4294967296', null],
    ['-1', null],
    ['abc', null],
    ['', null],
    ['1 ', null],
  ])('delta-seconds %j is %j', (value, seconds) => {
    expect(parseDeltaSeconds(value)).toBe(seconds)
  })

  it.each([
    ['0', 0],
    ['1', 1000],
    ['0.5', 500],
    ['.5', 500],
    ['1.000', 1000],
    ['1.1', -1],
    ['0.1234', -1],
    ['.', -1],
    ['', -1],
    ['-1', -1],
  ])('q %j is %j', (value, thousandths) => {
    expect(parseQ(value)).toBe(thousandths)
  })

  it('parseDecimal keeps to its maximum', () => {
    expect([parseDecimal('255', 255), parseDecimal('256', 255), parseDecimal('9'.repeat(400), 255)]).toEqual([
      255, -1, -1,
    ])
  })
})

describe('credentials and challenges: RFC 3261 §20.7, §20.44', () => {
  it('parameters by lower-case name, unquoted', () => {
    const value = 'Digest  username="bob \\"x\\"",REALM="a, b" ,\r\n nc=00000001, uri="sip:a@b;x=y", qop=auth'
    const credentials = parseCredentials(value)
    expect(credentials).toMatchObject({ scheme: 'digest', token: '' })
    const params = { username: 'bob "x"', realm: 'a, b', nc: '00000001', uri: 'sip:a@b;x=y', qop: 'auth' }
    expect(credentials).toMatchObject({ ...params, nonce: null, response: null, text: value })
    expect(Object.fromEntries(credentials?.params ?? [])).toEqual(params)
  })

  it('unknown schemes keep their token', () => {
    expect(parseCredentials('Basic QWxhZGRpbg==')).toMatchObject({ scheme: 'basic', token: 'QWxhZGRpbg==' })
    expect(parseCredentials('NoOneKnowsThisScheme opaque-data=here')?.params.get('opaque-data')).toBe('here')
  })

  it.each([
    '',
    '=',
    'Digest realm="a',
    'Digest realm="a"b"',
    'Digest realm="a", realm="b"',
    'Digest a b=c, d=e f',
    'Digest ="x"',
  ])('%j cannot be read', (value) => {
    const credentials = parseCredentials(value)
    expect(credentials === null || credentials.token !== '').toBe(true)
  })

  it('several challenges in one line', () => {
    const value =
      'Digest realm="a, Digest b", nonce="1", algorithm=SHA-256, Digest realm="a", nonce="2", Basic realm="c"'
    expect(parseChallenges(value)?.map(({ scheme, params }) => `${scheme} ${params.get('nonce')}`)).toEqual([
      'digest 1',
      'digest 2',
      'basic undefined',
    ])
  })

  it('are written with quotes, but for the few that have none', () => {
    const written = writeAuthValue('Digest', [
      ['realm', 'a"b'],
      ['algorithm', 'MD5'],
      ['stale', 'true'],
    ])
    expect(written).toBe('Digest realm="a\\"b", algorithm=MD5, stale=true')
    expect(parseCredentials(written)?.params.get('realm')).toBe('a"b')
  })
})

describe('bodies', () => {
  it.each([
    ['application/sdp', 'application/sdp', ''],
    ['Multipart/Mixed ; boundary="a;b"', 'multipart/mixed', 'boundary="a;b"'],
    [' text / plain', 'text/plain', ''],
  ])('Content-Type %j', (value, mediaType, params) => {
    expect(parseContentType(value)).toEqual({ mediaType, params })
  })

  it.each(['', 'text', '/plain', 'text/', 'a b/c', ';x=a/b'])('Content-Type %j is none', (value) => {
    expect(parseContentType(value)).toBeNull()
  })

  const type = parseContentType('multipart/mixed;boundary="B"')
  const body = 'preamble\r\n--B\r\nContent-Type: a/b\r\n\r\none\r\n--B\r\n\r\ntwo --B x\r\n--B--\r\n'

  it('parts of a multipart body', () => {
    if (type === null) throw new Error('unreachable')
    const contents = bodyParts(body, type).map((part) => [
      part.mediaType,
      body.slice(part.contentStart, part.contentEnd),
    ])
    expect(contents).toEqual([
      ['a/b', 'one'],
      ['text/plain', 'two --B x'],
    ])
    expect(body.slice(parseMultipart(body, type)?.closingStart)).toBe('--B--\r\n')
    expect(parseMultipart(body.replace('--B--', ''), type)).toBeNull()
  })
})

describe('header names', () => {
  it.each([
    ['f', HeaderId.from],
    ['FROM', HeaderId.from],
    ['call-id', HeaderId.callId],
    ['X-Other', HeaderId.other],
    ['', HeaderId.other],
  ])('%j', (name, id) => {
    expect(headerId(name)).toBe(id)
    if (name !== '') expect(headerIdAt(`<${name}>`, 1, 1 + name.length)).toBe(id)
  })

  it('compact forms without a number', () => {
    expect(headerKey('B')).toBe('referred-by')
    expect(headerKey('Referred-By')).toBe('referred-by')
  })

  test('no two names share a slot: the scan would miss one', () => {
    const names = slotNames.filter((name) => name !== '')
    expect(names).toHaveLength(46)
    for (const name of names) expect(headerIdAt(name, 0, name.length)).toBe(headerId(name))
    for (const name of names) expect(headerIdAt(name.toUpperCase(), 0, name.length)).toBe(headerId(name))
  })
})

test('list headers over several lines, with offsets of the message', () => {
  const text =
    'OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\n' +
    'Call-ID: x\r\nCSeq: 1 OPTIONS\r\nk: path, 100rel\r\nm: <sip:1@a>, sip:2@b;q=1\r\nSupported: Timer\r\nContact: "x"\r\n <sip:3@c>\r\n\r\n'
  const message = scanMessage(text)
  if (isFault(message)) throw new Error(message.reason)
  expect(valuesOf(message, HeaderId.supported)).toEqual(['path', '100rel', 'Timer'])
  expect([
    hasToken(message, HeaderId.supported, 'TIMER'),
    hasToken(message, HeaderId.supported, 'tim'),
  ]).toEqual([true, false])
  const contacts = nameAddrsOf(message, HeaderId.contact, 3)
  expect(contacts?.map(({ uriStart, uriEnd }) => text.slice(uriStart, uriEnd))).toEqual([
    'sip:1@a',
    'sip:2@b',
    'sip:3@c',
  ])
  expect(nameAddrsOf(message, HeaderId.contact, 2)).toBeNull()
})

test('quotes and folds', () => {
  expect(unquote('"a\\"b\\\\"')).toBe('a"b\\')
  expect(quoted('a"b\\')).toBe('"a\\"b\\\\"')
  expect(unfold('a  \r\n\t b\r\n c')).toBe('a b c')
})
