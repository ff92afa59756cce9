import { tortureCases } from '../../rfc/corpus.ts'
import { respond } from '../oracle.ts'
import { type Case, compare, type Difference } from './compare.ts'
import type { Talk } from './talk.ts'

/** What became of a message: who got what, B having answered 200 to what reached it. */
const outcome =
  (text: string) =>
  async ({ sendOctets, send, takeAny, transcript, note }: Talk) => {
    sendOctets('A', Buffer.from(text, 'latin1'))
    const seen: string[] = []
    for (;;) {
      const received = await takeAny(120)
      if (received === '') break
      if (received.startsWith('SIP/2.0')) seen.push(`answered ${received.slice(8, 11)}`)
      else {
        seen.push(`forwarded ${received.slice(0, received.indexOf(' '))}`)
        send('B', respond(received, '200 OK', { tag: 'b' }))
      }
    }
    transcript.length = 0
    note(seen.join(', ') || 'dropped')
  }

const whatCan = 'what can be answered is answered'

/** Name: what Kamailio does, what Viaduct does, why. docs/differences.md has the same table. */
const different: Readonly<Record<string, readonly [kamailio: string, viaduct: string, why: string]>> = {
  '4475-wsinv': ['dropped', forwarded('INVITE'), 'valid: RFC 4475 §3.1.1.1'],
  '4475-intmeth': [
    'dropped',
    forwarded("!interesting-Method0123456789_*+`.%indeed'~"),
    'valid: RFC 4475 §3.1.1.2',
  ],
  '4475-escnull': ['answered 400', 'answered 200', 'two bindings that differ by %00: RFC 4475 §3.1.1.4'],
  '4475-esc02': ['dropped', forwarded('RE%47IST%45R'), 'an unknown method, not REGISTER: RFC 4475 §3.1.1.5'],
  '4475-dblreq': [
    'answered 400',
    'answered 200',
    'what follows the body is no part of the request: RFC 4475 §3.1.1.8',
  ],
  '4475-badinv01': ['dropped', forwarded('INVITE'), 'stray separators in Contact and Via: not ours to judge'],
  '4475-ncl': ['dropped', 'answered 400', whatCan],
  '4475-lwsruri': ['dropped', 'answered 400', whatCan],
  '4475-lwsstart': ['dropped', 'answered 400', whatCan],
  '4475-trws': [
    forwarded('OPTIONS'),
    'answered 400',
    'white space at the end of a start line: RFC 4475 §3.1.2.10',
  ],
  '4475-regbadct': [
    'answered 200',
    'answered 400',
    'headers of a Contact URI outside brackets: RFC 4475 §3.1.2.13',
  ],
  '4475-badvers': ['dropped', 'answered 505', 'RFC 4475 §3.1.2.16'],
  '4475-insuf': ['dropped', 'answered 400', 'From, To and Call-ID are missing: RFC 4475 §3.3.1'],
  '4475-unkscm': ['answered 400', 'answered 416', 'RFC 4475 §3.3.2'],
  '4475-novelsc': ['answered 400', 'answered 416', 'RFC 4475 §3.3.3'],
  '4475-multi01': ['dropped', 'answered 400', whatCan],
  '4475-mcl01': ['dropped', 'answered 400', whatCan],
  '5118-ipv6-in-sdp': ['answered 400', forwarded('INVITE'), 'valid: RFC 5118 §4.6'],
  '5118-mult-ip-in-sdp': ['answered 400', forwarded('INVITE'), 'valid: RFC 5118 §4.8'],
  '5118-ipv4-mapped-ipv6': ['answered 400', forwarded('INVITE'), 'valid: RFC 5118 §4.9'],
}

function forwarded(method: string): string {
  return `${method === 'INVITE' ? 'answered 100, ' : ''}forwarded ${method}, answered 200`
}

function differenceOf(name: string): Difference | undefined {
  const [kamailio, viaduct, why] = different[name] ?? []
  if (kamailio === undefined || viaduct === undefined || why === undefined) return undefined
  return { why, replace: [[new RegExp(`^${kamailio}$`), viaduct.replaceAll('$', '$$$$')]] }
}

const cases: Case[] = tortureCases.map(({ name, text, note }) => ({
  title: `${name}: ${note}`,
  talk: outcome(text),
  differs: differenceOf(name),
}))

compare(
  'torture, with the stock sanity check',
  {
    file: 'torture.cfg',
    defines: { SANITY: 1 },
    // Where no rport is asked for an answer goes to the port in Via, which is 5060 in most of these.
    callers: { addresses: ['127.0.0.3', '127.0.0.4'], port: 5060 },
  },
  cases,
)
