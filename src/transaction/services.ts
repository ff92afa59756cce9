import type { Clock } from '../runtime/clock.ts'
import type { SipMessage } from '../sip/message.ts'
import type { ListenSocket } from '../transport/socket.ts'
import type { Actions } from './actions.ts'
import type { Answer } from './answer-ring.ts'
import type { LiveClient } from './client-transaction.ts'
import type { LiveServer } from './server-transaction.ts'
import { type TimerWheel, WheelEntry } from './timer-wheel.ts'
import type { TransactionTimers } from './transaction.ts'

/** What a live transaction needs from its layer. */
export interface TransactionServices {
  readonly clock: Clock
  readonly timers: TransactionTimers
  readonly wheel: TimerWheel<TimedTransaction>
  /** Where the machines write; read at once after each step. */
  readonly actions: Actions
  send(socket: ListenSocket, text: string, address: string, port: number): void
  /** A message of our own making, read again. */
  scan(text: string): SipMessage
  countRetransmission(): void
  /** An INVITE was answered with 2xx: from now on its ACK is found by the dialog. */
  serverAccepted(server: LiveServer): void
  serverEnded(server: LiveServer): void
  /** Its user has done with it: all that is kept is what a retransmission gets, for so many milliseconds. */
  keepAnswer(server: LiveServer, answer: Answer, milliseconds: number): void
  /** As for the server: where a further 2xx to this INVITE goes. */
  keepBranch(client: LiveClient, answer: Answer, milliseconds: number): void
  clientEnded(client: LiveClient): void
  sendCancel(invite: LiveClient, text: string): void
}

/**
 * The two timers that a transaction can have at one time, on one entry of the wheel: A, E or G, which send again,
 * and the one that ends the state.
 */
export abstract class TimedTransaction extends WheelEntry {
  retransmitAt = Number.POSITIVE_INFINITY
  lifetimeAt = Number.POSITIVE_INFINITY
  /** The present interval of timer A, E or G in milliseconds. */
  retransmitMs = 0

  protected abstract onRetransmitTimer(): void
  protected abstract onLifetimeTimer(): void

  expired(now: number): void {
    if (this.lifetimeAt <= now) {
      this.lifetimeAt = Number.POSITIVE_INFINITY
      this.onLifetimeTimer()
    } else if (this.retransmitAt <= now) {
      this.onRetransmitTimer()
    }
  }

  /** The next interval counts from when the last one ended; after a pause of the process, from now. */
  protected runRetransmitTimer(intervalMs: number, now: number): void {
    const from = this.retransmitAt + intervalMs > now ? Math.min(this.retransmitAt, now) : now
    this.retransmitMs = intervalMs
    this.retransmitAt = from + intervalMs
  }

  /** Puts what the fields say into the wheel. */
  protected rearm(wheel: TimerWheel<TimedTransaction>): void {
    const due = Math.min(this.retransmitAt, this.lifetimeAt)
    if (due === Number.POSITIVE_INFINITY) wheel.cancel(this)
    else wheel.set(this, due)
  }
}
