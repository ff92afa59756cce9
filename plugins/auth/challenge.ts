import { flat, quoted, type RouteContext } from '../../src/plugin/index.ts'
import { type BindingRules, bindingOf } from './binding.ts'
import type { Algorithm } from './digest.ts'
import type { NonceMint, Offer } from './nonce.ts'
import { notesSeen } from './notes.ts'

/** Bits of the flags of auth_challenge() and friends. */
export const ChallengeFlag = { qopAuth: 1, qopAuthInt: 2, silent: 4, stale: 16 } as const

export interface ChallengeSettings {
  readonly mint: NonceMint
  readonly binding: BindingRules
  /** Strongest first; empty: MD5 without saying so, which is how Kamailio challenges if no algorithm is set. */
  readonly algorithms: readonly Algorithm[]
  /** What flag 1 offers. */
  readonly qop: Offer['qop']
}

/**
 * The header lines of a challenge, one per algorithm, in the order of preference (RFC 7616 §3.7, RFC 8760 §2.4):
 *
 *   WWW-Authenticate: Digest realm="R", nonce="N", qop="auth", stale=true, algorithm=SHA-256
 *
 * Each has a nonce of its own, which knows what was offered with it.
 */
export class Challenges {
  readonly #settings: ChallengeSettings
  readonly #md5: Algorithm
  /** The last of each algorithm, by its number. */
  readonly #frames: (Frame | undefined)[] = []

  constructor(settings: ChallengeSettings, plainMd5: Algorithm) {
    this.#settings = settings
    this.#md5 = plainMd5
  }

  lines(
    context: RouteContext,
    header: 'WWW-Authenticate' | 'Proxy-Authenticate',
    realm: string,
    flags: number,
    chosen: readonly Algorithm[] | null = null,
  ): string {
    const notes = notesSeen(context)
    const offered = chosen ?? notes.algorithms ?? this.#settings.algorithms
    const isStale = (flags & ChallengeFlag.stale) !== 0 || notes.staleRealm === realm
    if (offered.length === 0) return this.#line(context, header, realm, this.#md5, flags, isStale, '')
    let lines = ''
    for (const algorithm of offered) {
      lines += this.#line(context, header, realm, algorithm, flags, isStale, `, algorithm=${algorithm.name}`)
    }
    return lines
  }

  #line(
    context: RouteContext,
    header: string,
    realm: string,
    algorithm: Algorithm,
    flags: number,
    isStale: boolean,
    suffix: string,
  ): string {
    const { mint, binding } = this.#settings
    const qop = this.#qop(flags)
    const { before, after } = this.#frame(header, realm, algorithm, qop, isStale, suffix)
    return mint.issue(
      { algorithm, qop },
      bindingOf(binding, realm, context.message, context.flow),
      before,
      after,
    )
  }

  /** What stands around the nonce: mostly what stood there last time, and then it is not put together again (0.15 us). */
  #frame(
    header: string,
    realm: string,
    algorithm: Algorithm,
    qop: Offer['qop'],
    isStale: boolean,
    suffix: string,
  ): Frame {
    const last = this.#frames[algorithm.number]
    if (
      last !== undefined &&
      last.header === header &&
      last.realm === realm &&
      last.qop === qop &&
      last.isStale === isStale &&
      last.suffix === suffix
    ) {
      return last
    }
    const offer = qop === '' ? '' : `, qop="${qop}"`
    const stale = isStale ? ', stale=true' : ''
    const before = flat(`${header}: Digest realm=${quoted(realm)}, nonce="`)
    const after = flat(`"${offer}${stale}${suffix}\r\n`)
    const frame = { header, realm: flat(realm), qop, isStale, suffix, before, after }
    this.#frames[algorithm.number] = frame
    return frame
  }

  /** Flag 2 wins over flag 1 (measured on Kamailio 5.6.3). */
  #qop(flags: number): Offer['qop'] {
    if ((flags & ChallengeFlag.qopAuthInt) !== 0) return 'auth-int'
    return (flags & ChallengeFlag.qopAuth) !== 0 ? this.#settings.qop : ''
  }
}

interface Frame {
  readonly header: string
  readonly realm: string
  readonly qop: Offer['qop']
  readonly isStale: boolean
  readonly suffix: string
  readonly before: string
  readonly after: string
}
