import { limits } from '../limits.ts'
import type { Clock, Timer } from '../runtime/clock.ts'
import type { Log } from '../runtime/log.ts'
import { redactText } from '../runtime/redact.ts'
import { Backoff } from './backoff.ts'
import type { Listening, OpenListening } from './connection.ts'
import type { ChannelListener, RedisHost, Subscription } from './redis.ts'

/**
 * Channels, on a connection of their own, which is there while somebody listens. What is said while it is not is lost:
 * each listener hears of the gap when it begins and when it has ended. A Redis that fell silent without closing is
 * found out by a PING now and then, so that a gap is known within `redisListenMilliseconds` and an answer's time.
 */
export class Subscriptions {
  readonly #open: OpenListening
  readonly #clock: Clock
  readonly #log: Log
  readonly #backoff: Backoff
  readonly #channels = new Map<string, Set<OneSubscription>>()
  #count = 0
  #listening: Listening | null = null
  #isOpen = false
  #timer: Timer | null = null
  #isClosed = false

  constructor(open: OpenListening, description: string, host: RedisHost) {
    this.#open = open
    this.#clock = host.clock
    this.#log = host.log.child({ redis: description })
    this.#backoff = new Backoff(host.random)
  }

  /** Beyond the bound, and after `close()`, it is one that is never live. */
  add(channel: string, listener: ChannelListener): Subscription {
    const added = new OneSubscription(channel, listener, (ended) => this.#remove(ended))
    if (this.#isClosed || this.#count >= limits.redisSubscriptionsMax) {
      this.#log.error({ channel, max: limits.redisSubscriptionsMax }, 'a subscription to redis is refused')
      return added
    }
    this.#count++
    const others = this.#channels.get(channel)
    if (others === undefined) this.#channels.set(channel, new Set([added]))
    else others.add(added)
    if (this.#isOpen && this.#listening !== null) void this.#listen(this.#listening, [channel])
    else if (this.#listening === null && this.#timer === null) this.#attempt()
    return added
  }

  close(): void {
    this.#isClosed = true
    this.#abandon()
    this.#channels.clear()
  }

  #remove(ended: OneSubscription): void {
    const others = this.#channels.get(ended.channel)
    if (others === undefined || !others.delete(ended)) return
    this.#count--
    if (others.size > 0) return
    this.#channels.delete(ended.channel)
    if (this.#channels.size === 0) this.#abandon()
    else if (this.#isOpen) this.#listening?.forget(ended.channel)
  }

  #attempt(): void {
    this.#timer = null
    const listening: Listening = this.#open(
      this.#backoff.attempts,
      (channel, message) => {
        if (listening === this.#listening) this.#tell(channel, message)
      },
      (reason) => this.#lose(listening, reason),
    )
    this.#listening = listening
    void this.#within(limits.redisConnectMilliseconds, listening.opened).then((trouble) => {
      if (listening !== this.#listening) return
      if (trouble !== null) {
        this.#lose(listening, trouble)
        return
      }
      this.#isOpen = true
      void this.#listen(listening, [...this.#channels.keys()])
    })
  }

  /** Once Redis has confirmed it, what was missed before is over. */
  async #listen(listening: Listening, channels: readonly string[]): Promise<void> {
    const trouble = await this.#within(limits.redisConnectMilliseconds, listening.listen(channels))
    if (listening !== this.#listening) return
    if (trouble !== null) {
      this.#lose(listening, trouble)
      return
    }
    this.#backoff.reset()
    for (const one of channels.flatMap((channel) => [...(this.#channels.get(channel) ?? [])])) one.begin()
    this.#watch(listening)
  }

  #watch(listening: Listening): void {
    this.#timer?.cancel()
    this.#timer = this.#clock.schedule(limits.redisListenMilliseconds, () => void this.#check(listening))
  }

  async #check(listening: Listening): Promise<void> {
    const trouble = await this.#within(limits.redisListenMilliseconds, listening.ping())
    if (listening !== this.#listening) return
    if (trouble !== null) this.#lose(listening, trouble)
    else this.#watch(listening)
  }

  #lose(listening: Listening, reason: string): void {
    if (listening !== this.#listening) return
    this.#abandon()
    this.#log.debug({ reason: redactText(reason) }, 'redis is not heard')
    for (const subscriptions of [...this.#channels.values()]) {
      for (const one of [...subscriptions]) one.interrupt()
    }
    if (this.#channels.size === 0) return
    this.#timer = this.#clock.schedule(this.#backoff.nextMs(), () => this.#attempt())
  }

  #abandon(): void {
    this.#timer?.cancel()
    this.#timer = null
    this.#isOpen = false
    this.#listening?.drop()
    this.#listening = null
  }

  #tell(channel: string, message: Buffer): void {
    const subscriptions = this.#channels.get(channel)
    if (subscriptions === undefined) return
    for (const one of [...subscriptions]) one.tell(message)
  }

  #within(milliseconds: number, promise: Promise<string | null>): Promise<string | null> {
    return new Promise((resolve) => {
      const timer = this.#clock.schedule(milliseconds, () => resolve(`no answer within ${milliseconds} ms`))
      void promise.then((trouble) => {
        timer.cancel()
        resolve(trouble)
      })
    })
  }
}

class OneSubscription implements Subscription {
  readonly channel: string
  readonly #listener: ChannelListener
  readonly #onEnd: (subscription: OneSubscription) => void
  #isLive = false
  #isEnded = false

  constructor(channel: string, listener: ChannelListener, onEnd: (subscription: OneSubscription) => void) {
    this.channel = channel
    this.#listener = listener
    this.#onEnd = onEnd
  }

  get isLive(): boolean {
    return this.#isLive
  }

  begin(): void {
    if (this.#isLive || this.#isEnded) return
    this.#isLive = true
    this.#listener.onGap()
  }

  interrupt(): void {
    if (!this.#isLive) return
    this.#isLive = false
    this.#listener.onGap()
  }

  tell(message: Buffer): void {
    if (this.#isLive) this.#listener.onMessage(message)
  }

  end(): void {
    this.#isLive = false
    this.#isEnded = true
    this.#onEnd(this)
  }
}
