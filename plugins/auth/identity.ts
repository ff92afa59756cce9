import { parseUri, type RouteContext, type Uri } from '../../src/plugin/index.ts'
import type { DigestUser } from './authenticator.ts'

/** Bits of the flags of auth_check() and of the checks of pv_auth_check(). */
export const IdentityFlag = { check: 1, skipSomeMethods: 2 } as const

/** Methods that flag 2 leaves out. */
const skipped: ReadonlySet<string> = new Set(['INVITE', 'BYE', 'PRACK', 'UPDATE', 'MESSAGE'])

/**
 * Does the digest's user speak for themselves? As Kamailio asks it: of REGISTER and PUBLISH the users of To and of
 * From must be the digest's (of PUBLISH the Request-URI's too), of all else the user of From. Users are compared
 * octet by octet; hosts only with `useDomain`. Returns what differs, null if nothing does.
 */
export function identityProblem(
  context: RouteContext,
  user: DigestUser,
  flags: number,
  useDomain: boolean,
): IdentityProblem | null {
  const { message } = context
  if ((flags & IdentityFlag.check) === 0) return null
  if ((flags & IdentityFlag.skipSomeMethods) !== 0 && skipped.has(message.method)) return null
  const from = uriOf(message.from?.uri)
  const to = uriOf(message.to?.uri)
  const isPublication = message.method === 'REGISTER' || message.method === 'PUBLISH'
  const subject = isPublication ? to : from
  const problem = { user: user.username, fromUser: from?.user ?? '', toUser: to?.user ?? '' }
  if (subject?.user !== user.user) return { ...problem, differs: isPublication ? 'To' : 'From' }
  if (isPublication && from?.user !== user.user) return { ...problem, differs: 'From' }
  if (isPublication && useDomain && from?.host !== to?.host) return { ...problem, differs: 'From' }
  if (message.method === 'PUBLISH' && uriOf(message.requestUri)?.user !== user.user) {
    return { ...problem, differs: 'Request-URI' }
  }
  return null
}

export interface IdentityProblem {
  readonly differs: 'To' | 'From' | 'Request-URI'
  readonly user: string
  readonly fromUser: string
  readonly toUser: string
}

function uriOf(text: string | undefined): Uri | null {
  return text === undefined ? null : parseUri(text)
}
