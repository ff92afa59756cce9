import {
  type Binding,
  budgetOf,
  type EditList,
  type Flow,
  type ListenSocket,
  parseNameAddrs,
  parseUri,
  type SipMessage,
  type SocketTable,
  type Target,
} from '../../src/plugin/index.ts'

/**
 * How a binding becomes a target (RFC 3261 §16.5): for lookup() of a script, and for what another edge sends to one of
 * ours. Hot.
 */
export interface AimedRequest {
  readonly message: SipMessage
  readonly edits: EditList
  /** Where it came from. */
  readonly flow: Flow
}

/** Octets that our own Via, `received` and `rport` add to a request on its way to an unproven flow. */
const headroom = 192

/** Whether an unproven flow may still have so many octets (learning.md T5). */
export function mayReceive({ flow }: Binding, request: AimedRequest): boolean {
  return flow === null || flow.proven || budgetOf(flow) >= requestBytes(request)
}

/**
 * Octets that the request will have when it leaves. Credentials that were consumed do not count: they are longer than
 * the rest of a short message, which would be cold for their sake.
 */
function requestBytes({ message, edits }: AimedRequest): number {
  const { above, below, edits: changes, body } = edits.plan()
  let bytes = message.bodyEnd + above.length + below.length + headroom
  for (const { start, end, text } of changes) bytes += text.length - (end - start)
  return body === null ? bytes : bytes + body.text.length - (message.bodyEnd - message.bodyStart)
}

/** Kamailio's order for the next hop: Path, then received, then the contact itself. */
export function aimAtBinding(
  target: Target,
  binding: Binding,
  request: AimedRequest,
  sockets: SocketTable,
): void {
  target.uri = binding.contact
  target.path = binding.path
  const firstHop = binding.path[0]
  target.destinationUri = firstHop !== undefined ? uriOfHop(firstHop) : binding.received || null
  const socket = socketOf(binding, request, sockets)
  if (socket !== null) target.socket = socket
  nameAfter(target, binding)
  aimAtFlow(target, binding, request)
}

/** Whose target it is: for branch routes, events, and who hears how it ended. */
export function nameAfter(target: Target, binding: Binding): void {
  target.q = binding.q
  target.flags |= binding.branchFlags
  target.ruid = binding.ruid
  target.instance = binding.instance
  target.userAgent = binding.userAgent
  target.aor = binding.aor
}

/** Null if we do not listen there any more. Mostly it is the one that the request came in at. */
function socketOf({ socket }: Binding, { flow }: AimedRequest, sockets: SocketTable): ListenSocket | null {
  if (socket === '') return null
  return socket === flow.socket.label ? flow.socket : sockets.find(socket)
}

/** The exact flow, and how it may be treated: learning.md T5. */
function aimAtFlow(target: Target, { flow, trust }: Binding, request: AimedRequest): void {
  target.flow = flow === null ? null : flow.flow
  target.trust = flow === null || trust === 'operator' ? 'any' : flow.proven ? 'proven' : 'unproven'
  target.bytesMax = 0
  if (flow === null) return
  target.socket = flow.flow.socket
  if (target.trust !== 'unproven') return
  target.bytesMax = Math.min(budgetOf(flow), requestBytes(request))
  flow.bytesOut += target.bytesMax
}

/** A first hop that is ourselves is left out. */
export function skipOwnHop(target: Target, sockets: SocketTable): void {
  const uri = target.destinationUri === null ? null : parseUri(target.destinationUri)
  if (uri === null || !sockets.isMyself(uri.host, uri.port)) return
  target.path = target.path.slice(1)
  const next = target.path[0]
  target.destinationUri = next === undefined ? null : uriOfHop(next)
}

/** The URI of one value of Path; null if it cannot be read. */
export function uriOfHop(hop: string): string | null {
  const parsed = parseNameAddrs(hop, 1)?.[0]
  return parsed === undefined || parseUri(parsed.uri) === null ? null : parsed.uri
}
