import { hash as nodeHash, timingSafeEqual } from 'node:crypto'
import { flat } from '../../src/plugin/index.ts'
import { Md5 } from './md5.ts'

/**
 * The arithmetic of digest authentication: RFC 7616 §3.4, with the algorithms of RFC 8760 §2. Texts are octets,
 * one character each; digests are lower-case hexadecimal digits.
 */
export interface Algorithm {
  /** As it stands on the wire. */
  readonly name: string
  /** Node.js' name of the hash. */
  readonly hash: string
  readonly digitsCount: number
  /** Bits 2 to 4 of a nonce's flags: which algorithm the nonce was issued for. */
  readonly number: number
}

export const md5: Algorithm = { name: 'MD5', hash: 'md5', digitsCount: 32, number: 0 }
export const sha256: Algorithm = { name: 'SHA-256', hash: 'sha256', digitsCount: 64, number: 1 }
export const sha512_256: Algorithm = { name: 'SHA-512-256', hash: 'sha512-256', digitsCount: 64, number: 2 }
export const sha512: Algorithm = { name: 'SHA-512', hash: 'sha512', digitsCount: 128, number: 3 }

export const algorithms: readonly Algorithm[] = [md5, sha256, sha512_256, sha512]

/** Null for one that we do not know, the session variants (MD5-sess) included: we never offer them. */
export function algorithmNamed(name: string): Algorithm | null {
  if (name === 'MD5') return md5
  const wanted = name.toUpperCase()
  return algorithms.find((algorithm) => algorithm.name === wanted) ?? null
}

/** crypto.hash() in one call costs half of createHash(); tests count the calls. */
export type Hash = (algorithm: string, octets: Buffer) => string

export const oneShotHash: Hash = (algorithm, octets) => nodeHash(algorithm, octets, 'hex')

/** What a client answered: RFC 7616 §3.4. */
export interface DigestAnswer {
  /** As sent: `alice` or `alice@example.com`. */
  readonly username: string
  readonly realm: string
  readonly nonce: string
  readonly uri: string
  readonly response: string
  /** '' if the client sent none: MD5. */
  readonly algorithm: string
  /** '' without quality of protection (RFC 2069). */
  readonly qop: '' | 'auth' | 'auth-int'
  /** Eight hexadecimal digits, '' without qop. */
  readonly nc: string
  readonly cnonce: string
}

/** What an answer is checked against: a password, or HA1 for the answer's algorithm. */
export type Proof =
  | { readonly kind: 'password'; readonly password: string }
  | { readonly kind: 'ha1'; readonly ha1: string }

const colon = 0x3a

export class Digest {
  readonly #hash: Hash
  readonly #md5: Md5
  /** HA2 of MD5 is that of the request before, wherever all register at one domain. It is nobody's secret. */
  #ha2Method = ''
  #ha2Uri = ''
  #ha2 = ''

  constructor(hash: Hash = oneShotHash, md5 = new Md5()) {
    this.#hash = hash
    this.#md5 = md5
  }

  /**
   * Is the answer the right one? Takes the same time wherever it differs. MD5, which nearly all use, is computed here
   * without a text made of the parts; `body` of the request counts for auth-int.
   */
  isRight(algorithm: Algorithm, proof: Proof, answer: DigestAnswer, method: string, body: string): boolean {
    if (algorithm.hash !== 'md5' || answer.qop === 'auth-int') {
      const ha1 =
        proof.kind === 'ha1' ? proof.ha1 : this.ha1(algorithm, answer.username, answer.realm, proof.password)
      return sameDigits(this.response(algorithm, ha1, answer, method, body), answer.response)
    }
    const ha2 = this.#ha2Of(method, answer.uri)
    const md5 = this.#md5
    this.#startWithHa1(proof, answer)
    md5.octet(colon)
    md5.text(answer.nonce)
    md5.octet(colon)
    if (answer.qop !== '') {
      md5.text(answer.nc)
      md5.octet(colon)
      md5.text(answer.cnonce)
      md5.octet(colon)
      md5.text(answer.qop)
      md5.octet(colon)
    }
    md5.text(ha2)
    md5.finish()
    return md5.hasDigits(answer.response)
  }

  ha1(algorithm: Algorithm, username: string, realm: string, password: string): string {
    return this.#of(algorithm, `${username}:${realm}:${password}`)
  }

  /** `method` of the request, `body` for auth-int. */
  response(algorithm: Algorithm, ha1: string, answer: DigestAnswer, method: string, body: string): string {
    const ha2 = this.#of(algorithm, this.#a2(algorithm, answer, method, body))
    const middle = answer.qop === '' ? '' : `${answer.nc}:${answer.cnonce}:${answer.qop}:`
    return this.#of(algorithm, `${ha1}:${answer.nonce}:${middle}${ha2}`)
  }

  /** `rspauth` of Authentication-Info (RFC 7616 §3.5): the same without a method. */
  serverResponse(algorithm: Algorithm, ha1: string, answer: DigestAnswer): string {
    return this.response(algorithm, ha1, answer, '', '')
  }

  #startWithHa1(proof: Proof, answer: DigestAnswer): void {
    const md5 = this.#md5
    md5.start()
    if (proof.kind === 'ha1') {
      md5.text(proof.ha1)
      return
    }
    md5.text(answer.username)
    md5.octet(colon)
    md5.text(answer.realm)
    md5.octet(colon)
    md5.text(proof.password)
    md5.finish()
    md5.startWithDigits()
  }

  #ha2Of(method: string, uri: string): string {
    if (method === this.#ha2Method && uri === this.#ha2Uri) return this.#ha2
    const md5 = this.#md5
    md5.start()
    md5.text(method)
    md5.octet(colon)
    md5.text(uri)
    md5.finish()
    this.#ha2Method = method
    this.#ha2Uri = flat(uri)
    this.#ha2 = md5.digits()
    return this.#ha2
  }

  #a2(algorithm: Algorithm, answer: DigestAnswer, method: string, body: string): string {
    const a2 = `${method}:${answer.uri}`
    return answer.qop === 'auth-int' ? `${a2}:${this.#of(algorithm, body)}` : a2
  }

  #of(algorithm: Algorithm, text: string): string {
    return this.#hash(algorithm.hash, Buffer.from(text, 'latin1'))
  }
}

/** Takes the same time wherever the first difference is. */
export function sameDigits(a: string, b: string): boolean {
  const left = Buffer.from(a.toLowerCase(), 'latin1')
  const right = Buffer.from(b.toLowerCase(), 'latin1')
  return left.length === right.length && timingSafeEqual(left, right)
}
