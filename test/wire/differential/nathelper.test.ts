import { respond } from '../oracle.ts'
import { compare, compareProbes, type Difference, type Probe } from './compare.ts'
import { request } from './talk.ts'

const bits = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 19]
const everyBit = bits
  .map((bit) => `$var(rc) = nat_uac_test("${bit}"); append_hf("X-Bit-${bit}: $var(rc)\\r\\n");`)
  .join(' ')

const sdp = (connection: string, extra = '') =>
  `v=0\r\no=- 1 1 IN IP4 ${connection}\r\ns=-\r\nc=IN IP4 ${connection}\r\nt=0 0\r\n${extra}m=audio 5004 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n`

const withSdp = (connection: string, extra?: string) => ({
  method: 'INVITE',
  headers: 'Contact: <sip:al@10.0.0.5:5062>\nContent-Type: application/sdp',
  body: sdp(connection, extra),
})

const behindHeaders: Difference = {
  why: "a parameter of the URI stands before its headers: RFC 3261 §19.1.1's grammar",
  replace: [[/\?h=v(;alias=[^>]+)/, '$1?h=v']],
}

function handleAlias(mode: string): string {
  return `$var(x) = handle_ruri_alias(${mode}); append_hf("X-Uri: $ru $du\\r\\n");`
}

const tests: Probe[] = [
  { title: 'nat_uac_test: everything public', headers: 'Contact: <sip:al@192.0.2.7>', script: everyBit },
  { title: 'nat_uac_test: a private Contact', headers: 'Contact: <sip:al@10.0.0.5:5062>', script: everyBit },
  { title: 'nat_uac_test: a shared address', headers: 'Contact: <sip:al@100.64.0.5>', script: everyBit },
  { title: 'nat_uac_test: the source as Contact', headers: 'Contact: <sip:al@{A}>', script: everyBit },
  { title: 'nat_uac_test: a private Via', via: '192.168.1.1:5070', script: everyBit },
  { title: 'nat_uac_test: Via with another port', via: '127.0.0.1:5999', script: everyBit },
  { title: 'nat_uac_test: Via with a name', via: 'client.example.com', script: everyBit },
  { title: 'nat_uac_test: private SDP', ...withSdp('10.0.0.5'), script: everyBit },
  { title: 'nat_uac_test: public SDP', ...withSdp('192.0.2.9'), script: everyBit },
  { title: 'nat_uac_test: SDP at the source', ...withSdp('127.0.0.1'), script: everyBit },
  { title: 'nat_uac_test: Contact: *', headers: 'Contact: *', script: everyBit },
  {
    title: 'nat_uac_test: a Contact with a name',
    headers: 'Contact: <sip:al@host.example.com>',
    script: everyBit,
  },
  {
    title: 'nat_uac_test: IPv6 in Contact',
    headers: 'Contact: <sip:al@[fd00::1]:5060>',
    script: everyBit,
    differs: {
      why: 'a unique local address (RFC 4193) is private as those of RFC 1918 are',
      replace: [
        [/X-Bit-1: -1/, 'X-Bit-1: 1'],
        [/X-Bit-19: -1/, 'X-Bit-19: 1'],
      ],
    },
  },
]

const contacts = [
  '<sip:al@10.0.0.5:5062>',
  '<sip:al@10.0.0.5:5062;transport=udp>;expires=60',
  '"Al" <sip:al@10.0.0.5>;q=0.5',
  'sip:al@10.0.0.5:5062',
  'sip:al@10.0.0.5:5062;expires=60',
  '<sip:{A}>',
  '<sip:al@{A};transport=udp>',
  '<sip:al:pw@10.0.0.5:5062;x=1?h=v>',
  '<sip:al@10.0.0.5>, <sip:al@10.0.0.6>',
  '*',
]

const ofTwo: Difference['why'] =
  'of two contacts in one header the first is corrected: it is the one that RFC 3261 §12.1.1 makes the remote target'

