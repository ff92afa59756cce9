import { describe, expect, test } from 'vitest'
import type { ClientOptions, ClientTransaction } from '../../src/transaction/transaction.ts'
import { type Bench, bench, peer, peerOver, requestText, response, scanned } from './layer-alone.ts'

function send(on: Bench, method: string, options: Partial<ClientOptions> = {}): ClientTransaction {
  const branch = options.branch ?? on.layer.newBranch()
  const client = on.layer.createClient({
    text: requestText(method, { branch, sentBy: '192.0.2.1:5060' }),
    branch,
    flow: peer,
    user: on.clientUser,
    ...options,
  })
  if (client === null) throw new Error('no transaction')
  return client
}

function answer(on: Bench, client: ClientTransaction, statusCode: number, method?: string): boolean {
  const request = scanned(requestText(client.method, { branch: client.branch, sentBy: '192.0.2.1:5060' }))
  return on.layer.receiveResponse(response(request, statusCode, method), peer)
}

/** Nothing is left behind: no entry in a table, no timer but the one for which the empty wheel wakes up in vain. */
function expectIdle({ layer, clock }: Bench): void {
  expect([layer.serverCount, layer.clientCount]).toEqual([0, 0])
  if (clock.pending > 0) clock.advanceSync(clock.untilNext())
  expect(clock.pending).toBe(0)
}

describe('INVITE client', () => {
  test('RFC 3261 §17.1.1.2: timer A doubles, timer B (fr_timer) ends it', () => {
    const on = bench()
    const client = send(on, 'INVITE')
    on.clock.advanceSync(60_000)
    expect(on.sent).toEqual([
      '0 INVITE',
      '500 INVITE',
      '1500 INVITE',
      '3500 INVITE',
      '7500 INVITE',
      '15500 INVITE',
    ])
    expect(on.heard).toEqual(['timeout'])
    expect(client.isTerminated).toBe(true)
    expectIdle(on)
  })

  test('a provisional response stops timer A; fr_inv_timer runs from the last one', () => {
    const on = bench()
    const client = send(on, 'INVITE')
    on.clock.advanceSync(600)
    answer(on, client, 180)
    on.clock.advanceSync(100_000)
    answer(on, client, 180)
    on.clock.advanceSync(119_999)
    expect(on.heard).toEqual(['180', '180'])
    expect(on.sent).toEqual(['0 INVITE', '500 INVITE'])
  })

  test('RFC 3261 §16.8: timer C sends CANCEL, and the 487 that follows is acknowledged', () => {
    const on = bench()
    const client = send(on, 'INVITE')
    answer(on, client, 180)
    on.clock.advanceSync(120_000)
    expect(on.heard).toEqual(['180', 'timeout'])
    expect(on.sent).toEqual(['0 INVITE', '120000 CANCEL'])
    expect(answer(on, client, 200, 'CANCEL')).toBe(true)
    expect(answer(on, client, 487)).toBe(true)
    expect(on.sent.at(-1)).toBe('120000 ACK')
    expect(on.heard).toEqual(['180', 'timeout'])
    on.clock.advanceSync(64_000)
    expectIdle(on)
  })

  test.each([
    ['timer C gave it up', (on: Bench) => on.clock.advanceSync(120_000)],
    ['another final response', (on: Bench, client: ClientTransaction) => answer(on, client, 486)],
  ])('RFC 3261 §16.7 step 5: a 2xx goes up whatever went before: %s', (_, before) => {
    const on = bench()
    const client = send(on, 'INVITE')
    answer(on, client, 180)
    before(on, client)
    on.heard.length = 0
    for (const _ of [1, 2]) answer(on, client, 200)
    expect(on.heard).toEqual(['200', '200'])
    on.clock.advanceSync(64_000)
    expectIdle(on)
  })

  test('RFC 3261 §17.1.1.3: a failure is acknowledged each time it comes, and goes up once', () => {
    const on = bench()
    const client = send(on, 'INVITE')
    for (const _ of [1, 2, 3]) answer(on, client, 486)
    expect(on.sent).toEqual(['0 INVITE', '0 ACK', '0 ACK', '0 ACK'])
    expect(on.heard).toEqual(['486'])
    const ack = scanned(on.texts[1] ?? '')
    expect([ack.requestUri, ack.topmostVia?.branch, ack.toTag, ack.cseq]).toEqual([
      'sip:bob@example.com',
      client.branch,
      'bob',
      expect.objectContaining({ number: 1, method: 'ACK' }),
    ])
  })

  test.each([
    [0, 5_000],
    [1, 32_000],
  ])('timer D lasts wt_timer; for a server that answered again (%d times) 64*T1', (times, ms) => {
    const on = bench()
    const client = send(on, 'INVITE')
    answer(on, client, 486)
    on.clock.advanceSync(100)
    for (let i = 0; i < times; i++) answer(on, client, 486)
    on.clock.advanceSync(ms - 101)
    expect(on.layer.clientCount).toBe(1)
    on.clock.advanceSync(1)
    expectIdle(on)
    expect(answer(on, client, 486)).toBe(false)
  })

  test('RFC 6026 §7.2: every 2xx goes up, until timer M', () => {
    const on = bench()
    const client = send(on, 'INVITE')
    answer(on, client, 200)
    on.clock.advanceSync(31_999)
    answer(on, client, 200)
    answer(on, client, 486)
    on.clock.advanceSync(1)
    expect(answer(on, client, 200)).toBe(false)
    expect(on.heard).toEqual(['200', '200'])
    expect(on.sent).toEqual(['0 INVITE'])
    expectIdle(on)
  })

  test('over TCP nothing is sent again, and a failure leaves nothing behind', () => {
    const on = bench()
    const client = send(on, 'INVITE', { flow: peerOver('tcp') })
    on.clock.advanceSync(5_000)
    answer(on, client, 486)
    on.clock.advanceSync(1)
    expect(on.sent.map((line) => line.split(' ')[1])).toEqual(['INVITE', 'ACK'])
    expectIdle(on)
  })
})

