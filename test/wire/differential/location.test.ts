import { respond } from '../oracle.ts'
import { type Case, compare, type Difference } from './compare.ts'
import { type RequestOptions, request, type Talk } from './talk.ts'

/** Each step: what the script does, with whom, and the Contact of a REGISTER. */
type Step = readonly [action: string, user: string, contact?: string | undefined, options?: StepOptions]

interface StepOptions extends RequestOptions {
  readonly method?: string
}

const steps =
  (title: string, ...list: readonly Step[]): ((talk: Talk) => Promise<void>) =>
  async ({ send, take, note }) => {
    for (const [i, [action, user, contact, options]] of list.entries()) {
      const isSave = contact !== undefined
      const headers = [
        `X-Do: ${action}`,
        ...(contact ? [`Contact: ${contact}`] : []),
        ...(options?.headers ? [options.headers] : []),
      ].join('\n')
      note(`== ${action} ${user} ${contact ?? ''}`)
      const callId = options?.callId ?? `${title.replaceAll(/\W+/g, '-')}-${i}`
      const to = `<sip:${user}@example.com>`
      send(
        'A',
        request(options?.method ?? (isSave ? 'REGISTER' : 'OPTIONS'), isSave ? '' : user, {
          to,
          ...options,
          callId,
          headers,
        }),
      )
      await take('A')
    }
  }

interface Row {
  readonly title: string
  readonly steps: readonly Step[]
}

const row = (title: string, ...list: readonly Step[]): Row => ({ title, steps: list })

const cases = (rows: readonly Row[], differences = different): Case[] =>
  rows.map(({ title, steps: list }) => ({ title, talk: steps(title, ...list), differs: differences[title] }))

const asUris = 'contacts are compared as URIs: RFC 3261 §10.3 step 7, §19.1.4'
const refusedIsNotSaved = 'what is refused with 420 is not saved: RFC 3327 §5.3'

const different: Readonly<Record<string, Difference>> = {
  'a contact with parameters in another order': {
    why: asUris,
    replace: [[/<sip:x@B;a=1;b=2>;expires=3600, /, '']],
  },
  'a host in upper case': { why: asUris, replace: [[/<sip:x@host\.example\.com>;expires=3600, /, '']] },
  'two in one header': {
    why: 'the contacts of one header keep their order; Kamailio turns it round',
    replace: [
      [/<sip:x@C>;expires=3600, <sip:x@B>;expires=3600/, '<sip:x@B>;expires=3600, <sip:x@C>;expires=3600'],
      [/X-Uri: sip:x@C/, 'X-Uri: sip:x@B'],
      [/X-More: sip:x@B/, 'X-More: sip:x@C'],
    ],
  },
  'another q': {
    why: 'RFC 3261 §16.6: by q, also when a refresh changed it',
    replace: [
      [/(<sip:x@C>;q=0\.8;expires=3600), (<sip:x@B>;q=0\.9;expires=3600)/, '$2, $1'],
      [/X-Uri: sip:x@C/, 'X-Uri: sip:x@B'],
      [/X-More: <sip:x@B>;q=0\.9/, 'X-More: <sip:x@C>;q=0.8'],
    ],
  },
}

const differentByPath: Readonly<Record<string, Difference>> = {
  'the same contact by two paths': {
    why: refusedIsNotSaved,
    replace: [
      [/^Contact: <sip:x@B>;expires=3600\r\n/m, ''],
      [/^Contact: <sip:x@B>;expires=3600, <sip:x@B>;expires=3600\r\n/m, ''],
      [/^Path: <sip:p1@192\.0\.2\.1;lr>\r\n/m, ''],
      [/^Path: <sip:p2@192\.0\.2\.1;lr>\r\n/m, ''],
      [/^X-Lookup: 1\r\nX-Uri: sip:x@B\r\nX-Destination: .*\r\nX-More: .*\r\n/m, nothingFound('m3')],
      [/X-Count: 1 [^\r]*/, 'X-Count: <null> <null> <null>'],
    ],
  },
  'Path, not supported': {
    why: refusedIsNotSaved,
    replace: [
      [/^Contact: <sip:x@B>;expires=3600\r\n/m, ''],
      [/^Path: <sip:p1@192\.0\.2\.1;lr>\r\n/m, ''],
      [/^X-Lookup: 1\r\nX-Uri: sip:x@B\r\nX-Destination: .*\r\nX-More: .*\r\n/m, nothingFound('p2')],
    ],
  },
}

