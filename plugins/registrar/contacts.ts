import {
  type EditList,
  flat,
  HeaderId,
  limits,
  paramOf,
  parseDecimal,
  parseNameAddrs,
  parseUri,
  type SipMessage,
} from '../../src/plugin/index.ts'
import { type Refusal, refusals } from './refusal.ts'

/** The Contact headers of a REGISTER as the registrar's rules read them: RFC 3261 §10.3 steps 6 and 7, §20.10. */
export interface RequestedContact {
  readonly uri: string
  /** 0 to 1000; -1 if it was not given. */
  readonly q: number
  /** null: not given. */
  readonly expires: number | null
  /** With angle brackets; '' if absent. */
  readonly instance: string
  /** 0 if absent. */
  readonly regId: number
  /** Bits; null if not given. */
  readonly methods: string | null
  /** `received` parameter as written. Read so that it can be ignored knowingly; never believed. */
  readonly hasReceived: boolean
}

export type RequestedContacts =
  | { readonly kind: 'none' }
  | { readonly kind: 'star' }
  | { readonly kind: 'list'; readonly contacts: readonly RequestedContact[] }
  | { readonly kind: 'refused'; readonly refusal: Refusal }

/** RFC 3261 §10.2.1.1: what cannot be read as a number of seconds counts as 3600. */
const expiresOfNonsense = 3_600
const secondsMax = 0xffffffff

/** `edits`: what the script corrected (fix_nated_contact) counts instead of what came; null to believe the wire. */
export function readContacts(
  message: SipMessage,
  edits: EditList | null,
  lengthMax: number,
): RequestedContacts {
  const contacts: RequestedContact[] = []
  let stars = 0
  for (let i = message.first(HeaderId.contact); i >= 0; i = message.next(i)) {
    const value = message.headerValue(i)
    if (value === '*') {
      stars++
      continue
    }
    const parts = parseNameAddrs(value, limits.contactsMax)
    if (parts === null) return refused(refusals.badContact)
    if (contacts.length + parts.length > limits.contactsMax) return refused(refusals.manyContacts)
    for (const part of parts) {
      const start = message.headerValueStart(i)
      const corrected = edits?.correctionOf(start + part.uriStart, start + part.uriEnd) ?? null
      const contact = readContact(corrected ?? part.uri, part.params, lengthMax)
      if ('statusCode' in contact) return refused(contact)
      contacts.push(contact)
    }
  }
  if (stars > 1 || (stars === 1 && contacts.length > 0)) return refused(refusals.starWithContacts)
  if (stars === 1) return { kind: 'star' }
  return contacts.length === 0 ? { kind: 'none' } : { kind: 'list', contacts }
}

function readContact(uri: string, params: string, lengthMax: number): RequestedContact | Refusal {
  if (uri.length > lengthMax) return refusals.tooLong
  if (parseUri(uri) === null) return refusals.badContact
  const q = readQ(paramOf(params, 'q'))
  if (q === null) return refusals.badQ
  const expires = paramOf(params, 'expires')
  const regId = parseDecimal(paramOf(params, 'reg-id') ?? '', 0x7fffffff)
  return {
    uri: flat(uri),
    q,
    expires: expires === null ? null : readSeconds(expires),
    instance: flat(paramOf(params, '+sip.instance') ?? ''),
    regId: Math.max(regId, 0),
    methods: paramOf(params, 'methods'),
    hasReceived: paramOf(params, 'received') !== null,
  }
}

/** Thousandths; -1 if absent or empty; null for what is no qvalue (RFC 3261 §25.1). Digits after the third are cut off. */
function readQ(text: string | null): number | null {
  if (text === null || text === '') return -1
  const match = /^([01]?)(?:\.(\d*))?$/.exec(text.slice(0, 32))
  if (match === null || text === '.') return null
  const thousandths = Number((match[2] ?? '').slice(0, 3).padEnd(3, '0'))
  const whole = match[1] === '1' ? 1000 : 0
  return whole + thousandths > 1000 ? null : whole + thousandths
}

/** The Expires header's value: null if there is none. */
export function readExpiresHeader(message: SipMessage): number | null {
  const index = message.first(HeaderId.expires)
  return index < 0 ? null : readSeconds(message.headerValue(index))
}

function readSeconds(text: string): number {
  const seconds = parseDecimal(text, secondsMax)
  return seconds < 0 ? expiresOfNonsense : seconds
}

function refused(refusal: Refusal): RequestedContacts {
  return { kind: 'refused', refusal }
}
