import { KeyedDigest } from '../runtime/keyed-digest.ts'
import { hexOf, isHexOf, SipHash } from '../runtime/sip-hash.ts'
import { readDecimal } from '../sip/bytes.ts'
import type { EditList } from '../sip/edit.ts'
import type { Via } from '../sip/headers/via.ts'
import type { SipMessage } from '../sip/message.ts'
import type { Flow, ListenSocket } from '../transport/socket.ts'
import { defaultPort } from '../transport/sockets.ts'
import { responsePort } from '../transport/via.ts'
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
 * the branch of a request that is forwarded statelessly carries a keyed hash of where its response will have to
 * go: 64 bits of SipHash (docs/decisions/0019-hot-path.md says what they are worth). A response without that hash is not
 * ours, and is dropped.
 *
 * Hot: in a router that keeps no state this is the whole way of a message.
 */
export class StatelessCore implements StatelessProxy {
  readonly #services: ProxyServices
  readonly #hash: SipHash
  readonly #identity: SipHash
  readonly #identityKey: Uint8Array
  /** Until it has been asked to. */
  #identifyBy: ((key: Uint8Array) => void) | undefined

  constructor(services: ProxyServices, key: string, identifyBy?: (key: Uint8Array) => void) {
    const keys = new KeyedDigest(key).octets('stateless')
    this.#services = services
    this.#identityKey = keys.subarray(0, 16)
    this.#identity = new SipHash(this.#identityKey)
    this.#hash = new SipHash(keys.subarray(16, 32))
    this.#identifyBy = identifyBy
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
    send(flow.socket, text, flow.address, responsePort(request, flow, forceRport))
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
    const hop = nextHopOf(target, request)
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
    const ours = response.topmostVia
    const theirs = response.secondVia
    if (ours === null || theirs === null) return false
    const socket = this.#socketOf(ours)
    if (socket === null) return false
    const address = theirs.received || theirs.host
    const port = theirs.rport || theirs.port || defaultPort(socket.transport)
    this.#prove(response, theirs, socket, address, port)
    if (!this.#isProof(ours.branch)) return false
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
    const backPort = responsePort(request, arrival, forceRport)
    this.#prove(request, request.topmostVia, arrival.socket, arrival.address, backPort)
    const proof = `${cookie}${arrival.socket.index}.${hexOf(this.#hash.high)}${hexOf(this.#hash.low)}`
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

  /** Leaves in #hash what only we can say about a request and where its response goes. */
  #prove(message: SipMessage, theirs: Via | null, back: ListenSocket, address: string, port: number): void {
    const identity = this.#identity
    if (!message.readIdentity(identity)) this.#identify(message, theirs)
    const hash = this.#hash
    hash.start()
    hash.word(identity.low)
    hash.word(identity.high)
    hash.word((back.index << 16) | port)
    hash.text(address)
    hash.finish()
  }

  /**
   * What native/scan.c does with the octets at hand, where it has not (sip/scan-record.ts says what of). It hashes whole
   * words of a machine that has them: 50 ns, where this takes 350, twice per request.
   */
  #identify(message: SipMessage, theirs: Via | null): void {
    this.#identifyBy?.(this.#identityKey)
    this.#identifyBy = undefined
    const { callId, cseq } = message
    const branch = theirs?.branch ?? ''
    const hash = this.#identity
    hash.start()
    hash.word(cseq === null ? -1 : cseq.number)
    hash.word((branch.length << 16) | callId.length)
    hash.text(branch)
    hash.pad()
    hash.text(callId)
    hash.pad()
    hash.finish()
  }

  /** Whether the branch has, after the socket's number, the 16 digits of the hash that was made last. */
  #isProof(branch: string): boolean {
    const at = branch.indexOf('.', cookie.length) + 1
    const { high, low } = this.#hash
    return branch.charAt(at + 16) === '.' && isHexOf(branch, at, high) && isHexOf(branch, at + 8, low)
  }

  /** The branch says through which socket of ours the response goes back. */
  #socketOf(ours: Via): ListenSocket | null {
    if (!ours.branch.startsWith(cookie)) return null
    const end = ours.branch.indexOf('.', cookie.length)
    const index = readDecimal(ours.branch, cookie.length, end, 65_535)
    return index === -1 ? null : (this.#services.sockets.sockets[index] ?? null)
  }
}

/** The magic cookie of RFC 3261 §8.1.1.7 and our mark: s for stateless. */
const cookie = 'z9hG4bKs'
