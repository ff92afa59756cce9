import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { HeaderId } from '../../src/sip/header-id.ts'
import { isFault, scanMessage } from '../../src/sip/scan.ts'
import { type CapturedDatagram, playLadder } from '../../src/testing/index.ts'
import { type TortureCase, tortureCases } from './corpus.ts'

/**
 * RFC 4475 and RFC 5118 through a whole router (torture.cfg): what becomes of each message must be among what
 * expectations.tsv allows. And whatever it is: no defect of ours, no second final answer, nothing that leaves with
 * other octets than it came with, save what a proxy must change (RFC 3261 §16.6).
 */
const sink = '192.0.2.99'
const senderAddress = '192.0.2.10'

interface Outcome {
  readonly verdict: string
  readonly forwarded: readonly string[]
  readonly finals: readonly string[]
  /** Everything that left the router. */
  readonly sent: readonly CapturedDatagram[]
  readonly errors: readonly string[]
  readonly defects: number
  readonly isAlive: boolean
}

/** Sends the message, answers what arrives at the sink with 200, and lets a minute pass. */
async function outcomeOf({ text }: TortureCase): Promise<Outcome> {
  let outcome: Outcome | null = null
  await playLadder(
    'test/rfc/torture.cfg',
    { cast: { sink: { address: sink } } },
    async ({ carol, sink: agent, network, log, router, advance, running }) => {
      // No agent: it would not read the answers to what cannot be read.
      const sender = network.host('sender', { address: senderAddress })
      const socket = sender.bind(senderAddress, 5060, { onDatagram() {}, onError() {} })
      socket.send(text, router.address, router.port)
      await advance(50)
      for (const request of agent.inbox.filter(({ isRequest, method }) => isRequest && method !== 'ACK')) {
        await agent.sends(200, { request })
      }
      await advance(200_000)
      const sent = network.captured.filter(({ fromHost }) => fromHost === 'router')
      const forwarded = unique(sent.filter(({ to }) => to.address === sink)).filter(
        (one) => !one.startsWith('ACK '),
      )
      const finals = unique(sent.filter(({ to }) => to.address !== sink)).filter((one) =>
        /^SIP\/2\.0 [2-6]/.test(one),
      )
      await carol.sends('OPTIONS sip:ping@192.0.2.1')
      await advance(10)
      outcome = {
        verdict: verdictOf(forwarded, finals),
        forwarded,
        finals,
        sent,
        errors: [...log.messages('error'), ...log.messages('fatal')],
        defects: running.metrics.counter('viaduct_internal_errors_total', '').value(),
        isAlive: agent.inbox.some(({ requestUri }) => requestUri === 'sip:ping@192.0.2.1'),
      }
    },
  )
  if (outcome === null) throw new Error('the play did not end')
  return outcome
}

function unique(datagrams: readonly CapturedDatagram[]): string[] {
  return [...new Set(datagrams.map(({ text }) => text))]
}

function verdictOf(forwarded: readonly string[], finals: readonly string[]): string {
  if (forwarded.length > 0) return 'F'
  return finals[0]?.slice(8, 11) ?? 'D'
}

const outcomes = new Map<string, Outcome>()

beforeAll(async () => {
  for (const torture of tortureCases) outcomes.set(torture.name, await outcomeOf(torture))
}, 60_000)
afterAll(() => outcomes.clear())

function outcomeNamed(name: string): Outcome {
  const outcome = outcomes.get(name)
  if (outcome === undefined) throw new Error(`${name} was not played`)
  return outcome
}

test.each(tortureCases)('$name $note: $acceptable', (torture) => {
  const { verdict, finals, forwarded, errors, defects, isAlive } = outcomeNamed(torture.name)
  expect(torture.acceptable).toContain(verdict)
  expect({ errors, defects, isAlive }).toEqual({ errors: [], defects: 0, isAlive: true })
  // Row 68: never two.
  expect(finals.length).toBeLessThanOrEqual(1)
  expect(forwarded.length).toBeLessThanOrEqual(1)
  for (const one of forwarded) expect(untouched(one, 1)).toEqual(untouched(torture.text, 0))
})

/**
 * What a proxy has no business with: the start line, all header lines but the topmost Via and Max-Forwards, the
 * body as long as Content-Length says. `ownVias`: how many Via lines to leave out on top.
 */
function untouched(text: string, ownVias: number): { startLine: string; lines: string[]; body: string } {
  const message = scanMessage(text)
  if (isFault(message)) throw new Error(`forwarded, and cannot be read: ${message.reason}`)
  const lines: string[] = []
  let vias = 0
  for (let i = 0; i < message.headerCount; i++) {
    const id = message.headerId(i)
    if (id === HeaderId.via && vias++ <= ownVias) continue
    if (id === HeaderId.maxForwards) continue
    lines.push(text.slice(message.headerStart(i), message.headerEnd(i)))
  }
  return { startLine: text.slice(0, text.indexOf('\r\n')), lines, body: message.body }
}

describe('what the RFCs say beyond the verdict', () => {
  test('RFC 4475 §3.1.1.1: the other Vias of wsinv stay behind ours', () => {
    const [forwarded = ''] = outcomeNamed('4475-wsinv').forwarded
    const message = scanMessage(forwarded)
    if (isFault(message)) throw new Error(message.reason)
    expect(message.vias().map(({ host }) => host)).toEqual([
      '192.0.2.1',
      '192.0.2.2',
      'spindle.example.com',
      '192.168.255.111',
    ])
  })

  test('RFC 4475 §3.1.1.4, row 67: null%00null and null are two bindings', () => {
    const [ok = ''] = outcomeNamed('4475-escnull').finals
    expect(
      ok
        .match(/^Contact: .*$/gm)
        ?.join()
        .match(/<sip:/g),
    ).toHaveLength(2)
    expect(ok).toContain('%00')
  })

  test('RFC 4475 §3.1.1.8: what follows the body is no message', () => {
    const { sent } = outcomeNamed('4475-dblreq')
    expect(sent.filter(({ to, text }) => to.address === sink && !text.includes('sip:ping@'))).toEqual([])
  })

  test('RFC 4475 §3.3.5: 420 names what is not supported', () => {
    expect(outcomeNamed('4475-bext01').finals[0]).toMatch(/^Unsupported: .*noProxiesSupportThis/im)
  })

  test('RFC 4475 §3.3.10: a response with a broadcast Via goes nowhere', () => {
    expect(outcomeNamed('4475-bcast').sent.filter(({ text }) => text.includes('200 OK'))).toEqual([])
  })

  test('RFC 5118 §4.5: the answer goes to where the request came from, whatever received says', () => {
    for (const name of ['5118-via-received-param-with-delim', '5118-via-received-param-no-delim']) {
      const { sent } = outcomeNamed(name)
      const answers = sent.filter(({ text, to }) => text.startsWith('SIP/2.0 200') && to.address !== sink)
      expect(answers.map(({ to }) => to.address)).toEqual([senderAddress])
    }
  })
})
