import { describe, expect, test } from 'vitest'
import type { Agent } from '../../src/testing/index.ts'
import { type EdgeWorld, type EdgeWorldOptions, playEdges } from './edge-world.ts'

/** The way of a request to the edge that has the flow: docs/decisions/0025-edges.md. With the directory, and with all of src/edges. */
function way(title: string, play: (world: EdgeWorld) => Promise<void>, options: EdgeWorldOptions = {}): void {
  test(title, () => playEdges(options, play))
  test(`${title} (over Redis)`, () => playEdges({ ...options, overRedis: true }, play))
}

/** What a script has run, by its log. */
function runs({ edges }: EdgeWorld, edge: string): string[] {
  const lines = edges[edge]?.log.messages('info') ?? []
  return lines.filter((line) => line.includes(`${edge} runs`) && !line.includes('REGISTER'))
}

/** Who has sent what to whom, as `alice > a MESSAGE`; without REGISTERs and 100s. */
function hops({ captured }: EdgeWorld, from = 0): string[] {
  return captured(from)
    .map(({ from: sender, to, line }) => {
      const [first = '', second = ''] = line.split(' ')
      return `${sender} > ${to} ${first === 'SIP/2.0' ? second : first}`
    })
    .filter((hop) => !/REGISTER|100$/.test(hop))
}

/** A telephone behind a NAT, bound at b; alice speaks to a. */
async function telephones(world: EdgeWorld): Promise<{ alice: Agent; device: Agent; from: number }> {
  const device = world.agent('device', 'b', { behind: 'mobile' })
  const alice = world.agent('alice', 'a', { behind: 'home' })
  await device.registers()
  await alice.registers()
  await world.advance(10)
  return { alice, device, from: world.network.captured.length }
}

