import { resolve } from 'node:path'
import { describe, expect } from 'vitest'
import { ladder } from '../../src/testing/index.ts'
import { asksWithPassword, homeAddress, homePort, sdp, telephones } from './telephones.ts'

/** routes/edge.cfg: an edge host that faces the Internet, telephones and devices outside, servers inside. */
const edge = 'routes/edge.cfg'
const USERS = resolve('test/ladders/users.txt')
const users = telephones({ defines: { USERS } })

describe('out of the box', () => {
  ladder('nobody is known, so nobody gets anything', edge, telephones(), async ({ alice, carol }) => {
    await alice.sends('REGISTER sip:192.0.2.1')
    await alice.receives(401)
    await alice.authenticates()
    await alice.receives(401)
    await asksWithPassword(alice, `INVITE ${carol.contact}`, sdp)
    await alice.receives(407)
    await carol.receivesNothing()
  })

  ladder('a ping is answered, so that monitors know that we live', edge, telephones(), async ({ dave }) => {
    await dave.sends('OPTIONS sip:192.0.2.1')
    await dave.receives('200 Keepalive')
  })
})

describe('telephones', () => {
  ladder('register, call, hang up', edge, users, async ({ alice, bob }) => {
    await alice.registers()
    await bob.registers()
    await asksWithPassword(alice, 'INVITE sip:bob@192.0.2.1', sdp)
    const invite = await bob.receives(`INVITE ${bob.contact}`)
    expect(invite.header('Record-Route')).toMatch(/^<sip:192\.0\.2\.1;lr;sig=[0-9a-f]{16}>$/)
    expect(invite.headers('Proxy-Authorization')).toEqual([])
    await bob.sends(180)
    await alice.receives(180)
    await bob.sends(200, sdp)
    await alice.receives(200)
    await alice.sends('ACK')
    await bob.receives('ACK')
    await bob.sends('BYE')
    await alice.receives('BYE')
    await alice.sends(200)
    await bob.receives(200, { method: 'BYE' })
  })

  ladder('CANCEL, 487', edge, users, async ({ alice, bob }) => {
    await bob.registers()
    await asksWithPassword(alice, 'INVITE sip:bob@192.0.2.1', sdp)
    const invite = await bob.receives('INVITE')
    await bob.sends(180)
    await alice.receives(180)
    await alice.sends('CANCEL')
    await alice.receives(200, { method: 'CANCEL' })
    const cancel = await bob.receives('CANCEL')
    await bob.sends(200, { request: cancel })
    await bob.sends(487, { request: invite })
    await alice.receives(487)
    await alice.receivesNothing()
  })

  ladder('busy is busy', edge, users, async ({ alice, bob }) => {
    await bob.registers()
    await asksWithPassword(alice, 'INVITE sip:bob@192.0.2.1', sdp)
    await bob.receives('INVITE')
    await bob.sends(486)
    await alice.receives(486)
    await bob.receives('ACK')
    await alice.receivesNothing()
  })

  ladder(
    'behind a NAT: reached by the flow, and the dialog remembers that it is behind one',
    edge,
    telephones({
      defines: { USERS },
      cast: { phone: { user: 'bob', password: 'builder', address: '10.0.0.5', behind: 'home' } },
    }),
    async ({ alice, phone, advance, network }) => {
      await alice.registers()
      await phone.registers()
      await asksWithPassword(alice, 'INVITE sip:bob@192.0.2.1', sdp)
      const invite = await phone.receives('INVITE sip:bob@10.0.0.5:5060')
      expect(invite.header('Record-Route')).toMatch(/^<sip:192\.0\.2\.1;lr;sig=[0-9a-f]{16};nat=yes>$/)
      await phone.sends(200, sdp)
      const ok = await alice.receives(200)
      expect(ok.header('Contact')).toBe(`<sip:bob@10.0.0.5:5060;alias=${homeAddress}~${homePort}~1>`)
      await alice.sends('ACK')
      await phone.receives('ACK sip:bob@10.0.0.5:5060')
      await advance(60_000)
      await alice.sends('BYE')
      await phone.receives('BYE sip:bob@10.0.0.5:5060')
      await phone.sends(200)
      await alice.receives(200, { method: 'BYE' })
      expect(network.captured.some(({ fate }) => fate === 'filtered' || fate === 'unreachable')).toBe(false)
    },
  )

  ladder(
    'RFC 8760: with -A ALGORITHMS=SHA-256,MD5 the strongest challenge comes first',
    edge,
    telephones({
      defines: { USERS, ALGORITHMS: 'SHA-256,MD5' },
    }),
    async ({ alice }) => {
      await alice.sends('REGISTER sip:192.0.2.1')
      const challenges = (await alice.receives(401)).headers('WWW-Authenticate')
      expect(challenges.map((one) => /algorithm=([\w-]+)/.exec(one)?.[1])).toEqual(['SHA-256', 'MD5'])
      await alice.authenticates()
      await alice.receives(200)
    },
  )

  ladder(
    'row 41: a user named __proto__ is a user like any',
    edge,
    telephones({
      defines: { USERS },
      cast: { proto: { user: '__proto__', password: 'polluter' } },
    }),
    async ({ alice, proto }) => {
      await asksWithPassword(alice, 'MESSAGE sip:__proto__@192.0.2.1')
      await alice.receives(404)
      await proto.registers()
      await asksWithPassword(alice, 'MESSAGE sip:__proto__@192.0.2.1', { body: 'hello' })
      expect((await proto.receives(`MESSAGE ${proto.contact}`)).body).toBe('hello')
      for (const user of ['constructor', 'toString', 'hasOwnProperty']) {
        await asksWithPassword(alice, `MESSAGE sip:${user}@192.0.2.1`)
        await alice.receives(404)
      }
    },
  )
})

