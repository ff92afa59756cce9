import type { Expression } from './ast.ts'

/** The value of an expression that needs no message: labels of a switch. Null if it does, or if it is an error. */
export type ConstantValue = string | number

export function constantOf(expression: Expression): ConstantValue | null {
  if (expression.type === 'number' || expression.type === 'string') return expression.value
  if (expression.type === 'unary') return unary(expression.operator, constantOf(expression.operand))
  if (expression.type !== 'binary') return null
  const left = constantOf(expression.left)
  const right = constantOf(expression.right)
  if (typeof left === 'string' && right !== null && expression.operator === '+') return left + String(right)
  if (typeof left !== 'number' || typeof right !== 'number') return null
  return arithmetic.get(expression.operator)?.(left, right) ?? null
}

function unary(operator: '!' | '-' | '~', value: ConstantValue | null): number | null {
  if (typeof value !== 'number') return null
  if (operator === '-') return -value
  return operator === '~' ? ~value : Number(value === 0)
}

const arithmetic: ReadonlyMap<string, (left: number, right: number) => number | null> = new Map([
  ['+', (left, right) => left + right],
  ['-', (left, right) => left - right],
  ['*', (left, right) => left * right],
  ['/', (left, right) => (right === 0 ? null : Math.trunc(left / right))],
  ['mod', (left, right) => (right === 0 ? null : left % right)],
  ['|', (left, right) => left | right],
  ['&', (left, right) => left & right],
  ['^', (left, right) => left ^ right],
  ['<<', (left, right) => left << right],
  ['>>', (left, right) => left >> right],
])
