import type { Expression } from './ast.ts'
import { type ArgumentDeclaration, ArgumentProblem, holdsVariables, type RouteKind } from './declarations.ts'
import { parseWholeVariable } from './pseudo-variable.ts'
import {
  didYouMean,
  isDeclared,
  resolveAccess,
  resolveFormat,
  resolveVariable,
  writtenText,
} from './resolve-variable.ts'
import type { ResolvedArgument, ResolvedExpression } from './resolved.ts'
import type { Resolver } from './resolver.ts'
import type { Span } from './source.ts'
import { suggest } from './suggest.ts'
import { visit } from './visit.ts'

/**
 * Arguments of functions: the declared type says how each is read (ArgumentType in declarations.ts). What is constant
 * is prepared here, once; a problem in it is a diagnostic at the argument.
 *
 * Kamailio takes expressions for some arguments only ("parameter is not constant"); here each string and int
 * argument may be one.
 */

/** Expressions in arguments are resolved by the caller: it knows calls, and arguments are part of calls. */
export type ResolveExpression = (resolver: Resolver, expression: Expression) => ResolvedExpression

const placeholder: ResolvedArgument = { op: 'literal', value: '' }

export function resolveArgument(
  resolver: Resolver,
  declared: ArgumentDeclaration,
  expression: Expression,
  resolve: ResolveExpression,
): ResolvedArgument {
  switch (declared.type) {
    case 'string':
      return resolveText(resolver, declared, expression, textOrFormat(resolver, expression, resolve))
    case 'literal':
    case 'name':
      return resolveText(resolver, declared, expression, textOrExpression(resolver, expression, resolve))
    case 'int':
      return resolveInt(resolver, declared, expression, resolve)
    case 'value':
      return resolveValue(textOrFormat(resolver, expression, resolve))
    case 'regex':
      return resolveRegex(resolver, expression, resolve)
    case 'route':
      return resolveRouteName(resolver, declared, expression, resolve)
    case 'flag':
      return resolveFlag(resolver, expression, resolve)
    case 'variable':
      return resolveVariableArgument(resolver, declared, expression)
    case 'format':
      return resolveFunction(resolver, expression, textOrFormat(resolver, expression, resolve))
  }
}

/** The function evaluates the text when it likes, so nothing in it may have an effect or wait. */
function resolveFunction(
  resolver: Resolver,
  expression: Expression,
  value: ResolvedExpression,
): ResolvedArgument {
  let hasEffect = false
  visit(value, ({ op }) => {
    hasEffect ||= op === 'call' || op === 'route' || op === 'assign'
  })
  if (hasEffect) {
    const message = 'no function can be called in this argument'
    resolver.report.error(
      'script/bad-argument',
      message,
      expression.span,
      'assign its value to a variable first',
    )
  }
  return { op: 'function', value }
}

/** What a constant expression says as text: `"x"`, `200`, `NAME`. */
export function constantText(expression: Expression): string | null {
  switch (expression.type) {
    case 'string':
      return expression.value
    case 'number':
      return String(expression.value)
    case 'word':
      return expression.text
    default:
      return null
  }
}

function textOrFormat(
  resolver: Resolver,
  expression: Expression,
  resolve: ResolveExpression,
): ResolvedExpression {
  if (expression.type === 'string') {
    return resolveFormat(resolver, writtenText(expression.value, expression.span))
  }
  if (expression.type === 'word') return { op: 'constant', value: expression.text }
  return resolve(resolver, expression)
}

function textOrExpression(
  resolver: Resolver,
  expression: Expression,
  resolve: ResolveExpression,
): ResolvedExpression {
  const text = constantText(expression)
  return text === null ? resolve(resolver, expression) : { op: 'constant', value: text }
}

function resolveText(
  resolver: Resolver,
  declared: ArgumentDeclaration,
  expression: Expression,
  value: ResolvedExpression,
): ResolvedArgument {
  if (value.op === 'constant') {
    return prepareConstant(resolver, declared, String(value.value ?? ''), expression.span)
  }
  const prepare = declared.prepare === undefined ? null : resolver.tables.constant(declared.prepare)
  return { op: 'text', value, prepare }
}

function prepareConstant(
  resolver: Resolver,
  declared: ArgumentDeclaration,
  value: string | number,
  span: Span,
): ResolvedArgument {
  if (declared.prepare === undefined) return { op: 'literal', value }
  try {
    const prepared = declared.prepare(String(value))
    if (typeof prepared === 'string' || typeof prepared === 'number')
      return { op: 'literal', value: prepared }
    const constant = resolver.tables.constant(prepared)
    if (!holdsVariables(prepared) || prepared.variables.length === 0) return { op: 'prepared', constant }
    const values = prepared.variables.map((text) => resolveFormat(resolver, writtenText(text, span)))
    return { op: 'holding', constant, values }
  } catch (error) {
    if (!(error instanceof ArgumentProblem)) throw error
    resolver.report.error('script/bad-argument', error.message, span, error.hint)
    return placeholder
  }
}

