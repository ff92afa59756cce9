import { asciiLower } from '../bytes.ts'
import type { HeaderId } from '../header-id.ts'
import type { SipMessage } from '../message.ts'
import { type NameAddr, readNameAddrs, splitValues } from './name-addr.ts'

/** List headers over all their lines: Allow, Supported, Require, Proxy-Require, Contact, Route (RFC 3261 §7.3.1). */

/** All values of all lines in order, trimmed; [] if there is none. */
export function valuesOf(message: SipMessage, id: HeaderId): string[] {
  const values: string[] = []
  for (let index = message.first(id); index !== -1; index = message.next(index)) {
    values.push(...splitValues(message.headerValue(index)))
  }
  return values
}

/** True if one of the values is this token, compared without case: option tags, methods of Allow excepted. */
export function hasToken(message: SipMessage, id: HeaderId, token: string): boolean {
  const wanted = asciiLower(token)
  return valuesOf(message, id).some((value) => asciiLower(value) === wanted)
}

/**
 * All values of an address list header. Offsets are those of the message, so that an edit can name them. Null if
 * any value cannot be read or there are more than `max`.
 */
export function nameAddrsOf(message: SipMessage, id: HeaderId, max: number): NameAddr[] | null {
  const found: NameAddr[] = []
  for (let index = message.first(id); index !== -1; index = message.next(index)) {
    const start = message.headerValueStart(index)
    if (!readNameAddrs(message.text, start, message.headerValueEnd(index), max, 0, found)) return null
  }
  return found
}