describe('a MESSAGE', () => {
  way(
    'goes through the owner, which asks no script, and its answer comes back the same way',
    async (world) => {
      const { alice, device, from } = await telephones(world)
      await alice.sends('MESSAGE sip:device@example.com', { body: 'hello' })
      const message = await device.receives(`MESSAGE ${device.contact}`)
      expect(message.body).toBe('hello')
      await device.sends(200)
      await alice.receives(200)
      expect(hops(world, from)).toEqual([
        'alice > a MESSAGE',
        'a > b MESSAGE',
        'b > device MESSAGE',
        'device > b 200',
        'b > a 200',
        'a > alice 200',
      ])
      expect(runs(world, 'a')).toHaveLength(1)
      expect(runs(world, 'b')).toEqual([])
      expect(message.headers('Route')).toEqual([])
      expect(message.headers('Record-Route')).toEqual([])
      expect(message.headers('Via')).toHaveLength(3)
      expect(message.header('Max-Forwards')).toBe('68')
      const sent = world.network.captured.find(
        ({ toHost, text }) => toHost === 'b' && text.startsWith('MESSAGE'),
      )
      expect(sent?.text).toMatch(/^Route: <sip:flow\.r\.[\w-]{22}\.uloc-[\w-]+@192\.0\.2\.2:5060;lr>\r$/m)
      const left = world.network.captured.find(
        ({ toHost, text }) => toHost === 'device' && text.startsWith('MESSAGE'),
      )
      expect(left).toMatchObject({
        from: { address: '192.0.2.2', port: 5060 },
        to: { address: '203.0.113.9' },
      })
    },
  )

  way('that comes again is absorbed by both, and answered as before', async (world) => {
    const { alice, device } = await telephones(world)
    await alice.sends('MESSAGE sip:device@example.com')
    await device.receives('MESSAGE')
    await alice.repeats()
    await device.receivesNothing(400)
    await device.sends(200)
    await alice.receives(200)
    const from = world.network.captured.length
    await alice.repeats()
    await alice.receives(200, { again: true })
    expect(hops(world, from)).toEqual(['alice > a MESSAGE', 'a > alice 200'])
  })

  way('whose answer from the owner is lost is sent again, and answered by the owner alone', async (world) => {
    const { alice, device, from } = await telephones(world)
    await alice.sends('MESSAGE sip:device@example.com')
    await device.receives('MESSAGE')
    world.network.drop(({ fromHost, toHost }) => fromHost === 'b' && toHost === 'a')
    await device.sends(200)
    await alice.receives(200)
    expect(hops(world, from).filter((hop) => hop === 'a > b MESSAGE')).toHaveLength(2)
    expect(hops(world, from).filter((hop) => hop === 'b > device MESSAGE')).toHaveLength(1)
  })

  way('to a device that is bound where it arrives goes to no other edge', async (world) => {
    const { alice, device } = await telephones(world)
    const from = world.network.captured.length
    await device.sends('MESSAGE sip:device@example.com')
    await device.receives('MESSAGE')
    await device.sends(200)
    await device.receives(200)
    expect(hops(world, from).some((hop) => hop.includes('a'.concat(' ')))).toBe(false)
    expect(alice.unexpected).toEqual([])
  })

  way(
    'that arrives at a third edge, which has nobody, finds both',
    async (world) => {
      const { alice, device } = await telephones(world)
      const server = world.agent('server', 'c')
      for (const agent of [alice, device]) {
        await server.sends(`MESSAGE sip:${agent.user}@example.com`)
        await agent.receives('MESSAGE')
        await agent.sends(200)
        await server.receives(200)
      }
      expect(runs(world, 'a')).toEqual([])
      expect(runs(world, 'b')).toEqual([])
    },
    { names: ['a', 'b', 'c'] },
  )

  way('to a learned device leaves through its pinhole, as often as it may', async (world) => {
    const { alice } = await telephones(world)
    const sensor = world.agent('sensor', 'b', { user: '2000', behind: 'mobile' })
    await sensor.sends('MESSAGE sip:alice@example.com', { body: 'position '.repeat(40) })
    await alice.receives('MESSAGE')
    await alice.sends(200)
    await sensor.receives(200)
    await alice.sends('MESSAGE sip:2000@example.com')
    await sensor.receives('MESSAGE')
    await sensor.sends(200)
    await alice.receives(200)
    // Proven by that answer: more than three times what came from it.
    for (let i = 0; i < 4; i++) {
      await alice.sends('MESSAGE sip:2000@example.com', { body: 'x'.repeat(900) })
      await sensor.receives('MESSAGE')
      await sensor.sends(200)
      await alice.receives(200)
    }
  })

  way(
    'to a learned device that has proven nothing is no more than three times what came from it',
    async (world) => {
      const { alice } = await telephones(world)
      const sensor = world.agent('sensor', 'b', { user: '2000', behind: 'mobile' })
      await sensor.sends('MESSAGE sip:alice@example.com')
      await alice.receives('MESSAGE')
      await alice.sends(200)
      await sensor.receives(200)
      await alice.sends('MESSAGE sip:2000@example.com', { body: 'x'.repeat(3_000) })
      const refused = await alice.receives(480)
      expect(refused.header('Reason')).toContain('unproven')
      await sensor.receivesNothing()
    },
  )
})

const sdp = { body: 'v=0\r\n', contentType: 'application/sdp' }

