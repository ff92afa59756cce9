import { isSafePattern } from 'redos-detector'
import type { Node } from './posix.ts'

/**
 * May a backtracking engine run this pattern on text that an attacker wrote? Yes if the work for one starting point is
 * bounded by a small constant: either the pattern has no unbounded repetition and few ways through it, which is easy
 * to count, or redos-detector finds that no text can be read in many ways. That takes milliseconds: `written` is null
 * where there is no time for it.
 *
 * Compared on patterns that scripts have: recheck 4.5 judges a few more of them harmless (`^(.*)@(.*)$`), but brings
 * three megabytes and optional downloads; both find all that is vicious. What is judged too harshly runs slower.
 */
export function isHarmless(root: Node, written: string | null): boolean {
  const bound = boundOf(root)
  if (bound !== null && bound.ways * bound.width <= stepsPerStartMax) return true
  return written !== null && hasBoundedScore(written)
}

/** Matching steps at one starting point: about a microsecond. */
const stepsPerStartMax = 512
/** Ways to read one text that we still call harmless. */
const scoreMax = 20
/** About a hundred milliseconds; who needs more is not harmless enough. */
const detectorStepsMax = 2_000

function hasBoundedScore(written: string): boolean {
  const { safe, score } = isSafePattern(written, {
    dotAll: true,
    maxScore: scoreMax,
    maxSteps: detectorStepsMax,
  })
  return safe && !score.infinite
}

interface Bound {
  /** Ways through the pattern. */
  readonly ways: number
  /** Characters of the longest one. */
  readonly width: number
}

const countMax = 1_000_000

/** Null if the pattern can match texts of any length. */
function boundOf(node: Node): Bound | null {
  switch (node.type) {
    case 'set':
    case 'any':
    case 'start':
    case 'end':
    case 'word-edge':
    case 'no-word-edge':
      return { ways: 1, width: 1 }
    case 'back-reference':
      return null
    case 'group':
      return boundOf(node.child)
    case 'sequence':
      return boundOfAll(
        node.children,
        (ways, more) => ways * more,
        (width, more) => width + more,
        1,
      )
    case 'choice':
      return boundOfAll(node.children, (ways, more) => ways + more, Math.max, 0)
    case 'repeat':
      return boundOfRepeat(node)
  }
}

function boundOfAll(
  nodes: readonly Node[],
  ways: (sum: number, more: number) => number,
  width: (sum: number, more: number) => number,
  waysOfNone: number,
): Bound | null {
  let sum: Bound = { ways: waysOfNone, width: 0 }
  for (const node of nodes) {
    const bound = boundOf(node)
    if (!bound) return null
    sum = { ways: Math.min(countMax, ways(sum.ways, bound.ways)), width: width(sum.width, bound.width) }
  }
  return sum
}

function boundOfRepeat(node: Extract<Node, { type: 'repeat' }>): Bound | null {
  const child = boundOf(node.child)
  if (!child || node.max === null) return null
  let ways = 0
  for (let count = node.min; count <= node.max; count++) ways += child.ways ** count
  return { ways: Math.min(countMax, ways), width: child.width * node.max }
}
