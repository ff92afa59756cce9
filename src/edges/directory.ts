import type { Redis, RedisResult } from '../redis/redis.ts'
import type { Clock } from '../runtime/clock.ts'
import {
  bindingOf,
  type MatchingMode,
  type OthersBinding,
  type TimedChange,
  tellArguments,
} from './directory-record.ts'
import {
  directoryChannel,
  directoryKey,
  type ReadAnswer,
  readScript,
  type TellAnswer,
  tellScript,
} from './directory-scripts.ts'
import type { LivingEdges } from './living-edges.ts'

/** The two questions that a table's directory in Redis answers. */
export class Directory {
  readonly table: string
  readonly channel: string
  readonly #redis: Redis
  readonly #edges: LivingEdges
  readonly #clock: Clock
  readonly #mode: MatchingMode

  constructor(redis: Redis, edges: LivingEdges, clock: Clock, table: string, mode: MatchingMode) {
    this.table = table
    this.channel = directoryChannel(table)
    this.#redis = redis
    this.#edges = edges
    this.#clock = clock
    this.#mode = mode
  }

  /** Changes one address-of-record as a whole. */
  tell(
    aor: string,
    changes: readonly TimedChange[],
    life: number,
    isStrict: boolean,
  ): Promise<RedisResult<TellAnswer>> {
    const teller = {
      edge: this.#edges.self.name,
      life,
      floor: this.#edges.ownFloor(this.table),
      mode: this.#mode,
      time: this.#edges.time,
      now: this.#clock.now(),
    }
    const args = tellArguments(teller, this.channel, aor, changes, isStrict)
    return this.#redis.run(tellScript, [directoryKey(this.table, aor)], args)
  }

  read(aor: string): Promise<RedisResult<ReadAnswer>> {
    return this.#redis.run(readScript, [directoryKey(this.table, aor)], [this.#edges.self.name])
  }

  bindingsOf(aor: string, { others }: ReadAnswer): OthersBinding[] {
    const now = this.#clock.now()
    return others.map((record) => bindingOf(record, aor, this.#edges.owner(record.edge), now))
  }
}

/** What stands on the channel of a table: whose change it was, and what others have lost by it. */
export interface Notice {
  readonly by: string
  readonly aor: string
  readonly lost: readonly { readonly edge: string; readonly ruid: string }[]
}

/** Null: somebody else's. */
export function readNotice(message: Buffer): Notice | null {
  let value: unknown
  try {
    value = JSON.parse(message.toString('latin1'))
  } catch {
    return null
  }
  if (!Array.isArray(value) || !value.every((part) => typeof part === 'string')) return null
  const [by, aor, ...rest] = value
  if (by === undefined || aor === undefined) return null
  const lost: { edge: string; ruid: string }[] = []
  for (let i = 0; i + 1 < rest.length; i += 2) lost.push({ edge: rest[i] ?? '', ruid: rest[i + 1] ?? '' })
  return { by, aor, lost }
}
