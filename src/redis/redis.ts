import type { Clock } from '../runtime/clock.ts'
import type { Log } from '../runtime/log.ts'
import type { Metrics } from '../runtime/metrics.ts'
import type { Random } from '../runtime/random.ts'
import type { Script } from './script.ts'

/**
 * A link to Redis (or Valkey) as the rest of the router sees it: what several edges share goes through here. Opened by
 * open-redis.ts, which tells the URLs. docs/decisions/0020-redis.md says what is promised and what is not.
 *
 * No operation throws, and none waits for longer than its deadline: each comes to a value. While Redis does not
 * answer the link is `down`, and then operations come to `down` at once: nothing is queued for later.
 *
 *     const put = defineScript({ name: 'put', keys: 1, lua: "return redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])" })
 *     const result = await redis.run(put, [keyOf('loc', aor)], [record, pxOf(remainingMs)])
 *     if (result.status !== 'ok') ...
 */
export interface Redis {
  /** `redis://host:6379/0`, for the log: without user and password. */
  readonly description: string
  readonly state: RedisState
  /** Called with each change of state, after the log line. Returns what takes the listener away again. */
  onState(listener: (state: RedisState) => void): () => void
  /** True once the link is up; false if it is not within so many milliseconds, or closed. */
  whenUp(withinMs: number): Promise<boolean>
  /**
   * Runs a script, atomically. All that are run in one turn of the event loop leave in one write, in their order; with
   * a cluster that is so for each node.
   *
   * @param keys as many as the script declares, all with one hash tag: see `keyOf()`.
   * @param args texts are Latin-1, one octet per character, as everywhere; binary ones are buffers.
   * @param deadlineMs `limits.redisDeadlineMilliseconds` by default.
   */
  run<T>(
    script: Script<T>,
    keys: readonly RedisKey[],
    args: readonly RedisArgument[],
    deadlineMs?: number,
  ): Promise<RedisResult<T>>
  /**
   * Tells all who are subscribed, through whichever node. `ok` says nothing about who heard it: pub/sub is not kept.
   * In a script, `redis.call('PUBLISH', channel, message)` does the same together with the change.
   */
  publish(channel: string, message: RedisArgument, deadlineMs?: number): Promise<RedisResult<null>>
  /**
   * How many milliseconds the clock of Redis is ahead of `clock.wall()`, from one TIME. Off by up to half of the round
   * trip. Lifetimes do not need it (PX counts on Redis' own clock): it is for comparing times that edges wrote.
   */
  readSkew(deadlineMs?: number): Promise<RedisResult<number>>
  /** Works whatever the state is: it is live as soon as Redis can be reached. One channel may have many listeners. */
  subscribe(channel: string, listener: ChannelListener): Subscription
  /**
   * Takes nothing more (`down`), waits for what is under way for `limits.redisCloseMilliseconds` at most, and
   * disconnects. Safe to call twice.
   */
  close(): Promise<void>
}

/** `down`: not connected yet, connection lost, or no answers for some time. */
export type RedisState = 'up' | 'down'

/**
 * What became of an operation.
 *
 * - `ok`: Redis has done it, and this is its answer.
 * - `late`: no answer within the deadline. It may have been done, or may still be done.
 * - `down`: the link was down, or broke. `unknown` tells which: false if it never left, so that nothing has happened.
 * - `refused`: `code` is the first word of Redis' error (`OOM`, `READONLY`, `LOADING`, `ERR`), or one of ours: `busy`
 *   (too much under way), `size`, `keys` (wrong number, or not all with one hash tag), `reply` (the answer was none that
 *   the script's `read` understands). Nothing was changed, unless it is `reply`, or the script failed in its middle:
 *   Redis does not undo its beginning, so check first and write last.
 *
 * `unknown`: a change may or may not have been made. It is false for scripts that change nothing.
 */
export type RedisResult<T> =
  | { readonly status: 'ok'; readonly value: T }
  | { readonly status: 'late'; readonly unknown: boolean }
  | { readonly status: 'down'; readonly unknown: boolean }
  | { readonly status: 'refused'; readonly code: string; readonly message: string }

export type RedisKey = string | Buffer

export type RedisArgument = string | number | Buffer

/**
 * An answer as Redis gave it: octets, whole numbers, null, lists of these. A buffer may be a slice of all that came
 * with it: copy what you keep, or take it as text with `textOf()`.
 */
export type RedisReply = Buffer | number | null | RedisReply[]

/** Who subscribes to a channel. Neither may throw. */
export interface ChannelListener {
  /** In the order in which Redis sent them. The buffer may be a slice of all that came with it. */
  onMessage(message: Buffer): void
  /**
   * Messages may have been missed: forget what depends on them. Called when the channel is lost, and again each time
   * it is live (the first time too): in between `isLive` is false, and what is read then must not be remembered.
   */
  onGap(): void
}

export interface Subscription {
  readonly channel: string
  /** From here on every message arrives, until the next `onGap()`. */
  readonly isLive: boolean
  /** Safe to call twice. No call of the listener comes after it. */
  end(): void
}

/** The outside world of a link. */
export interface RedisHost {
  readonly clock: Clock
  readonly log: Log
  readonly random: Random
  readonly metrics: Metrics
}

export interface RedisOptions {
  /** Names its metrics, `viaduct_<name>_up` and so on: for who has a second link. `redis` by default. */
  readonly name?: string
  readonly deadlineMs?: number
  /** Operations under way, and octets of their keys and arguments, beyond which more are refused. */
  readonly inFlightMax?: number
  readonly inFlightBytesMax?: number
}
