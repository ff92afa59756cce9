import { ArgumentProblem, everyIndex, type TransformationDeclaration } from './declarations.ts'
import { type FormatPart, isConstantText, parseFormat } from './format-string.ts'
import {
  parseWholeVariable,
  spanWithin,
  splitParameters,
  type TextPiece,
  type TransformationText,
  type VariableProblem,
  type VariableText,
} from './pseudo-variable.ts'
import type {
  ResolvedAccess,
  ResolvedExpression,
  ResolvedIndex,
  ResolvedInner,
  ResolvedTarget,
} from './resolved.ts'
import { absentHint, loadHint, type Resolver } from './resolver.ts'
import type { Span } from './source.ts'
import { suggest } from './suggest.ts'
import { builtinVariables, modulesWith, type VariableSymbol } from './symbols.ts'

/** Binds pseudo-variables and format strings to what the core and the loaded modules declare. */

/** A text of the script and where it stands: offsets in the text become spans. */
export interface WrittenText {
  readonly text: string
  readonly span: Span
  /** What is taken apart may be a part of a longer token. */
  readonly whole: string
  readonly offset: number
}

export function writtenText(text: string, span: Span): WrittenText {
  return { text, span, whole: text, offset: 0 }
}

const nothing: ResolvedExpression = { op: 'constant', value: null }

/** `$ru`, `$(hdr(From)[0]{s.len})`. What cannot be resolved is reported and stands for null. */
export function resolveVariable(resolver: Resolver, written: WrittenText): ResolvedExpression {
  const variable = parseWholeVariable(written.text)
  if ('problem' in variable) return reportProblem(resolver, written, variable)
  return resolveParsed(resolver, variable, written)
}

/**
 * A format string. Text without variables yields a constant; one variable alone yields that variable itself, with its
 * type; anything else a format.
 */
export function resolveFormat(
  resolver: Resolver,
  written: WrittenText,
  isLenient = false,
): ResolvedExpression {
  if (isConstantText(written.text)) return { op: 'constant', value: written.text }
  const parts = parseFormat(written.text, (name) => isDeclared(resolver, name), isLenient)
  if ('problem' in parts) return reportProblem(resolver, written, parts)
  const resolved = parts.map((part) => resolvePart(resolver, part, written))
  const [only] = resolved
  if (resolved.length === 1 && only !== undefined) return only
  return resolved.length === 0 ? { op: 'constant', value: '' } : { op: 'format', parts: resolved }
}

/** A place to write to: a variable without transformations that its declaration lets scripts assign. */
export function resolveTarget(resolver: Resolver, written: WrittenText): ResolvedTarget | null {
  const target = resolveVariable(resolver, written)
  if (target === nothing) return null
  if (target.op === 'transformation') {
    const message = `${written.text} has a transformation: only the variable itself can be assigned`
    resolver.report.error('script/assigned-transformation', message, written.span)
    return null
  }
  const isWritable =
    target.op === 'slot' ||
    target.op === 'named-slot' ||
    (target.op === 'variable' && target.declaration.assignable === true)
  if (isWritable) return target
  resolver.report.error('script/read-only-variable', `${written.text} can only be read`, written.span)
  return null
}

/** `$name(inner)` handed to a function or to another variable. */
export function resolveAccess(
  resolver: Resolver,
  written: WrittenText,
  use: 'read' | 'write',
): ResolvedAccess | null {
  const target =
    use === 'write' ? resolveTarget(resolver, written) : (resolveVariable(resolver, written) ?? null)
  return target === null ? null : { target, text: written.text }
}

export function isDeclared(resolver: Resolver, name: string): boolean {
  return isBuiltin(name) || resolver.symbols.variable(name) !== undefined
}

function isBuiltin(name: string): boolean {
  return (builtinVariables as readonly string[]).includes(name)
}

function resolvePart(resolver: Resolver, part: FormatPart, written: WrittenText): ResolvedExpression {
  return typeof part === 'string' ? { op: 'constant', value: part } : resolveParsed(resolver, part, written)
}

function resolveParsed(resolver: Resolver, variable: VariableText, written: WrittenText): ResolvedExpression {
  let value = isBuiltin(variable.name)
    ? resolveBuiltin(resolver, variable, written)
    : resolveDeclared(resolver, variable, written)
  for (const transformation of variable.transformations) {
    value = resolveTransformation(resolver, value, transformation, written)
  }
  return value
}

