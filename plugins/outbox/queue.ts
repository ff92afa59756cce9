import { type Clock, ExpiryQueue, type Log, type Table } from '../../src/plugin/index.ts'
import type { OutboxPeers } from './peers.ts'

/**
 * Messages that wait for their recipients, in order, in a durable table. In memory is only what the bounds and the
 * order need; bodies stay in the store until they are sent.
 */
export interface StoredMessage {
  readonly aor: string
  /** Complete header values of the request as it came. */
  readonly from: string
  readonly to: string
  readonly contentType: string
  readonly body: string
  /** Unix milliseconds, for people. */
  readonly storedAt: number
  /** Milliseconds of the store's time, which no change of the date moves. */
  readonly expiresAt: number
  readonly callId: string
  /** How often it was sent without an answer: from the second time on it may be a duplicate. */
  readonly attempts: number
}

export interface QueueBounds {
  readonly messagesPerAorMax: number
  readonly bytesPerAorMax: number
  readonly bytesMax: number
}

export interface Entry {
  readonly key: string
  readonly aor: string
  readonly bytes: number
  /** Monotonic milliseconds. */
  readonly expiresAt: number
}

/** Header fields and bookkeeping of one message, in octets: what a message costs besides its text. */
const overheadBytes = 256

export class Outbox {
  readonly #table: Table<StoredMessage>
  readonly #clock: Clock
  readonly #log: Log
  readonly #bounds: QueueBounds
  /** Null where there is one worker. */
  readonly #peers: OutboxPeers | null
  readonly #byAor = new Map<string, Entry[]>()
  readonly #expiry: ExpiryQueue<Entry>
  /** Store time minus monotonic time. */
  readonly #shift: number
  #bytes = 0
  #count = 0
  #lastKey: number

  constructor(
    table: Table<StoredMessage>,
    bounds: QueueBounds,
    clock: Clock,
    log: Log,
    peers: OutboxPeers | null = null,
    shift = clock.wall() - clock.now(),
  ) {
    this.#table = table
    this.#bounds = bounds
    this.#clock = clock
    this.#log = log
    this.#peers = peers
    this.#shift = shift
    this.#lastKey = peers?.workers.index ?? 0
    this.#expiry = new ExpiryQueue(clock.now(), (entry) => entry.expiresAt)
  }

  get count(): number {
    return this.#count
  }

  get bytes(): number {
    return this.#bytes
  }

  aors(): IterableIterator<string> {
    return this.#byAor.keys()
  }

  of(aor: string): readonly Entry[] {
    return this.#byAor.get(aor) ?? []
  }

  /** Undefined also for what another worker has removed, or has stored just now: then it will be there soon. */
  read(entry: Entry): StoredMessage | undefined {
    if (this.#peers !== null) this.#table.refresh?.()
    return this.#table.get(entry.key)
  }

  /** Reads what a restart left behind. */
  restore(): void {
    for (const [key, message] of this.#table.entries()) {
      const expiresAt = message.expiresAt - this.#shift
      if (expiresAt <= this.#clock.now()) this.#erase(key)
      else this.#note({ key, aor: message.aor, bytes: bytesOf(message), expiresAt })
    }
  }

  hasRoomFor(message: StoredMessage): boolean {
    const bytes = bytesOf(message)
    const waiting = this.of(message.aor)
    let own = bytes
    for (const entry of waiting) own += entry.bytes
    const { messagesPerAorMax, bytesPerAorMax, bytesMax } = this.#bounds
    return waiting.length < messagesPerAorMax && own <= bytesPerAorMax && this.#bytes + bytes <= bytesMax
  }

  /** Fulfilled when a crash cannot undo it; rejects, with nothing kept, if the store refuses. */
  async put(message: StoredMessage): Promise<void> {
    const entry: Entry = {
      key: this.#newKey(message.aor),
      aor: message.aor,
      bytes: bytesOf(message),
      expiresAt: message.expiresAt - this.#shift,
    }
    this.#note(entry)
    try {
      await this.#table.put(entry.key, message)
    } catch (error) {
      this.#forget(entry)
      throw error
    }
    this.#peers?.tellKept(entry)
  }

  /** Another worker has stored it. */
  receive(entry: Entry): void {
    if (!this.of(entry.aor).some(({ key }) => key === entry.key)) this.#note(entry)
  }

  /** Another worker has removed it. */
  receiveGone(aor: string, key: string): void {
    const entry = this.of(aor).find((one) => one.key === key)
    if (entry !== undefined) this.#forget(entry)
  }

  /** Told before it is sent: after a crash the recipient may get it a second time, and is told so. */
  async noteAttempt(entry: Entry, message: StoredMessage): Promise<void> {
    try {
      await this.#table.put(entry.key, { ...message, attempts: message.attempts + 1 })
    } catch (error) {
      this.#log.warn({ err: error, aor: entry.aor }, 'an attempt of delivery could not be noted')
    }
  }

  remove(entry: Entry): void {
    this.#forget(entry)
    this.#erase(entry.key)
    this.#peers?.tellGone(entry)
  }

  /** Takes out what has expired. Where there are several workers, of those whose task it is to say so. */
  expire(): readonly Entry[] {
    const due = this.#expiry.due(this.#clock.now()).filter((entry) => this.of(entry.aor).includes(entry))
    const ours = due.filter(({ aor }) => this.#peers?.isInCharge(aor) ?? true)
    for (const entry of due) {
      if (ours.includes(entry)) this.remove(entry)
      else this.#forget(entry)
    }
    return ours
  }

  #note(entry: Entry): void {
    const waiting = this.#byAor.get(entry.aor)
    if (waiting === undefined) this.#byAor.set(entry.aor, [entry])
    else waiting.push(entry)
    this.#expiry.add(entry)
    this.#bytes += entry.bytes
    this.#count++
  }

  #forget(entry: Entry): void {
    const waiting = this.#byAor.get(entry.aor)
    const index = waiting?.indexOf(entry) ?? -1
    if (waiting === undefined || index < 0) return
    waiting.splice(index, 1)
    if (waiting.length === 0) this.#byAor.delete(entry.aor)
    this.#expiry.remove(entry)
    this.#bytes -= entry.bytes
    this.#count--
  }

  #erase(key: string): void {
    this.#table.remove(key).catch((error) => {
      this.#log.warn({ err: error }, 'a message could not be removed from the outbox')
    })
  }

  /**
   * Sorts by recipient, then by time: octets as hexadecimal digits, then microseconds that never repeat, nor are
   * another worker's.
   */
  #newKey(aor: string): string {
    const { index, count } = this.#peers?.workers ?? { index: 0, count: 1 }
    const now = Math.floor((this.#clock.wall() * 1000) / count) * count + index
    this.#lastKey = Math.max(this.#lastKey + count, now)
    return `${Buffer.from(aor, 'latin1').toString('hex')}/${this.#lastKey.toString().padStart(17, '0')}`
  }
}

export function bytesOf({ body, from, to, contentType }: StoredMessage): number {
  return body.length + from.length + to.length + contentType.length + overheadBytes
}
