import type { SipMessage } from '../sip/message.ts'
import type { ProxyBranch } from './branch.ts'

/**
 * Which branches a cancellation concerns, and what its CANCELs say: RFC 3261 §9.1, §16.10, RFC 3326. When the CANCEL
 * may leave is the client transaction's business (not before a provisional response).
 */
export type CancelScope = 'all' | 'others' | 'this'

/** Cancels what has a client transaction; returns those that had not left yet and are over. */
export function cancelBranches(
  branches: readonly ProxyBranch[],
  scope: CancelScope,
  index: number,
  headers: string,
): ProxyBranch[] {
  const unsent: ProxyBranch[] = []
  for (const branch of branches) {
    if (branch.isFinal || branch.isCancelled || !isMeant(branch, scope, index)) continue
    branch.isCancelled = true
    if (branch.client === null) unsent.push(branch)
    else branch.client.cancel(headers)
  }
  return unsent
}

function isMeant(branch: ProxyBranch, scope: CancelScope, index: number): boolean {
  if (scope === 'all') return true
  return (branch.index === index) === (scope === 'this')
}

/** RFC 3326 §1: the Reason of a CANCEL is passed on; all its other headers are hop by hop. */
export function reasonLines(cancel: SipMessage): string {
  let lines = ''
  for (let i = cancel.find('Reason'); i >= 0; i = cancel.next(i))
    lines += `Reason: ${cancel.headerValue(i)}\r\n`
  return lines
}

/** Why we cancel of our own accord: RFC 3326 §2. */
export function ownReason(status: number, text: string): string {
  const why = text === '' ? '' : `;text="${text.replace(/["\\\r\n]/g, '')}"`
  return `Reason: SIP;cause=${status}${why}\r\n`
}