describe('what an open host on the Internet is asked for', () => {
  ladder(
    'row 28, no open relay: neither with a password nor without',
    edge,
    users,
    async ({ alice, dave, carol }) => {
      await alice.registers()
      await asksWithPassword(alice, `INVITE ${carol.contact}`, sdp)
      await alice.receives('403 Not Relaying')
      await dave.sends(`INVITE ${carol.contact}`, sdp)
      await dave.receives(407)
      await dave.sends(`MESSAGE ${carol.contact}`, {
        headers: { Route: ['<sip:192.0.2.1;lr>', `<${carol.contact};lr>`] },
      })
      await dave.receives(407)
      await carol.receivesNothing()
    },
  )

  ladder(
    'row 28, no relay through a dialog that somebody made up: a To tag, and a Route that names us',
    edge,
    users,
    async ({ dave, carol }) => {
      for (const route of ['<sip:192.0.2.1;lr>', '<sip:192.0.2.1;lr;sig=0123456789abcdef>']) {
        await dave.sends(`MESSAGE ${carol.contact}`, {
          headers: { To: '<sip:carol@192.0.2.1>;tag=made-up', Route: [route] },
        })
        await dave.receives('404 Not Here')
      }
      await carol.receivesNothing()
    },
  )

  ladder('a signed Route is good for its own Call-ID only', edge, users, async ({ alice, bob, carol }) => {
    await bob.registers()
    await asksWithPassword(alice, 'INVITE sip:bob@192.0.2.1', sdp)
    const invite = await bob.receives('INVITE')
    await bob.sends(200, sdp)
    await alice.receives(200)
    await alice.sends('ACK')
    await bob.receives('ACK')
    await alice.sends(`MESSAGE ${carol.contact}`, {
      headers: {
        'Call-ID': 'another',
        To: '<sip:carol@192.0.2.1>;tag=x',
        Route: invite.header('Record-Route'),
      },
    })
    await alice.receives('404 Not Here')
    await carol.receivesNothing()
  })

  ladder('From is yours or you are nobody: 403', edge, users, async ({ alice, bob }) => {
    await bob.registers()
    await asksWithPassword(alice, 'INVITE sip:bob@192.0.2.1', {
      headers: { From: '<sip:boss@192.0.2.1>;tag=1' },
    })
    await alice.receives('403 From Is Not Yours')
    await bob.receivesNothing()
  })

  ladder('to register somebody else: one 403, not another 401', edge, users, async ({ alice, bob }) => {
    await alice.sends('REGISTER sip:192.0.2.1', { headers: { To: '<sip:bob@192.0.2.1>' } })
    await alice.receives(401)
    await alice.authenticates()
    await alice.receives('403 You May Register Yourself Only')
    await asksWithPassword(bob, 'MESSAGE sip:bob@192.0.2.1')
    await bob.receives(404)
  })

  for (const scanner of ['friendly-scanner', 'sipcli/v1.8', 'sipvicious', 'pplsip']) {
    ladder(`${scanner} hears nothing`, edge, users, async ({ dave }) => {
      for (const method of ['OPTIONS', 'REGISTER', 'INVITE']) {
        await dave.sends(`${method} sip:100@192.0.2.1`, { headers: { 'User-Agent': scanner } })
      }
      await dave.receivesNothing()
    })
  }

  ladder('row 29: one small answer for a forged source', edge, users, async ({ dave, network, advance }) => {
    for (const what of ['OPTIONS sip:x@192.0.2.1', 'REGISTER sip:192.0.2.1', 'INVITE sip:x@192.0.2.1']) {
      await dave.sends(what)
      await advance(40_000)
      const came = network.captured.findLast(({ text }) => text.startsWith(what))
      const went = network.captured.filter(
        ({ toHost, text }) => toHost === 'dave' && text.includes(what.split(' ')[0] ?? ''),
      )
      expect(went).toHaveLength(1)
      expect(went[0]?.text.length).toBeLessThan(3 * (came?.text.length ?? 0))
    }
  })
})

