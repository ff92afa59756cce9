import { isIP } from 'node:net'
import {
  applyRoutePlan,
  type Binding,
  createEditList,
  createTarget,
  type Edges,
  type EditList,
  endOfValue,
  type Flow,
  HeaderId,
  hostWithoutBrackets,
  isLikeToken,
  isReachable,
  limits,
  mintToken,
  type PluginHost,
  parseDecimal,
  parseUri,
  planRoute,
  quoted,
  type RoutePlan,
  readToken,
  readUriOf,
  recordRouteAddress,
  type SipMessage,
  type Target,
  type TokenKind,
  withoutParam,
} from '../../src/plugin/index.ts'
import { aimAtBinding, mayReceive, skipOwnHop } from './aim.ts'

/**
 * What the owner of a binding does with requests that carry a token of the edges (docs/decisions/0025-edges.md). It takes them
 * before its script, which has judged nothing about them and must not: the script of the edge that was asked has. They are
 * relayed statefully, as everything is.
 *
 *     caller            edge A, asked                edge B, owner                 device
 *        |-- INVITE ------->| Route: <request@B>          | Record-Route: <outward@B>  |
 *        |                  |-- INVITE ------------------>|               <inward@B>   |
 *        |                  |                             |-- INVITE ---- its flow --->|
 *        |                  |<---------------------- 200, by Via ----------------------|
 *        |-- BYE ---------->| Route: <inward@B>,<outward@B>                            |
 *        |                  |-- BYE --------------------->|-- BYE ------- its flow --->|
 *        |                  |                             | Route: <outward@B>,<inward@B>,<A>
 *        |<------ BYE ------|<----------------------- BYE |<------------- BYE ---------|
 *
 * Which way a request in a dialog goes is said by the token that stands on top of its route set (RFC 3261 §16.12.1.1 has
 * both), not by where it came from, as RFC 5626 §5.3 has it: a NAT may have given the device another port meanwhile.
 *
 * Called once for each request that is no retransmission: what has no Route costs a look.
 */
export interface RelayOptions {
  readonly host: PluginHost
  readonly edges: Edges
  /** One of this edge's own. */
  bindingOf(ruid: string): Binding | undefined
}

/** An answer of our own. */
interface Refusal {
  readonly statusCode: number
  readonly reason: string
  /** For Reason (RFC 3326), which says why. */
  readonly why: string
}

export class EdgeRelay {
  readonly #host: PluginHost
  readonly #edges: Edges
  readonly #bindingOf: (ruid: string) => Binding | undefined
  readonly #relayed
  readonly #refused

