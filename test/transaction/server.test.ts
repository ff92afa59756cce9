import { describe, expect, test } from 'vitest'
import type { SipMessage } from '../../src/sip/message.ts'
import type { ServerTransaction } from '../../src/transaction/transaction.ts'
import type { Flow } from '../../src/transport/socket.ts'
import { type Bench, bench, peer, peerOver, type RequestParts, request, responseText } from './layer-alone.ts'

function take(on: Bench, message: SipMessage, flow: Flow = peer): ServerTransaction {
  expect(on.layer.receiveRequest(message, flow)).toEqual({ kind: 'new' })
  const server = on.layer.createServer(message, flow, on.serverUser)
  if (server === null) throw new Error('no transaction')
  return server
}

function respond(server: ServerTransaction, statusCode: number): boolean {
  return server.respond(statusCode, responseText(server.request, statusCode))
}

function outcome(on: Bench, message: SipMessage): string {
  return on.layer.receiveRequest(message, peer).kind
}

function expectIdle({ layer, clock }: Bench): void {
  expect([layer.serverCount, layer.clientCount, clock.pending]).toEqual([0, 0, 0])
}

describe('INVITE server', () => {
  test('RFC 3261 §17.2.1: a failure is sent again by timer G until timer H', () => {
    const on = bench()
    respond(take(on, request('INVITE')), 486)
    on.clock.advanceSync(60_000)
    const times = on.sent.map((line) => Number(line.split(' ')[0]))
    expect(times).toEqual([0, 500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500])
    expect(on.heard).toEqual(['no-ack'])
    expectIdle(on)
  })

  test('the ACK stops timer G; more ACKs are absorbed until timer I', () => {
    const on = bench()
    respond(take(on, request('INVITE')), 486)
    on.clock.advanceSync(600)
    expect(outcome(on, request('ACK', { toTag: 'bob' }))).toBe('absorbed')
    expect(outcome(on, request('ACK', { toTag: 'bob' }))).toBe('absorbed')
    on.clock.advanceSync(4_999)
    expect(on.heard).toEqual([])
    on.clock.advanceSync(1)
    expect(on.sent).toEqual(['0 486', '500 486'])
    expect(on.heard).toEqual(['done'])
    expectIdle(on)
  })

  test('a retransmitted INVITE gets the last response again, or nothing if there was none', () => {
    const on = bench()
    const server = take(on, request('INVITE'))
    expect(outcome(on, request('INVITE'))).toBe('absorbed')
    expect(on.sent).toEqual([])
    respond(server, 100)
    respond(server, 180)
    expect(outcome(on, request('INVITE'))).toBe('absorbed')
    expect(on.sent).toEqual(['0 100', '0 180', '0 180'])
  })

  test('RFC 6026 §7.1: after a 2xx INVITEs are swallowed, further 2xx pass, nothing else does, until timer L', () => {
    const on = bench()
    const server = take(on, request('INVITE'))
    expect(respond(server, 200)).toBe(true)
    expect(outcome(on, request('INVITE'))).toBe('absorbed')
    on.clock.advanceSync(10_000)
    expect(respond(server, 200)).toBe(true)
    expect([respond(server, 180), respond(server, 486)]).toEqual([false, false])
    on.clock.advanceSync(22_000)
    expect(on.sent).toEqual(['0 200', '10000 200'])
    expect(on.heard).toEqual(['done'])
    expect(respond(server, 200)).toBe(false)
    expectIdle(on)
  })

  test('there is one final response (security: two answers to one request)', () => {
    const on = bench()
    const server = take(on, request('INVITE'))
    expect([respond(server, 404), respond(server, 500), respond(server, 200)]).toEqual([true, false, false])
    expect(server.lastStatus).toBe(404)
    expect(on.sent).toEqual(['0 404'])
  })

  test('over TCP a failure is sent once; timer H runs all the same', () => {
    const on = bench()
    respond(take(on, request('INVITE'), peerOver('tcp')), 486)
    on.clock.advanceSync(32_000)
    expect(on.sent).toHaveLength(1)
    expect(on.heard).toEqual(['no-ack'])
  })
})

