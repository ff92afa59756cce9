import { createHash } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Lab, requireProgram } from './lab.ts'
import { Endpoint, freePort, normalized, type Oracle, respond, startOracle, stopOracle } from './oracle.ts'

/**
 * Kamailio 5.6.3 as the oracle: the same script, the same packets, and what each server put on the wire compared word
 * by word, once ports, branches, tags and nonces have their names. Where we differ on purpose the case says so and why.
 */

type Name = 'A' | 'B' | 'C'

/** What a case does: sends, answers, and takes down what arrives. */
interface Talk {
  readonly transcript: string[]
  /** Address and port of the server under test. */
  readonly router: string
  /** Sends as an endpoint: `{ROUTER}` and `{A}` stand for addresses. */
  send(from: Name, text: string): void
  /** The next message at an endpoint goes into the transcript and comes back. */
  take(at: Name, milliseconds?: number): Promise<string>
}

interface Case {
  readonly title: string
  readonly talk: (talk: Talk) => Promise<void>
  /** Lines of the transcript that Viaduct changes on purpose: what Kamailio says, what we say. The title of the reason comes first. */
  readonly differs?: { readonly why: string; readonly replace: readonly (readonly [RegExp, string])[] }
}

function compare(script: string, cases: readonly Case[]): void {
  describe(script, () => {
    const lab = new Lab()
    const endpoints = new Map<Name, Endpoint>()
    let oracles: Oracle[] = []
    beforeAll(async () => {
      requireProgram('kamailio', 'kamailio')
      const defines = { B: freePort(), C: freePort() }
      endpoints.set('A', await Endpoint.open())
      endpoints.set('B', await Endpoint.open(defines.B))
      endpoints.set('C', await Endpoint.open(defines.C))
      const path = fileURLToPath(new URL(`./differential/${script}`, import.meta.url))
      oracles = [
        await startOracle(lab, 'kamailio', path, defines),
        await startOracle(lab, 'viaduct', path, defines),
      ]
    })
    afterAll(async () => {
      await Promise.all(oracles.map(stopOracle))
      for (const endpoint of endpoints.values()) endpoint.close()
      await lab.close()
    })
    test.each(cases)('$title', async ({ talk, differs }) => {
      const [kamailio, viaduct] = [
        await play(oracles[0], endpoints, talk),
        await play(oracles[1], endpoints, talk),
      ]
      const wanted = (differs?.replace ?? []).reduce((text, [from, to]) => text.replace(from, to), kamailio)
      expect(viaduct).toBe(wanted)
    })
  })
}

async function play(
  oracle: Oracle | undefined,
  endpoints: ReadonlyMap<Name, Endpoint>,
  run: Case['talk'],
): Promise<string> {
  if (!oracle) throw new Error('the server did not start')
  const names = new Map<number, string>([[oracle.port, 'ROUTER']])
  for (const [name, endpoint] of endpoints) {
    names.set(endpoint.port, name)
    endpoint.forget()
  }
  const fill = (text: string) =>
    text.replace(/\{(ROUTER|A|B|C)(PORT)?\}/g, (_, name, port) => {
      const number = name === 'ROUTER' ? oracle.port : (endpoints.get(name as Name)?.port ?? 0)
      return port ? String(number) : `127.0.0.1:${number}`
    })
  const transcript: string[] = []
  // Every Call-ID gets the run's own mark: what an earlier run still retransmits is not part of this one.
  const mark = `-run${runs++}`
  const marked = (text: string) => text.replace(/^((?:Call-ID|i) ?: [^\r\n]*)/im, `$1${mark}`)
  const endpoint = (name: Name) => endpoints.get(name) as Endpoint
  await run({
    transcript,
    router: `127.0.0.1:${oracle.port}`,
    send: (from, text) => endpoint(from).send(isRequest(text) ? marked(fill(text)) : fill(text), oracle.port),
    take: async (at, milliseconds) => {
      const text = await endpoint(at).next(mark, milliseconds)
      transcript.push(
        `--- ${at} received\n${normalized(text, names)
          .replaceAll(mark, '')
          .replace(/call-\d+/g, 'CALL')}`,
      )
      return text ?? ''
    },
  })
  return transcript.join('\n')
}

let calls = 0
let runs = 0

function isRequest(text: string): boolean {
  return !text.startsWith('SIP/2.0')
}

function request(
  method: string,
  user: string,
  options: {
    headers?: string
    body?: string
    via?: string
    to?: string
    cseq?: number
    callId?: string
    branch?: string
    from?: string
  } = {},
): string {
  const id = options.callId ?? `call-${calls++}`
  const body = options.body ?? ''
  return [
    `${method} sip:${user === '' ? '' : `${user}@`}{ROUTER} SIP/2.0`,
    `Via: SIP/2.0/UDP ${options.via ?? '{A};rport'};branch=z9hG4bK-keep-${options.branch ?? `${id}-${options.cseq ?? 1}`}`,
    'Max-Forwards: 70',
    `From: ${options.from ?? '"Al Ice" <sip:alice@example.com>;tag=from1'}`,
    `To: ${options.to ?? `<sip:${user}@example.com>`}`,
    `Call-ID: ${id}`,
    `CSeq: ${options.cseq ?? 1} ${method}`,
    ...(options.headers ? options.headers.trimEnd().split('\n') : []),
    `Content-Length: ${body.length}`,
    '',
    body,
  ].join('\r\n')
}

