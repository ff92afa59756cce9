/**
 * Octets of a message as the scan sees them: a Latin-1 string, one character per octet (RFC 3261 §25.1 names the
 * classes). Hot: everything here is called several times per header. Indexed reads are confined to this file.
 *
 * V8 compiles a module's own constants into the code, but reads what is imported or exported from memory each time, and
 * checks it. In the loop over header lines that was a quarter of the time, so hot functions here have the numbers,
 * and hot files constants of their own.
 */

export const lineFeed = 0x0a
export const carriageReturn = 0x0d
export const space = 0x20
export const quote = 0x22
export const comma = 0x2c
export const semicolon = 0x3b
export const equals = 0x3d
export const openBracket = 0x5b
export const closeBracket = 0x5d

/**
 * A copy that stands on its own. A slice keeps the whole datagram in memory; what outlives its message is copied.
 * Up to 12 characters V8 copies anyway. `join` writes one run of octets: 58 octets for a Call-ID of 34 characters, where
 * the flattened concatenation `' ' + text` and a slice of it took 91, and was slower to compare.
 */
export function flat(text: string): string {
  if (text.length < 13) return text
  halves[0] = text.slice(0, 1)
  halves[1] = text.slice(1)
  const copy = halves.join('')
  halves[1] = ''
  return copy
}

const halves: [string, string] = ['', '']

/** White space inside a header value: SP, HT, and the CRLF of a fold. */
export function isLws(code: number): boolean {
  return code <= 0x20 && (code === 0x20 || code === 0x09 || code === 0x0a || code === 0x0d)
}

export function asciiLowerCode(code: number): number {
  return code >= 0x41 && code <= 0x5a ? code | 0x20 : code
}

export function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39
}

export function isAlpha(code: number): boolean {
  const lower = code | 0x20
  return lower >= 0x61 && lower <= 0x7a
}

const tokenTable = new Uint8Array(256)
for (const character of "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.!%*_+`'~") {
  tokenTable[character.charCodeAt(0)] = 1
}

/** RFC 3261 §25.1 token. False for an empty range. */
export function isToken(text: string, start: number, end: number): boolean {
  return start < end && endOfToken(text, start, end) === end
}

const isNoHost = new Uint8Array(256)
for (const character of ':; \t\r\n') isNoHost[character.charCodeAt(0)] = 1

/** Position of the first colon, semicolon or white space, `end` if there is none. */
export function endOfHostName(text: string, start: number, end: number): number {
  let position = start
  while (position < end && isNoHost[text.charCodeAt(position)] !== 1) position++
  return position
}

/** Position after the token that starts here; `start` if there is none. */
export function endOfToken(text: string, start: number, end: number): number {
  let position = start
  while (position < end && tokenTable[text.charCodeAt(position)] === 1) position++
  return position
}

/** First position from `start` that is no white space, at most `end`. */
export function skipLws(text: string, start: number, end: number): number {
  let position = start
  while (position < end && isLws(text.charCodeAt(position))) position++
  return position
}

/** Position after the last character before `end` that is no white space, at least `start`. */
export function trimLws(text: string, start: number, end: number): number {
  let position = end
  while (position > start && isLws(text.charCodeAt(position - 1))) position--
  return position
}

/**
 * A number of digits only, leading zeros allowed: no sign, no exponent, no white space. -1 if it is anything else
 * or more than `max`.
 */
export function readDecimal(text: string, start: number, end: number, max: number): number {
  if (start >= end) return -1
  let value = 0
  for (let i = start; i < end; i++) {
    const digit = text.charCodeAt(i) - 0x30
    if (digit < 0 || digit > 9) return -1
    value = value * 10 + digit
    if (value > max) return -1
  }
  return value
}

/** The same for a whole text. */
export function parseDecimal(text: string, max: number): number {
  return readDecimal(text, 0, text.length, max)
}

/** Position of the quote that closes the one at `open`, backslash escapes respected; -1 if there is none. */
export function closingQuote(text: string, open: number, end: number): number {
  for (let i = open + 1; i < end; i++) {
    const code = text.charCodeAt(i)
    if (code === 0x5c) i++
    else if (code === 0x22) return i
  }
  return -1
}

/** True if a quoted string may stand in the range. Asked once for a list, so that its loop can do without. */
export function hasQuotes(text: string, start: number, end: number): boolean {
  const at = text.indexOf('"', start)
  return at !== -1 && at < end
}

/** Position of `what` in the range, `end` if it is not there. */
export function indexBefore(text: string, what: string, start: number, end: number): number {
  const at = text.indexOf(what, start)
  return at === -1 || at > end ? end : at
}

/** Position of `what` from there on, the end of the text if there is none. */
export function indexOrEnd(text: string, what: string, from: number): number {
  const at = text.indexOf(what, from)
  return at === -1 ? text.length : at
}

/** First `code` in the range that stands outside quoted strings, `end` if there is none. */
export function indexOfUnquoted(text: string, code: number, start: number, end: number): number {
  for (let i = start; i < end; i++) {
    const current = text.charCodeAt(i)
    if (current === code) return i
    if (current === 0x22) {
      const close = closingQuote(text, i, end)
      if (close === -1) return end
      i = close
    }
  }
  return end
}

/** The content of a quoted string without its quotes and escapes; any other text as it is. */
export function unquote(text: string): string {
  if (text.length < 2 || text.charCodeAt(0) !== quote || !text.endsWith('"')) return text
  const inner = text.slice(1, -1)
  return inner.includes('\\') ? inner.replace(/\\([\s\S])/g, '$1') : inner
}

/** The text between quotes, its quotes and backslashes escaped. */
export function quoted(text: string): string {
  return `"${/["\\]/.test(text) ? text.replace(/["\\]/g, '\\$&') : text}"`
}

/** RFC 3261 §7.3.1: a fold counts as one space. Also removes a lone CR or LF. */
export function unfold(text: string): string {
  return text.includes('\n') || text.includes('\r') ? unfolded(text) : text
}

function unfolded(text: string): string {
  let lineEnd = indexOfLineEnd(text, 0)
  let line = ''
  let position = 0
  while (lineEnd !== -1) {
    line += `${text.slice(position, trimLws(text, position, lineEnd))} `
    position = skipLws(text, lineEnd, text.length)
    lineEnd = indexOfLineEnd(text, position)
  }
  return line + text.slice(position)
}

function indexOfLineEnd(text: string, from: number): number {
  for (let i = from; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === lineFeed || code === carriageReturn) return i
  }
  return -1
}

/** ASCII-only lower case: no Unicode case folding ever touches a protocol token. */
export function asciiLower(text: string): string {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code >= 0x41 && code <= 0x5a) return lowered(text)
  }
  return text
}

function lowered(text: string): string {
  return isAscii(text) ? text.toLowerCase() : text.replace(/[A-Z]+/g, (run) => run.toLowerCase())
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    if (text.charCodeAt(i) > 0x7f) return false
  }
  return true
}

/** Reads a table of numbers that is known to reach this far. */
export function entry(table: Int32Array, index: number): number {
  return table[index] as number
}
