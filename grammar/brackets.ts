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

function balanceBraces(tokens: readonly ScriptToken[], report: Report): ScriptToken[] {
  const balancer = new Balancer(report)
  for (const [at, token] of tokens.entries()) balancer.add(token, tokens[at + 1])
  const balanced = balancer.end()
  return balanced.every((token, index) => token.startOffset === index) ? balanced : renumber(balanced)
}

class Balancer {
  readonly #report: Report
  readonly #balanced: ScriptToken[] = []
  #open: OpenBrace[] = []
  /** The first `{` whose `}` stands further left than it should: the missing one belongs before that. */
  #suspect: OpenBrace | null = null
  #lineStart: ScriptToken | undefined
  /** Where the `}` of the last block stands that was closed, unless another item has begun since. */
  #lastClosed = -1

  constructor(report: Report) {
    this.#report = report
  }

  add(token: ScriptToken, next: ScriptToken | undefined): void {
    if (this.#lineStart?.span.line !== token.span.line) this.#lineStart = token
    if (startsItem(token, next)) this.#beginItem(token)
    if (token.tokenType === RCurly) this.#close(token)
    else {
      if (token.tokenType === LCurly) this.#open.push({ token, indent: this.#lineStart.span.column })
      this.#balanced.push(token)
    }
  }

  end(): ScriptToken[] {
    const last = this.#balanced.at(-1)
    if (this.#open.length > 0 && last !== undefined) this.#closeAll(last, null)
    return this.#balanced
  }

  #beginItem(token: ScriptToken): void {
    if (this.#open.length > 0) this.#closeAll(token, token.span)
    this.#lastClosed = -1
  }

  /** Braces that are missing are put in. One that a string or comment without its end has swallowed is no mistake. */
  #closeAll(at: ScriptToken, before: Span | null): void {
    const isSwallowed = this.#report.has('syntax/unclosed-comment') || this.#balanced.some(holdsBrace)
    if (!isSwallowed) reportMissing(this.#suspect ?? this.#open.at(-1), before, this.#report)
    for (const _ of this.#open) this.#balanced.push(closingBrace(at))
    this.#open = []
    this.#suspect = null
  }

  #close(token: ScriptToken): void {
    const opened = this.#open.pop()
    if (opened === undefined) {
      this.#closeAgain(token)
      return
    }
    const isFirstOfLine = this.#lineStart === token
    if (isFirstOfLine && token.span.column < opened.indent) this.#suspect ??= opened
    if (this.#open.length === 0) {
      this.#suspect = null
      this.#lastClosed = this.#balanced.length
    }
    this.#balanced.push(token)
  }

  /** A route that is closed twice goes on to the second `}`: the first one is too many. */
  #closeAgain(token: ScriptToken): void {
    const [first] = this.#lastClosed === -1 ? [] : this.#balanced.splice(this.#lastClosed, 1)
    reportExtra(token, first, this.#report)
    if (first === undefined) return
    this.#lastClosed = this.#balanced.length
    this.#balanced.push(token)
  }
}

function holdsBrace({ image, isIncomplete }: ScriptToken): boolean {
  return isIncomplete && image.length > 1 && image.includes('}')
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

function reportExtra(token: ScriptToken, closed: ScriptToken | undefined, report: Report): void {
  const hint =
    closed === undefined
      ? 'all blocks before it are closed; is there one too many?'
      : `the route ends at line ${closed.span.line}, column ${closed.span.column} already; is that \`}\` one too many?`
  report.error('syntax/extra-brace', 'this `}` closes nothing', token.span, hint)
}

function closingBrace(at: ScriptToken): ScriptToken {
  return {
    ...at,
    isIncomplete: true,
    image: '}',
    value: '}',
    tokenType: RCurly,
    tokenTypeIdx: RCurly.tokenTypeIdx ?? 0,
  }
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