describe('CANCEL: RFC 3261 §9.1', () => {
  test('waits for a provisional response', () => {
    const on = bench()
    const client = send(on, 'INVITE')
    client.cancel('Reason: SIP;cause=200\r\n')
    expect(on.sent).toEqual(['0 INVITE'])
    on.clock.advanceSync(100)
    answer(on, client, 100)
    expect(on.sent).toEqual(['0 INVITE', '100 CANCEL'])
    expect(on.texts[1]).toContain('\r\nReason: SIP;cause=200\r\n')
    client.cancel()
    expect(on.sent).toHaveLength(2)
  })

  test('is retransmitted by its own transaction until answered', () => {
    const on = bench()
    const client = send(on, 'INVITE')
    answer(on, client, 180)
    client.cancel()
    on.clock.advanceSync(2_000)
    expect(on.sent).toEqual(['0 INVITE', '0 CANCEL', '500 CANCEL', '1500 CANCEL'])
    answer(on, client, 200, 'CANCEL')
    on.clock.advanceSync(5_000)
    expect(on.sent).toHaveLength(4)
    expect(on.heard).toEqual(['180'])
  })

  test('if no final response follows within 64*T1 the INVITE has timed out', () => {
    const on = bench()
    const client = send(on, 'INVITE')
    answer(on, client, 180)
    client.cancel()
    on.clock.advanceSync(20_000)
    answer(on, client, 180)
    on.clock.advanceSync(12_000)
    expect(on.heard).toEqual(['180', '180', 'timeout'])
  })

  test.each(['MESSAGE', 'REGISTER'])('does not exist for %s', (method) => {
    const on = bench()
    const client = send(on, method)
    answer(on, client, 100)
    client.cancel()
    expect(on.sent).toEqual([`0 ${method}`])
  })

  test('does nothing after a final response', () => {
    const on = bench()
    const client = send(on, 'INVITE')
    answer(on, client, 200)
    client.cancel()
    expect(on.sent).toEqual(['0 INVITE'])
  })
})

describe('non-INVITE client', () => {
  test('RFC 3261 §17.1.2.2: timer E doubles up to T2, timer F (fr_timer) ends it', () => {
    const on = bench()
    send(on, 'MESSAGE')
    on.clock.advanceSync(60_000)
    const times = on.sent.map((line) => Number(line.split(' ')[0]))
    expect(times).toEqual([0, 500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500])
    expect(on.heard).toEqual(['timeout'])
    expectIdle(on)
  })

  test('after a provisional response timer E runs every T2', () => {
    const on = bench()
    const client = send(on, 'MESSAGE')
    on.clock.advanceSync(100)
    answer(on, client, 100)
    on.clock.advanceSync(9_000)
    expect(on.sent).toEqual(['0 MESSAGE', '500 MESSAGE', '4500 MESSAGE', '8500 MESSAGE'])
  })

  test('a provisional response in the very moment of the timeout does not undo it', () => {
    const on = bench()
    const client = send(on, 'MESSAGE')
    on.clock.schedule(30_000, () => answer(on, client, 100))
    on.clock.schedule(29_000, () => client.setTimeout(1_000))
    on.clock.advanceSync(40_000)
    expect(on.heard).toEqual(['100', 'timeout'])
    expectIdle(on)
  })

  test('the first final response goes up and leaves nothing behind; what comes again is refused', () => {
    const on = bench()
    const client = send(on, 'MESSAGE')
    expect(answer(on, client, 202)).toBe(true)
    expect(client.isTerminated).toBe(true)
    expectIdle(on)
    expect(answer(on, client, 202)).toBe(false)
    expect(on.heard).toEqual(['202'])
    expect(on.sent).toEqual(['0 MESSAGE'])
  })
})

