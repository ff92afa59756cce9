import { describe, expect, it, test } from 'vitest'
import { buildAck, buildCancel, buildRequest, buildResponse, reasonPhraseOf } from '../../src/sip/build.ts'
import { createEditList } from '../../src/sip/edit.ts'
import { HeaderId } from '../../src/sip/header-id.ts'
import type { SipMessage } from '../../src/sip/message.ts'
import { isFault, scanMessage } from '../../src/sip/scan.ts'
import { writeMessage } from '../../src/sip/write.ts'

const invite = scanned(
  [
    'INVITE sip:bob@example.com SIP/2.0',
    'v: SIP/2.0/UDP h1;branch=z9hG4bK1 , SIP/2.0/UDP h2;branch=z9hG4bK2',
    'Record-Route: <sip:p1;lr>',
    'Via: SIP/2.0/TCP h3',
    'From: <sip:a@b>;tag=1',
    'To:  sip:bob@example.com',
    'Call-ID: c',
    'CSeq: 7 INVITE',
    'Route: <sip:r1;lr>, <sip:r2;lr>',
    'Route: <sip:r3;lr>',
    'Content-Type: text/plain',
    'Content-Length: 5',
    '',
    'hello trailing',
  ].join('\r\n'),
)

function scanned(text: string): SipMessage {
  const message = scanMessage(text)
  if (isFault(message)) throw new Error(message.reason)
  return message
}

describe('writeMessage', () => {
  it('puts another Request-URI and our Via there, and leaves out what follows the body', () => {
    const written = writeMessage(invite, null, { requestUri: 'sip:x@y', above: 'Via: us\r\n' })
    expect(written.startsWith('INVITE sip:x@y SIP/2.0\r\nVia: us\r\nv: SIP/2.0/UDP h1')).toBe(true)
    expect(written.endsWith('\r\n\r\nhello')).toBe(true)
  })

  it('another status line', () => {
    const response = scanned(buildResponse(invite, 180, 'Ringing', { toTag: 'x' }))
    expect(writeMessage(response, null, { statusLine: 'SIP/2.0 183 Progress' })).toMatch(
      /^SIP\/2\.0 183 Progress\r\nv: /,
    )
  })

  it('`above` stands above what the edits put on top', () => {
    const edits = createEditList()
    edits.prependHeader('Record-Route: <sip:a>')
    edits.prependHeader('Record-Route: <sip:b>\r\n')
    expect(writeMessage(invite, edits, { above: 'Via: us\r\n' })).toContain(
      'SIP/2.0\r\nVia: us\r\nRecord-Route: <sip:b>\r\nRecord-Route: <sip:a>\r\nv: ',
    )
  })

  it('a removed header swallows what was replaced in it; what was inserted before it stays', () => {
    const edits = createEditList()
    const index = invite.first(HeaderId.from)
    const start = invite.headerValueStart(index)
    expect(edits.replace(start, start + 3, 'XXX')).toBe(true)
    edits.insertBeforeHeader(invite, index, 'X-Before: 1')
    edits.insertAfterHeader(invite, index, 'X-After: 1')
    expect(edits.removeHeader(invite, index)).toBe(true)
    expect(edits.removeHeader(invite, index)).toBe(false)
    expect(edits.isRemoved(invite, index)).toBe(true)
    expect(writeMessage(invite, edits)).toContain('h3\r\nX-Before: 1\r\nX-After: 1\r\nTo:')
  })

  it('a replacement in the body moves Content-Length', () => {
    const edits = createEditList()
    edits.replace(invite.bodyStart, invite.bodyStart + 1, 'JJJ')
    expect(writeMessage(invite, edits)).toMatch(/Content-Length: 7\r\n\r\nJJJello$/)
  })

  it('an empty body keeps Content-Type, as Kamailio does; a header that is missing is added', () => {
    const edits = createEditList()
    edits.replaceBody('')
    expect(writeMessage(invite, edits)).toMatch(/Content-Type: text\/plain\r\nContent-Length: 0\r\n\r\n$/)
    edits.removeHeader(invite, invite.first(HeaderId.contentLength))
    edits.removeHeader(invite, invite.first(HeaderId.contentType))
    edits.replaceBody('x', 'a/b')
    expect(writeMessage(invite, edits)).toMatch(/r3;lr>\r\nContent-Type: a\/b\r\nContent-Length: 1\r\n\r\nx$/)
  })

  it('an untouched body leaves a wrong or missing Content-Length alone', () => {
    const edits = createEditList()
    edits.removeHeader(invite, invite.first(HeaderId.contentLength))
    expect(writeMessage(invite, edits)).not.toContain('Content-Length')
  })
})

