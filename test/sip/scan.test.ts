import { describe, expect, it, test } from 'vitest'
import { HeaderId, headerNamed } from '../../src/sip/header-id.ts'
import type { SipMessage } from '../../src/sip/message.ts'
import { isFault, scanMessage } from '../../src/sip/scan.ts'

const valid = [
  'MESSAGE sip:1000@50.170.158.149 SIP/2.0',
  'Via: SIP/2.0/UDP 10.92.240.131:5060;branch=z9hG4bK1',
  'To: <sip:1000@50.170.158.149>',
  'From: <sip:2000@10.92.240.131>;tag=7a82c48a',
  'Call-ID: x@y',
  'CSeq: 1 MESSAGE',
  'Max-Forwards: 70',
  'Content-Length: 2',
  '',
  'hi',
].join('\r\n')

function scanned(text: string): SipMessage {
  const message = scanMessage(text)
  if (isFault(message)) throw new Error(message.reason)
  return message
}

function codeOf(text: string): string | undefined {
  const result = scanMessage(text)
  return isFault(result) ? `drop ${result.code}` : result.fault?.code
}

describe('faults: a code, a clause, a status', () => {
  it.each<[string, string | undefined, (text: string) => string]>([
    ['nothing wrong', undefined, (text) => text],
    ['CRLF before the start line', undefined, (text) => `\r\n\r\n${text}`],
    ['bare LF as line end', undefined, (text) => text.replaceAll('\r\n', '\n')],
    ['a version in lower case', undefined, (text) => text.replace('SIP/2.0\r', 'sip/2.0\r')],
    ['octets after the body', undefined, (text) => `${text} and more`],
    ['no Content-Length: the rest is body', undefined, (text) => text.replace(/Content-Length.*\r\n/, '')],
    ['no Max-Forwards: RFC 2543', undefined, (text) => text.replace(/Max-Forwards.*\r\n/, '')],
    ['white space before the colon', undefined, (text) => text.replace('Call-ID:', 'Call-ID \t:')],
    ['NUL in a value', undefined, (text) => text.replace('x@y', 'x\u0000y')],
    ['another version', 'version', (text) => text.replace('SIP/2.0\r', 'SIP/3.0\r')],
    ['two spaces', 'start-line-space', (text) => text.replace('MESSAGE sip', 'MESSAGE  sip')],
    ['a tab', 'start-line-space', (text) => text.replace(' SIP/2.0\r', '\t SIP/2.0\r')],
    ['space after the version', 'start-line-space', (text) => text.replace('SIP/2.0\r', 'SIP/2.0 \r')],
    ['a Request-URI in brackets', 'request-uri', (text) => text.replace(/sip:1000@\S+/, '<$&>')],
    ['port 99999', 'request-uri', (text) => text.replace('.149 SIP', '.149:99999 SIP')],
    ['a control character in a name', 'header-name', (text) => text.replace('Call-ID', 'Call\u0001ID')],
    ['a NUL after a name', 'header-name', (text) => text.replace('Max-Forwards:', 'Max-Forwards\u0000:')],
    ['a high octet in a name', 'header-name', (text) => text.replace('Max-', 'M\u00e4x-')],
    ['a line without a colon', 'header-name', (text) => text.replace('Max-Forwards: 70', 'Max')],
    ['an empty name', 'header-name', (text) => text.replace('Max-Forwards', '')],
    ['a fold after the start line', 'header-name', (text) => text.replace('Via', ' X: y\r\nVia')],
    ['a bare CR', 'bare-cr', (text) => text.replace('x@y', 'x\rP-Asserted-Identity: <sip:boss@x>')],
    [
      'a bare CR in the line after a bare LF',
      'bare-cr',
      (text) => text.replace(/x@y\r\n(.*)1/, 'x@y\n$1\r1'),
    ],
    ['a bare CR in a fold', 'bare-cr', (text) => text.replace('x@y', 'x@y\r\n z\rX: y')],
    ['two From', 'duplicate-header', (text) => text.replace('To:', 'f: <sip:x@y>;tag=2\r\nTo:')],
    ['two To', 'duplicate-header', (text) => text.replace('To:', 't: <sip:x@y>\r\nTo:')],
    ['two Call-ID', 'duplicate-header', (text) => text.replace('To:', 'i: x@y\r\nTo:')],
    ['two CSeq', 'duplicate-header', (text) => text.replace('To:', 'CSEQ : 1 MESSAGE\r\nTo:')],
    ['two Max-Forwards', 'duplicate-header', (text) => text.replace('To:', 'Max-Forwards: 70\r\nTo:')],
    ['two Content-Length', 'duplicate-header', (text) => text.replace('To:', 'l: 2\r\nTo:')],
    ['no empty line', 'headers-end', (text) => text.slice(0, text.indexOf('\r\n\r\n') + 2)],
    ['a cut header', 'headers-end', (text) => text.slice(0, text.indexOf('70\r'))],
    ['Content-Length too large', 'content-length', (text) => text.replace('Length: 2', 'Length: 3')],
    ['Content-Length negative', 'content-length', (text) => text.replace('Length: 2', 'Length: -2')],
    ['Content-Length with a sign', 'content-length', (text) => text.replace('Length: 2', 'Length: +2')],
    ['Content-Length in hexadecimal', 'content-length', (text) => text.replace('Length: 2', 'Length: 0x2')],
    [
      'Content-Length 2^53+1',
      'content-length',
      (text) => text.replace('Length: 2', 'Length: 9007199254740993'),
    ],
    ['Content-Length twice in a line', 'content-length', (text) => text.replace('Length: 2', 'Length: 2, 2')],
    ['CSeq 2^31', 'cseq', (text) => text.replace('1 MESSAGE', '2147483648 MESSAGE')],
    ['CSeq of another method', 'cseq-method', (text) => text.replace('1 MESSAGE', '1 INVITE')],
    ['CSeq in another case', 'cseq-method', (text) => text.replace('1 MESSAGE', '1 message')],
    ['Max-Forwards 256', 'max-forwards', (text) => text.replace(' 70', ' 256')],
    ['Max-Forwards empty', 'max-forwards', (text) => text.replace(' 70', '')],
    ['Expires that is no number', 'expires', (text) => text.replace('Max-', 'Expires: abc\r\nMax-')],
    ['Expires 2^32', 'expires', (text) => text.replace('Max-', 'Expires: 4294967296\r\nMax-')],
    ['From that cannot be read', 'from', (text) => text.replace('<sip:2000@10.92.240.131>', '"x <sip:a@b>')],
    ['To that cannot be read', 'to', (text) => text.replace('<sip:1000@50.170.158.149>\r', '<sip:a@b\r')],
    ['no From', 'missing-header', (text) => text.replace(/From.*\r\n/, '')],
    ['no CSeq', 'missing-header', (text) => text.replace(/CSeq.*\r\n/, '')],
    ['an empty Call-ID', 'call-id', (text) => text.replace('x@y', '')],
    ['Via that cannot be read', 'via', (text) => text.replace('10.92.240.131:5060', 'h:port')],
    ['no Via: nobody to answer', 'drop missing-header', (text) => text.replace(/Via.*\r\n/, '')],
    ['no start line', 'drop start-line', (text) => text.slice(text.indexOf('\n') + 1)],
    ['HTTP', 'drop start-line', (text) => text.replace(' SIP/2.0\r', ' HTTP/1.1\r')],
    ['no Request-URI', 'drop start-line', (text) => text.replace(/ sip:\S+/, '')],
    ['nothing', 'drop start-line', () => ''],
    ['only CRLF', 'drop start-line', () => '\r\n\r\n'],
  ])('%s: %s', (_what, code, change) => {
    expect(codeOf(change(valid))).toBe(code)
  })

  it('is the first one found, and says where', () => {
    const text = valid.replace('1 MESSAGE', '1 INVITE').replace('70', '256')
    expect(scanned(text).fault).toEqual({
      code: 'cseq-method',
      clause: 'RFC 3261 §8.1.1.5',
      offset: text.indexOf('CSeq'),
      status: 400,
      reason: 'CSeq method does not match request method',
    })
  })

  it('does not keep an answer from being built: all other headers are there', () => {
    const message = scanned(valid.replace('Call-ID', 'X\u0001\r\nCall-ID'))
    expect(message.fault?.code).toBe('header-name')
    expect(message).toMatchObject({ callId: 'x@y', fromTag: '7a82c48a', body: 'hi' })
  })
})

