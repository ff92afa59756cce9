import { resolve } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { type LadderOptions, playLadder, type SimulatedSocket, type World } from '../../src/testing/index.ts'

/**
 * What a request leaves behind when it is over: nothing but what the location may keep. A whole edge.cfg gets twenty
 * thousand requests of all fates, in rounds that are alike; after each round time ends every transaction, the tables
 * are empty, and no round needs more memory than the one before.
 */
const requestsPerRound = 5_000
const rounds = 4
/** Octets that the heap may differ by from round to round: what V8 keeps for itself. */
const heapSlackBytes = 1_500_000

/** Each round has requests that end so. */
const fates = [200, 400, 401, 404, 407, 408, 480, 486, 487]

const inside = '10.0.0.5'
const telephone = '192.0.2.77'
const stranger = '198.51.100.9'
const carrier = '60.250.1.1'
const router = '192.0.2.1'

const options: LadderOptions = {
  domain: router,
  cast: { bob: { password: 'builder' } },
  defines: {
    USERS: resolve('test/ladders/users.txt'),
    CARRIER: '60.250.0.0/16',
    DEVICES: 'pattern:2???',
    INSIDE: `sip:${inside}:5060`,
    INSIDE_ADDRESS: inside,
  },
}

/** One fate per kind; `Play` tells the telephone and the caller what to do. */
const kinds: readonly ((crowd: Crowd, n: number) => void)[] = [
  (crowd, n) => crowd.inside.send(message('INVITE', n, 'bob', inside, 'Play: 180 200'), router, 5060),
  (crowd, n) => crowd.inside.send(message('INVITE', n, 'bob', inside, 'Play: 486'), router, 5060),
  (crowd, n) => crowd.inside.send(message('INVITE', n, 'bob', inside, 'Play: 180 cancel'), router, 5060),
  (crowd, n) => crowd.inside.send(message('INVITE', n, 'bob', inside, 'Play: 180'), router, 5060),
  (crowd, n) => crowd.inside.send(message('INVITE', n, 'bob', inside, 'Play: nothing'), router, 5060),
  (crowd, n) => crowd.inside.send(message('INVITE', n, 'nobody', inside), router, 5060),
  (crowd, n) => crowd.inside.send(message('MESSAGE', n, 'bob', inside, 'Play: 200'), router, 5060),
  (crowd, n) => crowd.inside.send(message('MESSAGE', n, 'bob', inside, 'Play: nothing'), router, 5060),
  (crowd, n) => {
    const text = message('MESSAGE', n, 'bob', inside, 'Play: 200')
    for (let i = 0; i < 3; i++) crowd.inside.send(text, router, 5060)
  },
  (crowd, n) => crowd.carrier.send(message('MESSAGE', n, '1000', carrier), router, 5060),
  (crowd, n) => crowd.stranger.send(message('MESSAGE', n, 'bob', stranger), router, 5060),
  (crowd, n) => crowd.stranger.send(message('INVITE', n, 'bob', stranger), router, 5060),
  (crowd, n) => crowd.stranger.send(message('REGISTER', n, 'bob', stranger), router, 5060),
  (crowd, n) => crowd.stranger.send(message('OPTIONS', n, 'bob', stranger), router, 5060),
  (crowd, n) => crowd.stranger.send(message('CANCEL', n, 'bob', stranger), router, 5060),
  (crowd, n) =>
    crowd.stranger.send(message('BYE', n, 'bob', stranger).replace('CSeq:', 'CSeq'), router, 5060),
  (crowd, n) => crowd.stranger.send(respond(message('INVITE', n, 'bob', router), 200), router, 5060),
]

test('twenty thousand requests leave nothing behind', { timeout: 60_000 }, async () => {
  await playLadder('routes/edge.cfg', options, async (world) => {
    const crowd = new Crowd(world)
    world.log.setLevel('error')
    const heapBytes: number[] = []
    let n = 0
    for (let round = 0; round < rounds; round++) {
      await world.bob.registers({ headers: { Contact: `<sip:bob@${telephone}:5060>` } })
      const before = crowd.answers
      for (let i = 0; i < requestsPerRound; i++) {
        kinds[i % kinds.length]?.(crowd, n++)
        if (i % 50 === 49) await world.advance(5)
      }
      await world.advance(400_000)
      expect(crowd.answers - before, 'requests were answered').toBeGreaterThan(requestsPerRound / 2)
      expect(statusesIn(world)).toEqual(new Set([...fates, ...(round === 0 ? [202] : [])]))
      expect(liveIn(world)).toEqual({
        viaduct_server_transactions: 0,
        viaduct_client_transactions: 0,
        viaduct_contexts: 0,
        suspended: 0,
        errors: [],
      })
      world.network.captured.length = 0
      world.bob.inbox.length = 0
      crowd.ringing.clear()
      world.log.clear()
      heapBytes.push(heapAfterCollection())
    }
    // The first round compiles and fills caches.
    for (const bytes of heapBytes.slice(2)) {
      expect(bytes - (heapBytes[1] ?? 0), `heap: ${heapBytes.join(', ')}`).toBeLessThan(heapSlackBytes)
    }
  })
})

