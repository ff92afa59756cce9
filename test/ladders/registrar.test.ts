import { describe, expect } from 'vitest'
import { type Agent, ladder } from '../../src/testing/index.ts'
import { restartable } from './restart.ts'
import { asksWithPassword, homeAddress, homePort, sdp, sentTo, telephones } from './telephones.ts'

/** routes/registrar.cfg: telephones register with a password and call each other, also from behind NATs. */
const registrar = 'routes/registrar.cfg'

/** A telephone at home, behind the NAT, with bob's name and password. */
const atHome = telephones({
  cast: { phone: { user: 'bob', password: 'builder', address: '10.0.0.5', behind: 'home' } },
})
const flow = { address: homeAddress, port: homePort }

describe('registration: RFC 3261 §10, §22', () => {
  ladder('401 with a challenge, 200 with the binding', registrar, telephones(), async ({ alice }) => {
    await alice.sends('REGISTER sip:192.0.2.1')
    const challenge = await alice.receives('401 Unauthorized')
    expect(challenge.header('WWW-Authenticate')).toMatch(
      /^Digest realm="example\.com", nonce="[^"]+", qop="auth"/,
    )
    await alice.authenticates()
    const ok = await alice.receives('200 OK')
    expect(ok.header('Contact')).toBe(`<${alice.contact}>;expires=3600`)
  })

  ladder(
    'a wrong password is challenged again, and binds nothing',
    registrar,
    telephones(),
    async ({ alice, bob }) => {
      await alice.registers()
      await bob.sends('REGISTER sip:192.0.2.1')
      await bob.receives(401)
      await bob.authenticates({ password: 'guess' })
      const again = await bob.receives(401)
      expect(again.header('WWW-Authenticate')).not.toContain('stale=true')
      await asksWithPassword(alice, 'MESSAGE sip:bob@192.0.2.1')
      await alice.receives('404 Not Found')
    },
  )

  ladder(
    'row 17: who does not exist is asked like everybody else',
    registrar,
    telephones(),
    async ({ dave, alice }) => {
      const challenges: string[] = []
      for (const agent of [dave, alice]) {
        await agent.sends('REGISTER sip:192.0.2.1')
        await agent.receives(401)
        await agent.authenticates({ password: 'guess' })
        const challenge = await agent.receives(401)
        challenges.push(
          challenge.text.replace(/^(Via|From|To|Call-ID|CSeq):.*\r\n/gm, '').replace(/nonce="[^"]*"/, ''),
        )
      }
      expect(challenges[0]).toBe(challenges[1])
    },
  )

  ladder(
    'row 1: nobody registers somebody else: 401, and the log says why',
    registrar,
    telephones(),
    async ({ alice, log }) => {
      await alice.sends('REGISTER sip:192.0.2.1', { headers: { To: '<sip:bob@192.0.2.1>' } })
      await alice.receives(401)
      await alice.authenticates()
      await alice.receives(401)
      expect(log.messages('warn').join('\n')).toContain(
        'the password of alice was right, but From is alice and To is bob',
      )
    },
  )

  ladder(
    '§10.2.2: expires 0 removes; so does time',
    registrar,
    telephones(),
    async ({ alice, bob, advance }) => {
      await alice.registers()
      await bob.registers({ expires: 120 })
      await asksWithPassword(alice, 'MESSAGE sip:bob@192.0.2.1')
      await bob.receives('MESSAGE')
      await bob.sends(200)
      await alice.receives(200)
      await advance(121_000)
      await asksWithPassword(alice, 'MESSAGE sip:bob@192.0.2.1')
      await alice.receives(404)
      await bob.registers()
      const gone = await bob.registers({ expires: 0 })
      expect(gone.headers('Contact')).toEqual([])
      await asksWithPassword(alice, 'MESSAGE sip:bob@192.0.2.1')
      await alice.receives(404)
    },
  )

  ladder('a lifetime of more than an hour is an hour', registrar, telephones(), async ({ alice }) => {
    expect((await alice.registers({ expires: 86_400 })).header('Contact')).toContain('expires=3600')
  })

  ladder(
    'row 20: ten contacts are the most: 503, and those ten stay',
    registrar,
    telephones(),
    async ({ alice, bob }) => {
      await alice.registers()
      for (let i = 0; i < 10; i++) {
        await bob.registers({ headers: { Contact: `<sip:bob@192.0.2.12:${5060 + i}>` } })
      }
      await bob.sends('REGISTER sip:192.0.2.1', { headers: { Contact: '<sip:bob@192.0.2.12:6000>' } })
      await bob.receives(401)
      await bob.authenticates()
      const refusal = await bob.receives(503)
      expect(refusal.header('Retry-After')).not.toBe('')
      const ok = await bob.registers({ headers: { Contact: null } })
      expect(ok.header('Contact').match(/<sip:bob@/g)).toHaveLength(10)
    },
  )

  ladder(
    '§10.3 step 7, row 45: an old CSeq of the same Call-ID changes nothing',
    registrar,
    telephones(),
    async ({ bob, alice }) => {
      await alice.registers()
      await bob.registers({ headers: { 'Call-ID': 'phone', CSeq: '10 REGISTER' } })
      await bob.sends('REGISTER sip:192.0.2.1', {
        headers: { 'Call-ID': 'phone', CSeq: '4 REGISTER', Expires: '0' },
      })
      await bob.receives(401)
      await bob.authenticates()
      await bob.receives('4xx')
      await asksWithPassword(alice, 'MESSAGE sip:bob@192.0.2.1')
      await bob.receives('MESSAGE')
    },
  )

  ladder(
    'row 23: a repeated REGISTER is absorbed, and its answer repeated',
    registrar,
    telephones(),
    async ({ alice, network }) => {
      await alice.registers()
      const before = network.captured.length
      await alice.repeats()
      await alice.receives(200, { again: true })
      expect(network.captured.length).toBe(before + 2)
    },
  )

  const restart = restartable()
  ladder(
    'bindings and passwords outlive a restart',
    registrar,
    {
      ...atHome,
      start: restart.start,
    },
    async ({ alice, phone, running, network }) => {
      await alice.registers()
      await phone.registers()
      const again = await restart.again(running)
      try {
        await asksWithPassword(alice, 'MESSAGE sip:bob@192.0.2.1', { body: 'still there?' })
        await phone.receives('MESSAGE')
        expect(network.captured.findLast(({ toHost }) => toHost === 'phone')?.to).toEqual(flow)
      } finally {
        await again.stop(0)
      }
    },
  )
})