describe('a call', () => {
  way('goes both ways through both edges, whoever hangs up', async (world) => {
    for (const hangsUp of ['alice', 'device'] as const) {
      const { alice, device, from } = await (hangsUp === 'alice' ? telephones(world) : again(world))
      await alice.sends('INVITE sip:device@example.com', sdp)
      const invite = await device.receives('INVITE')
      expect(invite.headers('Record-Route').join('\n')).toMatch(
        /flow\.o\.[^\n]*\n[^\n]*flow\.i\..*\n[^\n]*192\.0\.2\.1/s,
      )
      await device.sends(180)
      await alice.receives(180)
      await device.sends(200, sdp)
      await alice.receives(200)
      await alice.sends('ACK')
      await device.receives('ACK')
      // The device changes the call, and then alice does.
      await device.sends('INVITE', sdp)
      await alice.receives('INVITE')
      await alice.sends(200, sdp)
      await device.receives(200)
      await device.sends('ACK')
      await alice.receives('ACK')
      await alice.sends('INVITE', sdp)
      await device.receives('INVITE')
      await device.sends(200, sdp)
      await alice.receives(200)
      await alice.sends('ACK')
      await device.receives('ACK')
      const [first, second] = hangsUp === 'alice' ? [alice, device] : [device, alice]
      await first.sends('BYE')
      await second.receives('BYE')
      await second.sends(200)
      await first.receives(200)
      expect(runs(world, 'b').filter((line) => !line.includes('REGISTER'))).toEqual([])
      expect(hops(world, from).filter((hop) => /INVITE|ACK|BYE/.test(hop))).toEqual(
        expect.arrayContaining(['a > b BYE', 'b > a INVITE', 'b > a ACK'].slice(hangsUp === 'alice' ? 0 : 1)),
      )
    }
  })

  way('goes to the Contact of the answer, whatever was registered', async (world) => {
    const { alice, device } = await telephones(world)
    await alice.sends('INVITE sip:device@example.com', sdp)
    await device.receives('INVITE')
    await device.sends(200, { ...sdp, headers: { Contact: '<sip:line2@10.0.0.77:5066;ob>' } })
    await alice.receives(200)
    await alice.sends('ACK')
    await device.receives('ACK sip:line2@10.0.0.77:5066;ob')
  })

  way('that is given up is cancelled at the device', async (world) => {
    const { alice, device } = await telephones(world)
    await alice.sends('INVITE sip:device@example.com', sdp)
    await device.receives('INVITE')
    await device.sends(180)
    await alice.receives(180)
    await alice.sends('CANCEL')
    await alice.receives(200)
    const cancel = await device.receives('CANCEL')
    const invite = device.inbox.find(({ method }) => method === 'INVITE')
    await device.sends(200, { request: cancel })
    await device.sends(487, invite === undefined ? {} : { request: invite })
    await alice.receives(487)
    await device.receives('ACK')
  })

  way('that is refused ends with an ACK from each hop', async (world) => {
    const { alice, device, from } = await telephones(world)
    await alice.sends('INVITE sip:device@example.com', sdp)
    await device.receives('INVITE')
    await device.sends('486 Busy Here')
    await alice.receives('486 Busy Here')
    await world.advance(100)
    expect(
      hops(world, from)
        .filter((hop) => hop.endsWith('ACK'))
        .toSorted(),
    ).toEqual(['a > b ACK', 'alice > a ACK', 'b > device ACK'])
  })

  way(
    'from the device to somebody at another edge goes on though its NAT has given it another port',
    async (world) => {
      const { alice, device } = await telephones(world)
      await call(alice, device)
      world.nats.mobile.forget()
      const from = world.network.captured.length
      await device.sends('BYE')
      await alice.receives('BYE')
      await alice.sends(200)
      await device.receives(200)
      expect(hops(world, from).slice(0, 3)).toEqual(['device > b BYE', 'b > a BYE', 'a > alice BYE'])
    },
  )

  way('can be ended by a device that is somewhere else now, and by nobody else', async (world) => {
    const { alice, device } = await telephones(world)
    await call(alice, device)
    const invite = device.inbox.find(({ method }) => method === 'INVITE')
    const moved = world.agent('moved', 'b', { behind: 'home', rport: false })
    const inDialog = (method: string) => ({
      headers: {
        Route: (invite?.headers('Record-Route') ?? []).join(', '),
        From: `${invite?.header('To')};tag=${invite?.localTag}`,
        To: invite?.header('From') ?? '',
        'Call-ID': invite?.header('Call-ID') ?? '',
        CSeq: `20 ${method}`,
      },
    })
    const contact = /<(.*)>/.exec(invite?.header('Contact') ?? '')?.[1]
    await moved.sends(`MESSAGE ${contact}`, inDialog('MESSAGE'))
    await moved.receives(403)
    await moved.sends(`BYE ${contact}`, inDialog('BYE'))
    await alice.receives('BYE')
    await alice.sends(200)
    await moved.receives(200)
  })

  way('can be ended by a device that has unregistered, and nothing else can be begun', async (world) => {
    const { alice, device } = await telephones(world)
    await call(alice, device)
    await device.registers({ expires: 0 })
    await device.sends('INVITE', sdp)
    const refused = await device.receives(480)
    expect(refused.header('Reason')).toBe('SIP;cause=480;text="the binding is not here any more"')
    await alice.sends('BYE')
    await alice.receives(480)
    await device.sends('BYE')
    await alice.receives('BYE')
    await alice.sends(200)
    await device.receives(200)
  })
})

