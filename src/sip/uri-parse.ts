import { isIPv6 } from 'node:net'
import { asciiLower, isAlpha, isDigit, readDecimal } from './bytes.ts'
import { paramIn } from './headers/params.ts'

// Of bytes.ts: why they stand here again is said there.
const colon = 0x3a
const commercialAt = 0x40
const openBracket = 0x5b
const questionMark = 0x3f
const semicolon = 0x3b

/** RFC 3261 §19.1 (sip, sips), RFC 3966 (tel). A parsed URI is slices of the text. */
export interface Uri {
  /** Lower case: `sip`, `sips`, `tel`, `urn`, ... */
  readonly scheme: string
  /** As written, escapes kept; null if there is none. For tel: the number. */
  readonly user: string | null
  /**
   * Of a telephone number in a SIP URI (`user=phone`), what follows the number's first `;`: `npdi;rn=+1999`. RFC 3261
   * §19.1.1 calls both together telephone-subscriber; Kamailio's scripts see the number alone as user. '' if none.
   */
  readonly userParams: string
  readonly password: string | null
  /** As written; IPv6 without brackets. '' for tel and other schemes without a host. */
  readonly host: string
  /** True for an IPv6 reference. */
  readonly hostIsIpv6: boolean
  /** 0 if absent. */
  readonly port: number
  /** After the first `;`, as written, '' if none. */
  readonly params: string
  /** After `?`, '' if none. */
  readonly headers: string
}

/** Null if it is not a URI that we can route by. No exception whatever the text. */
export function parseUri(text: string): Uri | null {
  if (text === lastText) return lastUri
  lastText = text
  lastUri = readUri(text)
  return lastUri
}

/** The scan, the script and the proxy ask about the same Request-URI one after another. */
let lastText = ''
let lastUri: TextUri | null = null

/** Exactly as written where nothing was changed: `host[:port]` with brackets for IPv6. */
export function writeUri(uri: Uri): string {
  if (uri instanceof TextUri) return uri.text
  const number = uri.user === null || uri.userParams === '' ? uri.user : `${uri.user};${uri.userParams}`
  const user = number === null ? '' : number + (uri.password === null ? '' : `:${uri.password}`)
  const params = uri.params === '' ? '' : `;${uri.params}`
  const headers = uri.headers === '' ? '' : `?${uri.headers}`
  if (uri.host === '') return `${uri.scheme}:${user}${params}${headers}`
  const userInfo = uri.user === null ? '' : `${user}@`
  const host = uri.hostIsIpv6 ? `[${uri.host}]` : uri.host
  return `${uri.scheme}:${userInfo}${host}${uri.port === 0 ? '' : `:${uri.port}`}${params}${headers}`
}

/** The value of a URI parameter: '' if it stands without one, null if absent. Case-insensitive name. */
export function uriParam(uri: Uri, name: string): string | null {
  return uri.params === '' ? null : paramIn(uri.params, 0, uri.params.length, name)
}

/** True for sip and sips. */
export function isSipUri(uri: Uri): boolean {
  return uri.scheme === 'sip' || uri.scheme === 'sips'
}

/**
 * A URI and where its parts stand in the text. The text is private, so that `{ ...uri, port: 0 }` gives a plain
 * value that is written anew.
 */
export class TextUri implements Uri {
  readonly #text: string
  readonly #userStart: number
  readonly #userEnd: number
  readonly #hostStart: number
  readonly #hostEnd: number
  readonly #paramsStart: number
  readonly #paramsEnd: number
  readonly scheme: string
  readonly user: string | null
  readonly userParams: string
  readonly password: string | null
  readonly host: string
  readonly hostIsIpv6: boolean
  readonly port: number
  readonly params: string
  readonly headers: string

  /** Offsets; -1 where a part is absent. Numbers instead of an object with them: one is made for every request. */
  constructor(
    text: string,
    scheme: string,
    userStart: number,
    userEnd: number,
    passwordEnd: number,
    hostStart: number,
    hostEnd: number,
    port: number,
    paramsStart: number,
    paramsEnd: number,
  ) {
    this.#text = text
    this.#userStart = userStart
    this.#userEnd = userEnd
    this.#hostStart = hostStart
    this.#hostEnd = hostEnd
    this.#paramsStart = paramsStart
    this.#paramsEnd = paramsEnd
    this.scheme = scheme
    this.user = userEnd === -1 ? null : text.slice(userStart, userEnd)
    const userInfoEnd = userEnd === -1 || passwordEnd !== -1 ? userEnd : hostStart - 1
    this.userParams = userInfoEnd > userEnd && hostEnd > hostStart ? text.slice(userEnd + 1, userInfoEnd) : ''
    this.password = passwordEnd === -1 ? null : text.slice(userEnd + 1, passwordEnd)
    this.hostIsIpv6 = hostEnd > hostStart && text.charCodeAt(hostStart) === openBracket
    this.host = this.hostIsIpv6 ? text.slice(hostStart + 1, hostEnd - 1) : text.slice(hostStart, hostEnd)
    this.port = port
    this.params = paramsStart + 1 < paramsEnd ? text.slice(paramsStart + 1, paramsEnd) : ''
    this.headers = paramsEnd === text.length ? '' : text.slice(paramsEnd + 1)
  }