describe('servers inside: -A INSIDE, -A INSIDE_ADDRESS', () => {
  const inside = telephones({
    defines: { USERS, INSIDE: 'sip:10.0.0.5:5060', INSIDE_ADDRESS: '10.0.0.5' },
    cast: { server: { address: '10.0.0.5', user: '1000' } },
  })

  ladder('calls to users whom we do not know go there', edge, inside, async ({ alice, server }) => {
    await alice.registers()
    await asksWithPassword(alice, 'INVITE sip:ivr@192.0.2.1', sdp)
    await server.receives('INVITE sip:ivr@192.0.2.1')
    await server.sends(200, sdp)
    await alice.receives(200)
    await alice.sends('ACK')
    await server.receives('ACK')
    await server.sends('BYE')
    await alice.receives('BYE')
  })

  ladder(
    'and what comes from there needs no password: to our users, and to the world',
    edge,
    inside,
    async ({ server, bob, carol }) => {
      await bob.registers()
      await server.sends('INVITE sip:bob@192.0.2.1', sdp)
      await bob.receives(`INVITE ${bob.contact}`)
      await bob.sends(486)
      await server.receives(486)
      await server.sends(`MESSAGE ${carol.contact}`)
      await carol.receives('MESSAGE')
      await carol.sends(200)
      await server.receives(200)
    },
  )

  ladder(
    'but nobody inside registers others: REGISTER is asked for a password',
    edge,
    inside,
    async ({ server }) => {
      await server.sends('REGISTER sip:192.0.2.1', { headers: { To: '<sip:bob@192.0.2.1>' } })
      await server.receives(401)
    },
  )

  ladder(
    'an unknown user from inside does not go round in circles',
    edge,
    inside,
    async ({ server, network }) => {
      await server.sends('MESSAGE sip:nobody@192.0.2.1')
      await server.receives('MESSAGE')
      await server.sends(404)
      await server.receives(404)
      expect(network.captured).toHaveLength(4)
    },
  )
})

