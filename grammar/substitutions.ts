import { bounds } from './bounds.ts'
import type { CompileHost, Pattern } from './program.ts'

/**
 * `#!subst "/expression/replacement/flags"`: rules that every later string and pseudo-variable goes through. The
 * first character is the delimiter; flags are g (all matches), i (ignore case) and s (accepted: `.` matches a line
 * end anyway). `\0` to `\9` in the replacement stand for the match and its groups.
 */
export class Substitutions {
  readonly #rules: Rule[] = []

  get isEmpty(): boolean {
    return this.#rules.length === 0
  }

  add(rule: Rule): void {
    this.#rules.push(rule)
  }

  /** Applies all rules in the order they were written; null if the text grows beyond its bound. */
  apply(text: string): string | null {
    let result = text
    for (const rule of this.#rules) {
      result = applyRule(rule, result)
      if (result.length > bounds.substitutedCharactersMax) return null
    }
    return result
  }
}

export interface Rule {
  readonly pattern: Pattern
  /** Text, or the number of a group. */
  readonly replacement: readonly (string | number)[]
  readonly isGlobal: boolean
}

/** The three parts of a rule as written. */
export interface RuleText {
  readonly expression: string
  readonly replacement: string
  readonly flags: string
}

/** A string says what is wrong. A delimiter is escaped by `\`. */
export function splitRule(text: string): RuleText | string {
  const delimiter = text.charAt(0)
  if (delimiter === '' || delimiter === '\\') return 'it needs a delimiter, an expression and a replacement'
  const second = findDelimiter(text, delimiter, 1)
  if (second === -1) return `the second ${delimiter} is missing`
  const third = findDelimiter(text, delimiter, second + 1)
  if (third === -1) return `the third ${delimiter} is missing`
  return {
    expression: unescapeDelimiter(text.slice(1, second), delimiter),
    replacement: unescapeDelimiter(text.slice(second + 1, third), delimiter),
    flags: text.slice(third + 1),
  }
}

/** Compiles a rule; a string says what is wrong with it. */
export function makeRule(rule: RuleText, host: CompileHost): Rule | string {
  const unknownFlag = /[^gis]/.exec(rule.flags)?.[0]
  if (unknownFlag !== undefined) return `there is no flag ${unknownFlag}; there are g, i and s`
  if (rule.expression.length > bounds.substitutionCharactersMax) return 'its expression is too long'
  const pattern = host.pattern(rule.expression, { ignoreCase: rule.flags.includes('i') })
  if (typeof pattern === 'string') return pattern
  return { pattern, replacement: readReplacement(rule.replacement), isGlobal: rule.flags.includes('g') }
}

function findDelimiter(text: string, delimiter: string, from: number): number {
  for (let at = from; at < text.length; at++) {
    if (text.charAt(at) === '\\') at++
    else if (text.charAt(at) === delimiter) return at
  }
  return -1
}

function unescapeDelimiter(text: string, delimiter: string): string {
  return text.replaceAll(`\\${delimiter}`, delimiter)
}

function readReplacement(text: string): (string | number)[] {
  const parts: (string | number)[] = []
  for (const match of text.matchAll(/\\([0-9])|\\([nrt\\])|(\\.|[^\\]+|\\$)/gs)) {
    if (match[1] !== undefined) parts.push(Number(match[1]))
    else parts.push(match[2] === undefined ? (match[3] ?? '') : (escapes.get(match[2]) ?? ''))
  }
  return parts
}

const escapes: ReadonlyMap<string, string> = new Map([
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
  ['\\', '\\'],
])

function applyRule(rule: Rule, text: string): string {
  let result = ''
  let from = 0
  while (from <= text.length && result.length <= bounds.substitutedCharactersMax) {
    const groups = rule.pattern.match(text, from)
    const start = groups?.[0]
    const end = groups?.[1]
    if (groups === null || start === undefined || end === undefined) break
    result += text.slice(from, start) + replace(rule, text, groups)
    // An empty match must not be found for ever: one character is copied.
    if (end === start) result += text.slice(end, end + 1)
    from = end === start ? end + 1 : end
    if (!rule.isGlobal) break
  }
  return result + text.slice(from)
}

function replace(rule: Rule, text: string, groups: readonly number[]): string {
  let result = ''
  for (const part of rule.replacement)
    result += typeof part === 'string' ? part : text.slice(groups[part * 2] ?? 0, groups[part * 2 + 1] ?? 0)
  return result
}
