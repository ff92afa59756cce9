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
  space,
  trimLws,
  unfold,
  unquote,
} from '../bytes.ts'

/**
 * Authorization, Proxy-Authorization and the challenges WWW-Authenticate, Proxy-Authenticate: RFC 3261 §20.7,
 * §20.27, §20.28, §20.44 and §25.1, RFC 7616. A scheme and either its parameters or, for schemes that we do not
 * know, one opaque token.
 *
 * Hot: read in one pass for every request that carries credentials. The parameters of digest authentication have a
 * field each, so that there is no table per request; null if they are absent. All values are unquoted; a name that
 * stood twice makes the whole unreadable.
 */
export class AuthValue {
  /** Lower case: `digest`. */
  readonly scheme: string
  /** `Basic QWxhZGRpbg==`: what follows the scheme if it is no parameter list; '' otherwise. */
  readonly token: string
  /** All of it, as written. */
  readonly text: string
  username: string | null = null
  realm: string | null = null
  nonce: string | null = null
  uri: string | null = null
  response: string | null = null
  algorithm: string | null = null
  qop: string | null = null
  nc: string | null = null
  cnonce: string | null = null
  opaque: string | null = null
  /** Parameters of other names, by lower-case name; null if there are none. */
  others: Map<string, string> | null = null

  constructor(text: string, scheme: string, token: string) {
    this.text = text
    this.scheme = scheme
    this.token = token
  }

  /** By lower-case name. */
  get params(): ReadonlyMap<string, string> {
    const params = new Map<string, string>()
    for (const name of digestParams) {
      const value = this[name]
      if (value !== null) params.set(name, value)
    }
    for (const [name, value] of this.others ?? []) params.set(name, value)
    return params
  }
}

const digestParams = [
  'username',
  'realm',
  'nonce',
  'uri',
  'response',
  'algorithm',
  'qop',
  'nc',
  'cnonce',
  'opaque',
] as const

type DigestParam = (typeof digestParams)[number]

const nameLengthMax = 9
const shapesMax = 256

/** By length and first letter, which tell them apart. */
const paramsByShape: readonly (DigestParam | undefined)[] = shapes()

function shapes(): (DigestParam | undefined)[] {
  const table = new Array<DigestParam | undefined>(shapesMax).fill(undefined)
  for (const name of digestParams) table[shapeOf(name.length, name.charCodeAt(0))] = name
  return table
}

/** Parameters of other names in one header that we read at most. */
const othersMax = 64

/** One Authorization or Proxy-Authorization value; each stands in a line of its own (RFC 3261 §7.3.1). */
export function parseCredentials(value: string): AuthValue | null {
  if (value === lastText) return lastValue
  lastText = value
  lastValue = readAuthValue(value)
  return lastValue
}

/** sanity, auth and `$au` ask about the same header one after another. */
let lastText = ''
let lastValue: AuthValue | null = null

function readAuthValue(value: string): AuthValue | null {
  const text = unfold(value)
  const end = trimLws(text, 0, text.length)
  const start = skipLws(text, 0, end)
  const schemeEnd = endOfToken(text, start, end)
  if (schemeEnd === start) return null
  const scheme =
    text.startsWith('Digest', start) && schemeEnd === start + 6
      ? 'digest'
      : asciiLower(text.slice(start, schemeEnd))
  const rest = skipLws(text, schemeEnd, end)
  if (rest < end && rest === schemeEnd) return null
  if (isOpaque(text, rest, end)) return new AuthValue(value, scheme, text.slice(rest, end))
  const found = new AuthValue(value, scheme, '')
  return readParams(text, rest, end, found) ? found : null
}

