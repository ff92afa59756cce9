import { isIPv6 } from 'node:net'
import {
  asciiLower,
  closeBracket,
  colon,
  isAlpha,
  isDigit,
  openBracket,
  questionMark,
  readDecimal,
  semicolon,
} from './bytes.ts'
import { paramIn, parseParams, withoutParamIn } from './headers/params.ts'

export { asciiLower } from './bytes.ts'

/**
 * URIs: RFC 3261 §19.1 (sip, sips), RFC 3966 (tel). A parsed URI is slices of the text; equality follows
 * §19.1.4; writers replace one part and keep all others as they were.
 */
export interface Uri {
  /** Lower case: `sip`, `sips`, `tel`, `urn`, ... */
  readonly scheme: string
  /** As written, escapes kept; null if there is none. For tel: the number. */
  readonly user: string | null
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
  const user = uri.user === null ? '' : uri.user + (uri.password === null ? '' : `:${uri.password}`)
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
class TextUri implements Uri {
  readonly #text: string
  readonly #places: Places
  readonly scheme: string
  readonly user: string | null
  readonly password: string | null
  readonly host: string
  readonly hostIsIpv6: boolean
  readonly port: number
  readonly params: string
  readonly headers: string

  constructor(text: string, scheme: string, places: Places, port: number) {
    this.#text = text
    this.#places = places
    this.scheme = scheme
    const { userStart, userEnd, hostStart, hostEnd, passwordEnd, paramsStart, paramsEnd } = places
    this.user = userEnd === -1 ? null : text.slice(userStart, userEnd)
    this.password = passwordEnd === -1 ? null : text.slice(userEnd + 1, passwordEnd)
    this.hostIsIpv6 = text.charCodeAt(hostStart) === openBracket && hostEnd > hostStart
    this.host = this.hostIsIpv6 ? text.slice(hostStart + 1, hostEnd - 1) : text.slice(hostStart, hostEnd)
    this.port = port
    this.params = text.slice(Math.min(paramsStart + 1, paramsEnd), paramsEnd)
    this.headers = text.slice(paramsEnd + 1)
  }

  get text(): string {
    return this.#text
  }

  get places(): Places {
    return this.#places
  }
}

/** Offsets; -1 where a part is absent. */
interface Places {
  /** After the colon of the scheme. */
  userStart: number
  userEnd: number
  passwordEnd: number
  hostStart: number
  hostEnd: number
  /** After the port, where parameters may start with `;`. */
  paramsStart: number
  /** Where headers may start with `?`. */
  paramsEnd: number
}

function readUri(text: string): TextUri | null {
  const schemeEnd = text.indexOf(':')
  if (schemeEnd < 1 || schemeEnd + 1 === text.length || hasForbidden(text)) return null
  const scheme = asciiLower(text.slice(0, schemeEnd))
  if (scheme === 'sip' || scheme === 'sips') return readSipUri(text, scheme, schemeEnd + 1)
  if (scheme === 'tel') return readTelUri(text, schemeEnd + 1)
  return isScheme(scheme) ? readOpaqueUri(text, scheme, schemeEnd + 1) : null
}

/** White space, controls, and the delimiters that RFC 3986 §2 leaves out everywhere. High octets pass. */
function hasForbidden(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code <= 0x20 || code === 0x7f || code === 0x22 || code === 0x3c || code === 0x3e) return true
  }
  return false
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
  const passwordEnd = hasPassword ? atSign : -1
  const places = {
    userStart: start,
    userEnd,
    passwordEnd,
    hostStart,
    hostEnd,
    paramsStart: portEnd,
    paramsEnd,
  }
  return new TextUri(text, scheme, places, port)
}

/** RFC 3966 §3: digits and visual separators; parameters follow as in sip. */
function readTelUri(text: string, start: number): TextUri | null {
  let end = start
  while (end < text.length && isPhoneCharacter(text.charCodeAt(end))) end++
  if (end === start) return null
  const paramsEnd = endOfParams(text, end)
  if (paramsEnd === -1) return null
  const places = {
    userStart: start,
    userEnd: end,
    passwordEnd: -1,
    hostStart: end,
    hostEnd: end,
    paramsStart: end,
    paramsEnd,
  }
  return new TextUri(text, 'tel', places, 0)
}

/** `urn:service:sos` and all others: kept, not understood. */
function readOpaqueUri(text: string, scheme: string, start: number): TextUri {
  const end = text.length
  const places = {
    userStart: start,
    userEnd: -1,
    passwordEnd: -1,
    hostStart: end,
    hostEnd: end,
    paramsStart: end,
    paramsEnd: end,
  }
  return new TextUri(text, scheme, places, 0)
}