describe('a call between two registered telephones', () => {
  async function ring(alice: Agent, bob: Agent) {
    await alice.registers()
    await bob.registers()
    await asksWithPassword(alice, 'INVITE sip:bob@192.0.2.1', sdp)
    const invite = await bob.receives(`INVITE ${bob.contact}`)
    await bob.sends(180)
    await alice.receives(180)
    return invite
  }

  ladder(
    'record-routed: ACK, re-INVITE and BYE come through us',
    registrar,
    telephones(),
    async ({ alice, bob }) => {
      const invite = await ring(alice, bob)
      expect(invite.header('Record-Route')).toMatch(/^<sip:192\.0\.2\.1;lr;sig=[0-9a-f]{16}>$/)
      expect(invite.body).toBe(sdp.body)
      await bob.sends(200, sdp)
      await alice.receives(200)
      await alice.sends('ACK')
      await bob.receives(`ACK ${bob.contact}`)
      await alice.sends('INVITE', sdp)
      const again = await bob.receives(`INVITE ${bob.contact}`)
      expect(again.headers('Via')).toHaveLength(2)
      await bob.sends(200, sdp)
      await alice.receives(200)
      await alice.sends('ACK')
      await bob.receives('ACK')
      await bob.sends('BYE')
      await alice.receives(`BYE ${alice.contact}`)
      await alice.sends(200)
      await bob.receives(200, { method: 'BYE' })
    },
  )

  ladder('the password goes no further than to us', registrar, telephones(), async ({ alice, bob }) => {
    const invite = await ring(alice, bob)
    expect(invite.headers('Proxy-Authorization')).toEqual([])
  })

  ladder('busy', registrar, telephones(), async ({ alice, bob }) => {
    const invite = await ring(alice, bob)
    await bob.sends('486 Busy Here', { request: invite })
    await bob.receives('ACK')
    await alice.receives('486 Busy Here')
    await alice.receivesNothing()
  })

  ladder('given up: CANCEL', registrar, telephones(), async ({ alice, bob }) => {
    const invite = await ring(alice, bob)
    await alice.sends('CANCEL')
    await alice.receives(200, { method: 'CANCEL' })
    const cancel = await bob.receives('CANCEL')
    await bob.sends(200, { request: cancel })
    await bob.sends(487, { request: invite })
    await bob.receives('ACK')
    await alice.receives(487)
    await alice.receivesNothing()
  })

  ladder('a repeated INVITE rings once', registrar, telephones(), async ({ alice, bob }) => {
    await alice.registers()
    await bob.registers()
    await asksWithPassword(alice, 'INVITE sip:bob@192.0.2.1', sdp)
    await bob.receives('INVITE')
    await alice.repeats()
    await bob.receivesNothing(300)
    expect(bob.inbox.filter(({ method }) => method === 'INVITE')).toHaveLength(1)
  })

  ladder(
    'two telephones of one user ring both',
    registrar,
    telephones({
      cast: { mobile: { user: 'bob', password: 'builder' } },
    }),
    async ({ alice, bob, mobile }) => {
      await mobile.registers()
      await ring(alice, bob)
      const other = await mobile.receives(`INVITE ${mobile.contact}`)
      await bob.sends(200, sdp)
      await alice.receives(200)
      await mobile.sends(180, { request: other })
      await mobile.receives('CANCEL')
    },
  )
})