describe('ACK to a 2xx: RFC 3261 §13.2.2.4', () => {
  const ackParts: RequestParts = { branch: 'z9hG4bKack', toTag: 'bob' }

  test('is a message of its own for the script, which can still find the INVITE', () => {
    const on = bench()
    const server = take(on, request('INVITE'))
    const ack = request('ACK', ackParts)
    expect(on.layer.findServer(ack)).toBeNull()
    respond(server, 200)
    expect(outcome(on, ack)).toBe('new')
    expect(on.layer.findServer(ack)).toBe(server)
    expect(on.layer.findServer(request('ACK', { ...ackParts, callId: 'other' }))).toBeNull()
    expect(on.layer.findServer(request('ACK', { ...ackParts, cseq: 2 }))).toBeNull()
    on.clock.advanceSync(32_000)
    expect(on.layer.findServer(ack)).toBeNull()
  })

  test('is for the script also if a phone repeats the branch of the INVITE', () => {
    const on = bench()
    respond(take(on, request('INVITE')), 200)
    expect(outcome(on, request('ACK', { toTag: 'bob' }))).toBe('new')
  })

  test('an ACK that nobody knows is new, and never gets a transaction', () => {
    const on = bench()
    expect(outcome(on, request('ACK'))).toBe('new')
    expect(on.layer.createServer(request('ACK'), peer, null)).toBeNull()
  })
})

describe('non-INVITE server', () => {
  test('retransmissions get the final response again', () => {
    const on = bench()
    const server = take(on, request('MESSAGE'))
    expect(outcome(on, request('MESSAGE'))).toBe('absorbed')
    respond(server, 200)
    expect(outcome(on, request('MESSAGE'))).toBe('absorbed')
    expect(on.sent).toEqual(['0 200', '0 200'])
  })

  test('timer J: the same answer for 64*T1, though the transaction ends with it', () => {
    const on = bench()
    respond(take(on, request('MESSAGE')), 200)
    // The answers to the first four were lost.
    for (const at of [500, 1_500, 3_500, 7_500, 11_500, 31_500]) {
      on.clock.advanceSync(at - on.clock.now())
      expect(outcome(on, request('MESSAGE'))).toBe('absorbed')
    }
    expect(on.sent).toEqual([
      '0 200',
      '500 200',
      '1500 200',
      '3500 200',
      '7500 200',
      '11500 200',
      '31500 200',
    ])
    expect(new Set(on.texts).size).toBe(1)
    expect(on.heard).toEqual(['done'])
    expect(on.layer.serverCount).toBe(0)
    on.clock.advanceSync(500)
    expect(outcome(on, request('MESSAGE'))).toBe('new')
    on.clock.advanceSync(1_000)
    expectIdle(on)
  })

  test('timer J on a host that holds few transactions: few answers are kept, the youngest', () => {
    const on = bench({ transactionsMax: 100 })
    const messages = Array.from({ length: 600 }, (_, i) => request('MESSAGE', { branch: `z9hG4bK${i}` }))
    for (const [index, message] of messages.entries()) {
      if (index % 100 === 0) on.clock.advanceSync(3_000)
      respond(take(on, message), 200)
    }
    on.clock.advanceSync(6_000)
    const kept = messages.map((message) => outcome(on, message) === 'absorbed')
    const count = kept.filter(Boolean).length
    // A quarter of what the transactions themselves may take; each of these costs more than 200 octets.
    expect(count * 200).toBeLessThanOrEqual((100 * 4_096) / 4)
    expect(count).toBeGreaterThan(20)
    expect([kept[0], kept[599]]).toEqual([false, true])
  })

  test('timer J is wt_timer if the script sets it', () => {
    const on = bench()
    on.layer.timers.wait = on.layer.timers.j = 3_000
    respond(take(on, request('MESSAGE')), 200)
    on.clock.advanceSync(2_999)
    expect(outcome(on, request('MESSAGE'))).toBe('absorbed')
    on.clock.advanceSync(1)
    expect(on.heard).toEqual(['done'])
    expect(outcome(on, request('MESSAGE'))).toBe('new')
    expectIdle(on)
  })

  test('what ended without an answer, or by an error, is not remembered', () => {
    const on = bench()
    take(on, request('MESSAGE')).release?.()
    expect(outcome(on, request('MESSAGE'))).toBe('new')
    respond(take(on, request('INVITE')), 200)
    on.clock.advanceSync(40_000)
    expect(outcome(on, request('INVITE'))).toBe('new')
  })

  test('RFC 4320 §4.1: no provisional response but a late 100', () => {
    const on = bench()
    const server = take(on, request('MESSAGE'))
    expect([respond(server, 100), respond(server, 180)]).toEqual([false, false])
    on.clock.advanceSync(3_500)
    expect([respond(server, 180), respond(server, 100)]).toEqual([false, true])
    expect(outcome(on, request('MESSAGE'))).toBe('absorbed')
    expect(on.sent).toEqual(['3500 100', '3500 100'])
  })

  test('RFC 4320 §4.2: a 408 that comes too late is kept to ourselves', () => {
    const on = bench()
    const server = take(on, request('MESSAGE'))
    on.clock.advanceSync(32_000)
    expect(respond(server, 408)).toBe(true)
    expect(outcome(on, request('MESSAGE'))).toBe('absorbed')
    expect(on.sent).toEqual([])
    on.clock.advanceSync(32_000)
    expectIdle(on)
  })

  test('a released transaction is gone at once, and its user hears nothing', () => {
    const on = bench()
    const server = take(on, request('MESSAGE'))
    server.release?.()
    expect(server.isTerminated).toBe(true)
    expect(respond(server, 200)).toBe(false)
    expect(on.heard).toEqual([])
    expectIdle(on)
  })
})

