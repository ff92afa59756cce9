import type {
  ChannelListener,
  Redis,
  RedisArgument,
  RedisKey,
  RedisResult,
  RedisState,
  Subscription,
} from '../../src/redis/redis.ts'
import type { Script } from '../../src/redis/script.ts'

/** A link that can be cut for one edge while the others go on: as if it were down, and its channels were lost. */
export class CutRedis implements Redis {
  readonly #redis: Redis
  readonly #listeners = new Set<(state: RedisState) => void>()
  readonly #channels = new Set<CutSubscription>()
  #isCut = false

  constructor(redis: Redis) {
    this.#redis = redis
    redis.onState((state) => {
      if (!this.#isCut) this.#tell(state)
    })
  }

  get description(): string {
    return this.#redis.description
  }

  get state(): RedisState {
    return this.#isCut ? 'down' : this.#redis.state
  }

  cut(): void {
    this.#isCut = true
    this.#tell('down')
    for (const channel of this.#channels) channel.cut(true)
  }

  mend(): void {
    this.#isCut = false
    this.#tell(this.#redis.state)
    for (const channel of this.#channels) channel.cut(false)
  }

  onState(listener: (state: RedisState) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  whenUp(withinMs: number): Promise<boolean> {
    return this.#redis.whenUp(withinMs)
  }

  run<T>(
    script: Script<T>,
    keys: readonly RedisKey[],
    args: readonly RedisArgument[],
    deadlineMs?: number,
  ): Promise<RedisResult<T>> {
    if (this.#isCut) return Promise.resolve({ status: 'down', unknown: false })
    return this.#redis.run(script, keys, args, deadlineMs)
  }

  publish(channel: string, message: RedisArgument, deadlineMs?: number): Promise<RedisResult<null>> {
    return this.#redis.publish(channel, message, deadlineMs)
  }

  readSkew(deadlineMs?: number): Promise<RedisResult<number>> {
    return this.#redis.readSkew(deadlineMs)
  }

  subscribe(channel: string, listener: ChannelListener): Subscription {
    const cut = new CutSubscription(channel, listener)
    cut.under = this.#redis.subscribe(channel, cut)
    this.#channels.add(cut)
    return cut
  }

  close(): Promise<void> {
    return this.#redis.close()
  }

  #tell(state: RedisState): void {
    for (const listener of [...this.#listeners]) listener(state)
  }
}

class CutSubscription implements Subscription, ChannelListener {
  readonly channel: string
  readonly #listener: ChannelListener
  under: Subscription | null = null
  #isCut = false

  constructor(channel: string, listener: ChannelListener) {
    this.channel = channel
    this.#listener = listener
  }

  get isLive(): boolean {
    return !this.#isCut && this.under?.isLive === true
  }

  cut(isCut: boolean): void {
    this.#isCut = isCut
    this.#listener.onGap()
  }

  onMessage(message: Buffer): void {
    if (!this.#isCut) this.#listener.onMessage(message)
  }

  onGap(): void {
    if (!this.#isCut) this.#listener.onGap()
  }

  end(): void {
    this.under?.end()
  }
}
