import { respond } from '../oracle.ts'
import { compare, type Difference } from './compare.ts'
import { type Name, newCallId, type RequestOptions, request, type Talk } from './talk.ts'

type Play = (talk: Talk) => Promise<void>

/** A request to `user`; each callee that gets it answers in this order; what A gets then. */
const answered =
  (
    method: string,
    user: string,
    answers: readonly (readonly [Name, ...string[]])[],
    options?: RequestOptions,
  ): Play =>
  async ({ send, take, takeAll }) => {
    send('A', request(method, user, options))
    if (method === 'INVITE') await take('A')
    const arrived = new Map<Name, string>()
    for (const [at, ...statuses] of answers) {
      const text = arrived.get(at) ?? (await take(at))
      arrived.set(at, text)
      for (const status of statuses) send(at, respond(text, status, { tag: `${at}-tag` }))
    }
    await takeAll(120)
  }

/** All arrive first, then each answers. */
const forked =
  (method: string, user: string, answers: readonly (readonly [Name, string, string?])[]): Play =>
  async ({ send, take, takeAll }) => {
    send('A', request(method, user))
    if (method === 'INVITE') await take('A')
    const arrived = new Map<Name, string>()
    for (const at of new Set(answers.map(([name]) => name))) arrived.set(at, await take(at))
    for (const [at, status, headers] of answers) {
      send(at, respond(arrived.get(at) ?? '', status, { tag: `${at}-tag`, headers: headers ?? '' }))
    }
    await takeAll(120)
  }

const local =
  (method: string, user: string): Play =>
  async ({ send, takeAll }) => {
    send('A', request(method, user))
    await takeAll(120)
  }

const noTimeoutUpstream: Difference = {
  why: 'RFC 4320 §4.2: a 408 to a request that is no INVITE is not sent upstream',
  replace: [[/--- A received\nSIP\/2\.0 408[\s\S]*$/, '--- A received\n(nothing)']],
}

const timeoutLast = (from: string, to: string, fromTag: string, toTag: string): Difference => ({
  why: 'RFC 4320 §4.2: a 408 to a request that is no INVITE loses to any other answer',
  replace: [
    [new RegExp(`SIP/2\\.0 ${from}`), `SIP/2.0 ${to}`],
    [new RegExp(`tag=${fromTag}`), `tag=${toTag}`],
  ],
})

const oneAnswer: Difference = {
  why: 'a request has one final answer: RFC 3261 §17.2; what the script answers or relays after it is not sent',
  replace: [[/\n--- [AB] received\n(SIP\/2\.0 500|MESSAGE)[\s\S]*$/, '']],
}

const noSuchStatus = (first: RegExp): Difference => ({
  why: 'a status is a number from 100 to 699: RFC 3261 §7.2',
  replace: [
    [first, ''],
    [/500 Rc 1/, '500 Rc -1'],
  ],
})

const ringing = `--- A received
SIP/2.0 180 Ringing
Via: SIP/2.0/UDP A;received=127.0.0.1;rport=A;branch=z9hG4bK-keep-early
From: "Al Ice" <sip:alice@example.com>;tag=from1
To: <sip:plain@example.com>;tag=b
Call-ID: CALL
CSeq: 1 INVITE
Content-Length: 0

`
const ringsOn: Difference = {
  why: 'RFC 3261 §16.7 step 5: a provisional response goes upstream, after a CANCEL too',
  replace: [[/(?=--- B received\nCANCEL)/, `${ringing.replaceAll(/(?<!received)\n/g, '\r\n')}\n`]],
}

const challenge = (realm: string, scheme: 'WWW' | 'Proxy') =>
  `${scheme}-Authenticate: Digest realm="${realm}", nonce="n"\r\n`

