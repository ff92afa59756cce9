import type { IRecognitionException, TokenType } from 'chevrotain'
import type { Report } from './report.ts'
import type { Span } from './source.ts'
import { type Mistake, recogniseMistake, topLevel } from './syntax-mistakes.ts'
import {
  Alias,
  Assign,
  CfgEngine,
  LCurly,
  Listen,
  LoadModule,
  LoadModuleX,
  LoadPath,
  ModParam,
  ModParamX,
  MPath,
  RCurly,
  type ScriptToken,
  Semicolon,
  StringToken,
  tokenLabel,
  Unknown,
  Variable,
  Word,
} from './tokens.ts'

/**
 * What the parser stumbled over, said as a person would: what was found, what was expected, and what was probably
 * meant. One mistake makes the parser stumble several times; only the first error between two statement ends counts.
 */
export function reportSyntaxErrors(
  errors: readonly IRecognitionException[],
  tokens: readonly ScriptToken[],
  report: Report,
): void {
  const depths = depthsOf(tokens)
  const stumbles = errors
    .map((error) => describe(error, tokens))
    .sort((a, b) => a.index - b.index)
    .filter((stumble, order) => order === 0 || !isLost(stumble, tokens, depths))
  let settled = -1
  for (const stumble of stumbles) {
    if (settled >= 0 && !isNewStatement(tokens, settled, stumble.index)) continue
    settled = stumble.index
    if (tokens.slice(...statementAround(tokens, settled)).some(isUnclosed)) continue
    reportStumble(stumble, tokens, report)
  }
}

/**
 * Braces are balanced before parsing: one that is left over, and what is taken for an item inside of a block, was
 * lost when the parser recovered from an error.
 */
function isLost({ index, expected }: Stumble, tokens: readonly ScriptToken[], depths: Uint32Array): boolean {
  if (expected === topLevel) return tokens[index]?.tokenType === RCurly || (depths[index] ?? 0) > 0
  return expected === '`=`' && (depths[index] ?? 0) > 0 && tokens[index - 1]?.tokenType !== Variable
}

/** How many braces are open in front of each token. */
function depthsOf(tokens: readonly ScriptToken[]): Uint32Array {
  const depths = new Uint32Array(tokens.length)
  let depth = 0
  for (const [index, { tokenType }] of tokens.entries()) {
    if (tokenType === RCurly) depth = Math.max(0, depth - 1)
    depths[index] = depth
    if (tokenType === LCurly) depth++
  }
  return depths
}

interface Stumble {
  /** Of the token that was not expected; as many as there are tokens for the end of the script. */
  readonly index: number
  readonly expected: string
  /** How the construct is written that the parser was in, if that helps. */
  readonly form: string | undefined
}

function describe(error: IRecognitionException, tokens: readonly ScriptToken[]): Stumble {
  const index = error.token.startOffset
  const rule = error.context.ruleStack.at(-1) ?? ''
  return {
    index: Number.isInteger(index) && index >= 0 ? index : tokens.length,
    expected:
      error.message === '' || unhelpful.has(error.message)
        ? (wanted.get(rule) ?? 'something else')
        : error.message,
    form: forms.get(rule),
  }
}

const forms: ReadonlyMap<string, string> = new Map([
  ['modParam', 'modparam("module", "parameter", value)'],
  ['loadModule', 'loadmodule "tm.so"'],
  ['flag', 'flags NAME or flags NAME:5, NAME:6'],
  ['switchCase', 'case "value": or default:; each case has one value'],
])

/** The end of a list, said where the next member is no such: braces are balanced, so it is the member that is wrong. */
const unhelpful: ReadonlySet<string> = new Set(['EOF', '`}`'])

/** What a rule that found no way on was looking for. */
const wanted: ReadonlyMap<string, string> = new Map([
  ['', topLevel],
  ['script', topLevel],
  ['item', topLevel],
  ['statement', 'a statement'],
  ['block', 'a statement'],
  ['switchStatement', '`case` or `default`'],
  ['socketBlock', 'an attribute such as bind'],
  ['primary', 'a value'],
  ['operand', 'a value'],
  ['expression', 'a value'],
  ['argument', 'an argument'],
  ['host', 'a value'],
  ['constant', 'a value'],
  ['socketAddress', 'an address'],
  ['loadModule', 'the name of a module in quotes'],
  ['routeName', 'the name of a route'],
  ['flag', 'the name of a flag'],
  ['switchCase', '`case` or `default`'],
])

/** Has a statement or an item ended since the last error? Then this is another mistake. */
function isNewStatement(tokens: readonly ScriptToken[], from: number, to: number): boolean {
  for (let at = from; at < to; at++) {
    if (endsStatement(tokens[at])) return true
    // An item that begins right where the error is was not expected there: the error is about what stands before.
    if (at < to - 1 && startsItem(tokens, at + 1)) return true
  }
  return false
}