const twoHundred = (text: string) =>
  respond(text, '200 OK', { tag: 'callee', headers: 'Contact: <sip:b@{B}>\r\n' })

/** MESSAGE to `user`, B answers with `status`, A gets what comes. */
const messageAnswered =
  (user: string, status: string): Case['talk'] =>
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

compare('proxy.cfg', [
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
      const callId = `call-${calls++}`
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
      const callId = `call-${calls++}`
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
      const callId = `call-${calls++}`
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

const contact = (value: string) => ({ headers: `Contact: ${value}` })

compare(
  'registrar.cfg',
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
    ] as const
  ).map(([title, user, options]) => ({
    title,
    talk: async ({ send, take }: Talk) => {
      send(
        'A',
        request('REGISTER', '', {
          ...options,
          to: `<sip:${user}@example.com>`,
          callId: `reg-${user}-${title.replace(/\W+/g, '-')}`,
        }),
      )
      await take('A')
      send('A', request('OPTIONS', user))
      await take('A')
    },
  })),
)

compare('registrar.cfg', [
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

function credentials(
  challenge: string,
  method: string,
  password: string,
  uri: string,
  changes: Record<string, string> = {},
): string {
  const nonce = /nonce="([^"]*)"/.exec(challenge)?.[1] ?? ''
  const hash = (text: string) => createHash('md5').update(text).digest('hex')
  const ha1 = hash(`alice:example.com:${password}`)
  const ha2 = hash(`${method}:${uri}`)
  const hasQop = /qop=/.test(challenge)
  const response = hasQop ? hash(`${ha1}:${nonce}:00000001:abc:auth:${ha2}`) : hash(`${ha1}:${nonce}:${ha2}`)
  const fields: Record<string, string> = {
    username: '"alice"',
    realm: '"example.com"',
    nonce: `"${nonce}"`,
    uri: `"${uri}"`,
    response: `"${response}"`,
    ...(hasQop && { qop: 'auth', nc: '00000001', cnonce: '"abc"' }),
    ...changes,
  }
  return `Digest ${Object.entries(fields)
    .map(([name, value]) => `${name}=${value}`)
    .join(', ')}`
}

compare(
  'auth.cfg',
  (['REGISTER', 'MESSAGE'] as const).flatMap((method) =>
    (
      [
        ['the right password', 'secret', {}],
        ['a wrong password', 'guess', {}],
        ['a foreign realm', 'secret', { realm: '"other"' }],
        ['a nonce of nobody', 'secret', { nonce: '"Zm9yZ2VkZm9yZ2VkZm9yZ2VkZm9yZ2Vk"' }],
      ] as const
    ).map(([title, password, changes]) => ({
      title: `${method}: ${title}`,
      talk: async ({ send, take, router }: Talk) => {
        const callId = `call-${calls++}`
        const to = '<sip:alice@example.com>'
        send('A', request(method, 'alice', { callId, to }))
        const challenge = await take('A')
        const name = method === 'REGISTER' ? 'Authorization' : 'Proxy-Authorization'
        const uri = `sip:alice@${router}`
        send(
          'A',
          request(method, 'alice', {
            callId,
            to,
            cseq: 2,
            headers: `${name}: ${credentials(challenge, method, password, uri, changes)}`,
          }),
        )
        await take('A')
      },
    })),
  ),
)

const rich = `Contact: "Al" <sip:alice@{A};x=1>;expires=5
Subject: things
User-Agent: agent 1
X-One: a1,b2,ab3
X-Two: first
X-Two: second, third
X-List: <sip:a@h>, <sip:b@h>
X-Num: 12a
X-Params: a=1;b="x";c
P-Asserted-Identity: <sip:pai@example.com>
Remote-Party-ID: <sip:rpid@example.com>
Refer-To: <sip:refer@example.com>
Expires: 77
Content-Type: text/plain`

compare('variables.cfg', [
  {
    title: 'every pseudo-variable and transformation',
    talk: async ({ send, take }) => {
      send(
        'A',
        request('OPTIONS', 'bob', { headers: rich, body: 'a body', callId: 'variables' }).replace(
          'OPTIONS sip:bob@{ROUTER}',
          'OPTIONS sip:bob@example.com:5080;x=1;transport=udp?h=v',
        ),
      )
      await take('A')
    },
  },
  {
    title: 'and where nothing is there',
    talk: async ({ send, take }) => {
      send(
        'A',
        request('REGISTER', '', { from: '<sip:example.com>;tag=1', to: '<sip:example.com>', callId: 'bare' }),
      )
      await take('A')
    },
  },
])

compare('language.cfg', [
  {
    title: 'the semantics of the language',
    talk: async ({ send, take }) => {
      send('A', request('OPTIONS', 'bob', { callId: 'language' }))
      await take('A')
    },
  },
])