/** The challenges of one header line: several may follow each other, as HTTP allows it (RFC 7235 §4.1). */
export function parseChallenges(value: string): AuthValue[] | null {
  const found: AuthValue[] = []
  let position = 0
  while (position < value.length) {
    const end = endOfChallenge(value, position)
    const challenge = readAuthValue(trimComma(value.slice(position, end)))
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

function readParams(text: string, start: number, end: number, found: AuthValue): boolean {
  const hasEscapes = text.includes('\\')
  let position = start
  while (position < end) {
    const first = skipLws(text, position, end)
    const stop =
      text.charCodeAt(first) === comma || first === end
        ? first
        : readParam(text, first, end, found, hasEscapes)
    if (stop === -1) return false
    position = stop + 1
  }
  return true
}

/** `name=value` from here: the position of the comma behind it, or `end`; -1 if that is not what stands there. */
function readParam(text: string, start: number, end: number, found: AuthValue, hasEscapes: boolean): number {
  const near = equalsNear(text, start, end)
  const known = near === -1 ? undefined : nameBetween(text, start, near)
  const nameEnd = known === undefined ? endOfToken(text, start, end) : near
  const equalsAt = known === undefined ? skipLws(text, nameEnd, end) : near
  if (nameEnd === start || equalsAt === end || text.charCodeAt(equalsAt) !== equals) return -1
  const valueStart = skipLws(text, equalsAt + 1, end)
  const isQuoted = valueStart < end && text.charCodeAt(valueStart) === quote
  const valueEnd = isQuoted
    ? endOfQuoted(text, valueStart, end, hasEscapes)
    : endOfBare(text, valueStart, end)
  if (valueEnd === -1) return -1
  const stop = skipLws(text, valueEnd, end)
  if (stop < end && text.charCodeAt(stop) !== comma) return -1
  const value = !isQuoted
    ? text.slice(valueStart, valueEnd)
    : hasEscapes
      ? unquote(text.slice(valueStart, valueEnd))
      : text.slice(valueStart + 1, valueEnd - 1)
  const name = known ?? nameBetween(text, start, nameEnd)
  const isKept =
    name === undefined
      ? keepOther(found, asciiLower(text.slice(start, nameEnd)), value)
      : keepParam(found, name, value)
  return isKept ? stop : -1
}

/**
 * Where `=` stands, if behind no more letters than a name of ours has; -1 otherwise. What is a name of ours need not be
 * looked at letter by letter for whether it is a token: 0.1 us of a header with nine parameters.
 */
function equalsNear(text: string, start: number, end: number): number {
  const last = Math.min(end, start + nameLengthMax + 1)
  for (let i = start; i < last; i++) if (text.charCodeAt(i) === equals) return i
  return -1
}

/** Behind the closing quote; -1 if there is none. */
function endOfQuoted(text: string, open: number, end: number, hasEscapes: boolean): number {
  const close = hasEscapes ? closingQuote(text, open, end) : text.indexOf('"', open + 1)
  return close === -1 || close >= end ? -1 : close + 1
}

/** A value without quotes goes to the next comma or white space (URIs are seen unquoted); -1: there is a quote in it. */
function endOfBare(text: string, start: number, end: number): number {
  for (let i = start; i < end; i++) {
    const code = text.charCodeAt(i)
    if (code === comma || code <= space) return i
    if (code === quote) return -1
  }
  return end
}

/** False if the name stood before. A case for each name: an access by computed name takes several times as long. */
function keepParam(found: AuthValue, name: DigestParam, value: string): boolean {
  switch (name) {
    case 'username':
      if (found.username !== null) return false
      found.username = value
      return true
    case 'realm':
      if (found.realm !== null) return false
      found.realm = value
      return true
    case 'nonce':
      if (found.nonce !== null) return false
      found.nonce = value
      return true
    case 'uri':
      if (found.uri !== null) return false
      found.uri = value
      return true
    case 'response':
      if (found.response !== null) return false
      found.response = value
      return true
    case 'algorithm':
      if (found.algorithm !== null) return false
      found.algorithm = value
      return true
    case 'qop':
      if (found.qop !== null) return false
      found.qop = value
      return true
    case 'nc':
      if (found.nc !== null) return false
      found.nc = value
      return true
    case 'cnonce':
      if (found.cnonce !== null) return false
      found.cnonce = value
      return true
    case 'opaque':
      if (found.opaque !== null) return false
      found.opaque = value
      return true
  }
}

function keepOther(found: AuthValue, name: string, value: string): boolean {
  const others = (found.others ??= new Map())
  if (others.has(name) || others.size === othersMax) return false
  others.set(name, value)
  return true
}

/** The digest parameter of that name, in whatever case; undefined for any other. */
function nameBetween(text: string, start: number, end: number): DigestParam | undefined {
  const known = paramsByShape[shapeOf(end - start, text.charCodeAt(start) | 0x20)]
  return known !== undefined && known.length === end - start && isName(text, start, known) ? known : undefined
}

function shapeOf(length: number, firstLetter: number): number {
  return ((length & 7) << 5) | (firstLetter & 31)
}

/** Without case: `name` is letters. */
function isName(text: string, start: number, name: string): boolean {
  if (text.startsWith(name, start)) return true
  for (let i = 0; i < name.length; i++) {
    if ((text.charCodeAt(start + i) | 0x20) !== name.charCodeAt(i)) return false
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