function endsStatement(token: ScriptToken | undefined): boolean {
  const type = token?.tokenType
  return type === Semicolon || type === LCurly || type === RCurly
}

function startsItem(tokens: readonly ScriptToken[], at: number): boolean {
  const token = tokens[at]
  if (token === undefined) return false
  return itemWords.has(token.tokenType) || (isWord(token) && tokens[at + 1]?.tokenType === Assign)
}

function isBorder(tokens: readonly ScriptToken[], at: number): boolean {
  return endsStatement(tokens[at]) || startsItem(tokens, at + 1)
}

function isWord(token: ScriptToken): boolean {
  return (token.tokenType.CATEGORIES ?? []).includes(Word)
}

/** Words that begin an item and stand nowhere else. */
const itemWords: ReadonlySet<TokenType> = new Set([
  LoadModule,
  LoadModuleX,
  LoadPath,
  MPath,
  CfgEngine,
  ModParam,
  ModParamX,
  Listen,
  Alias,
])

/** The statement that a token stands in: its first token, and the one after its last. */
function statementAround(tokens: readonly ScriptToken[], index: number): [from: number, to: number] {
  let first = index
  while (first > 0 && !isBorder(tokens, first - 1)) first--
  let last = index
  while (last < tokens.length && !isBorder(tokens, last)) last++
  return [first, last + 1]
}

/** A string without its closing quote has its own error, and what it has swallowed is not missing. */
function isUnclosed({ tokenType, isIncomplete }: ScriptToken): boolean {
  return tokenType === StringToken && isIncomplete
}

/** Tells whether a place lies in a statement that has a syntax error. */
export function spoiltStatements(
  errors: readonly IRecognitionException[],
  tokens: readonly ScriptToken[],
): (span: Span) => boolean {
  const spoilt = new Set<string>()
  for (const error of errors) {
    const { index } = describe(error, tokens)
    // Another error in a statement that is known to be spoilt.
    if (spoilt.has(placeKey(tokens[index]?.span ?? nowhere))) continue
    for (const { span } of tokens.slice(...statementAround(tokens, index))) spoilt.add(placeKey(span))
  }
  return (span) => spoilt.has(placeKey(span))
}

const nowhere: Span = { file: '', start: -1, end: -1, line: 1, column: 1 }

function placeKey(span: Span): string {
  return `${span.file}:${span.start}`
}

function reportStumble(stumble: Stumble, tokens: readonly ScriptToken[], report: Report): void {
  const { index, expected, form } = stumble
  const found = tokens[index]
  const mistake = found === undefined ? null : recogniseMistake(tokens, index, expected)
  if (mistake !== null) {
    reportMistake(mistake, report)
    return
  }
  const previous = tokens[index - 1]
  const closing = closers.get(expected)
  if (closing !== undefined && previous !== undefined) {
    report.error(closing, `a ${expected} is missing here`, after(previous), closingHint(expected, found))
    return
  }
  report.error(
    found?.tokenType === Unknown ? 'syntax/unknown-character' : 'syntax/unexpected',
    `expected ${expected}, found ${nameOf(found)}`,
    found?.span ?? (previous === undefined ? null : after(previous)),
    form ?? (expected === '`=`' && found !== undefined ? 'a setting reads name = value' : undefined),
  )
}

function reportMistake(mistake: Mistake, report: Report): void {
  report.error(mistake.code, mistake.message, mistake.span, mistake.hint)
}

/** What people forget at the end of something: shown where it belongs, not where it was missed. */
const closers: ReadonlyMap<string, string> = new Map([
  ['`;`', 'syntax/missing-semicolon'],
  ['`)`', 'syntax/missing-parenthesis'],
  ['`]`', 'syntax/missing-bracket'],
])

function closingHint(expected: string, found: ScriptToken | undefined): string {
  if (expected === '`;`') return 'assignments, calls, return, exit, drop and break end with `;`'
  return `before ${nameOf(found)}`
}

/** The place right behind a token. */
function after(token: ScriptToken): Span {
  const { span } = token
  const length = span.end - span.start
  if (span.via !== undefined || String(token.image).includes('\n')) return span
  return { ...span, start: span.end, end: span.end + 1, column: span.column + length }
}

export function nameOf(token: ScriptToken | undefined): string {
  if (token === undefined) return 'the end of the script'
  if (token.tokenType === StringToken) return 'a string'
  if (token.tokenType === Variable || token.image !== '') return `\`${token.image}\``
  return tokenLabel(token.tokenType)
}
