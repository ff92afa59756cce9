import { type Span, spanBetween } from './source.ts'
import {
  Assign,
  BinaryOperator,
  LCurly,
  LParen,
  RParen,
  type ScriptToken,
  Socket,
  StringToken,
} from './tokens.ts'

/**
 * Mistakes that people bring from other languages or make while typing, recognised by the token that the parser
 * did not expect and its neighbours. Each has its own sentence and what to write instead.
 */
export interface Mistake {
  readonly code: string
  readonly message: string
  readonly span: Span
  readonly hint: string
}

interface Place {
  readonly tokens: readonly ScriptToken[]
  readonly index: number
  readonly found: ScriptToken
  readonly previous: ScriptToken | undefined
  readonly next: ScriptToken | undefined
  readonly expected: string
}

/** Null if the error is none that we know. `index`: of the token that was not expected. */
export function recogniseMistake(
  tokens: readonly ScriptToken[],
  index: number,
  expected: string,
): Mistake | null {
  const found = tokens[index]
  if (found === undefined) return null
  const place = { tokens, index, found, previous: tokens[index - 1], next: tokens[index + 1], expected }
  for (const recognise of recognisers) {
    const mistake = recognise(place)
    if (mistake !== null) return mistake
  }
  return null
}

const recognisers: readonly ((place: Place) => Mistake | null)[] = [
  compoundAssignment,
  misspelledOperator,
  socketValue,
  missingOperator,
  wrongBlock,
  statementOutside,
  strayElse,
  adjacentStrings,
]

/** `$x += 1`, `$x++`, `$x := 1`. */
function compoundAssignment({ found, next, previous, expected }: Place): Mistake | null {
  if (expected !== '`=`' || next === undefined || next.spaced) return null
  const operator = found.image + next.image
  const target = previous?.image ?? '$x'
  if (next.tokenType === Assign && isBinary(found))
    return operatorMistake(operator, found, next, `write ${target} = ${target} ${found.image} ...`)
  if (operator === '++' || operator === '--')
    return operatorMistake(operator, found, next, `write ${target} = ${target} ${found.image} 1`)
  if (operator === ':=') return operatorMistake(operator, found, next, 'write =')
  return null
}

function isBinary(token: ScriptToken): boolean {
  return (token.tokenType.CATEGORIES ?? []).includes(BinaryOperator)
}

/** Pairs that the lexer has read as two tokens, the first of which was not expected. */
const pairs: ReadonlyMap<string, string> = new Map([
  ['!~', 'write !($x =~ "...")'],
  ['=!', 'unequal is written !='],
])

/** Pairs the second of which was not expected. */
const tails: ReadonlyMap<string, string> = new Map([
  ['===', 'write =='],
  ['!==', 'write !='],
  ['!=~', 'write !($x =~ "...")'],
  ['<>', 'unequal is written !='],
  ['=>', 'at least is written >='],
  ['=<', 'at most is written <='],
  ['==~', 'write =~'],
  ['**', 'there is no power operator'],
])

function misspelledOperator({ found, next, previous, expected }: Place): Mistake | null {
  const pair = next === undefined || next.spaced ? undefined : pairs.get(found.image + next.image)
  if (pair !== undefined && next !== undefined)
    return operatorMistake(found.image + next.image, found, next, pair)
  const tail = previous === undefined || found.spaced ? undefined : tails.get(previous.image + found.image)
  if (tail !== undefined && previous !== undefined)
    return operatorMistake(previous.image + found.image, previous, found, tail)
  const single = expected === 'a value' ? undefined : singles.get(found.image)
  if (single !== undefined) return operatorMistake(found.image, found, found, single)
  if (found.tokenType !== Assign || expected === '`=`') return null
  return {
    code: 'syntax/unknown-operator',
    message: '`=` cannot stand here: it assigns',
    span: found.span,
    hint: 'write == to compare',
  }
}

const singles: ReadonlyMap<string, string> = new Map([
  ['%', 'the remainder is written mod: $x mod 3'],
  ['?', 'write selval(condition, a, b), or an if'],
  ['.', 'texts are joined with +'],
])

