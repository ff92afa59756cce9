import { describe, expect } from 'vitest'
import { ladder } from '../../src/testing/index.ts'
import {
  carrierAddress,
  carrierPort,
  founding,
  reaches,
  routerAddress,
  sentTo,
  speaks,
  writes,
} from './founding.ts'
import { restartable } from './restart.ts'

/** routes/gsm.cfg does what docs/learning.md promises. */
const gsm = 'routes/gsm.cfg'
const flow = { address: carrierAddress, port: carrierPort }

describe('the founding packet', () => {
  const packet = [
    `MESSAGE sip:1000@${routerAddress} SIP/2.0`,
    'Via: SIP/2.0/UDP 10.92.240.131:5060;branch=z9hG4bK7a82c48a59b1',
    'Max-Forwards: 70',
    `To: <sip:1000@${routerAddress}>`,
    'From: <sip:2000@10.92.240.131>;tag=7a82c48a',
    'Call-ID: 3848276298220188511@10.92.240.131',
    'CSeq: 1 MESSAGE',
    'Content-Type: text/plain',
    'Content-Length: 21',
    '',
    'position 25.03 121.56',
  ].join('\r\n')

  ladder(
    'it reaches the server, octets of the body and foreign headers untouched',
    gsm,
    founding(),
    async ({ device, server }) => {
      await server.registers()
      await device.sendsText(packet)
      const message = await server.receives(`MESSAGE ${server.contact}`)
      expect(message.body).toBe('position 25.03 121.56')
      expect(message.header('From')).toBe('<sip:2000@10.92.240.131>;tag=7a82c48a')
      expect(message.header('Call-ID')).toBe('3848276298220188511@10.92.240.131')
      expect(message.headers('Contact')).toEqual([])
    },
  )

  ladder(
    'no rport: the answer goes to the port of the NAT all the same (force_rport)',
    gsm,
    founding(),
    async ({ device, server, ...world }) => {
      await server.registers()
      await device.sendsText(packet)
      await server.receives('MESSAGE')
      await server.sends(200)
      const ok = await device.receives(200)
      expect(ok.headers('Via')).toHaveLength(1)
      expect(ok.message.topmostVia).toMatchObject({ host: '10.92.240.131', branch: 'z9hG4bK7a82c48a59b1' })
      expect(sentTo(world, carrierAddress).map(({ to, fate }) => ({ to, fate }))).toEqual([
        { to: flow, fate: 'delivered' },
      ])
    },
  )

  ladder(
    "the server's MESSAGE leaves from the router's own port, through the pinhole",
    gsm,
    founding(),
    async ({ device, server, network, log }) => {
      await server.registers()
      await speaks(device, server)
      await reaches(server, device, 'send a photo')
      const sent = network.captured.findLast(
        ({ text, toHost }) => toHost === 'device' && text.startsWith('MESSAGE'),
      )
      expect(sent).toMatchObject({ from: { address: routerAddress, port: 5060 }, to: flow })
      expect(log.messages('info')).toContainEqual(
        expect.stringContaining(`learned: 2000 is at ${carrierAddress}:${carrierPort}`),
      )
    },
  )

  ladder(
    'the private From host names nobody: the address-of-record is the user, here',
    gsm,
    founding(),
    async ({ device, server }) => {
      await server.registers()
      await speaks(device, server)
      await server.sends('MESSAGE sip:2000@10.92.240.131', { body: 'to a private address' })
      await server.receives(407)
      await server.authenticates()
      await server.receives('403 Not Relaying')
      await reaches(server, device, 'to the user here')
    },
  )
})

describe('the pinhole', () => {
  ladder(
    'another port in mid-conversation: the next answer goes to the new one',
    gsm,
    founding(),
    async ({ device, server, nats, network, advance }) => {
      await server.registers()
      await speaks(device, server)
      await reaches(server, device, 'through the first port')
      nats['carrier']?.forget()
      await advance(6_000)
      await speaks(device, server, 'from a new port')
      await reaches(server, device, 'through the second port')
      expect(network.captured.at(-3)?.to).toEqual({ address: carrierAddress, port: carrierPort + 1 })
    },
  )

  ladder(
    'is open for 60 seconds after the last packet from the device',
    gsm,
    founding(),
    async ({ device, server, advance }) => {
      await server.registers()
      await speaks(device, server)
      await advance(59_000)
      await reaches(server, device, 'in the last second')
      await advance(59_000)
      await reaches(server, device, 'an answer of the device keeps it open')
    },
  )

  ladder(
    'then the message waits: 202, and nothing is sent blindly',
    gsm,
    founding(),
    async ({ device, server, advance, ...world }) => {
      await server.registers()
      await speaks(device, server)
      const before = sentTo(world, carrierAddress).length
      await advance(60_000)
      await writes(server, 'too late')
      await server.receives('202 Accepted')
      await device.receivesNothing(40_000)
      expect(sentTo(world, carrierAddress)).toHaveLength(before)
    },
  )

  ladder(
    'without an outbox: 480',
    gsm,
    founding({ WITHOUT_OUTBOX: '1' }),
    async ({ device, server, advance }) => {
      await server.registers()
      await speaks(device, server)
      await advance(60_000)
      await writes(server, 'too late')
      await server.receives('480 Temporarily Unavailable')
      await device.receivesNothing()
    },
  )

  ladder(
    'PINHOLE is what the carrier keeps: 30 seconds',
    gsm,
    founding({ PINHOLE: '30' }),
    async ({ device, server, advance }) => {
      await server.registers()
      await speaks(device, server)
      await advance(30_000)
      await writes(server, 'too late')
      await server.receives(202)
    },
  )

  ladder(
    'of two sockets the one that the device spoke to',
    gsm,
    {
      ...founding(),
      router: [routerAddress, '50.170.158.148'],
    },
    async ({ device, server, network }) => {
      await server.registers()
      await device.sends(`MESSAGE sip:1000@${routerAddress}`, {
        to: { address: '50.170.158.148', port: 5060 },
      })
      await server.receives('MESSAGE')
      await server.sends(200)
      expect((await device.receives(200)).source).toEqual({ address: '50.170.158.148', port: 5060 })
      await writes(server, 'from there too')
      const message = await device.receives('MESSAGE')
      expect(message.source).toEqual({ address: '50.170.158.148', port: 5060 })
      expect(message.header('Via')).toContain('50.170.158.148')
      await device.sends(200)
      await server.receives(200)
      expect(network.captured.some(({ fate }) => fate === 'filtered')).toBe(false)
    },
  )
})

