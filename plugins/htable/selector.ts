import { compilePattern } from '../../src/plugin/index.ts'

/**
 * Which names or values are meant, in the two notations of the module:
 *
 *   $shtcn(t=>~~^k.*)             ~~ regular expression, %~ starts with, ~% ends with, == is, ** all; eq ne gt lt numbers
 *   sht_rm_name("t", "sw", "k")   re, sw, ew, in, eq, ne
 */
export type Selector = (value: string | number) => boolean

/** Null for a regular expression that cannot be compiled. */
export function selectorOf(expression: string): Selector | null {
  const operand = expression.slice(2)
  switch (expression.slice(0, 2)) {
    case '**':
      return () => true
    case '~~':
      return regular(operand)
    case '%~':
      return (value) => String(value).startsWith(operand)
    case '~%':
      return (value) => String(value).endsWith(operand)
    case '==':
      return (value) => value === operand
    case 'eq':
      return (value) => value === Number(operand)
    case 'ne':
      return (value) => typeof value === 'number' && value !== Number(operand)
    case 'gt':
      return (value) => typeof value === 'number' && value > Number(operand)
    case 'lt':
      return (value) => typeof value === 'number' && value < Number(operand)
    default:
      return (value) => value === expression
  }
}

/** Null if the operator is unknown, or for a regular expression that cannot be compiled. */
export function selectorBy(operator: string, operand: string): Selector | null {
  switch (operator) {
    case 're':
      return regular(operand)
    case 'sw':
      return (value) => String(value).startsWith(operand)
    case 'ew':
      return (value) => String(value).endsWith(operand)
    case 'in':
      return (value) => String(value).includes(operand)
    case 'eq':
      return (value) => String(value) === operand
    case 'ne':
      return (value) => String(value) !== operand
    default:
      return null
  }
}

/** Texts only, as in Kamailio: a number has no characters. */
export function regular(source: string): Selector | null {
  const pattern = compilePattern(source, { ignoreCase: false, isTrusted: false })
  if (typeof pattern === 'string') return null
  return (value) => typeof value === 'string' && pattern.test(value)
}
