import { type AuthValue, type HeaderId, parseCredentials, type SipMessage } from '../../src/plugin/index.ts'
import type { DigestAnswer } from './digest.ts'

/** Credentials of one realm in a request: RFC 3261 §22.2, §22.3. Hot. */

/**
 * The first digest credentials for `realm` (compared octet by octet) among the headers of that id. A request may
 * carry several, one per realm that challenged it.
 */
export function findCredentials(message: SipMessage, header: HeaderId, realm: string): Found | null {
  for (let index = message.first(header); index >= 0; index = message.next(index)) {
    const value = parseCredentials(message.headerValue(index))
    if (value !== null && value.scheme === 'digest' && value.realm === realm) return { value, index }
  }
  return null
}

interface Found {
  readonly value: AuthValue
  /** Of the header. */
  readonly index: number
}

/** A string says which part of the credentials makes no sense. */
export function readAnswer(value: AuthValue): DigestAnswer | string {
  const { username, nonce, uri, response, nc, cnonce } = value
  if (!username) return 'there is no username'
  if (!nonce) return 'there is no nonce'
  if (!uri) return 'there is no uri'
  if (!response || !isHexadecimal(response)) return 'the response is not hexadecimal'
  if (value.others?.get('userhash')?.toLowerCase() === 'true')
    return 'the username is hashed, which we never offer'
  const qop = qopOf(value.qop ?? '')
  if (qop === null) return `qop ${value.qop} is unknown`
  if (qop !== '' && (nc?.length !== ncDigits || !isHexadecimal(nc)))
    return 'nc is not eight hexadecimal digits'
  if (qop !== '' && !cnonce) return 'there is no cnonce'
  return {
    username,
    realm: value.realm ?? '',
    nonce,
    uri,
    response,
    algorithm: value.algorithm ?? '',
    qop,
    nc: nc ?? '',
    cnonce: cnonce ?? '',
  }
}

const ncDigits = 8

function qopOf(text: string): DigestAnswer['qop'] | null {
  const qop = text === 'auth' ? text : text.toLowerCase()
  return qop === '' || qop === 'auth' || qop === 'auth-int' ? qop : null
}

function isHexadecimal(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    const letter = code | 0x20
    if (!((code >= 0x30 && code <= 0x39) || (letter >= 0x61 && letter <= 0x66))) return false
  }
  return true
}
