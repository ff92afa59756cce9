import type { Flow } from '../transport/socket.ts'
import type { Binding } from './binding.ts'

/**
 * Flows that bindings hang on, and the pinhole's clock: a flow is reachable until so long after the last packet
 * that came in on it. Packets that go out extend nothing; the answer to them does, since it comes in.
 *
 * A pinhole that has closed never opens again by itself: after a pause the carrier may have given the port to
 * another subscriber (RFC 6888 REQ-8), whose packets must not warm up the bindings of the one before. Only
 * a new proof of who is there (learning anew) makes a new state for the same address and port.
 *
 * Until the device has answered something that only this flow can have seen, the flow is unproven: the source
 * address of one UDP packet may be a lie. To an unproven flow go at most three times the octets that came from it
 * (RFC 9000 §8.1).
 */
export interface FlowState {
  readonly flow: Flow
  /** How long the pinhole lives after a packet, in milliseconds; Infinity if the operator vouches for the address. */
  readonly pinholeMilliseconds: number
  /** Monotonic milliseconds. */
  lastSeen: number
  reachableUntil: number
  proven: boolean
  bytesIn: number
  bytesOut: number
  /** When the store was last told (location.ts). */
  storedAt: number
  readonly bindings: Set<Binding>
}

/** Octets that may go out for each one that came in while a flow is unproven. */
const amplificationMax = 3

export class FlowTable {
  /** By remote address, then by port and socket: no key is built per packet. */
  readonly #byAddress = new Map<string, Map<number, FlowState>>()
  #count = 0

  get count(): number {
    return this.#count
  }

  find(flow: Flow): FlowState | undefined {
    return this.#byAddress.get(flow.address)?.get(portKey(flow))
  }

  /** The live state of this flow, or a new one if there is none or its pinhole has closed. */
  open(flow: Flow, now: number, pinholeMilliseconds: number): FlowState {
    const existing = this.find(flow)
    if (existing !== undefined && existing.reachableUntil > now) return existing
    const created: FlowState = {
      flow: { socket: flow.socket, address: flow.address, port: flow.port },
      pinholeMilliseconds,
      lastSeen: now,
      reachableUntil: now + pinholeMilliseconds,
      proven: false,
      bytesIn: 0,
      bytesOut: 0,
      storedAt: Number.NEGATIVE_INFINITY,
      bindings: new Set(),
    }
    const ports = this.#byAddress.get(flow.address)
    if (ports === undefined) this.#byAddress.set(created.flow.address, new Map([[portKey(flow), created]]))
    else ports.set(portKey(flow), created)
    if (existing === undefined) this.#count++
    return created
  }

  /** A packet came in. Hot: once per datagram. The flow's state if its pinhole was still open. */
  heard(flow: Flow, bytes: number, now: number): FlowState | undefined {
    const state = this.#byAddress.get(flow.address)?.get(portKey(flow))
    if (state === undefined || state.reachableUntil <= now) return undefined
    state.lastSeen = now
    state.reachableUntil = now + state.pinholeMilliseconds
    state.bytesIn += bytes
    return state
  }

  attach(binding: Binding): void {
    binding.flow?.bindings.add(binding)
  }

  /** Forgets the flow with its last binding. */
  detach(binding: Binding): void {
    const state = binding.flow
    if (state === null) return
    state.bindings.delete(binding)
    if (state.bindings.size === 0) this.close(state)
  }

  close(state: FlowState): void {
    const ports = this.#byAddress.get(state.flow.address)
    const key = portKey(state.flow)
    if (ports?.get(key) !== state) return
    ports.delete(key)
    this.#count--
    if (ports.size === 0) this.#byAddress.delete(state.flow.address)
  }
}

/** Octets that may still go out to a flow; Infinity once it is proven. */
export function budgetOf(state: FlowState): number {
  if (state.proven) return Number.POSITIVE_INFINITY
  return Math.max(0, amplificationMax * state.bytesIn - state.bytesOut)
}

export function sameFlow(a: Flow, b: Flow): boolean {
  return a.port === b.port && a.address === b.address && a.socket.index === b.socket.index
}

/** Sockets are few: twelve bits of index beside sixteen of port. */
function portKey(flow: Flow): number {
  return flow.port * 4096 + flow.socket.index
}
