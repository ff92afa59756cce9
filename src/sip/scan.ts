import { limits } from '../limits.ts'
import {
  asciiLower,
  carriageReturn,
  colon,
  endOfToken,
  isToken,
  lineFeed,
  readDecimal,
  skipLws,
  space,
  tab,
  trimLws,
} from './bytes.ts'
import type { Fault } from './fault.ts'
import { HeaderId, headerIdAt } from './header-id.ts'
import type { SipMessage } from './message.ts'
import { ScannedMessage } from './scanned-message.ts'
import { parseUri } from './uri.ts'

/**
 * One pass over a datagram: start line and header offsets (RFC 3261 §7, §7.3, §25). Never throws, whatever the
 * octets; time is linear in their number. A message that cannot even be answered (no start line that we can
 * read, no Via, or a response with any fault) is a Fault; one that can carries its fault in `message.fault`.
 *
 * CRLFs before the start line are no part of the message (RFC 3261 §7.5): offsets count from the start line.
 * A bare LF ends a line as Kamailio has it; a bare CR would be a line end to some and not to others: a fault.
 *
 * Hot: `indexOf` finds line ends and colons, each position is looked for once.
 */
export function scanMessage(text: string): SipMessage | Fault {
  const message = new ScannedMessage(withoutLeadingLines(text))
  if (!scanStartLine(message)) return unreadable(message)
  scanHeaders(message)
  scanBody(message)
  checkMandatory(message)
  if (message.fault === null) checkValues(message)
  if (message.fault !== null && !isAnswerable(message)) return message.fault
  return message
}

/** Tells the two results apart. */
export function isFault(result: SipMessage | Fault): result is Fault {
  return !(result instanceof ScannedMessage)
}

function withoutLeadingLines(text: string): string {
  let position = 0
  while (text.charCodeAt(position) === carriageReturn || text.charCodeAt(position) === lineFeed) position++
  return position === 0 ? text : text.slice(position)
}

function isAnswerable(message: ScannedMessage): boolean {
  return message.isRequest && message.first(HeaderId.via) !== -1
}

function unreadable(message: ScannedMessage): Fault {
  return message.fault ?? fault('start-line', 'RFC 3261 §7', 0, 400, 'Bad Start Line')
}

function fault(code: string, clause: string, offset: number, status: Fault['status'], reason: string): Fault {
  return { code, clause, offset, status, reason }
}

/** Keeps the first one. */
function blame(
  message: ScannedMessage,
  code: string,
  clause: string,
  offset: number,
  reason: string,
  status: Fault['status'] = 400,
): void {
  message.fault ??= fault(code, clause, offset, status, reason)
}

// Start line: RFC 3261 §7.1 and §7.2

const version = 'SIP/2.0'

/** False if this is no SIP message at all. */
function scanStartLine(message: ScannedMessage): boolean {
  const text = message.text
  const lineFeedAt = text.indexOf('\n')
  if (lineFeedAt < 1) return false
  const end = text.charCodeAt(lineFeedAt - 1) === carriageReturn ? lineFeedAt - 1 : lineFeedAt
  message.headersStart = lineFeedAt + 1
  const firstSpace = text.indexOf(' ')
  if (firstSpace < 1 || firstSpace >= end) return false
  if (isVersion(text, 0, firstSpace)) return scanStatusLine(message, firstSpace + 1, end)
  return scanRequestLine(message, firstSpace, end)
}

function scanStatusLine(message: ScannedMessage, start: number, end: number): boolean {
  const text = message.text
  const codeEnd = start + 3
  if (codeEnd > end || (codeEnd < end && text.charCodeAt(codeEnd) !== space)) return false
  message.statusCode = readDecimal(text, start, codeEnd, 699)
  message.reasonStart = Math.min(codeEnd + 1, end)
  message.reasonEnd = end
  return message.statusCode >= 100 && hasNoCarriageReturn(text, start, end)
}

