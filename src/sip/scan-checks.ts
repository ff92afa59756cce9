import { readDecimal } from './bytes.ts'
import { HeaderId } from './header-id.ts'
import { isNameAddr } from './headers/name-addr.ts'
import type { ScannedMessage } from './scanned-message.ts'
import { parseUri } from './uri.ts'

/**
 * What every message must have, and values that must be right before anybody relies on them. Hot: what nearly all who
 * ask for a message need anyway (Via, CSeq, the Request-URI) is decoded here once; of the rest only whether it can be.
 */
const mandatory: readonly (readonly [HeaderId, string])[] = [
  [HeaderId.via, 'Via'],
  [HeaderId.from, 'From'],
  [HeaderId.to, 'To'],
  [HeaderId.callId, 'Call-ID'],
  [HeaderId.cseq, 'CSeq'],
]

const mandatoryBits = mandatory.reduce((bits, [id]) => bits | (1 << id), 0)

/** RFC 3261 §8.1.1. Max-Forwards is mandatory too, but RFC 2543 did not know it. */
export function checkMandatory(message: ScannedMessage): void {
  if ((message.seen & mandatoryBits) !== mandatoryBits) {
    blameMissing(message)
    return
  }
  const callId = message.first(HeaderId.callId)
  if (message.headerValueStart(callId) === message.headerValueEnd(callId))
    blameValue(message, HeaderId.callId, 'call-id', 'RFC 3261 §20.8', 'Empty Call-ID')
}

function blameMissing(message: ScannedMessage): void {
  for (const [id, name] of mandatory) {
    if (message.first(id) !== -1) continue
    message.blame('missing-header', 'RFC 3261 §8.1.1', message.headersEnd, `Missing ${name} Header`)
  }
}

export function checkValues(message: ScannedMessage): void {
  checkCSeq(message)
  if (!isAddress(message, HeaderId.from))
    blameValue(message, HeaderId.from, 'from', 'RFC 3261 §20.20', 'Invalid From Header')
  if (!isAddress(message, HeaderId.to))
    blameValue(message, HeaderId.to, 'to', 'RFC 3261 §20.39', 'Invalid To Header')
  if (message.topmostVia === null)
    blameValue(message, HeaderId.via, 'via', 'RFC 3261 §20.42', 'Invalid Via Header')
  if (!isNumber(message, HeaderId.maxForwards, 255))
    blameValue(message, HeaderId.maxForwards, 'max-forwards', 'RFC 3261 §20.22', 'Bad Max-Forwards Header')
  if (!isNumber(message, HeaderId.expires, 0xffff_ffff))
    blameValue(message, HeaderId.expires, 'expires', 'RFC 3261 §20.19', 'Expires value is illegal')
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

function isAddress(message: ScannedMessage, id: HeaderId): boolean {
  const index = message.first(id)
  return isNameAddr(message.text, message.headerValueStart(index), message.headerValueEnd(index))
}

/** Nothing to find fault with where the header is absent. */
function isNumber(message: ScannedMessage, id: HeaderId, max: number): boolean {
  const index = message.first(id)
  if (index === -1) return true
  return readDecimal(message.text, message.headerValueStart(index), message.headerValueEnd(index), max) !== -1
}

/** Whether we know the scheme is another question: RFC 3261 §16.3 step 2. */
function checkRequestUri(message: ScannedMessage): void {
  if (parseUri(message.requestUri) !== null) return
  message.blame('request-uri', 'RFC 3261 §19.1.1', message.requestUriStart, 'Bad Request URI')
}

function blameValue(
  message: ScannedMessage,
  id: HeaderId,
  code: string,
  clause: string,
  reason: string,
): void {
  message.blame(code, clause, message.headerStart(message.first(id)), reason)
}
