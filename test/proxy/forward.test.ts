import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { forwardedRequest, forwardedResponse, viaPrefix } from '../../src/proxy/forward.ts'
import { markedAddress, recordRouteAddress, resolveRecordRoutes } from '../../src/proxy/record-route.ts'
import { createEditList } from '../../src/sip/edit.ts'
import { createListenSocket, createSocketTable } from '../../src/transport/sockets.ts'
import { answer, request, scan } from './stand.ts'

const socket = createListenSocket({ transport: 'udp', address: '127.0.0.1', port: 15900 }, 0)
const second = createListenSocket({ transport: 'udp', address: '127.0.0.1', port: 15911 }, 1)
const sockets = createSocketTable([socket, second])
const flow = { socket, address: '127.0.0.1', port: 15201 }
const ours = `${viaPrefix(socket)}z9hG4bKours.0\r\n`
const plain = { requestUri: 'sip:c@127.0.0.1:15102', path: [], via: ours, maxBreadth: -1, forceRport: false }

/** The request that the measurements on Kamailio 5.6.3 were made with. */
const measured = [
  'MESSAGE sip:b@127.0.0.1:15900 SIP/2.0',
  'Via: SIP/2.0/UDP 127.0.0.1:15201;rport;branch=z9hG4bKff04c69c',
  'From: <sip:x@y>;tag=ft',
  'To: <sip:t@y>',
  'Call-ID: 590350408395',
  'CSeq: 1 MESSAGE',
  'Max-Forwards: 70',
  'Content-Length: 0',
  '',
  '',
].join('\r\n')

const lines = (text: string | null) => (text ?? '').split('\r\n')

describe('RFC 3261 §16.6: the request as it leaves, byte for byte as Kamailio', () => {
  it('our Via above theirs, received and rport after its sent-by, the rest untouched', () => {
    expect(lines(forwardedRequest(scan(measured), flow, null, plain))).toEqual([
      'MESSAGE sip:c@127.0.0.1:15102 SIP/2.0',
      'Via: SIP/2.0/UDP 127.0.0.1:15900;branch=z9hG4bKours.0',
      'Via: SIP/2.0/UDP 127.0.0.1:15201;received=127.0.0.1;rport=15201;branch=z9hG4bKff04c69c',
      ...lines(measured).slice(2),
    ])
  })

  it('Record-Route, Via, Route of the path, Via: in this order', () => {
    const edits = createEditList()
    edits.prependHeader('Record-Route: <sip:127.0.0.1:15900;lr;ftag=ft>\r\n')
    const text = forwardedRequest(scan(measured), flow, edits, {
      ...plain,
      path: ['<sip:127.0.0.1:15102;lr>', '<sip:p2;lr>'],
    })
    expect(lines(text).slice(1, 5)).toEqual([
      'Record-Route: <sip:127.0.0.1:15900;lr;ftag=ft>',
      'Via: SIP/2.0/UDP 127.0.0.1:15900;branch=z9hG4bKours.0',
      'Route: <sip:127.0.0.1:15102;lr>,<sip:p2;lr>',
      'Via: SIP/2.0/UDP 127.0.0.1:15201;received=127.0.0.1;rport=15201;branch=z9hG4bKff04c69c',
    ])
  })

  it('what the script inserted above the Via stays above ours, what it appended is last', () => {
    const message = scan(measured)
    const edits = createEditList()
    edits.prependHeader('Record-Route: <sip:127.0.0.1:15900;lr;ftag=ft;a=1>\r\n')
    edits.insertBeforeHeader(message, 0, 'X-Ins: 1\r\n')
    edits.appendHeader('X-App: 1\r\n')
    const got = lines(forwardedRequest(message, flow, edits, plain))
    expect(got.slice(1, 4)).toEqual([
      'Record-Route: <sip:127.0.0.1:15900;lr;ftag=ft;a=1>',
      'X-Ins: 1',
      'Via: SIP/2.0/UDP 127.0.0.1:15900;branch=z9hG4bKours.0',
    ])
    expect(got.at(-3)).toBe('X-App: 1')
  })

  it('Max-Forwards is the script\u2019s business', () => {
    const text = forwardedRequest(scan(measured.replace('Max-Forwards: 70\r\n', '')), flow, null, plain)
    expect(text).not.toContain('Max-Forwards')
  })

  it('Max-Breadth is replaced where it stands, appended where it does not', () => {
    const stated = scan(measured.replace('Max-Forwards: 70', 'Max-Breadth:  9 '))
    expect(forwardedRequest(stated, flow, null, { ...plain, maxBreadth: 4 })).toContain(
      '\r\nMax-Breadth:  4 \r\n',
    )
    const silent = forwardedRequest(scan(measured), flow, null, { ...plain, maxBreadth: 30 })
    expect(lines(silent).at(-3)).toBe('Max-Breadth: 30')
  })

  it('port 5060 is left out of our Via', () => {
    expect(viaPrefix(createListenSocket({ transport: 'udp', address: '192.0.2.1', port: 5060 }, 0))).toBe(
      'Via: SIP/2.0/UDP 192.0.2.1;branch=',
    )
    expect(viaPrefix(createListenSocket({ transport: 'udp', address: '2001:db8::1', port: 5070 }, 0))).toBe(
      'Via: SIP/2.0/UDP [2001:db8::1]:5070;branch=',
    )
  })

  it('law: the short way without edits writes what the long way writes', () => {
    const octets = fc.string({
      unit: fc.integer({ min: 0x20, max: 0xff }).map((code) => String.fromCharCode(code)),
    })
    fc.assert(
      fc.property(octets, octets, fc.boolean(), (subject, body, forceRport) => {
        const message = scan(request({ headers: [`Subject: x${subject}`], body }))
        const forwarding = { ...plain, forceRport }
        const edits = createEditList()
        edits.appendHeader('X-Mark: 1\r\n')
        const long = forwardedRequest(message, flow, edits, forwarding)
        expect(long?.replace('X-Mark: 1\r\n', '')).toBe(forwardedRequest(message, flow, null, forwarding))
      }),
    )
  })
})

