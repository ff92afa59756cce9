import { compareProbes, type Difference, type Probe } from './compare.ts'

/** Our answer, whatever Kamailio does. */
function answered(
  status: string,
  why: string,
  changes: { from?: string | null; to?: string | null; cseq?: string | null } = {},
): Difference {
  const line = (name: string, value: string | null) => (value === null ? '' : `${name}: ${value}\r\n`)
  const {
    from = '"Al Ice" <sip:alice@example.com>;tag=from1',
    to = '<sip:bob@example.com>;tag=LOCALTAG',
    cseq = '1 MESSAGE',
  } = changes
  const text =
    `--- A received\nSIP/2.0 ${status}\r\n` +
    'Via: SIP/2.0/UDP A;rport=A;branch=z9hG4bK-keep-CALL-1;received=127.0.0.1\r\n' +
    `${line('From', from)}${line('To', to)}Call-ID: CALL\r\n${line('CSeq', cseq)}` +
    'Server: router\r\nContent-Length: 0\r\n\r\n'
  return { why, replace: [[/^[\s\S]*$/, text]] }
}

const notSilent = 'what can be answered is answered: RFC 3261 §16.3 step 1'
const typo: Difference = { why: "Kamailio's word is misspelt", replace: [[/Ivalid/, 'Invalid']] }
const inRange = 'RFC 3261 §8.1.1.5 and §20.19 bound the number; what is beyond is refused before the script'

const forwarded = (text: string): string =>
  `--- B received\n${text.trim()}`.replaceAll(/(?<!received)\n/g, '\r\n')

const asReceived = (via: string, length: number, body: string): string =>
  forwarded(`
MESSAGE sip:bob@ROUTER SIP/2.0
Via: SIP/2.0/UDP ROUTER;branch=BRANCH
Via: ${via} A;received=127.0.0.1;rport=A;branch=z9hG4bK-keep-CALL-1
Max-Forwards: 70
From: "Al Ice" <sip:alice@example.com>;tag=from1
To: <sip:bob@example.com>
Call-ID: CALL
CSeq: 1 MESSAGE
X-Probe: N
Contact: <sip:al@192.0.2.7>
Expires: 60
Content-Type: text/plain
Content-Length: ${length}
X-Code: 1
X-Value: unset

${body}`)

const different: Readonly<Record<string, Difference>> = {
  'R-URI version 3.0': answered('505 Version Not Supported', notSilent),
  'http URI': answered('416 Unsupported URI Scheme in Request URI', 'RFC 3261 §16.3 step 2'),
  'no From': answered('400 Missing From Header', notSilent, { from: null }),
  'no To': answered('400 Missing To Header', notSilent, { to: null }),
  'no CSeq': answered('400 Missing CSeq Header', notSilent, { cseq: null }),
  'no CSeq method': answered('400 CSeq number is illegal', notSilent, { cseq: '1' }),
  'CSeq number too large': answered('400 CSeq number is illegal', inRange, { cseq: '4294967296 MESSAGE' }),
  'CSeq number at 2^31': answered('400 CSeq number is illegal', inRange, { cseq: '2147483648 MESSAGE' }),
  'Expires too large': answered('400 Expires value is illegal', inRange),
  'Via version': {
    why: 'the version in a Via concerns the hop that it belongs to',
    replace: [[/^[\s\S]*$/, asReceived('SIP/3.0/UDP', 4, 'body')]],
  },
  'Content-Length too short': {
    why: 'RFC 3261 §18.3: the octets after the body are no part of the message',
    replace: [[/^[\s\S]*$/, asReceived('SIP/2.0/UDP', 3, 'bod')]],
  },
  'To without host': typo,
  'To is no URI': typo,
}

type Change = readonly [title: string, change: (text: string) => string]

const swap =
  (from: string | RegExp, to: string) =>
  (text: string): string =>
    text.replace(from, to)

