import { limits } from '../limits.ts'
import { asciiLowerCode, entry, skipLws, unfold } from './bytes.ts'
import type { Fault } from './fault.ts'
import { HeaderId, type HeaderName, headerId, headerKey } from './header-id.ts'
import { type CSeq, readCSeq } from './headers/cseq.ts'
import { type NameAddr, paramOf, readNameAddr } from './headers/name-addr.ts'
import { endOfVia, readVia, type Via } from './headers/via.ts'
import type { SipMessage } from './message.ts'
import { methodMask } from './method.ts'

/**
 * The message behind the interface: the datagram's text and a table of numbers, five for each header. The scan
 * (scan.ts) fills it once; afterwards only the caches change. Hot: one object of one shape, nothing decoded
 * before somebody asks.
 */
export class ScannedMessage implements SipMessage {
  readonly text: string
  isRequest = false
  requestUriStart = 0
  requestUriEnd = 0
  methodEnd = 0
  statusCode = 0
  reasonStart = 0
  reasonEnd = 0
  headersStart = 0
  headersEnd = 0
  bodyStart = 0
  bodyEnd = 0
  headerCount = 0
  /** Bits of the header ids below 31 that stand in the message. */
  seen = 0
  fault: Fault | null = null
  /** Rows of `columns` numbers: start, end of the name, start and end of the value, id. */
  readonly table: number[] = []

  private methodCache: string | undefined = undefined
  private maskCache = -1
  private viaCache: Via | null | undefined = undefined
  private fromCache: NameAddr | null | undefined = undefined
  private toCache: NameAddr | null | undefined = undefined
  private cseqCache: CSeq | null | undefined = undefined
  private callIdCache: string | undefined = undefined
  private fromTagCache: string | undefined = undefined
  private toTagCache: string | undefined = undefined

  constructor(text: string) {
    this.text = text
  }

  get method(): string {
    return (this.methodCache ??= this.isRequest
      ? this.text.slice(0, this.methodEnd)
      : (this.cseq?.method ?? ''))
  }

  get methodMask(): number {
    if (this.maskCache === -1) this.maskCache = methodMask(this.method)
    return this.maskCache
  }

  get requestUri(): string {
    return this.text.slice(this.requestUriStart, this.requestUriEnd)
  }

  get reasonPhrase(): string {
    return this.text.slice(this.reasonStart, this.reasonEnd)
  }

  headerId(index: number): HeaderId {
    return entry(this.table, index * columns + idColumn) as HeaderId
  }

  headerName(index: number): string {
    const row = index * columns
    return this.text.slice(entry(this.table, row), entry(this.table, row + nameEndColumn))
  }

  headerValue(index: number): string {
    return unfold(this.text.slice(this.headerValueStart(index), this.headerValueEnd(index)))
  }

  headerStart(index: number): number {
    return entry(this.table, index * columns)
  }

  headerValueStart(index: number): number {
    return entry(this.table, index * columns + valueStartColumn)
  }

  headerValueEnd(index: number): number {
    return entry(this.table, index * columns + valueEndColumn)
  }

  /** Lines follow each other without gaps. */
  headerEnd(index: number): number {
    return index + 1 < this.headerCount ? this.headerStart(index + 1) : this.headersEnd
  }

  first(id: HeaderId): number {
    if (id < 31 && (this.seen & (1 << id)) === 0) return -1
    const table = this.table
    for (let at = idColumn, index = 0; at < table.length; at += columns, index++) {
      if (table[at] === id) return index
    }
    return -1
  }

  next(index: number): number {
    const id = this.headerId(index)
    if (id === HeaderId.other) return this.findOther(headerKey(this.headerName(index)), index + 1)
    for (let following = index + 1; following < this.headerCount; following++) {
      if (this.headerId(following) === id) return following
    }
    return -1
  }

  find(name: string): number {
    const id = headerId(name)
    return id === HeaderId.other ? this.findOther(headerKey(name), 0) : this.first(id)
  }

  findNamed({ id, key }: HeaderName): number {
    return id === HeaderId.other ? this.findOther(key, 0) : this.first(id)
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
    const row = index * columns
    const start = entry(this.table, row)
    const length = entry(this.table, row + nameEndColumn) - start
    if (length === 1) return headerKey(this.headerName(index)) === key
    return length === key.length && isSameName(this.text, start, key)
  }

  value(id: HeaderId): string {
    const index = this.first(id)
    return index === -1 ? '' : this.headerValue(index)
  }

  get topmostVia(): Via | null {
    return this.viaCache === undefined ? (this.viaCache = this.readTopmostVia()) : this.viaCache
  }

  private readTopmostVia(): Via | null {
    const index = this.first(HeaderId.via)
    return index === -1 ? null : readVia(this.text, this.headerValueStart(index), this.headerValueEnd(index))
  }

  vias(): readonly Via[] {
    const found: Via[] = []
    for (let index = this.first(HeaderId.via); index !== -1; index = this.next(index)) {
      if (!this.readVias(index, found)) break
    }
    return found
  }

  private readVias(index: number, found: Via[]): boolean {
    const end = this.headerValueEnd(index)
    let position = this.headerValueStart(index)
    while (position < end) {
      if (found.length === limits.viasMax) return false
      const stop = endOfVia(this.text, position, end)
      const via = readVia(this.text, position, stop)
      if (via !== null) found.push(via)
      else if (skipLws(this.text, position, stop) < stop) return false
      position = stop + 1
    }
    return true
  }

  get from(): NameAddr | null {
    return this.fromCache === undefined ? (this.fromCache = this.readAddress(HeaderId.from)) : this.fromCache
  }

  get to(): NameAddr | null {
    return this.toCache === undefined ? (this.toCache = this.readAddress(HeaderId.to)) : this.toCache
  }

  private readAddress(id: HeaderId): NameAddr | null {
    const index = this.first(id)
    if (index === -1) return null
    return readNameAddr(this.text, this.headerValueStart(index), this.headerValueEnd(index))
  }

  get callId(): string {
    return (this.callIdCache ??= this.value(HeaderId.callId))
  }

  get cseq(): CSeq | null {
    return this.cseqCache === undefined ? (this.cseqCache = this.readCSeq()) : this.cseqCache
  }

  private readCSeq(): CSeq | null {
    const index = this.first(HeaderId.cseq)
    if (index === -1) return null
    return readCSeq(this.text, this.headerValueStart(index), this.headerValueEnd(index))
  }

  get fromTag(): string {
    return (this.fromTagCache ??= this.from === null ? '' : (paramOf(this.from.params, 'tag') ?? ''))
  }

  get toTag(): string {
    return (this.toTagCache ??= this.to === null ? '' : (paramOf(this.to.params, 'tag') ?? ''))
  }

  get body(): string {
    return this.text.slice(this.bodyStart, this.bodyEnd)
  }
}

/** `key` is in lower case. */
function isSameName(text: string, start: number, key: string): boolean {
  for (let i = 0; i < key.length; i++) {
    const code = text.charCodeAt(start + i)
    if (asciiLowerCode(code) !== key.charCodeAt(i)) return false
  }
  return true
}

export const columns = 5
const nameEndColumn = 1
const valueStartColumn = 2
const valueEndColumn = 3
const idColumn = 4
