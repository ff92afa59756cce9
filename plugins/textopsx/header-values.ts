import {
  ArgumentProblem,
  asciiLower,
  endOfValue,
  isToken,
  type RouteContext,
  type SipMessage,
} from '../../src/plugin/index.ts'

/**
 * Single values of list headers, over all lines of that name: `X-A[2]`, `X-A[-1]`, `X-A[*].param`. Counted from 1, as
 * Kamailio does. What is written follows what Kamailio 5.6.3 leaves in the message (measured).
 */
export interface ValueName {
  readonly header: string
  /** 1: the first, -1: the last; 'all'; null if none was written. */
  readonly index: number | 'all' | null
  readonly param: string | null
}

/** @throws ArgumentProblem if the text is no header name with index and parameter. */
export function parseValueName(text: string): ValueName {
  const open = text.indexOf('[')
  const close = open === -1 ? -1 : text.indexOf(']', open)
  if (open !== -1 && close === -1) throw new ArgumentProblem(`no closing bracket in "${text}"`, shape)
  const dot = text.indexOf('.', close === -1 ? 0 : close)
  const nameEnd = open !== -1 ? open : dot !== -1 ? dot : text.length
  const header = text.slice(0, nameEnd).trim()
  if (!isToken(header, 0, header.length)) throw new ArgumentProblem(`"${header}" is no header name`, shape)
  const index = open === -1 ? null : parseIndex(text.slice(open + 1, close))
  return { header, index, param: dot === -1 ? null : text.slice(dot + 1).trim() }
}

const shape = 'write Name, Name[2], Name[-1], Name[*], Name[2].param'

function parseIndex(text: string): number | 'all' {
  if (text.trim() === '*') return 'all'
  const index = Number(text)
  if (Number.isInteger(index) && index !== 0) return index
  throw new ArgumentProblem(`"${text}" is no index of a header value`, shape)
}

/** A value in the message: from after the comma before it up to the comma after it, white space included. */
interface Place {
  readonly header: number
  readonly start: number
  readonly end: number
}

/** How the values of a header line are told apart: by commas, or as one (Authorization). */
type Split = 'list' | 'line'

export function appendValue(context: RouteContext, name: ValueName, text: string): number {
  const place = name.index === null ? undefined : placesOf(context.message, name, 'list').at(-1)
  if (place === undefined) context.edits.appendHeader(`${name.header}: ${text}\r\n`)
  else context.edits.replace(place.end, place.end, `,${text}`)
  return 1
}

export function insertValue(context: RouteContext, name: ValueName, text: string): number {
  const { message, edits } = context
  const place = name.index === null ? undefined : placesOf(message, name, 'list')[0]
  if (place !== undefined) {
    edits.replace(place.start, place.start, `${text},`)
    return 1
  }
  const index = message.find(name.header)
  if (index === -1) edits.appendHeader(`${name.header}: ${text}\r\n`)
  else edits.insertBeforeHeader(message, index, `${name.header}: ${text}\r\n`)
  return 1
}

/** Without a parameter the values go, with one that parameter of each. */
export function removeValue(context: RouteContext, name: ValueName, split: Split): number {
  const places = placesOf(context.message, name, split)
  let removed = 0
  if (name.param === null) removed = removePlaces(context, places, split)
  else for (const place of places) removed += removeParam(context, place, name.param, split) ? 1 : 0
  return removed > 0 ? 1 : -1
}

/** Without a parameter the value becomes `text`; with one the parameter gets it, or stands alone if `text` is ''. */
export function assignValue(context: RouteContext, name: ValueName, text: string, split: Split): number {
  const places = placesOf(context.message, name, split)
  let changed = 0
  for (const place of places) {
    const isChanged =
      name.param === null
        ? replaceTrimmed(context, place, text)
        : assignParam(context, place, name.param, text, split)
    if (isChanged) changed++
  }
  return changed > 0 ? 1 : -1
}

export function hasValue(message: SipMessage, header: string, value: string): boolean {
  return placesEqual(message, header, value).length > 0
}

/** Added after the last value, or as a new header, unless it is there. */
export function includeValue(context: RouteContext, header: string, value: string): number {
  if (hasValue(context.message, header, value)) return 1
  return appendValue(context, { header, index: -1, param: null }, value)
}

export function excludeValue(context: RouteContext, header: string, value: string): number {
  removePlaces(context, placesEqual(context.message, header, value), 'list')
  return 1
}

function placesEqual(message: SipMessage, header: string, value: string): Place[] {
  const wanted = asciiLower(value.trim())
  const all = placesOf(message, { header, index: 'all', param: null }, 'list')
  return all.filter(({ start, end }) => asciiLower(message.text.slice(start, end).trim()) === wanted)
}

