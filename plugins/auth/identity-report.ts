import { LRUCache } from 'lru-cache'
import type { PluginHost, RouteContext } from '../../src/plugin/index.ts'
import type { IdentityProblem } from './identity.ts'

/** A client that is refused tries again for ever: one line per pair of users in this time. */
const silenceMilliseconds = 60_000
const pairsMax = 1_024

/**
 * A person whose device is challenged for ever although its password is right must be able to read why: Kamailio
 * says nothing there.
 */
export function reportMismatch(host: PluginHost) {
  const reported = new LRUCache<string, number>({ max: pairsMax })
  return (context: RouteContext, what: string, flags: number, problem: IdentityProblem): void => {
    const { user, toUser, fromUser, differs } = problem
    const sentence =
      `${what} ${flags} demands that the credentials' user equals the ${differs} user: the password of ${user} was ` +
      `right, but From is ${fromUser || '(no user)'} and To is ${toUser || '(no user)'}. If ${user} may act for others, ` +
      'ask allow_third_party() of module learn after a result of -8, or use www_authenticate() and a policy of your own'
    context.explain('auth', sentence)
    const now = host.clock.now()
    const key = JSON.stringify([user, fromUser, toUser])
    const last = reported.get(key)
    if (last !== undefined && now - last < silenceMilliseconds) return
    reported.set(key, now)
    host.log.warn({ ...context.logFields(), user, from: fromUser, to: toUser, rc: -8 }, sentence)
  }
}