/** `$var(x)`, `$rc`, `$null`: part of the language. */
function resolveBuiltin(
  resolver: Resolver,
  variable: VariableText,
  written: WrittenText,
): ResolvedExpression {
  if (variable.name === 'null') return { op: 'constant', value: null }
  if (variable.name !== 'var') return { op: 'rc' }
  if (variable.inner === null || variable.inner.text === '') {
    return reportMissingInner(resolver, variable, written)
  }
  const name = resolveFormat(resolver, part(written, variable.inner))
  if (name.op !== 'constant') return { op: 'named-slot', name }
  return { op: 'slot', slot: resolver.tables.slot(String(name.value)) }
}

function resolveDeclared(
  resolver: Resolver,
  variable: VariableText,
  written: WrittenText,
): ResolvedExpression {
  const symbol = resolver.symbols.variable(variable.name)
  if (symbol === undefined) return reportUnknown(resolver, variable, written)
  const inner = resolveInner(resolver, variable, symbol, written)
  if (inner === null) return nothing
  return {
    op: 'variable',
    reference: resolver.tables.variableNumber(symbol),
    declaration: symbol.declaration,
    inner,
    index: resolveIndex(resolver, variable, symbol, written),
    text: variable.text,
  }
}

function resolveInner(
  resolver: Resolver,
  variable: VariableText,
  symbol: VariableSymbol,
  written: WrittenText,
): ResolvedInner | null {
  const takes = symbol.declaration.inner ?? 'none'
  if (variable.inner === null) {
    if (takes === 'none' || symbol.declaration.innerOptional === true) return { op: 'none' }
    reportMissingInner(resolver, variable, written)
    return null
  }
  const inner = part(written, variable.inner)
  if (takes === 'none') {
    const message = `$${variable.name} takes nothing in parentheses`
    resolver.report.error('script/variable-name', message, spanOf(inner))
    return null
  }
  if (takes === 'variable') {
    const access = resolveAccess(resolver, trimmed(inner), 'read')
    return access === null ? null : { op: 'access', access }
  }
  return resolveInnerName(resolver, symbol, inner)
}

/** A constant name is prepared now, a name with variables in it each time. */
function resolveInnerName(
  resolver: Resolver,
  symbol: VariableSymbol,
  inner: WrittenText,
): ResolvedInner | null {
  const name = resolveFormat(resolver, inner)
  const prepare = symbol.declaration.prepare
  if (name.op !== 'constant') {
    const headed = name.op === 'format' ? resolveHead(resolver, symbol, name.parts) : null
    if (headed !== null) return headed
    return { op: 'dynamic', text: name, prepare: prepare ? resolver.tables.constant(prepare) : null }
  }
  const text = String(name.value ?? '')
  if (prepare === undefined) return { op: 'text', text }
  try {
    return { op: 'prepared', constant: resolver.tables.constant(prepare(text)) }
  } catch (error) {
    if (!(error instanceof ArgumentProblem)) throw error
    resolver.report.error('script/variable-name', error.message, spanOf(inner), error.hint)
    return null
  }
}

/** The constant that a name begins with is prepared once for the whole script: places that share it share a memory. */
function resolveHead(
  resolver: Resolver,
  symbol: VariableSymbol,
  [head, ...rest]: readonly ResolvedExpression[],
): ResolvedInner | null {
  const { prepareHead } = symbol.declaration
  if (prepareHead === undefined || head?.op !== 'constant') return null
  const make = resolver.tables.madeOnce(prepareHead, String(head.value))
  return make === null ? null : { op: 'headed', make, rest: { op: 'format', parts: rest } }
}

/** `[0]`, `[*]`, `[$var(i)]`. */
function resolveIndex(
  resolver: Resolver,
  variable: VariableText,
  symbol: VariableSymbol,
  written: WrittenText,
): ResolvedIndex {
  if (variable.index === null) return { op: 'constant', value: null }
  const index = trimmed(part(written, variable.index))
  if (symbol.declaration.indexed !== true) {
    const message = `$${variable.name} has one value: the index means nothing`
    resolver.report.warning('script/variable-index', message, spanOf(index))
    return { op: 'constant', value: null }
  }
  if (index.text === '*') return { op: 'constant', value: everyIndex }
  if (/^-?\d+$/.test(index.text)) return { op: 'constant', value: Number(index.text) }
  if (index.text.startsWith('$')) return { op: 'dynamic', value: resolveVariable(resolver, index) }
  const message = `an index is a number, * or a variable, not "${index.text}"`
  resolver.report.error('script/variable-index', message, spanOf(index))
  return { op: 'constant', value: null }
}

