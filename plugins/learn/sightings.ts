import { type Flow, flat, limits, sameFlow } from '../../src/plugin/index.ts'

/**
 * Which flow a user's last request came from, whether or not anything was learned from it: what a delegate's
 * Contact is compared with. A sighting is no proof of anything; it only bounds what a delegate can claim.
 * Per source address no more than learning allows, so that nobody pushes out what others were seen with.
 */
export interface Sighting {
  readonly aor: string
  readonly flow: Flow
  /** Monotonic milliseconds. */
  seenAt: number
  bytesIn: number
}

export class Sightings {
  /** Longest ago first. */
  readonly #byAor = new Map<string, Sighting>()
  readonly #byAddress = new Map<string, Set<Sighting>>()
  readonly #perAddressMax: number
  readonly #totalMax: number

  constructor(perAddressMax: number = limits.learnedPerPrefixMax, totalMax: number = limits.learnedMax) {
    this.#perAddressMax = perAddressMax
    this.#totalMax = totalMax
  }

  get count(): number {
    return this.#byAor.size
  }

  of(aor: string): Sighting | undefined {
    return this.#byAor.get(aor)
  }

  note(aor: string, flow: Flow, bytes: number, now: number): void {
    const before = this.#byAor.get(aor)
    if (before !== undefined) this.#remove(before)
    const isSame = before !== undefined && sameFlow(before.flow, flow)
    const sighting: Sighting = isSame
      ? before
      : {
          aor: flat(aor),
          flow: { socket: flow.socket, address: flow.address, port: flow.port },
          seenAt: now,
          bytesIn: 0,
        }
    sighting.seenAt = now
    sighting.bytesIn += bytes
    this.#makeRoom(flow.address)
    this.#byAor.set(sighting.aor, sighting)
    const neighbours = this.#byAddress.get(flow.address)
    if (neighbours === undefined) this.#byAddress.set(sighting.flow.address, new Set([sighting]))
    else neighbours.add(sighting)
  }

  #makeRoom(address: string): void {
    const neighbours = this.#byAddress.get(address)
    const oldest =
      neighbours !== undefined && neighbours.size >= this.#perAddressMax
        ? neighbours.values().next().value
        : this.#byAor.size >= this.#totalMax
          ? this.#byAor.values().next().value
          : undefined
    if (oldest !== undefined) this.#remove(oldest)
  }

  #remove(sighting: Sighting): void {
    this.#byAor.delete(sighting.aor)
    const neighbours = this.#byAddress.get(sighting.flow.address)
    neighbours?.delete(sighting)
    if (neighbours?.size === 0) this.#byAddress.delete(sighting.flow.address)
  }
}
