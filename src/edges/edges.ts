import type { Peers } from '../location/held-peers.ts'
import type { Owner } from '../location/shared-table.ts'
import type { Redis } from '../redis/redis.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Log } from '../runtime/log.ts'
import type { Metrics } from '../runtime/metrics.ts'
import type { Random } from '../runtime/random.ts'
import { LivingEdges } from './living-edges.ts'

/**
 * The edges of one location: who they are, and which of them live (docs/decisions/0025-edges.md). What is said of the
 * others is what Redis said last: while it is away, nobody dies.
 */
export interface Edges {
  readonly self: { readonly name: string; readonly uri: string }
  /** One object for each name, also for one that nobody has heard of: that one is dead. */
  owner(name: string): Owner
  /** All that have been heard of within the last day, this one among them. */
  all(): readonly EdgeState[]
  /** Its port answered with ICMP: dead until its next heartbeat. */
  suspect(name: string): void
  /** Whether an edge, dead or alive, this one too, has this address as its URI's. */
  isEdgeAddress(address: string, port: number): boolean
  /** Says to the others, and to the other workers of this one, that it is to be emptied. */
  drain(on: boolean): void
  readonly isDraining: boolean
  /** 32 octets that all edges share; null until Redis was reached once. */
  readonly secret: Buffer | null
  /** Called when somebody comes, dies, drains or moves. Returns what takes the listener away again. */
  onChange(listener: () => void): () => void
  /** Says goodbye: the others take it for dead at once. */
  close(): Promise<void>
}

export interface EdgeState extends Owner {
  readonly isSelf: boolean
  readonly isDraining: boolean
  /** Milliseconds since its last heartbeat, by Redis' clock, when this edge last looked. */
  readonly silentMs: number
}

/** The workers of a router, as edges see them. */
export interface EdgeWorkers extends Peers {
  /** The same for all workers of one process; asked only where there are several. */
  sharedKey(purpose: string): Uint8Array
}

/** The outside world of edges. */
export interface EdgesHost {
  readonly clock: Clock
  readonly log: Log
  readonly metrics: Metrics
  readonly random: Random
  /** The workers of this edge's router: each has its Edges, and the first one's is the heart. */
  readonly workers: EdgeWorkers
}

export interface EdgesOptions {
  readonly name: string
  /** `sip:192.0.2.7:5060`: where the others send what is for this edge's devices. */
  readonly uri: string
  /** Milliseconds between two heartbeats; after three without one it is dead. */
  readonly heartbeatMs?: number
}

/** Begins to beat, if this is the first worker, and to listen. Until Redis was reached it knows of nobody. */
export function openEdges(redis: Redis, host: EdgesHost, options: EdgesOptions): LivingEdges {
  return new LivingEdges(redis, host, options)
}

export type { LivingEdges } from './living-edges.ts'
