import { spawnSync } from 'node:child_process'
import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { nextInvite, nextMessage, nextResponse } from '../../bench/micro/messages.ts'
import { SipHash } from '../../src/runtime/sip-hash.ts'
import { HeaderId, slotNames } from '../../src/sip/header-id.ts'
import { withdrawRecords } from '../../src/sip/header-table.ts'
import type { SipMessage } from '../../src/sip/message.ts'
import { isFault, scanMessage, scannedMessage } from '../../src/sip/scan.ts'
import { type Identity, isUsual, scanRecordWords } from '../../src/sip/scan-record.ts'
import { parseUri } from '../../src/sip/uri.ts'
import { loadNativeAddon } from '../../src/transport/native-addon.ts'
import { mutate, mutation } from '../property/hostile-text.ts'
import { debris, octets, request } from '../property/message-text.ts'
import { tortureCases } from '../rfc/corpus.ts'

/**
 * The law of native/scan.c: what it calls usual scan.ts accepts without a fault, and every number and every value that
 * is read by its record is what scan.ts reads. VIADUCT_FUZZ=1000000 looks at so many messages of each kind.
 */
const addon = loadNativeAddon()
const numRuns = Number(process.env['VIADUCT_FUZZ'] ?? 20_000)
const record = new Int32Array(scanRecordWords)
const key = Buffer.from('sixteen octets !')
// Room to spare, full of what would be noticed: nothing is read beyond the length.
const slab = Buffer.alloc(66_000, '9')

function scanNatively(text: string): boolean {
  if (typeof addon === 'string') throw new Error(addon)
  record.fill(-7)
  slab.fill('9')
  slab.write(text, 'latin1')
  const said = addon.scan(slab.subarray(0, text.length), record, key)
  expect(isUsual(record)).toBe(said)
  return said
}

/** Everything that the record can answer, asked in the order in which it would be answered from it. */
function answers(message: SipMessage): unknown {
  const { isRequest, statusCode, requestUriStart, requestUriEnd, headersStart, headersEnd } = message
  const { bodyStart, bodyEnd, headerCount, fault, secondVia, topmostVia, cseq, fromTag, toTag } = message
  const { method, methodMask, requestUri, reasonPhrase, from, to, callId, body } = message
  const vias = [topmostVia, secondVia].map((via) => via && { ...via, params: via.params })
  return {
    ...{ isRequest, statusCode, requestUriStart, requestUriEnd, headersStart, headersEnd },
    ...{ bodyStart, bodyEnd, headerCount, fault, vias, cseq, fromTag, toTag },
    ...{ method, methodMask, requestUri, reasonPhrase, from, to, callId, body },
    uris: [message.readFromUri(), message.readToUri()],
    firsts: Object.values(HeaderId).map((id) => message.first(id)),
    rows: Array.from({ length: headerCount }, (_, index) => [
      message.headerId(index),
      message.headerName(index),
      message.headerValue(index),
      message.headerStart(index),
      message.headerValueStart(index),
      message.headerValueEnd(index),
      message.headerEnd(index),
      message.next(index),
    ]),
  }
}

/** As sip/scan-record.ts defines it. */
function identityOf(message: SipMessage): Identity {
  const via = message.isRequest ? message.topmostVia : message.secondVia
  const { branch = '' } = via ?? {}
  const hash = new SipHash(key)
  hash.start()
  hash.word(message.cseq?.number ?? -1)
  hash.word((branch.length << 16) | message.callId.length)
  hash.text(branch)
  hash.pad()
  hash.text(message.callId)
  hash.pad()
  hash.finish()
  return { low: hash.low, high: hash.high }
}

/** A request is always identified, a response if its second Via is usual. */
function agreesAboutIdentity(usual: SipMessage, plain: SipMessage): void {
  const identity = { low: 0, high: 0 }
  const isIdentified = usual.readIdentity(identity)
  if (plain.isRequest || plain.secondVia === null) expect(isIdentified).toBe(plain.isRequest)
  if (isIdentified) expect(identity).toEqual(identityOf(plain))
}

