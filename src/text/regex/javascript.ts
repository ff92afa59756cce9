import { charactersOf } from './character-set.ts'
import type { Node, Range } from './posix.ts'

/**
 * A POSIX tree as text that V8's engine and RE2JS read alike (flag `s`: a dot matches any character). Case is folded
 * here and for ASCII letters only, so that no engine's idea of Unicode touches a protocol token.
 */
export function writePattern(node: Node, ignoreCase: boolean): string {
  switch (node.type) {
    case 'set':
      return writeSet(charactersOf(node, ignoreCase))
    case 'any':
      return '.'
    case 'start':
      return '^'
    case 'end':
      return '$'
    case 'word-edge':
      return '\\b'
    case 'no-word-edge':
      return '\\B'
    case 'group':
      return `(${writePattern(node.child, ignoreCase)})`
    case 'back-reference':
      return `(?:\\${node.index})`
    case 'sequence':
      return node.children.map((child) => writeOperand(child, ignoreCase)).join('')
    case 'choice':
      return node.children.map((child) => writePattern(child, ignoreCase)).join('|')
    case 'repeat':
      return writeRepeat(node, ignoreCase)
  }
}

function writeOperand(node: Node, ignoreCase: boolean): string {
  const text = writePattern(node, ignoreCase)
  return node.type === 'choice' ? `(?:${text})` : text
}

function writeRepeat(node: Extract<Node, { type: 'repeat' }>, ignoreCase: boolean): string {
  const { child, min, max } = node
  const text = writePattern(child, ignoreCase)
  const isAtom = child.type === 'set' || child.type === 'any' || child.type === 'group'
  const operand = isAtom ? text : `(?:${text})`
  if (min === 0 && max === null) return `${operand}*`
  if (min === 1 && max === null) return `${operand}+`
  if (min === 0 && max === 1) return `${operand}?`
  if (max === null) return `${operand}{${min},}`
  return min === max ? `${operand}{${min}}` : `${operand}{${min},${max}}`
}

function writeSet(ranges: readonly Range[]): string {
  const [first] = ranges
  // An empty set, [^\x00-\uffff]: nothing matches it.
  if (!first) return '[^\\x00-\\uffff]'
  if (ranges.length === 1 && first[0] === first[1]) return writeCharacter(first[0])
  const items = ranges.map(([from, to]) =>
    from === to ? writeCharacter(from) : `${writeCharacter(from)}-${writeCharacter(to)}`,
  )
  return `[${items.join('')}]`
}

function writeCharacter(code: number): string {
  const text = String.fromCharCode(code)
  if (/[A-Za-z0-9_]/.test(text)) return text
  return code < 256 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`
}
