import { respond } from '../oracle.ts'
import { compare, type Difference } from './compare.ts'
import { request, type Talk } from './talk.ts'

const different: Readonly<Record<string, Difference>> = {
  'a Contact without a host': {
    why: 'nothing can be sent to it: Kamailio keeps it, and its lookup() then leaves no Request-URI',
    replace: [
      [/200 OK/, '400 Bad Request'],
      [/Contact: <sip:u10@>;expires=3600/, 'P-Registrar-Error: Contact parse error'],
      [/X-Lookup: 1\r\nX-Uri: <null>/, 'X-Lookup: -1\r\nX-Uri: sip:u10@ROUTER'],
    ],
  },
  '* before another in one header': {
    why: 'RFC 3261 §10.3 step 6: * stands alone; Kamailio removes all bindings',
    replace: [
      [/200 OK/, '400 Bad Request'],
      [/CSeq: 1 REGISTER\r\n/, 'CSeq: 1 REGISTER\r\nP-Registrar-Error: Contact parse error\r\n'],
    ],
  },
  'a To without user': {
    why: 'an address-of-record without a user is its host; in Kamailio all of them are one',
    replace: [[/X-Lookup: 1\r\nX-Uri: sip:x@B/, 'X-Lookup: -1\r\nX-Uri: sip:ROUTER']],
  },
}

const contact = (value: string) => ({ headers: `Contact: ${value}` })

compare(
  'registrar.cfg',
  { file: 'registrar.cfg' },
  (
    [
      ['a first binding', 'u1', contact('<sip:u1@{B}>;expires=600')],
      ['a query', 'u1', {}],
      ['a second binding with q', 'u1', contact('<sip:u1@{C}>;q=0.5;expires=700')],
      ['too many', 'u1', contact('<sip:u1@10.0.0.9>;expires=700')],
      ['too short is raised', 'u2', contact('<sip:u2@{B}>;expires=10')],
      ['too long is cut', 'u2', contact('<sip:u2@{B}>;expires=99999')],
      ['Expires header', 'u3', { headers: 'Contact: <sip:u3@{B}>\nExpires: 900' }],
      ['neither: the default', 'u4', contact('<sip:u4@{B}>')],
      ['bad q', 'u4', contact('<sip:u4@{B}>;q=9')],
      ['removal', 'u3', contact('<sip:u3@{B}>;expires=0')],
      ['* with Expires 0', 'u1', { headers: 'Contact: *\nExpires: 0' }],
      ['* without Expires 0', 'u2', { headers: 'Contact: *\nExpires: 60' }],
      ['received is kept', 'u5', { headers: 'Contact: <sip:u5@10.0.0.5:5062>;expires=600\nX-Nat: yes' }],
      [
        'Path is not echoed unless supported',
        'u6',
        { headers: 'Contact: <sip:u6@{B}>;expires=600\nPath: <sip:edge@{C};lr>\nSupported: path' },
      ],
      ['an instance', 'u7', contact('<sip:u7@{B}>;+sip.instance="<urn:uuid:0>";reg-id=1;expires=600')],
      ['upper case is the same user', 'U7', {}],
      ['an empty q', 'u8', contact('<sip:u8@{B}>;q=')],
      ['expires is no number', 'u8', contact('<sip:u8@{B}>;expires=soon')],
      ['a Contact without brackets', 'u9', contact('sip:u9@{B};expires=100')],
      ['a tel URI', 'u9', contact('<tel:+123>')],
      ['what is no URI', 'u9', contact('bogus')],
      ['a Contact without a host', 'u10', contact('<sip:u10@>')],
      ['* and another header', 'u11', { headers: 'Contact: <sip:x@{B}>\nContact: *\nExpires: 0' }],
      ['* behind another in one header', 'u11', contact('<sip:x@{B}>, *')],
      ['* before another in one header', 'u11', { headers: 'Contact: *, <sip:x@{B}>\nExpires: 0' }],
      ['a To without user', '', contact('<sip:x@{B}>')],
    ] as const
  ).map(([title, user, options]) => ({
    title,
    differs: different[title],
    talk: async ({ send, take }: Talk) => {
      send(
        'A',
        request('REGISTER', '', {
          ...options,
          to: user === '' ? '<sip:example.com>' : `<sip:${user}@example.com>`,
          callId: `reg-${user}-${title.replace(/\W+/g, '-')}`,
        }),
      )
      await take('A')
      send('A', request('OPTIONS', user))
      await take('A')
    },
  })),
)

compare('registrar.cfg in order', { file: 'registrar.cfg' }, [
  {
    title: 'an older CSeq is refused, the binding kept',
    talk: async ({ send, take }) => {
      for (const [cseq, port] of [
        [5, '{B}'],
        [4, '{C}'],
        [6, '{C}'],
      ] as const) {
        send(
          'A',
          request('REGISTER', '', {
            cseq,
            callId: 'ordered',
            to: '<sip:o@example.com>',
            headers: `Contact: <sip:o@${port}>;expires=600`,
          }),
        )
        await take('A')
      }
    },
  },
  {
    title: 'a registered user is reached',
    talk: async ({ send, take }) => {
      send(
        'A',
        request('REGISTER', '', { to: '<sip:r@example.com>', headers: 'Contact: <sip:r@{B}>;expires=600' }),
      )
      await take('A')
      send('A', request('MESSAGE', 'r'))
      send('B', respond(await take('B'), '200 OK', { tag: 'r' }))
      await take('A')
      send('A', request('INFO', 'r'))
      await take('A')
      send('A', request('MESSAGE', 'r'))
      await take('A')
    },
  },
])
