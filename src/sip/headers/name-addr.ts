import { closingQuote, indexBefore, skipLws, trimLws, unfold } from '../bytes.ts'
import { isUsualUri, readUriIn, type Uri } from '../uri-parse.ts'
import { paramIn } from './params.ts'

export { paramOf } from './params.ts'

// Of bytes.ts: why they stand here again is said there.
const colon = 0x3a
const comma = 0x2c
const greaterThan = 0x3e
const lessThan = 0x3c
const questionMark = 0x3f
const quote = 0x22
const semicolon = 0x3b

/**
 * From, To, Contact, Route, Record-Route, Path, Refer-To: a display name, a URI, and parameters (RFC 3261
 * §20.10, §25.1 name-addr / addr-spec). In an addr-spec without angle brackets everything after the first
 * semicolon belongs to the header, not to the URI.
 */
export interface NameAddr {
  /** As written, quotes included; '' if there is none. */
  readonly displayName: string
  readonly uri: string
  /** Header parameters after the URI, without the leading semicolon, as written. */
  readonly params: string
  /**
   * Offsets of the URI within the text that was parsed; of `message.from` and `message.to`: from the start of the
   * header's value, folds included, so that `headerValueStart + uriStart` is its place in the message.
   */
  readonly uriStart: number
  readonly uriEnd: number
}

/** One value, folded or not. Null if it cannot be read. */
export function parseNameAddr(value: string): NameAddr | null {
  return readNameAddr(value, 0, value.length)
}

/** The same over a range of a message; offsets count from `start`, or from `origin` if given. */
export function readNameAddr(text: string, start: number, end: number, origin = start): NameAddr | null {
  if (!findParts(text, start, end)) return null
  return {
    displayName: displayEnd === 0 ? '' : unfold(text.slice(displayStart, displayEnd)),
    uri: text.slice(uriStart, uriEnd),
    params: paramsStart < end ? paramsBetween(text, paramsStart, end) : '',
    uriStart: uriStart - origin,
    uriEnd: uriEnd - origin,
  }
}

/** Whether readNameAddr() could read it. Hot: the scan asks it of From and To, whose parts many never need. */
export function isNameAddr(text: string, start: number, end: number): boolean {
  return findParts(text, start, end)
}

/** The URI of a value, parsed where it stands; null if either cannot be read. Hot: nothing else of the value is made. */
export function readUriOf(text: string, start: number, end: number): Uri | null {
  return findParts(text, start, end) ? readUriIn(text, uriStart, uriEnd) : null
}

/** Whether readUriOf() gives a `sip:` URI as nearly everybody writes it. Hot: of most From and To nobody asks more. */
export function hasUsualUri(text: string, start: number, end: number): boolean {
  return findParts(text, start, end) && isUsualUri(text, uriStart, uriEnd)
}

/** The tag of a From or To without folds, '' if it has none or cannot be read. Hot. */
export function readTag(text: string, start: number, end: number): string {
  if (!findParts(text, start, end) || paramsStart >= end) return ''
  return paramIn(text, paramsStart, end, 'tag') ?? ''
}

/** A comma-separated list, quotes and brackets respected. Null if any value cannot be read or `max` is exceeded. */
export function parseNameAddrs(value: string, max: number): NameAddr[] | null {
  const found: NameAddr[] = []
  return readNameAddrs(value, 0, value.length, max, 0, found) ? found : null
}

/** The same over a range, added to `found`; offsets count from `origin`. */
export function readNameAddrs(
  text: string,
  start: number,
  end: number,
  max: number,
  origin: number,
  found: NameAddr[],
): boolean {
  let position = start
  while (position <= end) {
    const stop = endOfValue(text, position, end)
    if (skipLws(text, position, stop) < stop) {
      const value = found.length < max ? readNameAddr(text, position, stop, origin) : null
      if (value === null) return false
      found.push(value)
    }
    position = stop + 1
  }
  return true
}

/** Splits a list header's value at its commas, quotes and angle brackets respected; parts are trimmed. */
export function splitValues(value: string): string[] {
  const parts: string[] = []
  let position = 0
  while (position <= value.length) {
    const stop = endOfValue(value, position, value.length)
    const first = skipLws(value, position, stop)
    if (first < stop) parts.push(value.slice(first, trimLws(value, first, stop)))
    position = stop + 1
  }
  return parts
}

/** Where the value that starts at `start` ends: at the next comma outside quotes and angle brackets, or at `end`. */
export function endOfValue(text: string, start: number, end: number): number {
  for (let i = start; i < end; i++) {
    const code = text.charCodeAt(i)
    if (code === comma) return i
    if (code === quote) {
      const close = closingQuote(text, i, end)
      if (close === -1) return end
      i = close
    } else if (code === lessThan) {
      const close = indexOfCode(text, greaterThan, i + 1, end)
      if (close === end) return end
      i = close
    }
  }
  return end
}

// What findParts() found: numbers that stay here, since an object for them would cost more than finding them.
let displayStart = 0
/** 0 without a display name. */
let displayEnd = 0
let uriStart = 0
let uriEnd = 0
/** After the semicolon; the end of the range or more if there are none. */
let paramsStart = 0

function findParts(text: string, start: number, end: number): boolean {
  const first = skipLws(text, start, end)
  const code = first < end ? text.charCodeAt(first) : 0
  if (code === lessThan) return findBracketed(text, first, first, end)
  if (code === quote) return findQuoted(text, first, end)
  const bracket = indexOfCode(text, lessThan, first, end)
  return bracket === end ? findAddrSpec(text, first, end) : findBracketed(text, first, bracket, end)
}

function findQuoted(text: string, open: number, end: number): boolean {
  const close = closingQuote(text, open, end)
  if (close === -1) return false
  const bracket = skipLws(text, close + 1, end)
  return bracket !== end && text.charCodeAt(bracket) === lessThan && findBracketed(text, open, bracket, end)
}

function findBracketed(text: string, displayAt: number, bracket: number, end: number): boolean {
  const close = indexBefore(text, '>', bracket + 1, end)
  if (close === end) return false
  displayStart = displayAt
  displayEnd = displayAt === bracket ? 0 : trimLws(text, displayAt, bracket)
  uriStart = skipLws(text, bracket + 1, close)
  uriEnd = trimLws(text, uriStart, close)
  const after = skipLws(text, close + 1, end)
  if (after < end && text.charCodeAt(after) !== semicolon) return false
  paramsStart = after + 1
  return hasScheme(text, uriStart, uriEnd)
}

/** RFC 3261 §20: a URI with a comma, question mark or semicolon must stand in brackets. */
function findAddrSpec(text: string, start: number, end: number): boolean {
  const stop = indexOfCode(text, semicolon, start, end)
  displayEnd = 0
  uriStart = start
  uriEnd = trimLws(text, start, stop)
  paramsStart = stop + 1
  if (!hasScheme(text, start, uriEnd)) return false
  for (let i = start; i < uriEnd; i++) {
    const code = text.charCodeAt(i)
    if (code <= 0x20 || code === comma || code === questionMark || code === quote) return false
  }
  return true
}

function paramsBetween(text: string, start: number, end: number): string {
  return unfold(text.slice(start, trimLws(text, start, end)))
}

/** A colon after at least one character that is not the start of parameters. */
function hasScheme(text: string, start: number, end: number): boolean {
  const at = indexOfCode(text, colon, start, end)
  return at > start && at + 1 < end
}

function indexOfCode(text: string, code: number, start: number, end: number): number {
  for (let i = start; i < end; i++) {
    if (text.charCodeAt(i) === code) return i
  }
  return end
}
