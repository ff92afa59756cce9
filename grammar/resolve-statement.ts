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
      const condition = resolveCondition(resolver, statement.condition)
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
    condition: resolveCondition(resolver, statement.condition),
    whenTrue: resolveStatement(resolver, statement.then),
    whenFalse: statement.otherwise === null ? [] : resolveStatement(resolver, statement.otherwise),
    span: statement.span,
  }
}

/** `if ($var(x) = 5)` is legal and always true. */
function resolveCondition(resolver: Resolver, condition: Expression): ResolvedExpression {
  const resolved = resolveExpression(resolver, condition)
  if (condition.type === 'assignment' && condition.value.type !== 'function') {
    resolver.report.warning(
      'script/assignment-in-condition',
      'this assigns, and is true whatever the value',
      condition.span,
      'compare with ==',
    )
  }
  return resolved
}

/** The value of return, exit and drop: Kamailio refuses a string at start. */
function resolveInt(resolver: Resolver, expression: Expression): ResolvedExpression {
  const resolved = resolveExpression(resolver, expression)
  if (kindsOf(resolved, []) === Kind.text) {
    resolver.report.error('script/type-mismatch', 'a return code is a number', expression.span)
  }
  return resolved
}

/** The first label decides whether numbers or texts are compared; Kamailio allows no mixture. */
function resolveSwitch(resolver: Resolver, statement: Switch): ResolvedStatement[] {
  const { cases, span } = statement
  const subject = resolveExpression(resolver, statement.subject)
  const first = cases.find((item) => item.label !== null)?.label
  const labels = first?.kind === 'number' || first === undefined || first === null ? 'number' : 'string'
  checkDefault(resolver, cases, labels)
  const resolved = cases.map((item) => resolveCase(resolver, item, labels))
  return [{ op: 'switch', subject, labels, cases: resolved, span }]
}

function checkDefault(resolver: Resolver, cases: readonly SwitchCase[], labels: 'number' | 'string'): void {
  const defaults = cases.filter((item) => item.label === null)
  const [first, second] = defaults
  if (second !== undefined) {
    resolver.report.error('script/second-default', 'a switch has one default', second.span)
  }
  if (first !== undefined && labels === 'string' && cases.at(-1) !== first) {
    const message = 'default must be the last label when the others are strings'
    resolver.report.error('script/default-not-last', message, headOf(first.span, 'default'))
  }
}

function resolveCase(resolver: Resolver, item: SwitchCase, labels: 'number' | 'string'): ResolvedCase {
  const body = resolveStatements(resolver, item.statements)
  return { label: resolveLabel(resolver, item, labels), body, span: item.span }
}

function resolveLabel(
  resolver: Resolver,
  item: SwitchCase,
  labels: 'number' | 'string',
): string | number | Pattern | null {
  const { label } = item
  if (label === null) return null
  if ((label.kind === 'number') !== (labels === 'number')) {
    const message = 'the labels of one switch are all numbers or all strings'
    resolver.report.error('script/mixed-labels', message, headOf(item.span, 'case'))
    return label.value
  }
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
