import { limits } from '../limits.ts'
import { asciiLower, isToken, readDecimal, skipLws, trimLws } from './bytes.ts'
import type { Fault } from './fault.ts'
import { HeaderId } from './header-id.ts'
import type { SipMessage } from './message.ts'
import { checkMandatory, checkValues } from './scan-checks.ts'
import type { ScanRecord } from './scan-record.ts'
import { ScannedMessage } from './scanned-message.ts'

// Of bytes.ts: why they stand here again is said there.
const carriageReturn = 0x0d
const lineFeed = 0x0a
const space = 0x20

/**
 * One pass over a datagram: start line and header offsets (RFC 3261 §7, §7.3, §25). Never throws, whatever the
 * octets; time is linear in their number. A message that cannot even be answered (no start line that we can
 * read, no Via, or a response with any fault) is a Fault; one that can carries its fault in `message.fault`.
 *
 * CRLFs before the start line are no part of the message (RFC 3261 §7.5): offsets count from the start line.
 * A bare LF ends a line as Kamailio has it; a bare CR would be a line end to some and not to others: a fault.
 *
 * Hot: once for every datagram (bench/micro/scan.bench.ts).
 */
export function scanMessage(text: string): SipMessage | Fault {
  const message = new ScannedMessage(withoutLeadingLines(text))
  if (!scanStartLine(message)) return unreadable(message)
  message.scanHeaders()
  scanBody(message)
  checkMandatory(message)
  if (message.fault === null) checkValues(message)
  if (message.fault !== null && !isAnswerable(message)) return message.fault
  return message
}

/**
 * The same for a text that native/scan.c found usual: it has no fault, and `record` says what stands where. Once the
 * record is withdrawn the message reads its text.
 */
export function scannedMessage(text: string, record: ScanRecord): SipMessage {
  const message = new ScannedMessage(text)
  message.takeRecord(record)
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
  message.blame('start-line', 'RFC 3261 §7', 0, 'Bad Start Line')
  return message.fault as Fault
}

// Start line: RFC 3261 §7.1 and §7.2

const version = 'SIP/2.0'
const letterS = 0x73

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
  return scanUsualRequestLine(message, firstSpace, end) || scanRequestLine(message, firstSpace, end)
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

/** What nearly all request lines are: a token, two spaces, the version in capitals. Any other gets a closer look. */
function scanUsualRequestLine(message: ScannedMessage, firstSpace: number, end: number): boolean {
  const text = message.text
  const lastSpace = end - version.length - 1
  if (text.indexOf(' ', firstSpace + 1) !== lastSpace || !text.startsWith(version, lastSpace + 1))
    return false
  const length = lastSpace - firstSpace - 1
  if (length < 1 || length > limits.uriBytesMax || !isToken(text, 0, firstSpace)) return false
  if (text.charCodeAt(firstSpace + 1) < space || text.charCodeAt(lastSpace - 1) < space) return false
  if (!hasNoCarriageReturn(text, firstSpace, end)) return false
  message.isRequest = true
  message.methodEnd = firstSpace
  message.requestUriStart = firstSpace + 1
  message.requestUriEnd = lastSpace
  return true
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
    message.blame('version', 'RFC 3261 §21.5.6', lastSpace + 1, 'Version Not Supported', 505)
  }
  const uriLength = message.requestUriEnd - message.requestUriStart
  if (uriLength > limits.uriBytesMax) {
    message.blame('uri-length', 'RFC 3261 §21.4.12', firstSpace + 1, 'Request-URI Too Long', 414)
  }
  if (lineEnd !== end || lastSpace - firstSpace - 1 !== uriLength || !hasNoCarriageReturn(text, 0, end)) {
    message.blame('start-line-space', 'RFC 3261 §7.1', firstSpace, 'Bad Request Line')
  }
}

function hasNoCarriageReturn(text: string, start: number, end: number): boolean {
  const at = text.indexOf('\r', start)
  return at === -1 || at >= end
}

/** RFC 3261 §7.1: compared without case. */
function isVersion(text: string, start: number, end: number): boolean {
  if (end - start !== version.length) return false
  if (text.startsWith(version, start)) return true
  // MESSAGE has as many letters.
  return (text.charCodeAt(start) | 0x20) === letterS && asciiLower(text.slice(start, end)) === 'sip/2.0'
}

function looksLikeVersion(text: string, start: number, end: number): boolean {
  if (end - start < 5 || end - start > 16) return false
  return text.startsWith('SIP/', start) || asciiLower(text.slice(start, start + 4)) === 'sip/'
}

// Body: RFC 3261 §18.3 and §20.14

/** Octets after the body are ignored; fewer than announced are a fault; without the header all the rest is body. */
function scanBody(message: ScannedMessage): void {
  const index = message.first(HeaderId.contentLength)
  if (index === -1 || message.bodyStart === message.headersEnd) return
  const start = message.headerValueStart(index)
  const length = readDecimal(message.text, start, message.headerValueEnd(index), 0x7fff_ffff)
  if (length === -1) {
    message.blame('content-length', 'RFC 3261 §20.14', start, 'Bad Content-Length')
  } else if (message.bodyStart + length > message.text.length) {
    message.blame('content-length', 'RFC 3261 §18.3', start, 'Content-Length mis-match')
  } else {
    message.bodyEnd = message.bodyStart + length
  }
}
