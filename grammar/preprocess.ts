import { bounds } from './bounds.ts'
import { Conditions } from './conditions.ts'
import { Defines } from './defines.ts'
import { blankEnd, blockCommentEnd, directiveAt, isLineEnd, prefixFrom } from './directive-scan.ts'
import {
  conditionWords,
  type DirectiveContext,
  directiveWords,
  includeWords,
  isDirective,
  runDirective,
} from './directives.ts'
import { type Lexeme, readLexeme } from './lexer.ts'
import { moduleName } from './module-name.ts'
import type { CompileHost } from './program.ts'
import type { Report } from './report.ts'
import { SourceFile, type Span, spanBetween } from './source.ts'
import { Substitutions } from './substitutions.ts'
import { suggest } from './suggest.ts'
import {
  contextualWords,
  EventRoute,
  Identifier,
  LBracket,
  LoadModule,
  LoadModuleX,
  LParen,
  numberWords,
  RBracket,
  type ScriptToken,
  StringToken,
  Variable,
  wordTokens,
} from './tokens.ts'

/**
 * From the files of a script to one list of tokens: runs the directives, reads the includes, expands the defines,
 * joins strings. In Kamailio all of this happens inside the lexer, and scripts rely on it: a directive may stand
 * anywhere, a define may be any number of tokens, and what is skipped need not consist of tokens at all.
 *
 * What is being read is a stack of inputs: files, and on top of them the texts of defines.
 */
export interface Preprocessed {
  readonly tokens: ScriptToken[]
  readonly defines: ReadonlyMap<string, string>
  /** In the order they were first read. */
  readonly files: readonly string[]
}

export function preprocess(path: string, host: CompileHost, report: Report): Preprocessed {
  const preprocessor = new Preprocessor(host, report)
  return preprocessor.run(path)
}

interface Input {
  readonly text: string
  position: number
  /** Null for the text of a define. */
  readonly file: SourceFile | null
  /** For the text of a define: where its name was written, and the name. */
  readonly origin: Span | null
}

class Preprocessor implements DirectiveContext {
  readonly host: CompileHost
  readonly report: Report
  readonly defines: Defines
  readonly substitutions = new Substitutions()
  readonly conditions = new Conditions()
  readonly #inputs: Input[] = []
  readonly #tokens: ScriptToken[] = []
  readonly #files: string[] = []
  #filesRead = 0
  #expansions = 0
  /** Between the brackets of event_route[...], where Kamailio expands nothing. */
  #isEventName = false
  /** Something other than a token stands before the next one. */
  #spaced = false
  /** The last token, if it is a double-quoted string that may still grow. */
  #openString: ScriptToken | null = null

  constructor(host: CompileHost, report: Report) {
    this.host = host
    this.report = report
    this.defines = Defines.predefined(host)
  }

  run(path: string): Preprocessed {
    this.#readFile(path, null, true)
    for (let input = this.#inputs.at(-1); input !== undefined; input = this.#inputs.at(-1)) this.#step(input)
    this.#closeString()
    for (const level of this.conditions.unclosed())
      this.report.error(
        'preprocessor/unclosed-condition',
        `this #!${level.word} has no #!endif`,
        level.span,
        'nothing may follow #!else and #!endif on their line, not even a comment',
      )
    return { tokens: this.#tokens, defines: this.defines.all(), files: this.#files }
  }

  isReserved(name: string): boolean {
    if (wordTokens.has(name) || numberWords.has(name) || contextualWords.has(name)) return true
    if (includeWords.has(name)) return true
    return Object.hasOwn(this.host.core.globals, name) || Object.hasOwn(this.host.core.functions, name)
  }

  /** Reads one token, comment, directive or stretch of blanks; leaves the input at its end. */
  #step(input: Input): void {
    if (!this.conditions.isLive && input.file !== null) {
      this.#skip(input, input.file)
      return
    }
    const blanks = blankEnd(input.text, input.position)
    if (blanks > input.position) this.#spaced = true
    input.position = blanks
    const { text, position } = input
    if (position >= text.length) this.#inputs.pop()
    else if (text.startsWith('/*', position)) this.#skipBlockComment(input)
    else if (text.startsWith('//', position)) this.#skipLine(input)
    else if (text.startsWith('#', position)) this.#readHash(input)
    else if (text.startsWith('!!', position) && this.#runDirectiveAt(input)) this.#spaced = true
    else this.#readToken(input)
  }

  // --- comments and directives

  #skipBlockComment(input: Input): void {
    this.#closeString()
    this.#spaced = true
    const start = input.position
    const end = blockCommentEnd(input.text, start)
    if (end !== -1) {
      input.position = end
      return
    }
    input.position = input.text.length
    this.report.error(
      'syntax/unclosed-comment',
      'this comment does not end',
      this.#span(input, start, start + 2),
      'comments nest: each /* needs its own */',
    )
  }

  /** A comment that begins in a define goes on in the line where the define is used. */
  #skipLine(input: Input): void {
    this.#closeString()
    this.#spaced = true
    const newline = input.text.indexOf('\n', input.position)
    input.position = newline === -1 ? input.text.length : newline
    if (input.file !== null || newline !== -1) return
    this.#inputs.pop()
    const outer = this.#inputs.at(-1)
    if (outer !== undefined) this.#skipLine(outer)
  }

