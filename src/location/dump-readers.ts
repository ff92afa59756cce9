import { limits } from '../limits.ts'
import { csvColumns } from './dump-writers.ts'
import { bindingOfFields, type Fields } from './list-formats.ts'
import type { Listed } from './listed-binding.ts'

/**
 * Dumps of location tables, read as they come: what is kept is one address-of-record at a time, however long the dump is.
 * What cannot be read is a value with its line, never an exception.
 */
export type DumpFormat = 'kamailio-json' | 'kamcmd' | 'csv'

/** `chunks`: the text as it comes, one character an octet, cut anywhere. */
export function readDump(
  format: DumpFormat,
  chunks: AsyncIterable<string>,
  dumpedAt: number,
): AsyncGenerator<Listed> {
  if (format === 'kamcmd') return readKamcmd(linesOf(chunks), dumpedAt)
  return format === 'csv' ? readCsv(linesOf(chunks), dumpedAt) : readJson(chunks, dumpedAt)
}

/** A line that is longer than a binding may be is cut: what reads it will find it wrong. */
async function* linesOf(chunks: AsyncIterable<string>): AsyncGenerator<string> {
  let rest = ''
  for await (const chunk of chunks) {
    const lines = (rest + chunk).split('\n')
    rest = (lines.pop() ?? '').slice(0, limits.dumpRecordCharactersMax + 1)
    for (const line of lines) yield line.endsWith('\r') ? line.slice(0, -1) : line
  }
  if (rest !== '') yield rest
}

/**
 * The text of `kamcmd ul.dump`: `Name: value`, a line each, in braces. A value reaches to the end of its line.
 */
async function* readKamcmd(lines: AsyncIterable<string>, dumpedAt: number): AsyncGenerator<Listed> {
  let line = 0
  let aor = ''
  let fields: Record<string, string> | null = null
  let startedAt = 0
  for await (const text of lines) {
    line++
    const trimmed = text.trim()
    if (trimmed === '') continue
    if (trimmed === 'Contact: {') {
      fields = {}
      startedAt = line
    } else if (trimmed === '}') {
      if (fields !== null) yield listedFrom(aor, fields, dumpedAt, startedAt)
      fields = null
    } else {
      const colon = trimmed.indexOf(': ')
      if (colon < 0) {
        if (fields !== null) yield { kind: 'fault', line, reason: `"${shown(trimmed)}" is no field` }
        continue
      }
      const name = trimmed.slice(0, colon)
      const value = trimmed.slice(colon + 2)
      if (fields !== null) fields[name] = value
      else if (name === 'AoR') aor = value
    }
  }
  if (fields !== null) yield { kind: 'fault', line, reason: 'the dump ends within a binding' }
}

/** With a line of names first; a text in quotes may have commas and line ends in it. */
async function* readCsv(lines: AsyncIterable<string>, dumpedAt: number): AsyncGenerator<Listed> {
  let line = 0
  let startedAt = 1
  let record = ''
  let names: readonly string[] | null = null
  for await (const text of lines) {
    line++
    if (record === '') startedAt = line
    record = record === '' ? text : `${record}\n${text}`
    if (record.length > limits.dumpRecordCharactersMax) {
      yield { kind: 'fault', line: startedAt, reason: 'a record without an end' }
      return
    }
    const cells = cellsOf(record)
    if (cells === null) continue
    record = ''
    if (cells.length === 1 && cells[0] === '') continue
    if (names === null) {
      names = cells
      const missing = ['aor', 'Address', 'Expires'].find((name) => !cells.includes(name))
      if (missing === undefined) continue
      yield { kind: 'fault', line, reason: `no column "${missing}": ${csvColumns.join(',')}` }
      return
    }
    if (cells.length !== names.length) {
      const reason = `${cells.length} cells, and there are ${names.length} columns`
      yield { kind: 'fault', line: startedAt, reason }
      continue
    }
    const fields: Record<string, string | number | null> = Object.fromEntries(
      names.map((name, i) => [name, cells[i] === '' ? null : (cells[i] ?? null)]),
    )
    // The file says when, not for how long.
    const expires = fields['Expires']
    const seconds = Number(expires)
    if (typeof expires === 'string' && Number.isFinite(seconds)) fields['Expires'] = seconds - dumpedAt / 1000
    yield listedFrom(String(fields['aor'] ?? ''), fields, dumpedAt, startedAt)
  }
  if (record !== '') yield { kind: 'fault', line: startedAt, reason: 'the file ends within a text in quotes' }
}

/** Null: a text in quotes has not ended. */
function cellsOf(record: string): string[] | null {
  const cells: string[] = []
  for (let at = 0; ; at++) {
    let cell = ''
    if (record.charAt(at) === '"') {
      for (at++; ; at++) {
        const end = record.indexOf('"', at)
        if (end < 0) return null
        cell += record.slice(at, end)
        at = end + 1
        if (record.charAt(at) !== '"') break
        cell += '"'
      }
    } else {
      const end = record.indexOf(',', at)
      cell = record.slice(at, end < 0 ? record.length : end)
      at += cell.length
    }
    cells.push(cell)
    if (at >= record.length) return cells
  }
}

