import { respond } from '../oracle.ts'
import { compare, type Difference } from './compare.ts'
import { newCallId, request, type Talk } from './talk.ts'

const twoHundred = (text: string) =>
  respond(text, '200 OK', { tag: 'callee', headers: 'Contact: <sip:b@{B}>\r\n' })

const answeredTwice: Difference = {
  why: 'Kamailio sends two final answers to one request, one stateless and one of the transaction',
  replace: [
    [/\(6\/SL\)/, '(6/TM)'],
    [/^--- A received\nSIP\/2\.0 500[\s\S]*\(6\/TM\)[\s\S]*?(?=--- A received\nSIP)/, ''],
    [/$/, '\n--- A received\n(nothing)'],
  ],
}

/** MESSAGE to `user`, B answers with `status`, A gets what comes. */
const messageAnswered =
  (user: string, status: string): ((talk: Talk) => Promise<void>) =>
  async ({ send, take }) => {
    send(
      'A',
      request('MESSAGE', user, {
        headers: 'Subject: one\nUser-Agent: agent 1\nContent-Type: text/plain',
        body: 'hello',
      }),
    )
    const arrived = await take('B')
    send('B', respond(arrived, status, { tag: 'callee' }))
    await take('A')
  }

compare('proxy.cfg', { file: 'proxy.cfg' }, [
  ...[
    '200 OK',
    '202 Accepted',
    '404 Not Found',
    '486 Busy Here',
    '500 Oops',
    '503 Service Unavailable',
    '603 Decline',
  ].map((status) => ({
    title: `a MESSAGE is relayed, ${status} comes back`,
    talk: messageAnswered('b', status),
  })),
  { title: 'edits show in what leaves', talk: messageAnswered('edit', '200 OK') },
  { title: 'branch_route changes that branch', talk: messageAnswered('branch', '200 OK') },
  { title: 'onreply_route changes the reply', talk: messageAnswered('reply', '200 OK') },
  { title: 'forward() relays without state', talk: messageAnswered('forward', '200 OK') },
  {
    title: 'failure_route answers in place of the winner',
    talk: messageAnswered('refuse', '486 Busy Here'),
  },
  ...['newtran', 'stateless', 'nobody', 'dropall'].map((user) => ({
    title: `a local answer: ${user}`,
    differs: user === 'dropall' ? answeredTwice : undefined,
    talk: async ({ send, take }: Talk) => {
      send('A', request('MESSAGE', user))
      await take('A')
      await take('A', 200)
    },
  })),
  {
    title: 'a script that does nothing sends nothing',
    talk: async ({ send, take }) => {
      send('A', request('MESSAGE', 'silent'))
      await take('A', 300)
    },
  },
  {
    title: 'serial forking: B refuses, C accepts',
    talk: async ({ send, take }) => {
      send('A', request('MESSAGE', 'serial'))
      send('B', respond(await take('B'), '486 Busy Here', { tag: 'b' }))
      send('C', respond(await take('C'), '200 OK', { tag: 'c' }))
      await take('A')
    },
  },
  {
    title: 'parallel forking: the better refusal wins',
    talk: async ({ send, take }) => {
      send('A', request('MESSAGE', 'both'))
      const atB = await take('B')
      const atC = await take('C')
      send('B', respond(atB, '404 Not Found', { tag: 'b' }))
      send('C', respond(atC, '503 Unavailable', { tag: 'c' }))
      await take('A')
    },
  },
  {
    title: 'a whole call, record-routed',
    talk: async ({ send, take }) => {
      const callId = newCallId()
      send('A', request('INVITE', 'b', { callId, headers: 'Contact: <sip:alice@{A}>' }))
      await take('A')
      const invite = await take('B')
      send('B', respond(invite, '180 Ringing', { tag: 'callee' }))
      await take('A')
      send('B', twoHundred(invite))
      const ok = await take('A')
      const route = /^Record-Route: (.*)$/im.exec(ok)?.[1]?.trim() ?? ''
      const inDialog = { callId, to: '<sip:b@example.com>;tag=callee', headers: `Route: ${route}` }
      send('A', request('ACK', 'b', { ...inDialog, branch: 'ack' }).replace('sip:b@{ROUTER}', 'sip:b@{B}'))
      await take('B')
      send('A', request('BYE', 'b', { ...inDialog, cseq: 2 }).replace('sip:b@{ROUTER}', 'sip:b@{B}'))
      send('B', respond(await take('B'), '200 OK'))
      await take('A')
    },
  },
  {
    title: 'CANCEL while it rings',
    talk: async ({ send, take }) => {
      const callId = newCallId()
      const invite = request('INVITE', 'b', { callId, branch: 'cancelled' })
      send('A', invite)
      await take('A')
      const arrived = await take('B')
      send('B', respond(arrived, '180 Ringing', { tag: 'callee' }))
      await take('A')
      send('A', request('CANCEL', 'b', { callId, branch: 'cancelled' }))
      await take('A')
      send('B', respond(await take('B'), '200 OK', { tag: 'callee' }))
      send('B', respond(arrived, '487 Request Terminated', { tag: 'callee' }))
      await take('B')
      await take('A')
    },
  },
  {
    title: 'an INVITE is refused: ACK stops at each hop',
    talk: async ({ send, take }) => {
      const callId = newCallId()
      send('A', request('INVITE', 'b', { callId, branch: 'refused' }))
      await take('A')
      send('B', respond(await take('B'), '486 Busy Here', { tag: 'callee' }))
      await take('B')
      await take('A')
      send('A', request('ACK', 'b', { callId, branch: 'refused', to: '<sip:b@example.com>;tag=callee' }))
      await take('A', 300)
    },
  },
  {
    title: 'a retransmission is absorbed, the answer repeated',
    talk: async ({ send, take }) => {
      const message = request('MESSAGE', 'b')
      send('A', message)
      const arrived = await take('B')
      send('A', message)
      await take('B', 200)
      send('B', respond(arrived, '200 OK', { tag: 'callee' }))
      await take('A')
      send('A', message)
      await take('A')
    },
  },
  {
    title: 'nobody answers: 408',
    talk: async ({ send, take }) => {
      send('A', request('INVITE', 'b', { branch: 'timeout', callId: 'timeout' }))
      await take('A')
      await take('B')
      for (;;) if (/^SIP/.test(await take('A', 4_000))) break
    },
  },
  ...[
    ['Max-Forwards 0', (text: string) => text.replace('Max-Forwards: 70', 'Max-Forwards: 0')],
    ['no Max-Forwards', (text: string) => text.replace('Max-Forwards: 70\r\n', '')],
    ['CSeq with another method', (text: string) => text.replace('CSeq: 1 MESSAGE', 'CSeq: 1 INFO')],
    ['no rport asked', (text: string) => text.replace(';rport', '')],
    ['a private address in Via', (text: string) => text.replace('{A};rport', '10.1.2.3:5060')],
    [
      'compact forms and folds',
      (text: string) => text.replace('From:', 'f:').replace('Call-ID:', 'i :').replace('To: ', 't:\r\n  '),
    ],
    ['an unknown method', (text: string) => text.replaceAll('MESSAGE', 'NEWMETHOD')],
  ].map(([title, change]) => ({
    title: title as string,
    talk: async ({ send, take }: Talk) => {
      send('A', (change as (text: string) => string)(request('MESSAGE', 'b')))
      const arrived = await take('B', 300)
      if (arrived !== '') send('B', respond(arrived, '200 OK', { tag: 'callee' }))
      await take('A', 300)
    },
  })),
])
