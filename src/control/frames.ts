import { limits } from '../limits.ts'

/**
 * Cuts a stream of characters into JSON texts: one per line, or spread over lines as people and pretty-printers write
 * them, with anything between them or nothing. Only brackets and strings are looked at; what is no JSON comes out too,
 * up to the end of its line, so that it can be answered. Each character is looked at once.
 */
export class JsonFrames {
  #held = ''
  /** How far the held text has been looked at. */
  #at = 0
  #depth = 0
  #isString = false
  readonly #charactersMax: number

  constructor(charactersMax: number = limits.controlRequestCharactersMax) {
    this.#charactersMax = charactersMax
  }

  /** Nothing has begun that has not ended. */
  get isEmpty(): boolean {
    return this.#held === ''
  }

  /** What has come is longer than a request may be, and has no end. */
  get isTooLong(): boolean {
    return this.#held.length > this.#charactersMax
  }

  add(text: string): void {
    this.#held += text
  }

  /** The next whole text, null if there is none yet, or none that is short enough. */
  next(): string | null {
    if (this.#at === 0) {
      this.#held = this.#held.trimStart()
      if (this.#held === '') return null
    }
    const end = opens(this.#held) ? this.#endOfBrackets() : this.#endOfLine()
    if (end < 0 || end > this.#charactersMax) return null
    const text = this.#held.slice(0, end)
    this.#held = this.#held.slice(end)
    this.#at = 0
    return text
  }

  /** What is left when no more will come. */
  rest(): string | null {
    const text = this.#held.trim()
    this.#held = ''
    this.#at = 0
    return text === '' ? null : text
  }

  #endOfBrackets(): number {
    const text = this.#held
    for (; this.#at < text.length; this.#at++) {
      const character = text[this.#at]
      if (this.#isString) {
        // An escaped character is skipped, wherever the text happened to be cut.
        if (character === '\\') this.#at++
        else if (character === '"') this.#isString = false
      } else if (character === '"') this.#isString = true
      else if (character === '{' || character === '[') this.#depth++
      else if ((character === '}' || character === ']') && --this.#depth === 0) return this.#at + 1
    }
    return -1
  }

  #endOfLine(): number {
    const end = this.#held.indexOf('\n', this.#at)
    this.#at = end < 0 ? this.#held.length : 0
    return end
  }
}

function opens(text: string): boolean {
  return text.startsWith('{') || text.startsWith('[')
}
