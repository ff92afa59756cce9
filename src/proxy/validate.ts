import { limits } from '../limits.ts'
import { hexOf } from '../runtime/sip-hash.ts'
import { HeaderId } from '../sip/header-id.ts'
import type { Via } from '../sip/headers/via.ts'
import type { SipMessage } from '../sip/message.ts'
import { textHash } from '../transaction/matching.ts'
import type { Flow, SocketTable } from '../transport/socket.ts'

/**
 * What must be refused whatever the script says: RFC 3261 §16.3 as far as it protects the network, RFC 5393.
 *
 * The steps of §16.3 that are policy stay with the script, because scripts of Kamailio are written so: Max-Forwards
 * is looked at by mf_process_maxfwd_header() alone (a script without it forwards 0 as 0, measured), Proxy-Require by
 * sanity_check(), credentials by the auth functions. What the scan found wrong (§16.3 step 1) is answered before the
 * script sees the message. Here is the rest: loops, and the breadth of a forking tree.
 */

/**
 * RFC 5393 §4.2: a digest of what we route by, which goes into our branch. A request that comes back with the same
 * digest in a Via of ours is in a loop; one that comes back with another Request-URI is only a spiral. The source is
 * part of it, since scripts route by it: one that sends a request to its own port on purpose decides otherwise there.
 *
 * What identifies the request (Call-ID, CSeq, tags) need not be: only its own Vias are looked at, and it passes them on
 * with the same identity. The ACK to a failure must leave with the branch of the INVITE where that was forwarded
 * statelessly (RFC 3261 §16.11), although it has a To tag that its INVITE had not.
 */
export function loopDigest(request: SipMessage, flow: Flow): string {
  let hash = textHash(request.requestUri, flow.port)
  if (request.first(HeaderId.route) >= 0) hash = textHash(request.value(HeaderId.route), hash)
  hash = textHash(flow.address, hash)
  return hexOf(hash)
}

/** Our branch: the transaction layer's own, the loop digest, the index of the branch. */
export function branchWithDigest(branch: string, digest: string, index: number): string {
  return `${branch}.${digest}.${index}`
}

/** RFC 3261 §16.3 step 4: true if one of our own Vias says that this very request was here before. */
export function isLoop(request: SipMessage, digest: string, sockets: SocketTable): boolean {
  // Nearly all requests have one Via: reading it is cheaper than searching the whole text.
  const { topmostVia: via } = request
  if (request.secondVia === null) return via !== null && isMarked(via, digest, sockets)
  for (const via of request.vias()) {
    if (isMarked(via, digest, sockets)) return true
  }
  return false
}

function isMarked({ branch, host, port }: Via, digest: string, sockets: SocketTable): boolean {
  return isOurs(host, port, sockets) && branch.includes(`.${digest}.`)
}

/** By what we write into Via, not by `myself`: an alias may name another element's address. */
function isOurs(host: string, port: number, sockets: SocketTable): boolean {
  for (const socket of sockets.sockets) {
    if (socket.advertisedAddress === host && socket.advertisedPort === (port || 5060)) return true
  }
  return false
}

/** RFC 5393 §5.1: the value of Max-Breadth; -1 if there is none, 0 if it cannot be read. */
function readMaxBreadth(request: SipMessage): number {
  if (request.first(HeaderId.maxBreadth) < 0) return -1
  const text = request.value(HeaderId.maxBreadth)
  if (text === '' || text.length > 9) return 0
  let value = 0
  for (let i = 0; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 0x30
    if (digit < 0 || digit > 9) return 0
    value = value * 10 + digit
  }
  return value
}

/**
 * RFC 5393 §5.3.3: the breadth of one response context, shared out among its parallel branches and taken back when
 * one ends. A request without the header is taken to have limits.maxBreadthDefault, and gets it written down only
 * when it forks: until then it would say nothing, and the request stays as it was.
 */
export class Breadth {
  #available: number
  readonly #isStated: boolean

  constructor(request: SipMessage) {
    const stated = readMaxBreadth(request)
    this.#isStated = stated >= 0
    this.#available = stated >= 0 ? stated : limits.maxBreadthDefault
  }

  /** What each of `count` new parallel branches gets; 0 if it does not suffice: answer 440. */
  share(count: number): number {
    const share = Math.floor(this.#available / count)
    // A branch that may fork again costs one of what it gets: so the branches of the whole tree, and not only its
    // leaves, are no more than the Max-Breadth that it began with, however it grows.
    return count === 1 || share <= 1 ? share : share - 1
  }

  /** Whether the share must be written into the request. */
  mustState(count: number, share: number): boolean {
    return this.#isStated || count > 1 || share < limits.maxBreadthDefault
  }

  take(share: number): void {
    this.#available -= share
  }

  giveBack(share: number): void {
    this.#available += share
  }
}
