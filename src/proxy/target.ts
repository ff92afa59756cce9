import type { Flow, ListenSocket } from '../transport/socket.ts'

/**
 * One destination of a request: an element of the target set (RFC 3261 §16.5), Kamailio's branch. The first
 * one is what `$ru`, `$du`, `$fs` and the branch flags of a script speak of; `append_branch()` and `lookup()`
 * add others.
 */
export interface Target {
  /** The Request-URI to send. Not validated when a script sets it; a bad one makes t_relay fail. */
  uri: string
  /** `$du`: the next hop, whatever the Request-URI says; null for none. */
  destinationUri: string | null
  /** Values for Route headers that go on top (RFC 3327 Path of the binding), first hop first. */
  path: readonly string[]
  /** `$fs`: the socket to send from; null to choose by destination. */
  socket: ListenSocket | null
  /** The exact flow that the location knows: it wins over `uri`, and is used as it is (RFC 5626 §5.3). */
  flow: Flow | null
  /** 0 to 1000; -1 if unset. */
  q: number
  /** Branch flags: bits. */
  flags: number
  /** From the binding that this target came from; '' otherwise. */
  ruid: string
  instance: string
  userAgent: string
  aor: string
  /**
   * How this target's flow may be treated. `unproven`: send each request once, and no more octets than
   * `bytesMax` (learning.md T5).
   */
  trust: 'any' | 'proven' | 'unproven'
  bytesMax: number
}

export function createTarget(uri: string): Target {
  return {
    uri,
    destinationUri: null,
    path: [],
    socket: null,
    flow: null,
    q: -1,
    flags: 0,
    ruid: '',
    instance: '',
    userAgent: '',
    aor: '',
    trust: 'any',
    bytesMax: 0,
  }
}

/** A branch's own copy: what its branch route changes is nobody else's business. */
export function copyTarget(target: Target): Target {
  return {
    uri: target.uri,
    destinationUri: target.destinationUri,
    path: target.path,
    socket: target.socket,
    flow: target.flow,
    q: target.q,
    flags: target.flags,
    ruid: target.ruid,
    instance: target.instance,
    userAgent: target.userAgent,
    aor: target.aor,
    trust: target.trust,
    bytesMax: target.bytesMax,
  }
}
