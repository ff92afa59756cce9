import { type Actions, Do } from './actions.ts'
import type { TransactionTimers } from './transaction.ts'

/**
 * The non-INVITE server transaction: RFC 3261 §17.2.2, as RFC 4320 §4 corrects it.
 *
 *     request
 *        |
 *        v
 *      trying ---100, late enough---> proceeding    request again: the 100 leaves again
 *        |                               |
 *        +--200-699--> completed <-------+          request again: the response leaves again
 *        |                 ^  |
 *        |                 | timer J
 *        v                 |  v
 *     408, too late -------+ terminated             a 408 that no client waits for any more never leaves
 *
 * Pure: a state and an input give the next state; what must be done is written to `out`.
 */
export type NonInviteServerState = 'trying' | 'proceeding' | 'completed' | 'terminated'

export type NonInviteServerInput =
  /** The request, once more. */
  | 'request'
  /** A 100 that may leave. */
  | 'trying'
  /** A provisional response that RFC 4320 §4.1 forbids. */
  | 'forbidden'
  | 'final'
  /** A 408 after the client has given up: RFC 4320 §4.2. */
  | 'lateTimeout'
  /** Timer J. */
  | 'lifetimeTimer'
  | 'transportError'

/**
 * What a response of this status is to the machine, `ageMs` milliseconds after the request came.
 *
 * RFC 4320 §4.1: of all provisional responses only 100, and over an unreliable transport only once the client's
 * timer E has reached T2. RFC 4320 §4.2: no 408 that comes when the client has timed out by itself.
 */
export function classifyResponse(
  statusCode: number,
  ageMs: number,
  timers: TransactionTimers,
  isReliable: boolean,
): 'trying' | 'forbidden' | 'final' | 'lateTimeout' {
  if (statusCode >= 200) return statusCode === 408 && ageMs >= 64 * timers.t1 ? 'lateTimeout' : 'final'
  if (statusCode !== 100) return 'forbidden'
  return isReliable || ageMs >= timers.t2 - timers.t1 ? 'trying' : 'forbidden'
}

export function stepNonInviteServer(
  state: NonInviteServerState,
  input: NonInviteServerInput,
  out: Actions,
): NonInviteServerState {
  out.bits = Do.nothing
  switch (state) {
    case 'trying':
    case 'proceeding':
      return beforeFinal(state, input, out)
    case 'completed':
      return inCompleted(input, out)
    case 'terminated':
      if (isResponse(input)) out.bits = Do.refuse
      return 'terminated'
  }
}

function beforeFinal(
  state: 'trying' | 'proceeding',
  input: NonInviteServerInput,
  out: Actions,
): NonInviteServerState {
  switch (input) {
    case 'request':
      if (state === 'proceeding') out.bits = Do.send
      return state
    case 'trying':
      out.bits = Do.send
      return 'proceeding'
    case 'forbidden':
      out.bits = Do.refuse
      return state
    case 'final':
      out.bits = Do.send | Do.startLifetime
      return 'completed'
    case 'lateTimeout':
      out.bits = Do.startLifetime
      return 'completed'
    case 'transportError':
      out.bits = Do.reportTransport
      return 'terminated'
    case 'lifetimeTimer':
      return state
  }
}

function inCompleted(input: NonInviteServerInput, out: Actions): NonInviteServerState {
  switch (input) {
    case 'request':
      out.bits = Do.send
      return 'completed'
    case 'lifetimeTimer':
      return 'terminated'
    case 'transportError':
      out.bits = Do.reportTransport
      return 'terminated'
    case 'trying':
    case 'forbidden':
    case 'final':
    case 'lateTimeout':
      out.bits = Do.refuse
      return 'completed'
  }
}

function isResponse(input: NonInviteServerInput): boolean {
  return input === 'trying' || input === 'forbidden' || input === 'final' || input === 'lateTimeout'
}

/**
 * How long a state lasts at most, in milliseconds; Infinity while the user is at work. A transaction whose response
 * has left ends with it, and the layer keeps the response alone for timer J (answer-ring.ts): `wait` is for one whose 408
 * came too late and never left.
 */
export function nonInviteServerLifetime(
  state: NonInviteServerState,
  timers: TransactionTimers,
  isReliable: boolean,
): number {
  switch (state) {
    case 'trying':
    case 'proceeding':
      return Number.POSITIVE_INFINITY
    case 'completed':
      return isReliable ? 0 : Math.min(timers.wait, timers.j)
    case 'terminated':
      return 0
  }
}
