import { describe, expect, test } from 'vitest'
import { mintToken, type TokenKind } from '../../src/edges/edge-token.ts'
import { isFault, scanMessage } from '../../src/sip/scan.ts'
import type { Agent } from '../../src/testing/index.ts'
import { type EdgeWorld, playEdges } from './edge-world.ts'

/** Who may send through a flow that is not his: nobody but the edges, and those in a dialog that they have made. */
const callId = 'a-dialog@198.51.100.1'

interface Knock {
  readonly what: string
  readonly status: number
  /** A word of its Reason. */
  readonly why?: string
  /** From another edge's address; else from a stranger's. */
  readonly fromEdge?: boolean
  readonly kind?: TokenKind
  readonly token?: (token: string) => string
  readonly signedFor?: string
  readonly secret?: Buffer
  readonly ruid?: string
  readonly toTag?: string
  readonly method?: string
  readonly from?: { readonly behind: 'mobile' }
  /** Behind the token. */
  readonly routes?: string
  /** Of the request that the device gets; 0 if absent. */
  readonly recordRoutes?: number
}

const knocks: readonly Knock[] = [
  { what: 'an edge with its token', status: 200, fromEdge: true },
  { what: 'a stranger with a token of an edge', status: 403, why: 'from an edge' },
  {
    what: 'an edge with the token of another Call-ID',
    status: 403,
    why: 'Call-ID',
    fromEdge: true,
    signedFor: 'b',
  },
  {
    what: 'a secret that is not theirs',
    status: 403,
    why: 'Call-ID',
    fromEdge: true,
    secret: Buffer.alloc(32, 1),
  },
  { what: 'a token that is cut', status: 403, fromEdge: true, token: (token) => token.slice(0, 20) },
  { what: 'a token that begins like one', status: 403, fromEdge: true, token: () => 'flow.' },
  { what: 'a signature that is nearly right', status: 403, fromEdge: true, token: changed },
  {
    what: 'the name of another binding under it',
    status: 403,
    fromEdge: true,
    token: (token) => `${token}0`,
  },
  {
    what: 'a token of one kind, called another',
    status: 403,
    toTag: 'x',
    token: (token) => token.replace('flow.r.', 'flow.i.'),
  },
  {
    what: 'an edge with a token for a binding that is not there',
    status: 480,
    why: 'not here',
    fromEdge: true,
    ruid: 'uloc-0-0-00000000',
  },
  {
    what: 'an edge with a token for nothing that a ruid could be',
    status: 480,
    why: 'not here',
    fromEdge: true,
    ruid: 'x',
  },
  { what: 'whoever is in the dialog, towards the device', status: 200, kind: 'inward', toTag: 'x' },
  { what: 'whoever was in the dialog, for a new one', status: 403, why: 'in a dialog', kind: 'inward' },
  { what: 'the same by an edge', status: 403, why: 'in a dialog', kind: 'inward', fromEdge: true },
  {
    what: 'a stranger who says that he is the device',
    status: 403,
    why: 'the device',
    kind: 'outward',
    toTag: 'x',
  },
  {
    what: 'another edge that says so',
    status: 403,
    why: 'the device',
    kind: 'outward',
    toTag: 'x',
    fromEdge: true,
  },
  {
    what: 'the device, for a new dialog',
    status: 403,
    why: 'in a dialog',
    kind: 'outward',
    from: { behind: 'mobile' },
  },
  { what: 'an INVITE of a stranger', status: 403, method: 'INVITE' },
  { what: 'a CANCEL of an edge for what is not there', status: 481, method: 'CANCEL', fromEdge: true },
  { what: 'a CANCEL of a stranger', status: 403, method: 'CANCEL' },
  { what: 'an INVITE of an edge', status: 200, method: 'INVITE', fromEdge: true, recordRoutes: 2 },
  { what: 'an INVITE of an edge within a dialog', status: 200, method: 'INVITE', fromEdge: true, toTag: 'x' },
  {
    what: 'an edge whose script left a Route for somebody else',
    status: 200,
    fromEdge: true,
    routes: ', <sip:192.0.2.99;lr>',
  },
  {
    what: 'an edge whose script left one for a strict router',
    status: 200,
    fromEdge: true,
    routes: ', <sip:192.0.2.99>',
  },
  { what: 'an edge with a Route that cannot be read', status: 400, fromEdge: true, routes: ', <sip:' },
  {
    what: 'a Route that cannot be read, in a dialog',
    status: 400,
    kind: 'inward',
    toTag: 'x',
    routes: ', nothing',
  },
  {
    what: 'a BYE of an edge in a dialog',
    status: 200,
    method: 'BYE',
    kind: 'inward',
    toTag: 'x',
    fromEdge: true,
  },
]

/** The first letter of its signature. */
function changed(token: string): string {
  return `${token.slice(0, 7)}${token[7] === 'A' ? 'B' : 'A'}${token.slice(8)}`
}

