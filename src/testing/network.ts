import { limits } from '../limits.ts'
import type { Flow, ListenRequest, ListenSocket } from '../transport/socket.ts'
import { createListenSocket } from '../transport/sockets.ts'
import type {
  DatagramBatch,
  Network,
  NetworkOptions,
  Transport,
  TransportHandler,
} from '../transport/transport.ts'
import { type SimulatedClock, simulatedClock } from './clock.ts'
import { type Endpoint, NatBox, type NatOptions } from './nat.ts'
import { seededRandom } from './random.ts'

/**
 * A network in memory: hosts with addresses, NAT boxes in front of some, datagrams that take their time, and
 * everything that was ever sent on record. The same seed gives the same losses, doubles and overtakings.
 *
 *     const network = simulatedNetwork()
 *     const carrier = network.nat({ publicAddress: '60.250.149.198', firstPort: 59177 })
 *     const modem = network.host('modem', { address: '10.92.240.131', behind: carrier })
 *     const router = network.host('router', { address: '50.170.158.149' })
 */
export interface SimulatedNetworkOptions {
  readonly clock?: SimulatedClock
  readonly seed?: number
  /** Milliseconds from sender to receiver. Default 1. */
  readonly delayMs?: number
}

/** What happened to a datagram. */
export type Fate = 'on its way' | 'delivered' | 'lost' | 'filtered' | 'unreachable'

export interface CapturedDatagram {
  /** When it left, in milliseconds of the simulated clock. */
  readonly at: number
  readonly fromHost: string
  /** Its source as the receiver sees it: behind the NAT. */
  readonly from: Endpoint
  /** '' if nobody has that address. */
  readonly toHost: string
  readonly to: Endpoint
  readonly text: string
  readonly fate: Fate
}

export interface HostOptions {
  readonly address: string
  /** Further addresses of the host. */
  readonly addresses?: readonly string[]
  readonly behind?: NatBox
}

export interface SimulatedSocket {
  readonly address: string
  readonly port: number
  send(text: string, address: string, port: number): void
  close(): void
}

export interface SocketUser {
  onDatagram(text: string, source: Endpoint): void
  onError(destination: Endpoint, code: string): void
}

export function simulatedNetwork(options: SimulatedNetworkOptions = {}): SimulatedNetwork {
  return new SimulatedNetwork(options)
}

interface Mutable {
  at: number
  fromHost: string
  from: Endpoint
  toHost: string
  to: Endpoint
  text: string
  fate: Fate
}

export class SimulatedNetwork {
  readonly clock: SimulatedClock
  /** Every datagram in the order in which they left. */
  readonly captured: CapturedDatagram[] = []
  /** Host names and what they resolve to. */
  readonly names = new Map<string, Endpoint[]>()
  delayMs: number
  /** Shares from 0 to 1 of all datagrams. */
  lossRate = 0
  duplicationRate = 0
  reorderingRate = 0
  readonly #random
  readonly #hosts: SimulatedHost[] = []
  readonly #nats: NatBox[] = []
  readonly #drops: { matches: (datagram: CapturedDatagram) => boolean; times: number }[] = []

  constructor(options: SimulatedNetworkOptions) {
    this.clock = options.clock ?? simulatedClock()
    this.delayMs = options.delayMs ?? 1
    this.#random = seededRandom(options.seed ?? 1)
  }

  host(name: string, options: HostOptions): SimulatedHost {
    const host = new SimulatedHost(this, name, options)
    this.#hosts.push(host)
    return host
  }

  nat(options: NatOptions): NatBox {
    const nat = new NatBox(this.clock, options)
    this.#nats.push(nat)
    return nat
  }

  /** Loses the next `times` datagrams that match. */
  drop(matches: (datagram: CapturedDatagram) => boolean, times = 1): void {
    this.#drops.push({ matches, times })
  }

