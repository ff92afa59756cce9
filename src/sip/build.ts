import type { SipMessage } from './message.ts'

/** Messages that do not derive from another by edits: our own responses (RFC 3261 §8.2.6) and requests. */
export interface ResponseOptions {
  /** Added to To if it has no tag yet; '' for none (100 Trying). */
  toTag: string
  /** Complete lines with CRLF, after CSeq. */
  headers?: string
  /** Record-Route lines of the request are copied (1xx except 100, 2xx). */
  copyRecordRoute?: boolean
  /** The topmost Via as it must read, received and rport filled in (transport/via.ts). */
  topmostVia?: string
  body?: string
  contentType?: string
}

/** A whole response as Latin-1 text: Via, From, To, Call-ID, CSeq, `headers`, Content-Length, body. */
export declare function buildResponse(
  request: SipMessage,
  statusCode: number,
  reasonPhrase: string,
  options: ResponseOptions,
): string

export interface RequestOptions {
  method: string
  requestUri: string
  via: string
  /** Complete header value: `<sip:a@b>;tag=x`. */
  from: string
  to: string
  callId: string
  cseq: number
  maxForwards?: number
  /** Complete lines with CRLF. */
  headers?: string
  body?: string
  contentType?: string
}

export declare function buildRequest(options: RequestOptions): string

/** The CANCEL for a request that we sent: RFC 3261 §9.1. */
export declare function buildCancel(sent: SipMessage, headers?: string): string
/** The ACK for a non-2xx final response to an INVITE that we sent: RFC 3261 §17.1.1.3. */
export declare function buildAck(sent: SipMessage, response: SipMessage): string
/** RFC 3261 §21: the phrase of a status code, 'Unknown' for one that has none. */
export declare function reasonPhraseOf(statusCode: number): string
