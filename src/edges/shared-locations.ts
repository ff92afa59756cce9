import type { OwnBindings, SharedTable } from '../location/shared-table.ts'
import type { Redis } from '../redis/redis.ts'
import { type Edges, type EdgesHost, type EdgesOptions, openEdges } from './edges.ts'
import { SharedBindings, type SharedBindingsOptions } from './shared-bindings.ts'

/** What a router opens where edges share their location: who they are, and a directory for each table. */
export interface SharedLocations {
  readonly edges: Edges
  /** Once for each name. */
  open(table: string, own: OwnBindings): SharedDirectoryTable
  /** Tells nobody anything any more, and says goodbye. */
  close(): Promise<void>
}

export interface SharedDirectoryTable extends SharedTable {
  /** All that this edge owns of the table is there: the others are told of it. */
  begin(): void
}

export interface SharedLocationsOptions extends EdgesOptions, Pick<SharedBindingsOptions, 'matchingMode'> {}

/** By URL, as usrloc's `store` says it. Throws an Error that says what is wrong with the URL. */
export type OpenSharedLocations = (url: string, options: SharedLocationsOptions) => SharedLocations

export function openSharedLocations(
  redis: Redis,
  host: EdgesHost,
  { matchingMode = 0, ...options }: SharedLocationsOptions,
): SharedLocations {
  const edges = openEdges(redis, host, options)
  const tables: SharedBindings[] = []
  return {
    edges,
    open(table, own) {
      const opened = new SharedBindings(redis, edges, own, host, { table, matchingMode })
      tables.push(opened)
      return opened
    },
    async close() {
      await Promise.all(tables.map((table) => table.close()))
      await edges.close()
    },
  }
}