describe('what a transaction may have of its own', () => {
  test('fr_timer and fr_inv_timer', () => {
    const on = bench()
    send(on, 'MESSAGE', { finalResponse: 2_000 })
    const ringing = send(on, 'INVITE', { finalResponseInvite: 3_000 })
    answer(on, ringing, 180)
    on.clock.advanceSync(2_000)
    expect(on.heard).toEqual(['180', 'timeout'])
    on.clock.advanceSync(1_000)
    expect(on.heard).toEqual(['180', 'timeout', 'timeout'])
  })

  test('t1 and t2', () => {
    const on = bench()
    send(on, 'MESSAGE', { t1: 100, t2: 200, finalResponse: 1_000 })
    on.clock.advanceSync(1_000)
    expect(on.sent.map((line) => Number(line.split(' ')[0]))).toEqual([0, 100, 300, 500, 700, 900])
  })

  test('an unproven flow gets the request once', () => {
    const on = bench()
    send(on, 'MESSAGE', { retransmissionsMax: 0 })
    on.clock.advanceSync(60_000)
    expect(on.sent).toEqual(['0 MESSAGE'])
    expect(on.heard).toEqual(['timeout'])
  })

  test('setTimeout gives up so many milliseconds from now', () => {
    const on = bench()
    const client = send(on, 'INVITE')
    on.clock.advanceSync(100)
    client.setTimeout(400)
    on.clock.advanceSync(399)
    expect(on.heard).toEqual([])
    on.clock.advanceSync(1)
    expect(on.heard).toEqual(['timeout'])
  })

  test('an abandoned one says nothing more, and its responses are strays', () => {
    const on = bench()
    const client = send(on, 'MESSAGE')
    client.abandon()
    on.clock.advanceSync(60_000)
    expect(answer(on, client, 200)).toBe(false)
    expect(on.heard).toEqual([])
    expectIdle(on)
  })
})

describe('responses that nobody waits for (security: forged and stray responses)', () => {
  test.each([
    ['another branch', 'z9hG4bKforged', 'MESSAGE'],
    ['no magic cookie', 'x', 'MESSAGE'],
    ['another method in CSeq', '', 'OPTIONS'],
    ['a CANCEL that we never sent', '', 'CANCEL'],
  ])('%s', (_, branch, method) => {
    const on = bench()
    const client = send(on, 'MESSAGE')
    const asked = scanned(requestText('MESSAGE', { branch: branch || client.branch }))
    const forged = response(asked, 200, method)
    expect(on.layer.findClient(forged)).toBeNull()
    expect(on.layer.receiveResponse(forged, peer)).toBe(false)
    expect(on.heard).toEqual([])
  })

  test('a response finds its transaction', () => {
    const on = bench()
    const client = send(on, 'MESSAGE')
    const asked = scanned(requestText('MESSAGE', { branch: client.branch }))
    expect(on.layer.findClient(response(asked, 200))).toBe(client)
  })
})

describe('errors of sending: RFC 3261 §16.9', () => {
  test('concern every transaction that waits for an answer from there, and no other', () => {
    const on = bench()
    send(on, 'MESSAGE')
    send(on, 'INVITE')
    send(on, 'MESSAGE', { flow: { ...peer, port: 5070 } })
    const ringing = send(on, 'INVITE')
    answer(on, ringing, 180)
    on.layer.onSendError(peer, 'ECONNREFUSED')
    on.layer.onSendError(peer, 'ECONNREFUSED')
    on.clock.advanceSync(20)
    expect(on.heard).toEqual(['180', 'transport ECONNREFUSED', 'transport ECONNREFUSED'])
    expect(on.layer.clientCount).toBe(2)
  })

  test('a failover to the same flow gets its own chance', () => {
    const on = bench()
    const branch = on.layer.newBranch()
    const again = () => void send(on, 'MESSAGE')
    send(on, 'MESSAGE', { branch, user: { ...on.clientUser, onTransportError: again } })
    on.layer.onSendError(peer, 'ECONNREFUSED')
    on.clock.advanceSync(100)
    expect([on.sent, on.layer.clientCount]).toEqual([['0 MESSAGE', '20 MESSAGE'], 1])
  })

  test('EMSGSIZE concerns long requests only', () => {
    const on = bench()
    send(on, 'MESSAGE')
    const branch = on.layer.newBranch()
    send(on, 'MESSAGE', { branch, text: requestText('MESSAGE', { branch, callId: 'x'.repeat(2_000) }) })
    on.layer.onSendError(peer, 'EMSGSIZE')
    on.clock.advanceSync(20)
    expect(on.heard).toEqual(['transport EMSGSIZE'])
    expect(on.layer.clientCount).toBe(1)
  })
})

describe('branches', () => {
  test('carry the magic cookie and 128 bits, and never come twice', () => {
    const { layer } = bench()
    const branches = new Set(Array.from({ length: 5_000 }, () => layer.newBranch()))
    expect(branches.size).toBe(5_000)
    for (const branch of branches) expect(branch).toMatch(/^z9hG4bK[0-9a-f]{32}$/)
  })

  test('differ in every digit: none is a counter', () => {
    const { layer } = bench()
    const branches = Array.from({ length: 400 }, () => layer.newBranch().slice(7))
    for (let digit = 0; digit < 32; digit++) {
      expect(new Set(branches.map((branch) => branch[digit])).size).toBe(16)
    }
  })
})
