import {
  type Binding,
  type Edges,
  type ListenSocket,
  mintToken,
  parseUri,
  type SipMessage,
  type SocketTable,
  type Target,
  withUser,
} from '../../src/plugin/index.ts'
import { nameAfter } from './aim.ts'

/**
 * The way to a binding of another edge: through that edge, which alone can use its flow. The request gets
 * `Route: <sip:TOKEN@edge;lr>` (RFC 3327 §5.3, RFC 5626 §5.3 in spirit) and leaves from the socket that the other edges
 * know us by: they take such a request from nobody else.
 *
 * @throws Error if no secret is known: then nothing is known of other edges either.
 */
export function aimAtEdge(
  target: Target,
  binding: Binding,
  { callId }: Pick<SipMessage, 'callId'>,
  edges: Edges | null,
  sockets: SocketTable,
): void {
  const uri = binding.elsewhere?.edge.uri ?? ''
  const secret = edges?.secret ?? null
  const token = secret === null ? '' : mintToken(secret, { ruid: binding.ruid, callId, kind: 'request' })
  const route = withUser(uri, token)
  if (edges === null || token === '' || route === null) {
    throw new Error(`the edge of a binding of ${binding.aor} cannot be asked: ${uri}`)
  }
  target.uri = binding.contact
  target.path = [`<${route};lr>`]
  target.destinationUri = uri
  const socket = socketOfEdge(edges, sockets)
  if (socket !== null) target.socket = socket
  target.flow = null
  target.trust = 'any'
  target.bytesMax = 0
  nameAfter(target, binding)
}

/** Null if our URI is a name, or another's address that leads to us: then the destination decides. */
export function socketOfEdge({ self }: Edges, sockets: SocketTable): ListenSocket | null {
  const uri = parseUri(self.uri)
  if (uri === null) return null
  const host = uri.hostIsIpv6 ? `[${uri.host}]` : uri.host
  return sockets.find(`udp:${host}:${uri.port || 5060}`)
}
