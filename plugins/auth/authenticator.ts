import {
  asciiLower,
  flat,
  HeaderId,
  type Log,
  parseUri,
  type RouteContext,
  type SocketTable,
  unescapeUser,
} from '../../src/plugin/index.ts'
import { type BindingRules, bindingOf } from './binding.ts'
import { findCredentials, readAnswer } from './credentials.ts'
import { type Algorithm, algorithmNamed, type Digest, type DigestAnswer, md5, type Proof } from './digest.ts'
import type { Lockout } from './lockout.ts'
import type { NonceMint, NonceReading } from './nonce.ts'
import type { NonceUser, NonceUses } from './nonce-uses.ts'
import { notesOf } from './notes.ts'
import { ProvenUser, type UsedHeader } from './proven-user.ts'

/** Kamailio's return codes of the authentication functions. */
export const AuthCode = {
  ok: 1,
  error: -1,
  wrongPassword: -2,
  unknownUser: -3,
  staleNonce: -4,
  noCredentials: -5,
  nonceReused: -6,
  userMismatch: -8,
} as const

/** What is known about a user: a password, or HA1 for one algorithm. */
export type Secret =
  | { readonly kind: 'password'; readonly password: string }
  | { readonly kind: 'ha1'; readonly ha1: string }
  /** `stored`: how this source keeps the others' passwords, so that the same work is done for this one. */
  | { readonly kind: 'unknown-user'; readonly stored: 'password' | 'ha1' }
  /** The user exists, but not with what this algorithm needs; `why` goes into the log. */
  | { readonly kind: 'unusable'; readonly why: string }

export interface DigestUser {
  /** As sent. */
  readonly username: string
  readonly user: string
  /** '' if the username has none. */
  readonly domain: string
  readonly realm: string
}

export type FindSecret = (user: DigestUser, algorithm: Algorithm) => Secret

export interface AuthenticationRequest {
  readonly realm: string
  readonly header: 'www' | 'proxy'
  /** The method that the response was computed with. */
  readonly method: string
  readonly findSecret: FindSecret
}

export interface AuthenticationResult {
  readonly code: number
  /** Set if the password proved right (code 1). */
  readonly user: DigestUser | null
}

export interface AuthenticatorServices {
  readonly digest: Digest
  readonly mint: NonceMint
  readonly uses: NonceUses
  readonly lockout: Lockout
  readonly log: Log
  readonly sockets: SocketTable
}

export interface AuthenticatorRules {
  readonly binding: BindingRules
  /** Counts are checked where the client used qop. */
  readonly countsNonces: boolean
  /** A nonce answered without qop serves once. */
  readonly oneTimeWithoutQop: boolean
  /** A nonce serves once in any case. */
  readonly oneTimeAlways: boolean
  readonly comparesUri: boolean
  readonly addsAuthenticationInfo: boolean
}

/**
 * Verifies digest credentials: RFC 7616 §3.4.6 as RFC 3261 §22 uses it, with Kamailio's return codes.
 *
 * Whoever asks learns nothing from the time it takes: the same hashes are computed for a user who does not exist,
 * for a nonce that is too old, and for a wrong password; only then it is decided what is wrong.
 */
export class Authenticator {
  readonly #services: AuthenticatorServices
  readonly #rules: AuthenticatorRules

  constructor(services: AuthenticatorServices, rules: AuthenticatorRules) {
    this.#services = services
    this.#rules = rules
  }