describe('buildResponse: RFC 3261 §8.2.6', () => {
  it.each([
    ['in a row', ['From: <sip:a@b>;tag=1', 'To: <sip:b@c>', 'Call-ID: c', 'CSeq: 7 INVITE']],
    ['in another order', ['CSeq: 7 INVITE', 'To: <sip:b@c>', 'From: <sip:a@b>;tag=1', 'Call-ID: c']],
    [
      'with others between',
      ['From: <sip:a@b>;tag=1', 'To: <sip:b@c>', 'X: 1', 'Call-ID: c', 'CSeq: 7 INVITE'],
    ],
    [
      'with one From too many',
      ['From: <sip:a@b>;tag=1', 'From: <sip:x@y>', 'To: <sip:b@c>', 'Call-ID: c', 'CSeq: 7 INVITE'],
    ],
    ['with white space', ['From: <sip:a@b>;tag=1 ', 'To: <sip:b@c>\t', 'Call-ID: c  ', 'CSeq: 7 INVITE ']],
    ['with line feeds', ['From: <sip:a@b>;tag=1\nTo: <sip:b@c> \nCall-ID: c\nCSeq: 7 INVITE']],
  ])('writes the same for a request whose From, To, Call-ID and CSeq stand %s', (_, lines) => {
    const request = scanned(
      [
        'INVITE sip:b@c SIP/2.0',
        'Via: SIP/2.0/UDP h1;branch=z9hG4bK1',
        ...lines,
        'Content-Length: 0',
        '',
        '',
      ].join('\r\n'),
    )
    const rest = 'Call-ID: c\r\nCSeq: 7 INVITE\r\nContent-Length: 0\r\n\r\n'
    const head = 'SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h1;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n'
    expect(buildResponse(request, 200, 'OK', { toTag: 't' })).toBe(`${head}To: <sip:b@c>;tag=t\r\n${rest}`)
    expect(buildResponse(request, 200, 'OK', { toTag: '' })).toBe(`${head}To: <sip:b@c>\r\n${rest}`)
  })

  it('copies what must be copied, in order, and adds a To tag', () => {
    const text = buildResponse(invite, 200, 'OK', { toTag: 't', headers: 'X: 1\r\n', copyRecordRoute: true })
    expect(text).toBe(
      [
        'SIP/2.0 200 OK',
        'v: SIP/2.0/UDP h1;branch=z9hG4bK1 , SIP/2.0/UDP h2;branch=z9hG4bK2',
        'Via: SIP/2.0/TCP h3',
        'Record-Route: <sip:p1;lr>',
        'From: <sip:a@b>;tag=1',
        'To:  sip:bob@example.com;tag=t',
        'Call-ID: c',
        'CSeq: 7 INVITE',
        'X: 1',
        'Content-Length: 0',
        '',
        '',
      ].join('\r\n'),
    )
  })

  it('the topmost Via may read otherwise; others in its line stay', () => {
    const text = buildResponse(invite, 100, 'Trying', {
      toTag: '',
      topmostVia: 'SIP/2.0/UDP h1;received=1.2.3.4',
    })
    expect(text).toContain(
      '\r\nVia: SIP/2.0/UDP h1;received=1.2.3.4, SIP/2.0/UDP h2;branch=z9hG4bK2\r\nVia: SIP/2.0/TCP h3',
    )
    expect(text).toContain('To:  sip:bob@example.com\r\n')
  })

  it('has a body if it is given one', () => {
    const text = buildResponse(invite, 200, 'OK', { toTag: 't', body: 'hi', contentType: 'text/plain' })
    expect(text).toMatch(/Content-Type: text\/plain\r\nContent-Length: 2\r\n\r\nhi$/)
  })

  it('keeps a tag that is there', () => {
    const inDialog = scanned(invite.text.replace('To:  sip:bob@example.com', 'To: <sip:b@c>;Tag=theirs'))
    expect(buildResponse(inDialog, 200, 'OK', { toTag: 't' })).toContain('To: <sip:b@c>;Tag=theirs\r\n')
  })
})

describe('requests that belong to another', () => {
  it('CANCEL: RFC 3261 §9.1', () => {
    expect(buildCancel(invite, 'Reason: SIP;cause=200\r\n')).toBe(
      [
        'CANCEL sip:bob@example.com SIP/2.0',
        'Via: SIP/2.0/UDP h1;branch=z9hG4bK1',
        'Max-Forwards: 70',
        'Route: <sip:r1;lr>, <sip:r2;lr>',
        'Route: <sip:r3;lr>',
        'From: <sip:a@b>;tag=1',
        'To:  sip:bob@example.com',
        'Call-ID: c',
        'CSeq: 7 CANCEL',
        'Content-Length: 0',
        'Reason: SIP;cause=200',
        '',
        '',
      ].join('\r\n'),
    )
  })

  it('goes no further than the request that it belongs to', () => {
    const forwarded = scanned(invite.text.replace('Call-ID:', 'Max-Forwards: 69\r\nCall-ID:'))
    const refusal = scanned(buildResponse(forwarded, 486, 'Busy Here', { toTag: 'theirs' }))
    for (const text of [buildCancel(forwarded), buildAck(forwarded, refusal)]) {
      expect(text).toContain('\r\nMax-Forwards: 69\r\n')
    }
  })

  it('ACK: RFC 3261 §17.1.1.3 takes To from the response', () => {
    const response = scanned(buildResponse(invite, 486, 'Busy Here', { toTag: 'theirs' }))
    const ack = scanned(buildAck(invite, response))
    expect(ack).toMatchObject({ method: 'ACK', toTag: 'theirs', fault: null })
    expect(ack.cseq).toEqual({ number: 7, method: 'ACK' })
    expect(ack.vias()).toHaveLength(1)
  })
})

test('buildRequest gives what the scan finds right', () => {
  const text = buildRequest({
    method: 'OPTIONS',
    requestUri: 'sip:a@b',
    via: 'SIP/2.0/UDP h;branch=z9hG4bKx',
    from: '<sip:us@h>;tag=1',
    to: '<sip:a@b>',
    callId: 'c',
    cseq: 3,
    headers: 'X: 1\r\n',
    body: 'hi',
    contentType: 'text/plain',
  })
  expect(scanned(text)).toMatchObject({ fault: null, method: 'OPTIONS', body: 'hi', fromTag: '1' })
})

test('reason phrases', () => {
  expect([reasonPhraseOf(200), reasonPhraseOf(483), reasonPhraseOf(299)]).toEqual([
    'OK',
    'Too Many Hops',
    'Unknown',
  ])
})
