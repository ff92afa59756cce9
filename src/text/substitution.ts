import { ArgumentProblem, type HoldsVariables } from '../../grammar/declarations.ts'
import type { Pattern } from '../../grammar/program.ts'
import { parseVariable } from '../../grammar/pseudo-variable.ts'

/**
 * Substitution expressions in sed's style, as Kamailio's subst() family and {re.subst} have them:
 * `/expression/replacement/flags`, where any character may stand for the slash.
 *
 * - flags: `i` ignores case, `g` replaces every match, `s` lets the expression see the whole text; without it each
 *   line is matched on its own, as POSIX REG_NEWLINE does (measured on Kamailio 5.6.3)
 * - replacement: `\0` to `\9` are the match and its groups, `\n` `\r` `\t` the control characters, `\u` is the
 *   Request-URI, `$name` a pseudo-variable, `$$` a dollar sign; any other escaped character is itself
 */
export interface Substitution extends HoldsVariables {
  readonly pattern: Pattern
  /** The changed text; null if nothing matched. `evaluate` gives the values of pseudo-variables, '' without it. */
  apply(subject: string, evaluate?: (variable: string) => string): string | null
  /** The same as a list of cuts, in order: for texts that are not changed in place. */
  cuts(subject: string, evaluate?: (variable: string) => string): Cut[]
}

/** `subject.slice(start, end)` becomes `text`. */
export interface Cut {
  readonly start: number
  readonly end: number
  readonly text: string
}

type CompileExpression = (source: string, flags: { ignoreCase: boolean }) => Pattern | string

/** @throws ArgumentProblem that says what is wrong with the expression. */
export function parseSubstitution(text: string, compile: CompileExpression): Substitution {
  const [source, replacement, flags] = splitParts(text)
  checkFlags(flags)
  const pattern = compile(source, { ignoreCase: flags.includes('i') })
  if (typeof pattern === 'string') throw new ArgumentProblem(`bad regular expression: ${pattern}`)
  const isByLine = !flags.includes('s') && !source.includes('\n')
  return new ParsedSubstitution(pattern, parseReplacement(replacement), flags.includes('g'), isByLine)
}

/** Evaluates the pseudo-variables of a substitution that was an argument in a script, for one message. */
export function evaluatorOf<C>(
  substitution: Substitution,
  context: C,
): ((variable: string) => string) | undefined {
  const { variables, readers } = substitution
  if (variables.length === 0) return undefined
  return (variable) => {
    const read = readers[variables.indexOf(variable)] as ((context: C) => string) | undefined
    return read?.(context) ?? ''
  }
}

/** The matches of a pattern where each line is matched on its own; only the first one unless `isGlobal`. */
export function matchesByLine(pattern: Pattern, subject: string, isGlobal: boolean): (readonly number[])[] {
  const found: (readonly number[])[] = []
  for (let start = 0; start <= subject.length; ) {
    const newline = subject.indexOf('\n', start)
    const end = newline === -1 ? subject.length : newline
    addMatches(pattern, subject.slice(start, end), start, isGlobal, found)
    if (!isGlobal && found.length > 0) break
    start = end + 1
  }
  return found
}

/** The matches of a pattern that sees the whole text. */
export function matchesAtOnce(pattern: Pattern, subject: string, isGlobal: boolean): (readonly number[])[] {
  return addMatches(pattern, subject, 0, isGlobal, [])
}

/** A literal, the number of a group, or a pseudo-variable. */
type Piece = string | number | { readonly variable: string }

class ParsedSubstitution implements Substitution {
  readonly pattern: Pattern
  readonly variables: readonly string[]
  readers: readonly ((context: never) => string)[] = []
  readonly #pieces: readonly Piece[]
  readonly #isGlobal: boolean
  readonly #isByLine: boolean

  constructor(pattern: Pattern, pieces: readonly Piece[], isGlobal: boolean, isByLine: boolean) {
    this.pattern = pattern
    this.variables = pieces.flatMap((piece) => (typeof piece === 'object' ? [piece.variable] : []))
    this.#pieces = pieces
    this.#isGlobal = isGlobal
    this.#isByLine = isByLine
  }

