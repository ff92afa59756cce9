import { asciiLower, parseUri, type Uri, unescapeUser } from '../sip/uri.ts'

/**
 * The canonical address-of-record (RFC 3261 §10.3 step 5): what bindings are filed under. Escapes are undone,
 * so that `%31000` is `1000`, and NUL stays a character like any other: two users never fall together.
 */
export interface AorRules {
  /** File under `user@domain` instead of `user`. */
  useDomain: boolean
  /** Keep upper and lower case of the user part apart. */
  caseSensitive: boolean
  /** Stripped from the front of the domain (Kamailio: realm_prefix). */
  realmPrefix: string
}

/** Characters of an address-of-record that we file; a longer one is refused. */
const aorLengthMax = 512

/** Null if the text is no URI, has nothing to file under, or is too long. */
export function canonicalAor(uriText: string, rules: AorRules): string | null {
  return aorOfUri(parseUri(uriText), rules)
}

/** The same of a URI that was parsed already. */
export function aorOfUri(uri: Uri | null, rules: AorRules): string | null {
  if (uri === null) return null
  const user = uri.user === null ? '' : unescapeUser(uri.user)
  const key = rules.useDomain || user === '' ? withDomain(user, uri.host, rules) : user
  if (key === '' || key.length > aorLengthMax) return null
  return rules.caseSensitive ? key : asciiLower(key)
}

/** `1000` or `1000@domain` as an operator writes it (RPC, delegate tables): a URI without its scheme. */
export function canonicalName(name: string, rules: AorRules): string {
  const at = name.lastIndexOf('@')
  const user = at < 0 ? name : name.slice(0, at)
  const key = rules.useDomain && at >= 0 ? withDomain(user, name.slice(at + 1), rules) : user
  return rules.caseSensitive ? key : asciiLower(key)
}

function withDomain(user: string, host: string, rules: AorRules): string {
  const lower = asciiLower(host)
  const domain =
    rules.realmPrefix !== '' && lower.startsWith(rules.realmPrefix)
      ? lower.slice(rules.realmPrefix.length)
      : lower
  return user === '' ? domain : `${user}@${domain}`
}
