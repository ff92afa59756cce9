import type { SocketTable } from '../transport/socket.ts'
import { type Binding, createBinding, type Origin, type Trust } from './binding.ts'
import type { FlowState, FlowTable } from './flows.ts'
import type { StoreTime } from './store-time.ts'

/**
 * A held binding as the store keeps it: the store's time instead of the process's, socket by name, flow by value. What
 * comes back after a restart is unproven until it is heard from again, whatever it was before.
 */
export interface StoredBinding {
  aor: string
  contact: string
  origin: Origin
  trust: Trust
  by: string
  received: string
  path: readonly string[]
  socket: string
  q: number
  callId: string
  cseq: number
  userAgent: string
  methods: number
  instance: string
  regId: number
  flags: number
  branchFlags: number
  /** Milliseconds of the store's time; 0 for never. */
  expires: number
  modified: number
  flow: StoredFlow | null
}

interface StoredFlow {
  socket: string
  address: string
  port: number
  /** Milliseconds of the store's time. */
  lastSeen: number
  /** 0: no pinhole clock. */
  pinholeMilliseconds: number
  bytesIn: number
}

export function storedForm(binding: Binding, time: StoreTime): StoredBinding {
  const { shift } = time
  return {
    aor: binding.aor,
    contact: binding.contact,
    origin: binding.origin,
    trust: binding.trust,
    by: binding.by,
    received: binding.received,
    path: binding.path,
    socket: binding.socket,
    q: binding.q,
    callId: binding.callId,
    cseq: binding.cseq,
    userAgent: binding.userAgent,
    methods: binding.methods,
    instance: binding.instance,
    regId: binding.regId,
    flags: binding.flags,
    branchFlags: binding.branchFlags,
    expires: Number.isFinite(binding.expiresAt) ? Math.floor(binding.expiresAt + shift) : 0,
    modified: Math.round(binding.modifiedAt + shift),
    flow: binding.flow === null ? null : storedFlow(binding.flow, shift),
  }
}

function storedFlow(state: FlowState, shift: number): StoredFlow {
  return {
    socket: state.flow.socket.label,
    address: state.flow.address,
    port: state.flow.port,
    lastSeen: Math.round(state.lastSeen + shift),
    pinholeMilliseconds: Number.isFinite(state.pinholeMilliseconds) ? state.pinholeMilliseconds : 0,
    bytesIn: state.bytesIn,
  }
}

/** Null if it has expired meanwhile, or if its flow's socket is no longer one of ours: then nothing can reach it. */
export function restoredBinding(
  ruid: string,
  stored: StoredBinding,
  world: { now: number; time: StoreTime; sockets: SocketTable; flows: FlowTable },
): Binding | null {
  const { now, time, flows, sockets } = world
  const toMonotonic = -time.shift
  const expiresAt = stored.expires === 0 ? Number.POSITIVE_INFINITY : stored.expires + toMonotonic
  if (expiresAt <= now) return null
  let flow: FlowState | null = null
  if (stored.flow !== null) {
    const socket = sockets.find(stored.flow.socket)
    if (socket === null) return null
    flow = restoredFlow(stored.flow, { socket, address: stored.flow.address, port: stored.flow.port })
  }
  return createBinding({
    ...stored,
    ruid,
    expiresAt,
    modifiedAt: Math.min(now, stored.modified + toMonotonic),
    flow,
  })

  function restoredFlow(from: StoredFlow, at: FlowState['flow']): FlowState {
    const pinhole = from.pinholeMilliseconds === 0 ? Number.POSITIVE_INFINITY : from.pinholeMilliseconds
    const existing = flows.find(at)
    const state = existing ?? flows.open(at, now, pinhole)
    if (existing === undefined) {
      state.lastSeen = Math.min(now, from.lastSeen + toMonotonic)
      state.reachableUntil = state.lastSeen + pinhole
      state.bytesIn = from.bytesIn
    }
    return state
  }
}
