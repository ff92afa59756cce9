import type { Span } from './source.ts'

/**
 * Emitted code, line by line, and which line of the script each comes from: a source map of revision 3
 * (https://tc39.es/ecma426/), so that a debugger can set a breakpoint in the cfg file.
 */
export class CodeLines {
  readonly #lines: { readonly text: string; readonly span: Span | null }[] = []
  #indent = ''

  add(text: string, span: Span | null = null): void {
    this.#lines.push({ text: text === '' ? '' : this.#indent + text, span })
  }

  /** `head {`, what `body` adds, `tail`. */
  block(head: string, body: () => void, span: Span | null = null, tail = '}'): void {
    this.add(`${head} {`, span)
    this.indented(body)
    this.add(tail)
  }

  /** A line that is known later, and is left out if it never is. */
  reserve(): (text: string) => void {
    const at = this.#lines.length
    const indent = this.#indent
    return (text) => this.#lines.splice(at, 0, { text: indent + text, span: null })
  }

  indented(body: () => void): void {
    const indent = this.#indent
    this.#indent = `${indent}  `
    body()
    this.#indent = indent
  }

  append(other: CodeLines): void {
    this.#lines.push(...other.#lines)
  }

  get code(): string {
    return `${this.#lines.map((line) => line.text).join('\n')}\n`
  }

  /** @param linesBefore lines that stand above the code where it is evaluated */
  sourceMap(linesBefore = 0): string {
    const sources: string[] = []
    const previous = { source: 0, line: 0, column: 0 }
    const mappings = this.#lines.map(({ text, span }) => {
      if (span === null) return ''
      let source = sources.indexOf(span.file)
      if (source === -1) source = sources.push(span.file) - 1
      const line = span.line - 1
      const column = span.column - 1
      const indent = text.length - text.trimStart().length
      const segment = [indent, source - previous.source, line - previous.line, column - previous.column]
      Object.assign(previous, { source, line, column })
      return segment.map(variableLengthQuantity).join('')
    })
    const all = ';'.repeat(linesBefore) + mappings.join(';')
    return JSON.stringify({ version: 3, sources: sources.map(urlOf), names: [], mappings: all })
  }
}

/** Absolute paths as URLs, so that a debugger finds the file wherever it thinks the code is. */
function urlOf(path: string): string {
  return path.startsWith('/') ? `file://${encodeURI(path)}` : path
}

const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'

/** Five bits a digit, the lowest first; the sign is the lowest bit, the sixth says that more follow. */
export function variableLengthQuantity(number: number): string {
  let rest = number < 0 ? (-number << 1) | 1 : number << 1
  let text = ''
  do {
    const more = rest > 31 ? 32 : 0
    text += digits[(rest & 31) | more] ?? ''
    rest >>>= 5
  } while (rest > 0)
  return text
}