  apply(subject: string, evaluate?: (variable: string) => string): string | null {
    const cuts = this.cuts(subject, evaluate)
    if (cuts.length === 0) return null
    let changed = ''
    let position = 0
    for (const { start, end, text } of cuts) {
      changed += subject.slice(position, start) + text
      position = end
    }
    return changed + subject.slice(position)
  }

  cuts(subject: string, evaluate?: (variable: string) => string): Cut[] {
    const matches = this.#isByLine
      ? matchesByLine(this.pattern, subject, this.#isGlobal)
      : matchesAtOnce(this.pattern, subject, this.#isGlobal)
    return matches.map((match) => ({
      start: match[0] ?? 0,
      end: match[1] ?? 0,
      text: this.#replacement(subject, match, evaluate),
    }))
  }

  #replacement(
    subject: string,
    match: readonly number[],
    evaluate: ((variable: string) => string) | undefined,
  ): string {
    let text = ''
    for (const piece of this.#pieces) {
      if (typeof piece === 'string') text += piece
      else if (typeof piece === 'number') text += groupOf(subject, match, piece)
      else text += evaluate?.(piece.variable) ?? ''
    }
    return text
  }
}

/** Adds the matches within `line`, which starts at `offset` of the subject. An empty match moves on by one. */
function addMatches(
  pattern: Pattern,
  line: string,
  offset: number,
  isGlobal: boolean,
  found: (readonly number[])[],
): (readonly number[])[] {
  let position = 0
  while (position <= line.length) {
    const match = pattern.match(line, position)
    if (match === null) break
    found.push(offset === 0 ? match : match.map((place) => (place < 0 ? place : place + offset)))
    if (!isGlobal) break
    const [start = position, end = position] = match
    position = end > start ? end : end + 1
  }
  return found
}

function groupOf(subject: string, match: readonly number[], group: number): string {
  const start = match[2 * group] ?? -1
  return start < 0 ? '' : subject.slice(start, match[2 * group + 1])
}

function splitParts(text: string): [source: string, replacement: string, flags: string] {
  const delimiter = text[0]
  if (delimiter === undefined) throw new ArgumentProblem('the substitution expression is empty', shape)
  const afterSource = indexOfDelimiter(text, delimiter, 1)
  const afterReplacement = afterSource === -1 ? -1 : indexOfDelimiter(text, delimiter, afterSource + 1)
  if (afterReplacement === -1) {
    throw new ArgumentProblem(`the substitution expression lacks a closing ${delimiter}`, shape)
  }
  const source = text.slice(1, afterSource).replaceAll(`\\${delimiter}`, delimiter)
  if (source === '') throw new ArgumentProblem('the regular expression is empty', shape)
  return [source, text.slice(afterSource + 1, afterReplacement), text.slice(afterReplacement + 1)]
}

const shape = "write it as '/expression/replacement/flags'"

function indexOfDelimiter(text: string, delimiter: string, from: number): number {
  for (let i = from; i < text.length; i++) {
    if (text[i] === '\\') i++
    else if (text[i] === delimiter) return i
  }
  return -1
}

function checkFlags(flags: string): void {
  const unknown = [...flags].find((flag) => !'igs'.includes(flag))
  if (unknown === undefined) return
  throw new ArgumentProblem(`unknown flag ${unknown} of a substitution`, 'flags are i, g and s')
}

function parseReplacement(text: string): Piece[] {
  const pieces: Piece[] = []
  let literal = ''
  const take = (piece: Piece) => {
    if (literal !== '') pieces.push(literal)
    literal = ''
    pieces.push(piece)
  }
  for (let at = 0; at < text.length; at++) {
    const character = text[at] ?? ''
    if (character === '\\') {
      const escaped = text[++at] ?? '\\'
      if (escaped >= '0' && escaped <= '9') take(Number(escaped))
      else if (escaped === 'u') take({ variable: '$ru' })
      else literal += controls.get(escaped) ?? escaped
    } else if (character === '$' && text[at + 1] === '$') {
      literal += text[++at] ?? ''
    } else if (character === '$') {
      const variable = parseVariable(text, at)
      if ('problem' in variable) throw new ArgumentProblem(`in the replacement: ${variable.problem}`)
      take({ variable: variable.text })
      at += variable.text.length - 1
    } else {
      literal += character
    }
  }
  if (literal !== '') pieces.push(literal)
  return pieces
}

const controls: ReadonlyMap<string, string> = new Map([
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
])
