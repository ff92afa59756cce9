import type { SipMessage } from './message.ts'

/**
 * What a script changed about a message: a list of cuts and insertions by offset, applied when the message is
 * written, never in place (Kamailio: lumps). Edits that touch the same octets: a removed range swallows
 * replacements inside it; insertions at one place keep their order.
 */
export interface EditList {
  readonly isEmpty: boolean
  /** The whole header line, by its index. False if it is removed already. */
  removeHeader(message: SipMessage, index: number): boolean
  isRemoved(message: SipMessage, index: number): boolean
  /** `text` is one or more complete lines, each ending in CRLF (a missing last CRLF is added). */
  insertBeforeHeader(message: SipMessage, index: number, text: string): void
  insertAfterHeader(message: SipMessage, index: number, text: string): void
  /** Above all headers (Record-Route, Via). Later calls go above earlier ones. */
  prependHeader(text: string): void
  /** Rewrites what prependHeader() collected: add_rr_param() extends a Record-Route that is not written yet. */
  rewritePrepended(rewrite: (lines: string) => string): void
  /** After the last header, in the order of the calls. */
  appendHeader(text: string): void
  /** Octets from `start` up to `end` of the message become `text`. False if they overlap an earlier replacement. */
  replace(start: number, end: number, text: string): boolean
  /**
   * The same, for what later functions of the run go by: they ask correctionOf() before they believe the octets.
   * `written`: what the message gets, if it needs more than the text (angle brackets).
   */
  correct(start: number, end: number, text: string, written?: string): boolean
  /** What exactly these octets were corrected to; null if they were not. */
  correctionOf(start: number, end: number): string | null
  /** The body becomes `text`; Content-Length follows, Content-Type is set if given. '' removes the body. */
  replaceBody(text: string, contentType?: string): void
  clone(): EditList
  clear(): void
  /** What the edits amount to now, for the writer (write.ts). */
  plan(): EditPlan
}

export interface EditPlan {
  /** Complete lines above all headers. */
  readonly above: string
  /** Complete lines after the last header. */
  readonly below: string
  /** In the order of the calls. */
  readonly edits: readonly Edit[]
  readonly body: ReplacedBody | null
}

/** Octets from `start` up to `end` become `text`; an insertion where both are equal. */
export interface Edit {
  readonly kind: 'remove' | 'insert' | 'replace'
  readonly start: number
  readonly end: number
  readonly text: string
  /** What later readers of exactly these octets go by. */
  readonly correction?: string
}

export interface ReplacedBody {
  readonly text: string
  /** null: as it was. */
  readonly contentType: string | null
}

export function createEditList(): EditList {
  return new OffsetEdits()
}

/** It is its own plan: the writer of every message asks for one. */
class OffsetEdits implements EditList, EditPlan {
  above = ''
  below = ''
  edits: Edit[] = noEdits
  body: ReplacedBody | null = null

  get isEmpty(): boolean {
    return this.above === '' && this.below === '' && this.edits.length === 0 && this.body === null
  }

  removeHeader(message: SipMessage, index: number): boolean {
    if (this.isRemoved(message, index)) return false
    const start = message.headerStart(index)
    this.add({ kind: 'remove', start, end: message.headerEnd(index), text: '' })
    return true
  }

  /** Nearly all lists have one edit or two: an array for exactly that, where a growing one would take room for 17. */
  private add(edit: Edit): void {
    const { edits } = this
    if (edits.length === 0) this.edits = [edit]
    else if (edits.length === 1) this.edits = [edits[0] as Edit, edit]
    else edits.push(edit)
  }

  isRemoved(message: SipMessage, index: number): boolean {
    const start = message.headerStart(index)
    for (const edit of this.edits) if (edit.kind === 'remove' && edit.start === start) return true
    return false
  }

  insertBeforeHeader(message: SipMessage, index: number, text: string): void {
    this.insert(message.headerStart(index), text)
  }

  insertAfterHeader(message: SipMessage, index: number, text: string): void {
    this.insert(message.headerEnd(index), text)
  }

  private insert(at: number, text: string): void {
    if (text !== '') this.add({ kind: 'insert', start: at, end: at, text: completeLine(text) })
  }

  prependHeader(text: string): void {
    if (text !== '') this.above = completeLine(text) + this.above
  }

  rewritePrepended(rewrite: (lines: string) => string): void {
    this.above = rewrite(this.above)
  }

  appendHeader(text: string): void {
    if (text !== '') this.below += completeLine(text)
  }

  replace(start: number, end: number, text: string): boolean {
    for (const edit of this.edits) if (edit.kind === 'replace' && overlaps(edit, start, end)) return false
    this.add({ kind: 'replace', start, end, text })
    return true
  }

  correct(start: number, end: number, text: string, written = text): boolean {
    if (!this.replace(start, end, written)) return false
    this.edits[this.edits.length - 1] = { kind: 'replace', start, end, text: written, correction: text }
    return true
  }

  correctionOf(start: number, end: number): string | null {
    for (const edit of this.edits) {
      if (edit.correction !== undefined && edit.start === start && edit.end === end) return edit.correction
    }
    return null
  }

  replaceBody(text: string, contentType?: string): void {
    this.body = { text, contentType: contentType ?? this.body?.contentType ?? null }
  }

  clone(): EditList {
    const copy = new OffsetEdits()
    copy.above = this.above
    copy.below = this.below
    if (this.edits !== noEdits) copy.edits = this.edits.slice()
    copy.body = this.body
    return copy
  }

  clear(): void {
    this.above = ''
    this.below = ''
    this.edits = noEdits
    this.body = null
  }

  plan(): EditPlan {
    return this
  }
}

/** Shared by all lists without any, and never written to. */
const noEdits: Edit[] = []

function completeLine(text: string): string {
  return text.endsWith('\n') ? text : `${text}\r\n`
}

/** Two replacements of nothing at one place do not overlap: they follow each other. */
function overlaps(edit: Edit, start: number, end: number): boolean {
  return edit.start < end && start < edit.end
}
