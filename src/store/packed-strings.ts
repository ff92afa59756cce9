import type { PackedHeap } from './packed-heap.ts'

/**
 * Texts that many records share (a socket's label, a User-Agent), each kept once in the region and known by a number.
 * There are so many and no more, and none is ever given up: what comes when it is full is stored where it is used.
 */
const stringsMax = 1_024
/** What is longer is nobody's second one. */
const octetsMax = 255
/** Not one octet a character. */
const wide = /[\u0100-\uffff]/

export class PackedStrings {
  readonly #heap: PackedHeap
  readonly #area: number
  /** What this worker has seen of the region's. */
  readonly #texts: string[] = []
  readonly #numbers = new Map<string, number>()

  /** `area`: where they are, as `place` said when they were made; 0 for new ones. */
  constructor(heap: PackedHeap, area: number) {
    this.#heap = heap
    this.#area = area === 0 ? heap.extend((stringsMax + 1) * 4) : area
  }

  get place(): number {
    return this.#area
  }

  /** -1: it is to be stored where it is used. */
  numberOf(text: string): number {
    const known = this.#numbers.get(text)
    if (known !== undefined) return known
    if (text.length > octetsMax || this.#area === 0 || wide.test(text)) return -1
    this.#learn()
    return this.#numbers.get(text) ?? this.#add(text)
  }

  textOf(number: number): string {
    if (number >= this.#texts.length) this.#learn()
    return this.#texts[number] ?? ''
  }

  #add(text: string): number {
    const number = this.#texts.length
    if (number >= stringsMax) return -1
    const piece = this.#heap.extend(4 + text.length)
    if (piece === 0) return -1
    const { words, bytes } = this.#heap
    words[piece >> 2] = text.length
    bytes.latin1Write(text, piece + 4, text.length)
    const area = this.#area >> 2
    words[area + 1 + number] = piece
    words[area] = number + 1
    this.#note(text)
    return number
  }

  /** What other workers have added meanwhile. */
  #learn(): void {
    const { words, bytes } = this.#heap
    const area = this.#area >> 2
    for (let number = this.#texts.length; number < (words[area] ?? 0); number++) {
      const piece = words[area + 1 + number] ?? 0
      this.#note(bytes.latin1Slice(piece + 4, piece + 4 + (words[piece >> 2] ?? 0)))
    }
  }

  #note(text: string): void {
    this.#numbers.set(text, this.#texts.length)
    this.#texts.push(text)
  }
}
