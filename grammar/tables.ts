import type { FunctionReference, Place, VariableReference } from './program.ts'
import type { Span } from './source.ts'
import type { FunctionSymbol, VariableSymbol } from './symbols.ts'

/**
 * What a program refers to by number: functions, variables, $var slots, constants, places. Each thing has one number
 * however often it is used.
 */
export class Tables {
  readonly functions: FunctionReference[] = []
  readonly variables: VariableReference[] = []
  /** Names of the $var slots: the index is the slot. */
  readonly slotNames: string[] = []
  /** Prepared arguments, patterns, prepare and apply functions. */
  readonly constants: unknown[] = []
  readonly places: Place[] = []

  readonly #functionNumbers = new Map<string, number>()
  readonly #variableNumbers = new Map<string, number>()
  readonly #slots = new Map<string, number>()
  readonly #constantNumbers = new Map<unknown, number>()
  readonly #made = new Map<(text: string) => unknown, Map<string, unknown>>()
  readonly #placeNumbers = new Map<string, number>()

  functionNumber(symbol: FunctionSymbol, waits: boolean): number {
    return numberOf(this.#functionNumbers, `${symbol.module} ${symbol.name}`, this.functions, () => ({
      module: symbol.module,
      name: symbol.name,
      ...(waits && { waits }),
    }))
  }

  variableNumber(symbol: VariableSymbol): number {
    return numberOf(this.#variableNumbers, `${symbol.module} ${symbol.name}`, this.variables, () => ({
      module: symbol.module,
      name: symbol.name,
    }))
  }

  slot(name: string): number {
    return numberOf(this.#slots, name, this.slotNames, () => name)
  }

  constant(value: unknown): number {
    return numberOf(this.#constantNumbers, value, this.constants, () => value)
  }

  /** The number of what `make` gives for the text, made at most once; null if that is null. */
  madeOnce(make: (text: string) => unknown, text: string): number | null {
    const known = this.#made.get(make) ?? new Map<string, unknown>()
    this.#made.set(make, known)
    if (!known.has(text)) known.set(text, make(text))
    const made = known.get(text)
    return made === null ? null : this.constant(made)
  }

  place(span: Span, text: string): number {
    const key = `${span.file}:${span.line}:${span.column} ${text}`
    return numberOf(this.#placeNumbers, key, this.places, () => ({
      file: span.file,
      line: span.line,
      column: span.column,
      text,
    }))
  }
}

function numberOf<K, T>(numbers: Map<K, number>, key: K, list: T[], make: () => T): number {
  const known = numbers.get(key)
  if (known !== undefined) return known
  const number = list.length
  list.push(make())
  numbers.set(key, number)
  return number
}