describe('responses', () => {
  const response = valid.replace(/^.*\r\n/, 'SIP/2.0 200 OK\r\n')
  it.each<[string, string | undefined, string]>([
    ['right', undefined, response],
    ['no reason phrase, no space', undefined, response.replace('200 OK', '200')],
    ['UTF-8 in the reason phrase', undefined, response.replace('OK', '\u00d0\u00be')],
    ['four digits', 'drop start-line', response.replace('200', '2000')],
    ['two digits', 'drop start-line', response.replace('200', '20')],
    ['below 100', 'drop start-line', response.replace('200', '099')],
    ['above 699', 'drop start-line', response.replace('200', '700')],
    ['any fault', 'drop cseq', response.replace('1 MESSAGE', '1')],
  ])('%s', (_what, code, text) => {
    expect(codeOf(text)).toBe(code)
  })

  it('has the method of its CSeq', () => {
    expect(scanned(response)).toMatchObject({
      isRequest: false,
      method: 'MESSAGE',
      statusCode: 200,
      reasonPhrase: 'OK',
      requestUri: '',
    })
  })
})

describe('header smuggling (security.md case 35): one header, whatever the way it is written', () => {
  it.each([
    ['a space before the colon', 'P-Asserted-Identity : <sip:boss@x>'],
    ['a tab', 'P-Asserted-Identity\t: <sip:boss@x>'],
    ['another case', 'p-asserted-IDENTITY: <sip:boss@x>'],
    ['after a bare LF', 'X: y\nP-Asserted-Identity: <sip:boss@x>'],
  ])('%s', (_what, line) => {
    const message = scanned(valid.replace('To:', `${line}\r\nTo:`))
    expect(message.fault).toBeNull()
    expect(message.value(HeaderId.pAssertedIdentity)).toBe('<sip:boss@x>')
    expect(message.find('P-Asserted-Identity')).toBe(message.first(HeaderId.pAssertedIdentity))
  })
})

