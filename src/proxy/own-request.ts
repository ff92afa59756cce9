import { limits } from '../limits.ts'
import type { Random } from '../runtime/random.ts'
import { buildRequest } from '../sip/build.ts'
import type { SipMessage } from '../sip/message.ts'
import { isFault, scanMessage } from '../sip/scan.ts'
import type { ClientTransactionUser } from '../transaction/transaction.ts'
import type { Flow } from '../transport/socket.ts'
import { wholeLines } from './local-response.ts'
import { flowTo, nextHopOf } from './next-hop.ts'
import type { OwnRequest } from './proxy.ts'
import type { ProxyServices } from './services.ts'

/**
 * Requests of our own, outside any script: pings, the outbox, remote registrations (RFC 3261 §8.1). They have one
 * target and one answer, and are heard of as a BranchEnd like any branch.
 */
export class OwnRequests {
  readonly #services: ProxyServices
  readonly #random: Random
  /** Each may change the text, or keep the request back. */
  readonly listeners: ((request: SipMessage, flow: Flow) => string | null)[] = []

  constructor(services: ProxyServices, random: Random) {
    this.#services = services
    this.#random = random
  }

  send(request: OwnRequest): void {
    this.#services.statistics.local++
    const { target } = request
    if (target.flow !== null) {
      this.#sendTo(request, target.flow)
      return
    }
    const hop = nextHopOf(target)
    if (typeof hop === 'number') {
      this.#fail(request, null)
      return
    }
    const { sockets, resolve } = this.#services
    const sendTo = (address: string, port: number) => {
      const flow = flowTo(sockets, address, port, hop.transport, target.socket, null)
      if (flow === null) this.#fail(request, null)
      else this.#sendTo(request, flow)
    }
    if (hop.isLiteral) {
      sendTo(hop.host, hop.port)
      return
    }
    const resolved = (addresses: { address: string; port: number }[]) => {
      const [first] = addresses
      if (first === undefined) this.#fail(request, null)
      else sendTo(first.address, first.port)
    }
    resolve(hop.host, hop.port, hop.transport).then(resolved, () => this.#fail(request, null))
  }

  #sendTo(request: OwnRequest, flow: Flow): void {
    const { transactions, send, log } = this.#services
    const branch = transactions.newBranch()
    const text = this.#heard(this.#build(request, flow, branch), flow)
    const { target } = request
    if (text === null) {
      this.#fail(request, flow)
      return
    }
    if (target.trust === 'unproven' && text.length > target.bytesMax) {
      log.warn({ target: target.uri, bytes: text.length }, 'not sent: more than an unproven flow may get')
      this.#fail(request, flow)
      return
    }
    if (!request.stateful) {
      send(flow.socket, text, flow.address, flow.port)
      return
    }
    const user = new OwnRequestUser(this.#services, request, flow)
    const client = transactions.createClient({
      text,
      branch,
      flow,
      user,
      ...(request.finalResponse !== undefined && { finalResponse: request.finalResponse }),
      ...(target.trust === 'unproven' && { retransmissionsMax: 0 }),
    })
    if (client === null) this.#fail(request, flow)
  }

  /** Null if a listener keeps it back. */
  #heard(text: string, flow: Flow): string | null {
    let current = text
    for (const listener of this.listeners) {
      const message = scanMessage(current)
      if (isFault(message)) return current
      const heard = listener(message, flow)
      if (heard === null) return null
      current = heard
    }
    return current
  }

  #build(request: OwnRequest, flow: Flow, branch: string): string {
    const { settings, viaPrefix } = this.#services
    const { target } = request
    const routes = target.path.length === 0 ? '' : `Route: ${target.path.join(',')}\r\n`
    const agent = settings.userAgentHeader === '' ? '' : `${settings.userAgentHeader}\r\n`
    return buildRequest({
      method: request.method,
      requestUri: target.uri,
      via: `${viaPrefix(flow.socket).slice('Via: '.length)}${branch}`,
      from: request.from,
      to: request.to,
      callId: request.callId ?? `${this.#random.hex(16)}@${flow.socket.advertisedAddress}`,
      cseq: request.cseq ?? 1,
      maxForwards: settings.maxForwardsDefault || limits.maxForwardsDefault,
      headers: routes + wholeLines(request.headers ?? '') + agent,
      ...(request.body !== undefined && { body: request.body }),
      ...(request.contentType !== undefined && { contentType: request.contentType }),
    })
  }

  #fail(request: OwnRequest, flow: Flow | null): void {
    report(this.#services, request, 0, 'transport', null, flow)
    request.onResponse?.(503, null)
  }
}

class OwnRequestUser implements ClientTransactionUser {
  readonly #services: ProxyServices
  readonly #request: OwnRequest
  readonly #flow: Flow

  constructor(services: ProxyServices, request: OwnRequest, flow: Flow) {
    this.#services = services
    this.#request = request
    this.#flow = flow
  }

  onResponse(response: SipMessage, flow: Flow): void {
    this.#services.statistics.repliesReceived++
    const { statusCode } = response
    if (statusCode < 200) return
    report(this.#services, this.#request, statusCode, 'response', flow, this.#flow)
    this.#request.onResponse?.(statusCode, response)
  }

  onTimeout(): void {
    report(this.#services, this.#request, 0, 'timeout', null, this.#flow)
    this.#request.onResponse?.(408, null)
  }

  onTransportError(): void {
    report(this.#services, this.#request, 0, 'transport', null, this.#flow)
    this.#request.onResponse?.(503, null)
  }
}

function report(
  services: ProxyServices,
  request: OwnRequest,
  statusCode: number,
  cause: 'response' | 'timeout' | 'transport',
  responseFlow: Flow | null,
  flow: Flow | null,
): void {
  const { target, method } = request
  services.branchEnded({ context: null, target, method, statusCode, cause, responseFlow, flow })
}
