import type { Call, Database } from '../database/database.ts'
import { limits } from '../limits.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Log } from '../runtime/log.ts'

/**
 * Rows on their way into a database: those of one turn of the loop, and those that came while the transaction before
 * was at work, become one transaction, and there is never more than one. After a failure what comes is refused for a
 * moment, so that nobody waits for a database that is not there; it is logged once, and that it is over is too.
 */
export interface RowWriterOptions {
  readonly database: Database
  readonly sql: readonly string[]
  readonly clock: Clock
  readonly log: Log
}

interface Waiting {
  readonly calls: readonly Call[]
  readonly done: () => void
  readonly failed: (error: Error) => void
}

/** Milliseconds that rows are refused after a failure. */
const pauseAfterFailure = 1_000

export class RowWriter {
  readonly #options: RowWriterOptions
  #waiting: Waiting[] = []
  #waitingCalls = 0
  #work: Promise<void> | null = null
  #pausedUntil = Number.NEGATIVE_INFINITY
  /** Null: the last transaction was committed. */
  #failure: Error | null = null

  constructor(options: RowWriterOptions) {
    this.#options = options
  }

  /** Fulfilled when all of them are committed; rejects if none is. */
  write(calls: readonly Call[]): Promise<void> {
    if (calls.length === 0) return Promise.resolve()
    if (this.#failure !== null && this.#options.clock.now() < this.#pausedUntil) {
      return Promise.reject(this.#failure)
    }
    if (this.#waitingCalls + calls.length > limits.storeWritesWaitingMax) {
      return Promise.reject(new Error('too many rows wait for the database'))
    }
    return new Promise((done, failed) => {
      this.#waiting.push({ calls, done, failed })
      this.#waitingCalls += calls.length
      this.#work ??= this.#commitAll()
    })
  }

  /** Fulfilled when all that was written so far has come back. */
  async idle(): Promise<void> {
    while (this.#work !== null) await this.#work
  }

  async #commitAll(): Promise<void> {
    // What else this turn of the loop writes goes with it.
    await new Promise((next) => setImmediate(next))
    while (this.#waiting.length > 0) await this.#commit(this.#take())
    this.#work = null
  }

  #take(): Waiting[] {
    let count = 0
    let calls = 0
    while (count < this.#waiting.length && calls < limits.storeCommitWritesMax) {
      calls += this.#waiting[count]?.calls.length ?? 0
      count++
    }
    this.#waitingCalls -= calls
    return this.#waiting.splice(0, count)
  }

  async #commit(batch: readonly Waiting[]): Promise<void> {
    const { database, sql } = this.#options
    try {
      if (database.commit === undefined) throw new Error('the database takes no transactions')
      await database.commit({ sql, calls: batch.flatMap(({ calls }) => calls) })
      this.#recovered()
      for (const { done } of batch) done()
    } catch (cause) {
      const error = cause instanceof Error ? cause : new Error(String(cause))
      this.#failed(error)
      for (const { failed } of batch) failed(error)
    }
  }

  #failed(error: Error): void {
    const { clock, log } = this.#options
    this.#pausedUntil = clock.now() + pauseAfterFailure
    if (this.#failure === null) log.error({ err: error }, 'the database takes no registrations')
    this.#failure = error
  }

  #recovered(): void {
    if (this.#failure === null) return
    this.#failure = null
    this.#options.log.info({}, 'the database takes registrations again')
  }
}
