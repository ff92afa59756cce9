import { flat, trimLws } from './bytes.ts'
import { HeaderId } from './header-id.ts'
import { endOfVia } from './headers/via.ts'
import type { SipMessage } from './message.ts'

const carriageReturn = 0x0d

/** Messages that do not derive from another by edits: our own responses (RFC 3261 §8.2.6) and requests. */
export interface ResponseOptions {
  /** Added to To if it has no tag yet; '' for none (100 Trying). */
  toTag: string
  /** Complete lines with CRLF, after CSeq. */
  headers?: string
  /** Record-Route lines of the request are copied (1xx except 100, 2xx). */
  copyRecordRoute?: boolean
  /** The topmost Via as it must read, received and rport filled in (transport/via.ts). */
  topmostVia?: string
  body?: string
  contentType?: string
}

/** A whole response as Latin-1 text: Via, From, To, Call-ID, CSeq, `headers`, Content-Length, body. */
export function buildResponse(
  request: SipMessage,
  statusCode: number,
  reasonPhrase: string,
  options: ResponseOptions,
): string {
  return (
    statusLine(statusCode, reasonPhrase) +
    viaLines(request, options.topmostVia) +
    (options.copyRecordRoute === true ? allLines(request, HeaderId.recordRoute) : '') +
    dialogLines(request, options.toTag) +
    (options.headers ?? '') +
    contentOf(options.body, options.contentType)
  )
}

/**
 * Hot: kept with the phrase that the code had last, whole. A response is made of pieces, and is made one run of octets
 * when it is written: each piece less saves 15 ns.
 */
function statusLine(statusCode: number, reasonPhrase: string): string {
  const known = statusLines[statusCode]
  if (known !== undefined && known.reasonPhrase === reasonPhrase) return known.line
  const line = flat(`SIP/2.0 ${statusCode} ${reasonPhrase}\r\n`)
  if (statusCode > 0 && statusCode < statusLinesMax) {
    statusLines[statusCode] = { reasonPhrase: flat(reasonPhrase), line }
  }
  return line
}

/** By status code, of which there are no more. */
const statusLinesMax = 700
const statusLines = new Array<{ reasonPhrase: string; line: string } | undefined>(statusLinesMax).fill(
  undefined,
)

export interface RequestOptions {
  method: string
  requestUri: string
  via: string
  /** Complete header value: `<sip:a@b>;tag=x`. */
  from: string
  to: string
  callId: string
  cseq: number
  maxForwards?: number
  /** Complete lines with CRLF. */
  headers?: string
  body?: string
  contentType?: string
}

export function buildRequest(options: RequestOptions): string {
  const { method, requestUri, via, from, to, callId, cseq, maxForwards = 70 } = options
  return (
    `${method} ${requestUri} SIP/2.0\r\n` +
    `Via: ${via}\r\n` +
    `Max-Forwards: ${maxForwards}\r\n` +
    `From: ${from}\r\n` +
    `To: ${to}\r\n` +
    `Call-ID: ${callId}\r\n` +
    `CSeq: ${cseq} ${method}\r\n` +
    (options.headers ?? '') +
    contentOf(options.body, options.contentType)
  )
}

/** The CANCEL for a request that we sent: RFC 3261 §9.1. */
export function buildCancel(sent: SipMessage, headers?: string): string {
  return hopByHop(sent, 'CANCEL', firstLine(sent, HeaderId.to), headers ?? '')
}

/** The ACK for a non-2xx final response to an INVITE that we sent: RFC 3261 §17.1.1.3. */
export function buildAck(sent: SipMessage, response: SipMessage): string {
  return hopByHop(sent, 'ACK', firstLine(response, HeaderId.to), '')
}

/** RFC 3261 §21: the phrase of a status code, 'Unknown' for one that has none. */
export function reasonPhraseOf(statusCode: number): string {
  return reasonPhrases.get(statusCode) ?? 'Unknown'
}

/**
 * What belongs to one client transaction has its Request-URI, its topmost Via, its Route set and CSeq number, and goes
 * no further than it did: its Max-Forwards.
 */
function hopByHop(sent: SipMessage, method: string, to: string, headers: string): string {
  return (
    `${method} ${sent.requestUri} SIP/2.0\r\n` +
    topmostViaLine(sent) +
    (firstLine(sent, HeaderId.maxForwards) || 'Max-Forwards: 70\r\n') +
    allLines(sent, HeaderId.route) +
    firstLine(sent, HeaderId.from) +
    to +
    firstLine(sent, HeaderId.callId) +
    `CSeq: ${sent.cseq?.number ?? 0} ${method}\r\n` +
    `Content-Length: 0\r\n${headers}\r\n`
  )
}

function contentOf(body: string | undefined, contentType: string | undefined): string {
  if (body === undefined || body === '') return 'Content-Length: 0\r\n\r\n'
  const type = contentType === undefined ? '' : `Content-Type: ${contentType}\r\n`
  return `${type}Content-Length: ${body.length}\r\n\r\n${body}`
}

/** As received, but ended by CRLF, and without what may follow the value in its line. */
function line(message: SipMessage, index: number): string {
  return `${message.text.slice(message.headerStart(index), message.headerValueEnd(index))}\r\n`
}

function firstLine(message: SipMessage, id: HeaderId): string {
  const index = message.first(id)
  return index === -1 ? '' : line(message, index)
}

function allLines(message: SipMessage, id: HeaderId): string {
  let lines = ''
  for (let index = message.first(id); index !== -1; index = message.next(index)) lines += line(message, index)
  return lines
}

/**
 * From, To, Call-ID and CSeq. Hot: nearly everybody writes them in this order without anything in between, and then
 * they are copied in one piece, or in two with our tag between them (0.2 us less).
 */
