import type { Answer, Connection, Listening } from '../../src/redis/connection.ts'
import { Link } from '../../src/redis/link.ts'
import { redisOn } from '../../src/redis/open-redis.ts'
import type { RedisArgument, RedisOptions } from '../../src/redis/redis.ts'
import type { Script } from '../../src/redis/script.ts'
import { Subscriptions } from '../../src/redis/subscriptions.ts'
import { createMetrics } from '../../src/runtime/metrics.ts'
import { simulatedClock } from '../../src/testing/clock.ts'
import { collectingLog } from '../../src/testing/log.ts'
import { seededRandom } from '../../src/testing/random.ts'

/** A link on a simulated clock, and the connections that it opened, which do what the test tells them. */
export function world(options: RedisOptions = {}) {
  const clock = simulatedClock()
  const log = collectingLog()
  const metrics = createMetrics()
  const host = { clock, log, random: seededRandom(1), metrics }
  const connections: FakeConnection[] = []
  const listenings: FakeListening[] = []
  const link = new Link(
    (attempt, scripts, onEnd) => {
      const connection = new FakeConnection(attempt, scripts, onEnd)
      connections.push(connection)
      return connection
    },
    'redis://test',
    host,
    options,
  )
  const subscriptions = new Subscriptions(
    (attempt, onMessage, onEnd) => {
      const listening = new FakeListening(attempt, onMessage, onEnd)
      listenings.push(listening)
      return listening
    },
    'redis://test',
    host,
  )
  const redis = redisOn(link, subscriptions, 'redis://test', clock)
  const latest = () => {
    const connection = connections.at(-1)
    if (connection === undefined) throw new Error('no connection was opened')
    return connection
  }
  const up = async () => {
    latest().open(null)
    await clock.settle()
    return latest()
  }
  const heard = () => {
    const listening = listenings.at(-1)
    if (listening === undefined) throw new Error('nobody listens')
    return listening
  }
  return { clock, log, metrics, redis, connections, latest, up, listenings, heard }
}

export class FakeConnection implements Connection {
  readonly opened: Promise<string | null>
  readonly attempt: number
  readonly scripts: readonly Script<unknown>[]
  readonly end: (reason: string) => void
  readonly sent: { command: string; args: readonly RedisArgument[]; answer: Answer }[] = []
  readonly told: Script<unknown>[] = []
  open: (trouble: string | null) => void = () => {}
  isDropped = false

  constructor(attempt: number, scripts: Iterable<Script<unknown>>, onEnd: (reason: string) => void) {
    this.attempt = attempt
    this.scripts = [...scripts]
    this.end = onEnd
    this.opened = new Promise((resolve) => {
      this.open = resolve
    })
  }

  tell(script: Script<unknown>): void {
    this.told.push(script)
  }

  send(command: string, args: readonly RedisArgument[], answer: Answer): void {
    this.sent.push({ command, args, answer })
  }

  drop(): void {
    this.isDropped = true
  }

  get last() {
    const last = this.sent.at(-1)
    if (last === undefined) throw new Error('nothing was sent')
    return last
  }
}

export class FakeListening implements Listening {
  readonly opened: Promise<string | null>
  readonly attempt: number
  readonly onMessage: (channel: string, message: Buffer) => void
  readonly end: (reason: string) => void
  readonly channels: string[] = []
  open: (trouble: string | null) => void = () => {}
  isDropped = false
  isSilent = false
  pings = 0

  constructor(
    attempt: number,
    onMessage: (channel: string, message: Buffer) => void,
    onEnd: (reason: string) => void,
  ) {
    this.attempt = attempt
    this.onMessage = onMessage
    this.end = onEnd
    this.opened = new Promise((resolve) => {
      this.open = resolve
    })
  }

  listen(channels: readonly string[]): Promise<string | null> {
    this.channels.push(...channels)
    return this.#answer()
  }

  forget(channel: string): void {
    this.channels.splice(this.channels.indexOf(channel), 1)
  }

  ping(): Promise<string | null> {
    this.pings++
    return this.#answer()
  }

  drop(): void {
    this.isDropped = true
  }

  #answer(): Promise<string | null> {
    return this.isSilent ? new Promise(() => {}) : Promise.resolve(null)
  }
}
