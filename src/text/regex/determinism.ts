import { areDisjoint, charactersOf, everyCharacter } from './character-set.ts'
import type { Node, Range } from './posix.ts'

/**
 * May a backtracking engine look for places? It takes the first match that its preferences lead to, POSIX asks for
 * the longest of the leftmost. Both agree if at each point of the text one character leads on in one way only
 * (Glushkov's automaton is deterministic), and no alternative is empty.
 */
export function isDeterministic(root: Node, ignoreCase: boolean): boolean {
  const automaton = new Glushkov(ignoreCase)
  const whole = automaton.read(root)
  return automaton.isReadable && automaton.arePairwiseDisjoint(whole.first) && automaton.isDeterministic()
}

/** A set of characters in the pattern, by its number. */
type Position = number

interface Part {
  readonly isNullable: boolean
  readonly first: readonly Position[]
  readonly last: readonly Position[]
}

const empty: Part = { isNullable: true, first: [], last: [] }
const positionsMax = 128

class Glushkov {
  readonly #ignoreCase: boolean
  readonly #characters: (readonly Range[])[] = []
  readonly #follow: Set<Position>[] = []
  isReadable = true

  constructor(ignoreCase: boolean) {
    this.#ignoreCase = ignoreCase
  }

  read(node: Node): Part {
    switch (node.type) {
      case 'set':
        return this.#position(charactersOf(node, this.#ignoreCase))
      case 'any':
        return this.#position(everyCharacter)
      case 'group':
        return this.read(node.child)
      case 'sequence':
        return node.children.reduce<Part>((before, child) => this.#join(before, this.read(child)), empty)
      case 'choice':
        return this.#choice(node.children)
      case 'repeat':
        return this.#repeat(node)
      case 'back-reference':
        this.isReadable = false
        return empty
      default:
        return empty
    }
  }

  isDeterministic(): boolean {
    return this.#follow.every((positions) => this.arePairwiseDisjoint([...positions]))
  }

  arePairwiseDisjoint(positions: readonly Position[]): boolean {
    return positions.every((a, index) =>
      positions.slice(index + 1).every((b) => areDisjoint(this.#of(a), this.#of(b))),
    )
  }

  #of(position: Position): readonly Range[] {
    return this.#characters[position] ?? everyCharacter
  }

  #position(characters: readonly Range[]): Part {
    const position = this.#characters.length
    if (position >= positionsMax) {
      this.isReadable = false
      return empty
    }
    this.#characters.push(characters)
    this.#follow.push(new Set())
    return { isNullable: false, first: [position], last: [position] }
  }

  #join(before: Part, after: Part): Part {
    this.#connect(before.last, after.first)
    return {
      isNullable: before.isNullable && after.isNullable,
      first: before.isNullable ? [...before.first, ...after.first] : before.first,
      last: after.isNullable ? [...before.last, ...after.last] : after.last,
    }
  }

  #choice(children: readonly Node[]): Part {
    const parts = children.map((child) => this.read(child))
    // An empty alternative would win although a longer one matches.
    if (parts.some(({ isNullable }) => isNullable)) this.isReadable = false
    return {
      isNullable: false,
      first: parts.flatMap(({ first }) => first),
      last: parts.flatMap(({ last }) => last),
    }
  }

  /** A counted repetition is read as an unbounded one, which is deterministic less often. */
  #repeat(node: Extract<Node, { type: 'repeat' }>): Part {
    const part = this.read(node.child)
    if (node.max !== 1) this.#connect(part.last, part.first)
    return { ...part, isNullable: part.isNullable || node.min === 0 }
  }

  #connect(from: readonly Position[], to: readonly Position[]): void {
    for (const position of from) {
      for (const next of to) this.#follow[position]?.add(next)
    }
  }
}