describe('the outbox', () => {
  ladder(
    'drains in the order of arrival, the next message when the one before is answered',
    gsm,
    founding(),
    async ({ device, server, advance }) => {
      await server.registers()
      await speaks(device, server)
      await reaches(server, device, 'hello')
      await advance(61_000)
      for (const body of ['first', 'second', 'third']) {
        await writes(server, body)
        await server.receives(202)
      }
      await speaks(device, server)
      await reaches(server, device, 'an answer, which proves the flow')
      for (const body of ['first', 'second', 'third']) {
        const message = await device.receives('MESSAGE')
        expect(message.body).toBe(body)
        expect(message.header('From')).toContain('sip:1000@')
        await device.receivesNothing(100)
        await device.sends(200)
      }
      await device.receivesNothing()
    },
  )
})

describe('the server does not answer', () => {
  ladder(
    "the device's message waits until the server registers again",
    gsm,
    founding(),
    async ({ device, server }) => {
      await server.registers()
      await device.sends(`MESSAGE sip:1000@${routerAddress}`, { body: 'position 25.03 121.56' })
      await server.receives('MESSAGE')
      await device.receives('202 Accepted', { within: 40_000 })
      await server.sends(`REGISTER sip:${routerAddress}`)
      await server.receives(401)
      await server.authenticates()
      const message = await server.receives('MESSAGE')
      await server.receives(200, { method: 'REGISTER' })
      expect(message.body).toBe('position 25.03 121.56')
      expect(message.header('From')).toContain('sip:2000@')
    },
  )
})

describe('somebody else has the port now', () => {
  for (const status of [404, 481]) {
    ladder(
      `${status} from the flow drops what was learned at once`,
      gsm,
      founding(),
      async ({ device, server }) => {
        await server.registers()
        await speaks(device, server)
        await writes(server, 'are you there?')
        await device.receives('MESSAGE')
        await device.sends(status)
        await server.receives(status)
        await writes(server, 'and now?')
        await server.receives('404 Not Found')
        await device.receivesNothing()
        await speaks(device, server, 'still here')
        await reaches(server, device, 'so you are')
      },
    )
  }

  ladder(
    'no answer at all: the message is kept, and what was learned is not believed any more',
    gsm,
    founding(),
    async ({ device, server, nats, advance, ...world }) => {
      await server.registers()
      await speaks(device, server)
      nats['carrier']?.forget()
      await writes(server, 'into the void')
      await server.receives('202 Accepted', { within: 40_000 })
      const before = sentTo(world, carrierAddress).length
      await writes(server, 'to nobody that we know')
      await server.receives('404 Not Found')
      expect(sentTo(world, carrierAddress)).toHaveLength(before)
      await speaks(device, server, 'from a new port')
      await reaches(server, device, 'welcome back')
      expect((await device.receives('MESSAGE')).body).toBe('into the void')
    },
  )
})

describe('a restart', () => {
  const { start, again } = restartable()
  ladder(
    'the flow comes back, unproven: it is used, and what waits waits for an answer',
    gsm,
    {
      ...founding(),
      start,
    },
    async ({ device, server, running, advance, network }) => {
      await server.registers()
      await speaks(device, server)
      await reaches(server, device, 'proof')
      await advance(61_000)
      await writes(server, 'stored before the restart')
      await server.receives(202)
      await device.sends(`MESSAGE sip:1000@${routerAddress}`, { body: 'awake' })
      const restarted = await again(running)
      try {
        await advance(100)
        device.inbox.length = 0
        server.inbox.length = 0
        // The server is registered still, and the device need not speak first: its pinhole is open.
        await writes(server, 'after the restart')
        const message = await device.receives('MESSAGE')
        expect(message.body).toBe('after the restart')
        expect(message.source).toEqual({ address: routerAddress, port: 5060 })
        await device.receivesNothing(200)
        await device.sends(200, { request: message })
        expect((await device.receives('MESSAGE')).body).toBe('stored before the restart')
        expect(network.captured.some(({ fate }) => fate === 'unreachable')).toBe(false)
      } finally {
        await restarted.stop(0)
      }
    },
  )
})
