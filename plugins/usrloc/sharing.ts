import { isIP } from 'node:net'
import { hostname } from 'node:os'
import {
  ArgumentProblem,
  hostForUri,
  isRedisUrlFault,
  type PluginHost,
  parseRedisUrl,
  parseUri,
  type SharedLocationsOptions,
} from '../../src/plugin/index.ts'
import { matchingMode } from './exports.ts'

/** Whether edges share the location, and what this one is called among them (docs/decisions/0025-edges.md). */
export interface Sharing extends SharedLocationsOptions {
  readonly url: string
}

export interface SharingParams {
  readonly store: string
  readonly edge_name: string
  readonly edge_uri: string
  readonly edge_heartbeat: number
  readonly db_mode: number | undefined
  readonly matching_mode: number
}

/**
 * Null without `store`.
 *
 * @throws Error for what makes no sense together.
 */
export function sharingOf(host: PluginHost, params: SharingParams): Sharing | null {
  const { store, db_mode: mode = 0 } = params
  if (store === '') return null
  if (mode !== 0) {
    throw new Error(
      `usrloc: store and db_mode ${mode}: bindings are shared between edges or kept in a database, not both. ` +
        'Leave db_mode out: they are in the embedded store',
    )
  }
  const name = params.edge_name || hostname()
  const problem = nameProblem(name)
  if (problem !== null) throw new Error(`usrloc: ${problem}: set edge_name`)
  return {
    url: store,
    name,
    uri: params.edge_uri || ownUri(host),
    heartbeatMs: params.edge_heartbeat,
    matchingMode: matchingMode(params.matching_mode),
  }
}

/** The first socket, as the other edges write it into Route. */
function ownUri({ sockets }: PluginHost): string {
  const socket = sockets.sockets.find(({ transport }) => transport === 'udp')
  if (socket === undefined || wildcards.has(socket.address)) {
    throw new Error('usrloc: no address under which the other edges reach this one: set edge_uri')
  }
  return `sip:${hostForUri(socket.address)}:${socket.port}`
}

const wildcards: ReadonlySet<string> = new Set(['0.0.0.0', '::'])

/** `check` of store: '' is none. */
export function checkStore(value: string | number): void {
  if (value === '') return
  const address = parseRedisUrl(String(value))
  if (isRedisUrlFault(address)) throw new ArgumentProblem(address.fault)
}

export function checkEdgeName(value: string | number): void {
  const problem = nameProblem(String(value))
  if (value !== '' && problem !== null) throw new ArgumentProblem(problem)
}

/** It stands in keys, in logs and in metrics. */
function nameProblem(name: string): string | null {
  return /^[\w.-]{1,64}$/.test(name)
    ? null
    : `'${name}' cannot be the name of an edge: letters, digits, . _ -, at most 64`
}

export function checkEdgeUri(value: string | number): void {
  if (value === '') return
  const uri = parseUri(String(value))
  const isPlain = uri !== null && uri.scheme === 'sip' && !uri.user && uri.params === '' && uri.headers === ''
  // What comes from there must be known for an edge's by its source address.
  if (!isPlain || isIP(uri.host) === 0)
    throw new ArgumentProblem(`'${value}' is not the URI of an edge`, 'sip:192.0.2.7:5060')
}

export function checkHeartbeat(value: string | number): void {
  if (Number(value) < heartbeatMin || Number(value) > heartbeatMax) {
    throw new ArgumentProblem(`an edge says that it lives every ${heartbeatMin} to ${heartbeatMax} ms`)
  }
}

const heartbeatMin = 100
const heartbeatMax = 60_000
