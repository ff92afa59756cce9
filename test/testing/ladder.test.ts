import { describe, expect, test } from 'vitest'
import {
  answerChallenge,
  type Cast,
  type LadderOptions,
  ladder,
  playLadder,
  readChallenge,
} from '../../src/testing/index.ts'
import type { Received } from '../../src/testing/received.ts'
import { fakeRouter, reply } from './fake-router.ts'

const stateless = `
loadmodule "sl.so"
request_route {
  sl_send_reply("200", "OK");
}
`

const forwarding = `
loadmodule "sl.so"
loadmodule "tm.so"
loadmodule "rr.so"
request_route {
  if (is_method("CANCEL")) { t_relay(); exit; }
  if (loose_route()) { t_relay(); exit; }
  record_route();
  t_relay();
}
`
const withTextops = `loadmodule "textops.so"\n${forwarding}`

ladder('a request and its answer', { script: stateless }, async ({ alice }) => {
  await alice.sends('MESSAGE sip:bob@example.com', { body: 'hello' })
  const ok = await alice.receives('200 OK')
  expect(ok.header('CSeq')).toBe('1 MESSAGE')
})

ladder(
  'a call: dialog, record-routing, ACK and BYE',
  { script: withTextops },
  async ({ alice, bob, router }) => {
    await alice.sends(`INVITE ${bob.contact}`, { body: 'v=0\r\n', contentType: 'application/sdp' })
    const invite = await bob.receives(`INVITE ${bob.contact}`)
    expect(invite.headers('Via')).toHaveLength(2)
    expect(invite.header('Record-Route')).toContain(router.address)
    expect(invite.body).toBe('v=0\r\n')
    await bob.sends(180)
    await alice.receives('180 Ringing')
    await bob.sends(200, { body: 'v=0\r\n', contentType: 'application/sdp' })
    await alice.receives(200)
    await alice.sends('ACK')
    await bob.receives(`ACK ${bob.contact}`)
    await bob.sends('BYE')
    await alice.receives(`BYE ${alice.contact}`)
    await alice.sends(200)
    await bob.receives(200, { method: 'BYE' })
  },
)

ladder('a CANCEL: 200 for it, 487 for the INVITE', { script: withTextops }, async ({ alice, bob }) => {
  await alice.sends(`INVITE ${bob.contact}`)
  const invite = await bob.receives('INVITE')
  await bob.sends(180)
  await alice.receives(180)
  await alice.sends('CANCEL')
  await alice.receives(200, { method: 'CANCEL' })
  await bob.receives('CANCEL')
  await bob.sends(200)
  await bob.sends(487, { request: invite })
  await bob.receives('ACK')
  await alice.receives(487)
  await alice.receivesNothing()
})

ladder(
  'the founding packet: a modem behind a carrier NAT, no rport, a private From',
  { script: `listen=udp:50.170.158.149:5060\n${stateless}` },
  {
    router: '50.170.158.149',
    nats: { carrier: { publicAddress: '60.250.149.198', firstPort: 59_177 } },
    cast: {
      modem: {
        address: '10.92.240.131',
        behind: 'carrier',
        user: '2000',
        domain: '10.92.240.131',
        rport: false,
      },
    },
  },
  async ({ modem, network, nats, advance }) => {
    await modem.sends('MESSAGE sip:1000@50.170.158.149', {
      headers: { From: '<sip:2000@10.92.240.131>;tag=7a82c48a' },
    })
    await advance(10)
    const [message, answer] = network.captured
    expect(message?.from).toEqual({ address: '60.250.149.198', port: 59_177 })
    expect(message?.text).toContain('Via: SIP/2.0/UDP 10.92.240.131:5060;branch=z9hG4bK')
    expect(message?.text).not.toContain('rport')
    // RFC 3581 §4: without rport the answer goes to the port in the Via, which the NAT never opened.
    expect(answer).toMatchObject({
      to: { address: '60.250.149.198', port: 5060 },
      fate: 'filtered',
    })
    expect(nats['carrier']?.mappings).toHaveLength(1)
  },
)