/** Exactly one space on each side of the Request-URI; the version decides whether the line is SIP at all. */
function scanRequestLine(message: ScannedMessage, firstSpace: number, end: number): boolean {
  const text = message.text
  const lineEnd = trimLws(text, firstSpace, end)
  const lastSpace = text.lastIndexOf(' ', lineEnd - 1)
  const versionStart = lastSpace + 1
  if (!looksLikeVersion(text, versionStart, lineEnd) || !isToken(text, 0, firstSpace)) return false
  message.isRequest = true
  message.methodEnd = firstSpace
  message.requestUriStart = Math.min(skipLws(text, firstSpace, lastSpace), lastSpace)
  message.requestUriEnd = trimLws(text, message.requestUriStart, lastSpace)
  if (lastSpace <= firstSpace || message.requestUriStart === message.requestUriEnd) return false
  checkRequestLine(message, firstSpace, lastSpace, lineEnd, end)
  return true
}

function checkRequestLine(
  message: ScannedMessage,
  firstSpace: number,
  lastSpace: number,
  lineEnd: number,
  end: number,
): void {
  const text = message.text
  if (!isVersion(text, lastSpace + 1, lineEnd)) {
    blame(message, 'version', 'RFC 3261 §21.5.6', lastSpace + 1, 'Version Not Supported', 505)
  }
  const uriLength = message.requestUriEnd - message.requestUriStart
  if (uriLength > limits.uriBytesMax) {
    blame(message, 'uri-length', 'RFC 3261 §21.4.12', firstSpace + 1, 'Request-URI Too Long', 414)
  }
  if (lineEnd !== end || lastSpace - firstSpace - 1 !== uriLength || !hasNoCarriageReturn(text, 0, end)) {
    blame(message, 'start-line-space', 'RFC 3261 §7.1', firstSpace, 'Bad Request Line')
  }
}

function hasNoCarriageReturn(text: string, start: number, end: number): boolean {
  const at = text.indexOf('\r', start)
  return at === -1 || at >= end
}

/** RFC 3261 §7.1: compared without case. */
function isVersion(text: string, start: number, end: number): boolean {
  if (end - start !== version.length) return false
  return text.startsWith(version, start) || asciiLower(text.slice(start, end)) === 'sip/2.0'
}

function looksLikeVersion(text: string, start: number, end: number): boolean {
  if (end - start < 5 || end - start > 16) return false
  return text.startsWith('SIP/', start) || asciiLower(text.slice(start, start + 4)) === 'sip/'
}

// Headers: RFC 3261 §7.3.1

const singletons =
  (1 << HeaderId.from) |
  (1 << HeaderId.to) |
  (1 << HeaderId.callId) |
  (1 << HeaderId.cseq) |
  (1 << HeaderId.maxForwards) |
  (1 << HeaderId.contentLength)

/**
 * Where the scan stands. The next CR is remembered from line to line and looked for again only once it lies
 * behind: a datagram without any costs one search, not one per line.
 */
interface Cursor {
  start: number
  nextReturn: number
}

function scanHeaders(message: ScannedMessage): void {
  const cursor: Cursor = { start: message.headersStart, nextReturn: -1 }
  while (!isEmptyLine(message.text, cursor.start)) {
    const end = endOfHeader(message, cursor)
    if (end === -1) {
      endWithoutEmptyLine(message, cursor.start)
      return
    }
    if (message.headerCount === limits.headersMax || end - cursor.start > limits.headerBytesMax) {
      endAtLimit(message, cursor.start)
      return
    }
    addHeader(message, cursor.start, end)
    cursor.start = end + 1
  }
  endHeaders(message, cursor.start, message.text.indexOf('\n', cursor.start) + 1)
}

function isEmptyLine(text: string, start: number): boolean {
  const first = text.charCodeAt(start)
  return first === lineFeed || (first === carriageReturn && text.charCodeAt(start + 1) === lineFeed)
}

