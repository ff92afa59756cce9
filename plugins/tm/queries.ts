import type { Pattern, PluginHost, RouteContext } from '../../src/plugin/index.ts'
import { armed, noteOf } from './note.ts'

/** What scripts ask of a transaction. 1 for yes, -1 for no. */
const answer = (yes: boolean | undefined): number => (yes ? 1 : -1)

/**
 * t_check_trans(): whether a CANCEL, an ACK or a response belongs to a transaction of ours. Retransmissions never get
 * here: they are answered before the script runs.
 */
export function checkTransaction(context: RouteContext, host: PluginHost): number {
  const { message } = context
  if (!message.isRequest) return answer(host.proxy.knowsResponse(message))
  if (message.method !== 'CANCEL' && message.method !== 'ACK') return -1
  return answer(host.proxy.findContext(message) !== null)
}

export function lookUpRequest(context: RouteContext, host: PluginHost): number {
  if (context.transaction !== null) return 1
  if (!context.message.isRequest || context.message.method === 'CANCEL') return -1
  return answer(host.proxy.findContext(context.message) !== null)
}

export function lookUpCancel(context: RouteContext, host: PluginHost): number {
  const { message } = context
  return answer(message.method === 'CANCEL' && host.proxy.findContext(message) !== null)
}

/** The status that the route is about: of the reply, of the winner, or of what was sent last. */
export function currentStatus(context: RouteContext): number {
  if (!context.message.isRequest) return context.message.statusCode
  return context.transaction?.bestStatus ?? 0
}

export function checkStatus(context: RouteContext, pattern: Pattern): number {
  const status = currentStatus(context)
  return answer(status !== 0 && pattern.test(String(status)))
}

export function grepStatus(context: RouteContext, status: number): number {
  return answer(context.transaction?.branches.some((branch) => branch.isFinal && branch.status === status))
}

export function isCanceled(context: RouteContext): number {
  return answer(context.transaction?.isCancelled)
}

export function isExpired(context: RouteContext, host: PluginHost): number {
  const { transaction } = context
  if (transaction === null) return -1
  const { maxLifetimeInvite, maxLifetimeNonInvite } = host.proxy.settings
  const setting = transaction.server.method === 'INVITE' ? maxLifetimeInvite : maxLifetimeNonInvite
  const age = host.clock.now() - transaction.createdAt
  return answer(age >= (transaction.maxLifetime || setting))
}

export function anyTimeout(context: RouteContext): number {
  return answer(context.transaction?.branches.some((branch) => branch.isTimeout))
}

/** The response that a failure or reply route is about does not count. */
export function anyReplied(context: RouteContext): number {
  return answer(context.transaction?.branches.some((branch) => branch.wasReplied))
}

/** In a failure route the branch is the winner; elsewhere the one that the route is about. */
export function branchTimeout(context: RouteContext): number {
  const { branch, transaction } = context
  if (branch !== null) return answer(branch.isTimeout)
  return answer(transaction !== null && transaction.bestResponse === null && transaction.bestStatus === 408)
}

export function branchReplied(context: RouteContext): number {
  const { branch, transaction } = context
  if (branch !== null) return answer(branch.wasReplied)
  const best = transaction?.bestResponse ?? null
  const winner = transaction?.branches.find(
    ({ response, status }) => response === best && status === transaction.bestStatus,
  )
  return answer(winner?.wasReplied)
}

export function isArmed(context: RouteContext, kind: string): number {
  const source = context.transaction ?? noteOf(context)
  if (source === null) return -1
  switch (kind) {
    case 'branch_route':
      return answer(source.branchRoute !== null)
    case 'failure_route':
      return answer(source.failureRoute !== null)
    case 'onreply_route':
      return answer(source.replyRoute !== null)
    case 'branch_failure_route':
      return answer(source.branchFailureRoute !== null)
    default:
      return -1
  }
}

export function setTimers(context: RouteContext, invite: number, any: number | undefined): number {
  const target = armed(context)
  if (invite > 0) target.finalResponseInvite = invite
  if (any !== undefined && any > 0) target.finalResponse = any
  if (invite === 0 && any === undefined) target.finalResponseInvite = 0
  return 1
}
