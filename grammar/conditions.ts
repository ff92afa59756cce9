import type { Span } from './source.ts'

/**
 * `#!ifdef` ... `#!else` ... `#!endif`: a region is live if the conditions of all levels around it hold. A file
 * may close what the file that includes it has opened: the levels belong to the script as a whole.
 */
export class Conditions {
  readonly #levels: Level[] = []

  get isLive(): boolean {
    return this.#levels.at(-1)?.isLive ?? true
  }

  get depth(): number {
    return this.#levels.length
  }

  open(word: string, span: Span, holds: boolean): void {
    this.#levels.push({ word, span, enclosing: this.isLive, isLive: this.isLive && holds, hasElse: false })
  }

  /** `none`: nothing is open. `second`: this level had its else already, and Kamailio turns it round once more. */
  otherwise(): 'ok' | 'none' | 'second' {
    const level = this.#levels.at(-1)
    if (level === undefined) return 'none'
    const verdict = level.hasElse ? 'second' : 'ok'
    level.hasElse = true
    level.isLive = level.enclosing && !level.isLive
    return verdict
  }

  /** False if nothing is open. */
  close(): boolean {
    return this.#levels.pop() !== undefined
  }

  /** What the script forgot to close. */
  unclosed(): readonly { readonly word: string; readonly span: Span }[] {
    return this.#levels
  }
}

interface Level {
  readonly word: string
  readonly span: Span
  readonly enclosing: boolean
  isLive: boolean
  hasElse: boolean
}
