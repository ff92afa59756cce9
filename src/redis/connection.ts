import type { RedisArgument } from './redis.ts'
import type { Script } from './script.ts'

/**
 * One connection (with a cluster: one to each node), from its opening to its end. It is never mended: who lost it opens
 * the next. What it is in production is ioredis-connection.ts; tests make their own.
 */
export interface Connection {
  /**
   * Null once it is connected, may change data, and knows the scripts; otherwise why not. Settles once; whoever waits
   * bounds it by time.
   */
  readonly opened: Promise<string | null>
  /** Writes it together with all else of this turn of the event loop. `answer` is called once, and never at once. */
  send(command: string, args: readonly RedisArgument[], answer: Answer): void
  /** Tells each master a script, ahead of what is sent next: a thousand calls of it then do not carry its text. */
  tell(script: Script<unknown>): void
  /** Ends it. What was sent is lost, and `onEnd` is not called. Safe to call twice. */
  drop(): void
}

export interface Answer {
  replied(reply: unknown): void
  /** Redis' own error: `OOM command not allowed ...`. */
  refused(message: string): void
  /** The connection ended, or could not take it. */
  lost(): void
}

/** `attempt` counts: of several hosts, another is asked first each time. */
export type OpenConnection = (
  attempt: number,
  scripts: Iterable<Script<unknown>>,
  onEnd: (reason: string) => void,
) => Connection

/** A connection that only listens. */
export interface Listening {
  readonly opened: Promise<string | null>
  /** Null once its messages arrive, otherwise why they do not. */
  listen(channels: readonly string[]): Promise<string | null>
  forget(channel: string): void
  /** A sign of life. */
  ping(): Promise<string | null>
  drop(): void
}

export type OpenListening = (
  attempt: number,
  onMessage: (channel: string, message: Buffer) => void,
  onEnd: (reason: string) => void,
) => Listening
