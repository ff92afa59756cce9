import type { Binary, Call, Condition, Expression } from './ast.ts'
import type { FunctionDeclaration } from './declarations.ts'
import { blockNames, compilePattern, constantText, resolveArgument, useRoute } from './resolve-argument.ts'
import { didYouMean, resolveTarget, resolveVariable, writtenText } from './resolve-variable.ts'
import {
  Kind,
  kindsOf,
  type ResolvedAssignment,
  type ResolvedCall,
  type ResolvedExpression,
  type ResolvedRouteCall,
} from './resolved.ts'
import { absentHint, loadHint, type Resolver } from './resolver.ts'
import type { Span } from './source.ts'
import { suggest } from './suggest.ts'
import { arityOf, type FunctionSymbol, modulesWith } from './symbols.ts'

/** Binds names in expressions and refuses the mixtures of types that Kamailio refuses at start. */

const nothing: ResolvedExpression = { op: 'constant', value: null }

export function resolveExpression(resolver: Resolver, expression: Expression): ResolvedExpression {
  switch (expression.type) {
    case 'number':
      return { op: 'constant', value: expression.value }
    case 'string':
      warnAboutVariables(resolver, expression.value, expression.span)
      return { op: 'constant', value: expression.value }
    case 'variable':
      return resolveVariable(resolver, writtenText(expression.text, expression.span))
    case 'select':
      return resolveVariable(resolver, writtenText(`$sel(${expression.text})`, expression.span))
    case 'function':
      return resolveCall(resolver, expression) ?? nothing
    case 'assignment':
      return resolveAssignment(resolver, expression) ?? nothing
    case 'unary':
      return resolveUnary(resolver, expression.operator, expression.operand)
    case 'binary':
      return resolveBinary(resolver, expression)
    case 'condition':
      return resolveCondition(resolver, expression)
    case 'cast':
      return {
        op: expression.to === 'int' ? 'to-int' : 'to-string',
        operand: resolveExpression(resolver, expression.operand),
      }
    case 'defined':
      return resolveDefined(resolver, expression.operand)
    case 'builtin':
      return resolveBuiltin(resolver, expression.name, expression.args, expression.span)
    // The front end has said that a bare word is no value.
    case 'word':
      return nothing
  }
}

/** A call of a function or of `route(X)`; null, and reported, if there is no such thing. */
export function resolveCall(resolver: Resolver, call: Call): ResolvedCall | ResolvedRouteCall | null {
  const args = call.args.filter((argument) => argument !== null)
  if (call.name === 'route') return resolveRouteCall(resolver, call, args)
  const symbol = findFunction(resolver, call, args.length)
  if (symbol === null) {
    for (const argument of args) {
      if (constantText(argument) === null) resolveExpression(resolver, argument)
    }
    return null
  }
  const declared = symbol.declaration.args ?? []
  const resolved = args.flatMap((argument, index) => {
    const declaration = declared[index]
    return declaration === undefined
      ? []
      : [resolveArgument(resolver, declaration, argument, resolveExpression)]
  })
  const waits = mayWait(resolver, symbol.declaration)
  return {
    op: 'call',
    reference: resolver.tables.functionNumber(symbol, waits),
    declaration: symbol.declaration,
    waits,
    args: resolved,
    span: call.span,
    text: `${call.name}()`,
  }
}

function mayWait({ parametersSet }: Resolver, { waits = false }: FunctionDeclaration): boolean {
  return typeof waits === 'boolean' ? waits : parametersSet.has(`${waits.module}.${waits.param}`)
}

export function resolveAssignment(
  resolver: Resolver,
  assignment: Extract<Expression, { type: 'assignment' }>,
): ResolvedAssignment | null {
  const { text, span } = assignment.target
  const target = resolveTarget(resolver, writtenText(text, span))
  const value = resolveExpression(resolver, assignment.value)
  if (target === null) return null
  return { op: 'assign', target, value, span: assignment.span, text: `${text} = ...` }
}

function resolveRouteCall(
  resolver: Resolver,
  call: Call,
  args: readonly Expression[],
): ResolvedRouteCall | null {
  const [argument] = args
  if (argument === undefined || args.length > 1) {
    resolver.report.error('script/argument-count', 'route() takes the name of one route', call.span)
    return null
  }
  const name = constantText(argument)
  if (name !== null) {
    useRoute(resolver, 'request', name, argument.span)
    return { op: 'route', target: name, span: call.span, text: `route(${name})` }
  }
  resolver.used.add('request *')
  const target = resolveExpression(resolver, argument)
  return { op: 'route', target, span: call.span, text: 'route(...)' }
}

