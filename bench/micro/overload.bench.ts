import { expect, test } from 'vitest'
import { Overload } from '../../src/overload/overload.ts'
import { silentLog } from '../../src/runtime/log.ts'
import { createMetrics } from '../../src/runtime/metrics.ts'
import { systemRandom } from '../../src/runtime/random.ts'
import { isFault, scanMessage } from '../../src/sip/scan.ts'
import { simulatedClock } from '../../src/testing/clock.ts'
import { createListenSocket } from '../../src/transport/sockets.ts'
import { startRouter } from './answering-router.ts'

/**
 * What it costs to turn a newcomer away: the whole way from the datagram's text to that of the answer, beside a script that answers
 * the same 503 itself, and the judgement alone. And that watching for overload costs a request nothing.
 */
const script = (overload: string) => ({
  path: 'overload.cfg',
  text: `${overload}
    loadmodule "sl.so"
    loadmodule "usrloc.so"
    modparam("usrloc", "db_mode", 0)
    request_route { sl_send_reply("503", "Service Unavailable"); }`,
})

test('turning away', async ({ bench }) => {
  const without = await startRouter(script(''))
  const watching = await startRouter(script('overload_shed=yes'))
  const { overload, clock } = overloaded()
  const socket = createListenSocket({ transport: 'udp', address: '127.0.0.1', port: 5060 }, 0, 5060)
  const flow = { socket, address: '127.0.0.1', port: 5071 }
  let count = 0

  await bench.compare(
    bench('503 by the script, overload_shed=no', () => void without.answerTo(register(++count))),
    bench(
      '503 by the script, overload_shed=yes, no overload',
      () => void watching.answerTo(register(++count)),
    ),
    bench('a newcomer is judged, message scanned', () => void judged(register(++count))),
    bench('message scanned', () => void scanMessage(register(++count))),
  )

  function judged(text: string): number {
    const message = scanMessage(text)
    return isFault(message) ? 0 : overload.refusal(message, flow)
  }
  expect(judged(register(++count))).toBeGreaterThan(0)
  expect(clock.pending).toBe(1)
  await without.stop()
  await watching.stop()
})

/** One whose loop never slept. */
function overloaded() {
  const clock = simulatedClock()
  const overload = new Overload({
    clock: { ...clock, slept: () => 0 },
    random: systemRandom(),
    log: silentLog,
    metrics: createMetrics(),
    isKnown: () => false,
    onChange() {},
  })
  clock.advanceSync(10_000)
  return { overload, clock }
}

function register(count: number): string {
  const text =
    `REGISTER sip:127.0.0.1:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5071;branch=z9hG4bK-${count};rport\r\n` +
    `Max-Forwards: 70\r\nFrom: "Alice B" <sip:u${count}@127.0.0.1:5060>;tag=f${count}\r\nTo: <sip:u${count}@127.0.0.1:5060>\r\n` +
    `Call-ID: 5f1c7d2e-${count}@127.0.0.1\r\nCSeq: 1 REGISTER\r\nContact: <sip:u${count}@127.0.0.1:5070>;expires=3600\r\n` +
    'User-Agent: telephone/1.0\r\nContent-Length: 0\r\n\r\n'
  return Buffer.from(text, 'latin1').toString('latin1')
}
