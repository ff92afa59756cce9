import type { Span } from './source.ts'

/**
 * Takes pseudo-variables apart: `$name`, `$name(inner)`, `$(name(inner)[index]{class.name,params}...)`.
 *
 * Only the outer structure is read here. What stands in the brackets stays text with its offset, since what it
 * means depends on the declaration of the variable or transformation; resolve-variable.ts goes on from there.
 */
export interface VariableText {
  readonly name: string
  /** What stands in `$name(...)`; null if there are no parentheses. */
  readonly inner: TextPiece | null
  /** What stands in `[...]`. */
  readonly index: TextPiece | null
  readonly transformations: readonly TransformationText[]
  /** The whole, as written. */
  readonly text: string
  /** Where it starts in the text that it was found in. */
  readonly offset: number
}

export interface TextPiece {
  readonly text: string
  readonly offset: number
}

/** `{s.select,1,:}`: name `s.select`, and the parameters as one text, since they may hold commas. */
export interface TransformationText {
  readonly name: string
  readonly offset: number
  readonly parameters: TextPiece | null
}

/** What is wrong with the text, and where in it. */
export interface VariableProblem {
  readonly problem: string
  readonly offset: number
}

/**
 * Reads the pseudo-variable that starts with the `$` at `start`. The name is as long as possible: letters, digits,
 * `_`, and dots that letters follow (`$err.class`).
 */
export function parseVariable(source: string, start: number): VariableText | VariableProblem {
  return source[start + 1] === '(' ? parseBracketed(source, start) : parsePlain(source, start)
}

/** The one pseudo-variable that the text is; a problem if anything else stands beside it. */
export function parseWholeVariable(source: string): VariableText | VariableProblem {
  if (source[0] !== '$') return { problem: 'a pseudo-variable starts with $', offset: 0 }
  const variable = parseVariable(source, 0)
  if ('problem' in variable || variable.text.length === source.length) return variable
  return { problem: `unexpected text after ${variable.text}`, offset: variable.text.length }
}

/**
 * The parameters of a transformation: separated by commas, where the last of `count` takes the rest with its commas
 * (`{s.select,1,,}` splits at commas). Blanks before a parameter do not count, unless it is all blanks.
 */
export function splitParameters(parameters: TextPiece, count: number): TextPiece[] {
  const pieces: TextPiece[] = []
  let from = 0
  while (pieces.length < count - 1) {
    const comma = findComma(parameters.text, from)
    if (comma === -1) break
    pieces.push(withoutLeadingBlanks(parameters, from, comma))
    from = comma + 1
  }
  pieces.push(withoutLeadingBlanks(parameters, from, parameters.text.length))
  return pieces
}

/**
 * The place of a part of a token's text. Falls back to the whole token where the offsets in the text are not those
 * in the file: text from a define, strings with escapes.
 */
export function spanWithin(span: Span, textLength: number, start: number, end: number): Span {
  const written = span.end - span.start
  if (span.via !== undefined) return span
  const quotes = written === textLength + 2 ? 1 : written === textLength ? 0 : -1
  if (quotes === -1) return span
  return {
    file: span.file,
    start: span.start + quotes + start,
    end: span.start + quotes + end,
    line: span.line,
    column: span.column + quotes + start,
  }
}

/** `$name` and `$name(inner)`; `$?` is `$rc`. */
function parsePlain(source: string, start: number): VariableText | VariableProblem {
  if (source[start + 1] === '?') return plain('rc', null, source, start, start + 2)
  const nameEnd = endOfName(source, start + 1)
  if (nameEnd === start + 1) {
    return { problem: 'a name must follow $ ($$ stands for a dollar sign)', offset: start }
  }
  const name = source.slice(start + 1, nameEnd)
  if (source[nameEnd] !== '(') return plain(name, null, source, start, nameEnd)
  const close = findClosing(source, nameEnd, '(', ')')
  if (close === -1) return { problem: `the parenthesis after $${name} is never closed`, offset: nameEnd }
  return plain(name, piece(source, nameEnd + 1, close), source, start, close + 1)
}