describe('devices that never register: -A CARRIER', () => {
  const silent = telephones({
    defines: { USERS, CARRIER: '60.250.0.0/16' },
    nats: { carrier: { publicAddress: '60.250.149.198', firstPort: 59_177 } },
    cast: {
      device: {
        user: '2000',
        address: '10.92.240.131',
        behind: 'carrier',
        rport: false,
        domain: '10.92.240.131',
      },
      server: { user: '1000', password: 'processing' },
    },
  })

  ladder(
    'learned from a MESSAGE, reached through the pinhole, kept in the outbox when it closes',
    edge,
    silent,
    async ({ device, server, advance, network }) => {
      await server.registers()
      server.answers('MESSAGE', 200)
      await device.sends('MESSAGE sip:1000@192.0.2.1', { body: 'position 25.03 121.56' })
      await device.receives(200)
      await asksWithPassword(server, 'MESSAGE sip:2000@192.0.2.1', { body: 'send a photo' })
      expect((await device.receives('MESSAGE')).body).toBe('send a photo')
      await device.sends(200)
      await server.receives(200)
      expect(
        network.captured.find(
          ({ text }) => text.includes('send a photo') && text.startsWith('MESSAGE sip:2000@60'),
        )?.to,
      ).toEqual({
        address: '60.250.149.198',
        port: 59_177,
      })

      await advance(61_000)
      await asksWithPassword(server, 'MESSAGE sip:2000@192.0.2.1', { body: 'reboot at noon' })
      await server.receives('202 Accepted')
      await device.receivesNothing()

      await device.sends('MESSAGE sip:1000@192.0.2.1', { body: 'position 25.04 121.56' })
      await device.receives(200)
      await asksWithPassword(server, 'MESSAGE sip:2000@192.0.2.1', { body: 'thank you' })
      expect((await device.receives('MESSAGE')).body).toBe('thank you')
      await device.sends(200)
      expect((await device.receives('MESSAGE')).body).toBe('reboot at noon')
      await device.sends(200)
      await server.receives(200)
    },
  )

  ladder(
    'a call to a device whose pinhole has closed: 480',
    edge,
    silent,
    async ({ device, server, advance }) => {
      await server.registers()
      server.answers('MESSAGE', 200)
      await device.sends('MESSAGE sip:1000@192.0.2.1')
      await device.receives(200)
      await advance(61_000)
      await asksWithPassword(server, 'INVITE sip:2000@192.0.2.1', sdp)
      await server.receives('480 Temporarily Unavailable')
    },
  )

  ladder('a device teaches by MESSAGE, and may do nothing else', edge, silent, async ({ device, alice }) => {
    await alice.registers()
    await device.sends('INVITE sip:alice@192.0.2.1', sdp)
    await device.receives(407)
  })

  ladder(
    'pings go to no device: it is silent to save bandwidth',
    edge,
    silent,
    async ({ device, server, advance, network }) => {
      await server.registers()
      server.answers('MESSAGE', 200)
      await device.sends('MESSAGE sip:1000@192.0.2.1')
      await device.receives(200)
      const before = network.captured.length
      await advance(300_000)
      expect(network.captured.slice(before).filter(({ to }) => to.address === '60.250.149.198')).toEqual([])
    },
  )

  ladder(
    '-A DELEGATE: the server registers a device that was seen',
    edge,
    telephones({
      defines: { USERS, DELEGATE: '1000 2??? contact=seen max=1' },
      nats: { carrier: { publicAddress: '60.250.149.198', firstPort: 59_177 } },
      cast: {
        device: { user: '2000', address: '10.92.240.131', behind: 'carrier', rport: false },
        server: { user: '1000', password: 'processing' },
      },
    }),
    async ({ device, server, alice }) => {
      await device.sends('MESSAGE sip:1000@192.0.2.1')
      await device.receives(407)
      const register = async (contact: string, code: string | number) => {
        await server.sends('REGISTER sip:192.0.2.1', {
          headers: { To: '<sip:2000@192.0.2.1>', Contact: contact },
        })
        await server.receives(401)
        await server.authenticates()
        await server.receives(code)
      }
      await register('<sip:2000@203.0.113.1:5060>', '403 Contact Is No Flow Of That User')
      await register('<sip:2000@60.250.149.198:59177>', 200)
      await asksWithPassword(alice, 'MESSAGE sip:2000@192.0.2.1', { body: 'delegated' })
      expect((await device.receives('MESSAGE')).body).toBe('delegated')
      await device.sends(200)
      await alice.receives(200)
      await server.registers()
    },
  )
})

describe('a message for a telephone that does not answer', () => {
  ladder('waits for the next registration', edge, users, async ({ alice, bob, network }) => {
    await bob.registers()
    network.drop(({ toHost, text }) => toHost === 'bob' && text.startsWith('MESSAGE'), 10)
    await asksWithPassword(alice, 'MESSAGE sip:bob@192.0.2.1', { body: 'call me' })
    await alice.receives('202 Accepted', { within: 40_000 })
    await bob.receivesNothing()
    await bob.sends('REGISTER sip:192.0.2.1')
    await bob.receives(401)
    await bob.authenticates()
    const message = await bob.receives('MESSAGE')
    expect(message.body).toBe('call me')
    await bob.receives(200, { method: 'REGISTER' })
    await bob.sends(200, { request: message })
    await bob.receivesNothing(60_000)
  })
})
