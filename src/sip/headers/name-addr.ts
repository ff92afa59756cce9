import {
  closingQuote,
  colon,
  comma,
  greaterThan,
  lessThan,
  questionMark,
  quote,
  semicolon,
  skipLws,
  trimLws,
  unfold,
} from '../bytes.ts'

export { paramOf } from './params.ts'

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
  const first = skipLws(text, start, end)
  if (text.charCodeAt(first) === quote && first < end) return readQuoted(text, first, end, origin)
  const bracket = indexOfBracket(text, first, end)
  if (bracket === end) return readAddrSpec(text, first, end, origin)
  return readBracketed(text, first, bracket, end, origin)
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

function readQuoted(text: string, open: number, end: number, origin: number): NameAddr | null {
  const close = closingQuote(text, open, end)
  if (close === -1) return null
  const bracket = skipLws(text, close + 1, end)
  if (bracket === end || text.charCodeAt(bracket) !== lessThan) return null
  return readBracketed(text, open, bracket, end, origin)
}

function readBracketed(
  text: string,
  displayStart: number,
  bracket: number,
  end: number,
  origin: number,
): NameAddr | null {
  const close = indexOfCode(text, greaterThan, bracket + 1, end)
  if (close === end) return null
  const uriStart = skipLws(text, bracket + 1, close)
  const uriEnd = trimLws(text, uriStart, close)
  const after = skipLws(text, close + 1, end)
  if (after < end && text.charCodeAt(after) !== semicolon) return null
  if (!hasScheme(text, uriStart, uriEnd)) return null
  return {
    displayName: unfold(text.slice(displayStart, trimLws(text, displayStart, bracket))),
    uri: text.slice(uriStart, uriEnd),
    params: after < end ? paramsBetween(text, after + 1, end) : '',
    uriStart: uriStart - origin,
    uriEnd: uriEnd - origin,
  }
}

/** RFC 3261 §20: a URI with a comma, question mark or semicolon must stand in brackets. */
function readAddrSpec(text: string, start: number, end: number, origin: number): NameAddr | null {
  const stop = indexOfCode(text, semicolon, start, end)
  const uriEnd = trimLws(text, start, stop)
  if (!hasScheme(text, start, uriEnd)) return null
  for (let i = start; i < uriEnd; i++) {
    const code = text.charCodeAt(i)
    if (code <= 0x20 || code === comma || code === questionMark || code === quote) return null
  }
  return {
    displayName: '',
    uri: text.slice(start, uriEnd),
    params: stop < end ? paramsBetween(text, stop + 1, end) : '',
    uriStart: start - origin,
    uriEnd: uriEnd - origin,
  }
}

function paramsBetween(text: string, start: number, end: number): string {
  return unfold(text.slice(start, trimLws(text, start, end)))
}

/** A colon after at least one character that is not the start of parameters. */
function hasScheme(text: string, start: number, end: number): boolean {
  const at = indexOfCode(text, colon, start, end)
  return at > start && at + 1 < end
}

/** The opening angle bracket, or `end`. */
function indexOfBracket(text: string, start: number, end: number): number {
  return indexOfCode(text, lessThan, start, end)
}

function indexOfCode(text: string, code: number, start: number, end: number): number {
  for (let i = start; i < end; i++) {
    if (text.charCodeAt(i) === code) return i
  }
  return end
}
