import { describe, expect } from 'vitest'
import { type Agent, ladder } from '../../src/testing/index.ts'
import {
  carrierAddress,
  founding,
  octets,
  overlook,
  reaches,
  routerAddress,
  sentTo,
  speaks,
  writes,
} from './founding.ts'

/** Whom routes/gsm.cfg believes, and how far: the threats of docs/learning.md. */
const gsm = 'routes/gsm.cfg'

describe('an unproven flow', () => {
  ladder(
    'the first answer fits, with what a common telephone puts into it and a password',
    gsm,
    founding(),
    async ({ device, server }) => {
      await server.registers()
      await speaks(device, server)
      await server.sends(`MESSAGE sip:2000@${routerAddress}`, {
        body: 'send a photo',
        headers: {
          Accept: 'text/plain, application/im-iscomposing+xml',
          'User-Agent': 'PJSUA v2.14.1 Linux-6.1.0.18/x86_64/glibc-2.36',
          'Call-ID': '5f0d6a9d-5e2c-4c4f-9a0e-0b8d3f1c7a52',
        },
      })
      await server.receives(407)
      await server.authenticates()
      await device.receives('MESSAGE')
    },
  )

  ladder(
    'gets requests of at most three times the octets that came, each once',
    gsm,
    founding(),
    async ({ device, server, advance, ...world }) => {
      await server.registers()
      await speaks(device, server)
      for (let i = 0; i < 8; i++) {
        await writes(server, `flood ${i} ${'x'.repeat(40)}`)
        await advance(500)
        overlook(server)
      }
      await advance(20_000)
      const came = octets(world.network.captured.filter(({ fromHost }) => fromHost === 'device'))
      const went = sentTo(world, carrierAddress)
      const requests = went.filter(({ text }) => text.startsWith('MESSAGE'))
      expect(requests.length).toBeGreaterThan(0)
      expect(octets(requests)).toBeLessThanOrEqual(3 * came)
      expect(new Set(requests.map(({ text }) => text)).size).toBe(requests.length)
      // The answer to the packet itself is shorter than the packet.
      expect(octets(went) - octets(requests)).toBeLessThanOrEqual(came)
    },
  )

  ladder(
    'gets nothing of what waits until it has answered something',
    gsm,
    founding(),
    async ({ device, server, advance }) => {
      await server.registers()
      await speaks(device, server)
      await advance(61_000)
      await writes(server, 'stored')
      await server.receives(202)
      await speaks(device, server)
      await device.receivesNothing()
      await writes(server, 'fresh')
      expect((await device.receives('MESSAGE')).body).toBe('fresh')
      await device.sends(200)
      expect((await device.receives('MESSAGE')).body).toBe('stored')
    },
  )

  ladder(
    'TRUST=accept: on a private APN what waits leaves at once',
    gsm,
    founding({ TRUST: 'accept' }),
    async ({ device, server, advance }) => {
      await server.registers()
      await speaks(device, server)
      await advance(61_000)
      await writes(server, 'stored')
      await server.receives(202)
      await device.sends(`MESSAGE sip:1000@${routerAddress}`, { body: 'awake' })
      const first = await device.receives('MESSAGE')
      expect(first.body).toBe('stored')
    },
  )
})

describe('two devices, one name', () => {
  ladder(
    'the second one cannot take a flow that is proven and was just heard',
    gsm,
    founding(),
    async ({ device, second, server, log }) => {
      await server.registers()
      await speaks(device, server)
      await reaches(server, device, 'proof')
      await second.sends(`MESSAGE sip:1000@${routerAddress}`, {
        headers: { From: '<sip:2000@10.92.240.131>;tag=2' },
      })
      await second.receives(407)
      await reaches(server, device, 'still the first one')
      expect(second.unexpected).toEqual([])
      expect(log.messages('warn')).toContainEqual(expect.stringContaining('two flows claim one user'))
    },
  )

  ladder(
    'five seconds later it can: devices do change their address',
    gsm,
    founding(),
    async ({ device, second, server, advance }) => {
      await server.registers()
      await speaks(device, server)
      await reaches(server, device, 'proof')
      await advance(5_000)
      await second.sends(`MESSAGE sip:1000@${routerAddress}`, {
        headers: { From: '<sip:2000@10.92.240.131>;tag=2' },
        body: 'I am 2000, from another port',
      })
      await server.receives('MESSAGE')
      await server.sends(200)
      await second.receives(200)
      await writes(server, 'to the newer one')
      await second.receives('MESSAGE')
      await device.receivesNothing()
    },
  )
})

