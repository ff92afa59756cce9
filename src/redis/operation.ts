import type { Clock, Timer } from '../runtime/clock.ts'
import type { Answer } from './connection.ts'
import type { RedisArgument, RedisReply, RedisResult } from './redis.ts'
import type { Script } from './script.ts'

/** What of an operation the link must know: it counts, and judges whether Redis is there. */
export interface Operations {
  readonly clock: Clock
  /** Redis has said something: an answer, or an error. */
  answered(code: string): void
  missed(sentAt: number): void
  /** Sends once more: the script with its text. */
  resend(operation: Pending): void
  /** It is over, also what was late: it takes no room any more. */
  over(operation: Pending): void
}

/** An operation as the link keeps it: what it answers is its own matter. */
export interface Pending extends Answer {
  readonly request: Request<unknown>
}

export interface Request<T> {
  readonly command: string
  readonly args: readonly RedisArgument[]
  /** Null for plain commands. */
  readonly script: Script<unknown> | null
  readonly octets: number
  readonly isReadOnly: boolean
  readonly read: (reply: RedisReply) => T | undefined
}

/**
 * One thing asked of Redis, from its sending to the moment when no answer can come any more. Its promise settles once,
 * at the deadline at the latest; a late answer only gives back the room that it took.
 */
export class Operation<T> implements Pending {
  readonly request: Request<T>
  readonly #link: Operations
  readonly #settle: (result: RedisResult<T>) => void
  readonly #sentAt: number
  readonly #dueAt: number
  #timer: Timer
  #isSettled = false
  #isTextSent = false

  constructor(
    link: Operations,
    request: Request<T>,
    deadlineMs: number,
    settle: (result: RedisResult<T>) => void,
  ) {
    this.request = request
    this.#link = link
    this.#settle = settle
    this.#sentAt = link.clock.now()
    this.#dueAt = this.#sentAt + deadlineMs
    this.#timer = link.clock.schedule(deadlineMs, () => this.#expire())
  }

  replied(reply: unknown): void {
    const value = this.#isSettled ? undefined : readValue(this.request, reply)
    this.#settleOnce(value === undefined ? notUnderstood : { status: 'ok', value })
    this.#link.answered('')
    this.#end()
  }

  refused(message: string): void {
    const code = /^[A-Z]+/.exec(message)?.[0] ?? 'ERR'
    if (code === 'NOSCRIPT' && this.request.script !== null && !this.#isTextSent && !this.#isSettled) {
      // It has not been done, so that to ask again does nothing twice.
      this.#isTextSent = true
      this.#link.resend(this)
      return
    }
    this.#settleOnce({ status: 'refused', code, message })
    this.#link.answered(code)
    this.#end()
  }

  /** The connection ended, whoever ended it: it may have been done just before. */
  lost(): void {
    this.#settleOnce({ status: 'down', unknown: !this.request.isReadOnly })
    this.#end()
  }

  /**
   * When it was this process that slept (a collection, a plugin that computes), answers may lie in the socket: they are
   * read before this is called again.
   */
  #expire(): void {
    const { clock } = this.#link
    if (clock.now() - this.#dueAt > oversleptMilliseconds) {
      this.#timer = clock.schedule(1, () => this.#miss())
    } else {
      this.#miss()
    }
  }

  #miss(): void {
    this.#settleOnce({ status: 'late', unknown: !this.request.isReadOnly })
    this.#link.missed(this.#sentAt)
  }

  #end(): void {
    this.#timer.cancel()
    this.#link.over(this)
  }

  #settleOnce(result: RedisResult<T>): void {
    if (this.#isSettled) return
    this.#isSettled = true
    this.#settle(result)
  }
}

/** A timer that fires so much too late was held up. */
const oversleptMilliseconds = 10

const notUnderstood = { status: 'refused', code: 'reply', message: 'the answer is none of ours' } as const

/** Undefined if nobody can make sense of it: whatever comes from the network is a value. */
function readValue<T>(request: Request<T>, reply: unknown): T | undefined {
  try {
    return isReply(reply) ? request.read(reply) : undefined
  } catch {
    return undefined
  }
}

function isReply(value: unknown): value is RedisReply {
  if (Array.isArray(value)) return value.every(isReply)
  return value === null || typeof value === 'number' || Buffer.isBuffer(value)
}
