import { type Actions, Do } from './actions.ts'
import type { TransactionTimers } from './transaction.ts'

/**
 * The INVITE server transaction: RFC 3261 §17.2.1, with the Accepted state of RFC 6026 §7.1.
 *
 *           INVITE
 *             |       INVITE again: the last 1xx leaves again
 *             v       1xx from the user: leaves
 *         proceeding ------2xx-----> accepted      INVITE again: swallowed; 2xx from the user: leaves
 *             |                         |
 *          300-699 from the user     timer L
 *             |                         |
 *             v                         |
 *   +----> completed --timer H-----> terminated    INVITE again, timer G: the response leaves again
 *   +timer G--+ |                       ^
 *              ACK                      |
 *               v                       |
 *           confirmed ---timer I--------+          ACK again: swallowed
 *
 * Pure: a state and an input give the next state; what must be done is written to `out`. A 2xx is sent again by
 * the UAS behind us, not here (RFC 6026 §7.1).
 */
export type InviteServerState = 'proceeding' | 'accepted' | 'completed' | 'confirmed' | 'terminated'

export type InviteServerInput =
  /** The INVITE, once more. */
  | 'request'
  | 'ack'
  /** What the user wants to send. */
  | 'provisional'
  | 'success'
  | 'failure'
  /** Timer G. */
  | 'retransmitTimer'
  /** H in completed, I in confirmed, L in accepted. */
  | 'lifetimeTimer'
  | 'transportError'

export function stepInviteServer(
  state: InviteServerState,
  input: InviteServerInput,
  isReliable: boolean,
  out: Actions,
): InviteServerState {
  out.bits = Do.nothing
  switch (state) {
    case 'proceeding':
      return inProceeding(input, isReliable, out)
    case 'accepted':
      return inAccepted(input, out)
    case 'completed':
      return inCompleted(input, out)
    case 'confirmed':
      return inConfirmed(input, out)
    case 'terminated':
      return inTerminated(input, out)
  }
}

function inProceeding(input: InviteServerInput, isReliable: boolean, out: Actions): InviteServerState {
  switch (input) {
    case 'request':
    case 'provisional':
      out.bits = Do.send
      return 'proceeding'
    case 'success':
      out.bits = Do.send | Do.startLifetime
      return 'accepted'
    case 'failure':
      out.bits = Do.send | Do.startLifetime | (isReliable ? 0 : Do.startRetransmit)
      return 'completed'
    case 'transportError':
      // RFC 6026 §7.1: reported, and the transaction stays: the client tries again, and so may we.
      out.bits = Do.reportTransport
      return 'proceeding'
    case 'ack':
    case 'retransmitTimer':
    case 'lifetimeTimer':
      return 'proceeding'
  }
}

function inAccepted(input: InviteServerInput, out: Actions): InviteServerState {
  switch (input) {
    case 'success':
      out.bits = Do.send
      return 'accepted'
    case 'provisional':
    case 'failure':
      out.bits = Do.refuse
      return 'accepted'
    case 'lifetimeTimer':
      return 'terminated'
    case 'transportError':
      out.bits = Do.reportTransport
      return 'accepted'
    case 'request':
    case 'ack':
    case 'retransmitTimer':
      return 'accepted'
  }
}

function inCompleted(input: InviteServerInput, out: Actions): InviteServerState {
  switch (input) {
    case 'request':
      out.bits = Do.send
      return 'completed'
    case 'ack':
      out.bits = Do.stopRetransmit | Do.startLifetime
      return 'confirmed'
    case 'retransmitTimer':
      out.bits = Do.send | Do.backOff
      return 'completed'
    case 'lifetimeTimer':
      out.bits = Do.reportNoAck
      return 'terminated'
    case 'transportError':
      out.bits = Do.reportTransport
      return 'completed'
    case 'provisional':
    case 'success':
    case 'failure':
      out.bits = Do.refuse
      return 'completed'
  }
}

function inConfirmed(input: InviteServerInput, out: Actions): InviteServerState {
  switch (input) {
    case 'lifetimeTimer':
      return 'terminated'
    case 'provisional':
    case 'success':
    case 'failure':
      out.bits = Do.refuse
      return 'confirmed'
    case 'request':
    case 'ack':
    case 'retransmitTimer':
    case 'transportError':
      return 'confirmed'
  }
}

function inTerminated(input: InviteServerInput, out: Actions): InviteServerState {
  if (input === 'provisional' || input === 'success' || input === 'failure') out.bits = Do.refuse
  return 'terminated'
}

/** How long a state lasts at most, in milliseconds: timers H, I and L; Infinity while the user is at work. */
export function inviteServerLifetime(
  state: InviteServerState,
  timers: TransactionTimers,
  isReliable: boolean,
): number {
  switch (state) {
    case 'proceeding':
      return Number.POSITIVE_INFINITY
    case 'completed':
    case 'accepted':
      return 64 * timers.t1
    case 'confirmed':
      return isReliable ? 0 : timers.t4
    case 'terminated':
      return 0
  }
}
