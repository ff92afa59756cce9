import {
  asciiLower,
  HeaderId,
  hasUsualUri,
  limits,
  type NameAddr,
  nameAddrsOf,
  paramOf,
  parseCredentials,
  parseDecimal,
  parseDeltaSeconds,
  parseParams,
  parseUri,
  readUri,
  readUriOf,
  type SipMessage,
  type Uri,
  valuesOf,
} from '../../src/plugin/index.ts'

/**
 * The checks of Kamailio's sanity module by their bit, with its answers (measured on Kamailio 5.6.3). What the scan
 * itself finds wrong never reaches a script; these see to the rest, and to what a script changed before.
 */
export interface Refusal {
  readonly statusCode: number
  readonly reason: string
  /** Complete lines. */
  readonly headers?: string
  /** Kamailio sends nothing. */
  readonly isSilent?: boolean
}

export interface CheckSettings {
  /** Bits: 1 Request-URI, 2 From, 4 To, 8 Contact. */
  readonly uriChecks: number
  /** Option tags in lower case. */
  readonly proxyRequire: ReadonlySet<string>
}

/** Checks that make sense for requests alone: Request-URI, Proxy-Require, and CSeq against the method. */
const requestChecks = (1 << 0) | (1 << 1) | (1 << 5) | (1 << 9)

type Check = (request: SipMessage, settings: CheckSettings) => Refusal | null

/** In the order in which Kamailio runs them. 8 and 16 are without effect there too. */
const allChecks: readonly (readonly [bit: number, check: Check])[] = [
  [1 << 0, checkVersion],
  [1 << 1, checkScheme],
  [1 << 2, checkRequiredHeaders],
  [1 << 5, checkCSeqMethod],
  [1 << 6, checkCSeqNumber],
  [1 << 7, checkContentLength],
  [1 << 8, checkExpires],
  [1 << 9, checkProxyRequire],
  [1 << 10, checkUris],
  [1 << 11, checkDigest],
  [1 << 12, checkTags],
  [1 << 13, checkAuthorization],
  [1 << 14, checkVia],
  [1 << 15, checkCookie],
  [1 << 16, checkSizes],
]

/** The checks of one mask, as a script names them: found in the table once, not for every message. */
export class Checks {
  readonly #ofRequests: readonly Check[]
  readonly #ofResponses: readonly Check[]

  constructor(mask: number) {
    this.#ofRequests = checksOf(mask)
    this.#ofResponses = checksOf(mask & ~requestChecks)
  }

  /** The first one that fails; null if none does. Hot. */
  findRefusal(message: SipMessage, settings: CheckSettings): Refusal | null {
    const checks = message.isRequest ? this.#ofRequests : this.#ofResponses
    for (let i = 0; i < checks.length; i++) {
      const refusal = (checks[i] as Check)(message, settings)
      if (refusal !== null) return refusal
    }
    return null
  }
}

function checksOf(mask: number): Check[] {
  return allChecks.filter(([bit]) => (mask & bit) !== 0).map(([, check]) => check)
}

function bad(reason: string): Refusal {
  return { statusCode: 400, reason }
}

const silent: Refusal = { statusCode: 400, reason: 'Bad Headers', isSilent: true }

function checkVersion(request: SipMessage): Refusal | null {
  if (request.fault?.code !== 'version') return null
  return { statusCode: 505, reason: 'Version Not Supported (R-URI)' }
}

function checkScheme(request: SipMessage): Refusal | null {
  const uri = parseUri(request.requestUri)
  if (uri === null) return bad('Bad Request URI')
  if (knownSchemes.has(uri.scheme)) return null
  return { statusCode: 416, reason: 'Unsupported URI Scheme in Request URI' }
}

const knownSchemes: ReadonlySet<string> = new Set(['sip', 'sips', 'tel', 'urn'])

const required = [HeaderId.from, HeaderId.to, HeaderId.callId, HeaderId.cseq, HeaderId.via] as const

/** That none of them comes twice the scan has seen: only a message that a script has made anew may have a fault. */
function checkRequiredHeaders(request: SipMessage): Refusal | null {
  for (const id of required) if (request.first(id) === -1) return silent
  if (request.fault === null) return null
  for (const id of required) {
    if (id !== HeaderId.via && request.next(request.first(id)) !== -1) return bad('Bad Headers')
  }
  return null
}

function checkCSeqMethod(request: SipMessage): Refusal | null {
  if (request.cseq === null) return bad('Missing method in CSeq header')
  return request.cseq.method === request.method ? null : bad('CSeq method does not match request method')
}

function checkCSeqNumber(request: SipMessage): Refusal | null {
  return request.cseq === null ? bad('CSeq number is illegal') : null
}

/**
 * What follows the announced body in the datagram is ignored (RFC 3261 §18.3), so only a short one is wrong: a fault to
 * the scan.
 */
