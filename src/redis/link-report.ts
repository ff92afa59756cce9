import type { Clock } from '../runtime/clock.ts'
import type { Log } from '../runtime/log.ts'
import type { Counter, Series } from '../runtime/metrics.ts'
import { redactText } from '../runtime/redact.ts'
import type { RedisHost, RedisResult } from './redis.ts'

/** What operators see of a link: a line when it goes and when it comes, counters, two gauges. */
export class LinkReport {
  readonly #clock: Clock
  readonly #log: Log
  readonly #series: Record<RedisResult<unknown>['status'], Series>
  readonly #outages: Counter
  readonly #errors: Counter
  #downSince: number
  /** Why it is down, as the log was told. */
  #reason = ''
  #reasonSaidAt = 0
  #wasUp = false
  #isUp = false
  /** Operations that found it down. */
  #turnedAway = 0
  #refusalSaidAt = Number.NEGATIVE_INFINITY
  #refusals = 0

  constructor(
    name: string,
    description: string,
    host: RedisHost,
    read: { isUp: () => boolean; inFlight: () => number },
  ) {
    const { metrics } = host
    this.#clock = host.clock
    this.#log = host.log.child({ redis: description })
    this.#downSince = host.clock.now()
    const operations = metrics.counter(
      `viaduct_${name}_operations_total`,
      'Operations on Redis, by what became of them.',
      ['result'],
    )
    this.#series = {
      ok: operations.series('ok'),
      late: operations.series('late'),
      down: operations.series('down'),
      refused: operations.series('refused'),
    }
    this.#outages = metrics.counter(
      `viaduct_${name}_outages_total`,
      'Times that the link to Redis went down.',
    )
    this.#errors = metrics.counter(`viaduct_${name}_errors_total`, 'Operations that were refused, by why.', [
      'code',
    ])
    metrics.gauge(`viaduct_${name}_up`, 'Whether the link to Redis is up.', () => (read.isUp() ? 1 : 0))
    metrics.gauge(`viaduct_${name}_in_flight`, 'Operations on Redis under way.', read.inFlight)
  }

  /** Counts a result, and is it. */
  counted<R extends RedisResult<unknown>>(result: R): R {
    this.#series[result.status].add()
    if (result.status === 'down') this.#turnedAway++
    if (result.status === 'refused') this.#refused(result.code, result.message)
    return result
  }

  rose(): void {
    const downMs = Math.round(this.#clock.now() - this.#downSince)
    if (this.#wasUp) this.#log.info({ downMs, refused: this.#turnedAway }, 'redis is up again')
    else this.#log.info({ downMs }, 'redis is up')
    this.#wasUp = true
    this.#isUp = true
    this.#reason = ''
  }

  /** A link that was up is lost, or an attempt failed: one line, and now and then one if the reason is another. */
  failed(why: string): void {
    const reason = redactText(why).slice(0, reasonCharactersMax)
    if (this.#isUp) {
      this.#isUp = false
      this.#downSince = this.#clock.now()
      this.#turnedAway = 0
      this.#outages.add()
    }
    const isFirst = this.#reason === ''
    const now = this.#clock.now()
    if (!isFirst && (reason === this.#reason || now - this.#reasonSaidAt < lineMilliseconds)) {
      this.#log.debug({ reason }, 'redis is still down')
      return
    }
    this.#reason = reason
    this.#reasonSaidAt = now
    this.#log.warn({ reason }, isFirst ? 'redis is down' : 'redis is still down, for another reason')
  }

  /** That writes are refused (OOM, MISCONF) is no outage: it is said now and then. */
  #refused(code: string, message: string): void {
    this.#errors.add(1, code)
    this.#refusals++
    const now = this.#clock.now()
    if (now - this.#refusalSaidAt < lineMilliseconds) return
    this.#log.warn(
      { code, reason: redactText(message).slice(0, reasonCharactersMax), refused: this.#refusals },
      'redis refuses operations',
    )
    this.#refusalSaidAt = now
    this.#refusals = 0
  }
}

const reasonCharactersMax = 200
/** What may repeat itself is said so often. */
const lineMilliseconds = 10_000
