import { type AcceptedScript, type Server, startServer } from '../../src/server.ts'
import { memoryStore } from '../../src/store/memory.ts'
import { type Endpoint, type SimulatedClock, seededRandom } from '../../src/testing/index.ts'
import type { CollectingLog } from '../../src/testing/log.ts'
import type { Flow, ListenRequest, ListenSocket } from '../../src/transport/socket.ts'
import { createListenSocket } from '../../src/transport/sockets.ts'
import type { DatagramBatch, Network, Transport, TransportHandler } from '../../src/transport/transport.ts'
import { costOf, costs } from './costs.ts'

/**
 * An edge whose processor takes its time: datagrams wait in a receive buffer, each is handled by a real router in no time, and
 * what that sends leaves after what it would have cost. So there is a queue, a loop that sleeps or does not, and
 * datagrams that find no room.
 */
export interface SlowEdgeOptions {
  readonly address: string
  readonly clock: SimulatedClock
  readonly seed: number
  /** So many times slower than the processor of bench/README.md. */
  readonly slowness: number
  /** Datagrams that the receive buffer holds. */
  readonly bufferMax: number
  readonly log: CollectingLog
  readonly deliver: (text: string, to: Endpoint, from: SlowEdge) => void
}

export class SlowEdge implements Network {
  readonly address: string
  readonly #options: SlowEdgeOptions
  readonly #queue: { text: string; flow: Flow }[] = []
  #handler: TransportHandler | null = null
  #socket: ListenSocket | null = null
  #leaving: { text: string; to: Endpoint }[] = []
  #isBusy = false
  #sleptBefore = 0
  #idleSince = 0
  dropped = 0
  longestQueue = 0
  refused = 0

  constructor(options: SlowEdgeOptions) {
    this.#options = options
    this.address = options.address
  }

  start(accepted: AcceptedScript): Promise<Server> {
    const { clock, seed, log } = this.#options
    return startServer({
      script: { path: 'storm.cfg' },
      accepted,
      network: this,
      listen: [{ transport: 'udp', address: this.address, port: 5060 }],
      clock: { ...clock, slept: () => this.slept },
      random: seededRandom(seed),
      log,
      store: memoryStore(),
    })
  }

  /** Milliseconds. */
  get slept(): number {
    return this.#sleptBefore + (this.#isBusy ? 0 : this.#options.clock.now() - this.#idleSince)
  }

  receive(text: string, { address, port }: Endpoint): void {
    const socket = this.#socket
    if (socket === null) return
    if (this.#queue.length >= this.#options.bufferMax) {
      this.dropped++
      return
    }
    this.#queue.push({ text, flow: { socket, address, port } })
    this.longestQueue = Math.max(this.longestQueue, this.#queue.length)
    if (this.#isBusy) return
    this.#sleptBefore = this.slept
    this.#isBusy = true
    this.#options.clock.schedule(0, () => this.#work())
  }

  async open(requests: readonly ListenRequest[], handler: TransportHandler): Promise<Transport> {
    this.#handler = handler
    const sockets = requests.map((request, index) => createListenSocket(request, index))
    this.#socket = sockets[0] ?? null
    return {
      sockets,
      send: (_socket, text, address, port) => this.#leaving.push({ text, to: { address, port } }),
      close: async () => {
        this.#socket = this.#handler = null
      },
    }
  }

  async resolve(host: string, port: number): Promise<Endpoint[]> {
    return [{ address: host, port: port || 5060 }]
  }

  interfaceAddresses(): string[] {
    return [this.address]
  }

  #work(): void {
    const next = this.#queue.shift()
    if (next === undefined) {
      this.#isBusy = false
      this.#idleSince = this.#options.clock.now()
      this.#leave()
      return
    }
    this.#handler?.onDatagrams(batchOf(next.text, next.flow))
    const isRefused = this.#leaving.some(({ text }) => text.startsWith('SIP/2.0 503'))
    if (isRefused) this.refused++
    const microseconds = isRefused ? costs.refused : costOf(next.text)
    this.#options.clock.schedule((microseconds * this.#options.slowness) / 1000, () => {
      this.#leave()
      this.#work()
    })
  }

  #leave(): void {
    const leaving = this.#leaving
    this.#leaving = []
    for (const { text, to } of leaving) this.#options.deliver(text, to, this)
  }
}

function batchOf(text: string, flow: Flow): DatagramBatch {
  return { count: 1, text: () => text, flow: () => flow }
}
