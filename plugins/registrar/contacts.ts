import {
  asciiLower,
  type EditList,
  flat,
  HeaderId,
  limits,
  methodMask,
  parseDecimal,
  parseNameAddrs,
  parseParams,
  parseUri,
  type SipMessage,
} from '../../src/plugin/index.ts'
import { type Refusal, refusals } from './refusal.ts'

/**
 * The Contact headers of a REGISTER as the registrar's rules read them: RFC 3261 §10.3 steps 6 and 7, §20.10. Hot:
 * each parameter list is walked once.
 */
export interface RequestedContact {
  readonly uri: string
  /** 0 to 1000; -1 if it was not given. */
  q: number
  /** null: not given. */
  expires: number | null
  /** With angle brackets; '' if absent. */
  instance: string
  /** 0 if absent. */
  regId: number
  /** Bits of its methods parameter; null if not given. */
  methodBits: number | null
  /** `received` parameter as written. Read so that it can be ignored knowingly; never believed. */
  hasReceived: boolean
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

/**
 * The only Contact if it is written as nearly all are, `<sip:a@b>` or `<sip:a@b>;expires=60`; null for any other, or if
 * it is too long. Nobody has looked whether it is a URI: for who compares it with one that is known.
 */
export function readPlainContact(
  message: SipMessage,
  edits: EditList | null,
  lengthMax: number,
): RequestedContact | null {
  const index = message.first(HeaderId.contact)
  if (index < 0 || message.next(index) >= 0) return null
  const { text } = message
  const start = message.headerValueStart(index)
  const end = message.headerValueEnd(index)
  if (text.charCodeAt(start) !== lessThan) return null
  const close = text.indexOf('>', start)
  if (close < 0 || close >= end) return null
  let expires: number | null = null
  if (close + 1 < end) {
    if (!text.startsWith(expiresParam, close + 1)) return null
    expires = parseDecimal(text.slice(close + 1 + expiresParam.length, end), secondsMax)
    if (expires < 0) return null
  }
  const uri = edits?.correctionOf(start + 1, close) ?? text.slice(start + 1, close)
  return uri.length > lengthMax ? null : contactOf(uri, expires)
}

const lessThan = 0x3c
const expiresParam = ';expires='

function contactOf(uri: string, expires: number | null): RequestedContact {
  return { uri, q: -1, expires, instance: '', regId: 0, methodBits: null, hasReceived: false }
}

function readContact(uri: string, params: string, lengthMax: number): RequestedContact | Refusal {
  if (uri.length > lengthMax) return refusals.tooLong
  if (parseUri(uri) === null) return refusals.badContact
  const contact = contactOf(uri, null)
  return params === '' || readParams(params, contact) ? contact : refusals.badQ
}

/** What stands first counts. False for a q that is none. */
function readParams(params: string, contact: RequestedContact): boolean {
  const seen = { q: false, instance: false, regId: false }
  for (const { name, value } of parseParams(params)) {
    switch (asciiLower(name)) {
      case 'expires':
        contact.expires ??= readSeconds(value)
        break
      case 'q': {
        const q = seen.q ? contact.q : readQ(value)
        if (q === null) return false
        contact.q = q
        seen.q = true
        break
      }
      case '+sip.instance':
        if (!seen.instance) contact.instance = flat(value)
        seen.instance = true
        break
      case 'reg-id':
        if (!seen.regId) contact.regId = Math.max(parseDecimal(value, 0x7fffffff), 0)
        seen.regId = true
        break
      case 'methods':
        contact.methodBits ??= methodBits(value)
        break
      case 'received':
        contact.hasReceived = true
    }
  }
  return true
}

/**
 * The bits of a comma-separated list of methods. Devices of one make send one and the same, so it is read once: 1.5 us
 * for twelve names.
 */
export function methodBits(list: string): number {
  const known = knownLists.get(list)
  if (known !== undefined) return known
  const bits = readMethods(list)
  if (knownLists.size >= limits.methodListsMax) knownLists.clear()
  if (list.length <= methodListLengthMax) knownLists.set(flat(list), bits)
  return bits
}

const knownLists = new Map<string, number>()
const methodListLengthMax = 256

function readMethods(list: string): number {
  let bits = 0
  for (const name of list.split(',')) {
    const trimmed = name.trim()
    if (trimmed !== '') bits |= methodMask(trimmed)
  }
  return bits
}

/** Thousandths; -1 if empty; null for what is no qvalue (RFC 3261 §25.1). Digits after the third are cut off. */
function readQ(text: string): number | null {
  if (text === '') return -1
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
