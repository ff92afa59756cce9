import { bounds } from './bounds.ts'
import type { Defines } from './defines.ts'
import type { Lexeme } from './lexer.ts'
import { moduleName } from './module-name.ts'
import type { Report } from './report.ts'
import { type Span, spanBetween } from './source.ts'
import type { Substitutions } from './substitutions.ts'
import {
  EventRoute,
  LBracket,
  LoadModule,
  LoadModuleX,
  LParen,
  RBracket,
  type ScriptToken,
  StringToken,
  Variable,
} from './tokens.ts'

/**
 * The tokens that the preprocessor has made so far, and what depends on the ones before: strings in double quotes
 * that follow each other are one, `#!subst` changes a string once it is complete, `loadmodule "tm.so"` defines
 * MOD_tm for what follows, and in the name of an event nothing is expanded.
 */
export class TokenList {
  readonly tokens: ScriptToken[] = []
  /** Between the brackets of event_route[...], where Kamailio expands nothing. */
  isEventName = false
  readonly #defines: Defines
  readonly #substitutions: Substitutions
  readonly #report: Report
  /** Something other than a token stands before the next one. */
  #spaced = false
  /** The last token, if it is a double-quoted string that may still grow. */
  #openString: ScriptToken | null = null

  constructor(defines: Defines, substitutions: Substitutions, report: Report) {
    this.#defines = defines
    this.#substitutions = substitutions
    this.#report = report
  }

  get isFull(): boolean {
    return this.tokens.length >= bounds.tokensMax
  }

  /** `image`: as it was written. */
  add(lexeme: Lexeme, image: string, span: Span): void {
    const isDoubleQuoted = image.startsWith('"')
    if (isDoubleQuoted && this.#openString !== null) {
      this.#openString = this.#grow(this.#openString, lexeme, span)
      return
    }
    this.closeString()
    const token = makeToken(lexeme, image, this.tokens.length, span, this.#spaced)
    this.#noteEventName(token)
    this.tokens.push(token)
    this.#spaced = false
    if (isDoubleQuoted) this.#openString = token
    else if (lexeme.type === StringToken || lexeme.type === Variable) this.#substitute(token)
  }

  /** Blanks: they separate words, but not strings. */
  noteBlanks(): void {
    this.#spaced = true
  }

  /** A comment, a directive or another file: no string grows beyond it. */
  noteBreak(): void {
    this.closeString()
    this.#spaced = true
  }

  /** The first string that goes over the end of a line: allowed, and hardly ever meant. */
  stringOverLines(): Span | undefined {
    return this.tokens.find(({ tokenType, image }) => tokenType === StringToken && image.includes('\n'))?.span
  }

  /** A double-quoted string is complete once something other than blanks and strings follows. */
  closeString(): void {
    const token = this.#openString
    if (token === null) return
    this.#openString = null
    this.#substitute(token)
    this.#defineModule(token)
  }

  #grow(token: ScriptToken, lexeme: Lexeme, span: Span): ScriptToken {
    const grown = {
      ...token,
      value: `${token.value}${lexeme.value}`,
      isIncomplete: token.isIncomplete || isUnclosed(lexeme),
      span: spanBetween(token.span, span),
    }
    this.tokens[this.tokens.length - 1] = grown
    return grown
  }

  #noteEventName(token: ScriptToken): void {
    if (token.tokenType === LBracket) this.isEventName = this.tokens.at(-1)?.tokenType === EventRoute
    if (token.tokenType === RBracket) this.isEventName = false
  }

  #substitute(token: ScriptToken): void {
    if (this.#substitutions.isEmpty) return
    const text = this.#substitutions.apply(String(token.value))
    if (text !== null) {
      token.value = text
      return
    }
    this.#report.error(
      'preprocessor/substitution-grows',
      'the #!subst rules make this text too long',
      token.span,
      `at most ${bounds.substitutedCharactersMax} characters`,
    )
  }

  #defineModule(token: ScriptToken): void {
    const before = this.tokens[this.tokens.length - 2]
    const keyword = before?.tokenType === LParen ? this.tokens[this.tokens.length - 3] : before
    if (keyword?.tokenType !== LoadModule && keyword?.tokenType !== LoadModuleX) return
    this.#defines.replace(`MOD_${moduleName(String(token.value))}`, '')
  }
}

/** The index takes the place of offsets: Chevrotain computes a node's location from them, and build-ast its span. */
function makeToken(lexeme: Lexeme, image: string, index: number, span: Span, spaced: boolean): ScriptToken {
  return {
    image,
    startOffset: index,
    endOffset: index,
    tokenType: lexeme.type,
    tokenTypeIdx: lexeme.type.tokenTypeIdx ?? 0,
    span,
    value: lexeme.value,
    spaced,
    isIncomplete: isUnclosed(lexeme),
  }
}

function isUnclosed({ problem }: Lexeme): boolean {
  return problem?.code === 'syntax/unclosed-string'
}
