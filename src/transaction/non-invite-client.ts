import { type Actions, Do } from './actions.ts'
import type { TransactionTimers } from './transaction.ts'

/**
 * The non-INVITE client transaction: RFC 3261 §17.1.2.
 *
 *               request sent
 *                    |
 *   +--timer E--> trying ---1xx---> proceeding <--1xx, timer E (every T2)--+
 *   +--(again)-----+ |                |   |  +------------------------------+
 *                    |                |   |
 *                  2xx-699         2xx-699|
 *                    |                |   |
 *                    v                v   |
 *                completed <----------+   |        retransmitted responses: swallowed
 *                    |                    |
 *                 timer K      timer F, transport error (also in trying)
 *                    v                    v
 *                          terminated
 *
 * Pure: a state and an input give the next state; what must be done is written to `out`.
 */
export type NonInviteClientState = 'trying' | 'proceeding' | 'completed' | 'terminated'

export type NonInviteClientInput =
  | 'provisional'
  | 'final'
  /** Timer E. */
  | 'retransmitTimer'
  /** F in trying and proceeding, K in completed. */
  | 'lifetimeTimer'
  | 'transportError'

/** The request leaves, timers E (not over a reliable transport) and F run. */
export function startNonInviteClient(isReliable: boolean, out: Actions): NonInviteClientState {
  out.bits = Do.send | Do.startLifetime | (isReliable ? 0 : Do.startRetransmit)
  return 'trying'
}

export function stepNonInviteClient(
  state: NonInviteClientState,
  input: NonInviteClientInput,
  out: Actions,
): NonInviteClientState {
  out.bits = Do.nothing
  switch (state) {
    case 'trying':
    case 'proceeding':
      return beforeFinal(state, input, out)
    case 'completed':
      return input === 'lifetimeTimer' ? 'terminated' : 'completed'
    case 'terminated':
      return 'terminated'
  }
}

function beforeFinal(
  state: 'trying' | 'proceeding',
  input: NonInviteClientInput,
  out: Actions,
): NonInviteClientState {
  switch (input) {
    case 'provisional':
      out.bits = Do.deliver
      return 'proceeding'
    case 'final':
      out.bits = Do.stopRetransmit | Do.startLifetime | Do.deliver
      return 'completed'
    case 'retransmitTimer':
      out.bits = Do.send | Do.backOff
      return state
    case 'lifetimeTimer':
      out.bits = Do.reportTimeout
      return 'terminated'
    case 'transportError':
      out.bits = Do.reportTransport
      return 'terminated'
  }
}

/**
 * How long a state lasts at most, in milliseconds: timer F. Timer K, which only swallows responses that come again,
 * is 0 over any transport: the layer refuses a response without a transaction, which is the same to everybody, and
 * not to keep each finished transaction for 5 s takes a quarter off the cost of the layer.
 */
export function nonInviteClientLifetime(state: NonInviteClientState, timers: TransactionTimers): number {
  switch (state) {
    case 'trying':
    case 'proceeding':
      return timers.finalResponse
    case 'completed':
    case 'terminated':
      return 0
  }
}

/** Timer E's next interval: doubled up to T2; T2 at once after a provisional response (RFC 3261 §17.1.2.2). */
export function nextTimerE(
  state: NonInviteClientState,
  intervalMs: number,
  timers: TransactionTimers,
): number {
  return state === 'proceeding' ? timers.t2 : Math.min(2 * intervalMs, timers.t2)
}