class Crowd {
  readonly inside: SimulatedSocket
  readonly carrier: SimulatedSocket
  readonly stranger: SimulatedSocket
  answers = 0
  /** INVITEs at the telephone, by Call-ID: what a CANCEL ends. */
  readonly ringing = new Map<string, string>()

  constructor({ network }: World) {
    const bind = (
      name: string,
      address: string,
      onDatagram: (text: string, own: SimulatedSocket) => void,
    ) => {
      const own: SimulatedSocket = network
        .host(name, { address })
        .bind(address, 5060, { onDatagram: (text) => onDatagram(text, own), onError() {} })
      return own
    }
    const counts = (text: string) => {
      if (text.startsWith('SIP/2.0')) this.answers++
    }
    this.carrier = bind('carrier', carrier, counts)
    this.stranger = bind('stranger', stranger, counts)
    this.inside = bind('inside', inside, (text, own) => {
      counts(text)
      for (const reply of asCaller(text)) own.send(reply, router, 5060)
    })
    bind('telephone', telephone, (text, own) => {
      for (const reply of asCallee(text, this.ringing)) own.send(reply, router, 5060)
    })
  }
}

/** ACK to every final answer to an INVITE, BYE after a 200, CANCEL at a 180 if the play says so. */
function asCaller(text: string): string[] {
  if (!/^CSeq: \d+ INVITE/m.test(text) || !text.startsWith('SIP/2.0')) return []
  const status = Number(text.slice(8, 11))
  const n = Number(/^Call-ID: (\d+)/m.exec(text)?.[1] ?? 0)
  const to = /^To:.*$/m.exec(text)?.[0].trim() ?? ''
  const within = (method: string, branch: string) =>
    message(method, n, 'bob', inside, `Route: <sip:${router};lr>`)
      .replace(/branch=\S+/, `branch=${branch}`)
      .replace(/^To:.*\r$/m, `${to}\r`)
      .replace(/^CSeq: 1/m, method === 'BYE' ? 'CSeq: 2' : 'CSeq: 1')
  if (status === 180 && /^Play: .*cancel/m.test(text)) return [message('CANCEL', n, 'bob', inside)]
  if (status < 200) return []
  if (status >= 300) return [within('ACK', `z9hG4bK${n}`).replace(/^Route:.*\r\n/m, '')]
  return [within('ACK', `z9hG4bKack${n}`), within('BYE', `z9hG4bKbye${n}`)]
}

function asCallee(text: string, ringing: Map<string, string>): string[] {
  if (text.startsWith('SIP/2.0') || text.startsWith('ACK')) return []
  if (text.startsWith('BYE')) return [respond(text, 200)]
  const callId = /^Call-ID: (\d+)/m.exec(text)?.[1] ?? ''
  if (text.startsWith('CANCEL')) return [respond(text, 200), respond(ringing.get(callId) ?? text, 487)]
  if (text.startsWith('INVITE')) ringing.set(callId, text)
  const play = /^Play: (.*)\r$/m.exec(text)?.[1] ?? ''
  return play
    .split(' ')
    .filter((word) => /^\d/.test(word))
    .map((status) => respond(text, Number(status)))
}

function message(method: string, n: number, to: string, from: string, line = ''): string {
  return [
    `${method} sip:${to}@${router} SIP/2.0`,
    `Via: SIP/2.0/UDP ${from}:5060;branch=z9hG4bK${n}`,
    'Max-Forwards: 70',
    ...(line === '' ? [] : [line]),
    `From: <sip:${from === carrier ? 2_000 + (n % 500) : 'alice'}@${router}>;tag=f${n}`,
    `To: <sip:${to}@${router}>`,
    `Call-ID: ${n}`,
    `CSeq: 1 ${method}`,
    'Content-Length: 0',
    '',
    '',
  ].join('\r\n')
}

function respond(request: string, status: number): string {
  const kept = request
    .split('\r\n')
    .filter((one) => /^(via|from|to|call-id|cseq|record-route|play):/i.test(one))
  return [
    `SIP/2.0 ${status} Whatever`,
    ...kept.map((one) => (one.startsWith('To:') && !one.includes('tag=') ? `${one};tag=t` : one)),
    `Contact: <sip:bob@${telephone}>`,
    'Content-Length: 0',
    '',
    '',
  ].join('\r\n')
}

/** The final answers that left the router. */
function statusesIn({ network }: World): Set<number> {
  const statuses = new Set<number>()
  for (const { fromHost, text } of network.captured) {
    if (fromHost === 'router' && /^SIP\/2\.0 [2-6]/.test(text)) statuses.add(Number(text.slice(8, 11)))
  }
  return statuses
}

function liveIn({ running, log }: World): Record<string, unknown> {
  const live: Record<string, unknown> = {}
  for (const { name, value } of running.metrics.samples()) {
    if (/^viaduct_(server_transactions|client_transactions|contexts)$/.test(name)) live[name] = value
  }
  live['suspended'] = running.engine.suspendedCount
  live['errors'] = log.lines.map(({ message: text }) => text)
  return live
}

function heapAfterCollection(): number {
  setFlagsFromString('--expose-gc')
  const collect: unknown = runInNewContext('gc')
  if (typeof collect === 'function') for (let i = 0; i < 2; i++) collect()
  return process.memoryUsage().heapUsed
}
