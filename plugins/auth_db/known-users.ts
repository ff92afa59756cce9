import { LRUCache } from 'lru-cache'
import { asciiLower, DatabaseError, limits, type PluginHost } from '../../src/plugin/index.ts'
import type { Subscribers } from './subscribers.ts'
import type { UserList } from './users.ts'

/** An answer of the database is good for so long: a name that is asked for with every packet costs one query. */
const rememberedMilliseconds = 10_000

/**
 * Who has a password at all: what other modules must know before they believe a name without one. It may say yes
 * too often, never no too often: domains and upper case are not told apart, and where the database fails the
 * answer is null.
 */
export class KnownUsers {
  readonly #users: UserList
  readonly #subscribers: Subscribers | null
  readonly #table: string
  readonly #host: PluginHost
  readonly #answers = new LRUCache<string, { has: boolean; at: number }>({ max: limits.credentialsCachedMax })

  constructor(users: UserList, subscribers: Subscribers | null, table: string, host: PluginHost) {
    this.#users = users
    this.#subscribers = subscribers
    this.#table = table
    this.#host = host
  }

  has(user: string): boolean | null {
    if (this.#users.hasAnyCase(user)) return true
    if (this.#subscribers === null) return false
    const name = asciiLower(user)
    const now = this.#host.clock.now()
    const known = this.#answers.get(name)
    if (known !== undefined && now - known.at < rememberedMilliseconds) return known.has
    try {
      const has = this.#subscribers.hasAnyCase(this.#table, name)
      this.#answers.set(name, { has, at: now })
      return has
    } catch (error) {
      if (!(error instanceof DatabaseError)) throw error
      this.#host.log.error(
        { err: error, table: this.#table },
        'whether a user has a password could not be found out (known_users_table)',
      )
      return null
    }
  }
}
