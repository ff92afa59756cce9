import { limits } from '../limits.ts'
import { asciiLowerCode, endOfToken, entry, indexOrEnd, skipLws, trimLws, unfold } from './bytes.ts'
import type { Fault } from './fault.ts'
import {
  HeaderId,
  type HeaderName,
  headerId,
  headerIdAt,
  headerKey,
  slotIds,
  slotNames,
  slotOf,
} from './header-id.ts'
import type { ScanRecord } from './scan-record.ts'

// Of bytes.ts and limits.ts: why they stand here again is said there.
const tab = 0x09
const lineFeed = 0x0a
const carriageReturn = 0x0d
const space = 0x20
const colon = 0x3a
const { headersMax, headerBytesMax } = limits

/**
 * The header lines of a message as a table of offsets (RFC 3261 §7.3.1). Hot: one pass, `indexOf` finds line ends and
 * colons, each position is looked for once.
 *
 * The table is memory that all messages share, because making one for each took as long as filling it. A message has
 * it until the next one is scanned. Who asks an older message, after waiting for instance, makes it read its lines a
 * second time, into a table of its own: few do, and what transactions keep is smaller by the 600 octets of a table.
 */
export class HeaderTable {
  readonly text: string
  /** The offset of the first header line. */
  headersStart = 0
  headersEnd = 0
  bodyStart = 0
  bodyEnd = 0
  headerCount = 0
  /** Bits of the header ids below 31 that stand in the message. */
  seen = 0
  /** The headers hold more line ends than lines: what is read from them has to be unfolded. */
  isFolded = false
  /** The first thing found wrong. */
  fault: Fault | null = null
  private rows: Int32Array | null = null
  /** The same memory, as long as the message has it, if native/scan.c has filled it and what stands beside the rows. */
  protected record: ScanRecord | null = null

  constructor(text: string) {
    this.text = text
  }

  /** Keeps the first one. */
  blame(code: string, clause: string, offset: number, reason: string, status: Fault['status'] = 400): void {
    this.fault ??= { code, clause, offset, status, reason }
  }

  /** From `headersStart` on. */
  scanHeaders(): void {
    this.moveIn(shared, null)
    scanLines(this, shared)
  }

  /** What scanHeaders() would do is done. */
  protected takeRecord(record: ScanRecord): void {
    this.moveIn(record, record)
  }

  private moveIn(rows: Int32Array, record: ScanRecord | null): void {
    tenant?.moveOut()
    tenant = this
    this.rows = rows
    this.record = record
  }

  /** From now on the lines are read anew if somebody asks. */
  moveOut(): void {
    this.rows = null
    this.record = null
  }

  /** The same lines again give the same table, and no other faults: another object takes those. */
  private rescan(): Int32Array {
    const again = new HeaderTable(this.text)
    again.headersStart = this.headersStart
    const rows = new Int32Array(rowOf(this.headerCount))
    scanLines(again, rows)
    this.rows = rows
    return rows
  }

  private at(index: number, column: number): number {
    return entry(this.rows ?? this.rescan(), rowOf(index) + column)
  }

  headerId(index: number): HeaderId {
    return this.at(index, idColumn) as HeaderId
  }

  headerName(index: number): string {
    return this.text.slice(this.at(index, startColumn), this.at(index, nameEndColumn))
  }

  headerValue(index: number): string {
    const value = this.text.slice(this.at(index, valueStartColumn), this.at(index, valueEndColumn))
    return this.isFolded ? unfold(value) : value
  }

  headerStart(index: number): number {
    return this.at(index, startColumn)
  }

  headerValueStart(index: number): number {
    return this.at(index, valueStartColumn)
  }

  headerValueEnd(index: number): number {
    return this.at(index, valueEndColumn)
  }

  /** Lines follow each other without gaps. */
  headerEnd(index: number): number {
    return index + 1 < this.headerCount ? this.headerStart(index + 1) : this.headersEnd
  }

  first(id: HeaderId): number {
    if (id < countedIds) {
      return (this.seen & (1 << id)) === 0 ? -1 : entry(this.rows ?? this.rescan(), id)
    }
    return this.following(id, 0)
  }

  next(index: number): number {
    const id = this.headerId(index)
    if (id === HeaderId.other) return this.findOther(headerKey(this.headerName(index)), index + 1)
    return this.following(id, index + 1)
  }

  private following(id: HeaderId, from: number): number {
    for (let index = from; index < this.headerCount; index++) {
      if (this.headerId(index) === id) return index
    }
    return -1
  }

