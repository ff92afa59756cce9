import { LRUCache } from 'lru-cache'
import type { Pattern } from '../../grammar/program.ts'
import { limits } from '../limits.ts'
import { compilePattern } from './pattern.ts'

/**
 * Patterns that a script makes at run time: `=~ $var(x)`. Compiled once, the most recently used are kept. Whatever
 * such a pattern holds may come from the wire, so nobody takes the time to examine it: the small ones run in V8's
 * engine, all others in the linear one.
 */
export class PatternCache {
  readonly #patterns = new LRUCache<string, Pattern | string>({ max: limits.dynamicPatternsMax })

  /** The pattern, or what is wrong with it. */
  get(source: string, ignoreCase: boolean): Pattern | string {
    const key = ignoreCase ? `i${source}` : `c${source}`
    const known = this.#patterns.get(key)
    if (known !== undefined) return known
    const pattern = compilePattern(source, { ignoreCase, isTrusted: false })
    this.#patterns.set(key, pattern)
    return pattern
  }
}
