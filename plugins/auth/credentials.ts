import { type AuthValue, type HeaderId, parseCredentials, type SipMessage } from '../../src/plugin/index.ts'
import type { DigestAnswer } from './digest.ts'

/** Credentials of one realm in a request: RFC 3261 §22.2, §22.3. */
export interface Credentials {
  /** The header's whole value: how consume_credentials() finds it again. */
  readonly text: string
  readonly params: ReadonlyMap<string, string>
}

/**
 * The first digest credentials for `realm` (compared octet by octet) among the headers of that id. A request may
 * carry several, one per realm that challenged it.
 */
export function findCredentials(message: SipMessage, header: HeaderId, realm: string): Credentials | null {
  for (let index = message.first(header); index >= 0; index = message.next(index)) {
    const text = message.headerValue(index)
    const value = parseCredentials(text)
    if (isDigestOf(value, realm)) return { text, params: value.params }
  }
  return null
}

function isDigestOf(value: AuthValue | null, realm: string): value is AuthValue {
  return value !== null && value.scheme === 'digest' && value.params.get('realm') === realm
}

/** A string says which part of the credentials makes no sense. */
export function readAnswer(params: ReadonlyMap<string, string>): DigestAnswer | string {
  const answer = {
    username: params.get('username') ?? '',
    realm: params.get('realm') ?? '',
    nonce: params.get('nonce') ?? '',
    uri: params.get('uri') ?? '',
    response: params.get('response') ?? '',
    algorithm: params.get('algorithm') ?? '',
    nc: params.get('nc') ?? '',
    cnonce: params.get('cnonce') ?? '',
  }
  if (answer.username === '') return 'there is no username'
  if (answer.nonce === '') return 'there is no nonce'
  if (answer.uri === '') return 'there is no uri'
  if (!/^[0-9a-fA-F]+$/.test(answer.response)) return 'the response is not hexadecimal'
  if (params.get('userhash')?.toLowerCase() === 'true') return 'the username is hashed, which we never offer'
  const qop = (params.get('qop') ?? '').toLowerCase()
  if (qop !== '' && qop !== 'auth' && qop !== 'auth-int') return `qop ${qop} is unknown`
  if (qop !== '' && !/^[0-9a-fA-F]{8}$/.test(answer.nc)) return 'nc is not eight hexadecimal digits'
  if (qop !== '' && answer.cnonce === '') return 'there is no cnonce'
  return { ...answer, qop }
}

/** `alice@example.com` -> alice and example.com; the domain is '' if there is none. */
export function splitUsername(username: string): { user: string; domain: string } {
  const at = username.lastIndexOf('@')
  return at < 0
    ? { user: username, domain: '' }
    : { user: username.slice(0, at), domain: username.slice(at + 1) }
}
