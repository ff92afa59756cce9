import type { SipMessage } from '../sip/message.ts'

/**
 * Which server transaction a request belongs to: RFC 3261 §17.2.3, as a text under which it is found. Hot.
 *
 * The RFC compares branch, sent-by and method. Here Call-ID and CSeq number count too: devices with one branch
 * burnt into their firmware exist, and two of them must never get each other's answers. A retransmission, a CANCEL
 * and an ACK repeat all four (RFC 3261 §9.1, §17.1.1.3), so nothing that belongs together is kept apart.
 *
 * A key is a text of its own: it keeps no datagram alive. Fields are parted by a character that no header value has.
 */
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