test('names that objects know are names like others (security.md case 41)', () => {
  const message = scanned(valid.replace('To:', '__proto__: 1\r\nconstructor: 2\r\nTo:'))
  expect(message.headerValue(message.find('__proto__'))).toBe('1')
  expect(message.headerValue(message.find('Constructor'))).toBe('2')
  expect(message.find('toString')).toBe(-1)
})

test('compact forms and long names are one header', () => {
  const message = scanned(valid.replace('To:', 'b: <sip:x@y>\r\nReferred-By: <sip:z@y>\r\ns: hello\r\nTo:'))
  const first = message.find('referred-by')
  expect(message.headerValue(first)).toBe('<sip:x@y>')
  expect(message.headerValue(message.next(first))).toBe('<sip:z@y>')
  expect(message.value(HeaderId.subject)).toBe('hello')
})

test.each([
  ['X-Class', 'X-Class: a'],
  ['x-class', 'X-CLASS: b'],
  ['Referred-By', 'b: e'],
  ['t', 'T: f'],
])('a name that was looked at before, $%s, finds what it finds itself', (name, line) => {
  const message = scanned(valid.replace('To:', `X-Clasp: none\r\n${line}\r\nTo:`))
  const found = message.findNamed(headerNamed(name))
  expect(message.headerValue(found)).toBe(line.slice(line.indexOf(' ') + 1))
  expect(message.find(name)).toBe(found)
  expect(message.findNamed(headerNamed('X-Absent'))).toBe(-1)
})

test('Via values over lines and commas, at most as many as the limit', () => {
  const many = `v: ${Array.from({ length: 100 }, (_, i) => `SIP/2.0/UDP h${i}`).join(',')}\r\nTo:`
  const message = scanned(valid.replace('To:', many))
  expect(message.vias()).toHaveLength(70)
  expect(message.vias()[1]).toMatchObject({ host: 'h0' })
  const via = message.vias()[2]
  expect(message.text.slice(via?.start, via?.end)).toBe('SIP/2.0/UDP h1')
})