  /** @internal A host sends. */
  transmit(sender: SimulatedHost, source: Endpoint, to: Endpoint, text: string): void {
    const onLan = this.#neighbour(sender, to)
    const isLocal = onLan !== null || sender.behind === null
    const from = isLocal || sender.behind === null ? source : sender.behind.outbound(source, to)
    const datagram: Mutable = {
      at: this.clock.now(),
      fromHost: sender.name,
      from,
      toHost: (onLan ?? this.#owner(to))?.name ?? '',
      to,
      text,
      fate: 'on its way',
    }
    this.captured.push(datagram)
    if (this.#isDropped(datagram) || this.#chance(this.lossRate)) {
      datagram.fate = 'lost'
      return
    }
    const arrive = () => this.#arrive(sender, source, datagram, onLan)
    const late = this.#chance(this.reorderingRate) ? this.delayMs * 2 + 1 : 0
    this.clock.schedule(this.delayMs + late, arrive)
    if (this.#chance(this.duplicationRate)) this.clock.schedule(this.delayMs + late, arrive)
  }

  #arrive(sender: SimulatedHost, source: Endpoint, datagram: Mutable, onLan: SimulatedHost | null): void {
    let { to } = datagram
    let host = onLan
    if (host === null) {
      const nat = this.#nats.find(({ publicAddress }) => publicAddress === to.address)
      if (nat) {
        const inside = nat.inbound(to.port, datagram.from)
        if (inside === null) {
          datagram.fate = 'filtered'
          return
        }
        to = inside
        host = this.#hosts.find((one) => one.behind === nat && one.has(inside.address)) ?? null
      } else {
        host = this.#owner(to)
      }
    }
    if (host === null) {
      datagram.fate = 'unreachable'
      return
    }
    datagram.toHost = host.name
    if (host.deliver(to, datagram.from, datagram.text)) {
      datagram.fate = 'delivered'
      return
    }
    // Nobody listens on that port of a host that exists: ICMP port unreachable.
    datagram.fate = 'unreachable'
    this.clock.schedule(this.delayMs, () => sender.fail(source, datagram.to, 'ECONNREFUSED'))
  }

  /** A host of the same private network: no NAT in between. */
  #neighbour(sender: SimulatedHost, to: Endpoint): SimulatedHost | null {
    if (sender.behind === null) return null
    return this.#hosts.find((host) => host.behind === sender.behind && host.has(to.address)) ?? null
  }

  /** Who has a public address. */
  #owner({ address }: Endpoint): SimulatedHost | null {
    return this.#hosts.find((host) => host.behind === null && host.has(address)) ?? null
  }

  #isDropped(datagram: CapturedDatagram): boolean {
    const drop = this.#drops.find(({ matches, times }) => times > 0 && matches(datagram))
    if (drop === undefined) return false
    drop.times--
    return true
  }

  #chance(rate: number): boolean {
    return rate > 0 && this.#random.integer(1_000_000) < rate * 1_000_000
  }
}

/** One machine of the network. It is also the `Network` that a server on it gets. */
export class SimulatedHost implements Network {
  readonly name: string
  readonly addresses: readonly string[]
  readonly behind: NatBox | null
  readonly #network: SimulatedNetwork
  /** Several users of one address and port share it (SO_REUSEPORT). */
  readonly #bound = new Map<string, SocketUser[]>()
  readonly #shared = new Set<string>()
  #nextPort = 32_768

  constructor(network: SimulatedNetwork, name: string, options: HostOptions) {
    this.#network = network
    this.name = name
    this.addresses = [options.address, ...(options.addresses ?? [])]
    this.behind = options.behind ?? null
  }

  get address(): string {
    return this.addresses[0] ?? ''
  }

  get clock(): SimulatedClock {
    return this.#network.clock
  }

  has(address: string): boolean {
    return this.addresses.includes(address)
  }