compare('tm.cfg', { file: 'tm.cfg' }, [
  { title: 't_newtran, again, then t_relay', talk: answered('MESSAGE', 'newtran', [['B', '200 OK']]) },
  {
    title: 't_reply in failure_route',
    talk: answered('MESSAGE', 'reply-in-failure', [['B', '486 Busy Here']]),
  },
  {
    title: 't_reply in failure_route, INVITE',
    talk: answered('INVITE', 'reply-in-failure', [['B', '180 Ringing', '486 Busy Here']]),
  },
  {
    title: '302 in failure_route, another target',
    talk: answered('MESSAGE', 'redirect', [
      ['B', '302 Moved Temporarily'],
      ['C', '200 OK'],
    ]),
  },
  {
    title: '302 comes through where nobody looks',
    talk: answered('MESSAGE', 'plain', [['B', '302 Moved Temporarily']]),
  },
  {
    title: 't_drop_replies: the earlier answers do not count',
    talk: forked('MESSAGE', 'drop-replies', [
      ['B', '603 Decline'],
      ['C', '404 Not Found'],
    ]),
  },
  {
    title: 'append_to_reply in failure_route is not for relayed answers',
    talk: answered('MESSAGE', 'plain', [['B', '404 Not Found']]),
  },
  ...(
    [
      ['404 and 486', '404 Not Found', '486 Busy Here'],
      ['486 and 404', '486 Busy Here', '404 Not Found'],
      ['302 and 404', '302 Moved', '404 Not Found'],
      ['404 and 503', '404 Not Found', '503 Unavailable'],
      ['503 and 503', '503 Unavailable', '503 Unavailable'],
      ['500 and 408', '500 Oops', '408 Timeout'],
      ['408 and 480', '408 Timeout', '480 Unavailable'],
      ['603 and 200', '603 Decline', '200 OK'],
      ['200 and 603', '200 OK', '603 Decline'],
      ['480 and 420', '480 Unavailable', '420 Bad Extension'],
      ['415 and 484', '415 Media', '484 Incomplete'],
    ] as const
  ).map(([title, first, second]) => ({
    title: `two branches: ${title}`,
    differs:
      title === '500 and 408'
        ? timeoutLast('408 Timeout', '500 Oops', 'C-tag', 'B-tag')
        : title === '408 and 480'
          ? timeoutLast('408 Timeout', '480 Unavailable', 'B-tag', 'C-tag')
          : undefined,
    talk: forked('MESSAGE', 'fork', [
      ['B', first],
      ['C', second],
    ]),
  })),
  {
    title: 'two branches ring, one is taken, the other cancelled',
    talk: async ({ send, take, takeAll }: Talk) => {
      send('A', request('INVITE', 'fork'))
      await take('A')
      const atB = await take('B')
      const atC = await take('C')
      send('B', respond(atB, '180 Ringing', { tag: 'b' }))
      await take('A')
      send('C', respond(atC, '180 Ringing', { tag: 'c' }))
      await take('A')
      send('B', respond(atB, '200 OK', { tag: 'b' }))
      await take('A')
      send('C', respond(await take('C'), '200 OK', { tag: 'c' }))
      send('C', respond(atC, '487 Request Terminated', { tag: 'c' }))
      await take('C')
      await takeAll(120)
    },
  },
  {
    title: '6xx ends the ringing of others',
    talk: async ({ send, take, takeAll }: Talk) => {
      send('A', request('INVITE', 'fork'))
      await take('A')
      const atB = await take('B')
      const atC = await take('C')
      send('C', respond(atC, '180 Ringing', { tag: 'c' }))
      await take('A')
      send('B', respond(atB, '603 Decline', { tag: 'b' }))
      await take('B')
      send('C', respond(await take('C'), '200 OK', { tag: 'c' }))
      send('C', respond(atC, '487 Request Terminated', { tag: 'c' }))
      await take('C')
      await takeAll(120)
    },
  },
  {
    title: 't_set_disable_6xx',
    talk: forked('MESSAGE', 'no6xx', [
      ['B', '603 Decline'],
      ['C', '200 OK'],
    ]),
  },
  {
    title: '401 and 407: all challenges',
    talk: forked('MESSAGE', 'fork', [
      ['B', '401 Unauthorized', challenge('b', 'WWW')],
      ['C', '407 Proxy Authentication Required', challenge('c', 'Proxy')],
    ]),
  },
  {
    title: '401 twice: both challenges',
    talk: forked('MESSAGE', 'fork', [
      ['B', '401 Unauthorized', challenge('b', 'WWW')],
      ['C', '401 Unauthorized', challenge('c', 'WWW')],
    ]),
  },
  {
    title: '401 and 404',
    talk: forked('MESSAGE', 'fork', [
      ['B', '404 Not Found'],
      ['C', '401 Unauthorized', challenge('c', 'WWW')],
    ]),
  },
  {
    title: 'serial by q: the higher first',
    talk: answered('MESSAGE', 'serial', [
      ['C', '404 Not Found'],
      ['B', '200 OK'],
    ]),
  },
  {
    title: 'serial by q: both refuse',
    talk: answered('MESSAGE', 'serial', [
      ['C', '404 Not Found'],
      ['B', '486 Busy'],
    ]),
  },
  {
    title: 't_set_fr: a callee that rings for too long',
    talk: async ({ send, take, takeAll }: Talk) => {
      send('A', request('INVITE', 'timer'))
      await take('A')
      const invite = await take('B')
      send('B', respond(invite, '180 Ringing', { tag: 'b' }))
      await take('A')
      send('B', respond(await take('B', 1_500), '200 OK', { tag: 'b' }))
      send('B', respond(invite, '487 Request Terminated', { tag: 'b' }))
      await take('B')
      await takeAll(150)
    },
  },
  {
    title: 't_set_fr: a callee that says nothing',
    differs: noTimeoutUpstream,
    talk: async ({ send, take }: Talk) => {
      send('A', request('MESSAGE', 'timer-any'))
      await take('B')
      await take('A', 1_500)
    },
  },
  {
    title: 'a branch failure goes on elsewhere',
    talk: forked('MESSAGE', 'branch-failure', [['B', '404 Not Found']]),
  },
  { title: 't_reply twice: the first counts', talk: local('MESSAGE', 'reply-twice') },
  { title: 'sl_send_reply twice', differs: oneAnswer, talk: local('MESSAGE', 'sl-twice') },
  { title: 'sl_send_reply, then t_relay', differs: oneAnswer, talk: local('MESSAGE', 'sl-then-tm') },
  { title: 'provisional, then final', talk: local('INVITE', 'provisional') },
  { title: 't_relay to nowhere', talk: local('MESSAGE', 'error') },
  { title: 't_release after t_newtran', talk: local('MESSAGE', 'released') },
  { title: 'send_reply without a transaction', talk: local('MESSAGE', 'send-reply') },
  { title: 'send_reply with a transaction', talk: local('MESSAGE', 'send-reply-stateful') },
  { title: 'send_reply 200', talk: local('MESSAGE', 'send-200') },
  {
    title: 'a status below 100',
    differs: noSuchStatus(/^--- A received\nSIP\/2\.0 099[\s\S]*?\n(?=---)/),
    talk: local('MESSAGE', 'bad-code'),
  },
  {
    title: 'a status above 699',
    differs: noSuchStatus(/\n--- A received\nSIP\/2\.0 700[\s\S]*$/),
    talk: local('MESSAGE', 'large-code'),
  },
  { title: 't_relay_to_udp', talk: answered('MESSAGE', 'to-c', [['C', '200 OK']]) },
  { title: 't_replicate', talk: answered('MESSAGE', 'replicate', [['C', '200 OK']]) },
  {
    title: 'onreply_route and branch_route see their branch',
    talk: forked('MESSAGE', 'on-reply', [
      ['B', '404 Not Found'],
      ['C', '200 OK'],
    ]),
  },
  {
    title: 'drop in onreply_route: a provisional answer',
    talk: answered('INVITE', 'drop-provisional', [['B', '180 Ringing', '183 Progress', '486 Busy']]),
  },
  {
    title: 'change_reply_status',
    talk: answered('INVITE', 'change-status', [['B', '183 Progress', '486 Busy']]),
  },
  { title: '$avp lives with the transaction', talk: answered('MESSAGE', 'avp', [['B', '200 OK']]) },
  {
    title: 't_set_auto_inv_100(0)',
    talk: async ({ send, take, takeAll }: Talk) => {
      send('A', request('INVITE', 'no100'))
      send('B', respond(await take('B'), '404 Not Found', { tag: 'b' }))
      await takeAll(150)
    },
  },
  {
    title: 't_set_max_lifetime',
    differs: noTimeoutUpstream,
    talk: async ({ send, take, takeAll }: Talk) => {
      send('A', request('MESSAGE', 'lifetime'))
      await take('B')
      await take('A', 1_500)
      await takeAll(100)
    },
  },
  {
    title: 'CANCEL before anything rings',
    differs: ringsOn,
    talk: async ({ send, take, takeAll }: Talk) => {
      const callId = newCallId()
      send('A', request('INVITE', 'plain', { callId, branch: 'early' }))
      await take('A')
      const invite = await take('B')
      send('A', request('CANCEL', 'plain', { callId, branch: 'early' }))
      await take('A')
      send('B', respond(invite, '180 Ringing', { tag: 'b' }))
      await takeAll(150)
      send('B', respond(invite, '487 Request Terminated', { tag: 'b' }))
      await takeAll(150)
    },
  },
  { title: 'CANCEL of nothing', talk: local('CANCEL', 'plain') },
  { title: 'ACK of nothing', talk: local('ACK', 'plain') },
])