describe('edges that speak to each other at addresses of their own', () => {
  for (const [family, prefix] of [
    [4, '10.9.0.'],
    [6, 'fd00::'],
  ] as const) {
    way(
      `use those for requests, and each side of a call comes back to the socket that it knows: IPv${family}`,
      async (world) => {
        const { alice, device, from } = await telephones(world)
        await call(alice, device)
        const invite = device.inbox.find(({ method }) => method === 'INVITE')
        const hosts = invite?.headers('Record-Route').map((value) => {
          return /(?:@|sip:)\[?([\d.]{7,}|[\da-f:]{6,})\]?;/.exec(value)?.[1]
        })
        expect(hosts).toEqual(['192.0.2.2', `${prefix}2`, `${prefix}1`, '192.0.2.1'])
        await device.sends('INVITE', sdp)
        await alice.receives('INVITE')
        await alice.sends(200, sdp)
        await device.receives(200)
        await device.sends('ACK')
        await alice.receives('ACK')
        await alice.sends('BYE')
        await device.receives('BYE')
        await device.sends(200)
        await alice.receives(200)
        for (const { fromHost, toHost, from: source, to } of world.network.captured.slice(from)) {
          const between = [fromHost, toHost].toSorted().join()
          if (between === 'a,b')
            expect([source.address, to.address].toSorted()).toEqual([`${prefix}1`, `${prefix}2`])
          else if (between === 'b,device') expect([source.address, to.address]).toContain('192.0.2.2')
          else expect([source.address, to.address]).toContain('192.0.2.1')
        }
      },
      { inner: family },
    )
  }
})

describe('a call behind another proxy', () => {
  way('leaves that out if it did not record itself', async (world) => {
    const { alice } = await telephones(world)
    const proxy = world.agent('proxy', 'b')
    const phone = world.agent('phone', 'b')
    const own = '<sip:192.0.2.2;lr>'
    await proxy.sends('REGISTER sip:example.com', {
      headers: {
        To: '<sip:phone@example.com>',
        From: '<sip:phone@example.com>;tag=1',
        Contact: `<${phone.contact}>`,
        Supported: 'path',
        // A first hop that is the owner itself is left out.
        Path: `${own}, <sip:hop@${proxy.host.address};lr>`,
      },
    })
    await proxy.receives(200)
    await world.advance(10)
    await alice.sends('INVITE sip:phone@example.com', sdp)
    const invite = await proxy.receives('INVITE')
    expect(invite.header('Route')).toBe(`<sip:hop@${proxy.host.address};lr>`)
    await proxy.sends(200, { ...sdp, headers: { Contact: `<${phone.contact}>` } })
    await alice.receives(200)
    await alice.sends('ACK')
    const ack = await phone.receives('ACK')
    expect(ack.headers('Route')).toEqual([])
  })
})

describe('a call to several', () => {
  way('rings at both edges, and stops where nobody answered', async (world) => {
    const { alice, device } = await telephones(world)
    const desk = world.agent('desk', 'a', { user: 'device' })
    await desk.registers()
    await world.advance(10)
    await alice.sends('INVITE sip:device@example.com', sdp)
    await desk.receives('INVITE')
    const invite = await device.receives('INVITE')
    await device.sends(180)
    await alice.receives(180)
    await desk.sends(200, sdp)
    await alice.receives(200)
    const cancel = await device.receives('CANCEL')
    expect(cancel.header('Reason')).toContain('cause=200')
    await device.sends(200, { request: cancel })
    await device.sends(487, { request: invite })
    await device.receives('ACK')
    await alice.sends('ACK')
    await desk.receives('ACK')
  })
})

