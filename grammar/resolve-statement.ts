import type { Expression, If, Statement, Switch, SwitchCase } from './ast.ts'
import type { Pattern } from './program.ts'
import { resolveAssignment, resolveCall, resolveExpression } from './resolve-expression.ts'
import {
  Kind,
  kindsOf,
  type ResolvedCase,
  type ResolvedExpression,
  type ResolvedStatement,
} from './resolved.ts'
import type { Resolver } from './resolver.ts'
import type { Span } from './source.ts'

/** Statements of routes. What cannot be resolved is reported and left out. */

export function resolveStatements(resolver: Resolver, statements: readonly Statement[]): ResolvedStatement[] {
  return statements.flatMap((statement) => resolveStatement(resolver, statement))
}

function resolveStatement(resolver: Resolver, statement: Statement): ResolvedStatement[] {
  const { span } = statement
  switch (statement.type) {
    case 'empty':
      return []
    case 'block':
      return [{ op: 'block', body: resolveStatements(resolver, statement.statements), span }]
    case 'call': {
      const expression = resolveCall(resolver, statement.call)
      return expression === null ? [] : [{ op: 'expression', expression, span }]
    }
    case 'assignment': {
      const expression = resolveAssignment(resolver, statement)
      return expression === null ? [] : [{ op: 'expression', expression, span }]
    }
    case 'if':
      return [resolveIf(resolver, statement)]
    case 'switch':
      return resolveSwitch(resolver, statement)
    case 'while': {
      const condition = resolveExpression(resolver, statement.condition)
      return [{ op: 'while', condition, body: resolveStatement(resolver, statement.body), span }]
    }
    case 'break':
      return [{ op: 'break', span }]
    default: {
      const value = statement.value === null ? null : resolveInt(resolver, statement.value)
      return [{ op: statement.type, value, span }]
    }
  }
}

function resolveIf(resolver: Resolver, statement: If): ResolvedStatement {
  return {
    op: 'if',
    condition: resolveExpression(resolver, statement.condition),
    whenTrue: resolveStatement(resolver, statement.then),
    whenFalse: statement.otherwise === null ? [] : resolveStatement(resolver, statement.otherwise),
    span: statement.span,
  }
}

/** The value of return, exit and drop: Kamailio refuses a string at start. */
function resolveInt(resolver: Resolver, expression: Expression): ResolvedExpression {
  const resolved = resolveExpression(resolver, expression)
  if (kindsOf(resolved, []) === Kind.text) {
    resolver.report.error('script/type-mismatch', 'a return code is a number', expression.span)
  }
  return resolved
}

/** The first label decides whether numbers or texts are compared; build-statements.ts refuses a mixture. */
function resolveSwitch(resolver: Resolver, statement: Switch): ResolvedStatement[] {
  const { cases, span } = statement
  const subject = resolveExpression(resolver, statement.subject)
  const first = cases.find((item) => item.label !== null)?.label
  const labels = first?.kind === 'number' || first === undefined || first === null ? 'number' : 'string'
  checkDefault(resolver, cases, labels)
  const resolved = cases.map((item) => resolveCase(resolver, item))
  return [{ op: 'switch', subject, labels, cases: resolved, span }]
}

function checkDefault(resolver: Resolver, cases: readonly SwitchCase[], labels: 'number' | 'string'): void {
  const first = cases.find((item) => item.label === null)
  if (first !== undefined && labels === 'string' && cases.at(-1) !== first) {
    const message = 'default must be the last label when the others are strings'
    resolver.report.error('script/default-not-last', message, headOf(first.span, 'default'))
  }
}

function resolveCase(resolver: Resolver, item: SwitchCase): ResolvedCase {
  const body = resolveStatements(resolver, item.statements)
  return { label: resolveLabel(resolver, item), body, span: item.span }
}

function resolveLabel(resolver: Resolver, item: SwitchCase): string | number | Pattern | null {
  const { label } = item
  if (label === null) return null
  if (label.kind !== 'regex') return label.value
  const pattern = resolver.host.pattern(String(label.value), { ignoreCase: false })
  if (typeof pattern !== 'string') return pattern
  resolver.report.error('script/bad-pattern', `bad regular expression: ${pattern}`, headOf(item.span, 'case'))
  return null
}

/** A case's span goes over its statements: point at its first word. */
function headOf(span: Span, word: string): Span {
  return span.via === undefined ? { ...span, end: span.start + word.length } : span
}
