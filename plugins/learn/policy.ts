import { type AuthenticatedUser, asciiLower, type Binding, type Trust } from '../../src/plugin/index.ts'

/**
 * Whether a request may teach us where its sender is: docs/learning.md. Pure: what is known about the request
 * gives a verdict, and every refusal has a name that events, counters, `$learn(reason)` and this table share.
 */
export const refusalReasons = {
  method: 'the method is not one that we learn from',
  'no-user': 'From has no user part that we can file under',
  'no-domain': 'no domain of our own to file under: set the domain parameter',
  address: 'the source is no unicast address',
  self: 'the source is this router itself',
  'not-the-user': 'the credentials are another user\u2019s than From claims',
  realm: 'the credentials are for another realm than the address-of-record',
  'no-qop': 'the digest has neither qop nor a nonce bound to this flow: it could be a replay',
  unauthenticated: 'no credentials, and the source is in no allowed prefix',
  'not-a-device': 'the user is not in the list of devices',
  'has-credentials': 'the user has digest credentials and did not use them',
  'credentials-unknown': 'whether the user has digest credentials could not be found out',
  registered: 'the user has a registration, which counts more',
  'flow-full': 'too many users on one flow',
  'address-full': 'too many users behind one address or carrier prefix',
  rate: 'too many new users at a time from one address or carrier prefix',
  'hold-down': 'another flow of this user is proven and was heard from a moment ago',
  flapping: 'this user changes its flow too often: two devices with one name?',
  'table-full': 'the location table is full',
} as const

export type RefusalReason = keyof typeof refusalReasons

export interface Claim {
  readonly isLearnedMethod: boolean
  /** Canonical address-of-record; null if From gives none. */
  readonly aor: string | null
  /** User part of the address-of-record, and its domain if addresses-of-record have one. */
  readonly user: string
  readonly domain: string
  readonly authenticated: AuthenticatedUser | null
  readonly isUnicast: boolean
  readonly isOwnAddress: boolean
  /** The source is in an allowed prefix. */
  readonly isAllowedSource: boolean
  /** That prefix is to be believed without proof of the flow. */
  readonly isTrustedSource: boolean
  readonly isDevice: boolean
  /** Asked only of those who would be believed otherwise: it may cost a query. null: could not be found out. */
  hasCredentials(): boolean | null
  /** A static binding or a registration of its own exists. */
  readonly isRegistered: boolean
}

export type Verdict =
  | { readonly kind: 'accepted'; readonly trust: Trust; readonly proven: boolean }
  | { readonly kind: 'refused'; readonly reason: RefusalReason }

export function judge(claim: Claim): Verdict {
  if (!claim.isLearnedMethod) return refused('method')
  if (claim.aor === null || claim.user === '') return refused('no-user')
  if (!claim.isUnicast) return refused('address')
  if (claim.isOwnAddress) return refused('self')
  if (claim.isRegistered) return refused('registered')
  return claim.authenticated === null ? judgeSource(claim) : judgeDigest(claim, claim.authenticated)
}

/** T2, T7: only as that very user, and never from a digest that anybody could have sent again. */
function judgeDigest(claim: Claim, { user, realm, flowProven, qop }: AuthenticatedUser): Verdict {
  if (user !== claim.user) return refused('not-the-user')
  if (claim.domain !== '' && asciiLower(realm) !== claim.domain) return refused('realm')
  if (!qop && !flowProven) return refused('no-qop')
  return { kind: 'accepted', trust: 'digest', proven: flowProven }
}

/** T1 to T4: a known device, from where its operator's packets come, and with nothing better to show. */
function judgeSource(claim: Claim): Verdict {
  if (!claim.isAllowedSource) return refused('unauthenticated')
  if (!claim.isDevice) return refused('not-a-device')
  const hasCredentials = claim.hasCredentials()
  if (hasCredentials === null) return refused('credentials-unknown')
  if (hasCredentials) return refused('has-credentials')
  return { kind: 'accepted', trust: 'source', proven: claim.isTrustedSource }
}

export interface ConflictRules {
  /** How long a proven flow is kept against a new one, in milliseconds. */
  readonly holdDown: number
  /** The newest claim wins at once: for prefixes whose devices change their address as they move. */
  readonly newestWins: boolean
  /** Changes of flow that are tolerated within a minute. */
  readonly movesPerMinuteMax: number
}

/** T14: another flow claims the user. Null: it may have it. */
export function judgeMove(
  existing: Binding,
  trust: Trust,
  movesThisMinute: number,
  rules: ConflictRules,
  now: number,
): RefusalReason | null {
  const { flow } = existing
  if (flow === null || flow.reachableUntil <= now) return null
  if (movesThisMinute >= rules.movesPerMinuteMax) return 'flapping'
  if (trust === 'digest' || rules.newestWins) return null
  if (existing.trust === 'digest') return 'hold-down'
  return flow.proven && now - flow.lastSeen < rules.holdDown ? 'hold-down' : null
}

/**
 * The same where another edge has learned the user. Of its flow nothing is known here but when the user was confirmed last:
 * what a digest has shown is kept for as long as the pinhole then was open, unless its edge is dead.
 */
export function judgeMoveHere(
  existing: Binding,
  trust: Trust,
  pinholeMilliseconds: number,
  rules: ConflictRules,
  now: number,
): RefusalReason | null {
  if (existing.elsewhere?.edge.isAlive === false || trust === 'digest' || rules.newestWins) return null
  const isOpen = now - existing.modifiedAt < pinholeMilliseconds
  return existing.trust === 'digest' && isOpen ? 'hold-down' : null
}

function refused(reason: RefusalReason): Verdict {
  return { kind: 'refused', reason }
}
