import { openRedis } from './open-redis.ts'
import type { Redis, RedisHost } from './redis.ts'
import { isRedisUrlFault } from './url.ts'

/**
 * The links of one router, or of one of its workers: who names the same URL gets the same link. Nobody but the router
 * closes one.
 *
 * @throws Error that says what is wrong with the URL, and what would be right.
 */
export type OpenRedis = (url: string) => Redis

export class RedisLinks {
  readonly #host: RedisHost
  readonly #links = new Map<string, Redis>()

  constructor(host: RedisHost) {
    this.#host = host
  }

  readonly open: OpenRedis = (url) => {
    const existing = this.#links.get(url)
    if (existing !== undefined) return existing
    const count = this.#links.size
    // Scripts name few, and the first has the plain names of the metrics.
    const opened = openRedis(url, this.#host, count === 0 ? {} : { name: `redis_${count + 1}` })
    if (isRedisUrlFault(opened)) throw new Error(opened.fault)
    this.#links.set(url, opened)
    return opened
  }

  async close(): Promise<void> {
    await Promise.all([...this.#links.values()].map((redis) => redis.close()))
  }
}
