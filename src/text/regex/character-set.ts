import type { Node, Range } from './posix.ts'

/** The characters that a set or a dot stands for, as sorted ranges that do not touch. Case is ASCII's. */
export function charactersOf(node: Extract<Node, { type: 'set' }>, ignoreCase: boolean): Range[] {
  const ranges = merged(ignoreCase ? withBothCases(node.ranges) : node.ranges)
  return node.isNegated ? complement(ranges) : ranges
}

/** True if no character is in both. */
export function areDisjoint(a: readonly Range[], b: readonly Range[]): boolean {
  return a.every(([from, to]) => b.every(([otherFrom, otherTo]) => to < otherFrom || otherTo < from))
}

const characterMax = 0xffff

export const everyCharacter: readonly Range[] = [[0, characterMax]]

function withBothCases(ranges: readonly Range[]): Range[] {
  const out: Range[] = [...ranges]
  for (const range of ranges) {
    const upper = overlap(range, 65, 90)
    if (upper) out.push([upper[0] + 32, upper[1] + 32])
    const lower = overlap(range, 97, 122)
    if (lower) out.push([lower[0] - 32, lower[1] - 32])
  }
  return merged(out)
}

function overlap([from, to]: Range, low: number, high: number): Range | null {
  const start = Math.max(from, low)
  const end = Math.min(to, high)
  return start <= end ? [start, end] : null
}

function merged(ranges: readonly Range[]): Range[] {
  const out: Range[] = []
  for (const [from, to] of ranges.toSorted((a, b) => a[0] - b[0])) {
    const last = out.at(-1)
    if (last && from <= last[1] + 1) out[out.length - 1] = [last[0], Math.max(last[1], to)]
    else out.push([from, to])
  }
  return out
}

/** Of ranges that are sorted and do not touch. */
function complement(ranges: readonly Range[]): Range[] {
  const out: Range[] = []
  let next = 0
  for (const [from, to] of ranges) {
    if (from > next) out.push([next, from - 1])
    next = to + 1
  }
  if (next <= characterMax) out.push([next, characterMax])
  return out
}