  constructor({ host, edges, bindingOf }: RelayOptions) {
    this.#host = host
    this.#edges = edges
    this.#bindingOf = bindingOf
    const { metrics } = host
    this.#relayed = metrics.counter(
      'viaduct_edges_relayed_total',
      'Requests that other edges have sent to bindings of this one, and those in their dialogs.',
      ['kind'],
    )
    this.#refused = metrics.counter(
      'viaduct_edges_refused_total',
      'Requests with a token of the edges that were refused.',
      ['status'],
    )
  }

  /** True: it is answered for. */
  takes(request: SipMessage, flow: Flow): boolean {
    const text = this.#tokenIn(request)
    if (text === '') return false
    const refusal = this.#relay(request, flow, text)
    if (refusal !== null) this.#refuse(request, flow, refusal)
    return true
  }

  /** The user of the topmost Route, if that is ours and looks like a token; '' otherwise. */
  #tokenIn(request: SipMessage): string {
    const header = request.first(HeaderId.route)
    if (header < 0) return ''
    const routes = request.headerValue(header)
    const uri = readUriOf(routes, 0, endOfValue(routes, 0, routes.length))
    const user = uri?.user ?? ''
    if (uri === null || !isLikeToken(user)) return ''
    return this.#host.sockets.isMyself(uri.host, uri.port) ? user : ''
  }

  #relay(request: SipMessage, flow: Flow, text: string): Refusal | null {
    const { secret } = this.#edges
    if (secret === null) return unavailable('this edge knows no other edges yet')
    const token = readToken(secret, text, request.callId)
    if (token === null) return forbidden('the token is not one of an edge for this Call-ID')
    const { kind, ruid } = token
    if (kind === 'request' && !this.#edges.isEdgeAddress(flow.address, flow.port)) {
      return forbidden('it does not come from an edge')
    }
    if (kind !== 'request' && request.toTag === '') return forbidden('the token is for requests in a dialog')
    if (hopsLeft(request) === 0) return tooManyHops
    if (request.method === 'CANCEL') return this.#cancel(request, flow)
    const binding = this.#ownBinding(ruid)
    if (kind === 'outward') return this.#relayOutward(request, flow, binding)
    return this.#relayInward(request, flow, binding, kind, secret)
  }

  /** What is ours now, and not what it was: its flow may be another. */
  #ownBinding(ruid: string): Binding | null {
    const binding = this.#bindingOf(ruid)
    return binding !== undefined && binding.expiresAt > this.#host.clock.now() ? binding : null
  }

  /** To the device, as lookup() would have aimed it here. */
  #relayInward(
    request: SipMessage,
    flow: Flow,
    binding: Binding | null,
    kind: TokenKind,
    secret: Buffer,
  ): Refusal | null {
    const { clock, sockets } = this.#host
    if (binding === null) return unavailable('the binding is not here any more')
    if (!isReachable(binding, clock.now())) return unavailable('the pinhole of the binding has closed')
    const { plan, edits, target } = this.#unrouted(request, kind)
    if (plan.code === -1) return badRoute
    const requestUri = target.uri
    if (kind === 'request' && makesDialog(request)) {
      edits.prependHeader(this.#recordRoute(request, flow, binding, secret))
    }
    const received = { message: request, edits, flow }
    if (!mayReceive(binding, received)) {
      return unavailable('the flow is unproven, and the request is longer than three times what came from it')
    }
    aimAtBinding(target, binding, received, sockets)
    // What the asking edge's script made of the contact stays.
    target.uri = requestUri
    if (kind === 'request') {
      if (target.path.length > 0) skipOwnHop(target, sockets)
    } else {
      // The remote target, as the device has given it: the alias is what our own reply routes have added.
      target.uri = withoutParam(requestUri, 'alias') ?? requestUri
      // Those of the path who want to be in the dialog have said so: they are in the route set.
      if (plan.destinationUri !== null || target.path.length > 0) target.destinationUri = plan.destinationUri
      target.path = []
    }
    return this.#send(request, flow, target, edits, kind)
  }

  /** From the device, onwards along its route set: RFC 3261 §16.6 steps 6 and 7. */
  #relayOutward(request: SipMessage, flow: Flow, binding: Binding | null): Refusal | null {
    if (!endsDialogs.has(request.method)) {
      if (binding === null) return unavailable('the binding is not here any more')
      if (!isFrom(binding, flow)) return forbidden('it does not come from the device')
    }
    const { plan, edits, target } = this.#unrouted(request, 'outward')
    if (plan.code === -1) return badRoute
    target.destinationUri = plan.destinationUri
    target.socket = plan.socket
    return this.#send(request, flow, target, edits, 'outward')
  }

  /**
   * The request without the Routes that named us, one hop older. Below the token of an edge that was asked stands what its
   * script has left there: that is no more followed than where lookup() has found the target itself.
   */
  #unrouted(request: SipMessage, kind: TokenKind): { plan: RoutePlan; edits: EditList; target: Target } {
    const edits = createEditList()
    const found = planRoute(request, request.requestUri, this.#host.sockets)
    const plan = kind === 'request' ? { ...found, ...onlyTheToken } : found
    applyRoutePlan(plan, request, edits)
    countHop(request, edits)
    return { plan, edits, target: createTarget(plan.requestUri ?? request.requestUri) }
  }

  /**
   * Two values, also where both sides meet the same socket: the upper one is what the device will have on top of its
   * requests, the lower one what everybody else will.
   */
  #recordRoute({ callId }: SipMessage, flow: Flow, binding: Binding, secret: Buffer): string {
    const { ruid, socket } = binding
    const { sockets } = this.#host
    const departure =
      binding.flow?.flow.socket ?? (socket === '' ? null : sockets.find(socket)) ?? flow.socket
    const outward = mintToken(secret, { ruid, callId, kind: 'outward' })
    const inward = mintToken(secret, { ruid, callId, kind: 'inward' })
    return (
      `Record-Route: <sip:${outward}@${recordRouteAddress(departure)};r2=on;lr>\r\n` +
      `Record-Route: <sip:${inward}@${recordRouteAddress(flow.socket)};r2=on;lr>\r\n`
    )
  }

  /** Statefully; an ACK to a 2xx is a message of its own (RFC 3261 §16.11). */
  #send(request: SipMessage, flow: Flow, target: Target, edits: EditList, kind: TokenKind): Refusal | null {
    const { proxy } = this.#host
    this.#relayed.add(1, kind)
    // A device behind a NAT need not have said rport.
    const forceRport = kind === 'outward'
    if (request.method === 'ACK') {
      proxy.stateless.forwardRequest(request, flow, target, edits, { forceRport })
      return null
    }
    const context = proxy.createContext(request, flow, {})
    if (context === null) return overloaded
    context.forceRport = forceRport
    if (context.relay([target], request, edits) <= 0) context.finishScript()
    return null
  }

  /** Hop by hop: answered here, and its INVITE's branches are cancelled (RFC 3261 §16.10). */
  #cancel(cancel: SipMessage, flow: Flow): Refusal | null {
    const { proxy } = this.#host
    if (proxy.findContext(cancel) === null) return unmatched
    const context = proxy.createContext(cancel, flow, {})
    if (context === null) return overloaded
    context.relay([createTarget(cancel.requestUri)], cancel, createEditList())
    return null
  }

  /** By no memory of ours: who makes up tokens costs a signature and an answer. */
  #refuse(request: SipMessage, flow: Flow, { statusCode, reason, why }: Refusal): void {
    const { log, proxy } = this.#host
    this.#refused.add(1, String(statusCode))
    const source = `${flow.address}:${flow.port}`
    const { callId, method } = request
    if (log.enabled('debug')) {
      log.debug({ callId, method, source, statusCode }, `refused a request with a token of the edges: ${why}`)
    }
    const headers = `Reason: SIP;cause=${statusCode};text=${quoted(why)}\r\n`
    proxy.stateless.reply(request, flow, statusCode, reason, { headers, forceRport: true })
  }
}