/** By name, number of arguments and kind of route, as Kamailio looks them up. */
function findFunction(resolver: Resolver, call: Call, count: number): FunctionSymbol | null {
  const named = resolver.symbols.functions(call.name)
  if (named.length === 0) {
    reportUnknownFunction(resolver, call)
    return null
  }
  const fitting = named.filter(({ declaration }) => {
    const { min, max } = arityOf(declaration)
    return count >= min && count <= max
  })
  if (fitting.length === 0) {
    const message = `${call.name} takes ${arities(named)}, not ${count}`
    resolver.report.error('script/argument-count', message, call.nameSpan, signatures(call.name, named))
    return null
  }
  const allowed = fitting.find((symbol) => isAllowed(resolver, symbol))
  if (allowed !== undefined) return allowed
  const kinds = new Set(fitting.flatMap(({ declaration }) => declaration.in))
  const here = resolver.routeKind === null ? 'here' : `in ${blockNames[resolver.routeKind]}`
  const message = `${call.name} cannot be used ${here}, only in ${[...kinds].map((kind) => blockNames[kind]).join(', ')}`
  resolver.report.error('script/wrong-route-kind', message, call.nameSpan)
  return null
}

/** Event routes take what request routes take (measured). */
function isAllowed(resolver: Resolver, symbol: FunctionSymbol): boolean {
  const kind = resolver.routeKind
  const kinds = symbol.declaration.in
  return kind === null || kinds.includes(kind) || (kind === 'event' && kinds.includes('request'))
}

function reportUnknownFunction(resolver: Resolver, call: Call): void {
  const hint =
    loadHint(modulesWith(resolver.known, 'functions', call.name)) ??
    suggestFunction(resolver, call.name) ??
    absentHint(resolver)
  const message = 'no loaded module declares this function'
  resolver.report.error('script/unknown-function', message, call.nameSpan, hint)
}

/** Also looks among modules that are not loaded: a slip of the pen in a function of a forgotten module. */
function suggestFunction(resolver: Resolver, name: string): string | undefined {
  const loaded = suggest(name, resolver.symbols.functionNames)
  if (loaded !== null) return didYouMean(loaded)
  const known = suggest(
    name,
    resolver.known.flatMap((module) => Object.keys(module.functions)),
  )
  if (known === null) return undefined
  return `${didYouMean(known)} ${loadHint(modulesWith(resolver.known, 'functions', known)) ?? ''}`.trim()
}

function arities(symbols: readonly FunctionSymbol[]): string {
  const counts = symbols.map(({ declaration }) => {
    const { min, max } = arityOf(declaration)
    return min === max ? String(min) : `${min} to ${max}`
  })
  const text = [...new Set(counts)].join(' or ')
  return `${text} argument${text === '1' ? '' : 's'}`
}

function signatures(name: string, symbols: readonly FunctionSymbol[]): string {
  return symbols
    .map(({ declaration }) => {
      const args = (declaration.args ?? []).map((argument) =>
        argument.optional ? `[${argument.name}]` : argument.name,
      )
      return `${name}(${args.join(', ')})`
    })
    .join(' or ')
}

const unaryOperators = { '!': 'not', '-': 'negate', '~': 'complement' } as const

function resolveUnary(
  resolver: Resolver,
  operator: keyof typeof unaryOperators,
  operand: Expression,
): ResolvedExpression {
  const resolved = resolveExpression(resolver, operand)
  refuseText(resolver, resolved, operator, operand.span)
  return { op: unaryOperators[operator], operand: resolved }
}

function resolveBinary(resolver: Resolver, binary: Binary): ResolvedExpression {
  const { operator } = binary
  const left = resolveExpression(resolver, binary.left)
  if (operator === '=~') return resolveMatch(resolver, binary, left)
  const right = resolveExpression(resolver, binary.right)
  if (operator === '==' || operator === '!=') {
    const rewritten = rewriteNull(operator, left, right)
    if (rewritten !== null) return rewritten
  }
  checkTypes(resolver, binary, left, right)
  return { op: 'binary', operator, left, right }
}

/** `x == $null` is `not defined x`, whichever side the $null is on (measured). */
function rewriteNull(
  operator: '==' | '!=',
  left: ResolvedExpression,
  right: ResolvedExpression,
): ResolvedExpression | null {
  const other = isNull(right) ? left : isNull(left) ? right : null
  if (other === null) return null
  const defined: ResolvedExpression = { op: 'defined', operand: other }
  return operator === '!=' ? defined : { op: 'not', operand: defined }
}

function isNull(expression: ResolvedExpression): boolean {
  return expression.op === 'constant' && expression.value === null
}

