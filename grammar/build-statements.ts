import type { CstNode } from 'chevrotain'
import type { Block, Expression, If, Statement, SwitchCase } from './ast.ts'
import { bounds } from './bounds.ts'
import { buildAssignment, buildCall, buildExpression, isBuiltin } from './build-expressions.ts'
import { type ConstantValue, constantOf } from './constant.ts'
import { type BuildContext, nodeOf, nodesOf, onlyChild, spanOf, tokenOf } from './cst.ts'
import { type Span, spanBetween } from './source.ts'

/** Statements: from the parser's tree to the AST. A statement that a syntax error has spoilt is left out. */

export function buildBlock(context: BuildContext, node: CstNode): Block {
  const statements = nodesOf(node, 'statement')
  const span = spanOf(context, node)
  if (statements.length === 0 && isEmpty(node))
    context.report.error(
      'syntax/empty-block',
      'a block needs at least one statement',
      span,
      'a `;` alone is one; was its content removed by an #!ifdef?',
    )
  return { type: 'block', statements: buildStatements(context, statements), span }
}

/** Nothing was written between the braces; after a syntax error, something was and is lost. */
function isEmpty(node: CstNode): boolean {
  const open = tokenOf(node, 'LCurly')
  const close = tokenOf(node, 'RCurly')
  if (open === undefined || close === undefined || close.isIncomplete) return false
  return close.startOffset === open.startOffset + 1
}

function buildStatements(context: BuildContext, nodes: readonly CstNode[]): Statement[] {
  return nodes.map((node) => buildStatement(context, node)).filter((statement) => statement !== null)
}

type Builder = (context: BuildContext, node: CstNode) => Statement | null

const builders: ReadonlyMap<string, Builder> = new Map<string, Builder>([
  ['block', buildBlock],
  ['assignmentStatement', buildAssignmentStatement],
  ['ifStatement', buildIf],
  ['switchStatement', buildSwitch],
  ['whileStatement', buildWhile],
  ['breakStatement', (context, node) => ({ type: 'break', span: spanOf(context, node) })],
  ['jump', buildJump],
  ['callStatement', buildCallStatement],
])

function buildStatement(context: BuildContext, node: CstNode | undefined): Statement | null {
  if (node === undefined) return null
  const child = onlyChild(node)
  if (child !== undefined) return builders.get(child.name)?.(context, child) ?? null
  const semicolon = tokenOf(node, 'Semicolon')
  return semicolon === undefined ? null : { type: 'empty', span: semicolon.span }
}

function buildAssignmentStatement(context: BuildContext, node: CstNode): Statement | null {
  const assignment = nodeOf(node, 'assignment')
  return assignment === undefined ? null : buildAssignment(context, assignment)
}

/** `else if` chains come as two lists; the last pair is the innermost If. */
function buildIf(context: BuildContext, node: CstNode): If | null {
  const conditions = nodesOf(node, 'conditions')
  const branches = nodesOf(node, 'branches')
  if (conditions.length > bounds.chainMax) {
    context.report.error(
      'syntax/too-long',
      `more than ${bounds.chainMax} else-ifs follow each other`,
      spanOf(context, node),
      'a switch or a table (htable) does the same faster',
    )
    return null
  }
  const pairs = conditions.map((condition, index) => ({
    condition: buildCondition(context, condition),
    branch: buildStatement(context, branches[index]),
    span: spanBetween(spanOf(context, condition), spanOf(context, branches[index] ?? condition)),
  }))
  let otherwise = buildStatement(context, nodeOf(node, 'otherwise'))
  for (const { condition, branch: then, span } of pairs.reverse()) {
    if (condition === null || then === null) return null
    otherwise = { type: 'if', condition, then, otherwise, span }
  }
  return otherwise?.type === 'if' ? { ...otherwise, span: spanOf(context, node) } : null
}

/** `if ($x = 1)` assigns, and is meant as a comparison more often than not. */
function buildCondition(context: BuildContext, node: CstNode | undefined): Expression | null {
  const condition = buildExpression(context, node)
  if (condition?.type === 'assignment' && node !== undefined && isSingleParenthesized(node))
    context.report.warning(
      'syntax/assignment-in-condition',
      'this assigns a value and then tests it',
      condition.span,
      'write == to compare; double parentheses, (($x = 1)), say that it is meant',
    )
  return condition
}

function isSingleParenthesized(expression: CstNode): boolean {
  const operand = nodeOf(expression, 'operand')
  const primary = operand === undefined ? undefined : nodeOf(operand, 'primary')
  const parenthesized = primary === undefined ? undefined : nodeOf(primary, 'parenthesized')
  return parenthesized !== undefined && nodeOf(parenthesized, 'assignment') !== undefined
}

