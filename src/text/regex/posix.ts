/**
 * POSIX extended regular expressions as glibc's regcomp reads them (IEEE Std 1003.1 §9.4, with the GNU operators),
 * parsed into a small tree. What differs from JavaScript's syntax: bracket expressions (classes, no escapes within),
 * no lazy or possessive quantifiers (`a+?` is an optional `a+`), an escaped letter that means nothing is that letter
 * (`\d` is `d`), and `)` without its partner is a character.
 */
export type Node =
  /** Characters by code, inclusive ranges; negated: all others. */
  | { readonly type: 'set'; readonly ranges: readonly Range[]; readonly isNegated: boolean }
  /** `.` */
  | { readonly type: 'any' }
  | { readonly type: 'start' | 'end' | 'word-edge' | 'no-word-edge' }
  | { readonly type: 'group'; readonly index: number; readonly child: Node }
  | { readonly type: 'back-reference'; readonly index: number }
  | { readonly type: 'sequence'; readonly children: readonly Node[] }
  | { readonly type: 'choice'; readonly children: readonly Node[] }
  /** `max` null: without bound. */
  | { readonly type: 'repeat'; readonly child: Node; readonly min: number; readonly max: number | null }

export type Range = readonly [from: number, to: number]

export interface PosixPattern {
  readonly root: Node
  readonly groupCount: number
  readonly hasBackReferences: boolean
  /** What the writer may have meant otherwise. */
  readonly remarks: readonly string[]
}

/** RE2's bound on counted repetition. */
const repeatMax = 1000
/** Nested groups; the parser recurses. */
const nestingMax = 250

/** The tree, or what is wrong in words. */
export function parsePosix(source: string): PosixPattern | string {
  try {
    return new PosixParser(source).parse()
  } catch (error) {
    if (error instanceof PatternProblem) return error.message
    throw error
  }
}

class PatternProblem extends Error {}

class PosixParser {
  readonly #source: string
  readonly #remarks: string[] = []
  #at = 0
  #groups = 0
  #closed = new Set<number>()
  #depth = 0
  #hasBackReferences = false

  constructor(source: string) {
    this.#source = source
  }

  parse(): PosixPattern {
    const root = this.#choice()
    return {
      root,
      groupCount: this.#groups,
      hasBackReferences: this.#hasBackReferences,
      remarks: this.#remarks,
    }
  }

  #choice(): Node {
    const children = [this.#sequence()]
    while (this.#peek() === '|') {
      this.#at += 1
      children.push(this.#sequence())
    }
    const [only] = children
    return children.length === 1 && only ? only : { type: 'choice', children }
  }

  #sequence(): Node {
    const children: Node[] = []
    for (let next = this.#peek(); next !== '' && next !== '|'; next = this.#peek()) {
      if (next === ')' && this.#depth > 0) break
      children.push(this.#repeated())
    }
    const [only] = children
    return children.length === 1 && only ? only : { type: 'sequence', children }
  }

  #repeated(): Node {
    const first = this.#peek()
    if (first === '*' || first === '+' || first === '?' || first === '{') {
      throw new PatternProblem(`there is nothing before '${first}' that could be repeated`)
    }
    let node = this.#atom()
    for (;;) {
      const bounds = this.#quantifier()
      if (!bounds) return node
      node = { type: 'repeat', child: node, min: bounds.min, max: bounds.max }
    }
  }

  #quantifier(): { min: number; max: number | null } | null {
    const next = this.#peek()
    if (next === '{') return this.#interval()
    if (next !== '*' && next !== '+' && next !== '?') return null
    this.#at += 1
    if (next === '*') return { min: 0, max: null }
    if (next === '+') return { min: 1, max: null }
    return { min: 0, max: 1 }
  }

  #interval(): { min: number; max: number | null } {
    const found = /^\{(\d*)(,?)(\d*)\}/.exec(this.#source.slice(this.#at, this.#at + 16))
    const [whole = '', low = '', comma = '', high = ''] = found ?? []
    if (whole === '' || (low === '' && comma === '')) {
      throw new PatternProblem("'{' must be followed by {n}, {n,} or {n,m}; write \\{ for the character")
    }
    this.#at += whole.length
    const min = low === '' ? 0 : Number(low)
    const max = comma === '' ? min : high === '' ? null : Number(high)
    if (min > repeatMax || (max !== null && (max > repeatMax || max < min))) {
      throw new PatternProblem(`the bounds in ${whole} are out of order or above ${repeatMax}`)
    }
    return { min, max }
  }

