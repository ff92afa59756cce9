import {
  asciiLower,
  closingQuote,
  comma,
  endOfToken,
  equals,
  indexOfUnquoted,
  quote,
  quoted,
  skipLws,
  trimLws,
  unfold,
  unquote,
} from '../bytes.ts'

/**
 * Authorization, Proxy-Authorization and the challenges WWW-Authenticate, Proxy-Authenticate: RFC 3261 §20.7,
 * §20.27, §20.28, §20.44 and §25.1, RFC 7616. A scheme and either its parameters or, for schemes that we do not
 * know, one opaque token.
 */
export interface AuthValue {
  /** Lower case: `digest`. */
  readonly scheme: string
  /** By lower-case name, unquoted; a name that stood twice makes the whole value unreadable. */
  readonly params: ReadonlyMap<string, string>
  /** `Basic QWxhZGRpbg==`: what follows the scheme if it is no parameter list; '' otherwise. */
  readonly token: string
}

/** Parameters of one header that we read at most. */
const paramsMax = 64

/** One Authorization or Proxy-Authorization value; each stands in a line of its own (RFC 3261 §7.3.1). */
export function parseCredentials(value: string): AuthValue | null {
  if (value === lastText) return lastValue
  lastText = value
  lastValue = readCredentials(value)
  return lastValue
}

/** sanity, auth and `$au` ask about the same header one after another. */
let lastText = ''
let lastValue: AuthValue | null = null

function readCredentials(value: string): AuthValue | null {
  const end = trimLws(value, 0, value.length)
  const start = skipLws(value, 0, end)
  const schemeEnd = endOfToken(value, start, end)
  if (schemeEnd === start) return null
  const scheme = asciiLower(value.slice(start, schemeEnd))
  const rest = skipLws(value, schemeEnd, end)
  if (rest < end && rest === schemeEnd) return null
  if (isOpaque(value, rest, end)) return { scheme, params: new Map(), token: value.slice(rest, end) }
  const params = new Map<string, string>()
  return readParams(value, rest, end, params) ? { scheme, params, token: '' } : null
}

/** The challenges of one header line: several may follow each other, as HTTP allows it (RFC 7235 §4.1). */
export function parseChallenges(value: string): AuthValue[] | null {
  const found: AuthValue[] = []
  let position = 0
  while (position < value.length) {
    const end = endOfChallenge(value, position)
    const challenge = readCredentials(trimComma(value.slice(position, end)))
    if (challenge === null) return null
    found.push(challenge)
    position = end
  }
  return found.length === 0 ? null : found
}

/** `Digest realm="x", nonce="y"`: values in `bare` stand without quotes (RFC 7616 §3.3: algorithm, stale, nc, qop). */
export function writeAuthValue(
  scheme: string,
  params: Iterable<readonly [string, string]>,
  bare: ReadonlySet<string> = bareParams,
): string {
  const written: string[] = []
  for (const [name, value] of params) written.push(`${name}=${bare.has(name) ? value : quoted(value)}`)
  return `${scheme} ${written.join(', ')}`
}

const bareParams: ReadonlySet<string> = new Set(['algorithm', 'stale', 'nc'])

function readParams(text: string, start: number, end: number, params: Map<string, string>): boolean {
  let position = start
  while (position < end) {
    const stop = indexOfUnquoted(text, comma, position, end)
    const first = skipLws(text, position, stop)
    if (first < stop && !readParam(text, first, stop, params)) return false
    position = stop + 1
  }
  return true
}

function readParam(text: string, start: number, end: number, params: Map<string, string>): boolean {
  const nameEnd = endOfToken(text, start, end)
  const equalsAt = skipLws(text, nameEnd, end)
  if (nameEnd === start || equalsAt === end || text.charCodeAt(equalsAt) !== equals) return false
  const valueStart = skipLws(text, equalsAt + 1, end)
  const valueEnd = trimLws(text, valueStart, end)
  if (!isParamValue(text, valueStart, valueEnd)) return false
  const name = asciiLower(text.slice(start, nameEnd))
  if (params.has(name) || params.size === paramsMax) return false
  params.set(name, unquote(unfold(text.slice(valueStart, valueEnd))))
  return true
}

/** A whole quoted string, or anything without quotes and white space (URIs are seen unquoted). */
function isParamValue(text: string, start: number, end: number): boolean {
  if (start === end) return true
  if (text.charCodeAt(start) === quote) return closingQuote(text, start, end) === end - 1
  for (let i = start; i < end; i++) {
    const code = text.charCodeAt(i)
    if (code <= 0x20 || code === quote) return false
  }
  return true
}

/** token68 (RFC 7235 §2.1) rather than `name=value`: no `=` before its end. */
function isOpaque(text: string, start: number, end: number): boolean {
  const nameEnd = endOfToken(text, start, end)
  const next = skipLws(text, nameEnd, end)
  if (start === end) return false
  if (next === end) return true
  if (text.charCodeAt(next) !== equals) return true
  for (let i = next; i < end; i++) {
    if (text.charCodeAt(i) !== equals) return false
  }
  return true
}

/** A new challenge begins after a comma with `token SP token`, a parameter with `token =`. */
function endOfChallenge(text: string, start: number): number {
  let position = indexOfUnquoted(text, comma, start, text.length)
  while (position < text.length) {
    const first = skipLws(text, position + 1, text.length)
    const tokenEnd = endOfToken(text, first, text.length)
    const next = skipLws(text, tokenEnd, text.length)
    const isParam = next < text.length && text.charCodeAt(next) === equals
    if (tokenEnd > first && next > tokenEnd && !isParam) return position + 1
    position = indexOfUnquoted(text, comma, position + 1, text.length)
  }
  return text.length
}

function trimComma(text: string): string {
  return text.trimEnd().endsWith(',') ? text.trimEnd().slice(0, -1) : text
}
