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
 * What all requests of one transaction, its ACK and its CANCEL have in common, as 32 bits. `seed` is the layer's own and
 * secret: nobody can aim many requests at one place of a table.
 */
export function requestHash(request: SipMessage, seed: number): number {
  const via = request.topmostVia
  let hash = textHash(request.callId, seed)
  if (via?.isRfc3261) hash = textHash(via.branch, hash)
  hash = Math.imul(hash ^ (request.cseq?.number ?? 0), multiplier)
  hash ^= hash >>> 15
  return Math.imul(hash, multiplier) | 0
}

/** Four octets at a time would need more steps to mix than they save. */
export function textHash(text: string, seed: number): number {
  let hash = seed
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), multiplier)
  return hash ^ (hash >>> 15)
}

/** Odd, with bits in all places: every octet reaches the upper half after one step. */
const multiplier = 0x9e3779b1 | 0

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

/**
 * All that is compared, as 32 bits beside those of requestHash(): for what outlives its request and must not keep its
 * texts. Both are secret, so that nobody can make up two requests that are taken for one.
 */
export function requestCheck(request: SipMessage, method: string, seed: number): number {
  const via = request.topmostVia
  if (via === null) return 0
  if (!via.isRfc3261) return textHash(oldKey(request, method, request.toTag), seed)
  let check = textHash(via.branch, textHash(method, seed))
  check = textHash(request.callId, check)
  check = Math.imul(check ^ (request.cseq?.number ?? 0), multiplier)
  return textHash(via.host, check ^ (check >>> 15) ^ via.port)
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

/** What the ACK to a 2xx shares with its INVITE: it has another branch (RFC 3261 §13.2.2.4). */
export function dialogKey(request: SipMessage): string {
  return `${request.cseq?.number}\n${request.fromTag}\n${request.callId}`
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