const differentByCallId: Readonly<Record<string, Difference>> = {
  'the same Call-ID, another contact': {
    why: 'the binding follows the contact; Kamailio keeps the first one',
    replace: [
      [/(CSeq: 2 REGISTER\r\nContact: <sip:x@)B/, '$1C'],
      [/X-Uri: sip:x@B/, 'X-Uri: sip:x@C'],
    ],
  },
}

function nothingFound(user: string): string {
  return `X-Lookup: -1\r\nX-Uri: sip:${user}@ROUTER\r\nX-Destination: <null>\r\nX-More: <null>\r\n`
}

const b = '<sip:x@{B}>'
const c = '<sip:x@{C}>'

compare(
  'location.cfg',
  { file: 'location.cfg', defines: { USE_PATH: 1, PATH_MODE: 0, MATCHING_MODE: 0, DESC_TIME_ORDER: 0 } },
  [
    ...cases([
      row('the same contact again', ['save', 'm1', b], ['save', 'm1', b], ['fetch', 'm1']),
      row(
        'a contact with other parameters',
        ['save', 'm2', '<sip:x@{B};a=1>'],
        ['save', 'm2', '<sip:x@{B};a=2>'],
      ),
      row(
        'a contact with parameters in another order',
        ['save', 'm3', '<sip:x@{B};a=1;b=2>'],
        ['save', 'm3', '<sip:x@{B};b=2;a=1>'],
      ),
      row(
        'a host in upper case',
        ['save', 'm4', '<sip:x@host.example.com>'],
        ['save', 'm4', '<sip:x@HOST.example.com>'],
      ),
      row(
        'three and no more',
        ['save', 'm5', b],
        ['save', 'm5', c],
        ['save', 'm5', '<sip:y@{B}>'],
        ['save', 'm5', '<sip:z@{B}>'],
        ['lookup', 'm5'],
      ),
      row(
        'several at once, too many',
        ['save', 'm6', `${b}, ${c}, <sip:y@{B}>, <sip:z@{B}>`],
        ['lookup', 'm6'],
      ),
      row('in the order of q', ['save', 'q1', `${b};q=0.2, ${c};q=0.8, <sip:y@{B}>`], ['lookup', 'q1']),
      row(
        'as they came without q',
        ['save', 'q2', b],
        ['save', 'q2', c],
        ['lookup', 'q2'],
        ['dset', 'q2'],
        ['branches', 'q2'],
      ),
      row('two in one header', ['save', 'q4', `${b}, ${c}`], ['lookup', 'q4']),
      row(
        'another q',
        ['save', 'q3', `${b};q=0.2, ${c};q=0.8`],
        ['save', 'q3', `${b};q=0.9`],
        ['lookup', 'q3'],
      ),
      row('flag 0x02: no answer of its own', ['save-silent', 'f1', b], ['lookup', 'f1']),
      row(
        'flag 0x04: no other contact',
        ['save', 'f2', b],
        ['save', 'f2', c],
        ['save-only', 'f2', '<sip:y@{B}>'],
        ['lookup', 'f2'],
      ),
      row('flag 0x01: memory only', ['save-memory', 'f3', b], ['lookup', 'f3']),
      row('another AOR than To', ['save-from', 'f4', b], ['lookup', 'f4'], ['lookup', 'alice']),
      row(
        'return codes',
        ['rc', 'r1', b],
        ['rc', 'r1', b],
        ['rc', 'r1', ''],
        ['rc', 'r1', `${b};expires=0`],
        ['rc', 'r1', '*', { headers: 'Expires: 0' }],
        ['rc', 'r1', `${b};expires=0`],
      ),
      row('flag 0x10: answered later', ['prepare', 'f5', b], ['lookup', 'f5']),
      row('received', ['received', 'v1', '<sip:x@10.0.0.5>'], ['lookup', 'v1'], ['fetch', 'v1']),
      row('branch flags', ['flags', 'v2', b], ['lookup', 'v2'], ['fetch', 'v2']),
      row(
        'Path',
        ['save', 'p1', b, { headers: 'Path: <sip:p1@{C};lr>, <sip:p2@192.0.2.1;lr>\nSupported: path' }],
        ['lookup', 'p1'],
        ['fetch', 'p1'],
      ),
      row(
        'a Path that is none',
        ['save', 'p2', b, { headers: 'Path: nonsense\nSupported: path' }],
        ['lookup', 'p2'],
      ),
      row(
        'registered and unregister',
        ['registered', 'g1'],
        ['save', 'g1', b],
        ['registered', 'g1'],
        ['unregister', 'g1'],
        ['registered', 'g1'],
        ['unregister', 'g1'],
      ),
      row(
        '$ulc',
        ['fetch', 'u1'],
        ['save', 'u1', `${b};q=0.4, ${c}`, { headers: 'User-Agent: phone 1\nAllow: INVITE, MESSAGE' }],
        ['fetch', 'u1'],
      ),
      row(
        'lookup of another URI',
        ['save', 'l1', b],
        ['lookup-uri', 'other', undefined, { to: '<sip:l1@example.com>' }],
      ),
      row('an expired contact', ['save', 'e1', `${b};expires=0`], ['lookup', 'e1']),
      row(
        'methods',
        ['save', 'a1', `${b};methods="INVITE,ACK"`],
        ['lookup', 'a1'],
        ['lookup', 'a1', undefined, { method: 'INVITE' }],
      ),
      row('an escaped user', ['save', 's%31', b], ['lookup', 's1'], ['lookup', 's%31']),
      row('case of the user', ['save', 'Case', b], ['lookup', 'case']),
      row(
        'an instance moves',
        ['save', 'i1', `${b};+sip.instance="<urn:uuid:1>";reg-id=1`],
        ['save', 'i1', `${c};+sip.instance="<urn:uuid:1>";reg-id=1`],
        ['lookup', 'i1'],
      ),
      row(
        'an instance with two flows',
        ['save', 'i2', `${b};+sip.instance="<urn:uuid:1>";reg-id=1`],
        ['save', 'i2', `${c};+sip.instance="<urn:uuid:1>";reg-id=2`],
        ['lookup', 'i2'],
      ),
      row(
        'an instance without reg-id',
        ['save', 'i3', `${b};+sip.instance="<urn:uuid:1>"`],
        ['save', 'i3', `${c};+sip.instance="<urn:uuid:1>"`],
        ['lookup', 'i3'],
      ),
      row(
        'a MESSAGE that is saved',
        ['save', 'n1', b, { method: 'MESSAGE', headers: 'Expires: 5' }],
        ['lookup', 'n1'],
      ),
      row('a query of many', ['save', 'k1', `${b};q=0.1, ${c};q=0.2`], ['save', 'k1', '']),
      row(
        'all contacts are removed one by one',
        ['save', 'd1', b],
        ['save', 'd1', c],
        ['save', 'd1', `${b};expires=0, ${c};expires=0`],
        ['lookup', 'd1'],
      ),
      row(
        '* removes all',
        ['save', 'd2', b],
        ['save', 'd2', c],
        ['save', 'd2', '*', { headers: 'Expires: 0' }],
        ['lookup', 'd2'],
      ),
    ]),
    {
      title: 'a registered user with Path is reached through it',
      talk: async ({ send, take }) => {
        send(
          'A',
          request('REGISTER', '', {
            to: '<sip:way@example.com>',
            callId: 'way',
            headers: `X-Do: save\nContact: <sip:x@192.0.2.9>\nPath: <sip:edge@{C};lr>`,
          }),
        )
        await take('A')
        send('A', request('MESSAGE', 'way', { headers: 'X-Do: relay' }))
        send('C', respond(await take('C'), '200 OK', { tag: 'c' }))
        await take('A')
      },
    },
    {
      title: 'add_sock_hdr',
      talk: async ({ send, take }) => {
        send('A', request('REGISTER', '', { headers: 'X-Do: socket' }))
        await take('B')
      },
    },
    {
      title: 'parallel lookup reaches all',
      talk: async ({ send, take }) => {
        send(
          'A',
          request('REGISTER', '', {
            to: '<sip:par@example.com>',
            callId: 'par',
            headers: `X-Do: save\nContact: ${b};q=0.5, ${c};q=0.7`,
          }),
        )
        await take('A')
        send('A', request('MESSAGE', 'par', { headers: 'X-Do: relay' }))
        const [atB, atC] = [await take('B'), await take('C')]
        send('B', respond(atB, '404 Not Found', { tag: 'b' }))
        send('C', respond(atC, '200 OK', { tag: 'c' }))
        await take('A')
      },
    },
    {
      title: 'serial lookup by q',
      talk: async ({ send, take }) => {
        send(
          'A',
          request('REGISTER', '', {
            to: '<sip:ser@example.com>',
            callId: 'ser',
            headers: `X-Do: save\nContact: ${b};q=0.5, ${c};q=0.7`,
          }),
        )
        await take('A')
        send('A', request('MESSAGE', 'ser', { headers: 'X-Do: serial' }))
        send('C', respond(await take('C'), '404 Not Found', { tag: 'c' }))
        send('B', respond(await take('B'), '200 OK', { tag: 'b' }))
        await take('A')
      },
    },
  ],
)

