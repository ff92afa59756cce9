import { bounds } from './bounds.ts'
import type { Report } from './report.ts'
import type { Span } from './source.ts'
import {
  If,
  LBracket,
  LCurly,
  LoadModule,
  LoadModuleX,
  LParen,
  ModParam,
  ModParamX,
  PrefixOperator,
  RBracket,
  RCurly,
  Route,
  RouteWord,
  RParen,
  type ScriptToken,
  Semicolon,
  While,
} from './tokens.ts'

/**
 * Looks after braces and depth before the parser sees the tokens. A forgotten `}` would otherwise be one error for
 * every route that follows; here it is one error at the first token that can only stand outside of routes, and the
 * missing brace is put in. And the parser recurses: what is nested too deeply must not reach it.
 */
export function balanceBrackets(tokens: ScriptToken[], report: Report): ScriptToken[] {
  const tooDeep = findTooDeep(tokens)
  if (tooDeep !== null) {
    report.error(
      'syntax/too-deep',
      `more than ${bounds.nestingMax} levels stand inside each other here`,
      tooDeep.span,
      'move the inner part to a route of its own',
    )
    return []
  }
  return balanceBraces(tokens, report)
}

function balanceBraces(tokens: ScriptToken[], report: Report): ScriptToken[] {
  const balanced: ScriptToken[] = []
  let open: OpenBrace[] = []
  let suspect: OpenBrace | null = null
  let lineStart: ScriptToken | undefined
  tokens.forEach((token, at) => {
    if (lineStart?.span.line !== token.span.line) lineStart = token
    const indent = lineStart.span.column
    if (open.length > 0 && startsItem(token, tokens[at + 1])) {
      reportMissing(suspect ?? open.at(-1), token.span, report)
      for (const _ of open) balanced.push(closingBrace(token))
      open = []
    }
    if (open.length === 0) suspect = null
    if (token.tokenType === LCurly) open.push({ token, indent })
    if (token.tokenType !== RCurly) {
      balanced.push(token)
      return
    }
    const opened = open.pop()
    if (opened === undefined) reportExtra(token, report)
    else balanced.push(token)
    if (opened !== undefined && lineStart === token && indent < opened.indent) suspect ??= opened
  })
  const last = tokens.at(-1)
  if (open.length > 0 && last !== undefined) {
    reportMissing(suspect ?? open.at(-1), null, report)
    for (const _ of open) balanced.push(closingBrace(last))
  }
  return balanced.every((token, index) => token.startOffset === index) ? balanced : renumber(balanced)
}

/**
 * A brace that is open, and the column where its line starts. A `}` that stands further left than the line which
 * it closes shows where the missing one belongs: the indentation is what the person meant.
 */
interface OpenBrace {
  readonly token: ScriptToken
  readonly indent: number
}

/** Tokens that begin something which never stands inside a block. `route` does only before `[` or `{`. */
function startsItem(token: ScriptToken, next: ScriptToken | undefined): boolean {
  const type = token.tokenType
  if (type === LoadModule || type === LoadModuleX) return next?.tokenType.name === 'String'
  if (type === ModParam || type === ModParamX) return next?.tokenType === LParen
  if (type !== Route && !(type.CATEGORIES ?? []).includes(RouteWord)) return false
  return next?.tokenType === LBracket || next?.tokenType === LCurly
}

function reportMissing(brace: OpenBrace | undefined, before: Span | null, report: Report): void {
  if (brace === undefined) return
  const { span } = brace.token
  report.error(
    'syntax/missing-brace',
    before === null ? 'this `{` is never closed' : 'a `}` is missing before this',
    before ?? span,
    `the block that opens at line ${span.line}, column ${span.column} seems to be the one without an end`,
  )
}

function reportExtra(token: ScriptToken, report: Report): void {
  report.error(
    'syntax/extra-brace',
    'this `}` closes nothing',
    token.span,
    'all blocks before it are closed; is there one too many?',
  )
}

function closingBrace(at: ScriptToken): ScriptToken {
  return { ...at, image: '}', value: '}', tokenType: RCurly, tokenTypeIdx: RCurly.tokenTypeIdx ?? 0 }
}

function renumber(tokens: readonly ScriptToken[]): ScriptToken[] {
  return tokens.map((token, index) => ({ ...token, startOffset: index, endOffset: index }))
}

/** Brackets that are open, `if` and `while` without a block between them, and operators in front of operators. */
function findTooDeep(tokens: readonly ScriptToken[]): ScriptToken | null {
  const outer: number[] = []
  let depth = 0
  let prefixes = 0
  for (const token of tokens) {
    const type = token.tokenType
    prefixes = (type.CATEGORIES ?? []).includes(PrefixOperator) ? prefixes + 1 : 0
    if (type === LParen || type === LCurly || type === LBracket) {
      outer.push(depth)
      depth++
    } else if (type === RParen || type === RBracket) depth = outer.pop() ?? 0
    else if (type === RCurly) {
      outer.pop()
      depth = (outer.at(-1) ?? -1) + 1
    } else if (type === If || type === While) depth++
    else if (type === Semicolon) depth = (outer.at(-1) ?? -1) + 1
    if (depth > bounds.nestingMax || prefixes > bounds.nestingMax) return token
  }
  return null
}