function checkContentLength(request: SipMessage): Refusal | null {
  if (request.fault === null) return null
  const index = request.first(HeaderId.contentLength)
  if (index === -1) return null
  const announced = parseDecimal(request.headerValue(index), Number.MAX_SAFE_INTEGER)
  return announced === request.bodyEnd - request.bodyStart ? null : bad('Content-Length mis-match')
}

function checkExpires(request: SipMessage): Refusal | null {
  const index = request.first(HeaderId.expires)
  if (index === -1 || parseDeltaSeconds(request.headerValue(index)) !== null) return null
  return bad('Expires value is illegal')
}

/** RFC 3261 §16.3 step 5. */
function checkProxyRequire(request: SipMessage, { proxyRequire }: CheckSettings): Refusal | null {
  if (request.first(HeaderId.proxyRequire) === -1) return null
  const unknown = valuesOf(request, HeaderId.proxyRequire).filter((tag) => !proxyRequire.has(asciiLower(tag)))
  if (unknown.length === 0) return null
  const headers = `Unsupported: ${unknown.join(', ')}\r\n`
  return { statusCode: 420, reason: 'Bad Proxy Require Extension', headers }
}

function checkUris(request: SipMessage, { uriChecks }: CheckSettings): Refusal | null {
  if ((uriChecks & 1) !== 0 && request.isRequest && parseUri(request.requestUri) === null)
    return bad('Bad Request URI')
  if ((uriChecks & 2) !== 0 && !hasReadableAddress(request, HeaderId.from)) return bad('Invalid From Header')
  if ((uriChecks & 4) !== 0 && !hasReadableAddress(request, HeaderId.to)) return bad('Invalid To Header')
  if ((uriChecks & 8) !== 0 && !hasReadableContacts(request)) return bad('Bad Contact URI')
  return null
}

/** Where it stands. Nearly all are `sip:` URIs: then nothing is made of them, which took twice as long (0.2 us). */
function isReadable({ text }: SipMessage, start: number, end: number): boolean {
  return hasUsualUri(text, start, end) || isOfKnownScheme(readUriOf(text, start, end))
}

function hasReadableAddress(request: SipMessage, id: HeaderId): boolean {
  const index = request.first(id)
  if (index === -1) return false
  return isReadable(request, request.headerValueStart(index), request.headerValueEnd(index))
}

function hasReadableUri(address: NameAddr): boolean {
  return isOfKnownScheme(readUri(address.uri))
}

function isOfKnownScheme(uri: Uri | null): boolean {
  return uri !== null && knownSchemes.has(uri.scheme)
}

function hasReadableContacts(request: SipMessage): boolean {
  if (request.first(HeaderId.contact) === -1 || request.value(HeaderId.contact) === '*') return true
  const contacts = nameAddrsOf(request, HeaderId.contact, limits.contactsMax)
  return contacts?.every(hasReadableUri) ?? false
}

/** Every credential must be a digest with all that RFC 2617 §3.2.2 requires; another scheme is dropped in silence. */
function checkDigest(request: SipMessage): Refusal | null {
  const credentials = credentialsOf(request)
  if (!credentials.every(isDigest)) return silent
  return credentials.every(isCompleteDigest) ? null : bad('Bad Auth Credentials')
}

/** Other schemes are somebody else's. */
function checkAuthorization(request: SipMessage): Refusal | null {
  const digests = credentialsOf(request).filter(isDigest)
  return digests.every(isCompleteDigest) ? null : bad('Bad Authorization Header')
}

function credentialsOf(request: SipMessage): string[] {
  const values: string[] = []
  for (const id of [HeaderId.authorization, HeaderId.proxyAuthorization] as const) {
    for (let index = request.first(id); index !== -1; index = request.next(index)) {
      values.push(request.headerValue(index))
    }
  }
  return values
}

function isDigest(value: string): boolean {
  return /^digest(?:\s|$)/i.test(value)
}

function isCompleteDigest(value: string): boolean {
  const credentials = parseCredentials(value)
  if (credentials?.scheme !== 'digest') return false
  return ['username', 'realm', 'nonce', 'uri', 'response'].every((name) => credentials.params.get(name))
}

function checkTags(request: SipMessage): Refusal | null {
  if (tagCount(request.from) > 1) return bad('Many From Tag Params')
  return tagCount(request.to) > 1 ? bad('Many To Tag Params') : null
}

function tagCount(address: NameAddr | null): number {
  return parseParams(address?.params ?? '').filter(({ name }) => asciiLower(name) === 'tag').length
}

function checkVia(request: SipMessage): Refusal | null {
  const via = request.topmostVia
  const hasEmptyBranch = via !== null && via.branch === '' && paramOf(via.params, 'branch') !== null
  return via === null || via.host === '' || hasEmptyBranch ? silent : null
}

/** RFC 3261 §8.1.1.7. */
function checkCookie(request: SipMessage): Refusal | null {
  return request.topmostVia?.isRfc3261 === true ? null : silent
}

/** The bounds of limits.ts are kept by the scan: nothing is left to refuse. */
function checkSizes(): Refusal | null {
  return null
}
