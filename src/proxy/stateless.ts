import { KeyedDigest } from '../runtime/keyed-digest.ts'
import type { EditList } from '../sip/edit.ts'
import type { Via } from '../sip/headers/via.ts'
import type { SipMessage } from '../sip/message.ts'
import type { Flow, ListenSocket } from '../transport/socket.ts'
import { defaultPort } from '../transport/sockets.ts'
import { responseDestination } from '../transport/via.ts'
import { forwardedRequest, forwardedResponse } from './forward.ts'
import { flowTo, nextHopOf } from './next-hop.ts'
import type { ForwardOptions, ReplyOptions, ReplyStatus, StatelessProxy } from './proxy.ts'
import { resolveRecordRoutes } from './record-route.ts'
import { relayErrors } from './relay-error.ts'
import type { ProxyServices } from './services.ts'
import type { Target } from './target.ts'
import { branchWithDigest, isLoop, loopDigest } from './validate.ts'

/**
 * What needs no memory: answers whose To-tag follows from the request (RFC 3261 §8.2.7), and stateless forwarding
 * (§16.11), whose branch follows from the request as well, so that a retransmission gets the same.
 *
 * Kamailio forwards any response to its second Via, and so sends whatever a stranger asks to wherever he says. Here
 * the branch of a request that is forwarded statelessly carries a keyed digest of where its response will have to
 * go. A response without that digest is not ours, and is dropped.
 */
export class StatelessCore implements StatelessProxy {
  readonly #services: ProxyServices
  readonly #digest: KeyedDigest

  constructor(services: ProxyServices, key: string) {
    this.#services = services
    this.#digest = new KeyedDigest(key)
  }

  reply(
    request: SipMessage,
    flow: Flow,
    statusCode: number,
    reason: string,
    options?: ReplyOptions,
  ): boolean {
    if (request.method === 'ACK') return false
    const { responses, send, statistics } = this.#services
    const forceRport = options?.forceRport === true
    const tag = responses.statelessTag(request)
    const text = responses.build(request, flow, statusCode, reason, tag, options, forceRport)
    const { address, port } = responseDestination(request, flow, forceRport)
    send(flow.socket, text, address, port)
    statistics.statelessReplies.set(statusCode, (statistics.statelessReplies.get(statusCode) ?? 0) + 1)
    return true
  }

  /** The ACK to a non-2xx has the request's branch, hence its tag (RFC 3261 §17.1.1.3). */
  isAckToReply(ack: SipMessage): boolean {
    if (ack.toTag === '' || ack.toTag !== this.#services.responses.statelessTag(ack)) return false
    this.#services.statistics.statelessAcks++
    return true
  }

  forwardRequest(
    request: SipMessage,
    flow: Flow,
    target: Target,
    edits: EditList,
    options?: ForwardOptions,
  ): number {
    const { sockets, resolve } = this.#services
    const digest = loopDigest(request, flow)
    if (isLoop(request, digest, sockets)) return relayErrors.loop
    const forceRport = options?.forceRport === true
    if (target.flow !== null) return this.#send(request, flow, target, target.flow, edits, forceRport, digest)
    const hop = nextHopOf(target)
    if (typeof hop === 'number') return hop
    const sendTo = (address: string, port: number, with_: EditList) => {
      const to = flowTo(sockets, address, port, hop.transport, target.socket, flow.socket)
      if (to === null) return relayErrors.noSocket
      return this.#send(request, flow, target, to, with_, forceRport, digest)
    }
    if (hop.isLiteral) return sendTo(hop.host, hop.port, edits)
    const kept = edits.clone()
    const resolved = (addresses: { address: string; port: number }[]) => {
      for (const { address, port } of addresses) if (sendTo(address, port, kept) > 0) return
      const { log } = this.#services
      log.info({ target: target.uri, host: hop.host }, 'not forwarded: no address of the host can be reached')
    }
    resolve(hop.host, hop.port, hop.transport).then(resolved, () => resolved([]))
    return 1
  }

  forwardResponse(response: SipMessage, edits: EditList | null, status: ReplyStatus | null = null): boolean {
    // Nothing answers an ACK: what says so comes from somebody who wants to be forwarded.
    if (response.method === 'ACK') return false
    const [ours, theirs] = response.vias()
    if (ours === undefined || theirs === undefined) return false
    const socket = this.#socketOf(ours)
    if (socket === null) return false
    const address = theirs.received || theirs.host
    const port = theirs.rport || theirs.port || defaultPort(socket.transport)
    if (!ours.branch.startsWith(`${this.#proof(response, theirs.branch, socket, address, port)}.`))
      return false
    this.#services.send(socket, forwardedResponse(response, edits, status), address, port)
    return true
  }

  #send(
    request: SipMessage,
    arrival: Flow,
    target: Target,
    to: Flow,
    edits: EditList,
    forceRport: boolean,
    loopDigest: string,
  ): number {
    const back = responseDestination(request, arrival, forceRport)
    const theirs = request.topmostVia?.branch ?? ''
    const proof = this.#proof(request, theirs, arrival.socket, back.address, back.port)
    const branch = branchWithDigest(proof, loopDigest, 0)
    const written = forwardedRequest(request, arrival, edits, {
      requestUri: target.uri,
      path: target.path,
      via: `${this.#services.viaPrefix(to.socket)}${branch}\r\n`,
      maxBreadth: -1,
      forceRport,
    })
    if (written === null) return relayErrors.badRequestUri
    const text = resolveRecordRoutes(written, to.socket, this.#services.sockets)
    if (target.trust === 'unproven' && text.length > target.bytesMax) return relayErrors.sendFailed
    if (this.#services.handlers.onSend?.(request, text, to) === false) return relayErrors.sendFailed
    this.#services.send(to.socket, text, to.address, to.port)
    return 1
  }

  /** Says through which socket of ours the response goes back, and proves that we said so. */
  #proof(message: SipMessage, theirs: string, back: ListenSocket, address: string, port: number): string {
    const { callId, cseq } = message
    const what = `${theirs}\n${callId}\n${cseq?.number ?? ''}\n${address}\n${port}\n${back.index}`
    return `${cookie}${back.index}.${this.#digest.hex(what).slice(0, 32)}`
  }

  #socketOf(ours: Via): ListenSocket | null {
    if (!ours.branch.startsWith(cookie)) return null
    const end = ours.branch.indexOf('.', cookie.length)
    const index = Number(ours.branch.slice(cookie.length, end))
    return this.#services.sockets.sockets[index] ?? null
  }
}

/** The magic cookie of RFC 3261 §8.1.1.7 and our mark: s for stateless. */
const cookie = 'z9hG4bKs'
