import {
  asciiLower,
  hasQuotes,
  indexBefore,
  indexOfUnquoted,
  skipLws,
  trimLws,
  unfold,
  unquote,
} from '../bytes.ts'

// Of bytes.ts: why they stand here again is said there.
const equals = 0x3d
const quote = 0x22
const semicolon = 0x3b

/**
 * Parameters of headers and URIs: `;name=value;flag`, names without case, values tokens or quoted strings
 * (RFC 3261 §25.1 generic-param, §19.1.1).
 */
export interface Param {
  /** As written. */
  readonly name: string
  /** Unquoted; '' if it stands without one. */
  readonly value: string
}

/**
 * A parameter of a `;`-separated list: its value (unquoted), '' if it stands without one, null if absent.
 * Names are case-insensitive. A leading semicolon does no harm.
 */
export function paramOf(params: string, name: string): string | null {
  return paramIn(params, 0, params.length, name)
}

/** The same over a range of a longer text. Hot. */
export function paramIn(text: string, start: number, end: number, name: string): string | null {
  const isPlain = !hasQuotes(text, start, end)
  let position = start
  while (position < end) {
    const stop = endOfParam(text, position, end, isPlain)
    const valueStart = valueStartOf(text, position, stop, name)
    if (valueStart !== -1) return valueBetween(text, valueStart, stop)
    position = stop + 1
  }
  return null
}

/** Where the parameter that starts here ends. `isPlain`: the list has no quoted strings. */
export function endOfParam(text: string, start: number, end: number, isPlain: boolean): number {
  return isPlain ? indexBefore(text, ';', start, end) : indexOfUnquoted(text, semicolon, start, end)
}

/** Where the value of the parameter in this range starts, `stop` if it has none, -1 if it has another name. */
export function valueStartOf(text: string, start: number, stop: number, name: string): number {
  const nameStart = skipLws(text, start, stop)
  if (!startsWithName(text, nameStart, stop, name)) return -1
  const afterName = skipLws(text, nameStart + name.length, stop)
  if (afterName === stop) return stop
  return text.charCodeAt(afterName) === equals ? afterName + 1 : -1
}

/** All of them in order. Empty ones (`;;`) are left out. */
export function parseParams(params: string): Param[] {
  const found: Param[] = []
  let position = 0
  while (position < params.length) {
    const stop = indexOfUnquoted(params, semicolon, position, params.length)
    const nameStart = skipLws(params, position, stop)
    if (nameStart < stop) found.push(paramBetween(params, nameStart, stop))
    position = stop + 1
  }
  return found
}

/** The list without the parameters of that name, everything else as written. */
export function withoutParamIn(params: string, name: string): string {
  let kept = ''
  let position = 0
  while (position < params.length) {
    const stop = indexOfUnquoted(params, semicolon, position, params.length)
    if (valueStartOf(params, position, stop, name) === -1)
      kept += `${kept === '' ? '' : ';'}${params.slice(position, stop)}`
    position = stop + 1
  }
  return kept
}

function paramBetween(text: string, start: number, end: number): Param {
  const equalsAt = indexOfUnquoted(text, equals, start, end)
  const name = text.slice(start, trimLws(text, start, equalsAt))
  return { name, value: equalsAt === end ? '' : valueBetween(text, equalsAt + 1, end) }
}

/** A parameter's value, unquoted. */
export function valueBetween(text: string, start: number, end: number): string {
  const valueStart = skipLws(text, start, end)
  const value = text.slice(valueStart, trimLws(text, valueStart, end))
  return value.charCodeAt(0) === quote ? unquote(unfold(value)) : value
}

/** Compares without case and without a copy: `name` is ASCII. */
function startsWithName(text: string, start: number, end: number, name: string): boolean {
  const length = name.length
  if (end - start < length) return false
  if (text.startsWith(name, start)) return true
  for (let i = 0; i < length; i++) {
    if (foldedCode(text.charCodeAt(start + i)) !== foldedCode(name.charCodeAt(i))) return false
  }
  return true
}

function foldedCode(code: number): number {
  return code >= 0x41 && code <= 0x5a ? code | 0x20 : code
}

/** True if both names are the same parameter or header. */
export function sameName(a: string, b: string): boolean {
  return a.length === b.length && asciiLower(a) === asciiLower(b)
}