const changes: Probe[] = [
  ['$var(x) = fix_nated_contact();', /10\.0\.0\.5>, <sip:al@A>/, 'A>, <sip:al@10.0.0.6>'],
  ['$var(x) = add_contact_alias();', /5>, (<sip:al@10\.0\.0\.6)(;[^>]+)/, '5$2>, $1'],
  ['$var(x) = set_contact_alias();', /5>, (<sip:al@10\.0\.0\.6)(;[^>]+)/, '5$2>, $1'],
  [
    '$var(x) = add_contact_alias("192.0.2.1", "5099", "tcp");',
    /5>, (<sip:al@10\.0\.0\.6)(;[^>]+)/,
    '5$2>, $1',
  ],
].flatMap(([script, from, to]) =>
  contacts.map((contact) => ({
    title: `${script} ${contact}`,
    script: script as string,
    headers: `Contact: ${contact}`,
    ...(contact.includes(', ') && { differs: { why: ofTwo, replace: [[from as RegExp, to as string]] } }),
    ...(contact.includes('?') && script === '$var(x) = set_contact_alias();' && { differs: behindHeaders }),
  })),
)

const aliases: Probe[] = [
  'sip:bob@10.0.0.5;alias=192.0.2.1~5070~1',
  'sip:bob@10.0.0.5;alias=192.0.2.1~5070~2',
  'sip:bob@10.0.0.5;alias=192.0.2.1~5070~3;x=y',
  'sip:bob@10.0.0.5;a=b;alias=192.0.2.1~5070~1;c=d',
  'sip:bob@10.0.0.5;alias=[2001:db8::1]~5070~1',
  'sip:bob@10.0.0.5;alias=192.0.2.1~5070~1;alias=192.0.2.2~5070~1',
  'sip:bob@10.0.0.5;alias=192.0.2.1',
  'sip:bob@10.0.0.5',
  'sip:bob@10.0.0.5;alias=',
].map((uri) => ({ uri, title: `handle_ruri_alias: ${uri}`, script: handleAlias('') }))

const media = ['1', '2', '3', '4', '8', '10', '15', '26'].flatMap((flags) => [
  {
    title: `fix_nated_sdp: ${flags}`,
    ...withSdp('10.0.0.5'),
    script: `$var(x) = fix_nated_sdp("${flags}");`,
  },
  {
    title: `fix_nated_sdp: ${flags} with an address`,
    ...withSdp('10.0.0.5'),
    script: `$var(x) = fix_nated_sdp("${flags}", "192.0.2.44");`,
  },
])

