import { beatScript } from '../../src/edges/beat-script.ts'
import { readScript, tellScript } from '../../src/edges/directory-scripts.ts'
import { haveOneTag } from '../../src/redis/keys.ts'
import type {
  ChannelListener,
  Redis,
  RedisArgument,
  RedisKey,
  RedisReply,
  RedisResult,
  RedisState,
  Subscription,
} from '../../src/redis/redis.ts'
import type { Script } from '../../src/redis/script.ts'
import type { SimulatedClock } from '../../src/testing/clock.ts'
import { type HeldEdge, runBeat } from './memory-beat.ts'
import { type HeldRecords, runRead, runTell } from './memory-directory.ts'

/**
 * A Redis in memory, on a simulated clock, which knows the three scripts of src/edges and nothing else: what they mean
 * is written once more in TypeScript, plainly. That the two are the same is what test/wire/edges-redis.test.ts is for.
 */
export class MemoryRedis {
  readonly clock: SimulatedClock
  readonly links: MemoryLink[] = []
  /** Scripts run, by name. */
  readonly runs = new Map<string, number>()
  readonly records = new Map<string, HeldRecords>()
  hash: { epoch: string; secret: Buffer; edges: Map<string, HeldEdge> } | null = null
  /** What its clock is ahead of the simulated one's wall time. */
  skewMs = 0

  constructor(clock: SimulatedClock) {
    this.clock = clock
  }

  link(): MemoryLink {
    const link = new MemoryLink(this)
    this.links.push(link)
    return link
  }

  get now(): number {
    return Math.floor(this.clock.wall() + this.skewMs)
  }

  /** Gone for all, and back. */
  stop(): void {
    for (const link of this.links) link.lose()
  }

  start(): void {
    for (const link of this.links) link.find()
  }

  /** Its data is lost, as after a restart without any. */
  flush(): void {
    this.hash = null
    this.records.clear()
  }

  run(name: string, key: string, args: readonly string[], secret: Buffer | null): RedisReply {
    this.runs.set(name, (this.runs.get(name) ?? 0) + 1)
    switch (name) {
      case beatScript.name:
        return runBeat(this, args, secret ?? Buffer.alloc(0))
      case tellScript.name:
        return runTell(this, key, args)
      case readScript.name:
        return runRead(this, key, args)
      default:
        throw new Error(`no script ${name}`)
    }
  }

  publish(channel: string, message: string): void {
    for (const link of this.links) link.hear(channel, message)
  }
}

/** One worker's link. */
export class MemoryLink implements Redis {
  readonly description = 'redis://memory'
  readonly #redis: MemoryRedis
  readonly #listeners = new Set<(state: RedisState) => void>()
  readonly #subscriptions = new Set<MemorySubscription>()
  state: RedisState = 'down'
  /** Milliseconds from question to answer; later than the deadline is `late`, and done all the same. */
  delayMs = 0
  /** Answers what it cannot do just now: `OOM`. */
  refusal = ''

  constructor(redis: MemoryRedis) {
    this.#redis = redis
  }

  lose(): void {
    if (this.state === 'down') return
    this.#turn('down')
    for (const subscription of this.#subscriptions) subscription.turn(false)
  }

  find(): void {
    if (this.state === 'up') return
    this.#turn('up')
    for (const subscription of this.#subscriptions) subscription.turn(true)
  }

  /** Messages are missed, and nothing else. */
  interrupt(): void {
    for (const subscription of this.#subscriptions) subscription.turn(false)
  }

  resume(): void {
    for (const subscription of this.#subscriptions) subscription.turn(true)
  }

  hear(channel: string, message: string): void {
    for (const one of this.#subscriptions)
      if (one.channel === channel) one.hear(Buffer.from(message, 'latin1'))
  }

  onState(listener: (state: RedisState) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  whenUp(): Promise<boolean> {
    return Promise.resolve(this.state === 'up')
  }

  async run<T>(
    script: Script<T>,
    keys: readonly RedisKey[],
    args: readonly RedisArgument[],
    deadlineMs = 250,
  ): Promise<RedisResult<T>> {
    if (keys.length !== script.keys || !haveOneTag(keys)) throw new Error('wrong keys')
    if (this.state === 'down') return { status: 'down', unknown: false }
    if (this.refusal !== '' && !script.isReadOnly)
      return { status: 'refused', code: this.refusal, message: this.refusal }
    const { clock } = this.#redis
    const { delayMs } = this
    await this.#after(Math.min(delayMs, deadlineMs) / 2)
    const texts = args.map((arg) => (Buffer.isBuffer(arg) ? '' : String(arg)))
    const secret = args.find((arg) => Buffer.isBuffer(arg)) ?? null
    const reply = this.#redis.run(script.name, String(keys[0]), texts, secret)
    await this.#after(Math.min(delayMs, deadlineMs) / 2)
    if (this.#isOver) return { status: 'down', unknown: !script.isReadOnly }
    if (delayMs > deadlineMs) return { status: 'late', unknown: !script.isReadOnly }
    const value = script.read(reply)
    if (value === undefined)
      throw new Error(`the answer of ${script.name} is not understood at ${clock.now()}`)
    return { status: 'ok', value }
  }

  publish(channel: string, message: RedisArgument): Promise<RedisResult<null>> {
    this.#redis.publish(channel, String(message))
    return Promise.resolve({ status: 'ok', value: null })
  }

  readSkew(): Promise<RedisResult<number>> {
    return Promise.resolve({ status: 'ok', value: this.#redis.skewMs })
  }

  subscribe(channel: string, listener: ChannelListener): Subscription {
    const created = new MemorySubscription(channel, listener, (ended) => this.#subscriptions.delete(ended))
    this.#subscriptions.add(created)
    if (this.state === 'up') queueMicrotask(() => created.turn(true))
    return created
  }

  close(): Promise<void> {
    this.lose()
    return Promise.resolve()
  }

  get #isOver(): boolean {
    return this.state === 'down'
  }

  #turn(state: RedisState): void {
    this.state = state
    for (const listener of [...this.#listeners]) listener(state)
  }

  #after(milliseconds: number): Promise<void> {
    if (milliseconds === 0) return Promise.resolve()
    return new Promise((resolve) => {
      this.#redis.clock.schedule(milliseconds, resolve)
    })
  }
}

class MemorySubscription implements Subscription {
  readonly channel: string
  readonly #listener: ChannelListener
  readonly #onEnd: (ended: MemorySubscription) => void
  isLive = false

  constructor(channel: string, listener: ChannelListener, onEnd: (ended: MemorySubscription) => void) {
    this.channel = channel
    this.#listener = listener
    this.#onEnd = onEnd
  }

  turn(isLive: boolean): void {
    if (this.isLive === isLive) return
    this.isLive = isLive
    this.#listener.onGap()
  }

  hear(message: Buffer): void {
    if (this.isLive) queueMicrotask(() => this.isLive && this.#listener.onMessage(message))
  }

  end(): void {
    this.isLive = false
    this.#onEnd(this)
  }
}