  authenticate(context: RouteContext, request: AuthenticationRequest): AuthenticationResult {
    // RFC 3261 §22.1: ACK and CANCEL cannot be challenged; Kamailio lets PRACK pass too.
    const { method } = context.message
    if (method === 'ACK' || method === 'CANCEL' || method === 'PRACK') return passed
    const header = request.header === 'www' ? HeaderId.authorization : HeaderId.proxyAuthorization
    const { message, flow } = context
    const { mint } = this.#services
    const first = message.first(header)
    const binding = bindingOf(this.#rules.binding, request.realm, message, flow)
    if (first >= 0 && mint.memory?.read(message, first, binding)) {
      const { memory } = mint
      const used = { header, message, index: first, username: memory.username }
      return this.#verify(context, request, used, memory, md5, mint.readIn(memory))
    }
    const found = first < 0 ? null : findCredentials(message, header, request.realm)
    if (found === null) {
      return this.#refused(context, AuthCode.noCredentials, `no credentials for realm ${request.realm}`)
    }
    const answer = readAnswer(found.value)
    if (typeof answer === 'string') return this.#refused(context, AuthCode.error, answer)
    const algorithm = answer.algorithm === '' ? md5 : algorithmNamed(answer.algorithm)
    if (algorithm === null) {
      return this.#refused(context, AuthCode.error, `algorithm ${answer.algorithm} was never offered`)
    }
    const used = { header, message, index: found.index, username: answer.username }
    return this.#verify(context, request, used, answer, algorithm, mint.read(answer.nonce, binding))
  }

  #verify(
    context: RouteContext,
    request: AuthenticationRequest,
    used: UsedHeader,
    answer: DigestAnswer,
    algorithm: Algorithm,
    nonce: NonceReading,
  ): AuthenticationResult {
    const { log } = this.#services
    const user = digestUser(used.username, answer.realm)
    const secret = request.findSecret(user, algorithm)
    const proof = proofOf(secret, algorithm)
    const isRight = this.#proves(context, request, answer, algorithm, proof) && proof === secret

    if (secret.kind === 'unusable') {
      log.error({ ...context.logFields(), user: user.username }, `cannot authenticate: ${secret.why}`)
      return this.#refused(context, AuthCode.error, secret.why)
    }
    const problem = this.#problemOf(context, answer, algorithm, nonce, secret, isRight, user)
    if (problem !== null) return problem
    return this.#accepted(context, user, used, answer, algorithm, proof, nonce)
  }

  #proves(
    context: RouteContext,
    { method }: AuthenticationRequest,
    answer: DigestAnswer,
    algorithm: Algorithm,
    proof: Proof,
  ): boolean {
    const { digest, mint } = this.#services
    const known = answer === mint.memory ? mint.memory.isRight(proof, method) : null
    return known ?? digest.isRight(algorithm, proof, answer, method, context.message.body)
  }

  /** In Kamailio's order: nonce, user, password; then what Kamailio does not ask. */
  #problemOf(
    context: RouteContext,
    answer: DigestAnswer,
    algorithm: Algorithm,
    nonce: NonceReading,
    secret: Secret,
    isRight: boolean,
    user: DigestUser,
  ): AuthenticationResult | null {
    const { lockout, log } = this.#services
    const { address } = context.flow
    // A guess with an old nonce is a guess: stale=true would say that it was right.
    const isLocked = lockout.isLocked(user.username, address)
    if (!isRight && !isLocked && lockout.recordFailure(user.username, address)) {
      log.warn(
        { ...context.logFields(), user: user.username },
        'too many wrong passwords: locked out at this address',
      )
    }
    if (nonce.state !== 'fresh' && !isLocked) {
      // RFC 7616 §3.3: stale=true only if the answer would have been right, else anybody could ask for ever.
      notesOf(context).staleRealm = isRight ? answer.realm : null
      return this.#refused(context, AuthCode.staleNonce, `the nonce is ${whyNot(nonce)}`)
    }
    if (isLocked) {
      return this.#refused(context, AuthCode.wrongPassword, `${user.username} is locked out at ${address}`)
    }
    if (!isRight) {
      return secret.kind === 'unknown-user'
        ? this.#refused(context, AuthCode.unknownUser, `there is no user ${user.username}`)
        : this.#refused(context, AuthCode.wrongPassword, `the password of ${user.username} is wrong`)
    }
    const downgrade = downgradeOf(answer, algorithm, nonce)
    if (downgrade !== null) return this.#refused(context, AuthCode.wrongPassword, downgrade)
    if (this.#rules.comparesUri && !this.#isForThisRequest(context, answer)) {
      return this.#refused(
        context,
        AuthCode.error,
        `the answer is for ${answer.uri}, the request for ${context.message.requestUri}`,
      )
    }
    if (!this.#isFirstUse(context, answer, nonce)) {
      notesOf(context).staleRealm = answer.realm
      return this.#refused(
        context,
        AuthCode.nonceReused,
        `the nonce was used with count ${answer.nc || 'none'}`,
      )
    }
    return null
  }

  #accepted(
    context: RouteContext,
    user: DigestUser,
    used: UsedHeader,
    answer: DigestAnswer,
    algorithm: Algorithm,
    proof: Proof,
    nonce: NonceReading,
  ): AuthenticationResult {
    this.#services.lockout.recordSuccess(user.username, context.flow.address)
    const isCounted = answer.qop !== ''
    context.scope.authenticated = new ProvenUser(
      flat(user.user),
      flat(user.realm),
      nonce.flowProven,
      isCounted,
      used,
    )
    if (this.#rules.addsAuthenticationInfo) {
      context.replyHeaders += this.#authenticationInfo(answer, algorithm, proof)
    }
    if (this.#services.log.enabled('debug')) {
      const flow = nonce.flowProven ? ', to a nonce sent to this very flow' : ''
      context.explain('auth', `${user.username} proved their password${flow}`)
    }
    return { code: AuthCode.ok, user }
  }

  /** RFC 7616 §3.5. */
  #authenticationInfo(answer: DigestAnswer, algorithm: Algorithm, proof: Proof): string {
    const { digest } = this.#services
    const ha1 =
      proof.kind === 'ha1' ? proof.ha1 : digest.ha1(algorithm, answer.username, answer.realm, proof.password)
    const response = digest.serverResponse(algorithm, ha1, answer)
    const counted = answer.qop === '' ? '' : `, qop=${answer.qop}, cnonce="${answer.cnonce}", nc=${answer.nc}`
    return `Authentication-Info: rspauth="${response}"${counted}\r\n`
  }

  /**
   * RFC 7616 §3.4.6 wants the digest's URI to name what the Request-URI names; RFC 3261 §22.4 knows that proxies on
   * the way rewrite it. We ask for the same user, and for the same host unless both hosts are ours; ports and
   * parameters may differ.
   */
  #isForThisRequest(context: RouteContext, answer: DigestAnswer): boolean {
    const { memory } = this.#services.mint
    if (answer === memory && memory.isForRequestUri) return true
    const { uri: digestUri } = answer
    const { requestUri } = context.message
    if (digestUri === requestUri) return true
    const answered = parseUri(digestUri)
    const requested = parseUri(requestUri)
    if (answered === null || requested === null) return false
    if (unescapeUser(answered.user ?? '') !== unescapeUser(requested.user ?? '')) return false
    if (asciiLower(answered.host) === asciiLower(requested.host)) return true
    const { sockets } = this.#services
    return sockets.isMyself(answered.host, answered.port) && sockets.isMyself(requested.host, requested.port)
  }

  #isFirstUse(context: RouteContext, answer: DigestAnswer, nonce: NonceReading): boolean {
    const { countsNonces, oneTimeAlways, oneTimeWithoutQop } = this.#rules
    const isCounted = answer.qop !== '' && countsNonces && !oneTimeAlways
    if (!isCounted && !oneTimeAlways && !(answer.qop === '' && oneTimeWithoutQop)) return true
    const { mint, uses } = this.#services
    const count = isCounted ? Number.parseInt(answer.nc, 16) : 0
    if (isCounted && count === 0) return false
    const user = answer === mint.memory ? mint.memory : uses.sign(nonceUser(context))
    const use = uses.record(nonce.issued, nonce.serial, count, user)
    return use !== 'used'
  }

  #refused(context: RouteContext, code: number, why: string): AuthenticationResult {
    context.explain('auth', why)
    return { code, user: null }
  }
}