  get text(): string {
    return this.#text
  }

  get places(): Places {
    return {
      userStart: this.#userStart,
      userEnd: this.#userEnd,
      hostStart: this.#hostStart,
      hostEnd: this.#hostEnd,
      paramsStart: this.#paramsStart,
      paramsEnd: this.#paramsEnd,
    }
  }
}

/** Offsets; -1 where a part is absent. */
interface Places {
  /** After the colon of the scheme. */
  userStart: number
  /** Before the parameters of a telephone number, if it has any. */
  userEnd: number
  hostStart: number
  hostEnd: number
  /** After the port, where parameters may start with `;`. */
  paramsStart: number
  /** Where headers may start with `?`. */
  paramsEnd: number
}

/** Without the memory of parseUri. */
export function readUri(text: string): TextUri | null {
  return readUsualUri(text, 0, text.length) ?? readAnyUri(text)
}

/** The same of a range of a message. */
export function readUriIn(text: string, start: number, end: number): TextUri | null {
  return readUsualUri(text, start, end) ?? readAnyUri(text.slice(start, end))
}

/** Whether it is a SIP URI as nearly everybody writes it: most From and To are only looked at, and made for nothing. */
export function isUsualUri(text: string, start: number, end: number): boolean {
  return findUsualParts(text, start, end)
}

function readUsualUri(text: string, start: number, end: number): TextUri | null {
  if (!findUsualParts(text, start, end)) return null
  return new TextUri(
    text.slice(start, end),
    'sip',
    4,
    foundUserEnd === -1 ? -1 : foundUserEnd - start,
    -1,
    foundHostStart - start,
    foundHostEnd - start,
    foundPort,
    foundParamsStart - start,
    end - start,
  )
}

// What findUsualParts() found: numbers that stay here, since an object for them would cost more than finding them.
/** -1 without a user. */
let foundUserEnd = 0
let foundHostStart = 0
let foundHostEnd = 0
let foundPort = 0
let foundParamsStart = 0

/**
 * `sip:user@host` or `sip:host`, with a port and with parameters: what nearly everybody writes, in one walk over the
 * table, where it stands. False for whatever else is there, well or ill formed: that is left to readAnyUri(). Hot: 88 ns
 * a URI, where that one takes 146.
 */
function findUsualParts(text: string, start: number, end: number): boolean {
  if (!text.startsWith('sip:', start)) return false
  const userStart = start + 4
  let at = userStart
  while (at < end && (characters[text.charCodeAt(at)] ?? forbidden) <= ofUser) at++
  if (at === userStart) return false
  const hasUser = at < end && text.charCodeAt(at) === commercialAt
  foundUserEnd = hasUser ? at : -1
  foundHostStart = hasUser ? at + 1 : userStart
  at = foundHostStart
  while (at < end && characters[text.charCodeAt(at)] === ofHost) at++
  foundHostEnd = at
  if (foundHostEnd === foundHostStart) return false
  foundPort = 0
  if (at < end && text.charCodeAt(at) === colon) {
    at = endOfDigits(text, foundHostEnd + 1)
    foundPort = readDecimal(text, foundHostEnd + 1, at, 65_535)
    if (foundPort < 1) return false
  }
  foundParamsStart = at
  return at <= end && areUsualParams(text, at, end, hasUser)
}

/** Nothing, or parameters without headers after them. An `@` among them would end a user if none did before. */
function areUsualParams(text: string, start: number, end: number, hasUser: boolean): boolean {
  if (start === end) return true
  if (text.charCodeAt(start) !== semicolon) return false
  for (let i = start; i < end; i++) {
    const code = text.charCodeAt(i)
    if (code === questionMark || (characters[code] ?? forbidden) === forbidden) return false
    if (code === commercialAt && !hasUser) return false
  }
  return true
}

function readAnyUri(text: string): TextUri | null {
  if (text.startsWith('sip:')) return hasForbidden(text) ? null : readSipUri(text, 'sip', 4)
  const schemeEnd = text.indexOf(':')
  if (schemeEnd < 1 || hasForbidden(text)) return null
  const scheme = asciiLower(text.slice(0, schemeEnd))
  if (scheme === 'sip' || scheme === 'sips') return readSipUri(text, scheme, schemeEnd + 1)
  if (schemeEnd + 1 === text.length) return null
  if (scheme === 'tel') return readTelUri(text, schemeEnd + 1)
  return isScheme(scheme) ? readOpaqueUri(text, scheme, schemeEnd + 1) : null
}

/** White space, controls, and the delimiters that RFC 3986 §2 leaves out everywhere. High octets pass. */
function hasForbidden(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    if (characters[text.charCodeAt(i)] === forbidden) return true
  }
  return false
}

