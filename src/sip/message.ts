import type { Fault } from './fault.ts'
import type { HeaderId, HeaderName } from './header-id.ts'
import type { CSeq } from './headers/cseq.ts'
import type { NameAddr } from './headers/name-addr.ts'
import type { Via } from './headers/via.ts'
import type { HostPort, Identity } from './scan-record.ts'
import type { Uri } from './uri.ts'

/**
 * One SIP message (RFC 3261 §7) as a view over its octets: `text` has one Latin-1 character per octet, and
 * everything else is an offset into it or a slice of it, decoded when somebody first asks. It never changes:
 * what a script changes goes into an EditList (edit.ts) and is applied when the message is written.
 *
 * Hot: a few for every datagram. A slice keeps the whole datagram alive; whoever outlives the message copies (bytes.ts, flat()).
 */
export interface SipMessage {
  readonly text: string
  readonly isRequest: boolean
  /** Of a response: the method in CSeq, '' if that cannot be read. */
  readonly method: string
  /** The bit of `method` in method.ts. */
  readonly methodMask: number
  /** As received; '' in a response. */
  readonly requestUri: string
  readonly requestUriStart: number
  readonly requestUriEnd: number
  /** 0 in a request. */
  readonly statusCode: number
  readonly reasonPhrase: string
  /** The offset of the first header line. */
  readonly headersStart: number
  /** Offset of the empty line that ends the headers (equal to bodyStart if there is none). */
  readonly headersEnd: number
  readonly bodyStart: number
  /** End of the body by Content-Length where there is one; what follows in the datagram is ignored. */
  readonly bodyEnd: number
  /** The first thing found wrong by the scan, or null. Such a message may still be answered, never forwarded. */
  readonly fault: Fault | null

  readonly headerCount: number
  headerId(index: number): HeaderId
  /** As written. */
  headerName(index: number): string
  /** Without surrounding white space, folds replaced by one space (RFC 3261 §7.3.1). */
  headerValue(index: number): string
  /** Where the header line starts. */
  headerStart(index: number): number
  /** Where its value starts, after the colon and white space. */
  headerValueStart(index: number): number
  /** Where its value ends, before trailing white space and CRLF. */
  headerValueEnd(index: number): number
  /** After its CRLF. */
  headerEnd(index: number): number
  /** Index of the first header of that id, -1 if there is none. */
  first(id: HeaderId): number
  /** Index of the next header with the same id (same name for `other`), -1 if there is none. */
  next(index: number): number
  /** Index of the first header of that name (compact forms included), -1 if there is none. */
  find(name: string): number
  /** The same for a name that was looked at before. */
  findNamed(name: HeaderName): number
  /** Value of the first header of that id, '' if there is none. */
  value(id: HeaderId): string

  readonly topmostVia: Via | null
  /** The one below it: where a response goes when ours is taken off. The same as `vias()[1]`, null if there is none. */
  readonly secondVia: Via | null
  /** All Via values, topmost first, across lines and commas. Stops at limits.viasMax. */
  vias(): readonly Via[]
  readonly from: NameAddr | null
  readonly to: NameAddr | null
  /** The URIs of both, without anything else of the value; null if one cannot be read. Parsed at each call. */
  readFromUri(): Uri | null
  readToUri(): Uri | null
  readonly callId: string
  readonly cseq: CSeq | null
  /** The tag parameter of From and To, '' if absent. */
  readonly fromTag: string
  readonly toTag: string
  /** Where the Request-URI says to go, as far as the transport has found out on the way. False: parse it. */
  readRequestHost(into: HostPort): boolean
  /** What the transport has found out on the way, if it was asked to: Transport.identifyBy(). False if it has not. */
  readIdentity(into: Identity): boolean
  /** The body as Latin-1 text, '' if there is none. */
  readonly body: string
}
