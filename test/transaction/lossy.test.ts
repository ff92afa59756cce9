import { describe, expect, test } from 'vitest'
import { isFault, scanMessage } from '../../src/sip/scan.ts'
import { type SimulatedHost, simulatedNetwork } from '../../src/testing/network.ts'
import { seededRandom } from '../../src/testing/random.ts'
import { createTransactionLayer } from '../../src/transaction/layer.ts'
import { defaultTimers, type TransactionLayer } from '../../src/transaction/transaction.ts'
import type { ListenSocket } from '../../src/transport/socket.ts'
import { requestText, responseText } from './layer-alone.ts'

/**
 * Two transaction layers that talk over a network which loses, doubles and reorders. Whatever it does: a request is
 * worked on once, its sender hears one end, and nothing stays behind.
 */
const timers = defaultTimers

interface Side {
  readonly layer: TransactionLayer
  readonly socket: ListenSocket
  /** Requests that a script would have seen. */
  readonly runs: string[]
}

async function side(host: SimulatedHost, seed: number, answer: (method: string) => number[]): Promise<Side> {
  const { clock } = host
  const runs: string[] = []
  const transport = await host.open(
    [{ transport: 'udp', address: host.address, port: 5060 }],
    {
      onDatagrams(batch) {
        const message = scanMessage(batch.text(0))
        if (isFault(message)) throw new Error(message.reason)
        const flow = batch.flow(0)
        if (!message.isRequest) {
          layer.receiveResponse(message, flow)
          return
        }
        if (layer.receiveRequest(message, flow).kind !== 'new') return
        runs.push(message.method)
        const server = layer.createServer(message, flow, null)
        answer(message.method).forEach((statusCode, i) => {
          clock.schedule(i * 300, () => server?.respond(statusCode, responseText(message, statusCode)))
        })
      },
      onSendError() {},
    },
    { receiveBufferBytes: 0 },
  )
  const layer = createTransactionLayer({
    timers,
    clock,
    random: seededRandom(seed),
    send: transport.send.bind(transport),
  })
  const [socket] = transport.sockets
  if (socket === undefined) throw new Error('no socket')
  return { layer, socket, runs }
}

async function exchange(seed: number, method: string, answers: number[]) {
  const network = simulatedNetwork({ seed, delayMs: 20 })
  network.lossRate = 0.3
  network.duplicationRate = 0.2
  network.reorderingRate = 0.3
  const uac = await side(network.host('a', { address: '192.0.2.1' }), seed, () => [])
  const uas = await side(network.host('b', { address: '192.0.2.2' }), seed + 1, () => answers)
  const ends: string[] = []
  const branch = uac.layer.newBranch()
  uac.layer.createClient({
    text: requestText(method, { branch, sentBy: '192.0.2.1:5060' }),
    branch,
    flow: { socket: uac.socket, address: '192.0.2.2', port: 5060 },
    user: {
      onResponse: ({ statusCode }) => statusCode >= 200 && ends.push(String(statusCode)),
      onTimeout: () => ends.push('timeout'),
      onTransportError: (code) => ends.push(code),
    },
  })
  network.clock.advanceSync(200_000)
  const left = [uac.layer, uas.layer].map(({ serverCount, clientCount }) => serverCount + clientCount)
  return { ends, runs: uas.runs.filter((run) => run !== 'ACK'), left, pending: network.clock.pending }
}

describe.each([
  ['MESSAGE', [200], '200'],
  ['INVITE', [180, 486], '486'],
])('%s over a network that loses 30 %%', (method, answers, end) => {
  test('is worked on once, ends once, leaves nothing behind', async () => {
    let answered = 0
    for (let seed = 1; seed <= 100; seed++) {
      const { ends, runs, left, pending } = await exchange(seed, method, answers)
      expect({ seed, ends: ends.length, runs: runs.length, left, pending }).toEqual({
        seed,
        ends: 1,
        runs: 1,
        left: [0, 0],
        pending: 0,
      })
      if (ends[0] === end) answered++
    }
    expect(answered).toBeGreaterThan(95)
  })
})
