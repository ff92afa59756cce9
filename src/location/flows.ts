import type { Flow } from '../transport/socket.ts'
import type { Binding } from './binding.ts'
import { type FlowSlots, flowField } from './flow-slots.ts'

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
  /** Where its numbers are, if several workers share them. */
  readonly slot?: number
}

/** Octets that may go out for each one that came in while a flow is unproven. */
const amplificationMax = 3

export class FlowTable {
  /** Null where there is one worker. */
  readonly #slots: FlowSlots | null
  /** By remote address, then by port and socket: no key is built per packet. */
  readonly #byAddress = new Map<string, Map<number, FlowState>>()
  #count = 0

  constructor(slots: FlowSlots | null = null) {
    this.#slots = slots
  }

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
    const created = this.#create(
      { socket: flow.socket, address: flow.address, port: flow.port },
      now,
      pinholeMilliseconds,
    )
    this.#enter(created)
    return created
  }

  /**
   * The state of a flow that another worker has opened, by its slot. If we have opened another one meanwhile, both
   * sides keep the slot with the lower number.
   */
  adopt(flow: Flow, slot: number, pinholeMilliseconds: number, now: number): FlowState {
    const slots = this.#slots
    if (slots === null || slot < 0) return this.open(flow, now, pinholeMilliseconds)
    const existing = this.find(flow)
    if (existing instanceof SharedFlowState && existing.slot === slot) return existing
    if (existing instanceof SharedFlowState && existing.reachableUntil > now) {
      if (slot < existing.slot) existing.moveTo(slot)
      return existing
    }
    slots.share(slot)
    const at = { socket: flow.socket, address: flow.address, port: flow.port }
    const adopted = new SharedFlowState(at, pinholeMilliseconds, slots, slot)
    this.#enter(adopted)
    return adopted
  }

  #enter(state: FlowState): void {
    const { flow } = state
    const ports = this.#byAddress.get(flow.address)
    const before = ports?.get(portKey(flow))
    if (ports === undefined) this.#byAddress.set(flow.address, new Map([[portKey(flow), state]]))
    else ports.set(portKey(flow), state)
    if (before === undefined) this.#count++
  }

  #create(flow: Flow, now: number, pinholeMilliseconds: number): FlowState {
    const reachableUntil = now + pinholeMilliseconds
    const slot = this.#slots?.take() ?? -1
    if (this.#slots !== null && slot >= 0) {
      const shared = new SharedFlowState(flow, pinholeMilliseconds, this.#slots, slot)
      return Object.assign(shared, { lastSeen: now, reachableUntil, bytesIn: 0, bytesOut: 0, proven: false })
    }
    return {
      flow,
      pinholeMilliseconds,
      lastSeen: now,
      reachableUntil,
      proven: false,
      bytesIn: 0,
      bytesOut: 0,
      storedAt: Number.NEGATIVE_INFINITY,
      bindings: new Set(),
    }
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
    if (state instanceof SharedFlowState) state.drop()
    if (ports?.get(key) !== state) return
    ports.delete(key)
    this.#count--
    if (ports.size === 0) this.#byAddress.delete(state.flow.address)
  }
}

/** A flow whose numbers all workers see. */
class SharedFlowState implements FlowState {
  readonly flow: Flow
  readonly pinholeMilliseconds: number
  readonly bindings = new Set<Binding>()
  storedAt = Number.NEGATIVE_INFINITY
  readonly #slots: FlowSlots
  #slot: number

  constructor(flow: Flow, pinholeMilliseconds: number, slots: FlowSlots, slot: number) {
    this.flow = flow
    this.pinholeMilliseconds = pinholeMilliseconds
    this.#slots = slots
    this.#slot = slot
  }

  get slot(): number {
    return this.#slot
  }

  moveTo(slot: number): void {
    this.#slots.share(slot)
    this.#slots.drop(this.#slot)
    this.#slot = slot
  }

  drop(): void {
    this.#slots.drop(this.#slot)
  }

  get lastSeen(): number {
    return this.#slots.get(this.#slot, flowField.lastSeen)
  }

  set lastSeen(value: number) {
    this.#slots.set(this.#slot, flowField.lastSeen, value)
  }

  get reachableUntil(): number {
    return this.#slots.get(this.#slot, flowField.reachableUntil)
  }

  set reachableUntil(value: number) {
    this.#slots.set(this.#slot, flowField.reachableUntil, value)
  }

  get bytesIn(): number {
    return this.#slots.get(this.#slot, flowField.bytesIn)
  }

  set bytesIn(value: number) {
    this.#slots.set(this.#slot, flowField.bytesIn, value)
  }

  get bytesOut(): number {
    return this.#slots.get(this.#slot, flowField.bytesOut)
  }

  set bytesOut(value: number) {
    this.#slots.set(this.#slot, flowField.bytesOut, value)
  }

  get proven(): boolean {
    return this.#slots.get(this.#slot, flowField.proven) !== 0
  }

  set proven(value: boolean) {
    this.#slots.set(this.#slot, flowField.proven, value ? 1 : 0)
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
