import { RE2JS } from 're2js'
import type { Pattern } from '../../grammar/program.ts'
import { isHarmless } from './regex/cost.ts'
import { isDeterministic } from './regex/determinism.ts'
import { writePattern } from './regex/javascript.ts'
import { parsePosix } from './regex/posix.ts'

/**
 * Regular expressions of scripts: POSIX extended, case folded for ASCII, a dot matches any character. Subjects come
 * from the wire, so no pattern may take more than linear time. Patterns that cannot make a backtracking engine
 * backtrack run in V8's engine, all others in RE2JS, which is some fifty times slower and linear by construction.
 * Where the longest match can differ from the first one found (subst and the like), RE2JS looks for it.
 */
interface PatternOptions {
  readonly ignoreCase: boolean
  /**
   * False for a pattern that is made at run time: it gets no more than a look at its size, and runs in the linear
   * engine if that does not settle it. True if absent.
   */
  readonly isTrusted?: boolean
}

/** A pattern, or what is wrong with it in words. */
export function compilePattern(source: string, options: PatternOptions): Pattern | string {
  if (source.length > sourceLengthMax) return `longer than ${sourceLengthMax} characters`
  const parsed = parsePosix(source)
  if (typeof parsed === 'string') return parsed
  const written = writePattern(parsed.root, options.ignoreCase && !parsed.hasBackReferences)
  if (parsed.hasBackReferences) return compileWithReferences(source, written, options)
  const remarks = parsed.remarks.join('; ')
  if (isHarmless(parsed.root, options.isTrusted === false ? null : written)) {
    const isLongest = isDeterministic(parsed.root, options.ignoreCase)
    if (remarks === '' && isPlainText(source))
      return new PlainPattern(source, written, isLongest, options.ignoreCase)
    return new NativePattern(source, written, '', isLongest, remarks === '' ? null : remarks)
  }
  const slow = 'a text could be read in many ways, so it runs in the linear engine, which is slower'
  try {
    return new LinearPattern(source, written, remarks === '' ? slow : `${slow}; ${remarks}`)
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

export const matchesNothing: Pattern = {
  source: '',
  note: null,
  test: () => false,
  match: () => null,
}

const sourceLengthMax = 8_192

/** No linear engine knows back references: they run in V8's, or not at all. */
function compileWithReferences(source: string, written: string, options: PatternOptions): Pattern | string {
  const parsed = parsePosix(source)
  const isSafe = options.isTrusted !== false && typeof parsed !== 'string' && isHarmless(parsed.root, written)
  if (!isSafe) return 'a pattern with a back reference that cannot be matched in linear time'
  return new NativePattern(source, written, options.ignoreCase ? 'i' : '', true, null)
}

class NativePattern implements Pattern {
  readonly source: string
  readonly note: string | null
  readonly #written: string
  readonly #flags: string
  /** What V8 finds first is the longest match, or nobody else could find it. */
  readonly #findsLongest: boolean
  readonly #expression: RegExp
  #matcher: ((subject: string, from: number) => number[] | null) | null = null

  constructor(source: string, written: string, flags: string, findsLongest: boolean, note: string | null) {
    this.source = source
    this.note = note
    this.#written = written
    this.#flags = flags
    this.#findsLongest = findsLongest
    this.#expression = new RegExp(written, `s${flags}`)
  }

  test(subject: string): boolean {
    return this.#expression.test(subject)
  }

  match(subject: string, from = 0): readonly number[] | null {
    this.#matcher ??= this.#makeMatcher()
    return this.#matcher(subject, from)
  }

  /** Places are asked for by few functions: this second expression is made when the first one asks. */
  #makeMatcher(): (subject: string, from: number) => number[] | null {
    if (!this.#findsLongest) return longestMatcher(this.#written)
    const expression = new RegExp(this.#written, `dgs${this.#flags}`)
    return (subject, from) => {
      expression.lastIndex = from
      const found = expression.exec(subject)
      if (!found?.indices) return null
      return found.indices.flatMap((pair) => pair ?? [-1, -1])
    }
  }
}

/** No operator of regular expressions, and no letter whose other case anybody could argue about. */
function isPlainText(source: string): boolean {
  return /^[A-Za-z0-9 _=@,;:/<>"'!%&~-]{2,}$/.test(source)
}

/**
 * A text to be found: `quick brown`. Subjects can be whole bodies, and V8 searches for a letter ten times faster than
 * for `[Qq]`: 48 ns instead of 405 for 680 octets in which it is not. Short ones are not worth a second look.
 */
class PlainPattern extends NativePattern {
  readonly #ignoreCase: boolean
  readonly #rare: string
  readonly #rareOther: string

  constructor(source: string, written: string, findsLongest: boolean, ignoreCase: boolean) {
    super(source, written, '', findsLongest, null)
    this.#ignoreCase = ignoreCase
    const rare = rarestOf(source)
    this.#rare = rare.toLowerCase()
    this.#rareOther = rare.toUpperCase()
  }

  override test(subject: string): boolean {
    if (subject.length < longSubject) return super.test(subject)
    if (subject.includes(this.source)) return true
    if (!this.#ignoreCase) return false
    return (subject.includes(this.#rare) || subject.includes(this.#rareOther)) && super.test(subject)
  }
}

const longSubject = 100

/** Of what people write, the rarest first; digits and signs count as rare. */
function rarestOf(text: string): string {
  let rarest = text.charAt(0)
  for (const character of text) if (frequency(character) < frequency(rarest)) rarest = character
  return rarest
}

/** The lower, the rarer. */
function frequency(character: string): number {
  return 'zqjxkvbpygfwmucldrhsnioate '.indexOf(character.toLowerCase())
}

class LinearPattern implements Pattern {
  readonly source: string
  readonly note: string
  readonly #written: string
  readonly #expression: RE2JS
  #matcher: ((subject: string, from: number) => number[] | null) | null = null

  constructor(source: string, written: string, note: string) {
    this.source = source
    this.note = note
    this.#written = written
    this.#expression = RE2JS.compile(re2Syntax(written), RE2JS.DOTALL)
  }

  test(subject: string): boolean {
    return this.#expression.test(subject)
  }

  match(subject: string, from = 0): readonly number[] | null {
    this.#matcher ??= longestMatcher(this.#written)
    return this.#matcher(subject, from)
  }
}

/** POSIX: the longest of the leftmost matches. */
function longestMatcher(written: string): (subject: string, from: number) => number[] | null {
  const expression = RE2JS.compile(re2Syntax(written), RE2JS.DOTALL | RE2JS.LONGEST_MATCH)
  return (subject, from) => {
    const matcher = expression.matcher(subject)
    if (from > subject.length || !matcher.find(from)) return null
    const places: number[] = []
    for (let group = 0; group <= matcher.groupCount(); group++) {
      places.push(matcher.start(group), matcher.end(group))
    }
    return places
  }
}

/** RE2 writes characters above U+00FF as \x{...}. */
function re2Syntax(written: string): string {
  return written.replace(/\\u([0-9a-f]{4})/g, '\\x{$1}')
}
