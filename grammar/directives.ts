import { bounds } from './bounds.ts'
import type { Conditions } from './conditions.ts'
import { evaluateDefineExpression, isTrue } from './define-expression.ts'
import { type Defines, unquote } from './defines.ts'
import { readLexeme, wordEnd } from './lexer.ts'
import { expandLoadTimeVariables } from './load-time-variables.ts'
import type { CompileHost } from './program.ts'
import type { Report } from './report.ts'
import type { Span } from './source.ts'
import { makeRule, type Substitutions, splitRule } from './substitutions.ts'
import { StringToken } from './tokens.ts'

/**
 * What each `#!` directive does. `#!` and `!!` mean the same. preprocess.ts finds them, knows which part of the
 * file is skipped, and reads includes; this file knows their arguments.
 */
export interface DirectiveContext {
  readonly host: CompileHost
  readonly defines: Defines
  readonly substitutions: Substitutions
  readonly conditions: Conditions
  /** True if a define of that name never applies, because the word is the language's own. */
  isReserved(name: string): boolean
  readonly report: Report
}

/** A directive as it stands in the file. */
export interface Directive {
  /** Without `#!`. */
  readonly word: string
  readonly span: Span
  /** The text of the file, and where in it the arguments begin and the line ends. */
  readonly text: string
  readonly from: number
  readonly lineEnd: number
  spanOf(start: number, end: number): Span
}

/** Gives the offset at which reading goes on. */
type Handler = (directive: Directive, context: DirectiveContext) => number

const handlers: ReadonlyMap<string, Handler> = new Map<string, Handler>([
  ['define', define],
  ['def', define],
  ['trydef', define],
  ['trydefine', define],
  ['redef', define],
  ['redefine', define],
  ['undef', undefine],
  ['undefine', undefine],
  ['tryundef', undefine],
  ['tryundefine', undefine],
  ['defexp', defineExpression],
  ['defexps', defineExpression],
  ['defenv', defineEnvironment],
  ['defenvs', defineEnvironment],
  ['trydefenv', defineEnvironment],
  ['trydefenvs', defineEnvironment],
  ['subst', substitute],
  ['substdef', substitute],
  ['substdefs', substitute],
  ['ifdef', openCondition],
  ['ifndef', openCondition],
  ['ifexp', openCondition],
  ['else', turnCondition],
  ['endif', closeCondition],
])

/** Those that also count where the text is skipped. */
export const conditionWords: ReadonlySet<string> = new Set(['ifdef', 'ifndef', 'ifexp', 'else', 'endif'])

/** Read by preprocess.ts itself; they also stand without `#!`. */
export const includeWords: ReadonlySet<string> = new Set(['include_file', 'import_file'])

export const directiveWords: readonly string[] = [...handlers.keys(), ...includeWords]

export function isDirective(word: string): boolean {
  return handlers.has(word)
}

export function runDirective(directive: Directive, context: DirectiveContext): number {
  const handler = handlers.get(directive.word)
  return handler === undefined ? directive.lineEnd : handler(directive, context)
}

/** `define ID text`: the text is the rest of the line, trailing blanks and comments included. */
function define(directive: Directive, context: DirectiveContext): number {
  const name = readName(directive, context)
  if (name === null) return directive.lineEnd
  const text = restOfLine(directive, name.end)
  warnOfComment(directive, name.end, text, context)
  setDefine(directive, context, name, text)
  return directive.lineEnd
}

function setDefine(directive: Directive, context: DirectiveContext, name: Name, text: string): void {
  const exists = context.defines.has(name.text)
  if (directive.word.startsWith('try') && exists) return
  if (exists && !directive.word.startsWith('redef')) {
    context.report.error(
      'preprocessor/already-defined',
      `${name.text} is defined already`,
      name.span,
      '#!redefine replaces a definition, #!trydef keeps the first one',
    )
    return
  }
  if (!exists && context.defines.isFull) {
    context.report.error(
      'preprocessor/too-many-defines',
      'there are too many defines',
      name.span,
      'Kamailio holds 512; every loaded module counts as one (MOD_tm)',
    )
    return
  }
  if (context.isReserved(name.text))
    context.report.warning(
      'preprocessor/reserved-name',
      `${name.text} is a word of the language: only #!ifdef will see this define`,
      name.span,
      'choose another name; defines are written in capitals by custom',
    )
  context.defines.replace(name.text, text)
}

