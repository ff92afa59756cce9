import { describe, expect, test } from 'vitest'
import { Overload } from '../../src/overload/overload.ts'
import { createMetrics } from '../../src/runtime/metrics.ts'
import { isFault, scanMessage } from '../../src/sip/scan.ts'
import { simulatedClock } from '../../src/testing/clock.ts'
import { collectingLog } from '../../src/testing/log.ts'
import { seededRandom } from '../../src/testing/random.ts'
import type { Flow } from '../../src/transport/socket.ts'
import { createListenSocket } from '../../src/transport/sockets.ts'

/** docs/decisions/0023-overload.md, "Who is let in". */

const socket = createListenSocket({ transport: 'udp', address: '192.0.2.1', port: 5060 }, 0)
const flowOf = (address: string): Flow => ({ socket, address, port: 5060 })

interface Asked {
  method?: string
  uri?: string
  callId?: string
  toTag?: string
}

function request({ method = 'REGISTER', uri = 'sip:192.0.2.1', callId = 'a', toTag = '' }: Asked) {
  const message = scanMessage(
    `${method} ${uri} SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK${callId}\r\nMax-Forwards: 70\r\n` +
      `From: <sip:a@example.com>;tag=1\r\nTo: <sip:a@example.com>${toTag && `;tag=${toTag}`}\r\n` +
      `Call-ID: ${callId}\r\nCSeq: 1 ${method}\r\nContent-Length: 0\r\n\r\n`,
  )
  if (isFault(message)) throw new Error(message.reason)
  return message
}

/** An overload control whose loop is as busy as it is told. */
function stand(known: readonly string[] = []) {
  const plain = simulatedClock()
  let slept = 0
  const clock = { ...plain, slept: () => slept }
  const log = collectingLog()
  const metrics = createMetrics()
  const changes: boolean[] = []
  const overload = new Overload({
    clock,
    random: seededRandom(3),
    log,
    metrics,
    isKnown: (_, { address }) => known.includes(address),
    onChange: (isShedding) => changes.push(isShedding),
  })
  return {
    overload,
    log,
    changes,
    clock,
    /** Seconds in which the loop is busy for that share of its time. */
    spend(seconds: number, busy: number) {
      for (let n = 0; n < seconds * 5; n++) {
        slept += 200 * (1 - busy)
        plain.advanceSync(200)
      }
    },
    ask: (asked: Asked, address = '192.0.2.9') => overload.refusal(request(asked), flowOf(address)),
    metric: (name: string) => {
      const samples = metrics.samples().filter((sample) => sample.name === name)
      return samples.reduce((sum, { value }) => sum + value, 0)
    },
  }
}

describe('who keeps up', () => {
  test('turns nobody away, and says nothing', () => {
    const { ask, spend, changes, log } = stand()
    spend(60, 0.8)
    expect(ask({})).toBe(0)
    expect(changes).toEqual([])
    expect(log.lines).toEqual([])
  })
})

describe('who cannot keep up', () => {
  /** All newcomers are turned away. */
  const overloaded = (known: readonly string[] = []) => {
    const it = stand(known)
    it.spend(1.8, 1)
    return it
  }

  test.each<[string, Asked]>([
    ['an ACK', { method: 'ACK' }],
    ['a CANCEL', { method: 'CANCEL' }],
    ['a BYE of a dialog', { method: 'BYE', toTag: '7' }],
    ['an INVITE within a dialog', { method: 'INVITE', toTag: '7' }],
    ['an emergency call', { method: 'INVITE', uri: 'urn:service:sos.fire' }],
  ])('lets in %s', (_, asked) => expect(overloaded().ask(asked)).toBe(0))

  test('lets in whom a module knows', () => {
    const { ask } = overloaded(['192.0.2.9'])
    expect(ask({})).toBe(0)
    expect(ask({}, '192.0.2.10')).toBeGreaterThan(0)
  })

  test('tells newcomers when to come again, each something else', () => {
    const { ask } = overloaded()
    const told = Array.from({ length: 300 }, (_, n) => ask({ callId: `c${n}` }))
    expect(Math.min(...told)).toBeGreaterThanOrEqual(4)
    expect(Math.max(...told)).toBeLessThanOrEqual(12)
    expect(new Set(told).size).toBe(9)
  })

  test('tells who comes too early how long it is yet', () => {
    const { ask, spend } = overloaded()
    const told = ask({})
    spend(2, 0.9)
    expect(ask({})).toBeGreaterThanOrEqual(told - 3)
    expect(ask({})).toBeLessThanOrEqual(told - 1)
  })

  test('lets in who comes at its time', () => {
    const { ask, spend } = overloaded()
    const told = ask({})
    spend(told, 0.9)
    expect(ask({ callId: 'stranger' })).toBeGreaterThan(0)
    expect(ask({})).toBe(0)
  })

  test('but not from another address', () => {
    const { ask, spend } = overloaded()
    spend(ask({}), 0.9)
    expect(ask({}, '198.51.100.1')).toBeGreaterThan(0)
  })

  test('unless those at their time alone are too many', () => {
    const { ask, spend, metric } = overloaded()
    const told = ask({})
    spend(told + 4, 1)
    expect(metric('viaduct_overload_level')).toBe(2)
    expect(ask({})).toBeGreaterThan(0)
  })

  test('lets in who was let in again, with the answer to a challenge, and not for ever', () => {
    const { ask, spend } = overloaded()
    const told = ask({})
    spend(told, 0.9)
    // The first, and six more.
    expect(Array.from({ length: 8 }, () => ask({}) > 0)).toEqual([...new Array(7).fill(false), true])
  })

  test('says so in one line, and once more when it is over', () => {
    const { ask, spend, log, changes, metric } = overloaded()
    ask({})
    spend(120, 0.5)
    expect(changes).toEqual([true, false])
    expect(log.lines.map(({ level, message }) => `${level} ${message}`)).toEqual([
      'warn overloaded: newcomers are told to come again later, whom we know is served',
      'warn no longer overloaded: everybody is served',
    ])
    expect(log.lines[1]?.fields).toMatchObject({ refused: 1 })
    expect(metric('viaduct_overload_refused_total')).toBe(1)
    expect(metric('viaduct_overloads_total')).toBe(1)
    expect(ask({ callId: 'late' })).toBe(0)
  })

  test('turns away no more than it must: half of them at first', () => {
    const { ask, spend } = stand()
    spend(0.8, 1)
    const refused = Array.from({ length: 1_000 }, (_, n) => ask({ callId: `n${n}` })).filter((s) => s > 0)
    expect(refused.length).toBeGreaterThan(430)
    expect(refused.length).toBeLessThan(570)
  })
})

test('closed, it measures nothing any more', () => {
  const { overload, clock } = stand()
  overload.close()
  expect(clock.pending).toBe(0)
})