/**
 * JSON of any shape in which objects with `AoR` and `Contacts` stand, as in the answer to ul.dump: the text is cut into
 * these objects as it comes, on one line or on many.
 */
async function* readJson(chunks: AsyncIterable<string>, dumpedAt: number): AsyncGenerator<Listed> {
  const cutter = new InfoCutter()
  for await (const chunk of chunks) {
    for (const piece of cutter.take(chunk)) {
      if ('reason' in piece) yield { kind: 'fault', ...piece }
      else yield* listedOfInfo(piece.text, piece.line, dumpedAt)
    }
  }
  if (!cutter.isAtEnd) yield { kind: 'fault', line: cutter.line, reason: 'the JSON text ends too early' }
}

type Piece =
  | { readonly text: string; readonly line: number }
  | { readonly reason: string; readonly line: number }

const code = { lineFeed: 0x0a, quote: 0x22, comma: 0x2c, backslash: 0x5c } as const
const opening: ReadonlySet<number> = new Set([0x5b, 0x7b])
const closing: ReadonlySet<number> = new Set([0x5d, 0x7d])
/** Characters of a text that are looked at: more than a name has. */
const nameCharactersMax = 16

/** Cuts the values of members named `Info` out of JSON that comes in chunks. */
class InfoCutter {
  line = 1
  #depth = 0
  #isInText = false
  #isEscaped = false
  /** The last text, to know the name of the member whose value begins. */
  #lastText = ''
  #piece: string | null = null
  #pieceDepth = 0
  #pieceLine = 0

  get isAtEnd(): boolean {
    return this.#depth === 0 && !this.#isInText
  }

  *take(chunk: string): Generator<Piece> {
    let start = 0
    for (let at = 0; at < chunk.length; at++) {
      const character = chunk.charCodeAt(at)
      if (character === code.lineFeed) this.line++
      if (this.#isInText) this.#takeText(character)
      else if (character === code.quote) {
        this.#isInText = true
        this.#lastText = ''
      } else if (opening.has(character)) {
        if (this.#opens()) start = at
      } else if (closing.has(character)) {
        if (this.#closes()) {
          yield { text: this.#piece + chunk.slice(start, at + 1), line: this.#pieceLine }
          this.#piece = null
        }
      } else if (character === code.comma) this.#lastText = ''
    }
    if (this.#piece === null) return
    this.#piece += chunk.slice(start)
    if (this.#piece.length <= limits.dumpRecordCharactersMax) return
    yield { reason: 'an address-of-record without an end', line: this.#pieceLine }
    this.#piece = null
  }

  #takeText(character: number): void {
    if (this.#isEscaped) this.#isEscaped = false
    else if (character === code.backslash) this.#isEscaped = true
    else if (character === code.quote) this.#isInText = false
    else if (this.#lastText.length < nameCharactersMax) this.#lastText += String.fromCharCode(character)
  }

  /** True: what is to be cut out begins here. */
  #opens(): boolean {
    this.#depth++
    const isInfo = this.#piece === null && this.#lastText === 'Info'
    this.#lastText = ''
    if (!isInfo) return false
    this.#piece = ''
    this.#pieceDepth = this.#depth
    this.#pieceLine = this.line
    return true
  }

  /** True: and ends here. */
  #closes(): boolean {
    return this.#depth-- === this.#pieceDepth && this.#piece !== null
  }
}

function* listedOfInfo(text: string, line: number, dumpedAt: number): Generator<Listed> {
  let info: unknown
  try {
    info = JSON.parse(Buffer.from(text, 'latin1').toString('utf8'))
  } catch (error) {
    yield { kind: 'fault', line, reason: (error as Error).message }
    return
  }
  const { AoR: aor, Contacts: contacts } = info as { AoR?: unknown; Contacts?: unknown }
  if (typeof aor !== 'string' || !Array.isArray(contacts)) {
    yield { kind: 'fault', line, reason: 'no AoR, or no Contacts: the brief form of ul.dump has none' }
    return
  }
  for (const one of contacts) {
    const fields = (one as { Contact?: unknown } | null)?.Contact
    if (typeof fields === 'object' && fields !== null) {
      yield listedFrom(octets(aor), octetFields(fields), dumpedAt, line)
    } else yield { kind: 'fault', line, reason: 'a member of Contacts that is no Contact' }
  }
}

function listedFrom(aor: string, fields: Fields, dumpedAt: number, line: number): Listed {
  const binding = bindingOfFields(aor, fields, dumpedAt)
  return typeof binding === 'string'
    ? { kind: 'fault', line, reason: `${shown(aor) || 'nobody'}: ${binding}` }
    : { kind: 'binding', line, binding }
}

/** JSON has characters, everything else here octets. */
function octets(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1')
}

function octetFields(fields: object): Fields {
  const found: Record<string, string | number | null> = {}
  for (const [name, value] of Object.entries(fields)) {
    if (typeof value === 'string') found[name] = octets(value)
    else if (typeof value === 'number' || value === null) found[name] = value
  }
  return found
}

function shown(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?').slice(0, 80)
}