describe('where responses go: RFC 3581 §4', () => {
  const nat: Flow = { ...peer, address: '198.51.100.7', port: 40_001 }
  test.each([
    [
      'no rport: the port of the Via',
      'SIP/2.0/UDP 10.0.0.5:5062;branch=z9hG4bKa',
      false,
      '198.51.100.7:5062',
    ],
    [
      'rport: the source port',
      'SIP/2.0/UDP 10.0.0.5:5062;rport;branch=z9hG4bKa',
      false,
      '198.51.100.7:40001',
    ],
    [
      'force_rport(): the source port',
      'SIP/2.0/UDP 10.0.0.5:5062;branch=z9hG4bKa',
      true,
      '198.51.100.7:40001',
    ],
    [
      'received and maddr are not believed',
      'SIP/2.0/UDP 10.0.0.5;maddr=203.0.113.9;received=203.0.113.8;branch=z9hG4bKa',
      false,
      '198.51.100.7:5060',
    ],
  ])('%s', (_, via, force, where) => {
    const on = bench()
    const server = take(on, request('MESSAGE', { via }), nat)
    server.forceRport = force
    respond(server, 200)
    expect(on.sent).toEqual([`0 200 to ${where}`])
  })
})

describe('matching: RFC 3261 §17.2.3', () => {
  test.each<[string, RequestParts]>([
    ['Call-ID', { callId: 'call-2' }],
    ['sent-by host', { sentBy: '192.0.2.10:5060' }],
    ['sent-by port', { sentBy: '192.0.2.9:5061' }],
    ['branch', { branch: 'z9hG4bKother' }],
    ['CSeq number', { cseq: 2 }],
  ])('another %s is another transaction: no client gets an answer to somebody else', (_, parts) => {
    const on = bench()
    const first = take(on, request('MESSAGE'))
    const second = take(on, request('MESSAGE', parts))
    respond(first, 404)
    respond(second, 200)
    expect(outcome(on, request('MESSAGE', parts))).toBe('absorbed')
    expect(on.sent.map((line) => line.split(' ')[1])).toEqual(['404', '200', '200'])
  })

  test('the same branch with another method is another transaction', () => {
    const on = bench()
    take(on, request('INVITE'))
    expect(outcome(on, request('CANCEL'))).toBe('new')
    expect(outcome(on, request('MESSAGE'))).toBe('new')
  })

  test.each([
    ['white space', { callId: 'a b', branch: 'z9hG4bKx' }],
    ['__proto__', { callId: '__proto__', branch: 'z9hG4bK__proto__' }],
    ['constructor', { callId: 'constructor', branch: 'z9hG4bKconstructor' }],
  ])('%s is like any other', (_, parts) => {
    const on = bench()
    take(on, request('MESSAGE', parts))
    expect(outcome(on, request('MESSAGE', parts))).toBe('absorbed')
    expect(on.layer.serverCount).toBe(1)
  })

  test('a storm of retransmissions is one transaction', () => {
    const on = bench()
    const server = take(on, request('MESSAGE'))
    for (let i = 0; i < 1_000; i++) expect(outcome(on, request('MESSAGE'))).toBe('absorbed')
    expect(on.layer.serverCount).toBe(1)
    respond(server, 200)
    for (let i = 0; i < 1_000; i++) expect(outcome(on, request('MESSAGE'))).toBe('absorbed')
    expect([on.layer.serverCount, on.sent.length]).toEqual([0, 1_001])
  })
})