function resolveTransformation(
  resolver: Resolver,
  value: ResolvedExpression,
  transformation: TransformationText,
  written: WrittenText,
): ResolvedExpression {
  const { name } = transformation
  const declaration = resolver.symbols.transformation(name)
  const span = spanOf(part(written, { text: name, offset: transformation.offset }))
  if (declaration === undefined) {
    const hint =
      loadHint(modulesWith(resolver.known, 'transformations', name)) ??
      didYouMean(suggest(name, resolver.symbols.transformationNames))
    resolver.report.error('script/unknown-transformation', `there is no transformation {${name}}`, span, hint)
    return nothing
  }
  const parameters = resolveParameters(resolver, declaration, transformation, written, span)
  return {
    op: 'transformation',
    value,
    declaration,
    apply: resolver.tables.constant(declaration.apply),
    parameters,
  }
}

type Parameters = { readonly type: 'string' | 'int'; readonly value: ResolvedExpression }[]

function resolveParameters(
  resolver: Resolver,
  declaration: TransformationDeclaration,
  transformation: TransformationText,
  written: WrittenText,
  span: Span,
): Parameters {
  const declared = declaration.params ?? []
  const required = declared.filter((parameter) => parameter.optional !== true).length
  const pieces =
    transformation.parameters === null ? [] : splitParameters(transformation.parameters, declared.length)
  if (pieces.length < required || (declared.length === 0 && pieces.length > 0)) {
    const wants = declared.length === 0 ? 'no parameters' : declared.map(({ name }) => name).join(', ')
    const message = `{${transformation.name}} takes ${wants}`
    resolver.report.error('script/transformation-parameters', message, span)
    return []
  }
  return pieces.map((piece, index) => {
    const type = declared[index]?.type ?? 'string'
    return { type, value: resolveParameter(resolver, type, part(written, piece)) }
  })
}

function resolveParameter(
  resolver: Resolver,
  type: 'string' | 'int',
  written: WrittenText,
): ResolvedExpression {
  // Regular expressions end in $.
  if (type === 'string') return resolveFormat(resolver, written, true)
  const text = written.text.trim()
  if (/^[+-]?\d+$/.test(text)) return { op: 'constant', value: Number(text) }
  if (text.startsWith('$')) return resolveVariable(resolver, trimmed(written))
  const message = `a number or a variable is expected, not "${text}"`
  resolver.report.error('script/transformation-parameters', message, spanOf(written))
  return nothing
}

function reportProblem(
  resolver: Resolver,
  written: WrittenText,
  problem: VariableProblem,
): ResolvedExpression {
  const at = { text: written.text.slice(problem.offset, problem.offset + 1), offset: problem.offset }
  resolver.report.error('script/bad-variable', problem.problem, spanOf(part(written, at)))
  return nothing
}

function reportMissingInner(
  resolver: Resolver,
  variable: VariableText,
  written: WrittenText,
): ResolvedExpression {
  const message = `$${variable.name} needs a name in parentheses`
  const span = spanOf(part(written, { text: variable.text, offset: variable.offset }))
  resolver.report.error('script/variable-name', message, span, `$${variable.name}(name)`)
  return nothing
}

function reportUnknown(resolver: Resolver, variable: VariableText, written: WrittenText): ResolvedExpression {
  const { name } = variable
  const span = spanOf(part(written, { text: variable.text, offset: variable.offset }))
  const absent = absentHint(resolver)
  const meant = didYouMean(suggest(name, resolver.symbols.variableNames), '$')
  const hint = loadHint(modulesWith(resolver.known, 'variables', name))
  // A name of two letters is like many others.
  const guess = name.length > 2 ? (meant ?? absent) : (absent ?? meant)
  resolver.report.error('script/unknown-variable', `no loaded module declares $${name}`, span, hint ?? guess)
  return nothing
}

export function didYouMean(name: string | null, prefix = ''): string | undefined {
  return name === null ? undefined : `did you mean ${prefix}${name}?`
}

function part(written: WrittenText, piece: TextPiece): WrittenText {
  return {
    text: piece.text,
    span: written.span,
    whole: written.whole,
    offset: written.offset + piece.offset,
  }
}

function trimmed(written: WrittenText): WrittenText {
  const text = written.text.trimStart()
  return { ...written, text: text.trimEnd(), offset: written.offset + written.text.length - text.length }
}

function spanOf(written: WrittenText): Span {
  const { span, whole, offset, text } = written
  return spanWithin(span, whole.length, offset, offset + text.length)
}
