import type { SipMessage } from '../sip/message.ts'

/**
 * Which server transaction a request belongs to: RFC 3261 §17.2.3. Hot.
 *
 * The RFC compares branch, sent-by and method. Here Call-ID and CSeq number count too: devices with one branch
 * burnt into their firmware exist, and two of them must never get each other's answers. A retransmission, a CANCEL
 * and an ACK repeat all four (RFC 3261 §9.1, §17.1.1.3), so nothing that belongs together is kept apart.
 *
 * A transaction is found by 32 bits of these and then compared field by field: a text of all of them, made up for every
 * request, was what the layer spent most of its time on.
 */

/**
 * 64 bits of what a message is found by: `hash`, which places it in a table, and `check`, which together with it is
 * believed where the texts themselves are not kept (answer-ring.ts). Both are made with secrets of the layer: nobody
 * can aim many requests at one place, nor make up two that are taken for one.
 *
 * Hot: one object for all messages, and one pass over each text for both.
 */
export class Fingerprint {
  hash = 0
  check = 0
  readonly #seed: number
  readonly #checkSeed: number
  #request: SipMessage | null = null
  #unmethodical = 0

  constructor(seed: number, checkSeed: number) {
    this.#seed = seed
    this.#checkSeed = checkSeed
  }

  /** What all requests of one transaction, its ACK and its CANCEL have in common. */
  hashOf(request: SipMessage): number {
    // It is looked for when it comes, and added when the script relays it.
    if (request === this.#request) return this.hash
    this.#begin()
    this.#add(request.callId)
    const via = request.topmostVia
    if (via?.isRfc3261) this.#add(via.branch)
    this.#end(request.cseq?.number ?? 0)
    this.#unmethodical = this.check
    this.#request = request
    return this.hash
  }

  /** Beside hashOf(): all that isSameTransaction() compares. */
  checkOf(request: SipMessage, method: string): number {
    this.hashOf(request)
    const via = request.topmostVia
    if (via === null) return 0
    if (!via.isRfc3261) return textHash(oldKey(request, method, request.toTag), this.#unmethodical)
    return textHash(via.host, textHash(method, this.#unmethodical) ^ via.port)
  }

  /** What the ACK to a 2xx shares with its INVITE: it has another branch (RFC 3261 §13.2.2.4). */
  readDialog(request: SipMessage): void {
    this.#begin()
    this.#add(request.callId)
    this.#add(request.fromTag)
    this.#end(request.cseq?.number ?? 0)
  }

  readBranch(branch: string): void {
    this.#begin()
    this.#add(branch)
    this.#end(-1)
  }

  /** Keeps no message alive. */
  forget(): void {
    this.#request = null
  }

  #begin(): void {
    this.#request = null
    this.hash = this.#seed
    this.check = this.#checkSeed
  }

  #add(text: string): void {
    let { hash, check } = this
    for (let i = 0; i < text.length; i++) {
      const octet = text.charCodeAt(i)
      hash = Math.imul(hash ^ octet, multiplier)
      check = Math.imul(check ^ octet, checkMultiplier)
    }
    this.hash = hash ^ (hash >>> 15)
    this.check = check ^ (check >>> 13) ^ text.length
  }

  #end(number: number): void {
    const hash = Math.imul(this.hash ^ number, multiplier)
    const check = Math.imul(this.check ^ number, checkMultiplier)
    this.hash = Math.imul(hash ^ (hash >>> 15), multiplier) | 0
    this.check = Math.imul(check ^ (check >>> 13), checkMultiplier) | 0
  }
}

export function textHash(text: string, seed: number): number {
  let hash = seed
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), multiplier)
  return hash ^ (hash >>> 15)
}

/** Odd, with bits in all places: every octet reaches the upper half after one step. */
const multiplier = 0x9e3779b1 | 0
const checkMultiplier = 0x85ebca6b | 0

/** Whether `request`, taken as one of `method`, belongs to the transaction that `first` began. */
export function isSameTransaction(first: SipMessage, request: SipMessage, method: string): boolean {
  const own = first.topmostVia
  const via = request.topmostVia
  if (own === null || via === null || first.method !== method) return false
  if (!own.isRfc3261 || !via.isRfc3261) {
    return oldKey(first, method, first.toTag) === oldKey(request, method, request.toTag)
  }
  return (
    own.branch === via.branch &&
    own.port === via.port &&
    own.host === via.host &&
    first.cseq?.number === request.cseq?.number &&
    first.callId === request.callId
  )
}

/** All that is compared, as one text that keeps no datagram alive. Fields are parted by what no header value has. */
export function serverKey(request: SipMessage, method: string): string {
  const via = request.topmostVia
  if (via === null) return ''
  if (!via.isRfc3261) return oldKey(request, method, request.toTag)
  return `${method}\n${via.branch}\n${request.cseq?.number}\n${via.host}:${via.port}\n${request.callId}`
}

/**
 * RFC 2543 peers, whose branch proves nothing: Request-URI, To tag, From tag, Call-ID, CSeq number and topmost Via.
 * An ACK carries the To tag of the response, the INVITE that it acknowledges had none or, inside a dialog, the same.
 */
export function oldKey(request: SipMessage, method: string, toTag: string): string {
  const via = request.topmostVia
  if (via === null) return ''
  const viaText = request.text.slice(via.start, via.end)
  const { requestUri, callId, cseq, fromTag } = request
  return `${method}\n${viaText}\n${cseq?.number}\n${fromTag}\n${toTag}\n${callId}\n${requestUri}`
}

/** Of a branch that we made up (branch.ts): the first of its random digits are 32 bits as good as any. */
export function branchHash(branch: string): number {
  const end = Math.min(branch.length, firstDigit + digitsHashed)
  let hash = 0
  for (let i = firstDigit; i < end; i++) hash = Math.imul(hash, 31) + branch.charCodeAt(i)
  return hash | 0
}

const firstDigit = 'z9hG4bK'.length
const digitsHashed = 12
