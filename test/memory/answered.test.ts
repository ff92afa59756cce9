import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { answer, request, Stand } from '../proxy/stand.ts'

/**
 * What an answered request costs for as long as it is remembered (docs/decisions/0018-what-a-transaction-keeps.md): on
 * the heap nothing that grows with their number, outside it some hundred octets.
 */
const callee = '192.0.2.20:5060'
const requests = 20_000
/** Of the heap, for each: what V8 keeps for itself differs by that much from time to time. */
const heapBytesMax = 40
/** Outside the heap, for each: the answer and 50 octets, twice that for the rest of a call. */
const keptBytesMax = 1_200

test.each(['MESSAGE', 'INVITE'])(
  'an answered %s leaves nothing on the heap, and little outside it',
  (method) => {
    const stand = new Stand()
    stand.relayTo([`sip:u@${callee}`])
    relay(stand, method, 0, requests)
    const before = sizes()
    relay(stand, method, requests, requests)
    const after = sizes()
    expect(stand.transactions.answeredCount).toBe(2 * requests)
    expect((after.heap - before.heap) / requests).toBeLessThan(heapBytesMax)
    expect((after.outside - before.outside) / requests).toBeLessThan(keptBytesMax)
    stand.transactions.close()
    expect(sizes().outside).toBeLessThan(after.outside / 2)
  },
)

function relay(stand: Stand, method: string, from: number, count: number): void {
  for (let n = from; n < from + count; n++) {
    stand.receive(request({ method, branch: `z9hG4bK${n}`, callId: `${n}@192.0.2.10` }))
    stand.receive(answer(stand.lastTo(callee, method), 200), callee)
    stand.sent.length = 0
    stand.ends.length = 0
  }
}

function sizes(): { heap: number; outside: number } {
  setFlagsFromString('--expose-gc')
  const collect: unknown = runInNewContext('gc')
  if (typeof collect === 'function') for (let i = 0; i < 3; i++) collect()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return { heap: heapUsed, outside: arrayBuffers }
}
