import { resolve } from 'node:path'
import fc from 'fast-check'
import { test } from 'vitest'
import {
  type CapturedDatagram,
  playLadder,
  type SimulatedSocket,
  type World,
} from '../../src/testing/index.ts'
import { tortureCases } from '../rfc/corpus.ts'
import { mutate, mutation } from './hostile-text.ts'
import { debris, octets } from './message-text.ts'

/**
 * Law: whatever octets arrive, from wherever, the router throws nothing, logs no error, answers no request twice, and
 * answers the next one. A whole edge.cfg gets random octets, debris, the torture messages, and the messages of real
 * calls, all of them mutated; they come from strangers, from a carrier's prefix, from the server inside, and as
 * answers of a telephone that was called.
 *
 * VIADUCT_FUZZ=1000000 runs so many cases instead of a few thousand; VIADUCT_FUZZ_SEED repeats a run.
 */
const runs = Number(process.env['VIADUCT_FUZZ'] ?? 4_000)
const seed = Number(process.env['VIADUCT_FUZZ_SEED'] ?? Date.now() % 2 ** 31)

/** Cases between two looks at what left the router: after each batch all transactions have ended. */
const batchSize = 500
const insideAddress = '10.0.0.5'
const telephoneAddress = '192.0.2.77'

const options = {
  domain: '192.0.2.1',
  nats: { carrier: { publicAddress: '60.250.149.198', firstPort: 59_177 } },
  cast: {
    alice: { password: 'wonderland' },
    bob: { password: 'builder' },
    device: { user: '2000', address: '10.92.240.131', behind: 'carrier', rport: false },
  },
  defines: {
    USERS: resolve('test/ladders/users.txt'),
    CARRIER: '60.250.0.0/16',
    DELEGATE: '1000 2??? contact=seen max=1',
    INSIDE: `sip:${insideAddress}:5060`,
    INSIDE_ADDRESS: insideAddress,
  },
}

/** The messages of a call, a registration, a MESSAGE of a device: what agents sent to the router. */
async function messagesOfLadders(): Promise<string[]> {
  const { captured } = await playLadder('routes/edge.cfg', options, async ({ alice, bob, device }) => {
    await alice.registers()
    await bob.registers()
    await device.sends('MESSAGE sip:bob@192.0.2.1', { body: 'position 25.03 121.56' })
    await bob.receives('MESSAGE')
    await bob.sends(200)
    await device.receives(200)
    for (const what of ['INVITE', 'SUBSCRIBE']) {
      await alice.sends(`${what} sip:bob@192.0.2.1`, { body: 'v=0\r\n', contentType: 'application/sdp' })
      await alice.receives(407)
      await alice.authenticates()
      await bob.receives(what)
      await bob.sends(200)
      await alice.receives(200)
      if (what === 'INVITE') await alice.sends('ACK')
    }
    await alice.sends('INVITE', { body: 'v=0\r\n', contentType: 'application/sdp' })
    await alice.sends('CANCEL')
    await bob.sends('BYE')
    await alice.sends('OPTIONS sip:192.0.2.1')
  })
  return captured.filter(({ toHost }) => toHost === 'router').map(({ text }) => text)
}

const sources = ['stranger', 'carrier', 'inside', 'telephone'] as const
type Source = (typeof sources)[number]

/** One sender per case, each with an endpoint of its own, so that what comes back can be told apart. */
class Senders {
  readonly #world: World
  readonly #sockets: SimulatedSocket[] = []
  readonly #texts = new Map<string, string>()
  readonly #hosts: Record<Exclude<Source, 'telephone'>, ReturnType<World['network']['host']>>
  /** What the telephone got last. */
  lastRequest = ''
  readonly #telephone: SimulatedSocket