const onlyTheToken: Partial<RoutePlan> = {
  requestUri: null,
  destinationUri: null,
  consumed: 1,
  dropsLast: false,
  appended: '',
}

const tooManyHops: Refusal = { statusCode: 483, reason: 'Too Many Hops', why: 'Max-Forwards is 0' }
const badRoute: Refusal = { statusCode: 400, reason: 'Bad Request', why: 'a Route cannot be read' }
const overloaded: Refusal = { statusCode: 503, reason: 'Service Unavailable', why: 'too many transactions' }
const unmatched: Refusal = {
  statusCode: 481,
  reason: 'Call/Transaction Does Not Exist',
  why: 'the INVITE is not here',
}

function forbidden(why: string): Refusal {
  return { statusCode: 403, reason: 'Forbidden', why }
}

function unavailable(why: string): Refusal {
  return { statusCode: 480, reason: 'Temporarily Unavailable', why }
}

/** Methods whose first request makes a dialog: RFC 3261 §12.1, RFC 6665 §4.1, RFC 3515 §2.4.4. */
const dialogMethods: ReadonlySet<string> = new Set(['INVITE', 'SUBSCRIBE', 'NOTIFY', 'REFER'])

function makesDialog({ method, toTag }: SipMessage): boolean {
  return toTag === '' && dialogMethods.has(method)
}

/** What a device may send though it has moved, or its binding has gone: many unregister, and then hang up. */
const endsDialogs: ReadonlySet<string> = new Set(['ACK', 'BYE'])

/**
 * Whether it comes from where the binding points: the token alone does not make us a relay for whoever was once called. A
 * port may change, behind a NAT it does. What is reached through other proxies, or by a name, comes from where it will.
 */
function isFrom({ flow, path, received, contact }: Binding, { address }: Flow): boolean {
  if (flow !== null) return flow.flow.address === address
  const uri = path.length > 0 ? null : parseUri(received || contact)
  const host = uri === null ? '' : hostWithoutBrackets(uri.host)
  return isIP(host) === 0 || host === address
}

/** RFC 3261 §16.3 step 3; 0 also for what is no number. */
function hopsLeft(request: SipMessage): number {
  if (request.first(HeaderId.maxForwards) < 0) return limits.maxForwardsDefault + 1
  return Math.max(0, parseDecimal(request.value(HeaderId.maxForwards), maxForwardsMax))
}

/** RFC 3261 §20.22. */
const maxForwardsMax = 255

/** RFC 3261 §16.6 step 3. */
function countHop(request: SipMessage, edits: EditList): void {
  const header = request.first(HeaderId.maxForwards)
  const left = hopsLeft(request) - 1
  if (header < 0) edits.appendHeader(`Max-Forwards: ${left}\r\n`)
  else edits.replace(request.headerValueStart(header), request.headerValueEnd(header), String(left))
}
