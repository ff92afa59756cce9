import type { CstNode } from 'chevrotain'
import type { Assignment, BinaryOperator, Call, Condition, Expression, PseudoVariable } from './ast.ts'
import { bounds } from './bounds.ts'
import { conditionHint, conditionProblem, placeProblem } from './condition-rules.ts'
import { type BuildContext, nodeOf, nodesOf, onlyChild, spanOf, textOf, tokenOf, tokensOf } from './cst.ts'
import { isIpv4, isIpv6 } from './ip-literal.ts'
import { type Span, spanBetween } from './source.ts'
import { conditionSubjects, type ScriptToken } from './tokens.ts'

/**
 * Expressions: from the parser's flat list of operands and operators to a tree, by the table of precedence, and
 * the special conditions (`uri == myself`), which are recognised by what stands left of a comparison.
 * Every function gives null for what a syntax error has made incomplete.
 */

/** How tightly an operator binds; all of them associate to the left. `<<` binds looser than a comparison. */
const precedence: ReadonlyMap<string, number> = new Map([
  ['||', 1],
  ['&&', 2],
  ['|', 3],
  ['&', 4],
  ['^', 5],
  ['<<', 6],
  ['>>', 7],
  ['==', 8],
  ['!=', 8],
  ['=~', 8],
  ['eq', 8],
  ['ne', 8],
  ['ieq', 8],
  ['ine', 8],
  ['<', 9],
  ['>', 9],
  ['<=', 9],
  ['>=', 9],
  ['+', 10],
  ['-', 10],
  ['*', 11],
  ['/', 11],
  ['mod', 11],
])

const equalityLevel = 8
const comparisonLevel = 9

/** Words and signs that mean the same. */
const synonyms: ReadonlyMap<string, string> = new Map([
  ['or', '||'],
  ['and', '&&'],
  ['not', '!'],
])

/** An expression whose value is used. */
export function buildExpression(context: BuildContext, node: CstNode | undefined): Expression | null {
  const expression = buildLoose(context, node)
  if (expression?.type !== 'word') return expression
  reportWord(context, expression)
  return null
}

/** An argument of a function: may also be a bare word (`setflag(FLT_ACC)`) or a socket (`udp:10.0.0.1:5060`). */
function buildArgument(context: BuildContext, node: CstNode): Expression | null {
  const socket = nodeOf(node, 'socketAddress')
  if (socket === undefined) return buildLoose(context, nodeOf(node, 'expression'))
  return { type: 'word', text: textOf(context, socket), span: spanOf(context, socket) }
}

function buildLoose(context: BuildContext, node: CstNode | undefined): Expression | null {
  if (node === undefined) return null
  const operands = nodesOf(node, 'operand')
  const operators = tokensOf(node, 'BinaryOperator')
  if (operators.length > bounds.chainMax) {
    context.report.error(
      'syntax/too-long',
      `this expression has more than ${bounds.chainMax} operators`,
      spanOf(context, node),
      'build the value in several statements',
    )
    return null
  }
  if (operands.length !== operators.length + 1) return null
  return climb({ context, operands, operators, at: 0 }, 0)
}

interface Chain {
  readonly context: BuildContext
  readonly operands: readonly CstNode[]
  readonly operators: readonly ScriptToken[]
  /** Index of the next operand: the operator in front of it is one before. */
  at: number
}

/** Operands as long as the operators between them bind at least as tightly as `level`. */
function climb(chain: Chain, level: number): Expression | null {
  let left = takeOperand(chain)
  for (;;) {
    const operator = nextOperator(chain)
    const binding = operator === null ? undefined : precedence.get(operator)
    if (operator === null || binding === undefined || binding < Math.max(level, 1)) return left
    const right = climb(chain, binding + 1)
    left = joinOperands(chain.context, operator as BinaryOperator, left, right)
  }
}

/** The operator in front of the operand that comes next. */
function nextOperator(chain: Chain): string | null {
  const token = chain.operators[chain.at - 1]
  return token === undefined ? null : (synonyms.get(token.image) ?? token.image)
}

function joinOperands(
  context: BuildContext,
  operator: BinaryOperator,
  left: Expression | null,
  right: Expression | null,
): Expression | null {
  for (const side of [left, right]) if (side?.type === 'word') reportWord(context, side)
  if (left === null || right === null) return null
  return { type: 'binary', operator, left, right, span: spanBetween(left.span, right.span) }
}

/** An operand with the operators in front of it; a special condition together with its comparison. */
function takeOperand(chain: Chain): Expression | null {
  const node = chain.operands[chain.at]
  chain.at++
  const primary = node === undefined ? undefined : nodeOf(node, 'primary')
  if (node === undefined || primary === undefined) return null
  const subject = conditionSubject(primary)
  const value = subject === null ? buildPrimary(chain.context, primary) : takeCondition(chain, subject)
  return applyPrefixes(chain.context, tokensOf(node, 'PrefixOperator'), value)
}