const pathAndCallId: readonly Row[] = [
  row(
    'another Call-ID, the same contact',
    ['save', 'm1', b, { callId: 'one' }],
    ['save', 'm1', b, { callId: 'two' }],
    ['lookup', 'm1'],
  ),
  row(
    'the same Call-ID, another contact',
    ['save', 'm2', b, { callId: 'one' }],
    ['save', 'm2', c, { callId: 'one', cseq: 2 }],
    ['lookup', 'm2'],
  ),
  row(
    'the same contact by two paths',
    ['save', 'm3', b, { headers: 'Path: <sip:p1@192.0.2.1;lr>' }],
    ['save', 'm3', b, { headers: 'Path: <sip:p2@192.0.2.1;lr>' }],
    ['lookup', 'm3'],
  ),
  row('Path, supported', ['save', 'p1', b, { headers: 'Path: <sip:p1@192.0.2.1;lr>\nSupported: path' }]),
  row('Path, not supported', ['save', 'p2', b, { headers: 'Path: <sip:p1@192.0.2.1;lr>' }], ['lookup', 'p2']),
  row('as they came', ['save', 'o1', b], ['save', 'o1', c], ['save', 'o1', b], ['lookup', 'o1']),
]

for (const [pathMode, matchingMode, newestFirst] of [
  [1, 1, 1],
  [2, 2, 0],
  [0, 3, 1],
] as const) {
  compare(
    `location.cfg, path_mode ${pathMode}, matching_mode ${matchingMode}, desc_time_order ${newestFirst}`,
    {
      file: 'location.cfg',
      defines: {
        USE_PATH: 1,
        PATH_MODE: pathMode,
        MATCHING_MODE: matchingMode,
        DESC_TIME_ORDER: newestFirst,
      },
    },
    cases(pathAndCallId, pathMode === 2 ? differentByPath : matchingMode === 3 ? differentByCallId : {}),
  )
}