  #readHash(input: Input): void {
    if (this.#runDirectiveAt(input)) this.#spaced = true
    else this.#skipLine(input)
  }

  /** False if what stands here is no directive, but a comment or two exclamation marks. */
  #runDirectiveAt(input: Input): boolean {
    const file = input.file
    if (file === null) return false
    const directive = directiveAt(file, input.position)
    if (directive === null) return false
    if (includeWords.has(directive.word)) {
      this.#closeString()
      input.position = directive.from
      this.#include(input, directive.word, directive.span)
      return true
    }
    if (!isDirective(directive.word)) {
      if (input.text.charAt(input.position) === '#') this.#noteMisspelling(directive)
      return false
    }
    if (this.#isOnlyComment(directive)) return false
    this.#closeString()
    input.position = runDirective(directive, this)
    return true
  }

  /** Kamailio takes `#!endif # done` for a comment. */
  #isOnlyComment(directive: { word: string; text: string; from: number; span: Span }): boolean {
    if (directive.word !== 'else' && directive.word !== 'endif') return false
    if (isLineEnd(directive.text, directive.from)) return false
    this.report.warning(
      'preprocessor/only-a-comment',
      `something follows #!${directive.word} on its line, so it counts as a comment`,
      directive.span,
      'put what follows on a line of its own',
    )
    return true
  }

  #noteMisspelling(directive: { word: string; span: Span }): void {
    if (dialects.has(directive.word)) return
    const meant = suggest(directive.word, directiveWords)
    if (meant === null) return
    this.report.warning(
      'preprocessor/unknown-directive',
      `there is no directive #!${directive.word}, so this line is a comment`,
      directive.span,
      `did you mean #!${meant}?`,
    )
  }

  /** Goes to the next directive that can end the skipped part, wherever in a line it stands, comments included. */
  #skip(input: Input, file: SourceFile): void {
    this.#spaced = true
    for (let at = prefixFrom(input.text, input.position); at !== -1; at = prefixFrom(input.text, at + 1)) {
      const directive = directiveAt(file, at)
      if (directive === null || !conditionWords.has(directive.word)) continue
      if (this.#isOnlyComment(directive)) continue
      input.position = runDirective(directive, this)
      return
    }
    this.#inputs.pop()
  }

  // --- files

  #include(input: Input, word: string, span: Span): void {
    const start = blankEnd(input.text, input.position)
    const lexeme = start < input.text.length ? readLexeme(input.text, start) : null
    if (lexeme?.type !== StringToken || input.text.charAt(start) !== '"' || lexeme.problem !== undefined) {
      this.report.error(
        'preprocessor/file-name',
        'the name of a file in double quotes is missing',
        span,
        `${word} "other.cfg"; a define is not expanded here`,
      )
      input.position = start
      return
    }
    input.position = lexeme.end
    const from = input.file?.path ?? span.file
    const path = this.host.resolvePath(from, String(lexeme.value))
    this.#readFile(path, this.#span(input, start, lexeme.end), word === 'include_file')
  }

  /** Puts a file on the stack of inputs. `span`: where it is asked for; null for the script itself. */
  #readFile(path: string, span: Span | null, isRequired: boolean): void {
    const problem = this.#includeProblem(path)
    if (problem !== null) {
      this.report.error(problem.code, problem.message, span, problem.hint)
      return
    }
    const text = this.host.readFile(path)
    if (text === null) {
      if (isRequired)
        this.report.error(
          'preprocessor/no-file',
          `${path} cannot be read`,
          span,
          'import_file reads a file only if there is one',
        )
      return
    }
    this.#filesRead++
    if (!this.#files.includes(path)) this.#files.push(path)
    this.#inputs.push({ text, position: 0, file: new SourceFile(path, text), origin: null })
  }

  #includeProblem(path: string): { code: string; message: string; hint: string } | null {
    const open = this.#inputs.flatMap((input) => (input.file === null ? [] : [input.file.path]))
    if (open.includes(path))
      return {
        code: 'preprocessor/include-cycle',
        message: `${path} is being read already`,
        hint: `by way of ${[...open, path].join(' -> ')}`,
      }
    if (open.length <= bounds.includeDepthMax && this.#filesRead < bounds.filesMax) return null
    return {
      code: 'preprocessor/too-many-files',
      message: 'too many files include each other',
      hint: `at most ${bounds.includeDepthMax} deep, ${bounds.filesMax} in all`,
    }
  }

  // --- tokens

  #readToken(input: Input): void {
    const start = input.position
    const lexeme = readLexeme(input.text, start)
    input.position = lexeme.end
    const span = this.#span(input, start, lexeme.end)
    const { problem } = lexeme
    if (problem !== undefined) this.report.error(problem.code, problem.message, span, problem.hint)
    if (lexeme.type === Identifier) {
      const word = String(lexeme.value)
      if (includeWords.has(word)) {
        this.#closeString()
        this.#include(input, word, span)
        return
      }
      if (this.#expand(word, span)) return
    }
    this.#emit(lexeme, input.text.slice(start, lexeme.end), span)
  }

  /** True if the word is a define: its text is what is read next. */
  #expand(name: string, span: Span): boolean {
    const text = this.defines.get(name)
    if (text === undefined || this.#isEventName || this.isReserved(name)) return false
    const names = this.#inputs.flatMap((input) => (input.origin?.via === undefined ? [] : [input.origin.via]))
    if (names.includes(name) || names.length >= bounds.expansionDepthMax) {
      this.report.error(
        'preprocessor/endless-define',
        `the text of ${name} contains ${name} again`,
        span,
        `by way of ${[...names, name].join(' -> ')}`,
      )
      return false
    }
    // Defines that end in nothing make no tokens, however many there are.
    if (++this.#expansions > bounds.tokensMax) this.#stop(span)
    else this.#inputs.push({ text, position: 0, file: null, origin: { ...span, via: name } })
    return true
  }

  #emit(lexeme: Lexeme, image: string, span: Span): void {
    const isDoubleQuoted = image.startsWith('"')
    if (isDoubleQuoted && this.#openString !== null) {
      this.#openString.value = `${this.#openString.value}${lexeme.value}`
      this.#openString = this.#replaceLast(this.#openString, spanBetween(this.#openString.span, span))
      return
    }
    this.#closeString()
    if (this.#tokens.length >= bounds.tokensMax) {
      this.#stop(span)
      return
    }
    const token = makeToken(lexeme, image, this.#tokens.length, span, this.#spaced)
    this.#noteEventName(token)
    this.#tokens.push(token)
    this.#spaced = false
    if (isDoubleQuoted) this.#openString = token
    else if (lexeme.type === StringToken || lexeme.type === Variable) this.#substitute(token)
  }

  #noteEventName(token: ScriptToken): void {
    if (token.tokenType === LBracket) this.#isEventName = this.#tokens.at(-1)?.tokenType === EventRoute
    if (token.tokenType === RBracket) this.#isEventName = false
  }

  #replaceLast(token: ScriptToken, span: Span): ScriptToken {
    const grown = { ...token, span }
    this.#tokens[this.#tokens.length - 1] = grown
    return grown
  }

  /** A double-quoted string is complete once something other than blanks and strings follows. */
  #closeString(): void {
    const token = this.#openString
    if (token === null) return
    this.#openString = null
    this.#substitute(token)
    this.#defineModule(token)
  }

  #substitute(token: ScriptToken): void {
    if (this.substitutions.isEmpty) return
    const text = this.substitutions.apply(String(token.value))
    if (text !== null) {
      token.value = text
      return
    }
    this.report.error(
      'preprocessor/substitution-grows',
      'the #!subst rules make this text too long',
      token.span,
      `at most ${bounds.substitutedCharactersMax} characters`,
    )
  }

  /** `loadmodule "tm.so"` defines MOD_tm for what follows. */
  #defineModule(token: ScriptToken): void {
    const before = this.#tokens[this.#tokens.length - 2]
    const keyword = before?.tokenType === LParen ? this.#tokens[this.#tokens.length - 3] : before
    if (keyword?.tokenType !== LoadModule && keyword?.tokenType !== LoadModuleX) return
    this.defines.replace(`MOD_${moduleName(String(token.value))}`, '')
  }

  #stop(span: Span): void {
    this.#inputs.length = 0
    this.report.error(
      'preprocessor/too-long',
      `the script comes to more than ${bounds.tokensMax} tokens`,
      span,
      'does a define grow by using others twice?',
    )
  }

  /** What stands in the text of a define is shown where the define is used. */
  #span(input: Input, start: number, end: number): Span {
    if (input.origin !== null) return input.origin
    return input.file?.span(start, end) ?? { file: '', start, end, line: 1, column: 1 }
  }
}

/** First lines that choose Kamailio's or its ancestors' ways; we have Kamailio's only. */
const dialects: ReadonlySet<string> = new Set(['KAMAILIO', 'OPENSER', 'SER', 'MAXCOMPAT', 'ALL'])

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
  }
}
