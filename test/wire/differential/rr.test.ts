import { compare, type Difference } from './compare.ts'
import { type RequestOptions, request, type Talk } from './talk.ts'

/** One request, and what B gets of it. */
const forwarded =
  (method: string, user: string, options: RequestOptions = {}, toAddress?: string) =>
  async ({ send, takeAny }: Talk) => {
    send('A', request(method, user, options), toAddress ? { toAddress } : {})
    await takeAny()
  }

const brokenRemoval: Difference = {
  why: 'Kamailio takes back the first part of the header line and sends the rest, which no parser accepts',
  replace: [[/^;lr(=on;ftag=from1)?>\r\n/m, '']],
}

const recording = [
  'once',
  'twice',
  'params',
  'added',
  'before',
  'alone',
  'preset',
  'presets',
  'presetpar',
  'advertised',
  'removed',
  'across',
  'nofs',
].map((user) => ({
  title: `record_route: ${user}`,
  talk: forwarded('INVITE', user),
  differs: user === 'removed' ? brokenRemoval : undefined,
}))

const tagged = '<sip:b@example.com>;tag=callee'
const own = '<sip:{ROUTER};lr>'
const across = '<sip:127.0.0.2:{ROUTERPORT};r2=on;lr;nat=yes>, <sip:{ROUTER};r2=on;lr;nat=yes>'

const routing = (
  [
    ['our own entry alone', own],
    ['our own entry with a parameter', '<sip:{ROUTER};lr;nat=yes>'],
    ['lr with a value', '<sip:{ROUTER};lr=on>'],
    ['our own entry and another', `${own}, <sip:127.0.0.1:7777;lr>`],
    ['two header lines', `${own}\nRoute: <sip:127.0.0.1:7777;lr>`],
    ['our own entry and a strict router', `${own}, <sip:127.0.0.1:7777>`],
    ['our own entry, a loose and a strict router', `${own}, <sip:127.0.0.1:7777;lr>, <sip:127.0.0.1:7778>`],
    ['the entry of another first', `<sip:127.0.0.1:7777;lr>, ${own}`],
    ['the entry of another alone', '<sip:127.0.0.1:7777;lr>'],
    ['a strict router alone', '<sip:127.0.0.1:7777>'],
    ['both entries of a double Record-Route', across],
    ['the same in two lines', across.replace(', ', '\nRoute: ')],
    ['a double entry and another', `${across}, <sip:127.0.0.1:7777;lr>`],
    ['a user part', '<sip:edge@{ROUTER};lr>'],
    ['a From tag that is ours', '<sip:{ROUTER};lr;ftag=from1>'],
    ['a From tag of the other side', '<sip:{ROUTER};lr;ftag=other>'],
    ['a name-addr with a display name', '"us" <sip:{ROUTER};lr>'],
    ['what is no URI', '<bogus>'],
    ['an empty Route', ''],
  ] as const
).flatMap(([title, route]) => [
  {
    title: `in a dialogue: ${title}`,
    talk: forwarded('BYE', '', { to: tagged, headers: `Route: ${route}`, uri: 'sip:b@{B}' }),
  },
  {
    title: `preloaded: ${title}`,
    talk: forwarded('INVITE', 'preloaded', { headers: `Route: ${route}`, uri: 'sip:preloaded@{B}' }),
  },
])

const strict = [
  ['our own URI as Request-URI, the remote target last', 'sip:{ROUTER};lr', '<sip:b@{B}>'],
  ['and a loose one between', 'sip:{ROUTER};lr', '<sip:127.0.0.1:7777;lr>, <sip:b@{B}>'],
  ['and a strict one between', 'sip:{ROUTER};lr', '<sip:127.0.0.1:7777>, <sip:b@{B}>'],
  ['without lr in the Request-URI', 'sip:{ROUTER}', '<sip:b@{B}>'],
] as const

compare('rr.cfg', { file: 'rr.cfg' }, [
  ...recording,
  {
    title: 'record_route: arrived on the second address',
    talk: forwarded('INVITE', 'once', { uri: 'sip:once@127.0.0.2:{ROUTERPORT}' }, '127.0.0.2'),
  },
  ...routing,
  {
    title: 'a strict router sends: for a user here, through another proxy',
    talk: forwarded('BYE', '', {
      to: tagged,
      headers: 'Route: <sip:127.0.0.1:7777;lr>',
      uri: 'sip:bob@{ROUTER}',
    }),
    differs: {
      why: 'a Request-URI with a user of ours is no Record-Route of ours: RFC 3261 §16.4',
      replace: [
        [/^BYE sip:127\.0\.0\.1:7777;lr/m, 'BYE sip:bob@ROUTER'],
        [/^Content-Length/m, 'Route: <sip:127.0.0.1:7777;lr>\r\nContent-Length'],
        [/X-Loose: 1 sip:127\.0\.0\.1:7777;lr/, 'X-Loose: 1 sip:bob@ROUTER'],
      ],
    },
  },
  ...strict.map(([title, uri, route]) => ({
    title: `a strict router sends: ${title}`,
    talk: forwarded('BYE', '', { to: tagged, headers: `Route: ${route}`, uri }),
  })),
])

compare('rr.cfg with a From tag', { file: 'rr.cfg', defines: { FROMTAG: 1 } }, [...recording, ...routing])