/** `#!define X 5 # five`: the comment becomes part of X and swallows the line where X is used. */
function warnOfComment(directive: Directive, from: number, text: string, context: DirectiveContext): void {
  const bare = text.replace(/"(?:\\.|[^"\\])*"|'[^']*'/g, (quoted) => ' '.repeat(quoted.length))
  const comment = /(?:^|\s)(#|\/\/)/.exec(bare)
  if (comment === null) return
  const at = directive.text.indexOf(comment[1] ?? '#', from)
  context.report.warning(
    'preprocessor/comment-in-define',
    'this comment is part of the define: it also hides what follows the name on the line of its use',
    directive.spanOf(at, directive.lineEnd),
    'put the comment on a line of its own',
  )
}

function undefine(directive: Directive, context: DirectiveContext): number {
  const name = readName(directive, context)
  if (name === null) return directive.lineEnd
  if (!context.defines.remove(name.text) && !directive.word.startsWith('try'))
    context.report.error(
      'preprocessor/not-defined',
      `${name.text} is not defined`,
      name.span,
      '#!tryundef does nothing if there is no such define',
    )
  return name.end
}

/** `defexp ID expression`; `defexps` puts the value in quotes. */
function defineExpression(directive: Directive, context: DirectiveContext): number {
  const name = readName(directive, context)
  if (name === null) return directive.lineEnd
  const value = evaluate(directive, name.end, context)
  if (value === null) return directive.lineEnd
  const text = directive.word === 'defexps' ? `"${value}"` : String(value)
  setDefine(directive, context, name, text)
  return directive.lineEnd
}

/** `defenv NAME`, `defenv ID=NAME`; `defenvs` puts the value in quotes. */
function defineEnvironment(directive: Directive, context: DirectiveContext): number {
  const name = readName(directive, context)
  if (name === null) return directive.lineEnd
  const variable = directive.text.charAt(name.end) === '=' ? wordAt(directive, name.end + 1) : name
  const value = context.host.environment(variable.text)
  if (value !== null) setDefine(directive, context, name, directive.word.endsWith('s') ? `"${value}"` : value)
  else if (!directive.word.startsWith('try'))
    context.report.error(
      'preprocessor/no-environment-variable',
      `the environment has no variable ${variable.text}`,
      variable.span,
      `set it, or write #!try${directive.word}`,
    )
  return variable.end
}

/** `subst "/re/text/flags"`, `substdef "!ID!value!flags"`, which also defines ID, `substdefs` with quotes. */
function substitute(directive: Directive, context: DirectiveContext): number {
  const blank = /\s*/y
  blank.lastIndex = directive.from
  const start = directive.from + (blank.exec(directive.text)?.[0].length ?? 0)
  const lexeme = readLexeme(directive.text, start)
  if (lexeme.type !== StringToken || lexeme.problem !== undefined) {
    reportArgument(directive, context, 'a rule in quotes is missing', `#!${directive.word} "/old/new/g"`)
    return directive.lineEnd
  }
  // Earlier rules apply to the text of a rule too: it is a string like others.
  const text = context.substitutions.apply(String(lexeme.value)) ?? ''
  addRule(directive, context, text, directive.spanOf(start, lexeme.end))
  return lexeme.end
}

function addRule(directive: Directive, context: DirectiveContext, text: string, span: Span): void {
  const problem = (message: string) =>
    context.report.error(
      'preprocessor/substitution',
      `this substitution is not valid: ${message}`,
      span,
      'it reads "/expression/replacement/flags"; any first character can take the place of /',
    )
  const parts = splitRule(text)
  if (typeof parts === 'string') {
    problem(parts)
    return
  }
  const expanded = expandLoadTimeVariables(parts.replacement, loadTimeValues(context))
  for (const unknown of expanded.unknown)
    context.report.warning(
      'preprocessor/no-value-yet',
      `${unknown} has no value while the script is loaded`,
      span,
      '$env(NAME) and $def(NAME) have one',
    )
  const rule = makeRule({ ...parts, replacement: expanded.text }, context.host)
  if (typeof rule === 'string') {
    problem(rule)
    return
  }
  context.substitutions.add(rule)
  if (directive.word === 'subst') return
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(parts.expression)) return
  const value = directive.word === 'substdefs' ? `"${expanded.text}"` : expanded.text
  setDefine(directive, context, { text: parts.expression, span, end: 0 }, value)
}

function loadTimeValues(context: DirectiveContext) {
  return {
    environment: (name: string) => context.host.environment(name),
    define: (name: string) => {
      const text = context.defines.get(name)
      return text === undefined ? null : unquote(text)
    },
  }
}

