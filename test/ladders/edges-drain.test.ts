import { describe, expect, test } from 'vitest'
import { playEdges } from './edge-world.ts'

/** An edge is emptied before it is stopped. */
describe('while an edge is drained', () => {
  test('its own devices stay, those of others are sent away, and requests still come through it', async () => {
    await playEdges({}, async (world) => {
      const own = world.agent('own', 'b', { behind: 'mobile' })
      const other = world.agent('other', 'a', { behind: 'home' })
      await own.registers()
      await other.registers()
      await world.advance(10)
      const b = world.edge('b')
      expect(await b.rpc('edges.drain', 'status')).toMatchObject({ edge: 'b', draining: 'no', bindings: 1 })
      expect(await b.rpc('edges.drain')).toMatchObject({ draining: 'yes', bindings: 1 })

      const stranger = world.agent('stranger', 'b', { behind: 'mobile' })
      await stranger.sends('REGISTER sip:example.com')
      const refused = await stranger.receives(503)
      expect(Number(refused.header('Retry-After'))).toBeGreaterThanOrEqual(30)
      expect(Number(refused.header('Retry-After'))).toBeLessThan(60)
      // One who is bound at another edge is no more welcome.
      const moved = world.agent('moved', 'b', { user: 'other', behind: 'mobile' })
      await moved.sends('REGISTER sip:example.com')
      await moved.receives(503)

      await own.registers()
      world.nats.mobile.forget()
      await own.registers()
      await other.sends('MESSAGE sip:own@example.com')
      await own.receives('MESSAGE')
      await own.sends(200)
      await other.receives(200)

      await own.registers({ expires: 0 })
      expect(await b.rpc('edges.drain', 'status')).toMatchObject({ draining: 'yes', bindings: 0 })
      expect(await b.rpc('edges.drain', 'off')).toMatchObject({ draining: 'no' })
      await stranger.registers()
    })
  })

  test('a device is its own by where it is, or by its Call-ID, at that edge', async () => {
    await playEdges({}, async (world) => {
      const callId = { headers: { 'Call-ID': 'of-the-device@10.0.0.1' } }
      const device = world.agent('device', 'b', { behind: 'mobile' })
      const server = world.agent('server', 'a')
      await device.registers(callId)
      await server.registers()
      await world.advance(10)
      // Now b remembers where the server is.
      await device.sends('MESSAGE sip:server@example.com')
      await server.receives('MESSAGE')
      await server.sends(200)
      await device.receives(200)
      await world.edge('b').rpc('edges.drain', 'on')
      const moved = world.agent('moved', 'b', { user: 'device', behind: 'home' })
      await moved.sends('REGISTER sip:example.com')
      await moved.receives(503)
      await moved.registers({ headers: { ...callId.headers, CSeq: '70 REGISTER' } })
      await server.sends('REGISTER sip:example.com', { to: world.edge('b').endpoint })
      await server.receives(503)
    })
  })

  test('those who went away are there at another edge at once', async () => {
    await playEdges({}, async (world) => {
      const device = world.agent('device', 'b', { behind: 'mobile' })
      const alice = world.agent('alice', 'b')
      await world.edge('b').rpc('edges.drain', 'on')
      await device.sends('REGISTER sip:example.com')
      await device.receives(503)
      const elsewhere = world.agent('elsewhere', 'a', { user: 'device', behind: 'mobile' })
      await elsewhere.registers()
      await world.advance(10)
      await alice.sends('MESSAGE sip:device@example.com')
      await elsewhere.receives('MESSAGE')
      await elsewhere.sends(200)
      await alice.receives(200)
    })
  })

  test('other requests are served as ever', async () => {
    await playEdges({}, async (world) => {
      const alice = world.agent('alice', 'a')
      await world.edge('a').rpc('edges.drain', 'on')
      await alice.sends('MESSAGE sip:nobody@example.com')
      await alice.receives(404)
    })
  })

  test('what is no state is refused, and a router alone has nobody to hand over to', async () => {
    await playEdges({}, async (world) => {
      await expect(world.edge('a').rpc('edges.drain', 'perhaps')).rejects.toThrow('on, off or status')
      expect(await world.edge('a').rpc('edges.list')).toEqual(
        expect.arrayContaining([
          expect.objectContaining({ name: 'a', alive: 'yes' }),
          expect.objectContaining({ name: 'b', alive: 'yes' }),
        ]),
      )
    })
    const alone = `
loadmodule "usrloc.so"
modparam("usrloc", "db_mode", 0)
request_route { drop; }
`
    await playEdges({ names: ['a'], script: alone }, async (world) => {
      for (const method of ['edges.drain', 'edges.list']) {
        await expect(world.edge('a').rpc(method)).rejects.toThrow('shares its location with no others')
      }
    })
  })
})
