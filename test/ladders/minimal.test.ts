import { describe, expect } from 'vitest'
import { ladder } from '../../src/testing/index.ts'
import { sdp } from './telephones.ts'

/** routes/minimal.cfg: a transaction-stateful proxy that stays in the path of calls. RFC 3261 §16. */
const minimal = 'routes/minimal.cfg'

describe('a call', () => {
  ladder(
    'RFC 3261 §16.6, §16.12: record-routed, so that ACK and BYE come through us too',
    minimal,
    async ({ alice, bob }) => {
      await alice.sends(`INVITE ${bob.contact}`, sdp)
      const invite = await bob.receives(`INVITE ${bob.contact}`)
      expect(invite.headers('Via')).toHaveLength(2)
      expect(invite.header('Max-Forwards')).toBe('69')
      expect(invite.header('Record-Route')).toMatch(/^<sip:192\.0\.2\.1;lr;ftag=[0-9a-f]+>$/)
      expect(invite.body).toBe(sdp.body)
      await bob.sends(180)
      await alice.receives('180 Ringing')
      await bob.sends(200, sdp)
      const ok = await alice.receives(200)
      expect(ok.headers('Via')).toHaveLength(1)
      await alice.sends('ACK')
      const ack = await bob.receives(`ACK ${bob.contact}`)
      expect(ack.headers('Route')).toEqual([])
      await bob.sends('BYE')
      await alice.receives(`BYE ${alice.contact}`)
      await alice.sends(200)
      await bob.receives(200, { method: 'BYE' })
    },
  )

  ladder(
    '§16.7 step 5: every 200 of a late answer is forwarded, and the caller acknowledges each',
    minimal,
    async ({ alice, bob, advance }) => {
      await alice.sends(`INVITE ${bob.contact}`, sdp)
      await bob.receives('INVITE')
      await bob.sends(200, sdp)
      await alice.receives(200)
      // The ACK was lost: the callee repeats its 200 (RFC 6026 §7.1: the proxy passes it on).
      await advance(500)
      await bob.repeats()
      await alice.receives(200, { again: true })
      await alice.sends('ACK')
      await bob.receives('ACK')
    },
  )

  ladder('§9.2, §16.10: CANCEL is answered by us, and ends the callee', minimal, async ({ alice, bob }) => {
    await alice.sends(`INVITE ${bob.contact}`, sdp)
    const invite = await bob.receives('INVITE')
    await bob.sends(180)
    await alice.receives(180)
    await alice.sends('CANCEL')
    await alice.receives(200, { method: 'CANCEL' })
    const cancel = await bob.receives('CANCEL')
    expect(cancel.header('Via')).toBe(invite.header('Via'))
    expect(cancel.headers('Via')).toHaveLength(1)
    await bob.sends(200, { request: cancel })
    await bob.sends(487, { request: invite })
    await bob.receives('ACK')
    await alice.receives('487 Request Terminated')
    await alice.receivesNothing()
  })

  ladder(
    '§16.10: a CANCEL before any provisional answer waits for one (§9.1)',
    minimal,
    async ({ alice, bob }) => {
      await alice.sends(`INVITE ${bob.contact}`, sdp)
      const invite = await bob.receives('INVITE')
      await alice.sends('CANCEL')
      await alice.receives(200, { method: 'CANCEL' })
      await bob.receivesNothing(100)
      await bob.sends(180, { request: invite })
      await bob.receives('CANCEL')
    },
  )

  ladder('a CANCEL for no transaction goes nowhere', minimal, async ({ alice, carol }) => {
    await alice.sends(`INVITE ${carol.contact}`, sdp)
    await carol.receives('INVITE')
    await alice.sends('CANCEL', {
      headers: { Via: 'SIP/2.0/UDP 192.0.2.11:5060;branch=z9hG4bKother', 'Call-ID': 'other' },
    })
    await carol.receivesNothing()
  })

  ladder(
    '§17.1.1.3: the ACK for a failure ends here; the next hop gets one of ours',
    minimal,
    async ({ alice, bob, network }) => {
      await alice.sends(`INVITE ${bob.contact}`, sdp)
      await bob.receives('INVITE')
      await bob.sends('486 Busy Here')
      await bob.receives('ACK')
      await alice.receives('486 Busy Here')
      await bob.receivesNothing()
      const acks = network.captured.filter(({ text }) => text.startsWith('ACK '))
      expect(acks.map(({ fromHost, toHost }) => [fromHost, toHost])).toEqual([
        ['router', 'bob'],
        ['alice', 'router'],
      ])
    },
  )

  ladder(
    '§17.2.1: a lost failure is sent again until it is acknowledged',
    minimal,
    {
      cast: { alice: { acknowledges: false } },
    },
    async ({ alice, bob }) => {
      await alice.sends(`INVITE ${bob.contact}`, sdp)
      await bob.receives('INVITE')
      await bob.sends(486)
      await alice.receives(486)
      await alice.receives(486, { again: true })
    },
  )

  ladder('timer C: nobody rings for ever, nor silently', minimal, async ({ alice, bob, advance }) => {
    await alice.sends(`INVITE ${bob.contact}`, sdp)
    await bob.receives('INVITE')
    await bob.sends(180)
    await alice.receives(180)
    await advance(119_000)
    await bob.receives('CANCEL', { within: 5_000 })
    await alice.receives(408, { within: 40_000 })
  })
})

