import { createEditList, type EditList } from '../sip/edit.ts'
import { HeaderId } from '../sip/header-id.ts'
import type { SipMessage } from '../sip/message.ts'
import { hostForUri } from '../sip/uri.ts'
import { writeHop, writeMessage } from '../sip/write.ts'
import type { Flow, ListenSocket } from '../transport/socket.ts'
import { correctedVia } from '../transport/via.ts'
import type { ReplyStatus } from './proxy.ts'

/**
 * The request as it leaves (RFC 3261 §16.6) and the response as it goes back (§16.7 steps 3 and 9), as text from the
 * received message and the script's edits. In the order that Kamailio was measured to write:
 *
 *   request line      the target's Request-URI                                    §16.6 step 2
 *   Record-Route      what record_route() prepended                               step 4
 *   Via: ours         above the topmost one                                       step 8
 *   Route: ...        the target's path                                           RFC 3327 §5.3
 *   Via: theirs       with received and rport filled in                           §18.2.1, RFC 3581
 *   everything else   byte for byte
 *
 * Hot: a request with the usual edits (Max-Forwards) is one run of concatenations.
 */
export interface Forwarding {
  readonly requestUri: string
  readonly path: readonly string[]
  /** The whole Via line of ours, with CRLF. */
  readonly via: string
  /** RFC 5393 §5.3.3: the value that this branch gets; -1 leaves the header alone. */
  readonly maxBreadth: number
  readonly forceRport: boolean
}

/** Null if the request has no Via that we could put ours above; nothing that a scan let through lacks one. */
export function forwardedRequest(
  request: SipMessage,
  flow: Flow,
  edits: EditList | null,
  forwarding: Forwarding,
): string | null {
  const via = request.topmostVia
  const viaIndex = request.first(HeaderId.via)
  if (via === null || viaIndex < 0) return null
  const inserted = forwarding.path.length === 0 ? forwarding.via : forwarding.via + routeLine(forwarding.path)
  const theirs = correctedVia(request, flow, forwarding.forceRport)
  if (forwarding.maxBreadth < 0) {
    const written = writeHop(request, edits, {
      requestUri: forwarding.requestUri,
      above: inserted,
      lineStart: request.headerStart(viaIndex),
      viaStart: via.start,
      viaEnd: via.end,
      via: theirs,
    })
    if (written !== null) return written
  }
  const all = edits === null ? createEditList() : edits.clone()
  all.insertBeforeHeader(request, viaIndex, inserted)
  all.replace(via.start, via.end, theirs)
  if (forwarding.maxBreadth >= 0) setMaxBreadth(request, all, forwarding.maxBreadth)
  return writeMessage(request, all, { requestUri: forwarding.requestUri })
}

/** RFC 3261 §16.7 step 3: a response whose only Via is ours was meant for us, and must not be forwarded. */
export function hasFurtherVia(response: SipMessage): boolean {
  const viaIndex = response.first(HeaderId.via)
  if (viaIndex < 0) return false
  if (response.next(viaIndex) >= 0) return true
  const via = response.topmostVia
  return via !== null && via.end < response.headerValueEnd(viaIndex)
}

/** The response without our Via; under another status if the script changed it. */
export function forwardedResponse(
  response: SipMessage,
  edits: EditList | null,
  status: ReplyStatus | null = null,
): string {
  const viaIndex = response.first(HeaderId.via)
  if (viaIndex < 0) return response.text
  // Nearly always ours has a line of its own, and then nobody need read theirs: that was 3 % of a call.
  const isAlone = response.topmostVia?.end === response.headerValueEnd(viaIndex)
  const next = isAlone ? null : response.secondVia
  const sharesLine = next !== null && next.start < response.headerEnd(viaIndex)
  const cutStart = sharesLine ? response.headerValueStart(viaIndex) : response.headerStart(viaIndex)
  const cutEnd = sharesLine ? next.start : response.headerEnd(viaIndex)
  if ((edits === null || edits.isEmpty) && status === null) {
    const { text } = response
    return text.slice(0, cutStart) + text.slice(cutEnd, response.bodyEnd)
  }
  const all = edits === null ? createEditList() : edits.clone()
  if (sharesLine) all.replace(cutStart, cutEnd, '')
  else all.removeHeader(response, viaIndex)
  return writeMessage(
    response,
    all,
    status === null ? {} : { statusLine: `SIP/2.0 ${status.code} ${status.reason}` },
  )
}

/** Our Via up to and with `branch=`; port 5060 is left out, as Kamailio does. */
export function viaPrefix(socket: ListenSocket): string {
  const port = socket.advertisedPort === 5060 ? '' : `:${socket.advertisedPort}`
  return `Via: SIP/2.0/${socket.transport.toUpperCase()} ${hostForUri(socket.advertisedAddress)}${port};branch=`
}

/** RFC 3327 §5.3: the path becomes a preloaded route set, above any Route that is there. */
function routeLine(path: readonly string[]): string {
  return `Route: ${path.join(',')}\r\n`
}

function setMaxBreadth(request: SipMessage, edits: EditList, value: number): void {
  const index = request.first(HeaderId.maxBreadth)
  if (index < 0) edits.appendHeader(`Max-Breadth: ${value}\r\n`)
  else edits.replace(request.headerValueStart(index), request.headerValueEnd(index), String(value))
}
