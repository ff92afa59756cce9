import type { Clock } from '../runtime/clock.ts'
import { timeOf } from './expiry.ts'
import { IoredisConnection } from './ioredis-connection.ts'
import { IoredisListening } from './ioredis-listening.ts'
import { haveOneTag } from './keys.ts'
import { Link } from './link.ts'
import type {
  ChannelListener,
  Redis,
  RedisArgument,
  RedisHost,
  RedisKey,
  RedisOptions,
  RedisReply,
  RedisResult,
  RedisState,
  Subscription,
} from './redis.ts'
import type { Script } from './script.ts'
import { Subscriptions } from './subscriptions.ts'
import { isRedisUrlFault, parseRedisUrl, type RedisUrlFault } from './url.ts'

/**
 * Opens a link to the Redis that a URL names (url.ts). It returns at once, `down`: whether there is a Redis shows when
 * it is up. A URL that means nothing is a fault, which says what would be right.
 */
export function openRedis(url: string, host: RedisHost, options: RedisOptions = {}): Redis | RedisUrlFault {
  const address = parseRedisUrl(url)
  if (isRedisUrlFault(address)) return address
  const { description } = address
  const link = new Link(
    (attempt, scripts, onEnd) => new IoredisConnection(address, attempt, scripts, onEnd),
    description,
    host,
    { ...options, isCluster: address.kind === 'cluster' },
  )
  const subscriptions = new Subscriptions(
    (attempt, onMessage, onEnd) => new IoredisListening(address, attempt, onMessage, onEnd),
    description,
    host,
  )
  return redisOn(link, subscriptions, description, host.clock)
}

/** The interface over a link and its channels, whatever they are made of: tests make their own. */
export function redisOn(link: Link, subscriptions: Subscriptions, description: string, clock: Clock): Redis {
  return new LinkedRedis(link, subscriptions, description, clock)
}

class LinkedRedis implements Redis {
  readonly description: string
  readonly #link: Link
  readonly #subscriptions: Subscriptions
  readonly #clock: Clock

  constructor(link: Link, subscriptions: Subscriptions, description: string, clock: Clock) {
    this.#link = link
    this.#subscriptions = subscriptions
    this.description = description
    this.#clock = clock
  }

  get state(): RedisState {
    return this.#link.state
  }

  onState(listener: (state: RedisState) => void): () => void {
    return this.#link.onState(listener)
  }

  whenUp(withinMs: number): Promise<boolean> {
    if (this.state === 'up') return Promise.resolve(true)
    return new Promise((resolve) => {
      const decide = (isUp: boolean) => {
        timer.cancel()
        forget()
        resolve(isUp)
      }
      const timer = this.#clock.schedule(withinMs, () => decide(false))
      const forget = this.onState((state) => {
        if (state === 'up') decide(true)
      })
    })
  }

  run<T>(
    script: Script<T>,
    keys: readonly RedisKey[],
    args: readonly RedisArgument[],
    deadlineMs?: number,
  ): Promise<RedisResult<T>> {
    if (keys.length !== script.keys || !haveOneTag(keys)) return Promise.resolve(wrongKeys(script, keys))
    const encoded: RedisArgument[] = [script.sha, String(keys.length)]
    let octets = 0
    for (const list of [keys, args]) {
      for (const value of list) {
        const one = encode(value)
        octets += one.length
        encoded.push(one)
      }
    }
    const { read, isReadOnly } = script
    return this.#link.ask({ command: 'EVALSHA', args: encoded, script, octets, isReadOnly, read }, deadlineMs)
  }

  publish(channel: string, message: RedisArgument, deadlineMs?: number): Promise<RedisResult<null>> {
    const args = [encode(channel), encode(message)]
    const octets = args.reduce((sum, { length }) => sum + length, 0)
    return this.#link.ask(
      { command: 'PUBLISH', args, script: null, octets, isReadOnly: false, read: () => null },
      deadlineMs,
    )
  }

  readSkew(deadlineMs?: number): Promise<RedisResult<number>> {
    const before = this.#clock.wall()
    const read = (reply: RedisReply) => {
      const time = timeOf(reply)
      return time === undefined ? undefined : time - (before + this.#clock.wall()) / 2
    }
    const request = { command: 'TIME', args: [], script: null, octets: 0, isReadOnly: true, read }
    return this.#link.ask(request, deadlineMs)
  }

  subscribe(channel: string, listener: ChannelListener): Subscription {
    return this.#subscriptions.add(channel, listener)
  }

  async close(): Promise<void> {
    this.#subscriptions.close()
    await this.#link.close()
  }
}

/** Octets, one for each character. What is ASCII is so already, and leaves in one piece with the rest. */
function encode(value: RedisArgument): string | Buffer {
  if (typeof value === 'number') return String(value)
  if (typeof value !== 'string') return value
  return Buffer.byteLength(value) === value.length ? value : Buffer.from(value, 'latin1')
}

function wrongKeys({ name, keys: wanted }: Script<unknown>, keys: readonly RedisKey[]): RedisResult<never> {
  const message =
    keys.length === wanted
      ? `the keys of ${name} have no common hash tag`
      : `${name} takes ${wanted} keys, not ${keys.length}`
  return { status: 'refused', code: 'keys', message }
}