  constructor(world: World) {
    this.#world = world
    const host = (name: string, prefix: string) =>
      world.network.host(name, {
        address: `${prefix}.1.1`,
        addresses: Array.from({ length: batchSize }, (_, i) => addressOf(prefix, i)),
      })
    this.#hosts = {
      stranger: host('stranger', '198.51'),
      carrier: host('carrier', '60.250'),
      inside: world.network.host('inside', { address: insideAddress }),
    }
    this.#telephone = world.network
      .host('telephone', { address: telephoneAddress })
      .bind(telephoneAddress, 5060, {
        onDatagram: (text) => {
          if (!text.startsWith('SIP/2.0')) this.lastRequest = text
        },
        onError() {},
      })
  }

  send(source: Source, text: string, index: number): void {
    const { router } = this.#world
    if (source === 'telephone') {
      this.#telephone.send(text, router.address, router.port)
      return
    }
    const address =
      source === 'inside' ? insideAddress : addressOf(source === 'carrier' ? '60.250' : '198.51', index)
    const socket = this.#hosts[source].bind(address, 10_000 + index, { onDatagram() {}, onError() {} })
    this.#sockets.push(socket)
    this.#texts.set(`${address}:${10_000 + index}`, text)
    socket.send(text, router.address, router.port)
  }

  /**
   * Those that got more than one final answer to the one request they sent. RFC 6026 §7.1: of an INVITE every 2xx is
   * forwarded, however many the telephone makes up.
   */
  answeredTwice(captured: readonly CapturedDatagram[]): string[] {
    const finals = new Map<string, Set<string>>()
    for (const { fromHost, to, text } of captured) {
      if (fromHost !== 'router' || !/^SIP\/2\.0 [2-6]/.test(text)) continue
      if (/^SIP\/2\.0 2/.test(text) && /^CSeq *:.*INVITE/im.test(text)) continue
      const key = `${to.address}:${to.port}`
      const seen = finals.get(key)
      if (seen === undefined) finals.set(key, new Set([text]))
      else seen.add(text)
    }
    return [...finals]
      .filter(([key, answers]) => answers.size > 1 && this.#texts.has(key))
      .map(([key, answers]) => ['answered twice:', this.#texts.get(key), ...answers].join('\n'))
  }

  closeAll(): void {
    for (const socket of this.#sockets) socket.close()
    this.#sockets.length = 0
    this.#texts.clear()
  }
}

function addressOf(prefix: string, index: number): string {
  return `${prefix}.${2 + Math.floor(index / 250)}.${1 + (index % 250)}`
}

/** An answer to a request that the router sent: what only its receiver can make. */
function answerTo(request: string, status: number): string {
  const kept = request
    .split('\r\n')
    .filter((line) => /^(via|v|from|f|to|t|call-id|i|cseq|record-route) *:/i.test(line))
  return [
    `SIP/2.0 ${status} Whatever`,
    ...kept,
    'Contact: <sip:bob@192.0.2.77>',
    'Content-Length: 0',
    '',
    '',
  ].join('\r\n')
}

const ladderMessages = await messagesOfLadders()

const base = fc.oneof(
  { weight: 1, arbitrary: octets },
  { weight: 1, arbitrary: debris },
  { weight: 3, arbitrary: fc.constantFrom(...tortureCases.map(({ text }) => text)) },
  { weight: 5, arbitrary: fc.constantFrom(...ladderMessages) },
)

const hostileCase = fc.record({
  source: fc.constantFrom(...sources),
  base,
  status: fc.constantFrom(100, 180, 200, 202, 301, 401, 404, 407, 481, 486, 500, 503, 603),
  mutations: fc.oneof(
    { weight: 1, arbitrary: fc.constant([]) },
    { weight: 8, arbitrary: fc.array(mutation, { minLength: 1, maxLength: 6 }) },
  ),
})

test(`${runs} hostile datagrams, seed ${seed}`, { timeout: 60_000 + runs * 20 }, async () => {
  let problem: unknown = null
  await playLadder('routes/edge.cfg', options, async (world) => {
    const { alice, bob, network, log, running, advance, clock } = world
    const contact = (user: string) => ({ headers: { Contact: `<sip:${user}@${telephoneAddress}:5060>` } })
    await alice.registers(contact('alice'))
    await bob.registers(contact('bob'))
    const senders = new Senders(world)
    const defects = running.metrics.counter('viaduct_internal_errors_total', '')
    let index = 0
    log.setLevel('error')
    log.clear()

    await fc
      .assert(
        fc.asyncProperty(hostileCase, async ({ source, base, status, mutations }) => {
          if (problem !== null) return
          const original =
            source === 'telephone' && senders.lastRequest ? answerTo(senders.lastRequest, status) : base
          senders.send(source, mutate(original, mutations), index++)
          await advance(2)
          const found = faults()
          log.clear()
          if (found.length > 0) throw new Error(found.join('\n'))
          if (index >= batchSize) problem = await endBatch()
        }),
        { numRuns: runs, seed },
      )
      .catch((error: unknown) => {
        problem ??= error
      })
    problem ??= await endBatch()

    function faults(): string[] {
      const lines = log.lines.map(({ message, fields }) => `${message} ${stackOf(fields['err'])}`)
      return defects.value() === 0
        ? lines
        : [...lines, `${defects.value()} datagrams lost to a defect of ours`]
    }

    /** Time ends every transaction; then what left is looked at, and the router must still be there. */
    async function endBatch(): Promise<unknown> {
      await advance(300_000)
      const found = [...faults(), ...senders.answeredTwice(network.captured)]
      senders.closeAll()
      network.captured.length = 0
      index = 0
      alice.inbox.length = 0
      await alice.sends('OPTIONS sip:192.0.2.1')
      await advance(10)
      if (alice.inbox.at(-1)?.statusCode !== 200) found.push('no answer to OPTIONS')
      if (clock.pending > 1_000) found.push(`${clock.pending} timers are left`)
      return found.length === 0 ? null : new Error(found.join('\n\n'))
    }
  })
  if (problem !== null) throw problem
})

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error ?? '')
}