function openCondition(directive: Directive, context: DirectiveContext): number {
  if (context.conditions.depth === bounds.conditionsMax)
    context.report.error(
      'preprocessor/too-deep',
      `more than ${bounds.conditionsMax} #!ifdef stand inside each other`,
      directive.span,
      'is an #!endif missing?',
    )
  if (directive.word === 'ifexp') return openExpression(directive, context)
  if (context.conditions.isLive) openLive(directive, context)
  // Where all is skipped, only the number of levels counts; without a name it is a comment and no level.
  else if (wordAt(directive, directive.from).text !== '')
    context.conditions.open(directive.word, directive.span, false)
  return directive.lineEnd
}

function openLive(directive: Directive, context: DirectiveContext): void {
  const name = readName(directive, context)
  const holds = name !== null && context.defines.has(name.text) === (directive.word === 'ifdef')
  context.conditions.open(directive.word, directive.span, holds)
  if (name === null || /^\s*(?:$|#|\/\/|\/\*)/.test(directive.text.slice(name.end, directive.lineEnd))) return
  context.report.warning(
    'preprocessor/rest-ignored',
    `only ${name.text} counts: the rest of the line is ignored`,
    directive.spanOf(name.end, directive.lineEnd),
    '#!ifexp takes an expression such as A || B',
  )
}

function openExpression(directive: Directive, context: DirectiveContext): number {
  const value = context.conditions.isLive ? evaluate(directive, directive.from, context) : null
  context.conditions.open(directive.word, directive.span, value !== null && isTrue(value))
  return directive.lineEnd
}

/** Null after a report: `#!ifexp` then counts as false, as in Kamailio. */
function evaluate(directive: Directive, from: number, context: DirectiveContext): string | number | null {
  const expression = restOfLine(directive, from)
  const evaluation = evaluateDefineExpression(expression, (name) => context.defines.valueOf(name))
  if ('value' in evaluation) return evaluation.value
  context.report[directive.word === 'ifexp' ? 'warning' : 'error'](
    'preprocessor/expression',
    `this expression has no value: ${evaluation.problem}`,
    directive.spanOf(from, directive.lineEnd),
    directive.word === 'ifexp' ? 'it counts as false' : 'names of defines, numbers, strings and operators',
  )
  return null
}

function turnCondition(directive: Directive, context: DirectiveContext): number {
  const verdict = context.conditions.otherwise()
  if (verdict === 'none') reportStray(directive, context)
  if (verdict === 'second')
    context.report.warning(
      'preprocessor/second-else',
      'this #!ifdef has an #!else already',
      directive.span,
      'Kamailio turns the condition round once more',
    )
  return directive.from
}

function closeCondition(directive: Directive, context: DirectiveContext): number {
  if (!context.conditions.close()) reportStray(directive, context)
  return directive.from
}

function reportStray(directive: Directive, context: DirectiveContext): void {
  context.report.error(
    'preprocessor/no-condition',
    `there is no #!ifdef that this #!${directive.word} belongs to`,
    directive.span,
    'each #!endif closes one #!ifdef, #!ifndef or #!ifexp',
  )
}

interface Name {
  readonly text: string
  readonly span: Span
  readonly end: number
}

function wordAt(directive: Directive, from: number): Name {
  const end = wordEnd(directive.text, from)
  return { text: directive.text.slice(from, end), span: directive.spanOf(from, end), end }
}

/** The name after the directive; null after a report. */
function readName(directive: Directive, context: DirectiveContext): Name | null {
  const name = wordAt(directive, directive.from)
  const next = directive.text.charAt(name.end)
  if (/^[A-Za-z_]/.test(name.text) && next !== '-') return name
  if (name.text === '') reportArgument(directive, context, 'a name is missing', `#!${directive.word} NAME`)
  else
    context.report.error(
      'preprocessor/name',
      next === '-' ? 'a name has no hyphen' : 'a name starts with a letter or an underscore',
      next === '-' ? directive.spanOf(name.end, name.end + 1) : name.span,
      'letters, digits and _ make a name',
    )
  return null
}

function reportArgument(
  directive: Directive,
  context: DirectiveContext,
  message: string,
  example: string,
): void {
  context.report.error('preprocessor/argument', message, directive.span, `it reads: ${example}`)
}

/** From the first character that is not blank to the end of the line; continued lines joined. */
function restOfLine(directive: Directive, from: number): string {
  const rest = directive.text.slice(from, directive.lineEnd).replace(/\r$/, '')
  return rest.replace(/^[ \t]+/, '').replace(/\\\r?\n/g, '')
}