function applyPrefixes(
  context: BuildContext,
  prefixes: readonly ScriptToken[],
  value: Expression | null,
): Expression | null {
  if (prefixes.length > 0 && value?.type === 'word') {
    reportWord(context, value)
    return null
  }
  return prefixes.reduceRight<Expression | null>(
    (operand, prefix) => (operand === null ? null : applyPrefix(prefix, operand)),
    value,
  )
}

function applyPrefix(prefix: ScriptToken, operand: Expression): Expression {
  const span = spanBetween(prefix.span, operand.span)
  if (prefix.image === 'defined') return { type: 'defined', operand, span }
  if (prefix.image === '(int)') return { type: 'cast', to: 'int', operand, span }
  if (prefix.image === '(str)') return { type: 'cast', to: 'string', operand, span }
  if (prefix.image === '-') return { type: 'unary', operator: '-', operand, span }
  return { type: 'unary', operator: prefix.image === '~' ? '~' : '!', operand, span }
}

// --- special conditions

/** `uri`, `src_ip`, ... or `myself` standing alone. */
function conditionSubject(primary: CstNode): ScriptToken | null {
  const words = nodeOf(primary, 'words')
  const first = words === undefined ? undefined : tokenOf(words, 'PlainWord')
  if (words === undefined || first === undefined || tokenOf(words, 'AnyWord') !== undefined) return null
  return conditionSubjects.has(first.image) || first.image === 'myself' ? first : null
}

/** The subject that comes next, if it has no operator of its own in front. */
function nextSubject(chain: Chain): ScriptToken | null {
  const next = chain.operands[chain.at]
  if (next === undefined || tokensOf(next, 'PrefixOperator').length > 0) return null
  const primary = nodeOf(next, 'primary')
  return primary === undefined ? null : conditionSubject(primary)
}

const conditionOperators: ReadonlyMap<string, Condition['operator']> = new Map([
  ['==', '=='],
  ['eq', '=='],
  ['ieq', '=='],
  ['!=', '!='],
  ['ne', '!='],
  ['ine', '!='],
  ['=~', '=~'],
  ['<', '<'],
  ['>', '>'],
  ['<=', '<='],
  ['>=', '>='],
])

function takeCondition(chain: Chain, subject: ScriptToken): Expression | null {
  const { context } = chain
  const written = nextOperator(chain)
  const operator = conditionOperators.get(written ?? '')
  if (operator === undefined || written === null) {
    context.report.error(
      'syntax/condition',
      `${subject.image} must be compared with something`,
      subject.span,
      conditionHint(subject.image),
    )
    return null
  }
  if (subject.image === 'myself') return takeMyself(chain, subject, operator)
  const level =
    (precedence.get(written) ?? equalityLevel) === comparisonLevel ? comparisonLevel : equalityLevel
  const myself = nextSubject(chain)
  if (myself?.image === 'myself') {
    chain.at++
    return makeCondition(context, subject, operator, { kind: 'myself', text: 'myself', span: myself.span })
  }
  const right = climb(chain, level + 1)
  if (right === null) return null
  return makeCondition(context, subject, operator, right.type === 'word' ? bareOperand(right) : right)
}

/** `myself == uri` is `uri == myself`. */
function takeMyself(chain: Chain, myself: ScriptToken, operator: Condition['operator']): Expression | null {
  const subject = nextSubject(chain)
  chain.at++
  if (subject !== null && subject.image !== 'myself') {
    const operand = { kind: 'myself', text: 'myself', span: myself.span } as const
    const condition = makeCondition(chain.context, subject, operator, operand)
    return condition === null ? null : { ...condition, span: spanBetween(myself.span, subject.span) }
  }
  chain.context.report.error(
    'syntax/condition',
    'myself is compared with an address of the message',
    myself.span,
    conditionHint('uri'),
  )
  return null
}

type ConditionOperand = Condition['operand']

function bareOperand(word: { text: string; span: Span }): ConditionOperand {
  const address = word.text.split('/')[0] ?? ''
  const kind = isIpv4(address) || isIpv6(address) ? 'net' : 'word'
  return { kind, text: word.text, span: word.span }
}

function makeCondition(
  context: BuildContext,
  subject: ScriptToken,
  operator: Condition['operator'],
  operand: ConditionOperand,
): Condition | null {
  const problem =
    placeProblem(subject.image, context.routeWord) ?? conditionProblem(subject.image, operator, operand)
  if (problem === null)
    return {
      type: 'condition',
      subject: subject.image,
      operator,
      operand,
      span: spanBetween(subject.span, operand.span),
    }
  context.report.error('syntax/condition', problem, operand.span, conditionHint(subject.image))
  return null
}

// --- primaries

function buildPrimary(context: BuildContext, node: CstNode): Expression | null {
  const number = tokenOf(node, 'Number')
  if (number !== undefined) return { type: 'number', value: Number(number.value), span: number.span }
  const text = tokenOf(node, 'String')
  if (text !== undefined) return { type: 'string', value: String(text.value), span: text.span }
  const variable = tokenOf(node, 'Variable')
  if (variable !== undefined) return buildVariable(variable)
  const select = tokenOf(node, 'Select')
  if (select !== undefined) return { type: 'select', text: String(select.value), span: select.span }
  const child = onlyChild(node)
  return child === undefined ? null : buildCompound(context, child)
}