describe('who may teach what', () => {
  ladder(
    'a stranger outside of the prefix teaches nothing, and is asked for a password',
    gsm,
    founding(),
    async ({ device, server, stranger }) => {
      await server.registers()
      await speaks(device, server)
      await stranger.sends(`MESSAGE sip:1000@${routerAddress}`)
      await stranger.receives(407)
      await reaches(server, device, 'to the device and to nobody else')
      expect(stranger.unexpected).toEqual([])
      expect(server.unexpected).toEqual([])
    },
  )

  ladder(
    'a forged source within the prefix gets little, nothing stored, and only until the device speaks',
    gsm,
    founding(),
    async ({ device, server, forger, advance, ...world }) => {
      await server.registers()
      await speaks(device, server)
      await reaches(server, device, 'proof')
      await advance(61_000)
      await writes(server, 'secret')
      await server.receives(202)
      await forger.sends(`MESSAGE sip:1000@${routerAddress}`)
      await server.receives('MESSAGE')
      await server.sends(200)
      await forger.receives(200)
      await forger.receivesNothing(5_000)
      for (let i = 0; i < 4; i++) {
        await writes(server, `to whoever is there ${i}`)
        await advance(100)
        overlook(server)
      }
      const came = octets(world.network.captured.filter(({ fromHost }) => fromHost === 'forger'))
      expect(octets(sentTo(world, forger.host.address))).toBeLessThanOrEqual(4 * came)
      expect(forger.inbox.some(({ body }) => body === 'secret')).toBe(false)

      const before = forger.inbox.length
      await speaks(device, server, 'the real one')
      await reaches(server, device, 'welcome back')
      expect((await device.receives('MESSAGE')).body).toBe('secret')
      expect(forger.inbox).toHaveLength(before)
    },
  )

  ladder(
    'a registered user is not hijacked by a bare MESSAGE, not even from within the prefix',
    gsm,
    founding({
      DEVICES: 'pattern:????',
    }),
    async ({ device, second, server, stranger }) => {
      await server.registers()
      for (const thief of [second, stranger]) {
        await thief.sends(`MESSAGE sip:2000@${routerAddress}`, {
          headers: { From: `<sip:1000@${routerAddress}>;tag=thief` },
        })
        await thief.receives(407)
      }
      await speaks(device, server, 'this goes to the server')
      expect(second.unexpected).toEqual([])
    },
  )

  ladder(
    'the password of another user is no licence: 403',
    gsm,
    founding({ USER: '1001:other' }),
    async ({ agent, device, server, stranger }) => {
      const other = agent('other', { user: '1001', address: '50.170.158.160', password: 'other' })
      await speaks2001(other)
      expect(stranger.inbox).toEqual([])
      expect(device.inbox).toEqual([])
      expect(server.inbox).toEqual([])
    },
  )

  /** 1001 has a password, and claims to be 2000. */
  async function speaks2001(other: Agent): Promise<void> {
    await other.sends(`MESSAGE sip:1001@${routerAddress}`, {
      headers: { From: `<sip:2000@${routerAddress}>;tag=liar` },
    })
    await other.receives(407)
    await other.authenticates()
    await other.receives('403 From Is Not Yours')
  }

  ladder(
    'who is not in the list of devices is nobody, wherever it is',
    gsm,
    founding({ DEVICES: '2000' }),
    async ({ second, server }) => {
      await server.registers()
      await second.sends(`MESSAGE sip:1000@${routerAddress}`)
      await second.receives(407)
      await writes(server, 'hello?', '2001')
      await server.receives('404 Not Found')
    },
  )

  ladder(
    'anything but MESSAGE, REGISTER and OPTIONS is not what this router is for',
    gsm,
    founding(),
    async ({ device, stranger }) => {
      await stranger.sends(`INVITE sip:1000@${routerAddress}`)
      await stranger.receives('405 Method Not Allowed')
      await device.sends(`OPTIONS sip:${routerAddress}`)
      await device.receives('200 Alive')
    },
  )
})

describe('a thousand devices behind one carrier address', () => {
  ladder(
    'all are learned, none is banned, each gets its own answer',
    gsm,
    {
      ...founding({ PINHOLE: '120' }),
      nats: { carrier: { publicAddress: carrierAddress, mappingSeconds: 120, firstPort: 1_024 } },
    },
    async ({ agent, server, advance, network }) => {
      await server.registers()
      server.answers('MESSAGE', 200)
      const devices: Agent[] = []
      for (let i = 0; i < 1_000; i++) {
        const user = String(2_000 + i)
        const address = `10.93.${Math.floor(i / 250)}.${i % 250}`
        const device = agent(`d${user}`, { user, address, behind: 'carrier', rport: false })
        devices.push(device)
        await device.sends(`MESSAGE sip:1000@${routerAddress}`, { body: `I am ${user}` })
        // Fifty new ones per second and prefix is the bound.
        if (i % 50 === 49) await advance(1_000)
      }
      await advance(100)
      expect(devices.filter(({ inbox }) => inbox.some(({ statusCode }) => statusCode === 200))).toHaveLength(
        1_000,
      )
      for (const device of [devices[0], devices[500], devices[999]]) {
        if (device === undefined) throw new Error('a thousand devices')
        await writes(server, `to ${device.user}`, device.user)
        await advance(10)
        expect(device.inbox.at(-1)?.body).toBe(`to ${device.user}`)
      }
      expect(network.captured.filter(({ fate }) => fate === 'filtered')).toEqual([])
    },
  )
})