/** The LF that ends the header, folded lines included (RFC 3261 §7.3.1); -1 if there is none. */
function endOfHeader(message: ScannedMessage, cursor: Cursor): number {
  const text = message.text
  let end = text.indexOf('\n', cursor.start)
  while (end !== -1) {
    if (cursor.nextReturn < end - 1) skipReturns(message, cursor, end)
    const following = text.charCodeAt(end + 1)
    if (following !== space && following !== tab) return end
    end = text.indexOf('\n', end + 1)
  }
  return -1
}

/** Moves the remembered CR to the one before this LF, or beyond it. One that stands anywhere else is a fault. */
function skipReturns(message: ScannedMessage, cursor: Cursor, end: number): void {
  const text = message.text
  cursor.nextReturn = indexOrEnd(text, '\r', Math.max(cursor.start, cursor.nextReturn + 1))
  while (cursor.nextReturn < end - 1) {
    blame(message, 'bare-cr', 'RFC 3261 §25.1', cursor.nextReturn, 'Bare CR in Header')
    cursor.nextReturn = indexOrEnd(text, '\r', cursor.nextReturn + 1)
  }
}

function addHeader(message: ScannedMessage, start: number, end: number): void {
  const text = message.text
  const nameEnd = endOfToken(text, start, end)
  const colonAt = afterBlanks(text, nameEnd)
  if (nameEnd === start || text.charCodeAt(colonAt) !== colon) {
    addUnreadable(message, start, end)
    return
  }
  const id = headerIdAt(text, start, nameEnd)
  const bit = id < 31 ? 1 << id : 0
  if ((message.seen & bit & singletons) !== 0) blameDuplicate(message, start, nameEnd)
  message.seen |= bit
  const valueStart = skipLws(text, colonAt + 1, end)
  message.table.push(start, nameEnd, valueStart, trimLws(text, valueStart, end), id)
  message.headerCount++
}

/** RFC 3261 §7.3.1 allows white space before the colon: the header is the same with and without it. */
function afterBlanks(text: string, start: number): number {
  let position = start
  while (text.charCodeAt(position) === space || text.charCodeAt(position) === tab) position++
  return position
}

/** A line that is no header. It keeps its place in the table, so that lines follow each other without gaps. */
function addUnreadable(message: ScannedMessage, start: number, end: number): void {
  blame(message, 'header-name', 'RFC 3261 §25.1', start, 'Bad Header Name')
  const lineEnd = trimLws(message.text, start, end)
  message.table.push(start, start, lineEnd, lineEnd, HeaderId.other)
  message.headerCount++
}

function endHeaders(message: ScannedMessage, headersEnd: number, bodyStart: number): void {
  message.headersEnd = headersEnd
  message.bodyStart = bodyStart
  message.bodyEnd = message.text.length
}

/** RFC 3261 §7: the empty line must be there even without a body. A cut datagram must not pass for a whole one. */
function endWithoutEmptyLine(message: ScannedMessage, lineStart: number): void {
  blame(message, 'headers-end', 'RFC 3261 §7', lineStart, 'Incomplete Headers')
  endHeaders(message, lineStart, lineStart)
  message.bodyEnd = lineStart
}

/** What follows was not read: the message has these headers, and no body. */
function endAtLimit(message: ScannedMessage, lineStart: number): void {
  blame(message, 'header-limit', 'RFC 3261 §21.4.11', lineStart, 'Too Many or Too Long Headers')
  endHeaders(message, lineStart, message.text.length)
}

function blameDuplicate(message: ScannedMessage, start: number, nameEnd: number): void {
  const name = message.text.slice(start, nameEnd)
  blame(message, 'duplicate-header', 'RFC 3261 §7.3.1', start, `Duplicate ${name} Header`)
}

function indexOrEnd(text: string, what: string, from: number): number {
  const at = text.indexOf(what, from)
  return at === -1 ? text.length : at
}

// Body: RFC 3261 §18.3 and §20.14

