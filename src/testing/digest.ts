import { hash } from 'node:crypto'

/**
 * The client's half of digest authentication (RFC 3261 §22, RFC 7616, RFC 8760), written apart from the router's:
 * a test in which both sides share a mistake proves nothing.
 */
export interface Challenge {
  readonly realm: string
  readonly nonce: string
  readonly opaque: string
  readonly qop: string
  readonly algorithm: string
}

export interface DigestUser {
  readonly username: string
  readonly password: string
}

/** Reads a WWW-Authenticate or Proxy-Authenticate value. */
export function readChallenge(value: string): Challenge {
  const param = (name: string) => new RegExp(`\\b${name}=(?:"([^"]*)"|([^\\s,]+))`, 'i').exec(value)
  const text = (name: string) => param(name)?.[1] ?? param(name)?.[2] ?? ''
  return {
    realm: text('realm'),
    nonce: text('nonce'),
    opaque: text('opaque'),
    qop: text('qop'),
    algorithm: text('algorithm') || 'MD5',
  }
}

/** The value of Authorization or Proxy-Authorization. `nonceCount` from 1. */
export function answerChallenge(
  challenge: Challenge,
  user: DigestUser,
  method: string,
  uri: string,
  nonceCount = 1,
  cnonce = '0a4f113b',
): string {
  const digest = (text: string) => hash(challenge.algorithm === 'SHA-256' ? 'sha256' : 'md5', text)
  const { realm, nonce } = challenge
  const ha1 = digest(`${user.username}:${realm}:${user.password}`)
  const ha2 = digest(`${method}:${uri}`)
  const isQop = /\bauth\b/.test(challenge.qop)
  const nc = nonceCount.toString(16).padStart(8, '0')
  const response = digest(isQop ? `${ha1}:${nonce}:${nc}:${cnonce}:auth:${ha2}` : `${ha1}:${nonce}:${ha2}`)
  return (
    `Digest username="${user.username}", realm="${realm}", nonce="${nonce}", uri="${uri}", response="${response}"` +
    `, algorithm=${challenge.algorithm}` +
    (isQop ? `, qop=auth, nc=${nc}, cnonce="${cnonce}"` : '') +
    (challenge.opaque === '' ? '' : `, opaque="${challenge.opaque}"`)
  )
}