const textOperators: readonly string[] = ['eq', 'ne']
const looseOperators: readonly string[] = ['==', '!=', '+']

/** What Kamailio calls a type mismatch at start (measured): only where both types are known from the text alone. */
function checkTypes(
  resolver: Resolver,
  { operator, left: leftNode, right: rightNode }: Binary,
  left: ResolvedExpression,
  right: ResolvedExpression,
): void {
  if (looseOperators.includes(operator)) {
    if (isStatic(left, Kind.int)) refuseText(resolver, right, operator, rightNode.span)
    return
  }
  if (textOperators.includes(operator)) {
    refuseInt(resolver, left, operator, leftNode.span)
    refuseInt(resolver, right, operator, rightNode.span)
    return
  }
  refuseText(resolver, left, operator, leftNode.span)
  refuseText(resolver, right, operator, rightNode.span)
}

function refuseText(resolver: Resolver, operand: ResolvedExpression, operator: string, span: Span): void {
  if (!isStatic(operand, Kind.text)) return
  const message = `${operator} needs a number here, and this is a string`
  resolver.report.error('script/type-mismatch', message, span, 'write (int) before it, or use a number')
}

function refuseInt(
  resolver: Resolver,
  operand: ResolvedExpression,
  operator: string,
  span: Span,
  hint = 'write (str) before it, or use a string',
): void {
  if (!isStatic(operand, Kind.int)) return
  const message = `${operator} needs a string here, and this is a number`
  resolver.report.error('script/type-mismatch', message, span, hint)
}

/** Variables never count: what they hold is known at run time only. */
function isStatic(expression: ResolvedExpression, kind: number): boolean {
  return expression.op !== 'rc' && kindsOf(expression, []) === kind
}

function resolveMatch(resolver: Resolver, binary: Binary, subject: ResolvedExpression): ResolvedExpression {
  const isNegated = binary.left.type === 'unary' && binary.left.operator === '!'
  const hint = isNegated ? '! is computed before =~: write !(... =~ ...)' : undefined
  refuseInt(resolver, subject, '=~', binary.left.span, hint)
  if (binary.right.type === 'string') {
    const pattern = compilePattern(resolver, binary.right.value, true, binary.right.span)
    return pattern === null ? nothing : { op: 'match', subject, pattern }
  }
  const pattern = resolveExpression(resolver, binary.right)
  refuseInt(resolver, pattern, '=~', binary.right.span)
  return { op: 'match', subject, pattern }
}

/** `src_ip == 10.0.0.0/8`: what the subject means is up to the run's host. */
function resolveCondition(resolver: Resolver, condition: Condition): ResolvedExpression {
  const { subject, operator, operand } = condition
  if ('kind' in operand) {
    return { op: 'condition', subject, operator, operand: { op: 'constant', value: operand.text } }
  }
  if (operator === '=~' && operand.type === 'string') {
    compilePattern(resolver, operand.value, true, operand.span)
    return { op: 'condition', subject, operator, operand: { op: 'constant', value: operand.value } }
  }
  const text = operand.type === 'word' ? operand.text : null
  const resolved: ResolvedExpression =
    text === null ? resolveExpression(resolver, operand) : { op: 'constant', value: text }
  return { op: 'condition', subject, operator, operand: resolved }
}

/** Only a variable can be undefined; a number or a call never is, and Kamailio refuses to ask. */
function resolveDefined(resolver: Resolver, operand: Expression): ResolvedExpression {
  const resolved = resolveExpression(resolver, operand)
  refuseInt(resolver, resolved, 'defined', operand.span)
  return { op: 'defined', operand: resolved }
}

function resolveBuiltin(
  resolver: Resolver,
  name: 'strlen' | 'strempty' | 'selval',
  args: readonly Expression[],
  span: Span,
): ResolvedExpression {
  const resolved = args.map((argument) => resolveExpression(resolver, argument))
  const [first = nothing, second = nothing, third = nothing] = resolved
  if (name === 'selval') return { op: 'selval', condition: first, whenTrue: second, whenFalse: third }
  refuseInt(resolver, first, name, span)
  return { op: name, operand: first }
}

/** `$var(x) = "sip:$rU@host"` assigns the text as it stands, which is hardly ever what was meant. */
function warnAboutVariables(resolver: Resolver, text: string, span: Span): void {
  const written = /\$\(?([A-Za-z_]\w*)/.exec(text)
  const name = written?.[1]
  if (name === undefined || (name !== 'var' && resolver.symbols.variable(name) === undefined)) return
  resolver.report.warning(
    'script/variable-in-string',
    `variables in a string are not replaced here: $${name} stays as it is`,
    span,
    `join the parts with +, as in "..." + $${name}`,
  )
}
