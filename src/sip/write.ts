import type { EditList } from './edit.ts'
import type { SipMessage } from './message.ts'

/**
 * A message with its edits as octets (Latin-1 text). Whatever nobody touched goes through byte for byte;
 * Content-Length is corrected only if the body was changed.
 */
export interface WriteOptions {
  /** Replaces the Request-URI. */
  requestUri?: string
  /** Replaces the status line: `SIP/2.0 200 OK` without CRLF. */
  statusLine?: string
  /** Complete lines to stand above all others (our Via); after them come the edit list's own. */
  above?: string
}

export declare function writeMessage(
  message: SipMessage,
  edits: EditList | null,
  options?: WriteOptions,
): string