/** -1 if no host stands there. */
function endOfHost(text: string, start: number): number {
  if (text.charCodeAt(start) === openBracket) {
    const close = text.indexOf(']', start)
    return close !== -1 && isIpv6Reference(text.slice(start + 1, close)) ? close + 1 : -1
  }
  let end = start
  while (end < text.length && isHostCharacter(text.charCodeAt(end))) end++
  return end === start ? -1 : end
}

/** RFC 5118 §4.10: the grammar of RFC 3261 allowed a third colon; senders believed it. */
function isIpv6Reference(address: string): boolean {
  return !address.includes('%') && (isIPv6(address) || isIPv6(address.replace(':::', '::')))
}

/** Letters, digits, `-` and `.`; `_` because real host names have it. */
function isHostCharacter(code: number): boolean {
  return isAlpha(code) || isDigit(code) || code === 0x2d || code === 0x2e || code === 0x5f
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

// Writers: one part changes, all others stay as they were. Each gives null if the text is no URI that has the part.

/** `user` null or '' removes user and password. The password stays otherwise. */
export function withUser(text: string, user: string | null): string | null {
  const uri = readUri(text)
  if (uri === null || (uri.host === '' && uri.user === null)) return null
  const { userStart, userEnd, passwordEnd, hostStart } = uri.places
  if (uri.host === '') return user === null || user === '' ? null : splice(text, userStart, userEnd, user)
  if (user === null || user === '') return splice(text, userStart, hostStart, '')
  if (userEnd === -1) return splice(text, userStart, userStart, `${user}@`)
  return splice(text, userStart, passwordEnd === -1 ? hostStart - 1 : userEnd, user)
}

export function withPassword(text: string, password: string | null): string | null {
  const uri = readUri(text)
  if (uri === null || uri.user === null || uri.host === '') return null
  const { userEnd, hostStart } = uri.places
  return splice(text, userEnd, hostStart - 1, password === null || password === '' ? '' : `:${password}`)
}

/** `host` as it is to stand there, IPv6 with or without brackets. */
export function withHost(text: string, host: string): string | null {
  const uri = readUri(text)
  if (uri === null || uri.host === '' || host === '') return null
  return splice(text, uri.places.hostStart, uri.places.hostEnd, hostForUri(host))
}

/** 0 removes the port. */
export function withPort(text: string, port: number): string | null {
  const uri = readUri(text)
  if (uri === null || uri.host === '') return null
  return splice(text, uri.places.hostEnd, uri.places.paramsStart, port === 0 ? '' : `:${port}`)
}

export function withHostAndPort(text: string, host: string, port: number): string | null {
  const uri = readUri(text)
  if (uri === null || uri.host === '' || host === '') return null
  const { hostStart, paramsStart } = uri.places
  return splice(text, hostStart, paramsStart, hostForUri(host) + (port === 0 ? '' : `:${port}`))
}

/** All parameters at once, without the leading semicolon; '' removes them. */
export function withParams(text: string, params: string): string | null {
  const uri = readUri(text)
  if (uri === null || (uri.user === null && uri.host === '')) return null
  return splice(text, uri.places.paramsStart, uri.places.paramsEnd, params === '' ? '' : `;${params}`)
}

/** `name=value` or `name` is added after the others. */
export function withParam(text: string, param: string): string | null {
  const uri = readUri(text)
  if (uri === null) return null
  return withParams(text, uri.params === '' ? param : `${uri.params};${param}`)
}

/** The same text if it has no such parameter. */
export function withoutParam(text: string, name: string): string | null {
  const uri = readUri(text)
  if (uri === null) return null
  return uriParam(uri, name) === null ? text : withParams(text, withoutParamIn(uri.params, name))
}

/** Without `?headers`: RFC 3261 §19.1.5 forbids them in a Request-URI. */
export function withoutHeaders(text: string): string | null {
  const uri = readUri(text)
  return uri === null ? null : text.slice(0, uri.places.paramsEnd)
}

/** Another scheme before the same rest. */
export function withScheme(text: string, scheme: string): string | null {
  const end = text.indexOf(':')
  return end < 1 ? null : scheme + text.slice(end)
}

function splice(text: string, start: number, end: number, part: string): string {
  return text.slice(0, start) + part + text.slice(end)
}

// Comparison: RFC 3261 §19.1.4

/** RFC 3261 §19.1.4. Both texts must parse, else false. */
export function urisEqual(a: string, b: string): boolean {
  const first = readUri(a)
  const second = readUri(b)
  if (first === null || second === null || first.scheme !== second.scheme) return false
  if (first.scheme === 'tel') return telEqual(first, second)
  if (!isSipUri(first)) return a.slice(a.indexOf(':')) === b.slice(b.indexOf(':'))
  return (
    canonicalPart(first.user) === canonicalPart(second.user) &&
    canonicalPart(first.password) === canonicalPart(second.password) &&
    asciiLower(first.host) === asciiLower(second.host) &&
    first.port === second.port &&
    paramsEqual(first.params, second.params) &&
    headersEqual(first.headers, second.headers)
  )
}

/** RFC 3966 §4: visual separators do not count, parameters must be the same set. */
function telEqual(a: Uri, b: Uri): boolean {
  return telNumber(a) === telNumber(b) && sortedParams(a.params) === sortedParams(b.params)
}

function telNumber(uri: Uri): string {
  return asciiLower((uri.user ?? '').replace(/[-.()]/g, ''))
}

function sortedParams(params: string): string {
  const written = parseParams(params).map(({ name, value }) => `${asciiLower(name)}=${canonicalPart(value)}`)
  return written.sort().join(';')
}

/** Parameters that never match if only one of the two has them. */
const decisiveParams: ReadonlySet<string> = new Set(['user', 'ttl', 'method', 'maddr', 'transport'])

function paramsEqual(a: string, b: string): boolean {
  if (a === b) return true
  const first = paramMap(a)
  const second = paramMap(b)
  return paramsMatch(first, second) && paramsMatch(second, first)
}

function paramsMatch(params: ReadonlyMap<string, string>, others: ReadonlyMap<string, string>): boolean {
  for (const [name, value] of params) {
    const other = others.get(name)
    if (other === undefined ? decisiveParams.has(name) : other !== value) return false
  }
  return true
}

function paramMap(params: string): Map<string, string> {
  const map = new Map<string, string>()
  for (const { name, value } of parseParams(params)) {
    map.set(asciiLower(canonicalPart(name) ?? ''), asciiLower(canonicalPart(value) ?? ''))
  }
  return map
}

/** Headers never match if one lacks them; their order does not count. */
function headersEqual(a: string, b: string): boolean {
  return a === b || sortedHeaders(a) === sortedHeaders(b)
}

function sortedHeaders(headers: string): string {
  return headers.split('&').map(canonicalHeader).sort().join('&')
}

function canonicalHeader(header: string): string {
  const equalsAt = header.indexOf('=')
  if (equalsAt === -1) return asciiLower(header)
  return `${asciiLower(header.slice(0, equalsAt))}=${canonicalPart(header.slice(equalsAt + 1))}`
}

/** Escapes of characters outside the reserved set count as the characters; all others are upper case. */
function canonicalPart<T extends string | null>(part: T): T {
  if (part === null || !part.includes('%')) return part
  return part.replace(/%([0-9A-Fa-f]{2})/g, (escaped, hex: string) => {
    const character = String.fromCharCode(Number.parseInt(hex, 16))
    return /[A-Za-z0-9\-_.!~*'()]/.test(character) ? character : escaped.toUpperCase()
  }) as T
}

/** `user%41` -> `userA`: for comparing and for keys, never for output. Bad escapes stay. */
export function unescapeUser(user: string): string {
  if (!user.includes('%')) return user
  return user.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
}

/** RFC 3261 §25.1 user: everything outside unreserved and user-unreserved as `%HH`. */
export function escapeUser(user: string): string {
  return user.replace(/[^A-Za-z0-9\-_.!~*'()&=+$,;?/]/g, escapeOctet)
}

/** RFC 3261 §25.1 param-unreserved: everything else as `%HH`. */
export function escapeParam(value: string): string {
  return value.replace(/[^A-Za-z0-9\-_.!~*'()[\]/:&+$]/g, escapeOctet)
}

function escapeOctet(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`
}

/** Brackets around an IPv6 address, anything else as it is. */
export function hostForUri(address: string): string {
  return address.includes(':') && address.charCodeAt(0) !== openBracket ? `[${address}]` : address
}

/** The other way round. */
export function hostWithoutBrackets(host: string): string {
  const isBracketed = host.charCodeAt(0) === openBracket && host.charCodeAt(host.length - 1) === closeBracket
  return isBracketed ? host.slice(1, -1) : host
}