describe('behind a NAT', () => {
  ladder(
    'the telephone is reached by the flow it registered from, and stays reached in the dialog',
    registrar,
    atHome,
    async ({ alice, phone, network, ...world }) => {
      await alice.registers()
      const ok = await phone.registers()
      expect(ok.header('Contact')).toContain('<sip:bob@10.0.0.5:5060>')
      await asksWithPassword(alice, 'INVITE sip:bob@192.0.2.1', sdp)
      await phone.receives('INVITE sip:bob@10.0.0.5:5060')
      expect(sentTo({ network }, flow).at(-1)?.fate).toBe('delivered')
      await phone.sends(200, sdp)
      const answer = await alice.receives(200)
      expect(answer.header('Contact')).toBe(`<sip:bob@10.0.0.5:5060;alias=${homeAddress}~${homePort}~1>`)
      await alice.sends('ACK')
      const ack = await phone.receives('ACK')
      expect(ack.requestUri).toBe('sip:bob@10.0.0.5:5060')
      await world.advance(60_000)
      await alice.sends('BYE')
      await phone.receives('BYE sip:bob@10.0.0.5:5060')
      await phone.sends(200)
      await alice.receives(200, { method: 'BYE' })
    },
  )

  ladder(
    'a call from behind the NAT: the callee hangs up through the alias',
    registrar,
    atHome,
    async ({ alice, phone }) => {
      await alice.registers()
      await phone.registers()
      await asksWithPassword(phone, 'INVITE sip:alice@192.0.2.1', sdp)
      const invite = await alice.receives('INVITE')
      expect(invite.header('Contact')).toBe(`<sip:bob@10.0.0.5:5060;alias=${homeAddress}~${homePort}~1>`)
      await alice.sends(200, sdp)
      await phone.receives(200)
      await phone.sends('ACK')
      await alice.receives('ACK')
      await alice.sends('BYE')
      await phone.receives('BYE sip:bob@10.0.0.5:5060')
      await phone.sends(200)
      await alice.receives(200, { method: 'BYE' })
    },
  )

  ladder(
    'pings keep the pinhole open, and go to nobody else',
    registrar,
    atHome,
    async ({ alice, phone, advance, network }) => {
      await alice.registers()
      await phone.registers()
      const before = network.captured.length
      await advance(100_000)
      const pings = network.captured.slice(before)
      expect(pings.length).toBeGreaterThanOrEqual(3)
      expect(pings.every(({ toHost, fate }) => toHost === 'phone' && fate === 'delivered')).toBe(true)
      expect(octetsOf(pings)).toBeLessThanOrEqual(4 * pings.length)
    },
  )

  const octetsOf = (datagrams: readonly { text: string }[]) =>
    datagrams.reduce((sum, { text }) => sum + text.length, 0)

  ladder(
    'row 30: Via says whatever it likes: the answer goes to where the packet came from',
    registrar,
    telephones(),
    async ({ alice, bob }) => {
      await bob.sends('REGISTER sip:192.0.2.1', {
        headers: {
          Via: `SIP/2.0/UDP ${alice.host.address}:5060;branch=z9hG4bKv;maddr=${alice.host.address};received=${alice.host.address}`,
        },
      })
      await bob.receives(401)
      expect(alice.inbox).toEqual([])
    },
  )
})