/** Octets after the body are ignored; fewer than announced are a fault; without the header all the rest is body. */
function scanBody(message: ScannedMessage): void {
  const index = message.first(HeaderId.contentLength)
  if (index === -1 || message.bodyStart === message.headersEnd) return
  const start = message.headerValueStart(index)
  const length = readDecimal(message.text, start, message.headerValueEnd(index), 0x7fff_ffff)
  if (length === -1) {
    blame(message, 'content-length', 'RFC 3261 §20.14', start, 'Bad Content-Length')
  } else if (message.bodyStart + length > message.text.length) {
    blame(message, 'content-length', 'RFC 3261 §18.3', start, 'Content-Length mis-match')
  } else {
    message.bodyEnd = message.bodyStart + length
  }
}

// What every message must have, and values that must be right before anybody relies on them

const mandatory: readonly (readonly [HeaderId, string])[] = [
  [HeaderId.via, 'Via'],
  [HeaderId.from, 'From'],
  [HeaderId.to, 'To'],
  [HeaderId.callId, 'Call-ID'],
  [HeaderId.cseq, 'CSeq'],
]

const mandatoryBits = mandatory.reduce((bits, [id]) => bits | (1 << id), 0)

/** RFC 3261 §8.1.1. Max-Forwards is mandatory too, but RFC 2543 did not know it. */
function checkMandatory(message: ScannedMessage): void {
  if ((message.seen & mandatoryBits) !== mandatoryBits) blameMissing(message)
  else if (message.callId === '')
    blameValue(message, HeaderId.callId, 'call-id', 'RFC 3261 §20.8', 'Empty Call-ID')
}

function blameMissing(message: ScannedMessage): void {
  for (const [id, name] of mandatory) {
    if (message.first(id) !== -1) continue
    blame(message, 'missing-header', 'RFC 3261 §8.1.1', message.headersEnd, `Missing ${name} Header`)
  }
}

function checkValues(message: ScannedMessage): void {
  checkCSeq(message)
  if (message.from === null)
    blameValue(message, HeaderId.from, 'from', 'RFC 3261 §20.20', 'Invalid From Header')
  if (message.to === null) blameValue(message, HeaderId.to, 'to', 'RFC 3261 §20.39', 'Invalid To Header')
  if (message.topmostVia === null) {
    blameValue(message, HeaderId.via, 'via', 'RFC 3261 §20.42', 'Invalid Via Header')
  }
  checkNumber(
    message,
    HeaderId.maxForwards,
    255,
    'max-forwards',
    'RFC 3261 §20.22',
    'Bad Max-Forwards Header',
  )
  checkNumber(
    message,
    HeaderId.expires,
    0xffff_ffff,
    'expires',
    'RFC 3261 §20.19',
    'Expires value is illegal',
  )
  if (message.isRequest) checkRequestUri(message)
}

function checkCSeq(message: ScannedMessage): void {
  const cseq = message.cseq
  if (cseq === null) {
    blameValue(message, HeaderId.cseq, 'cseq', 'RFC 3261 §20.16', 'CSeq number is illegal')
  } else if (message.isRequest && cseq.method !== message.method) {
    const reason = 'CSeq method does not match request method'
    blameValue(message, HeaderId.cseq, 'cseq-method', 'RFC 3261 §8.1.1.5', reason)
  }
}

function checkNumber(
  message: ScannedMessage,
  id: HeaderId,
  max: number,
  code: string,
  clause: string,
  reason: string,
): void {
  const index = message.first(id)
  if (index === -1) return
  const number = readDecimal(
    message.text,
    message.headerValueStart(index),
    message.headerValueEnd(index),
    max,
  )
  if (number === -1) blameValue(message, id, code, clause, reason)
}

/** Whether we know the scheme is another question: RFC 3261 §16.3 step 2. */
function checkRequestUri(message: ScannedMessage): void {
  if (parseUri(message.requestUri) !== null) return
  blame(message, 'request-uri', 'RFC 3261 §19.1.1', message.requestUriStart, 'Bad Request URI')
}

function blameValue(
  message: ScannedMessage,
  id: HeaderId,
  code: string,
  clause: string,
  reason: string,
): void {
  blame(message, code, clause, message.headerStart(message.first(id)), reason)
}
