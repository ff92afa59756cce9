import { describe, expect, it } from 'vitest'
import { collectChallenges, pickBest } from '../../src/proxy/best-response.ts'
import { scan } from './stand.ts'

const codes = [302, 300, 400, 401, 404, 407, 408, 415, 420, 480, 484, 486, 487, 488, 500, 503, 504, 603, 600]

/** From the best to the worst: measured on Kamailio 5.6.3 by forking to every pair of codes, in both orders. */
const measuredOrder = [
  600, 603, 300, 302, 401, 407, 415, 420, 484, 400, 404, 408, 480, 486, 487, 488, 500, 503, 504,
]

const candidate = (status: number, isTimeout = false) => ({ status, response: null, isTimeout })

describe('RFC 3261 §16.7 step 6: the best response', () => {
  it('is what Kamailio chooses, for every pair of codes in both orders', () => {
    for (const a of codes) {
      for (const b of codes) {
        const expected = measuredOrder.indexOf(a) <= measuredOrder.indexOf(b) ? a : b
        expect(pickBest([candidate(a), candidate(b)], true)?.status, `${a}, ${b}`).toBe(expected)
      }
    }
  })

  it('is the first of two equal ones', () => {
    const first = candidate(404)
    expect(pickBest([first, candidate(404)], true)).toBe(first)
  })

  it('is never a 2xx or a provisional one: those are not chosen, they are forwarded', () => {
    expect(pickBest([candidate(200), candidate(180)], true)).toBeNull()
  })

  it('RFC 4320 §4.2: for a non-INVITE a 408 loses to everything', () => {
    expect(pickBest([candidate(408, true), candidate(504)], false)?.status).toBe(504)
    expect(pickBest([candidate(408, true), candidate(504)], true)?.status).toBe(408)
  })
})

describe('RFC 3261 §16.7 step 7: challenges of several branches', () => {
  const challenge = (status: number, header: string) => ({
    ...candidate(status),
    response: scan(
      `SIP/2.0 ${status} No\r\nVia: SIP/2.0/UDP a;branch=z9hG4bKa\r\nFrom: <sip:a@a>;tag=1\r\nTo: <sip:b@b>;tag=2\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n${header}\r\nContent-Length: 0\r\n\r\n`,
    ),
  })

  it('are combined in the order of the branches', () => {
    const lines = collectChallenges([
      challenge(401, 'WWW-Authenticate: Digest realm="a"'),
      candidate(404),
      challenge(407, 'Proxy-Authenticate: Digest realm="b"'),
    ])
    expect(lines).toBe('WWW-Authenticate: Digest realm="a"\r\nProxy-Authenticate: Digest realm="b"\r\n')
  })

  it('of one branch alone go through untouched', () => {
    expect(collectChallenges([challenge(401, 'WWW-Authenticate: Digest realm="a"')])).toBeNull()
  })
})