  find(name: string): number {
    const id = headerId(name)
    return id === HeaderId.other ? this.firstOther(headerKey(name)) : this.first(id)
  }

  findNamed({ id, key }: HeaderName): number {
    return id === HeaderId.other ? this.firstOther(key) : this.first(id)
  }

  /** Names of their own mostly stand behind those that everybody knows: where the first one is was counted. */
  private firstOther(key: string): number {
    const index = this.first(HeaderId.other)
    return index === -1 ? -1 : this.findOther(key, index)
  }

  private findOther(key: string, from: number): number {
    for (let index = from; index < this.headerCount; index++) {
      if (this.headerId(index) === HeaderId.other && this.hasKey(index, key)) return index
    }
    return -1
  }

  /**
   * A compact form has one letter, so that two lengths are enough to rule most headers out. Names are compared in
   * place: a lower-case copy of each name of the right length made `$hdr(X-Class)` cost 400 ns.
   */
  private hasKey(index: number, key: string): boolean {
    const start = this.at(index, startColumn)
    const length = this.at(index, nameEndColumn) - start
    if (length === 1) return headerKey(this.headerName(index)) === key
    return length === key.length && isSameName(this.text, start, key)
  }

  value(id: HeaderId): string {
    const index = this.first(id)
    return index === -1 ? '' : this.headerValue(index)
  }
}

/**
 * The records of the last batch are filled anew: no message has one any more. Who owns them says so before anybody is
 * given a message of the new batch.
 */
export function withdrawRecords(): void {
  tenant?.moveOut()
  tenant = null
}

/** `key` is in lower case. */
function isSameName(text: string, start: number, key: string): boolean {
  for (let i = 0; i < key.length; i++) {
    const code = text.charCodeAt(start + i)
    if (asciiLowerCode(code) !== key.charCodeAt(i)) return false
  }
  return true
}

/** Ids below it have a bit in `seen`, and the index of their first header in front of the rows. */
const countedIds = 31
const columns = 5
const startColumn = 0
const nameEndColumn = 1
const valueStartColumn = 2
const valueEndColumn = 3
const idColumn = 4

function rowOf(index: number): number {
  return countedIds + index * columns
}

const shared = new Int32Array(rowOf(headersMax))
/** The message whose table is the shared one. */
let tenant: HeaderTable | null = null

/**
 * The loop that every line of every message goes through: what it counts is local, and what is not usual (another
 * name, a fold, a stray CR) is left to functions of its own. Ten lines took 1,040 nanoseconds, and take 560.
 */
function scanLines(table: HeaderTable, rows: Int32Array): void {
  const { text } = table
  let start = table.headersStart
  let count = 0
  let seen = 0
  // The next CR is remembered from line to line: a datagram without any costs one search, not one per line.
  let nextReturn = -1
  let first = text.charCodeAt(start)
  while (first !== lineFeed && (first !== carriageReturn || text.charCodeAt(start + 1) !== lineFeed)) {
    const initial = first
    let end = text.indexOf('\n', start)
    if (nextReturn < end - 1) {
      nextReturn = text.indexOf('\r', start)
      if (nextReturn !== end - 1) nextReturn = afterReturns(table, nextReturn, end)
    }
    first = text.charCodeAt(end + 1)
    if (first === space || first === tab) {
      end = endOfFolded(table, nextReturn, end)
      nextReturn = -1
      first = text.charCodeAt(end + 1)
    }
    if (end === -1) {
      endWithoutEmptyLine(table, start)
      return
    }
    if (count === headersMax || end - start > headerBytesMax) {
      endAtLimit(table, start)
      return
    }
    const row = countedIds + count * columns
    const colonAt = text.indexOf(':', start)
    // The name in its usual case, if it is one of those that we know.
    const slot = slotOf(colonAt - start, initial, text.charCodeAt(colonAt - 1))
    const name = slotNames[slot] as string
    let id: HeaderId
    const valueStart = colonAt + 2
    const valueEnd = end - 1
    if (
      name.length === colonAt - start &&
      text.startsWith(name, start) &&
      colonAt > start &&
      valueStart < valueEnd &&
      text.charCodeAt(colonAt + 1) === space &&
      text.charCodeAt(valueStart) > space &&
      text.charCodeAt(valueEnd) === carriageReturn &&
      text.charCodeAt(valueEnd - 1) > space
    ) {
      id = entry(slotIds, slot) as HeaderId
      rows[row + nameEndColumn] = colonAt
      rows[row + valueStartColumn] = valueStart
      rows[row + valueEndColumn] = valueEnd
    } else {
      id = addUnusual(table, rows, row, start, end)
    }
    rows[row] = start
    rows[row + idColumn] = id
    if (id < countedIds) {
      const bit = 1 << id
      if ((seen & bit) === 0) {
        rows[id] = count
        seen |= bit
      } else if ((bit & singletons) !== 0) blameDuplicate(table, start, entry(rows, row + nameEndColumn))
    }
    count++
    start = end + 1
    table.headerCount = count
    table.seen = seen
  }
  endHeaders(table, start, text.indexOf('\n', start) + 1)
}