describe('transactions', () => {
  ladder(
    '§17.2.2: a repeated request is absorbed, and its answer repeated',
    minimal,
    async ({ alice, bob }) => {
      await alice.sends(`MESSAGE ${bob.contact}`, { body: 'once' })
      await bob.receives('MESSAGE')
      await alice.repeats()
      await bob.receivesNothing(200)
      await bob.sends(200)
      await alice.receives(200)
      await alice.repeats()
      await alice.receives(200, { again: true })
      await bob.receivesNothing()
    },
  )

  ladder('§17.1.2.2: what gets lost on the way is sent again', minimal, async ({ alice, bob, network }) => {
    network.drop(({ fromHost, toHost }) => fromHost === 'router' && toHost === 'bob', 2)
    await alice.sends(`MESSAGE ${bob.contact}`)
    await bob.receives('MESSAGE', { within: 5_000 })
    await bob.sends(200)
    await alice.receives(200)
  })

  ladder(
    'row 25: a response to nothing that we sent goes nowhere',
    minimal,
    async ({ alice, bob, carol }) => {
      await carol.sendsText(
        [
          'SIP/2.0 200 OK',
          'Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKguess.1.0',
          `Via: SIP/2.0/UDP ${alice.host.address}:5060;branch=z9hG4bKvictim`,
          'From: <sip:a@b>;tag=1',
          'To: <sip:c@d>;tag=2',
          'Call-ID: stray',
          'CSeq: 1 INVITE',
          'Content-Length: 0',
          '',
          '',
        ].join('\r\n'),
      )
      await alice.receivesNothing()
      await bob.receivesNothing(0)
    },
  )

  ladder(
    'row 24: two clients with one branch are two transactions',
    minimal,
    async ({ alice, bob, carol }) => {
      const via = (address: string) => `SIP/2.0/UDP ${address}:5060;branch=z9hG4bKsame;rport`
      await alice.sends(`MESSAGE ${carol.contact}`, { headers: { Via: via(alice.host.address) } })
      const first = await carol.receives('MESSAGE')
      await bob.sends(`MESSAGE ${carol.contact}`, { headers: { Via: via(bob.host.address) } })
      const second = await carol.receives('MESSAGE')
      await carol.sends('200 for bob', { request: second })
      await carol.sends('480 for alice', { request: first })
      await bob.receives('200 for bob')
      await alice.receives('480 for alice')
    },
  )
})