describe('RFC 3261 §16.7 step 3: the response as it goes back', () => {
  const sent = forwardedRequest(scan(measured), flow, null, plain) ?? ''

  it('without our Via, otherwise byte for byte', () => {
    const response = answer(sent, 200, ['X-From: 0'])
    expect(forwardedResponse(scan(response), null)).toBe(response.replace(ours, ''))
  })

  it('also if both Vias share a line', () => {
    const joined = answer(sent, 200).replace(
      '\r\nVia: SIP/2.0/UDP 127.0.0.1:15201',
      ', SIP/2.0/UDP 127.0.0.1:15201',
    )
    const expected = joined.replace('SIP/2.0/UDP 127.0.0.1:15900;branch=z9hG4bKours.0, ', '')
    expect(forwardedResponse(scan(joined), null)).toBe(expected)
    const edits = createEditList()
    edits.appendHeader('X-App: 1\r\n')
    expect(forwardedResponse(scan(joined), edits).replace('X-App: 1\r\n', '')).toBe(expected)
  })

  it('octets behind the body stay behind', () => {
    const response = answer(sent, 200)
    expect(forwardedResponse(scan(`${response}trailing`), null)).toBe(response.replace(ours, ''))
  })
})

describe('Record-Route per branch', () => {
  const line = (arrival: typeof socket) => `Record-Route: <sip:${markedAddress(arrival)};lr;ftag=ft;x=1>\r\n`

  it('is one value if the request leaves where it came in', () => {
    expect(resolveRecordRoutes(`a\r\n${line(socket)}b\r\n`, socket, sockets)).toBe(
      'a\r\nRecord-Route: <sip:127.0.0.1:15900;lr;ftag=ft;x=1>\r\nb\r\n',
    )
  })

  it('is two with r2, the leaving side on top, otherwise (measured)', () => {
    expect(resolveRecordRoutes(`a\r\n${line(socket)}b\r\n`, second, sockets)).toBe(
      'a\r\nRecord-Route: <sip:127.0.0.1:15911;r2=on;lr;ftag=ft;x=1>\r\n' +
        'Record-Route: <sip:127.0.0.1:15900;r2=on;lr;ftag=ft;x=1>\r\nb\r\n',
    )
  })

  it('law: nothing that came from the wire is changed', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (octets) => {
        const text = Buffer.from(octets).toString('latin1')
        expect(resolveRecordRoutes(text, second, sockets)).toBe(text)
      }),
    )
  })

  it('names the transport unless it is UDP', () => {
    const tcp = createListenSocket({ transport: 'tcp', address: '192.0.2.1', port: 5060 }, 2)
    expect(recordRouteAddress(tcp)).toBe('192.0.2.1;transport=tcp')
  })
})