/** The CR before this LF, or the first one beyond it. One that stands before anything else is a fault. */
function afterReturns(table: HeaderTable, first: number, end: number): number {
  const { text } = table
  let nextReturn = first === -1 ? text.length : first
  while (nextReturn < end - 1) {
    if (text.charCodeAt(nextReturn + 1) !== lineFeed) {
      table.isFolded = true
      table.blame('bare-cr', 'RFC 3261 §25.1', nextReturn, 'Bare CR in Header')
    }
    nextReturn = indexOrEnd(text, '\r', nextReturn + 1)
  }
  return nextReturn
}

/** The LF that ends a header of several lines (RFC 3261 §7.3.1); -1 if there is none. */
function endOfFolded(table: HeaderTable, knownReturn: number, firstEnd: number): number {
  const { text } = table
  let end = firstEnd
  let nextReturn = knownReturn
  table.isFolded = true
  while (end !== -1 && isBlank(text.charCodeAt(end + 1))) {
    end = text.indexOf('\n', end + 1)
    if (nextReturn < end - 1) nextReturn = afterReturns(table, nextReturn, end)
  }
  return end
}

function isBlank(code: number): boolean {
  return code === space || code === tab
}

/** Another name or in another case, other white space, no value, or no header at all. */
function addUnusual(table: HeaderTable, rows: Int32Array, row: number, start: number, end: number): HeaderId {
  const { text } = table
  const nameEnd = endOfToken(text, start, end)
  let colonAt = nameEnd
  // RFC 3261 §7.3.1 allows white space before the colon: the header is the same with and without it.
  while (isBlank(text.charCodeAt(colonAt))) colonAt++
  if (nameEnd === start || text.charCodeAt(colonAt) !== colon)
    return addUnreadable(table, rows, row, start, end)
  const valueStart = skipLws(text, colonAt + 1, end)
  rows[row + nameEndColumn] = nameEnd
  rows[row + valueStartColumn] = valueStart
  rows[row + valueEndColumn] = trimLws(text, valueStart, end)
  return headerIdAt(text, start, nameEnd)
}

/** A line that is no header. It keeps its place in the table, so that lines follow each other without gaps. */
function addUnreadable(
  table: HeaderTable,
  rows: Int32Array,
  row: number,
  start: number,
  end: number,
): HeaderId {
  table.blame('header-name', 'RFC 3261 §25.1', start, 'Bad Header Name')
  const lineEnd = trimLws(table.text, start, end)
  rows[row + nameEndColumn] = start
  rows[row + valueStartColumn] = lineEnd
  rows[row + valueEndColumn] = lineEnd
  return HeaderId.other
}

const singletons =
  (1 << HeaderId.from) |
  (1 << HeaderId.to) |
  (1 << HeaderId.callId) |
  (1 << HeaderId.cseq) |
  (1 << HeaderId.maxForwards) |
  (1 << HeaderId.contentLength)

function endHeaders(table: HeaderTable, headersEnd: number, bodyStart: number): void {
  table.headersEnd = headersEnd
  table.bodyStart = bodyStart
  table.bodyEnd = table.text.length
}

/** RFC 3261 §7: the empty line must be there even without a body. A cut datagram must not pass for a whole one. */
function endWithoutEmptyLine(table: HeaderTable, lineStart: number): void {
  table.blame('headers-end', 'RFC 3261 §7', lineStart, 'Incomplete Headers')
  endHeaders(table, lineStart, lineStart)
  table.bodyEnd = lineStart
}

/** What follows was not read: the message has these headers, and no body. */
function endAtLimit(table: HeaderTable, lineStart: number): void {
  table.blame('header-limit', 'RFC 3261 §21.4.11', lineStart, 'Too Many or Too Long Headers')
  endHeaders(table, lineStart, table.text.length)
}

function blameDuplicate(table: HeaderTable, start: number, nameEnd: number): void {
  const name = table.text.slice(start, nameEnd)
  table.blame('duplicate-header', 'RFC 3261 §7.3.1', start, `Duplicate ${name} Header`)
}