describe('hops', () => {
  ladder('§16.3 step 3: Max-Forwards 0 is 483', minimal, async ({ alice, bob }) => {
    await alice.sends(`MESSAGE ${bob.contact}`, { headers: { 'Max-Forwards': '0' } })
    await alice.receives('483 Too Many Hops')
    await bob.receivesNothing()
  })

  ladder(
    '§16.3 step 4: a request that comes back to us is a loop: 482',
    {
      script: 'loadmodule "tm.so" loadmodule "sl.so"\nrequest_route { if (!t_relay()) sl_reply_error(); }',
    },
    async ({ alice, network, router }) => {
      await alice.sends('MESSAGE sip:round@loop.example', {
        headers: { Route: `<sip:${router.address};lr>` },
      })
      await alice.receives(478)
      network.names.set('again.example', [router])
      await alice.sends('MESSAGE sip:round@again.example')
      await alice.receives('482 Loop Detected')
      expect(network.captured.filter(({ text }) => text.startsWith('MESSAGE')).length).toBeLessThan(6)
    },
  )

  ladder(
    'row 26, RFC 5393: two targets that lead back to us do not multiply',
    {
      script: `
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "corex.so"
request_route {
  $ru = "sip:a@192.0.2.1";
  append_branch("sip:b@192.0.2.1");
  if (!t_relay()) sl_reply_error();
}
`,
    },
    async ({ alice, advance, network }) => {
      await alice.sends('MESSAGE sip:bomb@192.0.2.1')
      await advance(60_000)
      const requests = network.captured.filter(({ text }) => text.startsWith('MESSAGE'))
      expect(new Set(requests.map(({ text }) => text)).size).toBeLessThanOrEqual(61)
      expect(alice.inbox.at(-1)?.statusCode).toBeGreaterThanOrEqual(400)
    },
  )
})

describe('routing', () => {
  ladder('a first request does not choose its way through us', minimal, async ({ alice, bob, carol }) => {
    await alice.sends(`MESSAGE ${bob.contact}`, { headers: { Route: `<sip:${carol.host.address};lr>` } })
    const message = await bob.receives('MESSAGE')
    expect(message.headers('Route')).toEqual([])
    expect(carol.inbox).toEqual([])
  })

  ladder(
    '§16.4: a strict router before us has put our URI into the Request-URI',
    minimal,
    async ({ alice, bob, router }) => {
      await alice.sends(`BYE sip:${router.address};lr`, {
        headers: { Route: `<${bob.contact}>`, To: '<sip:bob@example.com>;tag=b' },
      })
      const bye = await bob.receives(`BYE ${bob.contact}`)
      expect(bye.headers('Route')).toEqual([])
      await bob.sends(200)
      await alice.receives(200)
    },
  )

  ladder(
    '§16.6 step 6: a strict router behind us gets its URI as the Request-URI',
    minimal,
    async ({ alice, bob, router }) => {
      await alice.sends('BYE sip:carol@far.example', {
        headers: {
          Route: [`<sip:${router.address};lr>`, `<sip:${bob.host.address}:5060>`],
          To: '<sip:carol@far.example>;tag=c',
        },
      })
      const bye = await bob.receives(`BYE sip:${bob.host.address}:5060`)
      expect(bye.headers('Route')).toEqual(['<sip:carol@far.example>'])
    },
  )

  ladder(
    'row 27: two hundred Routes to ourselves are one pass',
    minimal,
    async ({ alice, router, network }) => {
      await alice.sends(`BYE sip:x@${router.address}`, {
        headers: {
          Route: Array.from({ length: 200 }, () => `<sip:${router.address};lr>`),
          To: '<sip:x@y>;tag=1',
        },
      })
      await alice.receives('4xx')
      expect(network.captured).toHaveLength(2)
    },
  )

  ladder('what is for us and nobody here: 404; a ping: 200', minimal, async ({ alice, router }) => {
    await alice.sends(`MESSAGE sip:nobody@${router.address}`)
    await alice.receives('404 Not Found')
    await alice.sends(`OPTIONS sip:${router.address}`)
    await alice.receives('200 Alive')
  })

  ladder('a host name that nobody knows: 478, at once', minimal, async ({ alice }) => {
    await alice.sends('MESSAGE sip:bob@nowhere.example')
    await alice.receives(478)
  })

  ladder(
    'an ICMP error: 503 or its like, at once and not after 32 seconds',
    minimal,
    async ({ alice, bob }) => {
      await alice.sends(`MESSAGE sip:bob@${bob.host.address}:9`)
      await alice.receives('5xx')
    },
  )
})
