/** Answers as people read them: tables where there are rows, `name: value` where there are names. */

/** What a terminal would take for a command is shown as what it is: texts in answers come from the network. */
export function shownSafely(text: string): string {
  return text.replace(/[\x00-\x1f\x7f-\x9f]/g, (character) => {
    return `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`
  })
}

export function answerText(value: unknown): string {
  const lines = linesOf(value, '')
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`
}

/** Wider tables are shown as `name: value`. */
const tableWidthMax = 160

function linesOf(value: unknown, indent: string): string[] {
  if (Array.isArray(value)) return arrayLines(value, indent)
  if (!isRecord(value)) return [indent + scalar(value)]
  return Object.entries(value).flatMap(([name, member]) => {
    if (!isNested(member)) return [`${indent}${shownSafely(name)}: ${scalar(member)}`]
    return [`${indent}${shownSafely(name)}:`, ...linesOf(member, `${indent}  `)]
  })
}

function arrayLines(values: readonly unknown[], indent: string): string[] {
  const table = tableLines(values.map(unwrapped), indent)
  if (table !== null) return table
  return values.flatMap((value) => {
    if (!isNested(value)) return [indent + scalar(value)]
    const [first = '', ...rest] = linesOf(value, `${indent}  `)
    return [`${indent}- ${first.slice(indent.length + 2)}`, ...rest]
  })
}

/** `{ socket: { ... } }` is a row, too. */
function unwrapped(value: unknown): unknown {
  if (!isRecord(value)) return value
  const [only, another] = Object.values(value)
  return another === undefined && isRecord(only) ? only : value
}

/** Null if the values are no rows of plain values, or too wide. */
function tableLines(rows: readonly unknown[], indent: string): string[] | null {
  if (rows.length === 0 || !rows.every(isFlat)) return null
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))]
  const cells = [columns, ...rows.map((row) => columns.map((column) => scalar(row[column] ?? '')))]
  const widths = columns.map((_, i) => Math.max(...cells.map((row) => row[i]?.length ?? 0)))
  if (widths.reduce((sum, width) => sum + width + 2, 0) > tableWidthMax) return null
  return cells.map(
    (row) =>
      indent +
      row
        .map((cell, i) => cell.padEnd((widths[i] ?? 0) + 2))
        .join('')
        .trimEnd(),
  )
}

function isFlat(row: unknown): row is Record<string, unknown> {
  return isRecord(row) && Object.values(row).every((member) => !isNested(member))
}

function isNested(value: unknown): value is object {
  return typeof value === 'object' && value !== null && Object.keys(value).length > 0
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function scalar(value: unknown): string {
  if (Array.isArray(value)) return '(none)'
  if (typeof value === 'object' && value !== null) return '(none)'
  return shownSafely(String(value ?? ''))
}

/**
 * The same for an answer that is too long to hold: each `name: value` as soon as it has come. Reads JSON by its brackets
 * and strings; whatever the pieces are cut into, the lines are the same.
 */
export class AnswerLines {
  #held = ''
  #depth = 0
  /** The name whose value comes next. */
  #name: string | null = null
  readonly #asJson: boolean

  constructor(asJson: boolean) {
    this.#asJson = asJson
  }

  add(text: string): string {
    if (this.#asJson) return text
    this.#held += text
    let out = ''
    let at = 0
    tokens.lastIndex = 0
    for (let token = tokens.exec(this.#held); token !== null; token = tokens.exec(this.#held)) {
      out += this.#line(token)
      at = tokens.lastIndex
    }
    this.#held = this.#held.slice(at)
    return out
  }

  end(): string {
    if (this.#asJson) return '\n'
    return this.add('\n')
  }

  #line([, bracket, word, string, colon]: RegExpExecArray): string {
    if (bracket === '{' || bracket === '[') {
      const line = this.#name === null ? '' : `${this.#indent}${this.#name}:\n`
      this.#name = null
      this.#depth++
      return line
    }
    if (bracket !== undefined) {
      this.#depth--
      return ''
    }
    const value = string === undefined ? (word ?? '') : shownSafely(JSON.parse(string))
    if (colon !== undefined) {
      this.#name = value
      return ''
    }
    const line = `${this.#indent}${this.#name === null ? '' : `${this.#name}: `}${value}\n`
    this.#name = null
    return line
  }

  get #indent(): string {
    return '  '.repeat(Math.max(0, this.#depth - 1))
  }
}

/**
 * After a comma: a bracket; a number or a word; a string, and the colon that makes it a name. Of the last two one
 * character more must have come: they may go on.
 */
const tokens = /[,\s]*(?:([{}[\]])|([\w.+-]+)(?=[^\w.+-])|("(?:[^"\\]|\\.)*")(?:(:)|(?=[^:])))/y
