import { Worker } from 'node:worker_threads'
import { type Batch, DatabaseError } from './database.ts'

/**
 * Transactions on an SQLite file beside the event loop: a commit waits for the disk, and a hundred rows for a
 * millisecond, so a thread with a connection of its own does it (sqlite-thread.ts). It is started with the first
 * transaction, and anew if it dies: what was under way then has failed.
 */
export interface ToSqliteThread {
  readonly number: number
  readonly batch: Batch
}

/** `fault`: why it was not committed. */
export interface FromSqliteThread {
  readonly number: number
  readonly fault: string | null
}

interface UnderWay {
  readonly done: () => void
  readonly failed: (error: DatabaseError) => void
}

export class SqliteWriter {
  readonly #path: string
  readonly #underWay = new Map<number, UnderWay>()
  #thread: Worker | null = null
  #number = 0

  constructor(path: string) {
    this.#path = path
  }

  /** Rejects with DatabaseError: then none of it has been done. */
  commit(batch: Batch): Promise<void> {
    return new Promise((done, failed) => {
      const number = ++this.#number
      this.#underWay.set(number, { done, failed })
      const thread = this.#thread ?? this.#start()
      // Who waits for a commit keeps the process going, an idle thread does not.
      thread.ref()
      thread.postMessage({ number, batch } satisfies ToSqliteThread)
    })
  }

  /** What is under way is finished first. */
  async close(): Promise<void> {
    const thread = this.#thread
    if (thread === null) return
    this.#thread = null
    thread.ref()
    await new Promise<void>((ended) => {
      thread.once('exit', () => ended())
      thread.postMessage('close')
    })
  }

  #start(): Worker {
    // The name of the file differs once it is compiled.
    const name = import.meta.url.endsWith('.ts') ? './sqlite-thread.ts' : './sqlite-thread.js'
    const thread = new Worker(new URL(name, import.meta.url), { workerData: { path: this.#path } })
    thread.on('message', ({ number, fault }: FromSqliteThread) => this.#answered(number, fault))
    thread.on('error', (error) => this.#lost(thread, String(error)))
    thread.on('exit', () => this.#lost(thread, 'the thread that writes has ended'))
    this.#thread = thread
    return thread
  }

  #answered(number: number, fault: string | null): void {
    const underWay = this.#underWay.get(number)
    this.#underWay.delete(number)
    if (this.#underWay.size === 0) this.#thread?.unref()
    if (fault === null) underWay?.done()
    else underWay?.failed(new DatabaseError(`${this.#path}: ${fault}`))
  }

  #lost(thread: Worker, why: string): void {
    if (this.#thread === thread) this.#thread = null
    for (const number of [...this.#underWay.keys()]) this.#answered(number, why)
  }
}