function buildWhile(context: BuildContext, node: CstNode): Statement | null {
  const condition = buildCondition(context, nodeOf(node, 'expression'))
  const body = buildStatement(context, nodeOf(node, 'statement'))
  if (condition === null || body === null) return null
  return { type: 'while', condition, body, span: spanOf(context, node) }
}

function buildJump(context: BuildContext, node: CstNode): Statement | null {
  const type = jumpTypes.find((word) => tokenOf(node, `Keyword_${word}`) !== undefined)
  if (type === undefined) return null
  const expression = nodeOf(node, 'expression')
  const value = buildExpression(context, expression)
  if (expression !== undefined && value === null) return null
  return { type, value, span: spanOf(context, node) }
}

const jumpTypes = ['return', 'exit', 'drop'] as const

/** The functions of the core that Kamailio lets stand without parentheses. */
const bareFunctions: ReadonlySet<string> = new Set([
  'force_rport',
  'add_rport',
  'add_local_rport',
  'force_tcp_alias',
  'revert_uri',
  'set_forward_close',
  'set_forward_no_connect',
  'set_reply_close',
  'set_reply_no_connect',
])

function buildCallStatement(context: BuildContext, node: CstNode): Statement | null {
  const args = nodeOf(node, 'callArguments')
  const call = buildCall(context, node, args)
  if (call === null) return null
  const span = spanOf(context, node)
  if (args === undefined && !bareFunctions.has(call.name)) {
    if (node.recoveredNode !== true) reportBareName(context, call.name, call.nameSpan)
    return null
  }
  if (!isBuiltin(call.name)) return { type: 'call', call, span }
  context.report.error(
    'syntax/not-a-statement',
    `${call.name}() only yields a value`,
    call.span,
    `assign or test it: if (${call.name}(...))`,
  )
  return null
}

function reportBareName(context: BuildContext, name: string, span: Span): void {
  context.report.error(
    'syntax/missing-parentheses',
    `${name} is no statement of its own`,
    span,
    `if it is a function, write ${name}(); if it is a define, there is none of this name`,
  )
}

// --- switch

function buildSwitch(context: BuildContext, node: CstNode): Statement | null {
  const subject = buildExpression(context, nodeOf(node, 'expression'))
  const span = spanOf(context, node)
  const cases = nodesOf(node, 'switchCase').map((one) => buildCase(context, one))
  if (subject === null) return null
  if (cases.length === 0 && isEmpty(node))
    context.report.warning('syntax/empty-switch', 'this switch does nothing', span, 'add a case or remove it')
  checkLabels(context, cases)
  return { type: 'switch', subject, cases, span }
}

function buildCase(context: BuildContext, node: CstNode): SwitchCase {
  const statements = buildStatements(context, nodesOf(node, 'statement'))
  return { label: buildLabel(context, node), statements, span: spanOf(context, node) }
}

function buildLabel(context: BuildContext, node: CstNode): SwitchCase['label'] {
  const regex = tokenOf(node, 'regex')
  if (regex !== undefined) return { kind: 'regex', value: String(regex.value) }
  const written = nodeOf(node, 'expression')
  if (written === undefined) return null
  const expression = buildExpression(context, written)
  if (expression === null) return label('')
  const value = constantOf(expression)
  if (value !== null) return label(value)
  context.report.error(
    'syntax/case-label',
    'the label of a case must be a constant',
    expression.span,
    'numbers, strings, and /"expression" for a regular expression',
  )
  return label('')
}

function label(value: ConstantValue): SwitchCase['label'] {
  return typeof value === 'number' ? { kind: 'number', value } : { kind: 'string', value }
}

/** All labels of a switch are numbers, or all are strings and regular expressions; one default. */
function checkLabels(context: BuildContext, cases: readonly SwitchCase[]): void {
  const first = cases.find((one) => one.label !== null)?.label
  const odd = cases.find(
    (one) => one.label !== null && (one.label.kind === 'number') !== (first?.kind === 'number'),
  )
  if (odd !== undefined)
    context.report.error(
      'syntax/mixed-labels',
      'numbers and strings cannot be labels of one switch',
      odd.span,
      'put all of them in quotes, or none',
    )
  const defaults = cases.filter((one) => one.label === null)
  const second = defaults[1]
  if (second !== undefined)
    context.report.error('syntax/second-default', 'this switch has a default already', second.span)
}
