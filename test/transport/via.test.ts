import { describe, expect, it } from 'vitest'
import { isFault, scanMessage } from '../../src/sip/scan.ts'
import type { Flow } from '../../src/transport/socket.ts'
import { answeredVia, correctedVia, responseDestination } from '../../src/transport/via.ts'

const flow = { address: '127.0.0.1', port: 15411, socket: { transport: 'udp' } } as unknown as Flow

function request(via: string) {
  const message = scanMessage(
    `OPTIONS sip:a@b SIP/2.0\r\nVia: ${via}\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: c\r\nCSeq: 1 OPTIONS\r\n\r\n`,
  )
  if (isFault(message)) throw new Error(message.reason)
  return message
}

/** Via as sent, force_rport(), as forwarded, as answered: what Kamailio 5.6.3 puts on the wire, but for the last three. */
const table: [via: string, force: boolean, forwarded: string, answered: string][] = [
  ['127.0.0.1:15411;branch=x', false, '127.0.0.1:15411;branch=x', '127.0.0.1:15411;branch=x'],
  [
    '127.0.0.1:15411;branch=x',
    true,
    '127.0.0.1:15411;rport=15411;branch=x',
    '127.0.0.1:15411;branch=x;rport=15411',
  ],
  [
    '10.0.0.1:15411;branch=x',
    false,
    '10.0.0.1:15411;received=127.0.0.1;branch=x',
    '10.0.0.1:15411;branch=x;received=127.0.0.1',
  ],
  [
    '10.0.0.1:15411;branch=x',
    true,
    '10.0.0.1:15411;rport=15411;received=127.0.0.1;branch=x',
    '10.0.0.1:15411;branch=x;rport=15411;received=127.0.0.1',
  ],
  [
    '127.0.0.1:15411;rport;branch=x',
    false,
    '127.0.0.1:15411;received=127.0.0.1;rport=15411;branch=x',
    '127.0.0.1:15411;rport=15411;branch=x;received=127.0.0.1',
  ],
  [
    '10.0.0.1:5060;branch=x;rport;x=y',
    false,
    '10.0.0.1:5060;received=127.0.0.1;branch=x;rport=15411;x=y',
    '10.0.0.1:5060;branch=x;rport=15411;x=y;received=127.0.0.1',
  ],
  ['10.0.0.1:15411', false, '10.0.0.1:15411;received=127.0.0.1', '10.0.0.1:15411;received=127.0.0.1'],
  [
    '127.0.0.1:15411;branch=x;received=9.9.9.9;rport=77',
    false,
    '127.0.0.1:15411;branch=x;received=127.0.0.1;rport=15411',
    '127.0.0.1:15411;branch=x;received=127.0.0.1;rport=15411',
  ],
  ['127.0.0.1;received=9.9.9.9', false, '127.0.0.1', '127.0.0.1'],
  [
    'h ; branch="a;received=b" ; rport',
    false,
    'h ;received=127.0.0.1; branch="a;received=b" ;rport=15411',
    'h ; branch="a;received=b" ;rport=15411;received=127.0.0.1',
  ],
]

describe('received and rport: RFC 3261 §18.2.1, RFC 3581 §4', () => {
  it.each(table)('%s force %s', (via, force, forwarded, answered) => {
    const message = request(`SIP/2.0/UDP ${via}`)
    expect(correctedVia(message, flow, force)).toBe(`SIP/2.0/UDP ${forwarded}`)
    expect(answeredVia(message, flow, force)).toBe(`SIP/2.0/UDP ${answered}`)
  })

  it('touches the first value of a line and no other', () => {
    expect(correctedVia(request('SIP/2.0/UDP h;rport, SIP/2.0/UDP i'), flow, false)).toBe(
      'SIP/2.0/UDP h;received=127.0.0.1;rport=15411',
    )
  })
})

describe('the short way and the long way', () => {
  const vias = ['h', 'h:5070', '127.0.0.1:15411', '[::1]:5060'].flatMap((sentBy) =>
    ['', ';rport', ';branch=x;rport', ';rport;branch="a;b" ;ttl=1', ' ;branch=x ;rport;maddr=m'].map(
      (params) => sentBy + params,
    ),
  )

  it.each(vias.flatMap((via) => [true, false].map((force) => [via, force] as const)))(
    'agree about %s force %s',
    (via, force) => {
      for (const corrected of [correctedVia, answeredVia]) {
        const short = corrected(request(`SIP/2.0/UDP ${via}`), flow, force)
        // A name in capitals, or another parameter that begins with an r, is looked at one by one.
        const capitals = via.replace('rport', 'RPORT')
        expect(corrected(request(`SIP/2.0/UDP ${capitals};R`), flow, force).replace(/;R\b/, '')).toBe(short)
      }
    },
  )

  it.each(['h;rport;rport', 'h;received;rport', 'h;received=;branch=x', 'h; rport'])(
    '%s leaves nothing twice',
    (via) => {
      const text = correctedVia(request(`SIP/2.0/UDP ${via}`), flow, false)
      expect(text.match(/received/g)).toHaveLength(1)
      expect(text.match(/;rport=15411/g) ?? []).toHaveLength(via.includes('rport') ? 1 : 0)
    },
  )
})

describe('where the response goes: RFC 3261 §18.2.2, RFC 3581 §4', () => {
  it.each([
    ['h:5070;branch=x', false, 5070],
    ['h;branch=x', false, 5060],
    ['h:5070;branch=x', true, 15411],
    ['h:5070;rport;branch=x', false, 15411],
    ['h:5070;rport=1;branch=x', false, 15411],
    ['h:5070;received=6.6.6.6;maddr=7.7.7.7', false, 5070],
  ])('%s force %s: port %i, always the source address', (via, force, port) => {
    expect(responseDestination(request(`SIP/2.0/UDP ${via}`), flow, force)).toEqual({
      address: '127.0.0.1',
      port,
    })
  })
})
