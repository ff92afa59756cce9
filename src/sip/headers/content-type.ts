import { asciiLower, indexOfUnquoted, isToken, semicolon, skipLws, trimLws, unfold } from '../bytes.ts'
import { paramOf } from './params.ts'

/** Content-Type: RFC 3261 §20.15. */
export interface ContentType {
  /** Lower case: `application/sdp`. */
  readonly mediaType: string
  /** Without the leading semicolon, as written. */
  readonly params: string
}

export function parseContentType(value: string): ContentType | null {
  const end = indexOfUnquoted(value, semicolon, 0, value.length)
  const slash = value.indexOf('/')
  if (slash === -1 || slash >= end) return null
  const typeStart = skipLws(value, 0, slash)
  const typeEnd = trimLws(value, typeStart, slash)
  const subtypeStart = skipLws(value, slash + 1, end)
  const subtypeEnd = trimLws(value, subtypeStart, end)
  if (!isToken(value, typeStart, typeEnd) || !isToken(value, subtypeStart, subtypeEnd)) return null
  const mediaType = asciiLower(`${value.slice(typeStart, typeEnd)}/${value.slice(subtypeStart, subtypeEnd)}`)
  return { mediaType, params: unfold(value.slice(end + 1)).trim() }
}

/** One part of a multipart body: RFC 2046 §5.1. Offsets count from the start of the body. */
export interface BodyPart {
  /** Where its delimiter line starts. */
  readonly start: number
  /** Where the next delimiter starts. */
  readonly end: number
  readonly headersStart: number
  readonly headers: string
  readonly contentStart: number
  readonly contentEnd: number
  /** Lower case; `text/plain` if the part does not say (RFC 2046 §5.1). */
  readonly mediaType: string
}

/** Parts of one body that we look at. */
const partsMax = 64

/** The parts of a multipart body in order; [] if it is none or cannot be read. */
export function bodyParts(body: string, contentType: ContentType): readonly BodyPart[] {
  return parseMultipart(body, contentType)?.parts ?? []
}

export interface Multipart {
  readonly boundary: string
  readonly parts: readonly BodyPart[]
  /** Where the closing delimiter starts. */
  readonly closingStart: number
}

/** Null if the body is no multipart, or its closing delimiter is missing. */
export function parseMultipart(body: string, contentType: ContentType): Multipart | null {
  const boundary = contentType.mediaType.startsWith('multipart/')
    ? paramOf(contentType.params, 'boundary')
    : null
  if (boundary === null || boundary === '') return null
  const delimiter = `--${boundary}`
  const parts: BodyPart[] = []
  let at = delimiterAt(body, delimiter, 0)
  while (at !== -1 && !body.startsWith('--', at + delimiter.length)) {
    const next = delimiterAt(body, delimiter, at + delimiter.length)
    if (next === -1 || parts.length === partsMax) return null
    parts.push(partBetween(body, at, at + delimiter.length, next))
    at = next
  }
  return at === -1 ? null : { boundary, parts, closingStart: at }
}

/** A delimiter stands at the start of a line. */
function delimiterAt(body: string, delimiter: string, from: number): number {
  let at = body.indexOf(delimiter, from)
  while (at > 0 && body[at - 1] !== '\n') at = body.indexOf(delimiter, at + 1)
  return at
}

function partBetween(body: string, start: number, afterDelimiter: number, next: number): BodyPart {
  const lineEnd = body.indexOf('\n', afterDelimiter)
  const headersStart = lineEnd === -1 || lineEnd >= next ? next : lineEnd + 1
  const contentEnd = beforeLineEnd(body, next, headersStart)
  const { headersEnd, contentStart } = splitPart(body, headersStart, contentEnd)
  const headers = body.slice(headersStart, headersEnd)
  const written = /^content-type[ \t]*:[ \t]*([^\r\n]*)/im.exec(headers)?.[1] ?? ''
  const mediaType = parseContentType(written)?.mediaType ?? 'text/plain'
  return { start, end: next, headersStart, headers, contentStart, contentEnd, mediaType }
}

function splitPart(
  body: string,
  headersStart: number,
  end: number,
): { headersEnd: number; contentStart: number } {
  if (body.startsWith('\r\n', headersStart))
    return { headersEnd: headersStart, contentStart: headersStart + 2 }
  const empty = body.indexOf('\r\n\r\n', headersStart)
  if (empty === -1 || empty >= end) return { headersEnd: end, contentStart: end }
  return { headersEnd: empty + 2, contentStart: empty + 4 }
}

/** The line end before a delimiter belongs to the delimiter. */
function beforeLineEnd(body: string, next: number, min: number): number {
  const end = body[next - 1] === '\n' ? (body[next - 2] === '\r' ? next - 2 : next - 1) : next
  return Math.max(min, end)
}
