import type { Clock } from '../runtime/clock.ts'

/**
 * A NAT box (RFC 4787): private sources get a port of its public address, and what comes back passes only through
 * an open pinhole. The default is what mobile networks do: one mapping per private source (endpoint-independent
 * mapping), answers only from the very address and port that was spoken to (address and port-dependent filtering),
 * and a short memory that outbound packets alone refresh.
 */
export interface NatOptions {
  readonly publicAddress: string
  /** After so many seconds without an outbound packet the mapping is gone. Default 60. */
  readonly mappingSeconds?: number
  /** `symmetric`: another public port for each destination. Default `endpoint-independent`. */
  readonly mapping?: 'endpoint-independent' | 'symmetric'
  /** Who may answer: anybody, the address spoken to, or only its very port. Default `address-and-port`. */
  readonly filtering?: 'none' | 'address' | 'address-and-port'
  /** The first public port given out; the next ones count up. Default 40000. */
  readonly firstPort?: number
  /** True: ports of mappings that are gone are given out again at once, as overloaded carrier NATs do. */
  readonly reusesPorts?: boolean
}

export interface Endpoint {
  readonly address: string
  readonly port: number
}

interface Mapping {
  readonly inside: Endpoint
  /** Null, or the only destination of a symmetric mapping. */
  readonly only: Endpoint | null
  readonly port: number
  lastOutbound: number
  /** When each remote endpoint was last spoken to. */
  readonly pinholes: Map<string, number>
}

export class NatBox {
  readonly publicAddress: string
  readonly #options: NatOptions
  readonly #clock: Clock
  readonly #lifetimeMs: number
  #mappings: Mapping[] = []
  #nextPort: number

  constructor(clock: Clock, options: NatOptions) {
    this.publicAddress = options.publicAddress
    this.#options = options
    this.#clock = clock
    this.#lifetimeMs = (options.mappingSeconds ?? 60) * 1_000
    this.#nextPort = options.firstPort ?? 40_000
  }

  /** Open mappings, oldest first. */
  get mappings(): readonly { inside: Endpoint; publicPort: number }[] {
    this.#expire()
    return this.#mappings.map(({ inside, port }) => ({ inside, publicPort: port }))
  }

  /** A packet leaves: what the world sees as its source. Opens or refreshes the pinhole. */
  outbound(inside: Endpoint, remote: Endpoint): Endpoint {
    this.#expire()
    const isSymmetric = this.#options.mapping === 'symmetric'
    let mapping = this.#mappings.find(
      (one) => same(one.inside, inside) && (one.only === null || same(one.only, remote)),
    )
    if (mapping === undefined) {
      mapping = {
        inside,
        only: isSymmetric ? remote : null,
        port: this.#allocatePort(),
        lastOutbound: 0,
        pinholes: new Map(),
      }
      this.#mappings.push(mapping)
    }
    mapping.lastOutbound = this.#clock.now()
    mapping.pinholes.set(this.#pinholeKey(remote), this.#clock.now())
    return { address: this.publicAddress, port: mapping.port }
  }

  /** A packet arrives at a public port: where it goes inside, null if it is filtered. */
  inbound(publicPort: number, remote: Endpoint): Endpoint | null {
    this.#expire()
    const mapping = this.#mappings.find(({ port }) => port === publicPort)
    if (mapping === undefined) return null
    const opened = mapping.pinholes.get(this.#pinholeKey(remote))
    return opened === undefined || this.#isOver(opened) ? null : mapping.inside
  }

  /** All mappings are gone, as after a restart of the box or a hand-over: the next packets get new ports. */
  forget(): void {
    this.#mappings = []
  }

  #pinholeKey({ address, port }: Endpoint): string {
    const { filtering = 'address-and-port' } = this.#options
    return filtering === 'none' ? '' : filtering === 'address' ? address : `${address} ${port}`
  }

  #allocatePort(): number {
    if (this.#options.reusesPorts !== true) return this.#nextPort++
    let port = this.#options.firstPort ?? 40_000
    while (this.#mappings.some((mapping) => mapping.port === port)) port++
    return port
  }

  #expire(): void {
    this.#mappings = this.#mappings.filter(({ lastOutbound }) => !this.#isOver(lastOutbound))
  }

  #isOver(since: number): boolean {
    return this.#clock.now() - since >= this.#lifetimeMs
  }
}

function same(a: Endpoint, b: Endpoint): boolean {
  return a.address === b.address && a.port === b.port
}