export function buildVariable(token: ScriptToken): PseudoVariable {
  return { type: 'variable', text: String(token.value), span: token.span }
}

function buildCompound(context: BuildContext, node: CstNode): Expression | null {
  if (node.name === 'call') return buildCallExpression(context, node)
  if (node.name === 'parenthesized') return buildParenthesized(context, node)
  if (node.name === 'network') return buildNetwork(context, node)
  return buildWords(context, node)
}

function buildParenthesized(context: BuildContext, node: CstNode): Expression | null {
  const assignment = nodeOf(node, 'assignment')
  if (assignment !== undefined) return buildAssignment(context, assignment)
  return buildExpression(context, nodeOf(node, 'expression'))
}

export function buildAssignment(context: BuildContext, node: CstNode): Assignment | null {
  const target = tokenOf(node, 'Variable')
  const value = buildExpression(context, nodeOf(node, 'expression'))
  if (target === undefined || value === null) return null
  return { type: 'assignment', target: buildVariable(target), value, span: spanOf(context, node) }
}

/** An address or a net as text; brackets round an IPv6 address are left out. */
function buildNetwork(context: BuildContext, node: CstNode): Expression | null {
  const address = tokenOf(node, 'IpAddress')
  if (address === undefined) return null
  const mask = tokenOf(node, 'mask')
  const text = mask === undefined ? address.image : `${address.image}/${mask.image}`
  const problem = mask === undefined ? null : maskProblem(address.image, mask)
  if (mask !== undefined && problem !== null)
    context.report.error(
      'syntax/netmask',
      problem,
      mask.span,
      '10.0.0.0/8, 10.0.0.0/255.0.0.0, 2001:db8::/32',
    )
  return { type: 'word', text, span: spanOf(context, node) }
}

function maskProblem(address: string, mask: ScriptToken): string | null {
  const bits = isIpv4(address) ? 32 : 128
  if (typeof mask.value === 'number')
    return mask.value <= bits ? null : `an address like this has only ${bits} bits`
  return isIpv4(address) === isIpv4(mask.image) ? null : 'address and mask are of different kinds'
}

function buildWords(context: BuildContext, node: CstNode): Expression {
  return { type: 'word', text: textOf(context, node), span: spanOf(context, node) }
}

function reportWord(context: BuildContext, word: { text: string; span: Span }): void {
  const isAddress = isIpv4(word.text) || word.text.includes('/')
  context.report.error(
    'syntax/bare-word',
    `${word.text} is no value`,
    word.span,
    isAddress
      ? `put it in quotes: "${word.text}"`
      : `a string needs quotes, a function its parentheses; or is #!define ${word.text} missing?`,
  )
}

// --- calls

const builtinArguments: ReadonlyMap<string, { readonly count: number; readonly form: string }> = new Map([
  ['strlen', { count: 1, form: 'strlen(text)' }],
  ['strempty', { count: 1, form: 'strempty(text)' }],
  ['selval', { count: 3, form: 'selval(condition, then, else)' }],
])

export function isBuiltin(name: string): boolean {
  return builtinArguments.has(name)
}

function buildCallExpression(context: BuildContext, node: CstNode): Expression | null {
  const call = buildCall(context, node, nodeOf(node, 'callArguments'))
  const builtin = call === null ? undefined : builtinArguments.get(call.name)
  if (call === null || builtin === undefined) return call
  const args = call.args.filter((argument) => argument !== null)
  if (args.length !== builtin.count || call.args.length !== builtin.count) {
    context.report.error(
      'syntax/builtin-arguments',
      `${call.name} takes ${builtin.count === 1 ? 'one argument' : `${builtin.count} arguments`}`,
      call.span,
      builtin.form,
    )
    return null
  }
  for (const argument of args) if (argument.type === 'word') reportWord(context, argument)
  return { type: 'builtin', name: call.name as 'strlen' | 'strempty' | 'selval', args, span: call.span }
}

/** `args` is undefined for a name without parentheses. */
export function buildCall(context: BuildContext, node: CstNode, args: CstNode | undefined): Call | null {
  const name = tokenOf(node, 'name')
  if (name === undefined) return null
  const span = args === undefined ? name.span : spanBetween(name.span, spanOf(context, args))
  const built = args === undefined ? [] : buildArguments(context, args)
  if (built === null) return null
  return { type: 'function', name: name.image, nameSpan: name.span, args: built, span }
}

/** Kamailio lets the first argument be empty: `f(,"a")`. */
function buildArguments(context: BuildContext, node: CstNode): (Expression | null)[] | null {
  const first = nodeOf(node, 'first')
  const rest = nodesOf(node, 'rest')
  const written = [...(first === undefined ? [] : [first]), ...rest]
  const built = written.map((argument) => buildArgument(context, argument))
  if (built.includes(null)) return null
  return first === undefined && rest.length > 0 ? [null, ...built] : built
}
