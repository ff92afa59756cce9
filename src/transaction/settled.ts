import { limits } from '../limits.ts'
import type { Clock } from '../runtime/clock.ts'
import type { SipMessage } from '../sip/message.ts'
import { type Answer, AnswerRing } from './answer-ring.ts'
import type { Fingerprint } from './matching.ts'
import { SettledServer } from './settled-server.ts'

/** What a server transaction is found by in the layer's table. */
interface Found {
  readonly hash: number
  readonly check: number
}

/**
 * What the layer knows of requests that have no transaction any more: the answer that a retransmission gets (timer J, RFC
 * 3261 §17.2.2), and of INVITEs that were answered with 2xx where further 2xx go and whose ACK is whose (RFC 6026 §7).
 * Nothing of it is an object: answer-ring.ts. Hot: each request that comes is asked for here.
 */
export class Settled {
  readonly #clock: Clock
  readonly #fingerprint: Fingerprint
  /** By what a retransmission is found by. */
  readonly #answered: AnswerRing
  /** By the dialog, for the ACK, and by the branch, for a 2xx that comes again: the two are never alike. */
  readonly #accepted: AnswerRing

  /** A host that has room for few transactions has not much for answers either. */
  constructor(clock: Clock, fingerprint: Fingerprint, transactionsMax: number) {
    const bytesMax = Math.min((transactionsMax * limits.transactionBytes) / 4, limits.answeredBytesMax)
    this.#clock = clock
    this.#fingerprint = fingerprint
    this.#answered = new AnswerRing(clock, bytesMax)
    this.#accepted = new AnswerRing(clock, bytesMax / 2)
  }

  /** Requests whose answer is kept. */
  get count(): number {
    return this.#answered.size
  }

  /** What this request was answered with, taken as one of `method`; without a text if it is to be swallowed. */
  answerTo(request: SipMessage, method: string): Answer | null {
    const hash = this.#fingerprint.hashOf(request)
    if (!this.#answered.mayKnow(hash)) return null
    return this.#answered.find(hash, this.#fingerprint.checkOf(request, method))
  }

  /** The INVITE that this CANCEL means. */
  cancelledBy(cancel: SipMessage): SettledServer | null {
    const answer = this.answerTo(cancel, 'INVITE')
    return answer === null ? null : new SettledServer(cancel, answer, this.#clock.now())
  }

  /** The INVITE of this ACK's dialog that was answered with 2xx: the live one that `find` knows, or what was settled. */
  acknowledgedBy<Live>(ack: SipMessage, find: (found: Found) => Live | null): Live | SettledServer | null {
    this.#fingerprint.readDialog(ack)
    const accepted = this.#recall()
    if (accepted === null) return null
    const live = find({ hash: wordAt(accepted.text, 0), check: wordAt(accepted.text, 4) })
    return live ?? new SettledServer(ack, accepted, this.#clock.now())
  }

  /** Where a further response to an INVITE goes. */
  upstreamOf(response: SipMessage): Answer | null {
    if (this.#accepted.size === 0 || response.method !== 'INVITE') return null
    this.#fingerprint.readBranch(response.topmostVia?.branch ?? '')
    return this.#recall()
  }

  keepAnswer({ hash, check }: Found, answer: Answer, milliseconds: number): void {
    if (milliseconds > 0) this.#answered.remember(hash, check, answer, milliseconds)
  }

  /** Under the dialog is kept what the transaction is found by. */
  keepDialog(request: SipMessage, { hash, check }: Found, answer: Answer, milliseconds: number): void {
    this.#fingerprint.readDialog(request)
    const { socket, address, port } = answer
    this.#remember({ text: octetsOf(hash) + octetsOf(check), socket, address, port }, milliseconds)
  }

  keepBranch(branch: string, answer: Answer, milliseconds: number): void {
    this.#fingerprint.readBranch(branch)
    this.#remember(answer, milliseconds)
  }

  clear(): void {
    this.#answered.clear()
    this.#accepted.clear()
  }

  /** By what the fingerprint has read: a dialog or a branch. */
  #remember(answer: Answer, milliseconds: number): void {
    this.#accepted.remember(this.#fingerprint.hash, this.#fingerprint.check, answer, milliseconds)
  }

  #recall(): Answer | null {
    return this.#accepted.find(this.#fingerprint.hash, this.#fingerprint.check)
  }
}

/** 32 bits as four octets of text. */
function octetsOf(word: number): string {
  return String.fromCharCode(word >>> 24, (word >>> 16) & 255, (word >>> 8) & 255, word & 255)
}

/** What octetsOf() wrote. */
function wordAt(text: string, start: number): number {
  let word = 0
  for (let i = start; i < start + 4; i++) word = (word << 8) | text.charCodeAt(i)
  return word
}