describe('an agent', () => {
  const digest = 'Digest realm="example.com", nonce="abc", algorithm=MD5, qop="auth"'

  function challenging(request: Received): string[] {
    const authorization = request.header('Authorization')
    if (authorization === '') return [reply(request, '401 Unauthorized', `WWW-Authenticate: ${digest}\r\n`)]
    const identity = { username: 'alice', password: 'secret' }
    const right = answerChallenge(readChallenge(digest), identity, request.method, request.requestUri)
    return [reply(request, authorization === right ? '200 OK' : '403 Forbidden')]
  }

  async function play(
    react: (request: Received) => readonly string[],
    body: (cast: Cast) => Promise<void>,
    options: LadderOptions = {},
  ): Promise<string> {
    return (await playLadder({ script: '' }, { ...options, start: fakeRouter(react) }, body)).text
  }

  test('answers a challenge as the user that it is', async () => {
    await play(challenging, async ({ alice, bob }) => {
      alice.password = 'secret'
      const ok = await alice.registers({ expires: 60 })
      expect(ok.header('CSeq')).toBe('2 REGISTER')
      bob.password = 'secret'
      await expect(bob.registers()).rejects.toThrow('bob should be registered, and got SIP/2.0 403 Forbidden')
    })
  })

  test('the digest is that of RFC 2617 §3.5', () => {
    const challenge = readChallenge(
      'Digest realm="testrealm@host.com", qop="auth,auth-int", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41"',
    )
    const identity = { username: 'Mufasa', password: 'Circle Of Life' }
    const answer = answerChallenge(challenge, identity, 'GET', '/dir/index.html')
    expect(answer).toContain('response="6629fae49393a05397450978507c4ef1"')
  })

  test('acknowledges a failure by itself, again for each retransmission, and only if it should', async () => {
    const busy = (request: Received) =>
      request.method === 'ACK' ? [] : [reply(request, '486 Busy Here'), reply(request, '486 Busy Here')]
    const methods: string[] = []
    const noting = (request: Received) => {
      methods.push(request.method)
      return busy(request)
    }
    await play(noting, async ({ alice, bob }) => {
      await alice.sends('INVITE sip:carol@example.com')
      await alice.receives(486)
      await alice.receives(486, { again: true })
      bob.acknowledges = false
      await bob.sends('INVITE sip:carol@example.com')
      await bob.receives('4xx')
      await alice.receivesNothing()
    })
    expect(methods).toEqual(['INVITE', 'ACK', 'ACK', 'INVITE'])
  })

  test('sends the headers that a test wants: replaced, repeated, left out, added', async () => {
    let got: Received | null = null
    const keep = (request: Received) => {
      got = request
      return []
    }
    await play(keep, async ({ alice, advance }) => {
      const headers = {
        from: '<sip:x@y>;tag=1',
        'Max-Forwards': null,
        Route: ['<sip:a;lr>', '<sip:b;lr>'],
        'X-Y': '1',
      }
      await alice.sends('MESSAGE sip:bob@example.com', { headers, body: 'hé', contentType: 'text/x' })
      await advance(5)
      const message = got as Received | null
      expect(message?.headers('From')).toEqual(['<sip:x@y>;tag=1'])
      expect(message?.headers('Route')).toEqual(['<sip:a;lr>', '<sip:b;lr>'])
      expect([message?.header('Max-Forwards'), message?.header('X-Y'), message?.header('Contact')]).toEqual([
        '',
        '1',
        '',
      ])
      expect([message?.body, message?.header('Content-Length'), message?.header('Content-Type')]).toEqual([
        'hé',
        '2',
        'text/x',
      ])
    })
  })

  test('repeats its last datagram octet by octet', async () => {
    const texts: string[] = []
    const keep = (request: Received) => {
      texts.push(request.text)
      return []
    }
    await play(keep, async ({ alice, advance }) => {
      await alice.sends('MESSAGE sip:bob@example.com')
      await alice.repeats()
      await advance(5)
    })
    expect(texts[1]).toBe(texts[0])
    expect(texts).toHaveLength(2)
  })

  test('waits as long as it is told on the simulated clock, and no longer', async () => {
    await play(
      () => [],
      async ({ alice, clock }) => {
        await alice.sends('MESSAGE sip:bob@example.com')
        await expect(alice.receives(200, { within: 30_000 })).rejects.toThrow('nothing came')
        expect(clock.now()).toBe(30_000)
      },
    )
  })
})

describe('a ladder that fails', () => {
  const busy = fakeRouter((request) => (request.method === 'ACK' ? [] : [reply(request, '486 Busy Here')]))

  test('shows what was expected beside what went over the wire', async () => {
    const failing = playLadder({ script: '' }, { start: busy }, async ({ alice, carol }) => {
      await alice.sends('INVITE sip:bob@example.com')
      await alice.receives(200)
      await carol.receives('INVITE')
    })
    const message = await failing.then(
      () => '',
      (error: Error) => error.message,
    )
    expect(message.split('\n')).toEqual([
      'alice should receive 200, and got SIP/2.0 486 Busy Here (INVITE)',
      '',
      'expected                                    actual',
      '--------                                    ------',
      '   alice sends INVITE sip:bob@example.com              alice                            router',
      '=> alice receives 200                          0.000     |-- INVITE sip:bob@example.com -->|',
      '                                               0.001     |<-------- 486 Busy Here ---------|',
      '                                               0.002     |---- ACK sip:bob@example.com --->|',
    ])
  })

  test('a script with errors says which', async () => {
    const rejected = playLadder({ script: 'request_route {\n  nonsense("x");\n}\n' }, {}, () => {})
    await expect(rejected).rejects.toThrow(/ladder\.cfg: 1 error\nerror \S+ line 2, column 3: /)
  })

  test('an assertion of the test itself gets the ladder too', async () => {
    const failing = playLadder({ script: '' }, { start: busy }, async ({ alice, advance }) => {
      await alice.sends('MESSAGE sip:bob@example.com')
      await advance(10)
      expect(1).toBe(2)
    })
    await expect(failing).rejects.toThrow(/expected 1 to be 2[\s\S]*486 Busy Here/)
  })
})
