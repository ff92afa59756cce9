import { systemClock } from '../../src/runtime/clock.ts'
import { silentLog } from '../../src/runtime/log.ts'
import { systemRandom } from '../../src/runtime/random.ts'
import { startServer } from '../../src/server.ts'
import { memoryStore } from '../../src/store/memory.ts'
import { createListenSocket } from '../../src/transport/sockets.ts'
import type { Network, TransportHandler } from '../../src/transport/transport.ts'

/** A router whose network is this process: what is delivered is answered before the call returns. */
export async function startRouter(script: { readonly path: string; readonly text?: string }) {
  let handler: TransportHandler | null = null
  let sent = ''
  const socket = createListenSocket({ transport: 'udp', address: '127.0.0.1', port: 5060 }, 0, 5060)
  const network: Network = {
    open(_requests, given) {
      handler = given
      return Promise.resolve({
        sockets: [socket],
        send(_socket: unknown, text: string) {
          sent = text
        },
        close: () => Promise.resolve(),
      })
    },
    resolve: () => Promise.resolve([]),
    interfaceAddresses: () => ['127.0.0.1'],
  }
  const server = await startServer({
    script,
    network,
    clock: systemClock(),
    random: systemRandom(),
    log: silentLog,
    store: memoryStore(),
    defines: new Map([
      ['PORT', '5060'],
      ['CHILDREN', '1'],
    ]),
  })
  return {
    answerTo(text: string): string {
      const flow = { socket, address: '127.0.0.1', port: 5071 }
      sent = ''
      handler?.onDatagrams({ count: 1, text: () => text, flow: () => flow })
      return sent
    },
    stop: () => server.stop(),
  }
}
