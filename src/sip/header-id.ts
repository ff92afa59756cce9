import { asciiLower } from './bytes.ts'

/**
 * The headers that the router itself reads, as small numbers: a scan compares numbers afterwards, not names.
 * Everything else is `HeaderId.other` and found by its name (RFC 3261 §7.3.1: case-insensitive; §7.3.3 and
 * the IANA registry: compact forms).
 */
export const HeaderId = {
  other: 0,
  via: 1,
  from: 2,
  to: 3,
  callId: 4,
  cseq: 5,
  contact: 6,
  maxForwards: 7,
  route: 8,
  recordRoute: 9,
  contentLength: 10,
  contentType: 11,
  authorization: 12,
  proxyAuthorization: 13,
  expires: 14,
  path: 15,
  supported: 16,
  require: 17,
  proxyRequire: 18,
  userAgent: 19,
  allow: 20,
  event: 21,
  unsupported: 22,
  wwwAuthenticate: 23,
  proxyAuthenticate: 24,
  maxBreadth: 25,
  pAssertedIdentity: 26,
  pPreferredIdentity: 27,
  remotePartyId: 28,
  diversion: 29,
  referTo: 30,
  minExpires: 31,
  date: 32,
  subject: 33,
  reason: 34,
  retryAfter: 35,
} as const

export type HeaderId = (typeof HeaderId)[keyof typeof HeaderId]

const byName: ReadonlyMap<string, HeaderId> = new Map<string, HeaderId>([
  ['via', HeaderId.via],
  ['v', HeaderId.via],
  ['from', HeaderId.from],
  ['f', HeaderId.from],
  ['to', HeaderId.to],
  ['t', HeaderId.to],
  ['call-id', HeaderId.callId],
  ['i', HeaderId.callId],
  ['cseq', HeaderId.cseq],
  ['contact', HeaderId.contact],
  ['m', HeaderId.contact],
  ['max-forwards', HeaderId.maxForwards],
  ['route', HeaderId.route],
  ['record-route', HeaderId.recordRoute],
  ['content-length', HeaderId.contentLength],
  ['l', HeaderId.contentLength],
  ['content-type', HeaderId.contentType],
  ['c', HeaderId.contentType],
  ['authorization', HeaderId.authorization],
  ['proxy-authorization', HeaderId.proxyAuthorization],
  ['expires', HeaderId.expires],
  ['path', HeaderId.path],
  ['supported', HeaderId.supported],
  ['k', HeaderId.supported],
  ['require', HeaderId.require],
  ['proxy-require', HeaderId.proxyRequire],
  ['user-agent', HeaderId.userAgent],
  ['allow', HeaderId.allow],
  ['event', HeaderId.event],
  ['o', HeaderId.event],
  ['unsupported', HeaderId.unsupported],
  ['www-authenticate', HeaderId.wwwAuthenticate],
  ['proxy-authenticate', HeaderId.proxyAuthenticate],
  ['max-breadth', HeaderId.maxBreadth],
  ['p-asserted-identity', HeaderId.pAssertedIdentity],
  ['p-preferred-identity', HeaderId.pPreferredIdentity],
  ['remote-party-id', HeaderId.remotePartyId],
  ['diversion', HeaderId.diversion],
  ['refer-to', HeaderId.referTo],
  ['r', HeaderId.referTo],
  ['min-expires', HeaderId.minExpires],
  ['date', HeaderId.date],
  ['subject', HeaderId.subject],
  ['s', HeaderId.subject],
  ['reason', HeaderId.reason],
  ['retry-after', HeaderId.retryAfter],
])

/** Compact forms of headers that have no number of their own, so that `$hdr(Referred-By)` finds `b:`. */
const compactNames: ReadonlyMap<string, string> = new Map([
  ['a', 'accept-contact'],
  ['b', 'referred-by'],
  ['d', 'request-disposition'],
  ['e', 'content-encoding'],
  ['j', 'reject-contact'],
  ['n', 'identity-info'],
  ['u', 'allow-events'],
  ['x', 'session-expires'],
  ['y', 'identity'],
])

/** The number of a header name, long or compact, in any case. */
export function headerId(name: string): HeaderId {
  return byUsualName.get(name) ?? byName.get(asciiLower(name)) ?? HeaderId.other
}

/** The lower-case long name under which a header without a number is compared. */
export function headerKey(name: string): string {
  const lower = asciiLower(name)
  return compactNames.get(lower) ?? lower
}

/** A header's name as a message looks for it: worked out once for a name that stands in a script. */
export interface HeaderName {
  readonly id: HeaderId
  /** See headerKey. */
  readonly key: string
}

export function headerNamed(name: string): HeaderName {
  return { id: headerId(name), key: headerKey(name) }
}

/** As most senders write them: what the scan compares first. */
const usualNames: readonly (readonly [string, HeaderId])[] = [
  ...[...byName].map(([name, id]) => [usualCase(name), id] as const),
]

/** Both cases: a name that stands in a script is one of them, and no copy of it is made. */
const byUsualName: ReadonlyMap<string, HeaderId> = new Map([...byName, ...usualNames])

function usualCase(name: string): string {
  if (name === 'call-id') return 'Call-ID'
  if (name === 'cseq') return 'CSeq'
  if (name === 'www-authenticate') return 'WWW-Authenticate'
  if (name.length === 1) return name
  return name.replace(/(^|-)[a-z]/g, (letters) => letters.toUpperCase())
}

/**
 * The scan's way to a number without a copy and without hashing every letter: length, first and last letter choose
 * one of 512 slots, which knows at most one name in its usual case; anything else takes the long way. A test holds
 * that the names do not share slots.
 */
export const slotNames: string[] = new Array<string>(512).fill('')
/** Of the type that `entry` reads elsewhere too: one reader for two types would be slower for both. */
export const slotIds = new Int32Array(512)

export function slotOf(length: number, first: number, last: number): number {
  return (length + (first | 0x20) * 2 + (last | 0x20) * 13) & 511
}

for (const [name, id] of usualNames) {
  const slot = slotOf(name.length, name.charCodeAt(0), name.charCodeAt(name.length - 1))
  slotNames[slot] = name
  slotIds[slot] = id
}

/** The number of the header name between two offsets of a message, in any case. */
export function headerIdAt(text: string, start: number, end: number): HeaderId {
  const slot = slotOf(end - start, text.charCodeAt(start), text.charCodeAt(end - 1))
  return slotNames[slot] === '' ? HeaderId.other : headerId(text.slice(start, end))
}