describe('a call from the device', () => {
  way('is its edge script\u2019s, and the other edge is the owner', async (world) => {
    const { alice, device } = await telephones(world)
    await call(device, alice)
    expect(runs(world, 'a')).toEqual([])
    expect(runs(world, 'b').length).toBeGreaterThan(0)
    await alice.sends('INVITE', sdp)
    await device.receives('INVITE')
    await device.sends(200, sdp)
    await alice.receives(200)
    await alice.sends('ACK')
    await device.receives('ACK')
    await device.sends('BYE')
    await alice.receives('BYE')
    await alice.sends(200)
    await device.receives(200)
  })
})

describe('a subscription', () => {
  way('has NOTIFYs that find their way back', async (world) => {
    const { alice, device } = await telephones(world)
    await alice.sends('SUBSCRIBE sip:device@example.com', { headers: { Event: 'presence', Expires: '600' } })
    await device.receives('SUBSCRIBE')
    await device.sends(200)
    await alice.receives(200)
    await device.sends('NOTIFY', { headers: { Event: 'presence', 'Subscription-State': 'active' } })
    await alice.receives('NOTIFY')
    await alice.sends(200)
    await device.receives(200)
    await alice.sends('SUBSCRIBE', { headers: { Event: 'presence', Expires: '0' } })
    await device.receives('SUBSCRIBE')
    await device.sends(200)
    await alice.receives(200)
  })
})

describe('a device behind another proxy', () => {
  way('is reached along its Path, which only its edge knows', async (world) => {
    const { alice, from } = await telephones(world)
    const proxy = world.agent('proxy', 'b')
    await proxy.sends('REGISTER sip:example.com', {
      headers: {
        To: '<sip:phone@example.com>',
        From: '<sip:phone@example.com>;tag=1',
        Contact: '<sip:phone@10.1.1.1>',
        Supported: 'path',
        Path: `<sip:hop@${proxy.host.address};lr>`,
      },
    })
    await proxy.receives(200)
    await world.advance(10)
    await alice.sends('MESSAGE sip:phone@example.com')
    const message = await proxy.receives('MESSAGE sip:phone@10.1.1.1')
    expect(message.headers('Route')).toEqual([`<sip:hop@${proxy.host.address};lr>`])
    await proxy.sends(200)
    await alice.receives(200)
    expect(hops(world, from)).toContain('a > b MESSAGE')
  })
})

/** The same two, still registered. */
async function again(world: EdgeWorld) {
  const device = world.agent('device2', 'b', { user: 'device', behind: 'mobile', port: 5070 })
  const alice = world.agent('alice2', 'a', { user: 'alice', behind: 'home', port: 5070 })
  await world.edge('b').rpc('ul.rm', 'location', 'device')
  await world.edge('a').rpc('ul.rm', 'location', 'alice')
  await device.registers()
  await alice.registers()
  await world.advance(10)
  return { alice, device, from: world.network.captured.length }
}

async function call(caller: Agent, called: Agent): Promise<void> {
  await caller.sends(`INVITE sip:${called.user}@example.com`, sdp)
  await called.receives('INVITE')
  await called.sends(200, sdp)
  await caller.receives(200)
  await caller.sends('ACK')
  await called.receives('ACK')
}

