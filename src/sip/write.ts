import type { Edit, EditList, EditPlan } from './edit.ts'
import { HeaderId } from './header-id.ts'
import type { SipMessage } from './message.ts'

/**
 * A message with its edits as octets (Latin-1 text). Whatever nobody touched goes through byte for byte;
 * Content-Length is corrected only if the body was changed.
 */
export interface WriteOptions {
  /** Replaces the Request-URI. */
  requestUri?: string
  /** Replaces the status line: `SIP/2.0 200 OK` without CRLF. */
  statusLine?: string
  /** Complete lines to stand above all others (our Via); after them come the edit list's own. */
  above?: string
}

/** What follows the body in the datagram is left out. Hot: without edits it is one concatenation of slices. */
export function writeMessage(message: SipMessage, edits: EditList | null, options?: WriteOptions): string {
  const above = options?.above ?? ''
  if (edits !== null && !edits.isEmpty) return writeEdited(message, edits.plan(), options, above)
  return startLine(message, options) + above + message.text.slice(message.headersStart, message.bodyEnd)
}

/** What forwarding changes about a request beside the script's edits: RFC 3261 §16.6. */
export interface Hop {
  readonly requestUri: string
  /** Complete lines to stand above the topmost Via. */
  readonly above: string
  /** The offset of the line of that Via, and of its value. */
  readonly lineStart: number
  readonly viaStart: number
  readonly viaEnd: number
  /** What the value becomes. */
  readonly via: string
}

/**
 * A request on its next hop in one run of concatenations, without copying, extending and sorting the edit list. Null
 * if the edits touch that Via, the body or each other: writeMessage() does those. Hot.
 */
export function writeHop(message: SipMessage, edits: EditList | null, hop: Hop): string | null {
  const { text, headersStart, headersEnd, bodyEnd } = message
  const plan = edits === null ? null : edits.plan()
  if (plan !== null && plan.body !== null) return null
  let out = text.slice(0, message.requestUriStart) + hop.requestUri
  let position = message.requestUriEnd
  if (plan !== null && plan.above !== '') {
    out += text.slice(position, headersStart) + plan.above
    position = headersStart
  }
  const changes = plan === null ? noEdits : plan.edits
  let next = 0
  for (; next < changes.length; next++) {
    const edit = changes[next] as Edit
    if (edit.start >= hop.lineStart) break
    if (edit.start < position || edit.start < headersStart || edit.end > hop.lineStart) return null
    out += text.slice(position, edit.start) + edit.text
    position = edit.end
  }
  out += text.slice(position, hop.lineStart) + hop.above + text.slice(hop.lineStart, hop.viaStart) + hop.via
  position = hop.viaEnd
  for (; next < changes.length; next++) {
    const edit = changes[next] as Edit
    if (edit.start < position || edit.end > headersEnd) return null
    out += text.slice(position, edit.start) + edit.text
    position = edit.end
  }
  if (plan === null || plan.below === '') return out + text.slice(position, bodyEnd)
  return out + text.slice(position, headersEnd) + plan.below + text.slice(headersEnd, bodyEnd)
}

const noEdits: readonly Edit[] = []

function startLine(message: SipMessage, options: WriteOptions | undefined): string {
  const { text, requestUriStart, requestUriEnd, headersStart } = message
  if (options?.requestUri !== undefined && message.isRequest) {
    return text.slice(0, requestUriStart) + options.requestUri + text.slice(requestUriEnd, headersStart)
  }
  return options?.statusLine === undefined ? text.slice(0, headersStart) : `${options.statusLine}\r\n`
}

function writeEdited(
  message: SipMessage,
  plan: EditPlan,
  options: WriteOptions | undefined,
  above: string,
): string {
  const { text, headersStart, headersEnd, bodyStart, bodyEnd } = message
  const edits = inOrder(plan.edits)
  const body = plan.body?.text ?? apply(text, edits, bodyStart, bodyEnd)
  const below = plan.below + followBody(message, plan, body, edits)
  const headers = apply(text, edits, headersStart, headersEnd)
  return (
    startLine(message, options) +
    above +
    plan.above +
    headers +
    below +
    text.slice(headersEnd, bodyStart) +
    body
  )
}

/**
 * Sets Content-Length and Content-Type if the body changed: by further edits where the header stands, by lines to
 * append, which it returns, where it does not.
 */
function followBody(message: SipMessage, plan: EditPlan, body: string, edits: Edit[]): string {
  if (plan.body === null && !edits.some((edit) => edit.start >= message.bodyStart)) return ''
  const contentType = plan.body?.contentType ?? null
  const typeLine = contentType === null ? '' : setValue(message, edits, HeaderId.contentType, contentType)
  const lengthLine = setValue(message, edits, HeaderId.contentLength, String(body.length))
  edits.sort(byPlace)
  return typeLine + lengthLine
}

function setValue(message: SipMessage, edits: Edit[], id: HeaderId, value: string): string {
  const index = message.first(id)
  const lineStart = index === -1 ? -1 : message.headerStart(index)
  if (index === -1 || edits.some((edit) => edit.kind === 'remove' && edit.start === lineStart)) {
    return `${id === HeaderId.contentLength ? 'Content-Length' : 'Content-Type'}: ${value}\r\n`
  }
  const start = message.headerValueStart(index)
  edits.unshift({ kind: 'replace', start, end: message.headerValueEnd(index), text: value })
  return ''
}

/** A copy by place: followBody() adds to it. */
function inOrder(edits: readonly Edit[]): Edit[] {
  return edits.length < 2 ? edits.slice() : edits.slice().sort(byPlace)
}

/** What is inserted at the start of a cut stands before it and survives it; one place keeps the order of the calls. */
function byPlace(a: Edit, b: Edit): number {
  return a.start - b.start || rank(a) - rank(b) || a.end - b.end
}

function rank(edit: Edit): number {
  return edit.kind === 'insert' ? 0 : edit.kind === 'remove' ? 1 : 2
}

/** The octets of a range with the edits that lie in it. What begins inside an earlier cut is swallowed by it. */
function apply(text: string, edits: readonly Edit[], start: number, end: number): string {
  let out = ''
  let position = start
  for (const edit of edits) {
    if (edit.start < start || edit.end > end) continue
    if (edit.start >= position) out += text.slice(position, edit.start) + edit.text
    if (edit.end > position) position = edit.end
  }
  return out + text.slice(position, end)
}
