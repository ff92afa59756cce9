import { asciiLower } from './bytes.ts'
import { parseParams } from './headers/params.ts'
import { isSipUri, readUri, type Uri } from './uri-parse.ts'

/** RFC 3261 §19.1.4. Both texts must parse, else false. */
export function urisEqual(a: string, b: string): boolean {
  const first = readUri(a)
  const second = readUri(b)
  if (first === null || second === null || first.scheme !== second.scheme) return false
  if (first.scheme === 'tel') return telEqual(first, second)
  if (!isSipUri(first)) return a.slice(a.indexOf(':')) === b.slice(b.indexOf(':'))
  return (
    canonicalPart(first.user) === canonicalPart(second.user) &&
    canonicalPart(first.userParams) === canonicalPart(second.userParams) &&
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