  #atom(): Node {
    const next = this.#take()
    if (next === '(') return this.#group()
    if (next === '[') return this.#bracket()
    if (next === '.') return { type: 'any' }
    if (next === '^') return { type: 'start' }
    if (next === '$') return { type: 'end' }
    if (next === '\\') return this.#escape()
    return character(next)
  }

  #group(): Node {
    this.#groups += 1
    const index = this.#groups
    this.#depth += 1
    if (this.#depth > nestingMax) throw new PatternProblem('too many nested parentheses')
    const child = this.#choice()
    this.#depth -= 1
    if (this.#take() !== ')') throw new PatternProblem("'(' without its ')'")
    this.#closed.add(index)
    return { type: 'group', index, child }
  }

  #escape(): Node {
    const next = this.#take()
    if (next === '') throw new PatternProblem('a backslash at the end')
    if (next >= '1' && next <= '9') return this.#backReference(Number(next))
    const node = gnuOperators.get(next)
    if (node) return node
    if (/[a-zA-Z]/.test(next)) this.#remarkLetter(next)
    return character(next)
  }

  #backReference(index: number): Node {
    if (!this.#closed.has(index)) throw new PatternProblem(`\\${index} refers to no group before it`)
    this.#hasBackReferences = true
    return { type: 'back-reference', index }
  }

  #remarkLetter(letter: string): void {
    const meant = letter === 'd' ? ': write [0-9] for a digit' : ''
    this.#remarks.push(`\\${letter} is the letter ${letter} in a POSIX expression${meant}`)
  }

  /** IEEE Std 1003.1 §9.3.5: `]` first is itself, a backslash is itself, `-` at either end is itself. */
  #bracket(): Node {
    const isNegated = this.#peek() === '^'
    if (isNegated) this.#at += 1
    const ranges: Range[] = []
    for (let isFirst = true; isFirst || this.#peek() !== ']'; isFirst = false) {
      if (this.#peek() === '') throw new PatternProblem("'[' without its ']'")
      this.#bracketItem(ranges)
    }
    this.#at += 1
    return { type: 'set', ranges, isNegated }
  }

  #bracketItem(ranges: Range[]): void {
    const named = this.#characterClass()
    if (named) {
      ranges.push(...named)
      return
    }
    const from = this.#bracketCharacter()
    const isRange =
      this.#peek() === '-' && this.#source[this.#at + 1] !== ']' && this.#source.length > this.#at + 1
    if (!isRange) {
      ranges.push([from, from])
      return
    }
    this.#at += 1
    const to = this.#bracketCharacter()
    if (to < from) throw new PatternProblem('a range in brackets runs backwards')
    ranges.push([from, to])
  }

  #characterClass(): readonly Range[] | null {
    if (!this.#source.startsWith('[:', this.#at)) return null
    const end = this.#source.indexOf(':]', this.#at + 2)
    const name = end < 0 ? '' : this.#source.slice(this.#at + 2, end)
    const ranges = characterClasses.get(name)
    if (!ranges) throw new PatternProblem(`there is no character class [:${name}:]`)
    this.#at = end + 2
    return ranges
  }

  /** One character, or `[.x.]`, `[=x=]`: in the C locale both are the character. */
  #bracketCharacter(): number {
    const collating = /^\[([.=])([\s\S])\1\]/.exec(this.#source.slice(this.#at, this.#at + 5))
    if (collating?.[2]) {
      this.#at += 5
      return collating[2].charCodeAt(0)
    }
    if (this.#peek() === '') throw new PatternProblem("'[' without its ']'")
    return this.#take().charCodeAt(0)
  }

  #peek(): string {
    return this.#source[this.#at] ?? ''
  }

  #take(): string {
    const next = this.#peek()
    if (next !== '') this.#at += 1
    return next
  }
}

const digits: Range = [48, 57]
const upper: Range = [65, 90]
const lower: Range = [97, 122]
const blanks: readonly Range[] = [
  [9, 13],
  [32, 32],
]
const wordCharacters: readonly Range[] = [digits, upper, [95, 95], lower]

/** In the C locale. */
const characterClasses: ReadonlyMap<string, readonly Range[]> = new Map<string, readonly Range[]>([
  ['alnum', [digits, upper, lower]],
  ['alpha', [upper, lower]],
  [
    'blank',
    [
      [9, 9],
      [32, 32],
    ],
  ],
  [
    'cntrl',
    [
      [0, 31],
      [127, 127],
    ],
  ],
  ['digit', [digits]],
  ['graph', [[33, 126]]],
  ['lower', [lower]],
  ['print', [[32, 126]]],
  [
    'punct',
    [
      [33, 47],
      [58, 64],
      [91, 96],
      [123, 126],
    ],
  ],
  ['space', blanks],
  ['upper', [upper]],
  ['xdigit', [digits, [65, 70], [97, 102]]],
])

const gnuOperators: ReadonlyMap<string, Node> = new Map<string, Node>([
  ['w', { type: 'set', ranges: wordCharacters, isNegated: false }],
  ['W', { type: 'set', ranges: wordCharacters, isNegated: true }],
  ['s', { type: 'set', ranges: blanks, isNegated: false }],
  ['S', { type: 'set', ranges: blanks, isNegated: true }],
  ['b', { type: 'word-edge' }],
  ['<', { type: 'word-edge' }],
  ['>', { type: 'word-edge' }],
  ['B', { type: 'no-word-edge' }],
  ['`', { type: 'start' }],
  ["'", { type: 'end' }],
])

function character(text: string): Node {
  const code = text.charCodeAt(0)
  return { type: 'set', ranges: [[code, code]], isNegated: false }
}