describe('RFC 2543 peers: no magic cookie', () => {
  const old: RequestParts = { via: 'SIP/2.0/UDP 192.0.2.9:5060' }

  test('a retransmission is found by URI, tags, Call-ID, CSeq and topmost Via', () => {
    const on = bench()
    respond(take(on, request('MESSAGE', old)), 200)
    expect(outcome(on, request('MESSAGE', old))).toBe('absorbed')
  })

  test.each<[string, RequestParts]>([
    ['Request-URI', { uri: 'sip:carol@example.com' }],
    ['From tag', { fromTag: 'x' }],
    ['To tag', { toTag: 'x' }],
    ['Call-ID', { callId: 'x' }],
    ['CSeq number', { cseq: 2 }],
    ['topmost Via', { via: 'SIP/2.0/UDP 192.0.2.10:5060' }],
  ])('another %s is another request', (_, parts) => {
    const on = bench()
    take(on, request('MESSAGE', old))
    expect(outcome(on, request('MESSAGE', { ...old, ...parts }))).toBe('new')
  })

  test('the ACK carries the To tag of our response; another tag acknowledges another response', () => {
    const on = bench()
    respond(take(on, request('INVITE', old)), 486)
    expect(outcome(on, request('ACK', { ...old, toTag: 'somebody' }))).toBe('new')
    expect(outcome(on, request('ACK', { ...old, toTag: 'bob' }))).toBe('absorbed')
    on.clock.advanceSync(5_000)
    expect(on.heard).toEqual(['done'])
  })

  test('inside a dialog the INVITE has the To tag already', () => {
    const on = bench()
    respond(take(on, request('INVITE', { ...old, toTag: 'bob' })), 488)
    expect(outcome(on, request('ACK', { ...old, toTag: 'bob' }))).toBe('absorbed')
  })

  test('a CANCEL finds its INVITE', () => {
    const on = bench()
    const server = take(on, request('INVITE', old))
    expect(on.layer.findCancelled(request('CANCEL', old))).toBe(server)
    expect(on.layer.findCancelled(request('CANCEL', { ...old, callId: 'x' }))).toBeNull()
  })
})

describe('CANCEL: RFC 3261 §9.2', () => {
  test('finds the INVITE with the same branch, and is a transaction of its own', () => {
    const on = bench()
    const invite = take(on, request('INVITE'))
    expect(on.layer.findCancelled(request('CANCEL'))).toBe(invite)
    respond(take(on, request('CANCEL')), 200)
    expect(outcome(on, request('CANCEL'))).toBe('absorbed')
    expect(on.sent).toEqual(['0 200', '0 200'])
  })

  test.each<[string, RequestParts]>([
    ['branch', { branch: 'z9hG4bKother' }],
    ['Call-ID', { callId: 'call-2' }],
    ['sent-by', { sentBy: '203.0.113.66:5060' }],
  ])('of a stranger does not find it: another %s', (_, parts) => {
    const on = bench()
    take(on, request('INVITE'))
    expect(on.layer.findCancelled(request('CANCEL', parts))).toBeNull()
  })

  test('does not find other methods', () => {
    const on = bench()
    take(on, request('MESSAGE'))
    expect(on.layer.findCancelled(request('CANCEL'))).toBeNull()
  })
})

describe('requests whose script run is suspended', () => {
  test('are pending until the run goes on', () => {
    const on = bench()
    const message = request('MESSAGE')
    on.layer.setPending(message, true)
    expect(outcome(on, request('MESSAGE'))).toBe('pending')
    expect(outcome(on, request('MESSAGE', { callId: 'call-2' }))).toBe('new')
    on.layer.setPending(message, false)
    expect(outcome(on, request('MESSAGE'))).toBe('new')
  })

  test('a transaction that they made meanwhile absorbs first', () => {
    const on = bench()
    const message = request('MESSAGE')
    on.layer.setPending(message, true)
    const server = on.layer.createServer(message, peer, null)
    if (server) respond(server, 200)
    expect(outcome(on, request('MESSAGE'))).toBe('absorbed')
    expect(on.sent).toEqual(['0 200', '0 200'])
  })
})

describe('bounds', () => {
  test('a full table refuses, and recovers', () => {
    const on = bench({ transactionsMax: 2 })
    const first = take(on, request('MESSAGE'))
    take(on, request('MESSAGE', { callId: 'call-2' }))
    const third = request('MESSAGE', { callId: 'call-3' })
    expect(on.layer.createServer(third, peer, null)).toBeNull()
    const branch = on.layer.newBranch()
    const options = { text: third.text, branch, flow: peer, user: on.clientUser }
    expect(on.layer.createClient(options)).toBeNull()
    expect(on.sent).toEqual([])
    respond(first, 200)
    on.clock.advanceSync(5_000)
    expect(on.layer.createServer(third, peer, null)).not.toBeNull()
  })

  test('close ends everything without a word', () => {
    const on = bench()
    respond(take(on, request('INVITE')), 486)
    take(on, request('MESSAGE'))
    on.sent.length = 0
    on.layer.close()
    on.clock.advanceSync(60_000)
    expect([on.sent, on.heard]).toEqual([[], []])
    expectIdle(on)
  })
})
