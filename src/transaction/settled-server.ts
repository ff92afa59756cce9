import type { SipMessage } from '../sip/message.ts'
import type { Flow } from '../transport/socket.ts'
import type { Answer } from './answer-ring.ts'
import type { ServerTransaction, ServerTransactionUser } from './transaction.ts'

/**
 * An INVITE that was answered with 2xx and settled, as its ACK or CANCEL finds it: nothing is kept of it but that it
 * was. The message that asks stands for the request, whose Request-URI, Call-ID, From, To and CSeq number it repeats
 * (RFC 3261 §9.1).
 */
export class SettledServer implements ServerTransaction {
  readonly id = 0
  readonly request: SipMessage
  readonly flow: Flow
  readonly createdAt: number
  readonly method = 'INVITE'
  readonly lastStatus = 200
  readonly isTerminated = true
  readonly answer: Answer
  user: ServerTransactionUser | null = null

  constructor(request: SipMessage, answer: Answer, createdAt: number) {
    this.request = request
    this.flow = answer
    this.createdAt = createdAt
    this.answer = answer
  }

  respond(): boolean {
    return false
  }
}