function nonceUser({ message, flow }: RouteContext): NonceUser {
  const { callId, cseq, method } = message
  return { address: flow.address, port: flow.port, callId, cseq: cseq?.number ?? 0, method }
}

/** `alice@example.com` is alice of example.com. */
function digestUser(username: string, realm: string): DigestUser {
  const at = username.lastIndexOf('@')
  if (at < 0) return { username, user: username, domain: '', realm }
  return { username, user: username.slice(0, at), domain: username.slice(at + 1), realm }
}

const passed: AuthenticationResult = { code: AuthCode.ok, user: null }

/** For a user without a password the same work is done with one that nobody has. */
function proofOf(secret: Secret, algorithm: Algorithm): Proof {
  if (secret.kind === 'password' || secret.kind === 'ha1') return secret
  if (secret.kind === 'unknown-user' && secret.stored === 'ha1') {
    return { kind: 'ha1', ha1: '0'.repeat(algorithm.digitsCount) }
  }
  return nobodysPassword
}

const nobodysPassword: Proof = { kind: 'password', password: 'no such user' }

function whyNot(nonce: NonceReading): string {
  return nonce.state === 'stale' ? 'too old' : 'not one that we sent there'
}

/** An answer weaker than the challenge: somebody on the way may have taken the better offer out. */
function downgradeOf(answer: DigestAnswer, algorithm: Algorithm, nonce: NonceReading): string | null {
  const { offer } = nonce
  if (offer === null) return null
  if (offer.algorithm !== algorithm)
    return `we asked for ${offer.algorithm.name}, the answer is ${algorithm.name}`
  if (offer.qop !== '' && answer.qop === '') return 'we asked for qop, the answer has none'
  if (answer.qop !== '' && answer.qop !== offer.qop && !offer.qop.split(',').includes(answer.qop))
    return `we did not offer qop ${answer.qop}`
  return null
}
