import { bounds } from './bounds.ts'

/**
 * The expressions of `#!ifexp` and `#!defexp`: numbers, strings, define names, `+ - * / % **`, comparison,
 * `&& || !`, bit operations and parentheses, with C's precedence. They are evaluated while the script is read.
 */
export type DefineValue = string | number

export type Evaluation = { readonly value: DefineValue } | { readonly problem: string }

export function evaluateDefineExpression(text: string, lookup: (name: string) => DefineValue): Evaluation {
  const words = text.match(pieces) ?? []
  const reader: Reader = { words, at: 0, depth: 0, lookup }
  try {
    const value = readBinary(reader, 0)
    const rest = words[reader.at]
    return rest === undefined ? { value } : { problem: `\`${rest}\` is not expected here` }
  } catch (error) {
    if (error instanceof ExpressionProblem) return { problem: error.message }
    throw error
  }
}

export function isTrue(value: DefineValue): boolean {
  return value !== 0 && value !== ''
}

class ExpressionProblem extends Error {}

interface Reader {
  readonly words: readonly string[]
  at: number
  depth: number
  readonly lookup: (name: string) => DefineValue
}

const pieces =
  /"[^"]*"|'[^']*'|0x[0-9a-fA-F]+|[0-9]+(?:\.[0-9]+)?|[A-Za-z_][A-Za-z0-9_]*|\*\*|&&|\|\||<<|>>|<=|>=|==|!=|\S/g

const levels: readonly (readonly string[])[] = [
  ['||'],
  ['&&'],
  ['|'],
  ['^'],
  ['&'],
  ['==', '!='],
  ['<', '>', '<=', '>='],
  ['<<', '>>'],
  ['+', '-'],
  ['*', '/', '%'],
]

function readBinary(reader: Reader, level: number): DefineValue {
  const operators = levels[level]
  if (operators === undefined) return readPower(reader)
  let left = readBinary(reader, level + 1)
  for (;;) {
    const operator = reader.words[reader.at]
    if (operator === undefined || !operators.includes(operator)) return left
    reader.at++
    left = compute(operator, left, readBinary(reader, level + 1))
  }
}

/** Right-associative: 2 ** 3 ** 2 is 512. */
function readPower(reader: Reader): DefineValue {
  const base = readOperand(reader)
  if (reader.words[reader.at] !== '**') return base
  reader.at++
  return numeric(base) ** numeric(nested(reader, readPower))
}

function readOperand(reader: Reader): DefineValue {
  const word = reader.words[reader.at++]
  if (word === undefined) throw new ExpressionProblem('the expression ends too early')
  if (word === '(') return readParenthesized(reader)
  if (word === '!') return isTrue(nested(reader, readOperand)) ? 0 : 1
  if (word === '-') return -numeric(nested(reader, readOperand))
  if (word === '+') return numeric(nested(reader, readOperand))
  if (word === '~') return ~numeric(nested(reader, readOperand))
  if (/^[0-9]/.test(word)) return Number(word)
  if (/^["']./.test(word) && word.length >= 2) return word.slice(1, -1)
  if (/^[A-Za-z_]/.test(word)) return reader.lookup(word)
  throw new ExpressionProblem(`\`${word}\` is not expected here`)
}

function readParenthesized(reader: Reader): DefineValue {
  const value = nested(reader, (inner) => readBinary(inner, 0))
  if (reader.words[reader.at++] !== ')') throw new ExpressionProblem('a `)` is missing')
  return value
}

function nested(reader: Reader, read: (reader: Reader) => DefineValue): DefineValue {
  if (++reader.depth > bounds.nestingMax) throw new ExpressionProblem('the expression is nested too deeply')
  const value = read(reader)
  reader.depth--
  return value
}

function compute(operator: string, left: DefineValue, right: DefineValue): DefineValue {
  if (operator === '&&') return isTrue(left) && isTrue(right) ? 1 : 0
  if (operator === '||') return isTrue(left) || isTrue(right) ? 1 : 0
  if (typeof left === 'string' && typeof right === 'string') return computeStrings(operator, left, right)
  // A define's text against a number: Kamailio compares as the left side is.
  if (typeof left === 'string') return computeStrings(operator, left, String(right))
  return computeNumbers(operator, left, numeric(right))
}

function computeStrings(operator: string, left: string, right: string): DefineValue {
  if (operator === '+') return left + right
  if (operator === '==') return left === right ? 1 : 0
  if (operator === '!=') return left !== right ? 1 : 0
  if (operator === '<') return left < right ? 1 : 0
  if (operator === '>') return left > right ? 1 : 0
  if (operator === '<=') return left <= right ? 1 : 0
  if (operator === '>=') return left >= right ? 1 : 0
  return computeNumbers(operator, numeric(left), numeric(right))
}

function computeNumbers(operator: string, left: number, right: number): number {
  if ((operator === '/' || operator === '%') && right === 0) throw new ExpressionProblem('division by zero')
  return numberOperators.get(operator)?.(left, right) ?? 0
}

const numberOperators: ReadonlyMap<string, (left: number, right: number) => number> = new Map([
  ['|', (left, right) => left | right],
  ['^', (left, right) => left ^ right],
  ['&', (left, right) => left & right],
  ['==', (left, right) => (left === right ? 1 : 0)],
  ['!=', (left, right) => (left !== right ? 1 : 0)],
  ['<', (left, right) => (left < right ? 1 : 0)],
  ['>', (left, right) => (left > right ? 1 : 0)],
  ['<=', (left, right) => (left <= right ? 1 : 0)],
  ['>=', (left, right) => (left >= right ? 1 : 0)],
  ['<<', (left, right) => left << right],
  ['>>', (left, right) => left >> right],
  ['+', (left, right) => left + right],
  ['-', (left, right) => left - right],
  ['*', (left, right) => left * right],
  ['/', (left, right) => left / right],
  ['%', (left, right) => left % right],
])

function numeric(value: DefineValue): number {
  if (typeof value === 'number') return value
  const number = Number(value)
  if (value.trim() === '' || Number.isNaN(number)) throw new ExpressionProblem(`"${value}" is no number`)
  return number
}
