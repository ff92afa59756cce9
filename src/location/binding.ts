import type { FlowState } from './flows.ts'
import type { Elsewhere } from './shared-table.ts'

/**
 * A binding: where an address-of-record can be reached (RFC 3261 §10.2.1), who said so, and until when.
 *
 * It has two clocks. `expiresAt` is the administrative one: the lifetime that was asked for and granted. The other is
 * the flow's (flows.ts): how long the NAT's pinhole can be believed to be open. A binding whose pinhole has
 * closed is cold: it is still known, and nothing may be sent to it.
 *
 * All bindings have this one shape; a change makes a new object, so that a write which the store refuses can be
 * undone. All times are monotonic milliseconds; stored.ts turns them into wall time and back.
 */
export interface Binding {
  /** Canonical address-of-record: aor.ts. */
  readonly aor: string
  /** Unique for all time: `uloc-...`. */
  readonly ruid: string
  readonly contact: string
  readonly origin: Origin
  /** What made us believe it. */
  readonly trust: Trust
  /** The principal who wrote it: a digest user, a prefix, `rpc`. */
  readonly by: string
  /** `sip:192.0.2.1:5061`: where the REGISTER came from, if the script had that kept; '' otherwise. */
  readonly received: string
  /** RFC 3327: first hop first. */
  readonly path: readonly string[]
  /** The socket it was registered on, as `udp:192.0.2.1:5060`; '' if unknown. */
  readonly socket: string
  /** 0 to 1000; -1 if it was not given. */
  readonly q: number
  readonly callId: string
  readonly cseq: number
  readonly userAgent: string
  /** Bits of sip/method.ts; every bit if the device did not say. */
  readonly methods: number
  /** `+sip.instance` with its angle brackets, '' if absent. */
  readonly instance: string
  /** RFC 5626 reg-id; 0 if absent. */
  readonly regId: number
  readonly flags: number
  /** Branch flags at the time of save(), applied again by lookup(). */
  readonly branchFlags: number
  readonly expiresAt: number
  /** When it was written last. */
  readonly modifiedAt: number
  /** False for save() with flag 1: in memory only. */
  readonly isDurable: boolean
  /** Exactly where packets come from; null for bindings that are reached as their contact says. */
  readonly flow: FlowState | null
  /** Null: this edge's own. */
  readonly elsewhere: Elsewhere | null
}

/** In ascending precedence: precedence.ts. */
export type Origin = 'learned' | 'delegated' | 'registered' | 'static'

export type Trust = 'digest' | 'source' | 'delegate' | 'script' | 'operator'

/** Every method: a device that said nothing takes anything. */
export const allMethods = 0x7fffffff

export function createBinding(given: Partial<Binding> & Pick<Binding, 'aor' | 'ruid' | 'contact'>): Binding {
  return {
    aor: given.aor,
    ruid: given.ruid,
    contact: given.contact,
    origin: given.origin ?? 'registered',
    trust: given.trust ?? 'script',
    by: given.by ?? '',
    received: given.received ?? '',
    path: given.path ?? noPath,
    socket: given.socket ?? '',
    q: given.q ?? -1,
    callId: given.callId ?? '',
    cseq: given.cseq ?? 0,
    userAgent: given.userAgent ?? '',
    methods: given.methods ?? allMethods,
    instance: given.instance ?? '',
    regId: given.regId ?? 0,
    flags: given.flags ?? 0,
    branchFlags: given.branchFlags ?? 0,
    expiresAt: given.expiresAt ?? Number.POSITIVE_INFINITY,
    modifiedAt: given.modifiedAt ?? 0,
    isDurable: given.isDurable ?? true,
    flow: given.flow ?? null,
    elsewhere: given.elsewhere ?? null,
  }
}

const noPath: readonly string[] = []

/** Seconds until it expires, rounded up; Infinity for a permanent one. */
export function remainingSeconds(binding: Pick<Binding, 'expiresAt'>, now: number): number {
  return Math.max(0, Math.ceil((binding.expiresAt - now) / 1000))
}

/** May anything be sent to it? Always, if it has no pinhole to lose; of another edge's, only that edge knows. */
export function isReachable(binding: Binding, now: number): boolean {
  if (binding.elsewhere !== null) return binding.elsewhere.isDirect || binding.elsewhere.edge.isAlive
  return binding.flow === null || binding.flow.reachableUntil > now
}
