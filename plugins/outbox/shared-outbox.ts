import { type Clock, keyOf, type Log, limits, type Redis, type Script } from '../../src/plugin/index.ts'
import { bytesOf, type QueueBounds, type StoredMessage } from './queue.ts'
import { SharedIndex } from './shared-index.ts'
import {
  type Claim,
  claimScript,
  keyPrefixes,
  listScript,
  purgeScript,
  putScript,
  settleScript,
  sweepScript,
} from './shared-scripts.ts'

/**
 * Messages that wait where all edges find them. An edge that delivers holds a lease of the recipient meanwhile: if it dies, another
 * one delivers once that has ended, and says that it may be the second time.
 */
export class SharedOutbox {
  readonly #redis: Redis
  readonly #log: Log
  readonly #bounds: QueueBounds
  readonly #edge: string
  readonly #keys: readonly string[]
  readonly #channel: string
  readonly #index: SharedIndex
  /** What became of messages, and Redis does not know yet. */
  readonly #unsettled = new Map<string, readonly string[]>()
  #isSettling = false

  /** @param edge names this worker among all of all edges, from its start to its end. */
  constructor(
    redis: Redis,
    name: string,
    bounds: QueueBounds,
    world: { clock: Clock; log: Log; edge: string },
  ) {
    this.#redis = redis
    this.#log = world.log
    this.#bounds = bounds
    this.#edge = world.edge
    this.#keys = keyPrefixes.map((prefix) => keyOf(`outbox.${prefix}`, name))
    this.#channel = `outbox:${/\/(\d+)$/.exec(redis.description)?.[1] ?? '0'}:${name}`
    this.#index = new SharedIndex(redis, world.clock, this.#keys, this.#channel)
  }

  get isUp(): boolean {
    return this.#redis.state === 'up'
  }

  get count(): number {
    return this.#index.total
  }

  get bytes(): number {
    return this.#index.bytes
  }

  aors(): IterableIterator<string> {
    return this.#index.aors()
  }

  /** True also where nobody can say: then Redis is asked. */
  mayHave(aor: string): boolean {
    return this.isUp && (!this.#index.isKnown || this.#index.count(aor) > 0)
  }

  waiting(aor: string): number {
    return this.#index.count(aor)
  }

  /** As far as is known here; Redis itself has the last word. */
  hasRoomFor(message: StoredMessage): boolean {
    const { messagesPerAorMax, bytesMax } = this.#bounds
    if (!this.#index.isKnown) return true
    return (
      this.#index.count(message.aor) < messagesPerAorMax && this.#index.bytes + bytesOf(message) <= bytesMax
    )
  }

  /** `unknown`: it may be there, or may still come. */
  async put(message: StoredMessage, leftMs: number): Promise<'kept' | 'full' | 'away' | 'unknown'> {
    const { aor, callId, attempts } = message
    const { messagesPerAorMax, bytesPerAorMax, bytesMax } = this.#bounds
    const what = [
      aor,
      hexOf(aor),
      callId,
      textOfMessage(message),
      bytesOf(message),
      Math.ceil(leftMs),
      attempts,
    ]
    const result = await this.#run(putScript, [...what, messagesPerAorMax, bytesPerAorMax, bytesMax])
    if (result.status === 'ok') return result.value
    return result.status !== 'refused' && result.unknown ? 'unknown' : 'away'
  }

  /** Null: Redis does not say. Then the claim may be ours, and ends by itself. */
  async claim(aor: string, leaseMs: number = limits.outboxLeaseMilliseconds): Promise<Claim | null> {
    const result = await this.#run(claimScript, [aor, hexOf(aor), this.#edge, leaseMs])
    return result.status === 'ok' ? result.value : null
  }

  /** Null if Redis does not say now: it is told when it can be. Otherwise whether the message is gone. */
  async settle(
    aor: string,
    id: string,
    outcome: 'delivered' | 'rejected' | 'failed',
    rejectionsMax: number,
  ): Promise<boolean | null> {
    const args = [aor, this.#edge, id, outcome, String(rejectionsMax)]
    const result = await this.#run(settleScript, args)
    if (result.status === 'ok') return result.value
    // What was not answered is anybody's again when the lease ends.
    if (outcome !== 'delivered') return null
    if (this.#unsettled.size < limits.outboxUnsettledMax) this.#unsettled.set(id, args)
    else this.#log.warn({ aor }, 'a message was delivered, and may be delivered again')
    return null
  }

  /** What Redis has not been told. */
  async settleRest(): Promise<void> {
    if (this.#isSettling) return
    this.#isSettling = true
    for (const [id, args] of [...this.#unsettled]) {
      if (!this.isUp || (await this.#run(settleScript, args)).status !== 'ok') break
      this.#unsettled.delete(id)
    }
    this.#isSettling = false
  }

  /** It was delivered, and Redis may not know yet. */
  isDelivered(id: string): boolean {
    return this.#unsettled.has(id)
  }

  /** Recipients of what has ended: each is told to one edge. */
  async sweep(): Promise<readonly string[]> {
    if (!this.isUp || (this.#index.isKnown && this.count === 0)) return []
    const result = await this.#run(sweepScript, [endedAtOnce])
    return result.status === 'ok' ? result.value : []
  }

  async purge(aor: string): Promise<number> {
    const result = await this.#run(purgeScript, [hexOf(aor)])
    return result.status === 'ok' ? result.value : 0
  }

  async list(aor: string): Promise<readonly { message: StoredMessage; leftMs: number }[]> {
    const result = await this.#redis.run(listScript, this.#keys, [hexOf(aor), this.#bounds.messagesPerAorMax])
    if (result.status !== 'ok') return []
    return result.value.flatMap(({ attempts, leftMs, message }) => {
      const read = messageOfText(message, aor, attempts)
      return read === null ? [] : [{ message: read, leftMs }]
    })
  }

  close(): void {
    this.#index.close()
  }

  #run<T>(script: Script<T>, args: readonly (string | number)[]) {
    return this.#redis.run(script, this.#keys, [this.#channel, ...args])
  }
}

const endedAtOnce = 100

function hexOf(aor: string): string {
  return Buffer.from(aor, 'latin1').toString('hex')
}

function textOfMessage({ from, to, contentType, body, storedAt }: StoredMessage): string {
  return JSON.stringify([from, to, contentType, body, storedAt])
}

/** Null for what no edge of ours has written. */
export function messageOfText(
  text: string,
  aor: string,
  attempts: number,
  callId = '',
): StoredMessage | null {
  try {
    const [from, to, contentType, body, storedAt] = JSON.parse(text)
    if ([from, to, contentType, body].some((part) => typeof part !== 'string')) return null
    return { aor, from, to, contentType, body, storedAt: Number(storedAt), expiresAt: 0, callId, attempts }
  } catch {
    return null
  }
}