describe('an owner that cannot', () => {
  way('is dead: what only it could reach is cold at once', async (world) => {
    const { alice } = await telephones(world)
    await world.edge('b').kill()
    const from = world.network.captured.length
    await alice.sends('MESSAGE sip:device@example.com')
    await alice.receives('480 Cold')
    expect(hops(world, from)).toEqual(['alice > a MESSAGE', 'a > alice 480'])
  })

  way('is dead, and nobody has said so yet: ICMP does, and the request fails at once', async (world) => {
    const { alice } = await telephones(world)
    world.switches.cut('b')
    await world.edge('b').server.stop(0)
    world.directory.revive('b')
    await alice.sends('MESSAGE sip:device@example.com')
    await alice.receives('5xx', { within: 100 })
    expect(world.edge('a').log.messages('info')).toContainEqual(expect.stringContaining('a failed with 503'))
    await alice.sends('MESSAGE sip:device@example.com')
    await alice.receives('480 Cold')
  })

  way('falls silent: what it has not answered fails when it is known to be dead', async (world) => {
    const { alice } = await telephones(world)
    world.network.drop(({ toHost }) => toHost === 'b', Number.POSITIVE_INFINITY)
    await alice.sends('MESSAGE sip:device@example.com')
    await alice.receivesNothing(1_500)
    world.switches.kill('b')
    await alice.receives('5xx', { within: 4_500 })
    expect(world.edge('a').log.messages('info')).toContainEqual(expect.stringContaining('a failed with 503'))
  })

  way(
    'falls silent: what others have not answered yet waits for them',
    async (world) => {
      const { alice } = await telephones(world)
      const third = world.agent('third', 'c', { behind: 'mobile' })
      await third.registers()
      await world.advance(10)
      world.network.drop(({ toHost }) => toHost === 'c', 1)
      await alice.sends('MESSAGE sip:third@example.com')
      await world.advance(100)
      world.switches.kill('b')
      await third.receives('MESSAGE')
      await third.sends(200)
      await alice.receives(200)
    },
    { names: ['a', 'b', 'c'] },
  )

  way('is said to be dead, and rings: nobody gives up', async (world) => {
    const { alice, device } = await telephones(world)
    await alice.sends('INVITE sip:device@example.com', sdp)
    await device.receives('INVITE')
    await device.sends(180)
    await alice.receives(180)
    world.switches.kill('b')
    await world.advance(4_500)
    await device.sends(200, sdp)
    await alice.receives(200)
    await alice.sends('ACK')
    await device.receives('ACK')
  })

  way('is dead: whoever can be reached without it is', async (world) => {
    const { alice } = await telephones(world)
    const server = world.agent('server', 'b')
    await server.registers()
    await world.advance(10)
    await world.edge('b').kill()
    const from = world.network.captured.length
    await alice.sends('MESSAGE sip:server@example.com')
    await server.receives('MESSAGE')
    await server.sends(200)
    await alice.receives(200)
    expect(hops(world, from)).toContain('a > server MESSAGE')
  })

  way('finds that the pinhole has closed: 480, and why', async (world) => {
    const { alice } = await telephones(world)
    const sensor = world.agent('sensor', 'b', { user: '2000', behind: 'mobile' })
    await sensor.sends('MESSAGE sip:alice@example.com')
    await alice.receives('MESSAGE')
    await alice.sends(200)
    await sensor.receives(200)
    await world.advance(60_000)
    await alice.sends('MESSAGE sip:2000@example.com')
    const refused = await alice.receives(480)
    expect(refused.header('Reason')).toBe('SIP;cause=480;text="the pinhole of the binding has closed"')
    expect(world.edge('a').log.messages('info')).toContainEqual(expect.stringContaining('a failed with 480'))
    await sensor.receivesNothing()
  })

  way('does not have the binding any more, and the other did not hear of it: 480, and why', async (world) => {
    const { alice, device } = await telephones(world)
    await alice.sends('MESSAGE sip:device@example.com')
    await device.receives('MESSAGE')
    await device.sends(200)
    await alice.receives(200)
    world.switches.cut('b')
    await world.edge('b').rpc('ul.rm', 'location', 'device')
    await alice.sends('MESSAGE sip:device@example.com')
    const refused = await alice.receives(480)
    expect(refused.header('Reason')).toBe('SIP;cause=480;text="the binding is not here any more"')
  })
})

describe('a request that goes round', () => {
  way('is found out by its Via', async (world) => {
    const { alice } = await telephones(world)
    await world.edge('b').rpc('ul.add', 'location', 'loop', 'sip:loop@192.0.2.1', 0, 1, '', 0, 0, 0)
    await world.advance(10)
    await alice.sends('MESSAGE sip:loop@example.com')
    await alice.receives('482 Loop Detected')
  })

  way('has hops that are counted', async (world) => {
    const { alice, device } = await telephones(world)
    await alice.sends('MESSAGE sip:device@example.com', { headers: { 'Max-Forwards': '1' } })
    await alice.receives('483 Too Many Hops')
    await device.receivesNothing()
  })
})