/** Host and port of the Request-URI, of those that have nothing after them. */
function agreesAboutHost(usual: SipMessage, plain: SipMessage): void {
  const found = { host: '', port: -1 }
  const { isRequest, requestUri } = plain
  const hostPort = requestUri.slice(requestUri.indexOf('@') + 1)
  const isBare = isRequest && !/[;?]/.test(hostPort)
  expect(usual.readRequestHost(found)).toBe(isBare)
  if (isBare) expect(parseUri(requestUri)).toMatchObject({ ...found, params: '', headers: '' })
}

/** True if it is usual. */
function agrees(text: string): boolean {
  if (!scanNatively(text)) return false
  const plain = scanMessage(text)
  if (isFault(plain)) throw new Error(`usual, but ${plain.reason}: ${JSON.stringify(text)}`)
  const expected = answers(plain)
  expect(plain.fault).toBeNull()
  expect(answers(scannedMessage(text, record))).toEqual(expected)
  agreesAboutIdentity(scannedMessage(text, record), plain)
  agreesAboutHost(scannedMessage(text, record), plain)
  const late = scannedMessage(text, record)
  withdrawRecords()
  record.fill(-7)
  expect(answers(late)).toEqual(expected)
  return true
}

const usualRequest = `REGISTER sip:bench.test SIP/2.0
Via: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK-1;rport
Via: SIP/2.0/UDP 192.0.2.1;rport=5060;received=192.0.2.7;branch=z9hG4bK-0
Max-Forwards: 70
Route: <sip:192.0.2.9;lr>
Record-Route: <sip:192.0.2.9;lr>,<sip:192.0.2.10;lr>
From: "Alice B" <sip:u1@bench.test>;tag=f1;x=1
To: Bob <sip:u1@bench.test>
Call-ID: 1@127.0.0.1
CSeq: 2147483647 REGISTER
Contact: <sip:u1@127.0.0.1:5080>;expires=3600
Authorization: Digest username="u1", realm="bench.test", nonce="x", uri="sip:bench.test", response="0"
User-Agent: sipgen/1.0 (bench)
X-Other:
Supported:   path ,  outbound
Expires: 3600
Content-Length: 0

`.replaceAll('\n', '\r\n')

const usualResponse = `SIP/2.0 180 Ringing
v: SIP/2.0/UDP 192.0.2.1:5090;branch=z9hG4bKs0.0123456789abcdef.1.0
v: SIP/2.0/UDP phone.example.com;received=192.0.2.4;branch=z9hG4bK-1;rport=5062;maddr=224.0.1.75;ttl=1
Record-Route: <sip:192.0.2.9;lr>
f: <sip:a@bench.test>;tag=f1
t: <sips:b@bench.test>;x;tag=t1
i: 1@127.0.0.1
CSeq: 1 INVITE
m: <sip:b@192.0.2.5>
l: 0

`.replaceAll('\n', '\r\n')

const method = (text: string, name: string) => text.replaceAll('MESSAGE', name)
const usual: readonly (readonly [string, string])[] = [
  ['MESSAGE', nextMessage()],
  ['200', nextResponse()],
  ['INVITE', nextInvite()],
  ['ACK', method(nextMessage(), 'ACK')],
  ['BYE', method(nextMessage(), 'BYE')],
  ['OPTIONS', method(nextMessage(), 'OPTIONS')],
  ['REGISTER', usualRequest],
  ['180', usualResponse],
]
const cRequired = spawnSync('cc', ['--version']).status === 0

test.runIf(cRequired)('where there is a C compiler there is an addon', () => {
  expect(addon).toBeTypeOf('object')
})

