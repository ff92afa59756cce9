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
  /** After the last header, in the order of the calls. */
  appendHeader(text: string): void
  /** Octets from `start` up to `end` of the message become `text`. False if they overlap an earlier replacement. */
  replace(start: number, end: number, text: string): boolean
  /** The body becomes `text`; Content-Length follows, Content-Type is set if given. '' removes the body. */
  replaceBody(text: string, contentType?: string): void
  clone(): EditList
  clear(): void
}

export declare function createEditList(): EditList