  /**
   * Port 0: any free one. Throws if the address is not ours, or if the port is taken, unless all who have it bind it
   * with `reusePort`: then each source's datagrams go to one of them.
   */
  bind(address: string, port: number, user: SocketUser, reusePort = false): SimulatedSocket {
    if (!this.has(address)) throw new Error(`${this.name} has no address ${address}`)
    const endpoint = { address, port: port === 0 ? this.#freePort(address) : port }
    const key = keyOf(endpoint)
    const users = this.#bound.get(key) ?? []
    if (users.length > 0 && !(reusePort && this.#shared.has(key))) {
      throw new Error(`${address}:${endpoint.port} is in use on ${this.name}`)
    }
    if (reusePort) this.#shared.add(key)
    this.#bound.set(key, [...users, user])
    return {
      ...endpoint,
      send: (text, toAddress, toPort) => {
        const to = { address: toAddress, port: toPort }
        if (text.length > limits.datagramBytesMax - 28) user.onError(to, 'EMSGSIZE')
        else this.#network.transmit(this, endpoint, to, text)
      },
      close: () => this.#unbind(key, user),
    }
  }

  /** @internal False if nobody listens there. */
  deliver(to: Endpoint, from: Endpoint, text: string): boolean {
    const user = this.#userOf(to, from)
    user?.onDatagram(text, from)
    return user !== undefined
  }

  /** @internal An ICMP error came back. */
  fail(source: Endpoint, destination: Endpoint, code: string): void {
    this.#userOf(source, destination)?.onError(destination, code)
  }

  async open(
    requests: readonly ListenRequest[],
    handler: TransportHandler,
    { reusePort = false }: NetworkOptions,
  ): Promise<Transport> {
    return new SimulatedTransport(this, requests, handler, reusePort)
  }

  async resolve(host: string, port: number, _transport: string): Promise<Endpoint[]> {
    const found = this.#network.names.get(host.toLowerCase())
    if (found) return found.map((endpoint) => ({ ...endpoint, port: port || endpoint.port || 5060 }))
    return /^[\d.]+$/.test(host) || host.includes(':') ? [{ address: host, port: port || 5060 }] : []
  }

  interfaceAddresses(name?: string): string[] {
    return name === undefined || name === 'eth0' ? [...this.addresses] : []
  }

  /** Which of those who share it: the same one for a source, as the kernel has it. */
  #userOf(ours: Endpoint, theirs: Endpoint): SocketUser | undefined {
    const users = this.#bound.get(keyOf(ours))
    return users === undefined || users.length === 1 ? users?.[0] : users[hashOf(theirs) % users.length]
  }

  #unbind(key: string, user: SocketUser): void {
    const left = (this.#bound.get(key) ?? []).filter((one) => one !== user)
    if (left.length > 0) {
      this.#bound.set(key, left)
      return
    }
    this.#bound.delete(key)
    this.#shared.delete(key)
  }

  #freePort(address: string): number {
    while (this.#bound.has(keyOf({ address, port: this.#nextPort }))) this.#nextPort++
    return this.#nextPort++
  }
}

class SimulatedTransport implements Transport {
  readonly sockets: readonly ListenSocket[]
  readonly #bound: readonly SimulatedSocket[]

  constructor(
    host: SimulatedHost,
    requests: readonly ListenRequest[],
    handler: TransportHandler,
    reusePort: boolean,
  ) {
    this.sockets = requests.map((request, index) => createListenSocket(request, index))
    this.#bound = this.sockets.map((socket) =>
      host.bind(
        socket.address,
        socket.port,
        {
          onDatagram: (text, { address, port }) =>
            handler.onDatagrams(batchOf(text, { socket, address, port })),
          onError: ({ address, port }, code) => handler.onSendError({ socket, address, port }, code),
        },
        reusePort,
      ),
    )
  }

  send(socket: ListenSocket, text: string, address: string, port: number): void {
    this.#bound[socket.index]?.send(text, address, port)
  }

  async close(): Promise<void> {
    for (const socket of this.#bound) socket.close()
  }
}

function batchOf(text: string, flow: Flow): DatagramBatch {
  return { count: 1, text: () => text, flow: () => flow }
}

function keyOf({ address, port }: Endpoint): string {
  return `${address} ${port}`
}

/** FNV-1a of address and port. */
function hashOf(endpoint: Endpoint): number {
  const text = keyOf(endpoint)
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return (hash ^ (hash >>> 15)) >>> 0
}
