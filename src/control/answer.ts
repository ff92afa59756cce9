import { setImmediate } from 'node:timers/promises'
import { limits } from '../limits.ts'
import { readable } from './octets.ts'

/**
 * What a method answers, written as JSON bit by bit. Beside plain values there may stand in it
 *
 *   an iterable or async iterable   an array, whose rows are made one by one; in them, or in their members, the same
 *   a function without arguments    what it returns when its turn has come: a sum over the rows before it
 *
 * so that a table of a million rows is never a value, and never holds the loop for longer than a piece takes.
 */
export type Sink = (piece: string) => Promise<void> | void

/** Rejects with whatever the rows or the sink throw; then the rows are told to stop. */
export async function writeAnswer(answer: unknown, sink: Sink): Promise<void> {
  const writer = new AnswerWriter(sink)
  await writer.value(answer)
  await writer.end()
}

class AnswerWriter {
  #text = ''
  readonly #sink: Sink

  constructor(sink: Sink) {
    this.#sink = sink
  }

  async value(value: unknown): Promise<void> {
    if (typeof value === 'function') await this.value(await value())
    else if (isRows(value)) await this.#rows(value)
    else if (Array.isArray(value)) await this.#array(value)
    else if (isObject(value)) await this.#object(value)
    else this.#text += JSON.stringify(value) ?? 'null'
  }

  async end(): Promise<void> {
    if (this.#text !== '') await this.#sink(this.#take())
  }

  async #rows(rows: AsyncIterable<unknown> | Iterable<unknown>): Promise<void> {
    let separator = '['
    for await (const row of rows) {
      this.#text += separator
      separator = ','
      if (isObject(row) && Object.values(row).some(isLong)) await this.value(row)
      else this.#text += JSON.stringify(row) ?? 'null'
      if (this.#isFull) await this.#flush()
    }
    this.#text += separator === '[' ? '[]' : ']'
  }

  async #array(values: readonly unknown[]): Promise<void> {
    this.#text += '['
    for (let i = 0; i < values.length; i++) {
      if (i > 0) this.#text += ','
      await this.value(values[i])
      if (this.#isFull) await this.#flush()
    }
    this.#text += ']'
  }

  async #object(value: object): Promise<void> {
    this.#text += '{'
    let separator = ''
    for (const [name, member] of Object.entries(value)) {
      if (member === undefined) continue
      this.#text += `${separator}${JSON.stringify(name)}:`
      separator = ','
      await this.value(member)
      if (this.#isFull) await this.#flush()
    }
    this.#text += '}'
  }

  get #isFull(): boolean {
    return this.#text.length >= limits.controlPieceCharacters
  }

  /** Messages that have arrived meanwhile have their turn between two pieces. */
  async #flush(): Promise<void> {
    await this.#sink(this.#take())
    await setImmediate()
  }

  #take(): string {
    const text = readable(this.#text)
    this.#text = ''
    return text
  }
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

/** A row that holds one is written bit by bit too. */
const longArray = 32

function isLong(member: unknown): boolean {
  return (
    typeof member === 'function' || isRows(member) || (Array.isArray(member) && member.length > longArray)
  )
}

function isRows(value: unknown): value is AsyncIterable<unknown> | Iterable<unknown> {
  return (
    isObject(value) && !Array.isArray(value) && (Symbol.iterator in value || Symbol.asyncIterator in value)
  )
}
