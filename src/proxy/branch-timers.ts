import type { ProxyBranch } from './branch.ts'
import type { ResponseContext } from './proxy.ts'
import type { ProxyServices } from './services.ts'

/**
 * How long the branches of a context may take: fr_timer without any answer, fr_inv_timer after a provisional one
 * (RFC 3261 §16.6 step 11, §16.7 step 2), and never beyond the context's longest life. The transaction layer runs
 * the timers; here is what differs from its own. `now` is the clock's, in milliseconds.
 */
export type TimedContext = Pick<
  ResponseContext,
  'server' | 'createdAt' | 'finalResponse' | 'finalResponseInvite' | 'maxLifetime'
>

/** fr_timer of a branch that leaves now; 0 for the layer's own. */
export function finalResponseOf(context: TimedContext, services: ProxyServices, now: number): number {
  const { finalResponse } = services.transactions.timers
  const wanted = withinLifetime(context, services, context.finalResponse || finalResponse, now)
  return wanted === finalResponse ? 0 : wanted
}

/** fr_inv_timer of a branch that leaves now; 0 for the layer's own. */
export function finalResponseInviteOf(context: TimedContext, services: ProxyServices, now: number): number {
  const { finalResponseInvite } = services.transactions.timers
  const wanted = withinLifetime(context, services, context.finalResponseInvite || finalResponseInvite, now)
  return wanted === finalResponseInvite ? 0 : wanted
}

/** A provisional response came: the layer starts fr_inv_timer anew with each. */
export function restartTimer(context: TimedContext, services: ProxyServices, branch: ProxyBranch): void {
  // RFC 3261 §9.1: a cancelled one has 64*T1 from its CANCEL, whatever comes meanwhile.
  if (context.server.method !== 'INVITE' || branch.isCancelled) return
  const { clock, settings, transactions } = services
  const now = clock.now()
  const wanted = context.finalResponseInvite || transactions.timers.finalResponseInvite
  if (branch.ringingSince < 0) branch.ringingSince = now
  const since = settings.restartTimerOnEachReply ? now : branch.ringingSince
  const milliseconds = withinLifetime(context, services, Math.max(1, since + wanted - now), now)
  if (milliseconds !== wanted) branch.client?.setTimeout(milliseconds)
}

function withinLifetime(
  context: TimedContext,
  { settings }: ProxyServices,
  milliseconds: number,
  now: number,
): number {
  const setting =
    context.server.method === 'INVITE' ? settings.maxLifetimeInvite : settings.maxLifetimeNonInvite
  const left = context.createdAt + (context.maxLifetime || setting) - now
  return Math.max(1, Math.min(milliseconds, left))
}
