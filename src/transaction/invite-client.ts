import { type Actions, Do } from './actions.ts'
import type { TransactionTimers } from './transaction.ts'

/**
 * The INVITE client transaction: RFC 3261 §17.1.1, with the Accepted state of RFC 6026 §7.2.
 *
 *             INVITE sent
 *                 |
 *   +--timer A--> calling --1xx--> proceeding <--1xx-+
 *   +--(again)-----+  |  |          |  |  |  |       |
 *                  |  |  2xx        |  2xx |  +------+
 *      timer B,    |  |  +----------|--+   |
 *      transport   |  |  |          |  |   timer C: CANCEL leaves
 *      error       |  |  v          |  v   |
 *                  |  | accepted <--|--+   |        a 2xx in `accepted` goes up: the UAS sends it again
 *                  |  |  |       300-699   |
 *                  |  300-699       |      |
 *                  |  +------> completed <-+        300-699 in `completed`: the ACK leaves again
 *                  |     |  <--2xx---|
 *                  |  timer M    timer D, transport error
 *                  v     v          v
 *                     terminated
 *
 * Pure: a state and an input give the next state; what must be done is written to `out`. Timer C belongs to the
 * proxy (RFC 3261 §16.6 step 11), but it is this transaction that a late 487 must still find to be acknowledged:
 * so it is here, and leads to `completed`.
 */
export type InviteClientState = 'calling' | 'proceeding' | 'accepted' | 'completed' | 'terminated'

export type InviteClientInput =
  | 'provisional'
  | 'success'
  | 'failure'
  /** Timer A. */
  | 'retransmitTimer'
  /** B in calling, C in proceeding, D in completed, M in accepted. */
  | 'lifetimeTimer'
  | 'transportError'

/** The request leaves, timers A (not over a reliable transport) and B run. */
export function startInviteClient(isReliable: boolean, out: Actions): InviteClientState {
  out.bits = Do.send | Do.startLifetime | (isReliable ? 0 : Do.startRetransmit)
  return 'calling'
}

export function stepInviteClient(
  state: InviteClientState,
  input: InviteClientInput,
  out: Actions,
): InviteClientState {
  out.bits = Do.nothing
  switch (state) {
    case 'calling':
      return inCalling(input, out)
    case 'proceeding':
      return inProceeding(input, out)
    case 'completed':
      return inCompleted(input, out)
    case 'accepted':
      return inAccepted(input, out)
    case 'terminated':
      return 'terminated'
  }
}

function inCalling(input: InviteClientInput, out: Actions): InviteClientState {
  switch (input) {
    case 'provisional':
      out.bits = Do.stopRetransmit | Do.startLifetime | Do.deliver
      return 'proceeding'
    case 'success':
    case 'failure':
      return takeFinal(input, out)
    case 'retransmitTimer':
      out.bits = Do.send | Do.backOff
      return 'calling'
    case 'lifetimeTimer':
      out.bits = Do.reportTimeout
      return 'terminated'
    case 'transportError':
      out.bits = Do.reportTransport
      return 'terminated'
  }
}

function inProceeding(input: InviteClientInput, out: Actions): InviteClientState {
  switch (input) {
    case 'provisional':
      // RFC 3261 §16.7 step 2: each provisional response starts timer C again.
      out.bits = Do.startLifetime | Do.deliver
      return 'proceeding'
    case 'success':
    case 'failure':
      return takeFinal(input, out)
    case 'lifetimeTimer':
      out.bits = Do.cancel | Do.startLifetime | Do.reportTimeout
      return 'completed'
    case 'retransmitTimer':
    case 'transportError':
      return 'proceeding'
  }
}

function takeFinal(input: 'success' | 'failure', out: Actions): InviteClientState {
  if (input === 'success') {
    out.bits = Do.stopRetransmit | Do.startLifetime | Do.deliver
    return 'accepted'
  }
  out.bits = Do.ack | Do.stopRetransmit | Do.startLifetime | Do.deliver
  return 'completed'
}

function inCompleted(input: InviteClientInput, out: Actions): InviteClientState {
  switch (input) {
    case 'failure':
      out.bits = Do.ack | Do.startLifetime
      return 'completed'
    case 'success':
      // RFC 3261 §16.7 step 5: a 2xx goes up whatever went before. A CANCEL has crossed it, or a proxy behind us
      // forwards both: the UAS has a call, and only the caller can end it.
      out.bits = Do.startLifetime | Do.deliver
      return 'accepted'
    case 'lifetimeTimer':
    case 'transportError':
      // The user has its final response already: there is nothing more to report (RFC 3261 §17.1.1.2).
      return 'terminated'
    case 'provisional':
    case 'retransmitTimer':
      return 'completed'
  }
}

function inAccepted(input: InviteClientInput, out: Actions): InviteClientState {
  switch (input) {
    case 'success':
      out.bits = Do.deliver
      return 'accepted'
    case 'lifetimeTimer':
      return 'terminated'
    case 'provisional':
    case 'failure':
    case 'retransmitTimer':
    case 'transportError':
      return 'accepted'
  }
}

/** How long a state lasts at most, in milliseconds: timers B, C, D and M. */
export function inviteClientLifetime(
  state: InviteClientState,
  timers: TransactionTimers,
  isReliable: boolean,
): number {
  switch (state) {
    case 'calling':
      return timers.finalResponse
    case 'proceeding':
      return timers.finalResponseInvite
    case 'completed':
      return isReliable ? 0 : timers.wait
    case 'accepted':
      return 64 * timers.t1
    case 'terminated':
      return 0
  }
}
