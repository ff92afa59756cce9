/**
 * Why a REGISTER is refused, with what goes on the wire: status, and the text of `P-Registrar-Error`, which is
 * Kamailio's word for word where Kamailio has one (tools look for it).
 */
export interface Refusal {
  readonly statusCode: number
  readonly reason: string
  readonly error: string
  /** Further complete header lines. */
  readonly headers: string
  /** What save() returns. */
  readonly rc: number
  /** It is about what is registered already: the answer lists the bindings, as Kamailio's does. */
  readonly isOfBindings: boolean
}

function refusal(statusCode: number, reason: string, error: string, headers = '', rc = -1): Refusal {
  return { statusCode, reason, error, headers, rc, isOfBindings: rc === -2 }
}

const badRequest = (error: string) => refusal(400, 'Bad Request', error)
const badUpdate = (error: string): Refusal => ({ ...badRequest(error), isOfBindings: true })

export const refusals = {
  badContact: badRequest('Contact parse error'),
  badAor: badRequest('Error while extracting username'),
  tooLong: badRequest('Contact/received too long'),
  manyContacts: refusal(503, 'Service Unavailable', 'Too many contacts in the request', '', -2),
  badQ: badUpdate('Invalid q param in contact'),
  oldCSeq: badUpdate('Invalid CSeq number'),
  noCSeq: badRequest('Failed to extract Call-ID or CSeq'),
  badPath: badRequest('Path parse error'),
  starWithExpires: badRequest('* used in contact and expires is not zero'),
  starWithContacts: badRequest('* used in contact and more than 1 contact'),
  pathUnsupported: refusal(
    420,
    'Bad Extension',
    'No support for found Path indicated',
    'Unsupported: path\r\n',
  ),
  outboundUnsupported: refusal(
    420,
    'Bad Extension',
    'No support for Outbound on server',
    'Unsupported: outbound\r\n',
  ),
  extensionRequired: refusal(
    421,
    'Extension Required',
    'No support for Outbound on client',
    'Require: outbound\r\n',
  ),
  firstHop: refusal(439, 'First Hop Lacks Outbound Support', 'No support for Outbound on edge proxy'),
  tooBrief: (seconds: number) =>
    refusal(423, 'Interval Too Brief', 'Interval too brief', `Min-Expires: ${seconds}\r\n`),
  tooManyBindings: (retryAfter: string) =>
    refusal(503, 'Service Unavailable', 'Too many registered contacts', retryAfter, -2),
  tableFull: (retryAfter: string) =>
    refusal(503, 'Service Unavailable', 'The location table is full', retryAfter),
  storeRefused: (retryAfter: string) =>
    refusal(503, 'Service Unavailable', 'The location store does not answer', retryAfter),
  notAllowed: (why: string) => refusal(403, 'Forbidden', why),
} as const

/** `Retry-After: 30` with a little spread, so that refused clients do not come back all at once; '' for none. */
export function retryAfterLine(seconds: number, spread: number): string {
  return seconds > 0 ? `Retry-After: ${seconds + spread}\r\n` : ''
}