function plain(
  name: string,
  inner: TextPiece | null,
  source: string,
  start: number,
  end: number,
): VariableText {
  return { name, inner, index: null, transformations: [], text: source.slice(start, end), offset: start }
}

/** `$(name(inner)[index]{transformation}...)`. */
function parseBracketed(source: string, start: number): VariableText | VariableProblem {
  const nameStart = skipBlanks(source, start + 2)
  const nameEnd = source[nameStart] === '?' ? nameStart + 1 : endOfName(source, nameStart)
  if (nameEnd === nameStart) return { problem: 'a name must follow $(', offset: nameStart }
  const name = source.slice(nameStart, nameEnd)
  let at = skipBlanks(source, nameEnd)
  let inner: TextPiece | null = null
  if (source[at] === '(') {
    const close = findClosing(source, at, '(', ')')
    if (close === -1) return { problem: `the parenthesis after ${name} is never closed`, offset: at }
    inner = piece(source, at + 1, close)
    at = skipBlanks(source, close + 1)
  }
  let index: TextPiece | null = null
  if (source[at] === '[') {
    const close = findClosing(source, at, '[', ']')
    if (close === -1) return { problem: 'the bracket is never closed', offset: at }
    index = piece(source, at + 1, close)
    at = skipBlanks(source, close + 1)
  }
  const transformations: TransformationText[] = []
  while (source[at] === '{') {
    const close = findClosing(source, at, '{', '}')
    if (close === -1) return { problem: 'the brace is never closed', offset: at }
    transformations.push(parseTransformation(piece(source, at + 1, close)))
    at = skipBlanks(source, close + 1)
  }
  if (source[at] !== ')') return { problem: `$(${name} is never closed`, offset: Math.min(at, source.length) }
  const text = source.slice(start, at + 1)
  return { name: name === '?' ? 'rc' : name, inner, index, transformations, text, offset: start }
}

function parseTransformation(body: TextPiece): TransformationText {
  const start = skipBlanks(body.text, 0)
  const comma = body.text.indexOf(',', start)
  const name = body.text.slice(start, comma === -1 ? body.text.length : comma).trimEnd()
  const parameters = comma === -1 ? null : piece(body.text, comma + 1, body.text.length, body.offset)
  return { name, offset: body.offset + start, parameters }
}

function piece(source: string, start: number, end: number, base = 0): TextPiece {
  return { text: source.slice(start, end), offset: base + start }
}

function withoutLeadingBlanks(whole: TextPiece, from: number, to: number): TextPiece {
  const start = skipBlanks(whole.text, from)
  return start < to ? piece(whole.text, start, to, whole.offset) : piece(whole.text, from, to, whole.offset)
}

function skipBlanks(source: string, from: number): number {
  let at = from
  while (source[at] === ' ' || source[at] === '\t') at++
  return at
}

function endOfName(source: string, from: number): number {
  let at = from
  while (isNameCharacter(source.charCodeAt(at)) || isInnerDot(source, from, at)) at++
  return at
}

/** `$err.class` is one name, in `$fd.` the dot belongs to the text. */
function isInnerDot(source: string, from: number, at: number): boolean {
  return source[at] === '.' && at > from && isNameCharacter(source.charCodeAt(at + 1))
}

function isNameCharacter(code: number): boolean {
  return (
    (code >= 97 && code <= 122) || (code >= 65 && code <= 90) || (code >= 48 && code <= 57) || code === 95
  )
}

/** Index of the bracket that closes the one at `open`, -1 if there is none. */
function findClosing(source: string, open: number, opening: string, closing: string): number {
  let depth = 0
  for (let at = open; at < source.length; at++) {
    const character = source[at]
    if (character === '\\' && opening === '{') at++
    else if (character === opening) depth++
    else if (character === closing && --depth === 0) return at
  }
  return -1
}

/** The next comma that is not inside a pseudo-variable's parentheses. */
function findComma(source: string, from: number): number {
  for (let at = from; at < source.length; at++) {
    if (source[at] === ',') return at
    if (source[at] === '$') {
      const variable = parseVariable(source, at)
      if (!('problem' in variable)) at += variable.text.length - 1
    }
  }
  return -1
}
