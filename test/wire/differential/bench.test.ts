import { scriptsFolder } from '../../../bench/scenarios.ts'
import { respond } from '../oracle.ts'
import { compare } from './compare.ts'
import { credentials, newCallId, request, type Talk } from './talk.ts'

/** The scripts that both servers are measured with, unmodified, each with the conversation that it is for. */
const script = (name: string) => ({ file: `${scriptsFolder}${name}.cfg` })

const relayed =
  (method: string) =>
  async ({ send, take }: Talk) => {
    send(
      'A',
      request(method, '', { uri: 'sip:u0000001@{B}', to: '<sip:u0000001@example.com>', body: 'hello' }),
    )
    send('B', respond(await take('B'), '200 OK', { tag: 'uas' }))
    await take('A')
  }

async function call({ send, take }: Talk): Promise<void> {
  const callId = newCallId()
  const target = { callId, uri: 'sip:u0000001@{B}' }
  send('A', request('INVITE', '', { ...target, to: '<sip:u@h>', headers: 'Contact: <sip:alice@{A}>' }))
  await take('A')
  const invite = await take('B')
  send('B', respond(invite, '180 Ringing', { tag: 'uas' }))
  await take('A')
  send('B', respond(invite, '200 OK', { tag: 'uas', headers: 'Contact: <sip:uas@{B}>\r\n' }))
  const ok = await take('A')
  const route = /^Record-Route: (.*)$/im.exec(ok)?.[1]?.trim() ?? ''
  const inDialog = { ...target, to: '<sip:u@h>;tag=uas', headers: `Route: ${route}` }
  send('A', request('ACK', '', { ...inDialog, branch: 'ack' }))
  await take('B')
  send('A', request('BYE', '', { ...inDialog, cseq: 2 }))
  send('B', respond(await take('B'), '200 OK'))
  await take('A')
}

async function registration({ send, take, router }: Talk): Promise<void> {
  const callId = newCallId()
  const options = { callId, to: '<sip:alice@example.com>' }
  const headers = 'Contact: <sip:alice@{A}>;expires=600'
  send('A', request('REGISTER', '', { ...options, headers }))
  const challenge = await take('A')
  const authorization = `Authorization: ${credentials(challenge, 'REGISTER', 'secret', `sip:${router}`)}`
  send('A', request('REGISTER', '', { ...options, cseq: 2, headers: `${headers}\n${authorization}` }))
  await take('A')
}

async function fromBehindNat({ send, take }: Talk): Promise<void> {
  const to = '<sip:u0000001@example.com>'
  send(
    'B',
    request('REGISTER', '', { to, via: '{B};rport', headers: 'Contact: <sip:u0000001@{B}>;expires=600' }),
  )
  await take('B')
  send(
    'A',
    request('MESSAGE', 'u0000001', {
      to,
      via: '10.0.0.5:5060;rport',
      headers: 'Contact: <sip:d@10.0.0.5:5060>',
    }),
  )
  send('B', respond(await take('B'), '200 OK', { tag: 'uas' }))
  await take('A')
  send('A', request('MESSAGE', 'u0000002', { via: '10.0.0.5:5060;rport' }))
  await take('A')
}

async function computed({ send, take }: Talk): Promise<void> {
  const headers =
    'Contact: <sip:a0000007@{A};transport=udp>\nUser-Agent: sipgen/1.0\nX-Class: gold\nX-Trace: 0af-12'
  for (const user of ['u4900001', 'u1000001', 'someone']) {
    send(
      'A',
      request('MESSAGE', user, {
        from: '<sip:A0000007@example.com>;tag=f',
        headers,
        body: 'The quick brown fox',
      }),
    )
    await take('A')
  }
}

compare('bench a: stateless relay', script('a'), [{ title: 'MESSAGE', talk: relayed('MESSAGE') }])
compare('bench b: stateful relay', script('b'), [{ title: 'MESSAGE', talk: relayed('MESSAGE') }])
compare('bench c: calls', script('c'), [{ title: 'a call', talk: call }])
compare('bench d: registration', script('d'), [{ title: 'REGISTER, 401, REGISTER, 200', talk: registration }])
compare('bench e: from behind a NAT', script('e'), [{ title: 'MESSAGE', talk: fromBehindNat }])
compare('bench f: a long script', script('f'), [{ title: 'three users', talk: computed }])