describe('a request with a token', () => {
  test.each(knocks)('$what: $status', async (knock) => {
    await playEdges({ names: ['b'] }, async (world) => {
      const device = await registered(world)
      const sender = await senderOf(world, knock)
      await sender.sendsText(await requestOf(world, knock))
      if (knock.status === 200) {
        const request = await device.receives(`${knock.method ?? 'MESSAGE'} sip:device@10.0.0.99`)
        expect(request.headers('Record-Route')).toHaveLength(knock.recordRoutes ?? 0)
        expect(request.header('Route')).toBe((knock.routes ?? '').replace(', ', ''))
        await device.sends(200)
        await sender.receives(200)
      } else {
        const refused = await sender.receives(knock.status)
        expect(refused.header('Reason')).toContain(knock.why ?? '')
        expect(refused.header('Reason')).toMatch(new RegExp(`^SIP;cause=${knock.status};text="`))
        await device.receivesNothing()
      }
      expect(
        world
          .edge('b')
          .log.messages('info')
          .filter((line) => /runs (?!REG)/.test(line)),
      ).toEqual([])
    })
  })

  test('for a binding that has expired, and was not removed yet: 480', async () => {
    await playEdges({ names: ['b'] }, async (world) => {
      const device = world.agent('device', 'b', { behind: 'mobile' })
      await device.registers({ expires: 60 })
      const knock = { what: '', status: 480, fromEdge: true }
      const sender = await senderOf(world, knock)
      const text = await requestOf(world, knock)
      // Each second what has expired is removed.
      await world.advance(62_500 - world.clock.now())
      await sender.sendsText(text)
      await sender.receives(480)
    })
  })

  test('comes from one whom a router knows that cannot keep up', async () => {
    await playEdges({ names: ['b'] }, async (world) => {
      await registered(world)
      const message = scanMessage(await requestOf(world, { what: '', status: 0 }))
      const sender = await senderOf(world, { what: '', status: 0, fromEdge: true })
      const { engine, sockets } = world.edge('b').server
      const [socket] = sockets.sockets
      if (isFault(message) || socket === undefined) throw new Error('no message')
      expect(engine.isKnown(message, { socket, address: sender.host.address, port: 5060 })).toBe(true)
      expect(engine.isKnown(message, { socket, address: sender.host.address, port: 5061 })).toBe(false)
    })
  })

  test('an ACK that is refused is not answered', async () => {
    await playEdges({ names: ['b'] }, async (world) => {
      const device = await registered(world)
      const stranger = world.agent('stranger', 'b')
      await stranger.sendsText(await requestOf(world, { what: '', status: 0, method: 'ACK' }))
      await stranger.receivesNothing()
      await device.receivesNothing()
    })
  })

  test('no state is kept of what is refused, and no more comes back than went in', async () => {
    await playEdges({ names: ['b'] }, async (world) => {
      await registered(world)
      await world.advance(40_000)
      const stranger = world.agent('stranger', 'b')
      const text = await requestOf(world, { what: '', status: 0 })
      for (let i = 0; i < 50; i++)
        await stranger.sendsText(text.replace('branch=z9hG4bK', `branch=z9hG4bK${i}`))
      // Workers add up what they have counted each second.
      await world.advance(2_000)
      const samples = world.edge('b').server.metrics.samples()
      const metric = (name: string) => samples.find((sample) => sample.name === name)?.value
      expect(metric('viaduct_server_transactions')).toBe(0)
      expect(metric('viaduct_edges_refused_total')).toBe(50)
      const answered = world.network.captured.findLast(({ fromHost }) => fromHost === 'b')
      expect(answered?.text.length).toBeLessThan(2 * text.length)
    })
  })

  test('a Route that names somebody of that name elsewhere is none of ours', async () => {
    await playEdges({ names: ['b'] }, async (world) => {
      await registered(world)
      const stranger = world.agent('stranger', 'b')
      const text = await requestOf(world, { what: '', status: 0 })
      await stranger.sendsText(text.replace('@192.0.2.1:5060;lr', '@192.0.2.77:5060;lr'))
      await world.advance(10)
      expect(world.edge('b').log.messages('info')).toContainEqual(expect.stringContaining('b runs MESSAGE'))
    })
  })
})

async function registered(world: EdgeWorld): Promise<Agent> {
  const device = world.agent('device', 'b', { behind: 'mobile' })
  await device.registers()
  await world.advance(10)
  return device
}

/** An edge that nobody plays: its address is known, since it has joined. */
async function senderOf(world: EdgeWorld, { fromEdge, from }: Knock): Promise<Agent> {
  if (fromEdge !== true) return world.agent('stranger', 'b', from ?? {})
  const sender = world.agent('edge', 'b')
  world.directory.join({ name: 'edge', uri: `sip:${sender.host.address}:${sender.port}` })
  await world.advance(2_000)
  return sender
}

async function requestOf(world: EdgeWorld, knock: Knock): Promise<string> {
  const { kind = 'request', signedFor = callId, secret = world.directory.secret, method = 'MESSAGE' } = knock
  const ruid = knock.ruid ?? (await ruidOf(world))
  const token = mintToken(secret, { ruid, callId: signedFor, kind })
  const toTag = knock.toTag === undefined ? '' : `;tag=${knock.toTag}`
  return [
    `${method} sip:device@10.0.0.99 SIP/2.0`,
    'Via: SIP/2.0/UDP 198.51.100.77:5060;branch=z9hG4bKknock;rport',
    `Route: <sip:${knock.token?.(token) ?? token}@192.0.2.1:5060;lr>${knock.routes ?? ''}`,
    'Max-Forwards: 70',
    'From: <sip:somebody@example.com>;tag=1',
    `To: <sip:device@example.com>${toTag}`,
    `Call-ID: ${callId}`,
    `CSeq: 1 ${method}`,
    'Content-Length: 0',
    '',
    '',
  ].join('\r\n')
}

async function ruidOf(world: EdgeWorld): Promise<string> {
  return (
    /uloc-[\w-]+/.exec(JSON.stringify(await world.edge('b').rpc('ul.lookup', 'location', 'device')))?.[0] ??
    ''
  )
}
