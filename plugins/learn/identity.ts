import {
  type AorRules,
  type AuthenticatedUser,
  asciiLower,
  canonicalAor,
  type Location,
  type PluginHost,
  parseUri,
  type RouteContext,
} from '../../src/plugin/index.ts'
import type { AuthDbExports } from '../auth_db/exports.ts'
import type { NameList } from './names.ts'

/** Who a request claims to come from, as an address-of-record of ours, and what is known about that user. */
export interface Mapping {
  readonly host: PluginHost
  readonly aorRules: AorRules
  readonly domain: string
  readonly aor: ((context: RouteContext) => string) | undefined
}

export interface Who {
  readonly aor: string | null
  readonly user: string
  readonly domain: string
  readonly contactUser: string
  readonly isWithoutDomain: boolean
}

/** The From user at a domain of ours: the host that a device behind a NAT writes into From means nothing. */
export function whoIsIt(mapping: Mapping, context: RouteContext, given: string | undefined): Who {
  const { aorRules } = mapping
  const written = given || mapping.aor?.(context) || ''
  const uri = parseUri(written || (context.message.from?.uri ?? ''))
  const contactUser = uri?.user ?? ''
  const domain = !aorRules.useDomain
    ? ''
    : written === ''
      ? domainOf(mapping, context.message.requestUri)
      : asciiLower(uri?.host ?? '')
  const user = uri === null || contactUser === '' ? null : userOf(`sip:${contactUser}@x`, aorRules)
  const isWithoutDomain = aorRules.useDomain && domain === ''
  const aor = user === null || isWithoutDomain ? null : domain === '' ? user : `${user}@${domain}`
  return { aor, user: user ?? '', domain, contactUser, isWithoutDomain: isWithoutDomain && user !== null }
}

export function userOf(uri: string, aorRules: AorRules): string | null {
  const parsed = parseUri(uri)
  return parsed?.user ? canonicalAor(uri, { ...aorRules, useDomain: false }) : null
}

export function domainOf({ host, domain }: Mapping, requestUri: string): string {
  if (domain !== '') return domain
  const uri = parseUri(requestUri)
  return uri !== null && host.sockets.isMyself(uri.host, uri.port) ? asciiLower(uri.host) : ''
}

/** Digest users are told apart by case only if addresses-of-record are. */
export function canonicalPrincipal(
  principal: AuthenticatedUser | null,
  { caseSensitive }: AorRules,
): AuthenticatedUser | null {
  return principal === null || caseSensitive ? principal : { ...principal, user: asciiLower(principal.user) }
}

export function isRegistered(location: Location, aor: string): boolean {
  return location.of(aor).some((binding) => binding.origin === 'registered' || binding.origin === 'static')
}

/**
 * Could that user have proved who it is? The list of the script and auth_db both count; null if one of them cannot
 * say and the other does not say yes. Without either nobody has credentials.
 */
export function hasCredentials(host: PluginHost, listed: NameList, user: string): boolean | null {
  const inList = listed.isEmpty ? false : listed.has(user)
  if (inList === true) return true
  const inDatabase = askAuthDb(host, user)
  return inDatabase === false ? inList : inDatabase
}

/** A module of that name that cannot answer is no reason to believe anybody. */
function askAuthDb(host: PluginHost, user: string): boolean | null {
  const authDb = host.exportsOf<Partial<AuthDbExports>>('auth_db')
  if (authDb === undefined) return false
  return authDb.hasCredentials === undefined ? null : authDb.hasCredentials(user)
}
