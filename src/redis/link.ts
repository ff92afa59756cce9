import { limits } from '../limits.ts'
import type { Clock, Timer } from '../runtime/clock.ts'
import { Backoff } from './backoff.ts'
import { Breaker } from './breaker.ts'
import type { Connection, OpenConnection } from './connection.ts'
import { LinkReport } from './link-report.ts'
import { Operation, type Operations, type Pending, type Request } from './operation.ts'
import type { RedisHost, RedisOptions, RedisResult, RedisState } from './redis.ts'
import type { Script } from './script.ts'

export interface LinkOptions extends RedisOptions {
  /** Several nodes answer: the silence of one is no silence. */
  readonly isCluster?: boolean
}

/**
 * What may be asked of Redis, and whether it is there.
 *
 *   down --opened, PING, a master--> up --connection lost, READONLY, the breaker--> down
 *     `--not within the time: wait longer, open the next--'
 *
 * Down: each operation settles at once, and has done nothing. Nothing waits for a better time here: who wants to
 * write later keeps it, and hears when.
 */
export class Link implements Operations {
  readonly clock: Clock
  readonly #open: OpenConnection
  readonly #report: LinkReport
  readonly #breaker: Breaker
  readonly #backoff: Backoff
  readonly #deadlineMs: number
  readonly #inFlightMax: number
  readonly #inFlightBytesMax: number
  readonly #scripts = new Map<string, Script<unknown>>()
  readonly #pending = new Set<Pending>()
  readonly #listeners = new Set<(state: RedisState) => void>()
  #octets = 0
  #state: RedisState = 'down'
  #connection: Connection | null = null
  #timer: Timer | null = null
  #isClosing = false
  #whenIdle: (() => void) | null = null

  constructor(open: OpenConnection, description: string, host: RedisHost, options: LinkOptions) {
    this.clock = host.clock
    this.#open = open
    this.#backoff = new Backoff(host.random)
    this.#deadlineMs = options.deadlineMs ?? limits.redisDeadlineMilliseconds
    this.#breaker = new Breaker(options.isCluster === true ? Number.POSITIVE_INFINITY : 2 * this.#deadlineMs)
    this.#inFlightMax = options.inFlightMax ?? limits.redisInFlightMax
    this.#inFlightBytesMax = options.inFlightBytesMax ?? limits.redisInFlightBytesMax
    this.#report = new LinkReport(options.name ?? 'redis', description, host, {
      isUp: () => this.#state === 'up',
      inFlight: () => this.#pending.size,
    })
    this.#attempt()
  }

  get state(): RedisState {
    return this.#state
  }

  onState(listener: (state: RedisState) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  ask<T>(request: Request<T>, deadlineMs = this.#deadlineMs): Promise<RedisResult<T>> {
    const connection = this.#connection
    if (this.#state === 'down' || connection === null || this.#isClosing) {
      return Promise.resolve(this.#report.counted({ status: 'down', unknown: false }))
    }
    if (request.octets > this.#inFlightBytesMax) return Promise.resolve(this.#report.counted(tooLarge))
    if (this.#pending.size >= this.#inFlightMax || this.#octets + request.octets > this.#inFlightBytesMax) {
      return Promise.resolve(this.#report.counted(tooMuch))
    }
    if (request.script !== null) this.#know(request.script, connection)
    return new Promise((resolve) => {
      const operation = new Operation(this, request, deadlineMs, (result) => {
        resolve(this.#report.counted(result))
      })
      this.#pending.add(operation)
      this.#octets += request.octets
      connection.send(request.command, request.args, operation)
    })
  }

  /** Waits for what is under way, for so long, and takes nothing more. */
  async close(): Promise<void> {
    if (this.#isClosing) return
    this.#isClosing = true
    if (this.#pending.size > 0) {
      await new Promise<void>((resolve) => {
        this.#whenIdle = resolve
        this.clock.schedule(limits.redisCloseMilliseconds, resolve)
      })
    }
    this.#timer?.cancel()
    this.#abandon()
    if (this.#state === 'up') this.#change('down')
  }

  answered(code: string): void {
    const now = this.clock.now()
    if (code === 'READONLY') this.#fall('READONLY: it is no master any more')
    else if (!unavailable.has(code)) this.#breaker.answered(now)
    else if (this.#breaker.failed(now)) this.#fall(`it answers ${code}`)
  }

  missed(sentAt: number): void {
    if (this.#breaker.missed(sentAt, this.clock.now())) this.#fall('it does not answer in time')
  }

  resend(operation: Pending): void {
    const { script, args } = operation.request
    if (script !== null && this.#connection !== null) {
      this.#connection.send('EVAL', [script.lua, ...args.slice(1)], operation)
    } else {
      operation.lost()
    }
  }

  over(operation: Pending): void {
    if (!this.#pending.delete(operation)) return
    this.#octets -= operation.request.octets
    if (this.#pending.size === 0) this.#whenIdle?.()
  }

  /** Redis is told a script when it is first run; the next connection tells it again by itself. */
  #know(script: Script<unknown>, connection: Connection): void {
    if (this.#scripts.has(script.sha) || this.#scripts.size >= limits.redisScriptsMax) return
    this.#scripts.set(script.sha, script)
    connection.tell(script)
  }

  #attempt(): void {
    const connection: Connection = this.#open(this.#backoff.attempts, this.#scripts.values(), (reason) => {
      if (connection === this.#connection) this.#fall(reason)
    })
    this.#connection = connection
    const timer = this.clock.schedule(openMilliseconds, () =>
      decide(`no answer within ${openMilliseconds} ms`),
    )
    let isDecided = false
    const decide = (trouble: string | null): void => {
      if (isDecided) return
      isDecided = true
      timer.cancel()
      if (connection !== this.#connection) return
      if (trouble === null) this.#rise()
      else this.#fall(trouble)
    }
    void connection.opened.then(decide)
  }

  #rise(): void {
    this.#backoff.reset()
    this.#breaker.reset()
    this.#change('up')
  }

  /** Gives the connection up, with all that is under way on it, and looks for Redis again. */
  #fall(reason: string): void {
    if (this.#connection === null) return
    const wasUp = this.#state === 'up'
    this.#state = 'down'
    this.#abandon()
    this.#report.failed(reason)
    if (wasUp) this.#change('down')
    if (this.#isClosing) return
    this.#timer = this.clock.schedule(this.#backoff.nextMs(), () => this.#attempt())
  }

  #abandon(): void {
    this.#connection?.drop()
    this.#connection = null
    for (const operation of [...this.#pending]) operation.lost()
  }

  #change(state: RedisState): void {
    this.#state = state
    if (state === 'up') this.#report.rose()
    for (const listener of [...this.#listeners]) listener(state)
  }
}

const tooMuch = { status: 'refused', code: 'busy', message: 'too much is under way' } as const
const tooLarge = {
  status: 'refused',
  code: 'size',
  message: 'larger than all that may be under way',
} as const

/** Errors that say that Redis cannot serve now, whatever it is asked. Others are about one operation, or about writing. */
const unavailable: ReadonlySet<string> = new Set([
  'BUSY',
  'CLUSTERDOWN',
  'LOADING',
  'MASTERDOWN',
  'NOAUTH',
  'TRYAGAIN',
  'WRONGPASS',
])

/** Connecting, and then the answers to what it is examined with. */
const openMilliseconds = limits.redisConnectMilliseconds + limits.redisDeadlineMilliseconds
