import { type Clock, limits, type Redis, type Subscription } from '../../src/plugin/index.ts'
import { pageScript, readCount } from './shared-scripts.ts'

/**
 * Who has messages in Redis, as this edge knows: so that a device that speaks and has none costs no question. Kept by the channel,
 * and read anew after each gap; while it may be wrong nothing is known.
 */
export class SharedIndex {
  readonly #redis: Redis
  readonly #clock: Clock
  readonly #keys: readonly string[]
  readonly #subscription: Subscription
  readonly #forgetState: () => void
  #counts = new Map<string, number>()
  /** Heard while it is read: newer than a page. */
  #heard: Set<string> | null = null
  #bytes = 0
  #isKnown = false
  #mustRead = true
  #isReading = false
  #isClosed = false

  constructor(redis: Redis, clock: Clock, keys: readonly string[], channel: string) {
    this.#redis = redis
    this.#clock = clock
    this.#keys = keys
    this.#subscription = redis.subscribe(channel, {
      onMessage: (octets) => this.#hear(octets),
      onGap: () => this.#miss(),
    })
    this.#forgetState = redis.onState(() => this.#miss())
    void this.#read()
  }

  /** False: nobody can say, and who must know asks Redis. */
  get isKnown(): boolean {
    return this.#isKnown
  }

  get bytes(): number {
    return this.#bytes
  }

  get total(): number {
    let total = 0
    for (const count of this.#counts.values()) total += count
    return total
  }

  count(aor: string): number {
    return this.#counts.get(aor) ?? 0
  }

  aors(): IterableIterator<string> {
    return this.#counts.keys()
  }

  close(): void {
    this.#isClosed = true
    this.#isKnown = false
    this.#forgetState()
    this.#subscription.end()
  }

  #hear(octets: Buffer): void {
    const heard = readCount(octets)
    if (heard === null) return
    this.#bytes = heard.bytes
    this.#heard?.add(heard.aor)
    this.#set(heard.aor, heard.count)
  }

  #set(aor: string, count: number): void {
    if (count === 0) this.#counts.delete(aor)
    else if (this.#counts.size < aorsMax || this.#counts.has(aor)) this.#counts.set(aor, count)
  }

  #miss(): void {
    this.#isKnown = false
    this.#mustRead = true
    void this.#read()
  }

  async #read(): Promise<void> {
    if (this.#isReading) return
    this.#isReading = true
    while (this.#mustRead && !this.#isClosed && this.#redis.state === 'up' && this.#subscription.isLive) {
      this.#mustRead = false
      if (await this.#readPages()) {
        this.#isKnown = !this.#mustRead
        continue
      }
      this.#mustRead = true
      await new Promise<void>((resolve) => void this.#clock.schedule(limits.outboxRetryMilliseconds, resolve))
    }
    this.#isReading = false
  }

  async #readPages(): Promise<boolean> {
    this.#counts = new Map()
    this.#heard = new Set()
    let cursor = '0'
    do {
      const page = await this.#redis.run(pageScript, this.#keys, [cursor, recipientsAtOnce], patientMs)
      if (page.status !== 'ok' || this.#mustRead) return page.status === 'ok'
      for (const [aor, count] of page.value.counts) if (!this.#heard.has(aor)) this.#set(aor, count)
      if (this.#heard.size === 0) this.#bytes = page.value.bytes
      cursor = page.value.cursor
    } while (cursor !== '0')
    this.#heard = null
    return true
  }
}

const recipientsAtOnce = 500
const patientMs = 2_000

/** A message is counted with 256 octets at least. */
const aorsMax = Math.ceil(limits.outboxBytesMax / 256)
