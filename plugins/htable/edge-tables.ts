import { type Counter, limits, type PluginHost, type Workers } from '../../src/plugin/index.ts'
import { type ChangeSink, EdgeTable } from './edge-table.ts'
import type { ScriptTable } from './hash-table.ts'
import { TableSharing } from './sharing.ts'
import type { Change } from './untold.ts'

/**
 * The tables that edges share. Of a router with several workers the first has the links: the others, which see the same memory, tell
 * it what they have changed. So there is one link for each URL, and nobody hears an echo of what a sister did.
 */
export class EdgeTables {
  readonly #host: PluginHost
  readonly #sharings = new Map<string, TableSharing>()
  readonly #origin: string
  #post: WorkerPost | null = null
  #events: Counter | null = null

  constructor(host: PluginHost) {
    this.#host = host
    this.#origin = host.random.hex(8)
  }

  /** @throws Error if the URL is none. */
  share(table: ScriptTable, url: string): ScriptTable {
    const { workers } = this.#host
    this.#events ??= this.#declareMetrics()
    if (workers.count > 1) this.#post ??= new WorkerPost(workers, this.#host, this.#sharings)
    const { name } = table.definition
    if (this.#post !== null && workers.index !== 0) {
      return new EdgeTable(table, new SisterSink(this.#post, name))
    }
    const { clock, log, random } = this.#host
    const sharing = new TableSharing(
      table,
      this.#host.openRedis(url),
      { clock, log, events: this.#events, origin: this.#origin, newEpoch: () => random.hex(16) },
      workers.index === 0 && !workers.isFirst,
    )
    this.#sharings.set(name, sharing)
    return new EdgeTable(table, sharing)
  }

  /** Before the first message, and before the script fills tables: what the others have. */
  async ready(): Promise<void> {
    await Promise.all(this.#each((sharing) => sharing.ready(limits.htableReadyMilliseconds)))
  }

  async close(): Promise<void> {
    await Promise.all(this.#each((sharing) => sharing.close()))
  }

  #declareMetrics(): Counter {
    const { metrics } = this.#host
    metrics.gauge('viaduct_htable_untold', 'Entries that Redis does not know of yet.', () =>
      this.#each(({ untold }) => untold).reduce((sum, one) => sum + one, 0),
    )
    metrics.gauge('viaduct_htable_alone', 'Shared tables that do not hear what other edges write.', () =>
      this.#each(({ isInStep }) => Number(!isInStep)).reduce((sum, one) => sum + one, 0),
    )
    return metrics.counter('viaduct_htable_shared_total', 'Changes of shared tables.', ['event'])
  }

  #each<T>(run: (sharing: TableSharing) => T): T[] {
    return [...this.#sharings.values()].map(run)
  }
}

interface Told {
  readonly table: string
  readonly key: string
  readonly kind: Change['kind'] | 'clear'
  readonly amount: number
  readonly renews: boolean
  /** Who asks for the sum. */
  readonly ask?: number
}

interface Answered {
  readonly ask: number
  readonly sum: number | null
}

/** What sisters tell the first worker, all of one turn at a time, and what it answers. */
class WorkerPost {
  readonly #workers: Workers
  readonly #host: PluginHost
  readonly #sharings: ReadonlyMap<string, TableSharing>
  readonly #asked = new Map<number, (sum: number | null) => void>()
  #letters: Told[] = []
  #asks = 0

  constructor(workers: Workers, host: PluginHost, sharings: ReadonlyMap<string, TableSharing>) {
    this.#workers = workers
    this.#host = host
    this.#sharings = sharings
    workers.onTold('htable', (value, from) =>
      this.#read(value as { told?: Told[] } & Partial<Answered>, from),
    )
  }

  write(letter: Told): void {
    this.#letters.push(letter)
    if (this.#letters.length > 1) return
    queueMicrotask(() => {
      const letters = this.#letters
      this.#letters = []
      for (let start = 0; start < letters.length; start += lettersAtOnce) {
        this.#workers.tellOne(0, 'htable', { told: letters.slice(start, start + lettersAtOnce) })
      }
    })
  }

  ask(letter: Told): Promise<number | null> {
    return new Promise((resolve) => {
      const ask = ++this.#asks
      const settle = (sum: number | null) => {
        timer.cancel()
        this.#asked.delete(ask)
        resolve(sum)
      }
      const timer = this.#host.clock.schedule(limits.redisDeadlineMilliseconds, () => settle(null))
      this.#asked.set(ask, settle)
      this.write({ ...letter, ask })
    })
  }

  #read({ told, ask, sum }: { told?: Told[] } & Partial<Answered>, from: number): void {
    if (told === undefined) this.#asked.get(ask ?? 0)?.(sum ?? null)
    else for (const letter of told) this.#make(letter, from)
  }

  #make({ table, key, kind, amount, renews, ask }: Told, from: number): void {
    const sharing = this.#sharings.get(table)
    if (sharing === undefined) return
    if (kind === 'clear') sharing.noteClear()
    else if (ask === undefined) sharing.note(key, kind, amount, renews)
    else {
      void sharing
        .added(key, amount, renews)
        .then((sum) => this.#workers.tellOne(from, 'htable', { ask, sum } satisfies Answered))
    }
  }
}

/** Rings between workers have a size. */
const lettersAtOnce = 32

/** The same for all workers but the first. */
class SisterSink implements ChangeSink {
  readonly #post: WorkerPost
  readonly #table: string

  constructor(post: WorkerPost, table: string) {
    this.#post = post
    this.#table = table
  }

  note(key: string, kind: Change['kind'], amount: number, renews: boolean): void {
    this.#post.write({ table: this.#table, key, kind, amount, renews })
  }

  noteClear(): void {
    this.#post.write({ table: this.#table, key: '', kind: 'clear', amount: 0, renews: false })
  }

  added(key: string, amount: number, renews: boolean): Promise<number | null> {
    return this.#post.ask({ table: this.#table, key, kind: 'add', amount, renews })
  }

  swept(): void {}
}
