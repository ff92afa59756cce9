import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { RunContext } from '../../grammar/declarations.ts'
import { createOperators } from '../../grammar/operators.ts'
import type { RunHost } from '../../grammar/program.ts'
import { compileRight, link, newContext, preamble } from './world.ts'

const warnings: string[] = []
const host: RunHost = {
  pattern: () => ({ source: '', note: null, test: () => false, match: () => null }),
  warn: (_, what) => warnings.push(what),
  condition: () => false,
  unknownRoute: () => undefined,
  whileLoopsMax: 100,
  routeDepthMax: 256,
  stepsMax: 100_000,
}
const operators = createOperators(host, [])
const context: RunContext = { rc: 1, ended: 0, vars: [], depth: 0, steps: 0, at: 0 }

describe('a text as a number', () => {
  test.each([
    ['', 0],
    ['5', 5],
    ['05', 5],
    ['-5', -5],
    ['+5', 5],
    ['0x1F', 31],
    ['0X1f', 31],
    ['9007199254740991', 9_007_199_254_740_991],
  ])('%j is %d', (text, expected) => {
    warnings.length = 0
    expect(operators.toInt(context, text)).toBe(expected)
    expect(warnings).toEqual([])
  })

  test.each([
    'abc',
    '5abc',
    ' 5',
    '5 ',
    '-',
    '+',
    '-0x5',
    '0x',
    '5.0',
    '1e3',
    '9007199254740993',
    'Infinity',
  ])('%j is 0, with a warning', (text) => {
    warnings.length = 0
    expect(operators.toInt(context, text)).toBe(0)
    expect(warnings).toEqual([`string to int conversion for "${text}" failed`])
  })
})

describe('comparison: the left operand decides', () => {
  test.each([
    ['5', '05', false],
    ['5', 5, true],
    ['05', 5, false],
    [5, '05', true],
    [5, null, false],
    [0, null, true],
    ['', null, true],
    ['a', null, false],
    [null, '', true],
    [null, 0, true],
    [null, null, true],
    [null, 'a', false],
    [null, 1, false],
  ])('%j == %j is %s', (left, right, expected) => {
    expect(operators.equal(context, left, right)).toBe(expected)
  })
})

describe('sum: the left operand decides', () => {
  test.each([
    [1, '2', 3],
    ['1', 2, '12'],
    [null, 2, '2'],
    [null, 'a', 'a'],
    ['a', null, 'a'],
    [1, null, 1],
  ])('%j + %j is %j', (left, right, expected) => {
    expect(operators.plus(context, left, right)).toBe(expected)
  })
})

/** A slow, obvious second opinion, in BigInt. */
type Tree =
  | number
  | { readonly op: string; readonly left: Tree; readonly right: Tree }
  | { readonly op: string; readonly operand: Tree }

class Undefined extends Error {}
/** Beyond 2^53 only that it stays an integer is promised. */
class Inexact extends Error {}

const kept = (value: bigint): number => {
  const number = Number(value)
  if (!Number.isSafeInteger(number)) throw new Inexact()
  return number
}

function interpret(tree: Tree): number {
  if (typeof tree === 'number') return tree
  if ('operand' in tree) {
    const operand = BigInt(interpret(tree.operand))
    if (tree.op === '!') return operand === 0n ? 1 : 0
    return kept(tree.op === '-' ? -operand : ~operand)
  }
  const left = interpret(tree.left)
  if (tree.op === '&&' && left === 0) return 0
  if (tree.op === '||' && left !== 0) return 1
  const [a, b] = [BigInt(left), BigInt(interpret(tree.right))]
  if ((tree.op === '/' || tree.op === 'mod') && b === 0n) throw new Undefined()
  const results: Record<string, () => bigint | boolean> = {
    '+': () => a + b,
    '-': () => a - b,
    '*': () => a * b,
    '/': () => a / b,
    mod: () => a % b,
    '&': () => a & b,
    '|': () => a | b,
    '^': () => a ^ b,
    '<<': () => BigInt.asIntN(64, a << (b & 63n)),
    '>>': () => BigInt.asIntN(64, a) >> (b & 63n),
    '==': () => a === b,
    '!=': () => a !== b,
    '<': () => a < b,
    '>': () => a > b,
    '<=': () => a <= b,
    '>=': () => a >= b,
    '&&': () => b !== 0n,
    '||': () => b !== 0n,
  }
  const result = results[tree.op]?.()
  return typeof result === 'bigint' ? kept(result) : Number(result)
}

/** Each number becomes a variable, as scripts have them; every other one holds its number as text. */
function write(tree: Tree, values: string[]): string {
  if (typeof tree === 'number') {
    const isText = tree % 2 === 0
    values.push(isText ? `"${tree}"` : String(tree))
    return isText ? `(int)$var(v${values.length - 1})` : `$var(v${values.length - 1})`
  }
  if ('operand' in tree) return `${tree.op} (${write(tree.operand, values)})`
  return `(${write(tree.left, values)}) ${tree.op} (${write(tree.right, values)})`
}

const binaryOperators = '+ - * / mod & | ^ << >> == != < > <= >= && ||'.split(' ')

const { tree } = fc.letrec<{ tree: Tree }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 4, depthSize: 'small' },
    fc.oneof(fc.integer({ min: -9, max: 9 }), fc.integer()),
    fc.record({ op: fc.constantFrom(...binaryOperators), left: tie('tree'), right: tie('tree') }),
    fc.record({ op: fc.constantFrom('!', '-', '~'), operand: tie('tree') }),
  ),
}))

describe('laws', () => {
  test('integer expressions agree with the interpreter', () => {
    fc.assert(
      fc.property(tree, (expression) => {
        const values: string[] = []
        const text = write(expression, values)
        const set = values.map((value, index) => `$var(v${index}) = ${value};`).join(' ')
        const program = compileRight(
          `${preamble}request_route { ${set} $var(result) = "failed"; $var(result) = ${text}; xlog("$var(result)"); }`,
        )
        const context = newContext(program)
        link(program).route('request', '')?.(context)
        try {
          expect(context.log).toEqual([String(interpret(expression))])
        } catch (error) {
          if (error instanceof Undefined) expect(context.log).toEqual(['failed'])
          else if (error instanceof Inexact) expect(context.log[0]).toMatch(/^-?\d+$|^failed$/)
          else throw error
        }
      }),
      { numRuns: 300 },
    )
  })

  test('a number that became a text and a number again is the same', () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), (number) => {
        expect(operators.toInt(context, operators.toText(number))).toBe(number)
      }),
    )
  })
})