describe.skipIf(typeof addon === 'string' && !cRequired)('native/scan.c', () => {
  test.each(usual)('%s is usual, and both say the same of it', (_name, text) => {
    expect(agrees(text)).toBe(true)
  })

  test.each(slotNames.filter((name) => name !== ''))('knows %s in any case', (name) => {
    for (const one of [name, name.toLowerCase(), name.toUpperCase()]) {
      const line = `${one}: 1\r\n`
      const text = usualRequest.replace('X-Other:\r\n', line)
      // Those that stand there already may not stand twice.
      if (!agrees(text)) expect(scanMessage(text)).toHaveProperty('fault.code', 'duplicate-header')
    }
  })

  test.each([
    ['a fold', usualRequest.replace('path ,', 'path ,\r\n')],
    ['a bare LF', usualRequest.replace('70\r\n', '70\n')],
    ['a bare CR', usualRequest.replace('bench)', 'bench\r)')],
    ['a line end before it', `\r\n${usualRequest}`],
    ['no empty line', usualRequest.slice(0, -2)],
    ['a blank before the colon', usualRequest.replace('Via:', 'Via :')],
    ['another version', usualRequest.replace('SIP/2.0\r', 'SIP/3.0\r')],
    ['two spaces in the start line', usualRequest.replace(' sip:', '  sip:')],
    ['a Via over TCP', usualRequest.replace('SIP/2.0/UDP', 'SIP/2.0/TCP')],
    ['IPv6', usualRequest.replace('10.0.0.1', '[2001:db8::1]')],
    ['two Vias in one line', usualRequest.replace('rport\r\nVia: ', 'rport, ')],
    ['a Request-URI without a host', usualRequest.replace('sip:bench.test', 'sip:u1@')],
    ['a Request-URI with a control', usualRequest.replace('sip:bench', 'sip:a\x7f@bench')],
    ['a From with nothing but a scheme', usualRequest.replace('<sip:u1@bench.test>;tag', '<sip:>;tag')],
    ['a From with a scheme and a blank', usualRequest.replace('<sip:u1@bench.test>;tag', '<sip: >;tag')],
    ['a tel URI', usualRequest.replace('sip:bench.test', 'tel:+1')],
    ['an octet too few', usualRequest.replace('Content-Length: 0', 'Content-Length: 1')],
    ['a method that is not that of CSeq', usualRequest.replace('7 REGISTER', '7 INVITE')],
    ['a CSeq beyond 2^31', usualRequest.replace('2147483647', '2147483648')],
    ['256 hops', usualRequest.replace('70\r\n', '256\r\n')],
    ['two From', usualRequest.replace('To: Bob', 'From: Bob')],
    ['no To', usualRequest.replace('To: Bob', 'X: Bob')],
    ['an empty Call-ID', usualRequest.replace('1@127.0.0.1\r\n', '\r\n')],
    ['65 header lines', usualRequest.replace('X-Other:\r\n', 'X: 1\r\n'.repeat(49))],
    ['a status of two digits', usualResponse.replace('180', '18')],
  ])('leaves %s to scan.ts', (_what, text) => {
    expect(text).not.toBe(usualRequest)
    expect(scanNatively(text)).toBe(false)
  })

  test.each(tortureCases.map(({ name, text }) => [name, text] as const))(
    'RFC 4475, RFC 5118: %s',
    (_, text) => {
      agrees(text)
    },
  )

  it.each([
    ['octets', octets],
    ['debris', debris],
    ['requests', request.map(({ text }) => text)],
    ['torture', fc.constantFrom(...tortureCases.map(({ text }) => text))],
  ])(
    'agrees about %s, changed a little',
    (_what, texts) => {
      fc.assert(
        fc.property(texts, fc.array(mutation, { maxLength: 2 }), (text, mutations) => {
          agrees(mutate(text, mutations))
        }),
        { numRuns: numRuns / 4 },
      )
    },
    600_000,
  )

  it('agrees about what was usual and was changed a little', () => {
    let count = 0
    const runs = numRuns * 2
    fc.assert(
      fc.property(
        fc.constantFrom(...usual.map(([, text]) => text)),
        fc.array(mutation, { minLength: 1, maxLength: 3 }),
        (text, mutations) => {
          if (agrees(mutate(text, mutations))) count++
        },
      ),
      { numRuns: runs },
    )
    // A law about nothing would hold too.
    expect(count).toBeGreaterThan(runs / 20)
  }, 600_000)

  it('agrees about every octet of a usual message, whatever stands there', () => {
    for (const text of [usualRequest, usualResponse]) {
      for (let at = 0; at < text.length; at++) {
        for (const other of '\0\t\n\r "\'*,/059:;<=>?@ABRSTZ[\\]brst\x7f\xff') {
          agrees(text.slice(0, at) + other + text.slice(at + 1))
        }
      }
    }
  }, 600_000)

  it('says the same of a part as of the whole: nothing is usual that is cut', () => {
    for (const [, text] of usual) {
      const headersEnd = text.indexOf('\r\n\r\n') + 4
      for (let length = 0; length < headersEnd; length++)
        expect(scanNatively(text.slice(0, length))).toBe(false)
    }
  })
})
