import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Caller, pause, request } from './caller.ts'
import { Lab, mainPath, nodePath } from './lab.ts'
import { type RedisServer, startRedis } from './redis-server.ts'
import { type Router, startRouter } from './router.ts'

/** node:dgram does not (decision 14): there an edge that was killed is dead after three heartbeats, and not at once. */
const hearsIcmp = process.env['VIADUCT_UDP'] !== 'dgram'

/** Three real edges and a real Redis: the way to the owner of a binding, its death, and its drain. */
describe('edges', { timeout: 120_000 }, () => {
  let lab: Lab
  let redis: RedisServer
  let callers: Caller[]

  beforeEach(async () => {
    lab = new Lab()
    redis = await startRedis(lab)
    callers = []
  })
  afterEach(async () => {
    for (const one of callers) one.close()
    await lab.close()
  })

  const dataOf = (name: string) => join(lab.directory, name)

  async function edge(name: string, port?: number): Promise<Router> {
    mkdirSync(dataOf(name), { recursive: true })
    const defines = { NAME: name, STORE: `redis://127.0.0.1:${redis.port}/0` }
    return await startRouter(lab, 'test/wire/scripts/edges.cfg', {
      data: dataOf(name),
      defines,
      ...(port !== undefined && { port }),
    })
  }

  async function caller(): Promise<Caller> {
    const opened = await Caller.open()
    callers.push(opened)
    return opened
  }

  /** A device whose Contact nobody can reach: only where its REGISTER came from can. */
  async function registers(device: Caller, { port }: Router, user = 'device') {
    const headers = `Contact: <sip:${user}@10.0.0.1:5060>\r\nExpires: 600\r\n`
    const callId = `register-${user}-${port}`
    return await device.ask(request(device, port, { method: 'REGISTER', user, callId, headers }), port)
  }

  /** Until all see all: two heartbeats. */
  const settled = () => pause(2_200)

  async function writes(sender: Caller, { port }: Router, user = 'device') {
    return await sender.ask(request(sender, port, { method: 'MESSAGE', user, body: 'hello' }), port)
  }

  async function ctl(name: string, ...args: string[]): Promise<string> {
    const asked = lab.start(null, nodePath, [mainPath, 'ctl', '--data', dataOf(name), ...args])
    await asked.exited
    await pause(20)
    return asked.output
  }

  test('a device is reached through the edge that it registered at, and any that lives once that is killed', async () => {
    const [a, b, c] = [await edge('a'), await edge('b'), await edge('c')]
    const [device, sender] = [await caller(), await caller()]
    await settled()
    expect((await registers(device, b))?.status).toBe(200)

    for (const router of [a, b, c]) expect((await writes(sender, router))?.status).toBe(200)
    expect(device.received.map((text) => /X-Asked: (\w)/.exec(text)?.[1])).toEqual(['a', 'b', 'c'])
    for (const text of device.received)
      expect(text).toMatch(new RegExp(`^Via: SIP/2.0/UDP 127.0.0.1:${b.port};`, 'm'))

    await b.kill()
    if (hearsIcmp) {
      const first = await writes(sender, a)
      expect(first?.status).toBeGreaterThanOrEqual(480)
      expect(first?.milliseconds).toBeLessThan(250)
      // No second one is tried.
      expect(await writes(sender, a)).toMatchObject({
        status: 480,
        text: expect.stringContaining('480 Cold'),
      })
    }
    await pause(4_000)
    for (const router of [a, c]) expect(await writes(sender, router)).toMatchObject({ status: 480 })

    expect((await registers(device, c))?.status).toBe(200)
    for (const router of [a, c]) expect((await writes(sender, router))?.status).toBe(200)
    expect(device.received).toHaveLength(5)

    // The old owner comes back with what it had: it is no owner any more.
    const again = await edge('b', b.port)
    await settled()
    for (const router of [a, again, c]) expect((await writes(sender, router))?.status).toBe(200)
    expect(device.received.slice(5).every((text) => text.includes(`127.0.0.1:${c.port};`))).toBe(true)
  })

  test('viaduct ctl drain: on, status, off, as text and as JSON', async () => {
    const [a, b] = [await edge('a'), await edge('b')]
    const [own, other, sender] = [await caller(), await caller(), await caller()]
    await settled()
    expect((await registers(own, b, 'own'))?.status).toBe(200)
    expect(await ctl('b', 'drain')).toBe(
      `edge: b\nuri: sip:127.0.0.1:${b.port}\ndraining: yes\nbindings: 1\nflows: 0\n`,
    )
    const refused = await registers(other, b, 'other')
    expect(refused?.text).toMatch(/^SIP\/2\.0 503 .*^Retry-After: \d+\r$/ms)
    expect((await registers(own, b, 'own'))?.status).toBe(200)
    expect((await registers(other, a, 'other'))?.status).toBe(200)
    expect((await writes(sender, a, 'own'))?.status).toBe(200)
    expect((await writes(sender, b, 'other'))?.status).toBe(200)
    expect(JSON.parse(await ctl('b', 'drain', 'status', '--json'))).toEqual({
      edge: 'b',
      uri: `sip:127.0.0.1:${b.port}`,
      draining: 'yes',
      bindings: 1,
      flows: 0,
    })
    await settled()
    const edges: { name: string; draining: string }[] = JSON.parse(await ctl('a', 'edges', '--json'))
    expect(edges.map(({ name, draining }) => `${name} ${draining}`).toSorted()).toEqual(['a no', 'b yes'])
    expect(await ctl('b', 'drain', 'off')).toContain('draining: no\n')
    expect((await registers(other, b, 'new'))?.status).toBe(200)
    expect(await ctl('b', 'drain', 'perhaps')).toBe('error: 400 - on, off or status\n')
  })
})
