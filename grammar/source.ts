/** Where something stands in the script: the file and place that the person wrote, through includes and defines. */
export interface Span {
  readonly file: string
  /** From 0, in characters of that file. */
  readonly start: number
  readonly end: number
  /** From 1. */
  readonly line: number
  /** From 1, in characters. */
  readonly column: number
  /** The define whose text this came from, if it did: `DBURL`. */
  readonly via?: string
}

/** One file of the script: turns offsets into spans. */
export class SourceFile {
  readonly path: string
  readonly text: string
  readonly #lineStarts: number[] = [0]
  /** Index of the line asked for last: spans are mostly asked for in order. */
  #line = 0

  constructor(path: string, text: string) {
    this.path = path
    this.text = text
    for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1))
      this.#lineStarts.push(at + 1)
  }

  span(start: number, end: number): Span {
    const line = this.#lineOf(start)
    const column = start - (this.#lineStarts[line] ?? 0) + 1
    return { file: this.path, start, end, line: line + 1, column }
  }

  #lineOf(offset: number): number {
    if (offset < (this.#lineStarts[this.#line] ?? 0)) this.#line = 0
    while ((this.#lineStarts[this.#line + 1] ?? Number.POSITIVE_INFINITY) <= offset) this.#line++
    return this.#line
  }
}

/** From the first to the last: the last one's end counts only where both were written in the same file. */
export function spanBetween(first: Span, last: Span): Span {
  if (last.file !== first.file || last.end <= first.end) return first
  if (first.via === undefined) return { ...first, end: last.end }
  const { via, ...written } = first
  return last.via === via ? { ...first, end: last.end } : { ...written, end: last.end }
}