function resolveInt(
  resolver: Resolver,
  declared: ArgumentDeclaration,
  expression: Expression,
  resolve: ResolveExpression,
): ResolvedArgument {
  const value = textOrFormat(resolver, expression, resolve)
  if (value.op === 'constant' && value.value !== null) {
    const number = constantInt(value.value)
    if (number !== null) return prepareConstant(resolver, declared, number, expression.span)
    const message = `${declared.name} must be a number, not "${value.value}"`
    resolver.report.error('script/bad-argument', message, expression.span)
    return placeholder
  }
  const prepare = declared.prepare === undefined ? null : resolver.tables.constant(declared.prepare)
  return { op: 'int', value, prepare }
}

/** `5`, `"5"`, `"0x45E7"`. */
function constantInt(value: string | number): number | null {
  if (typeof value === 'number') return value
  return /^\s*([+-]?\d+|0x[0-9a-f]+)\s*$/i.test(value) ? Number(value) : null
}

function resolveValue(value: ResolvedExpression): ResolvedArgument {
  if (value.op === 'constant' && value.value !== null) return { op: 'literal', value: value.value }
  return { op: 'value', value }
}

/** A text is a pattern as it stands, since `$` is its anchor, unless it is one variable and nothing else. */
function resolveRegex(
  resolver: Resolver,
  expression: Expression,
  resolve: ResolveExpression,
): ResolvedArgument {
  const text = constantText(expression)
  if (text === null) return { op: 'pattern', value: resolve(resolver, expression) }
  const variable = parseWholeVariable(text)
  if (!('problem' in variable) && isDeclared(resolver, variable.name)) {
    return { op: 'pattern', value: resolveVariable(resolver, writtenText(text, expression.span)) }
  }
  const constant = compilePattern(resolver, text, true, expression.span)
  return constant === null ? placeholder : { op: 'prepared', constant }
}

/** The number of the constant that holds the compiled pattern; null if it is none, which is reported. */
export function compilePattern(
  resolver: Resolver,
  source: string,
  ignoreCase: boolean,
  span: Span,
): number | null {
  const pattern = resolver.host.pattern(source, { ignoreCase })
  if (typeof pattern === 'string') {
    resolver.report.error('script/bad-pattern', `bad regular expression: ${pattern}`, span)
    return null
  }
  if (pattern.note !== null) resolver.report.note('script/slow-pattern', pattern.note, span)
  return resolver.tables.constant(pattern)
}

/** `t_on_failure("NAME")`: the route must exist; `"0"` and `""` stand for none. */
function resolveRouteName(
  resolver: Resolver,
  declared: ArgumentDeclaration,
  expression: Expression,
  resolve: ResolveExpression,
): ResolvedArgument {
  const kind = declared.route ?? 'request'
  const value = textOrFormat(resolver, expression, resolve)
  if (value.op !== 'constant') {
    resolver.used.add(`${kind} *`)
    return resolveText(resolver, declared, expression, value)
  }
  const name = String(value.value ?? '')
  if (name !== '' && name !== '0') useRoute(resolver, kind, name, expression.span)
  return prepareConstant(resolver, declared, name, expression.span)
}

/** Notes that the route is used, and reports one that does not exist. */
export function useRoute(resolver: Resolver, kind: RouteKind, name: string, span: Span): boolean {
  const names = [...(resolver.routes.get(kind) ?? [])]
  const found = names.filter((route) => route === name || (kind === 'event' && route.endsWith(`:${name}`)))
  for (const route of found) resolver.used.add(`${kind} ${route}`)
  if (found.length > 0) return true
  const meant = suggest(
    name,
    names.filter((route) => route !== ''),
  )
  // One mistake: the route that was meant is not reported as unused too.
  if (meant !== null) resolver.used.add(`${kind} ${meant}`)
  const hint = didYouMean(meant)
  resolver.report.error('script/unknown-route', `there is no ${blockNames[kind]}[${name}]`, span, hint)
  return false
}

/** How a block of that kind is written. */
export const blockNames: Readonly<Record<RouteKind, string>> = {
  request: 'route',
  failure: 'failure_route',
  branch: 'branch_route',
  reply: 'onreply_route',
  'core-reply': 'reply_route',
  onsend: 'onsend_route',
  event: 'event_route',
}

function resolveFlag(
  resolver: Resolver,
  expression: Expression,
  resolve: ResolveExpression,
): ResolvedArgument {
  const text = constantText(expression)
  if (text === null) return { op: 'flag', value: resolve(resolver, expression) }
  const number = /^\d+$/.test(text) ? Number(text) : resolver.flags.get(text)
  if (number === undefined) {
    const hint = didYouMean(suggest(text, [...resolver.flags.keys()])) ?? `declare it: flags ${text}`
    resolver.report.error('script/unknown-flag', `flag ${text} is not declared`, expression.span, hint)
    return placeholder
  }
  if (number > 31) {
    resolver.report.error('script/bad-argument', 'a flag is a number from 0 to 31', expression.span)
  }
  return { op: 'literal', value: number }
}

/** `$avp(x)` or `"$avp(x)"`: handed over to be read and written. */
function resolveVariableArgument(
  resolver: Resolver,
  declared: ArgumentDeclaration,
  expression: Expression,
): ResolvedArgument {
  const text = expression.type === 'variable' ? expression.text : constantText(expression)
  if (text?.startsWith('$')) {
    const access = resolveAccess(resolver, writtenText(text, expression.span), 'write')
    return access === null ? placeholder : { op: 'access', access }
  }
  const message = `${declared.name} must be a variable that can be assigned, such as $var(x)`
  resolver.report.error('script/bad-argument', message, expression.span)
  return placeholder
}
