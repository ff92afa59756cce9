import { limits } from '../limits.ts'
import type { SipMessage } from '../sip/message.ts'
import type { ClientOptions } from '../transaction/transaction.ts'
import type { Flow } from '../transport/socket.ts'
import type { ProxyBranch } from './branch.ts'
import { finalResponseInviteOf, finalResponseOf, type TimedContext } from './branch-timers.ts'
import { forwardedRequest } from './forward.ts'
import { flowTo, type NextHop, nextHopOf } from './next-hop.ts'
import { resolveRecordRoutes } from './record-route.ts'
import { relayErrors } from './relay-error.ts'
import type { ProxyServices } from './services.ts'
import { branchWithDigest } from './validate.ts'

/**
 * How one branch leaves: RFC 3261 §16.6 steps 7 to 10. A literal address, or a flow that the location knows, is sent
 * to at once; a host name is looked up while the script goes on (docs/decisions/0010-dns-does-not-block.md).
 */
export interface DepartureContext extends TimedContext {
  readonly services: ProxyServices
  readonly request: SipMessage
  readonly flow: Flow
  readonly forceRport: boolean
  readonly loopDigest: string
  readonly disableFailover?: boolean
  readonly t1?: number
  readonly t2?: number
  /** The branch waited for DNS or its branch route and cannot leave: one of relayErrors. */
  departureFailed(branch: ProxyBranch, error: number): void
  /** False if nothing must leave any more: answered or cancelled meanwhile. */
  mayDepart(branch: ProxyBranch): boolean
}

/** 0 if the branch left or is waiting for DNS, else one of relayErrors. */
export function depart(context: DepartureContext, branch: ProxyBranch): number {
  const { target } = branch
  if (target.uri.length > limits.uriBytesMax || !isSafeUri(target.uri)) return relayErrors.badRequestUri
  if (target.flow !== null) return sendTo(context, branch, target.flow)
  const hop = nextHopOf(target)
  if (typeof hop === 'number') return hop
  if (!hop.isLiteral) {
    resolveAndSend(context, branch, hop)
    return 0
  }
  const { sockets } = context.services
  const flow = flowTo(sockets, hop.host, hop.port, hop.transport, target.socket, context.flow.socket)
  return flow === null ? relayErrors.noSocket : sendTo(context, branch, flow)
}

/** RFC 3263 §4.3: the next address of the host name, after one that could not be reached. False if there is none. */
export function departToAlternative(context: DepartureContext, branch: ProxyBranch): boolean {
  if (context.disableFailover) return false
  while (branch.alternatives.length > 0) {
    const [next, ...rest] = branch.alternatives
    branch.alternatives = rest
    const hop = nextHopOf(branch.target)
    if (next === undefined || typeof hop === 'number') return false
    if (sendToAddress(context, branch, hop, next) === 0) return true
  }
  return false
}

function resolveAndSend(context: DepartureContext, branch: ProxyBranch, hop: NextHop): void {
  branch.edits = branch.edits?.clone() ?? null
  const resolved = (addresses: { address: string; port: number }[]) => {
    if (!context.mayDepart(branch)) return
    branch.alternatives = addresses
    let error: number = relayErrors.unresolvable
    while (branch.alternatives.length > 0) {
      const [next, ...rest] = branch.alternatives
      branch.alternatives = rest
      if (next === undefined) break
      error = sendToAddress(context, branch, hop, next)
      if (error === 0) return
    }
    context.departureFailed(branch, error)
  }
  context.services.resolve(hop.host, hop.port, hop.transport).then(resolved, () => resolved([]))
}

function sendToAddress(
  context: DepartureContext,
  branch: ProxyBranch,
  hop: NextHop,
  to: { address: string; port: number },
): number {
  const { sockets } = context.services
  const { socket } = branch.target
  const flow = flowTo(sockets, to.address, to.port, hop.transport, socket, context.flow.socket)
  return flow === null ? relayErrors.noSocket : sendTo(context, branch, flow)
}

function sendTo(context: DepartureContext, branch: ProxyBranch, flow: Flow): number {
  const { services, request } = context
  const { target } = branch
  const id = branchWithDigest(services.transactions.newBranch(), context.loopDigest, branch.index)
  const written = forwardedRequest(request, context.flow, branch.edits, {
    requestUri: target.uri,
    path: target.path,
    via: `${services.viaPrefix(flow.socket)}${id}\r\n`,
    maxBreadth: branch.statedBreadth,
    forceRport: context.forceRport,
  })
  if (written === null) return relayErrors.badRequestUri
  const text = resolveRecordRoutes(written, flow.socket, services.sockets)
  if (target.trust === 'unproven' && text.length > target.bytesMax) {
    services.log.warn(
      { target: target.uri, bytes: text.length, bytesMax: target.bytesMax },
      'not sent: more octets than an unproven flow may get',
    )
    return relayErrors.sendFailed
  }
  if (services.handlers.onSend?.(request, text, flow) === false) return relayErrors.sendFailed
  const now = services.clock.now()
  const options: ClientOptions = { text, branch: id, flow, user: branch, now }
  const finalResponse = finalResponseOf(context, services, now)
  const finalResponseInvite = finalResponseInviteOf(context, services, now)
  if (finalResponse !== 0) options.finalResponse = finalResponse
  if (finalResponseInvite !== 0) options.finalResponseInvite = finalResponseInvite
  if (target.trust === 'unproven') options.retransmissionsMax = 0
  if (context.t1) options.t1 = context.t1
  if (context.t2) options.t2 = context.t2
  branch.client = services.transactions.createClient(options)
  return branch.client === null ? relayErrors.overloaded : 0
}

/** Whatever a script made of it, the Request-URI must not end the request line. */
function isSafeUri(uri: string): boolean {
  for (let i = 0; i < uri.length; i++) {
    const octet = uri.charCodeAt(i)
    if (octet <= 0x20 || octet === 0x7f) return false
  }
  return uri !== ''
}
