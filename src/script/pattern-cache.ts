import { LRUCache } from 'lru-cache'
import type { Pattern } from '../../grammar/program.ts'
import { limits } from '../limits.ts'
import { compilePattern, matchesNothing } from './pattern.ts'

/**
 * Patterns that a script makes at run time: `=~ $var(x)`. Compiled once, the most recently used are kept. Whatever
 * such a pattern holds may come from the wire, so nobody takes the time to examine it: the small ones run in V8's
 * engine, all others in the linear one.
 */
export class PatternCache {
  readonly #patterns = new LRUCache<string, Pattern | string>({ max: limits.dynamicPatternsMax })

  /** What is wrong with a bad pattern is told to `onProblem` each time; the pattern then matches nothing. */
  get(source: string, ignoreCase: boolean, onProblem: (problem: string) => void): Pattern {
    const key = ignoreCase ? `i${source}` : `c${source}`
    let pattern = this.#patterns.get(key)
    if (pattern === undefined) {
      pattern = compilePattern(source, { ignoreCase, isTrusted: false })
      this.#patterns.set(key, pattern)
    }
    if (typeof pattern !== 'string') return pattern
    onProblem(pattern)
    return matchesNothing
  }
}