compareProbes('nathelper', '', [
  ...tests,
  ...changes,
  { script: 'set_contact_alias(); $var(x) = $ct;', headers: 'Contact: <sip:al@10.0.0.5:5062>' },
  {
    title: 'fix_nated_contact twice',
    script:
      '$var(a) = fix_nated_contact(); $var(b) = fix_nated_contact(); append_hf("X-Rc: $var(a) $var(b)\\r\\n");',
    headers: 'Contact: <sip:al@10.0.0.5:5062>',
  },
  {
    title: 'add_contact_alias twice',
    script:
      '$var(a) = add_contact_alias(); $var(b) = add_contact_alias(); append_hf("X-Rc: $var(a) $var(b)\\r\\n");',
    headers: 'Contact: <sip:al@10.0.0.5:5062>',
    differs: {
      why: 'the second call adds nothing: a Contact has one alias of one router',
      replace: [
        [/(;alias=A~~1){2}/, '$1'],
        [/X-Rc: 1 1/, 'X-Rc: 1 -1'],
      ],
    },
  },
  { title: 'fix_nated_contact without Contact', script: '$var(x) = fix_nated_contact();' },
  { title: 'add_contact_alias without Contact', script: '$var(x) = add_contact_alias();' },
  { title: 'set_contact_alias without Contact', script: '$var(x) = set_contact_alias();' },
  ...aliases,
  {
    title: 'handle_ruri_alias with a mode takes the last alias',
    uri: 'sip:bob@10.0.0.5;alias=192.0.2.1~5070~1;alias=192.0.2.2~5070~1',
    script: handleAlias('"1"'),
    differs: {
      why: 'in 5.6.3 a mode makes the function fail and leaves a half-changed Request-URI',
      replace: [
        [/;alias=192\.0\.2\.2:5070~1 SIP/, ' SIP'],
        [/;alias=192\.0\.2\.2:5070~1 <null>/, ' sip:192.0.2.2:5070'],
        [/X-Value: -1/, 'X-Value: 1'],
      ],
    },
  },
  {
    title: 'handle_ruri_alias: a port that is none',
    uri: 'sip:bob@10.0.0.5;alias=192.0.2.1~x~9',
    script: handleAlias(''),
    differs: {
      why: 'a malformed alias leaves the Request-URI as it is',
      replace: [
        [/1:x~9 SIP/, '1~x~9 SIP'],
        [/1:x~9 <null>/, '1~x~9 <null>'],
      ],
    },
  },
  {
    title: 'handle_ruri_alias: WebSocket over TLS',
    uri: 'sip:bob@10.0.0.5;alias=192.0.2.1~5070~6',
    script: handleAlias(''),
    differs: {
      why: '6 is wss, which Kamailio writes as ws',
      replace: [[/transport=ws\r/, 'transport=wss\r']],
    },
  },
  ...media,
  { title: 'fix_nated_sdp: a body without SDP', script: '$var(x) = fix_nated_sdp("2");', body: 'text' },
  {
    title: 'fix_nated_sdp: IPv6',
    ...withSdp('fd00::1'),
    body: sdp('fd00::1').replaceAll('IP4', 'IP6'),
    script: '$var(x) = fix_nated_sdp("10");',
    differs: {
      why: 'an IPv4 address is of type IP4: RFC 4566 §5.7',
      replace: [
        [/o=- 1 1 IN IP6 127/, 'o=- 1 1 IN IP4 127'],
        [/c=IN IP6 127/, 'c=IN IP4 127'],
      ],
    },
  },
  {
    title: 'fix_nated_sdp: two media',
    ...withSdp('10.0.0.5'),
    body: `${sdp('10.0.0.5')}m=video 5006 RTP/AVP 31\r\n`,
    script: '$var(x) = fix_nated_sdp("15");',
  },
  {
    title: 'fix_nated_sdp: a part of several',
    method: 'INVITE',
    headers: 'Content-Type: multipart/mixed;boundary=x',
    body: `--x\r\nContent-Type: application/sdp\r\n\r\n${sdp('10.0.0.5')}\r\n--x\r\nContent-Type: text/plain\r\n\r\nhi\r\n--x--\r\n`,
    script: '$var(x) = fix_nated_sdp("15");',
  },
  { title: 'fix_nated_sdp: no body', script: '$var(x) = fix_nated_sdp("2");' },
  {
    title: 'fix_nated_sdp: one c= for each medium',
    ...withSdp('10.0.0.5', ''),
    script: '$var(x) = fix_nated_sdp("10");',
    body: `${sdp('10.0.0.5')}c=IN IP4 10.0.0.6\r\nm=video 5006 RTP/AVP 31\r\nc=IN IP4 0.0.0.0\r\n`,
  },
  ...['10.1.2.3', '172.16.0.1', '172.32.0.1', '192.168.0.1', '100.64.0.1', '192.0.2.1', 'example.com'].map(
    (address) => ({
      script: `$var(x) = is_rfc1918("${address}");`,
    }),
  ),
  { script: 'add_rcv_param();', headers: 'Contact: <sip:al@10.0.0.5:5062>' },
  { script: 'add_rcv_param("1");', headers: 'Contact: <sip:al@10.0.0.5:5062>' },
  {
    script: '$var(x) = set_alias_to_pv("$avp(alias)"); append_hf("X-Alias: $avp(alias)\\r\\n");',
    headers: 'Contact: <sip:al@10.0.0.5:5062>',
  },
])

compare('registrar.cfg and nathelper', { file: 'registrar.cfg' }, [
  {
    title: 'fix_nated_register, and a call goes to where the REGISTER came from',
    talk: async ({ send, take }) => {
      const headers = 'Contact: <sip:n1@10.0.0.5:5062>;expires=600\nX-Nat: yes'
      send('B', request('REGISTER', '', { to: '<sip:n1@example.com>', headers, via: '{B};rport' }))
      await take('B')
      send('A', request('MESSAGE', 'n1'))
      send('B', respond(await take('B'), '200 OK', { tag: 'n1' }))
      await take('A')
    },
  },
])