/** The places that the name means: the first one if it has no index. */
function placesOf(message: SipMessage, name: ValueName, split: Split): Place[] {
  const all: Place[] = []
  for (let index = message.find(name.header); index !== -1; index = message.next(index)) {
    const end = message.headerValueEnd(index)
    let start = message.headerValueStart(index)
    if (start === end) continue
    while (start <= end) {
      const stop = split === 'line' ? end : endOfValue(message.text, start, end)
      all.push({ header: index, start, end: stop })
      start = stop + 1
    }
  }
  if (name.index === 'all') return all
  const position = name.index ?? 1
  return all.slice(position < 0 ? position : position - 1).slice(0, 1)
}

/** Lines that lose all their values go; else a value goes with the comma beside it. */
function removePlaces(context: RouteContext, places: readonly Place[], split: Split): number {
  const { message, edits } = context
  for (const [header, gone] of Map.groupBy(places, (place) => place.header)) {
    const everyPlace = placesOf(
      message,
      { header: message.headerName(header), index: 'all', param: null },
      split,
    )
    const onLine = everyPlace.filter((place) => place.header === header)
    if (gone.length === onLine.length) edits.removeHeader(message, header)
    else removeFromLine(context, onLine, gone)
  }
  return places.length
}

function removeFromLine(context: RouteContext, onLine: readonly Place[], gone: readonly Place[]): void {
  const { message, edits } = context
  const [first, last] = [onLine[0], onLine.at(-1)]
  const [only] = gone
  if (first === undefined || last === undefined || only === undefined) return
  if (gone.length === 1) {
    if (only.start === first.start) edits.replace(only.start, only.end + 1, '')
    else edits.replace(only.start - 1, only.end, '')
    return
  }
  const starts = new Set(gone.map((place) => place.start))
  const kept = onLine.filter((place) => !starts.has(place.start))
  edits.replace(
    first.start,
    last.end,
    kept.map((place) => message.text.slice(place.start, place.end)).join(','),
  )
}

function replaceTrimmed(context: RouteContext, { start, end }: Place, text: string): boolean {
  const written = context.message.text.slice(start, end)
  const leading = written.length - written.trimStart().length
  return context.edits.replace(start + leading, end - (written.length - written.trimEnd().length), text)
}

/** A parameter within a value: where its separator stands, and where it ends. */
interface ParamPlace {
  readonly separator: number
  readonly nameEnd: number
  readonly end: number
}

function findParam(text: string, place: Place, name: string, split: Split): ParamPlace | null {
  const separator = split === 'line' ? ',' : ';'
  const wanted = asciiLower(name)
  let at = split === 'line' ? afterScheme(text, place) : endOfParam(text, place.start, place.end, separator)
  while (at < place.end) {
    const end = endOfParam(text, at + 1, place.end, separator)
    const equalsAt = text.indexOf('=', at)
    const nameEnd = equalsAt === -1 || equalsAt > end ? end : equalsAt
    if (asciiLower(text.slice(at + 1, nameEnd).trim()) === wanted) return { separator: at, nameEnd, end }
    at = end
  }
  return null
}

/** The white space after `Digest`, which stands where other parameters have their separator. */
function afterScheme(text: string, place: Place): number {
  let at = place.start
  while (at < place.end && text[at] !== ' ' && text[at] !== '\t') at++
  return at
}

function endOfParam(text: string, start: number, end: number, separator: string): number {
  let isQuoted = false
  let at = start
  for (; at < end; at++) {
    const character = text[at]
    if (isQuoted && character === '\\') at++
    else if (character === '"') isQuoted = !isQuoted
    else if (!isQuoted && character === separator) return at
  }
  return Math.min(at, end)
}

/** The first parameter of a credential goes with the comma after it, any other with the separator before it. */
function removeParam(context: RouteContext, place: Place, name: string, split: Split): boolean {
  const { text } = context.message
  const param = findParam(text, place, name, split)
  if (param === null) return false
  const isFirst = split === 'line' && text[param.separator] !== ','
  if (!isFirst) return context.edits.replace(param.separator, param.end, '')
  let next = Math.min(param.end + 1, place.end)
  while (text[next] === ' ') next++
  return context.edits.replace(param.separator + 1, next, '')
}

function assignParam(
  context: RouteContext,
  place: Place,
  name: string,
  value: string,
  split: Split,
): boolean {
  const param = findParam(context.message.text, place, name, split)
  const assigned = value === '' ? '' : `=${value}`
  if (param !== null) return context.edits.replace(param.nameEnd, param.end, assigned)
  return context.edits.replace(place.end, place.end, `${split === 'line' ? ',' : ';'}${name}${assigned}`)
}
