import { limits } from '../limits.ts'
import type { RoomGuard } from './room.ts'

/**
 * Writes on their way into the store: those of one turn of the loop, and those that came while the commit before was
 * at work, become one transaction, and there is never more than one. For lmdb 3.5.6 keeps the outcomes of two; of a
 * third transaction it takes the place of the second, whose writes are then told the outcome of a later one: what a
 * full disk had refused was reported as stored (its write.js, queueCommitResolution).
 */
export interface Commits {
  /**
   * Puts what it is given into one transaction. Fulfilled when that is on the disk; rejects if it is not. `kept`, if it
   * is called at all, is called before that: when the end of the process cannot undo it any more.
   */
  commit(write: () => void, kept: () => void): Promise<unknown>
}

interface Waiting {
  readonly write: () => void
  readonly done: () => void
  readonly failed: (error: unknown) => void
}

export class WriteQueue {
  readonly #commits: Commits
  readonly #room: RoomGuard
  #waiting: Waiting[] = []
  /** Until nothing waits any more; null: nothing does. */
  #work: Promise<void> | null = null

  constructor(commits: Commits, room: RoomGuard) {
    this.#commits = commits
    this.#room = room
  }

  /** Calls `write` within a transaction. Fulfilled when it is kept; rejects with the cause if it is not. */
  add(write: () => void): Promise<void> {
    if (this.#waiting.length >= limits.storeWritesWaitingMax) {
      return Promise.reject(new Error('too many writes wait for the store'))
    }
    return new Promise((done, failed) => {
      this.#waiting.push({ write, done, failed })
      this.#work ??= this.#commitAll()
    })
  }

  /** Fulfilled when all that was added so far has come back. */
  async idle(): Promise<void> {
    while (this.#work !== null) await this.#work
  }

  async #commitAll(): Promise<void> {
    // What else this turn of the loop writes goes with it.
    await new Promise((next) => setImmediate(next))
    while (this.#waiting.length > 0) {
      const most = this.#room.writesMax()
      if (most === 0) this.#refuse(new Error(this.#room.refusal() ?? 'the disk is full'))
      else await this.#commit(this.#waiting.splice(0, most))
    }
    this.#work = null
  }

  async #commit(batch: readonly Waiting[]): Promise<void> {
    const written: Waiting[] = []
    const kept = () => {
      for (const { done } of written) done()
    }
    const timer = this.#room.begin(() => {
      const error = new Error('the store does not answer')
      for (const { failed } of written) failed(error)
      this.#refuse(error)
    })
    try {
      await this.#commits.commit(() => {
        for (const one of batch) if (isWritten(one)) written.push(one)
      }, kept)
      kept()
    } catch (error) {
      // Who has been told that it is kept stays told: the kernel has it, the disk does not.
      this.#room.failed()
      const cause = await causeOf(error)
      for (const { failed } of written) failed(cause)
    } finally {
      this.#room.end(timer)
    }
  }

  #refuse(error: Error): void {
    for (const { failed } of this.#waiting.splice(0)) failed(error)
  }
}

/** What cannot be encoded is its writer's alone. */
function isWritten({ write, failed }: Waiting): boolean {
  try {
    write()
    return true
  } catch (error) {
    failed(error)
    return false
  }
}

/** lmdb rejects with an Error whose `commitError` is a promise that rejects with the true cause: disk full. */
async function causeOf(error: unknown): Promise<unknown> {
  const { commitError } = error as { commitError?: Promise<unknown> }
  if (!(commitError instanceof Promise)) return error
  try {
    await commitError
    return error
  } catch (cause) {
    return new Error('the store could not write', { cause })
  }
}
