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
import { type Lexeme, type LexicalProblem, readLexeme } from './lexer.ts'
import type { CompileHost } from './program.ts'
import type { Report } from './report.ts'
import { SourceFile, type Span } from './source.ts'
import { Substitutions } from './substitutions.ts'
import { suggest } from './suggest.ts'
import { TokenList } from './token-list.ts'
import {
  contextualWords,
  Else,
  elseIfWords,
  Identifier,
  If,
  numberWords,
  type ScriptToken,
  StringToken,
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
  readonly #list: TokenList
  readonly #files: string[] = []
  #filesRead = 0
  #expansions = 0

  constructor(host: CompileHost, report: Report) {
    this.host = host
    this.report = report
    this.defines = Defines.predefined(host)
    this.#list = new TokenList(this.defines, this.substitutions, report)
  }

  run(path: string): Preprocessed {
    this.#readFile(path, null, true)
    for (let input = this.#inputs.at(-1); input !== undefined; input = this.#inputs.at(-1)) this.#step(input)
    this.#list.closeString()
    for (const level of this.conditions.unclosed())
      this.report.error(
        'preprocessor/unclosed-condition',
        `this #!${level.word} has no #!endif`,
        level.span,
        'nothing may follow #!else and #!endif on their line, not even a comment',
      )
    return { tokens: this.#list.tokens, defines: this.defines.all(), files: this.#files }
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
    if (blanks > input.position) this.#list.noteBlanks()
    input.position = blanks
    const { text, position } = input
    if (position >= text.length) this.#inputs.pop()
    else if (text.startsWith('/*', position)) this.#skipBlockComment(input)
    else if (text.startsWith('//', position)) this.#skipLine(input)
    else if (text.startsWith('#', position)) this.#readHash(input)
    else if (text.startsWith('!!', position) && this.#runDirectiveAt(input)) this.#list.noteBlanks()
    else this.#readToken(input)
  }

  // --- comments and directives

  #skipBlockComment(input: Input): void {
    this.#list.noteBreak()
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
    this.#list.noteBreak()
    const newline = input.text.indexOf('\n', input.position)
    input.position = newline === -1 ? input.text.length : newline
    if (input.file !== null || newline !== -1) return
    this.#inputs.pop()
    const outer = this.#inputs.at(-1)
    if (outer !== undefined) this.#skipLine(outer)
  }

  #readHash(input: Input): void {
    if (this.#runDirectiveAt(input)) this.#list.noteBlanks()
    else this.#skipLine(input)
  }

  /** False if what stands here is no directive, but a comment or two exclamation marks. */
  #runDirectiveAt(input: Input): boolean {
    const file = input.file
    if (file === null) return false
    const directive = directiveAt(file, input.position)
    if (directive === null) return false
    if (includeWords.has(directive.word)) {
      this.#list.closeString()
      input.position = directive.from
      this.#include(input, directive.word, directive.span)
      return true
    }
    if (!isDirective(directive.word)) {
      if (input.text.charAt(input.position) === '#') this.#noteMisspelling(directive)
      return false
    }
    if (this.#isOnlyComment(directive)) return false
    this.#list.closeString()
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
    this.#list.noteBlanks()
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
    if (problem !== undefined) this.report.error(problem.code, problem.message, span, this.#hintOf(problem))
    if (lexeme.type === Identifier) {
      const word = String(lexeme.value)
      if (includeWords.has(word)) {
        this.#list.closeString()
        this.#include(input, word, span)
        return
      }
      if (this.#expand(word, span)) return
      if (elseIfWords.has(word)) {
        this.#emitElseIf(word, span)
        return
      }
    }
    this.#emit(lexeme, input.text.slice(start, lexeme.end), span)
  }

  /** Behind a quote that is missing, inside and outside change places up to the last quote of the file. */
  #hintOf({ code, hint }: LexicalProblem): string {
    const runaway = code === 'syntax/unclosed-string' ? this.#list.stringOverLines() : undefined
    if (runaway === undefined) return hint
    return `the string at line ${runaway.line}, column ${runaway.column} goes on to the next line: is its quote missing?`
  }

  /** True if the word is a define: its text is what is read next. */
  #expand(name: string, span: Span): boolean {
    const text = this.defines.get(name)
    if (text === undefined || this.#list.isEventName || this.isReserved(name)) return false
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
    if (this.#list.isFull) this.#stop(span)
    else this.#list.add(lexeme, image, span)
  }

  /** One mistake, and what was meant is clear: the rest of the script is read as if it stood there. */
  #emitElseIf(word: string, span: Span): void {
    this.report.error('syntax/unknown-word', `there is no \`${word}\``, span, 'write else if (...)')
    for (const [type, image] of [
      [Else, 'else'],
      [If, 'if'],
    ] as const)
      this.#emit({ type, end: 0, value: image }, image, span)
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