/** What is wrong with a request; each is tried with the bit that looks at it, and with none. */
const faults: readonly (readonly [mask: number, uriMask: number, ...Change])[] = [
  [1, 7, 'R-URI version 3.0', swap('SIP/2.0', 'SIP/3.0')],
  [1, 7, 'R-URI version in lower case', swap('SIP/2.0', 'sip/2.0')],
  [2, 7, 'tel URI', swap('sip:bob@{ROUTER} ', 'tel:+123 ')],
  [2, 7, 'http URI', swap('sip:bob@{ROUTER} ', 'http://example.com ')],
  [2, 7, 'urn', swap('sip:bob@{ROUTER} ', 'urn:service:sos ')],
  [4, 7, 'no From', swap(/From:.*\r\n/, '')],
  [4, 7, 'no To', swap(/To:.*\r\n/, '')],
  [4, 7, 'no Call-ID', swap(/Call-ID:.*\r\n/, '')],
  [4, 7, 'no CSeq', swap(/CSeq:.*\r\n/, '')],
  [4, 7, 'no Via', swap(/Via:.*\r\n/, '')],
  [8, 7, 'Via version', swap('Via: SIP/2.0', 'Via: SIP/3.0')],
  [16, 7, 'Via protocol', swap('SIP/2.0/UDP', 'SIP/2.0/FOO')],
  [32, 7, 'CSeq method', swap('1 MESSAGE', '1 INFO')],
  [32, 7, 'no CSeq method', swap('1 MESSAGE', '1')],
  [64, 7, 'CSeq number is no number', swap('CSeq: 1', 'CSeq: x')],
  [64, 7, 'CSeq number too large', swap('CSeq: 1', 'CSeq: 4294967296')],
  [64, 7, 'CSeq number at 2^31', swap('CSeq: 1', 'CSeq: 2147483648')],
  [128, 7, 'Content-Length too short', swap('Content-Length: 4', 'Content-Length: 3')],
  [128, 7, 'Content-Length too long', swap('Content-Length: 4', 'Content-Length: 5')],
  [128, 7, 'no Content-Length', swap('Content-Length: 4\r\n', '')],
  [256, 7, 'Expires is no number', swap('Expires: 60', 'Expires: soon')],
  [256, 7, 'Expires too large', swap('Expires: 60', 'Expires: 4294967296')],
  [512, 7, 'Proxy-Require', swap('Expires', 'Proxy-Require: foo\r\nExpires')],
  [512, 7, 'Require', swap('Expires', 'Require: foo\r\nExpires')],
  [1024, 1, 'R-URI without host', swap('sip:bob@{ROUTER} ', 'sip:bob@ ')],
  [1024, 2, 'From without host', swap('alice@example.com', 'alice@')],
  [1024, 4, 'To without host', swap('bob@example.com', 'bob@')],
  [1024, 4, 'To is no URI', swap('<sip:bob@example.com>', '<bogus>')],
  [1024, 8, 'Contact is no URI', swap('<sip:al@192.0.2.7>', '<bogus>')],
  [
    2048,
    7,
    'Authorization without a response',
    swap('Expires', 'Authorization: Digest username="a"\r\nExpires'),
  ],
  [4096, 7, 'two From tags', swap(';tag=from1', ';tag=from1;tag=from2')],
  [8192, 7, 'an empty Authorization', swap('Expires', 'Authorization: \r\nExpires')],
  [16384, 7, 'no branch', swap(/;branch=[^\r]*/, '')],
  [16384, 7, 'an empty branch', swap(/;branch=[^\r]*/, ';branch=')],
  [32768, 7, 'a branch of old', swap('branch=z9hG4bK-keep', 'branch=old')],
]

const probe = (script: string, title: string, change: Change[1]): Probe => ({
  title,
  script: `if (!${script}) { exit; }`,
  headers: 'Contact: <sip:al@192.0.2.7>\nExpires: 60\nContent-Type: text/plain',
  body: 'body',
  change,
  isSilent: true,
  ...(different[title] && { differs: different[title] }),
})

compareProbes(
  'sanity, each fault with the bit that looks at it',
  '',
  faults.map(([mask, uriMask, title, change]) =>
    probe(`sanity_check("${mask}", "${uriMask}")`, title, change),
  ),
)

compareProbes(
  'sanity as the stock script has it',
  '',
  faults.map(([, , title, change]) => probe('sanity_check("17895", "7")', title, change)),
)
