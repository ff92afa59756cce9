import { limits } from '../limits.ts'
import { skipLws } from './bytes.ts'
import { HeaderId } from './header-id.ts'
import { HeaderTable } from './header-table.ts'
import { type CSeq, readCSeq } from './headers/cseq.ts'
import { type NameAddr, paramOf, readNameAddr, readTag, readUriOf } from './headers/name-addr.ts'
import { endOfVia, readVia, type Via } from './headers/via.ts'
import type { SipMessage } from './message.ts'
import { methodAt, methodMask } from './method.ts'
import {
  type HostPort,
  type Identity,
  readIdentity,
  readOffsets,
  readRequestHost,
  recordedCSeq,
  recordedFromTag,
  recordedFromUri,
  recordedSecondVia,
  recordedTopmostVia,
  recordedToTag,
  recordedToUri,
  type ScanRecord,
} from './scan-record.ts'
import type { Uri } from './uri.ts'

/**
 * The message behind the interface: its start line, the table of its header lines, and what was decoded of them so
 * far. The scan (scan.ts) fills it once; afterwards only the caches change. Hot: one object of one shape, nothing
 * decoded before somebody asks.
 */
export class ScannedMessage extends HeaderTable implements SipMessage {
  isRequest = false
  requestUriStart = 0
  requestUriEnd = 0
  methodEnd = 0
  statusCode = 0
  reasonStart = 0
  reasonEnd = 0

  private methodCache: string | undefined = undefined
  private maskCache = -1
  private uriCache: string | undefined = undefined
  private viaCache: Via | null | undefined = undefined
  private secondViaCache: Via | null | undefined = undefined
  private fromCache: NameAddr | null | undefined = undefined
  private toCache: NameAddr | null | undefined = undefined
  private cseqCache: CSeq | null | undefined = undefined
  private callIdCache: string | undefined = undefined
  private fromTagCache: string | undefined = undefined
  private toTagCache: string | undefined = undefined

  /** What the scan would fill, from a usual record. */
  override takeRecord(record: ScanRecord): void {
    super.takeRecord(record)
    readOffsets(record, this)
  }

  get method(): string {
    return (this.methodCache ??= this.isRequest
      ? methodAt(this.text, 0, this.methodEnd)
      : (this.cseq?.method ?? ''))
  }

  get methodMask(): number {
    if (this.maskCache === -1) this.maskCache = methodMask(this.method)
    return this.maskCache
  }

  get requestUri(): string {
    return (this.uriCache ??= this.text.slice(this.requestUriStart, this.requestUriEnd))
  }

  get reasonPhrase(): string {
    return this.text.slice(this.reasonStart, this.reasonEnd)
  }

  get topmostVia(): Via | null {
    return this.viaCache === undefined ? (this.viaCache = this.readTopmostVia()) : this.viaCache
  }

  private readTopmostVia(): Via | null {
    if (this.record !== null) return recordedTopmostVia(this.record, this.text)
    const index = this.first(HeaderId.via)
    return index === -1 ? null : readVia(this.text, this.headerValueStart(index), this.headerValueEnd(index))
  }

  get secondVia(): Via | null {
    if (this.secondViaCache === undefined) this.secondViaCache = this.readSecondVia()
    return this.secondViaCache
  }

  /** Nearly always the only value of its line; other ways of writing it are left to the reader of them all. */
  private readSecondVia(): Via | null {
    const recorded = this.record === null ? undefined : recordedSecondVia(this.record, this.text)
    if (recorded !== undefined) return recorded
    const first = this.first(HeaderId.via)
    if (first === -1 || this.topmostVia === null) return null
    const end = this.headerValueEnd(first)
    if (endOfVia(this.text, this.headerValueStart(first), end) < end) return this.vias()[1] ?? null
    const second = this.next(first)
    if (second === -1) return null
    const via = readVia(this.text, this.headerValueStart(second), this.headerValueEnd(second))
    return via ?? this.vias()[1] ?? null
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

  readFromUri(): Uri | null {
    return this.record === null ? this.readUri(HeaderId.from) : recordedFromUri(this.record, this.text)
  }

  readToUri(): Uri | null {
    return this.record === null ? this.readUri(HeaderId.to) : recordedToUri(this.record, this.text)
  }

  private readUri(id: HeaderId): Uri | null {
    const index = this.first(id)
    if (index === -1) return null
    return readUriOf(this.text, this.headerValueStart(index), this.headerValueEnd(index))
  }

  readRequestHost(into: HostPort): boolean {
    return this.record !== null && readRequestHost(this.record, this.text, into)
  }

  get callId(): string {
    return (this.callIdCache ??= this.value(HeaderId.callId))
  }

  get cseq(): CSeq | null {
    return this.cseqCache === undefined ? (this.cseqCache = this.readCSeq()) : this.cseqCache
  }

  private readCSeq(): CSeq | null {
    if (this.record !== null) return recordedCSeq(this.record, this.text)
    const index = this.first(HeaderId.cseq)
    if (index === -1) return null
    return readCSeq(this.text, this.headerValueStart(index), this.headerValueEnd(index))
  }

  readIdentity(into: Identity): boolean {
    return this.record !== null && readIdentity(this.record, into)
  }

  get fromTag(): string {
    return (this.fromTagCache ??=
      (this.record && recordedFromTag(this.record, this.text)) ?? this.tagOf(HeaderId.from))
  }

  get toTag(): string {
    return (this.toTagCache ??=
      (this.record && recordedToTag(this.record, this.text)) ?? this.tagOf(HeaderId.to))
  }

  /** Without folds the value is read where it stands: nothing else of From and To is decoded for it. */
  private tagOf(id: HeaderId): string {
    const index = this.first(id)
    if (index === -1) return ''
    const start = this.headerValueStart(index)
    const end = this.headerValueEnd(index)
    if (!this.isFolded) return readTag(this.text, start, end)
    return paramOf(readNameAddr(this.text, start, end)?.params ?? '', 'tag') ?? ''
  }

  get body(): string {
    return this.text.slice(this.bodyStart, this.bodyEnd)
  }
}