// What a character may be in a URI: a table that is read once for each, instead of five comparisons.
const ofHost = 0
/** No letter of a host, and no delimiter of what stands before one. */
const ofUser = 1
const delimiter = 2
const forbidden = 3
const characters = new Uint8Array(256).fill(ofUser)
for (let code = 0; code < characters.length; code++) {
  const character = String.fromCharCode(code)
  if (code <= 0x20 || code === 0x7f || '"<>'.includes(character)) characters[code] = forbidden
  // Letters, digits, `-` and `.`; `_` because real host names have it.
  else if (isAlpha(code) || isDigit(code) || '-._'.includes(character)) characters[code] = ofHost
  else if (':;@'.includes(character)) characters[code] = delimiter
}

function isScheme(scheme: string): boolean {
  if (!isAlpha(scheme.charCodeAt(0))) return false
  for (let i = 1; i < scheme.length; i++) {
    const code = scheme.charCodeAt(i)
    if (!isAlpha(code) && !isDigit(code) && code !== 0x2b && code !== 0x2d && code !== 0x2e) return false
  }
  return true
}

/** The first `@` ends the user, which may contain `;`, `?` and `/` (RFC 4475 §3.1.1.9). */
function readSipUri(text: string, scheme: string, start: number): TextUri | null {
  const atSign = text.indexOf('@', start)
  const hostStart = atSign === -1 ? start : atSign + 1
  const userColon = atSign === -1 ? -1 : text.indexOf(':', start)
  const hasPassword = userColon !== -1 && userColon < atSign
  const userEnd = atSign === -1 ? -1 : hasPassword ? userColon : atSign
  if (userEnd === start) return null
  const hostEnd = endOfHost(text, hostStart)
  if (hostEnd === -1) return null
  const hasPort = text.charCodeAt(hostEnd) === colon
  const portEnd = hasPort ? endOfDigits(text, hostEnd + 1) : hostEnd
  const port = hasPort ? readDecimal(text, hostEnd + 1, portEnd, 65_535) : 0
  if (hasPort && port < 1) return null
  const paramsEnd = endOfParams(text, portEnd)
  if (paramsEnd === -1) return null
  const numberEnd = hasPassword ? userEnd : endOfNumber(text, start, userEnd, portEnd, paramsEnd)
  const passwordEnd = hasPassword ? atSign : -1
  return new TextUri(
    text,
    scheme,
    start,
    numberEnd,
    passwordEnd,
    hostStart,
    hostEnd,
    port,
    portEnd,
    paramsEnd,
  )
}

/** The `;` in the user of a URI with user=phone; `userEnd` if there is none. */
function endOfNumber(
  text: string,
  start: number,
  userEnd: number,
  paramsStart: number,
  paramsEnd: number,
): number {
  const end = userEnd === -1 ? -1 : text.indexOf(';', start)
  if (end <= start || end >= userEnd) return userEnd
  const kind = paramIn(text, Math.min(paramsStart + 1, paramsEnd), paramsEnd, 'user')
  return kind !== null && asciiLower(kind) === 'phone' ? end : userEnd
}

/** RFC 3966 §3: digits and visual separators; parameters follow as in sip. */
function readTelUri(text: string, start: number): TextUri | null {
  let end = start
  while (end < text.length && isPhoneCharacter(text.charCodeAt(end))) end++
  if (end === start) return null
  const paramsEnd = endOfParams(text, end)
  if (paramsEnd === -1) return null
  return new TextUri(text, 'tel', start, end, -1, end, end, 0, end, paramsEnd)
}

/** `urn:service:sos` and all others: kept, not understood. */
function readOpaqueUri(text: string, scheme: string, start: number): TextUri {
  const end = text.length
  return new TextUri(text, scheme, start, -1, -1, end, end, 0, end, end)
}

/** -1 if no host stands there. */
function endOfHost(text: string, start: number): number {
  if (text.charCodeAt(start) === openBracket) {
    const close = text.indexOf(']', start)
    return close !== -1 && isIpv6Reference(text.slice(start + 1, close)) ? close + 1 : -1
  }
  let end = start
  while (end < text.length && characters[text.charCodeAt(end)] === ofHost) end++
  return end === start ? -1 : end
}

/** RFC 5118 §4.10: the grammar of RFC 3261 allowed a third colon; senders believed it. */
function isIpv6Reference(address: string): boolean {
  return !address.includes('%') && (isIPv6(address) || isIPv6(address.replace(':::', '::')))
}

function isPhoneCharacter(code: number): boolean {
  if (isDigit(code) || (code >= 0x28 && code <= 0x2b) || code === 0x2d || code === 0x2e || code === 0x23)
    return true
  const lower = code | 0x20
  return (lower >= 0x61 && lower <= 0x66) || lower === 0x70 || lower === 0x77
}

function endOfDigits(text: string, start: number): number {
  let end = start
  while (end < text.length && isDigit(text.charCodeAt(end))) end++
  return end
}

/** Parameters begin with `;` and end at `?` or the end; anything else there is no URI: -1. */
function endOfParams(text: string, start: number): number {
  if (start === text.length) return start
  const first = text.charCodeAt(start)
  if (first === questionMark) return start
  if (first !== semicolon) return -1
  const end = text.indexOf('?', start)
  return end === -1 ? text.length : end
}