function operatorMistake(operator: string, first: ScriptToken, last: ScriptToken, hint: string): Mistake {
  return {
    code: 'syntax/unknown-operator',
    message: `there is no operator \`${operator}\``,
    span: spanBetween(first.span, last.span),
    hint,
  }
}

/** OpenSIPS writes `socket=udp:...`. */
function socketValue({ tokens, index, found, expected }: Place): Mistake | null {
  if (expected !== '`{`' || tokens[index - 2]?.tokenType !== Socket) return null
  return {
    code: 'syntax/unexpected',
    message: 'socket = is followed by a block',
    span: found.span,
    hint: 'listen=udp:192.0.2.1:5060, or socket = { bind = udp:192.0.2.1:5060 }',
  }
}

/** `$x 5`: two values side by side where an assignment was to be. */
function missingOperator({ found, previous, expected }: Place): Mistake | null {
  if (expected !== '`=`' || !previous?.image.startsWith('$')) return null
  return {
    code: 'syntax/unexpected',
    message: 'a variable alone is no statement',
    span: previous.span,
    hint: found.image === '==' ? `== compares; write ${previous.image} = ...` : `${previous.image} = ...;`,
  }
}

/** `name(...) {`. */
function wrongBlock({ tokens, index, found, previous, expected }: Place): Mistake | null {
  if (found.tokenType !== LCurly || expected !== '`;`' || previous?.tokenType !== RParen) return null
  const name = tokens[openingParenthesis(tokens, index - 1) - 1]
  if (name === undefined) return null
  const isLoop = /^(?:for|foreach|until|do|loop)$/.test(name.image)
  return {
    code: 'syntax/unexpected',
    message: `${name.image}(...) is not followed by a block`,
    span: name.span,
    hint: isLoop
      ? 'the only loop is while (...) { ... }'
      : 'if, while and switch are; is an if missing, or a `;`?',
  }
}

function openingParenthesis(tokens: readonly ScriptToken[], close: number): number {
  let depth = 0
  for (let at = close; at >= 0; at--) {
    const type = tokens[at]?.tokenType
    if (type === RParen) depth++
    if (type === LParen && --depth === 0) return at
  }
  return 0
}

/** `route(A);` or `if (...)` where only settings and routes may stand. */
function statementOutside({ found, previous, expected }: Place): Mistake | null {
  const isCall = found.tokenType === LParen && (isName(previous, expected) || previous?.image === 'route')
  const isStatement =
    expected === topLevel && (statementWords.has(found.image) || found.image.startsWith('$'))
  if (!isCall && !isStatement) return null
  return {
    code: 'syntax/unexpected',
    message: 'a statement stands outside of all routes',
    span: isCall && previous !== undefined ? previous.span : found.span,
    hint: 'put it into request_route { ... }; is there a } too many before it?',
  }
}

/** `name (`, where only `name =` may stand. */
function isName(token: ScriptToken | undefined, expected: string): boolean {
  return expected === '`=`' && token?.image.startsWith('$') === false
}

/** What syntax-errors.ts says is expected where no route is open. */
export const topLevel = 'a setting, a module or a route'

const statementWords: ReadonlySet<string> = new Set([
  'if',
  'switch',
  'while',
  'return',
  'exit',
  'drop',
  'break',
  'case',
  'default',
])

function strayElse({ found, previous, expected }: Place): Mistake | null {
  if (found.image !== 'else' || expected === '`;`') return null
  return {
    code: 'syntax/stray-else',
    message: 'this else belongs to no if',
    span: found.span,
    hint:
      previous?.image === ';' ? 'remove the `;` before it' : 'else follows the statement or block of an if',
  }
}

function adjacentStrings({ found, previous, expected }: Place): Mistake | null {
  if (found.tokenType !== StringToken || previous?.tokenType !== StringToken) return null
  if (expected === '`,`') return null
  const isSingle = found.image.startsWith("'") || previous.image.startsWith("'")
  return {
    code: 'syntax/unexpected',
    message: 'two strings stand side by side here',
    span: found.span,
    hint: isSingle
      ? 'only strings in double quotes are joined by themselves; write + or a comma'
      : 'strings are joined only if nothing but blanks is between them, no comment',
  }
}