function dialogLines(request: SipMessage, tag: string): string {
  const from = request.first(HeaderId.from)
  if (!areTogether(request, from)) {
    return (
      firstLine(request, HeaderId.from) +
      toLine(request, tag) +
      firstLine(request, HeaderId.callId) +
      firstLine(request, HeaderId.cseq)
    )
  }
  const { text } = request
  const start = request.headerStart(from)
  const end = request.headerValueEnd(from + 3)
  if (tag === '' || request.toTag !== '') return `${text.slice(start, end)}\r\n`
  const tagAt = request.headerValueEnd(from + 1)
  return `${text.slice(start, tagAt)};tag=${tag}${text.slice(tagAt, end)}\r\n`
}

/** Whether the four lines that begin with From need no more than to be copied. */
function areTogether(request: SipMessage, from: number): boolean {
  return (
    from !== -1 &&
    request.first(HeaderId.to) === from + 1 &&
    request.first(HeaderId.callId) === from + 2 &&
    request.first(HeaderId.cseq) === from + 3 &&
    isCleanLine(request, from) &&
    isCleanLine(request, from + 1) &&
    isCleanLine(request, from + 2)
  )
}

/** Whether nothing but CRLF follows the value. */
function isCleanLine(message: SipMessage, index: number): boolean {
  const end = message.headerValueEnd(index)
  return message.headerEnd(index) === end + 2 && message.text.charCodeAt(end) === carriageReturn
}

/** RFC 3261 §8.2.6.2: a To without a tag gets ours. */
function toLine(request: SipMessage, tag: string): string {
  const to = firstLine(request, HeaderId.to)
  return tag === '' || to === '' || request.toTag !== '' ? to : `${to.slice(0, -2)};tag=${tag}\r\n`
}

function viaLines(request: SipMessage, topmost: string | undefined): string {
  const index = request.first(HeaderId.via)
  if (topmost === undefined || index === -1) return allLines(request, HeaderId.via)
  const { text } = request
  const end = request.headerValueEnd(index)
  const rest = text.slice(endOfVia(text, request.headerValueStart(index), end), end)
  let lines = `Via: ${topmost}${rest}\r\n`
  for (let i = request.next(index); i !== -1; i = request.next(i)) lines += line(request, i)
  return lines
}

function topmostViaLine(sent: SipMessage): string {
  const index = sent.first(HeaderId.via)
  if (index === -1) return ''
  const start = sent.headerValueStart(index)
  const end = endOfVia(sent.text, start, sent.headerValueEnd(index))
  return `Via: ${sent.text.slice(start, trimLws(sent.text, start, end))}\r\n`
}

const reasonPhrases: ReadonlyMap<number, string> = new Map([
  [100, 'Trying'],
  [180, 'Ringing'],
  [181, 'Call Is Being Forwarded'],
  [182, 'Queued'],
  [183, 'Session Progress'],
  [199, 'Early Dialog Terminated'],
  [200, 'OK'],
  [202, 'Accepted'],
  [204, 'No Notification'],
  [300, 'Multiple Choices'],
  [301, 'Moved Permanently'],
  [302, 'Moved Temporarily'],
  [305, 'Use Proxy'],
  [380, 'Alternative Service'],
  [400, 'Bad Request'],
  [401, 'Unauthorized'],
  [402, 'Payment Required'],
  [403, 'Forbidden'],
  [404, 'Not Found'],
  [405, 'Method Not Allowed'],
  [406, 'Not Acceptable'],
  [407, 'Proxy Authentication Required'],
  [408, 'Request Timeout'],
  [410, 'Gone'],
  [412, 'Conditional Request Failed'],
  [413, 'Request Entity Too Large'],
  [414, 'Request-URI Too Long'],
  [415, 'Unsupported Media Type'],
  [416, 'Unsupported URI Scheme'],
  [417, 'Unknown Resource-Priority'],
  [420, 'Bad Extension'],
  [421, 'Extension Required'],
  [422, 'Session Interval Too Small'],
  [423, 'Interval Too Brief'],
  [424, 'Bad Location Information'],
  [428, 'Use Identity Header'],
  [429, 'Provide Referrer Identity'],
  [430, 'Flow Failed'],
  [433, 'Anonymity Disallowed'],
  [436, 'Bad Identity Info'],
  [437, 'Unsupported Credential'],
  [438, 'Invalid Identity Header'],
  [439, 'First Hop Lacks Outbound Support'],
  [440, 'Max-Breadth Exceeded'],
  [469, 'Bad Info Package'],
  [470, 'Consent Needed'],
  [480, 'Temporarily Unavailable'],
  [481, 'Call/Transaction Does Not Exist'],
  [482, 'Loop Detected'],
  [483, 'Too Many Hops'],
  [484, 'Address Incomplete'],
  [485, 'Ambiguous'],
  [486, 'Busy Here'],
  [487, 'Request Terminated'],
  [488, 'Not Acceptable Here'],
  [489, 'Bad Event'],
  [491, 'Request Pending'],
  [493, 'Undecipherable'],
  [494, 'Security Agreement Required'],
  [500, 'Server Internal Error'],
  [501, 'Not Implemented'],
  [502, 'Bad Gateway'],
  [503, 'Service Unavailable'],
  [504, 'Server Time-out'],
  [505, 'Version Not Supported'],
  [513, 'Message Too Large'],
  [580, 'Precondition Failure'],
  [600, 'Busy Everywhere'],
  [603, 'Decline'],
  [604, 'Does Not Exist Anywhere'],
  [606, 'Not Acceptable'],
  [607, 'Unwanted'],
])
