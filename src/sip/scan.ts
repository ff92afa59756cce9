import type { Fault } from './fault.ts'
import type { SipMessage } from './message.ts'

/**
 * One pass over a datagram: start line and header offsets (RFC 3261 §7, §7.3, §25). Never throws, whatever the
 * octets; time is linear in their number. A message that cannot even be answered (no start line that we can
 * read, or a response with any fault) is a Fault; one that can carries its fault in `message.fault`.
 */
export declare function scanMessage(text: string): SipMessage | Fault

/** Tells the two results apart. */
export declare function isFault(result: SipMessage | Fault): result is Fault
