import type { Binding } from '../location/binding.ts'
import type { Change } from '../location/location.ts'
import type { OwnBindings, SharedTable } from '../location/shared-table.ts'
import type { Redis } from '../redis/redis.ts'
import type { EdgesHost } from './edges.ts'
import type { LivingEdges } from './living-edges.ts'

/** What is to be known of a location table. */
export interface SharedBindingsOptions {
  /** The table's name: edges that share it call it the same. */
  readonly table: string
  /** usrloc's matching_mode: what makes two contacts the same. 0 by default. */
  readonly matchingMode?: 0 | 1 | 2 | 3
}

/**
 * The directory of one location table in Redis (docs/decisions/0025-edges.md).
 *
 *     const edges = openEdges(redis, host, { name, uri })
 *     const shared = new SharedBindings(redis, edges, own, host, { table: 'location' })
 *     shared.begin()          // once what the own store holds has been restored
 *     ...
 *     await shared.close()
 *     await edges.close()
 */
export class SharedBindings implements SharedTable {
  readonly #redis: Redis
  readonly #edges: LivingEdges
  readonly #own: OwnBindings
  readonly #host: EdgesHost
  readonly #options: SharedBindingsOptions

  constructor(
    redis: Redis,
    edges: LivingEdges,
    own: OwnBindings,
    host: EdgesHost,
    options: SharedBindingsOptions,
  ) {
    this.#redis = redis
    this.#edges = edges
    this.#own = own
    this.#host = host
    this.#options = options
  }

  /** Tells all that this edge owns, from now on each time that it must be: not before all of it is there. */
  begin(): void {
    this.#host.log.debug({ table: this.#options.table, redis: this.#redis.description }, 'shared bindings')
  }

  fetch(_aor: string): Promise<boolean> | null {
    return Promise.resolve(false)
  }

  of(_aor: string): readonly Binding[] {
    return []
  }

  tell(_changes: readonly Change[]): Promise<void> | null {
    return null
  }

  /** Tells nobody anything any more. */
  async close(): Promise<void> {
    void [this.#edges, this.#own]
  }
}