describe('who is not served', () => {
  ladder('a domain of others: 403', registrar, telephones(), async ({ alice, carol }) => {
    await asksWithPassword(alice, `MESSAGE ${carol.contact}`)
    await alice.receives('403 Not Relaying')
    expect(carol.inbox).toEqual([])
  })

  ladder(
    'row 28: nor for strangers, nor with a Route of their own',
    registrar,
    telephones({ domain: 'evil.example' }),
    async ({ dave, carol }) => {
      await dave.sends(`INVITE ${carol.contact}`)
      await dave.receives('403 Not Relaying')
      await dave.sends(`INVITE ${carol.contact}`, {
        headers: { Route: `<sip:192.0.2.1;lr>, <${carol.contact};lr>` },
      })
      await dave.receives('403 Not Relaying')
      expect(carol.inbox).toEqual([])
    },
  )

  ladder('an unknown user: 404', registrar, telephones(), async ({ alice }) => {
    await asksWithPassword(alice, 'INVITE sip:nobody@192.0.2.1', sdp)
    await alice.receives('404 Not Found')
  })

  ladder('no user at all: 484', registrar, telephones(), async ({ alice }) => {
    await asksWithPassword(alice, 'INVITE sip:192.0.2.1', sdp)
    await alice.receives('484 Address Incomplete')
  })

  ladder('a name of ours without the password: 407', registrar, telephones(), async ({ dave, bob }) => {
    await bob.registers()
    await dave.sends('INVITE sip:bob@192.0.2.1', { headers: { From: '<sip:alice@192.0.2.1>;tag=liar' } })
    await dave.receives(407)
    await dave.authenticates({ username: 'alice', password: 'guess' })
    await dave.receives(407)
    await bob.receivesNothing()
  })

  ladder('scanners: not a word', registrar, telephones(), async ({ dave }) => {
    await dave.sends('OPTIONS sip:100@192.0.2.1', { headers: { 'User-Agent': 'friendly-scanner' } })
    await dave.receivesNothing()
  })

  ladder('within a dialog that is not ours: 404', registrar, telephones(), async ({ dave }) => {
    await dave.sends('BYE sip:x@192.0.2.1', { headers: { To: '<sip:x@192.0.2.1>;tag=1' } })
    await dave.receives('404 Not Here')
  })
})
