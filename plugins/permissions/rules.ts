import { existsSync, readFileSync } from 'node:fs'
import { ArgumentProblem, compilePattern, type Pattern } from '../../src/plugin/index.ts'

/**
 * Kamailio's permissions.allow and permissions.deny: which URI may go with which. A line is a rule, left and right of
 * the colon stand patterns without regard to case:
 *
 *   "^sip:bob@" : "^sip:361[0-9]*@example\.com$" EXCEPT "^sip:3613@"
 *   ALL : ALL                                                             # whoever, whatever
 */
export interface Rule {
  readonly left: Expression
  readonly right: Expression
}

/** One of `patterns`, and none of `except`; null stands for ALL. */
interface Expression {
  readonly patterns: readonly Pattern[] | null
  readonly except: readonly Pattern[] | null
}

/** Two files: what the first lets pass is allowed, else what the second catches is not, else all is. */
export interface RuleFiles {
  readonly allow: readonly Rule[]
  readonly deny: readonly Rule[]
}

export function isAllowed({ allow, deny }: RuleFiles, left: string, right: string): boolean {
  const matches = (rule: Rule) => meets(rule.left, left) && meets(rule.right, right)
  return allow.some(matches) || !deny.some(matches)
}

function meets({ patterns, except }: Expression, text: string): boolean {
  if (patterns !== null && !patterns.some((pattern) => pattern.test(text))) return false
  return except === null || !except.some((pattern) => pattern.test(text))
}

/** No rules if there is no such file, as in Kamailio. @throws ArgumentProblem with the line that makes no sense. */
export function readRules(path: string): Rule[] {
  if (!existsSync(path)) return []
  const rules: Rule[] = []
  for (const [index, line] of readFileSync(path, 'latin1').split(/\r?\n/).entries()) {
    try {
      const rule = parseRule(line)
      if (rule !== null) rules.push(rule)
    } catch (error) {
      const why = error instanceof ArgumentProblem ? error.message : String(error)
      throw new ArgumentProblem(`${path}:${index + 1}: ${why}`)
    }
  }
  return rules
}

/** Null for an empty line or a comment. @throws ArgumentProblem */
export function parseRule(line: string): Rule | null {
  const tokens = tokensOf(line)
  if (tokens.length === 0) return null
  const colon = tokens.indexOf(':')
  if (colon < 0) throw new ArgumentProblem('a rule is written "left" : "right"')
  return { left: parseExpression(tokens.slice(0, colon)), right: parseExpression(tokens.slice(colon + 1)) }
}

function tokensOf(line: string): string[] {
  const tokens: string[] = []
  const token = /\s*(?:("[^"]*")|([:,])|([A-Za-z]+)|(#.*)|(\S))/y
  for (let found = token.exec(line); found !== null; found = token.exec(line)) {
    const [, quoted, sign, word, comment] = found
    if (comment !== undefined) break
    const text = quoted ?? sign ?? word?.toUpperCase()
    if (text === undefined) throw new ArgumentProblem(`'${found[5]}' makes no sense here`)
    tokens.push(text)
  }
  return tokens
}

function parseExpression(tokens: readonly string[]): Expression {
  const except = tokens.indexOf('EXCEPT')
  return except < 0
    ? { patterns: parseList(tokens), except: null }
    : { patterns: parseList(tokens.slice(0, except)), except: parseList(tokens.slice(except + 1)) ?? [] }
}

/** Null for ALL. */
function parseList(tokens: readonly string[]): Pattern[] | null {
  if (tokens.length === 1 && tokens[0] === 'ALL') return null
  const patterns: Pattern[] = []
  for (const [index, token] of tokens.entries()) {
    if (index % 2 === 1 && token === ',') continue
    if (index % 2 === 1 || !token.startsWith('"')) throw new ArgumentProblem(`'${token}' makes no sense here`)
    const pattern = compilePattern(token.slice(1, -1), { ignoreCase: true })
    if (typeof pattern === 'string') throw new ArgumentProblem(`${token}: ${pattern}`)
    patterns.push(pattern)
  }
  if (tokens.length % 2 === 0) throw new ArgumentProblem('ALL or a pattern in quotes is missing')
  return patterns
}
