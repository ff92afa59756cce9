import { createRequire } from 'node:module'
import { limits } from '../limits.ts'
import { sortedKeys } from './memory.ts'
import { PackedValues } from './packed-values.ts'
import type { OpenRegion } from './region.ts'
import type { OpenTable, Store, Table } from './table.ts'

/**
 * Tables that live as long as the router and are the same for all its workers: `--memory` where there are several.
 * What memory.ts is for one.
 */
export function regionStore(openRegion: OpenRegion, key: Uint8Array): Store {
  const tables = new Map<string, Table<unknown>>()
  const open: OpenTable = <R>(name: string) => {
    const existing = tables.get(name)
    if (existing !== undefined) return existing as Table<R>
    const region = openRegion(`store.${name}`, limits.sharedTableBytesMax)
    const created = regionTable<R>(new PackedValues(region, key, Number.POSITIVE_INFINITY, 0))
    tables.set(name, created as Table<unknown>)
    return created
  }
  return { open, description: 'memory', close: () => Promise.resolve() }
}

/** Nothing expires here: the second is always the first one. */
const second = 0

function regionTable<R>(values: PackedValues): Table<R> {
  const { pack, unpack } = loadMsgpackr()
  const decoded = (text: string | number) => unpack(Buffer.from(String(text), 'latin1')) as R
  const put = async (key: string, text: string | null) => {
    const isKept = values.update(key, second, () => (text === null ? null : { value: text, expiresAt: 0 }))
    if (!isKept) throw new Error('there is no room in memory, or the key is too long')
  }
  return {
    get(key) {
      const stored = values.get(key, second)
      return stored === undefined ? undefined : decoded(stored.value)
    },
    put: (key, record) => put(key, pack(record).toString('latin1')),
    remove: (key) => put(key, null),
    *entries(options = {}) {
      let left = options.limit ?? Number.POSITIVE_INFINITY
      const keys = Array.from(values.entries(second), ([key]) => key)
      for (const key of sortedKeys(keys, options)) {
        const stored = values.get(key, second)
        if (stored === undefined) continue
        if (left-- <= 0) return
        yield [key, decoded(stored.value)]
      }
    },
    get count() {
      return values.count
    },
    flushed: () => Promise.resolve(),
  }
}

/** Loaded when somebody asks for it, as lmdb is. */
function loadMsgpackr(): typeof import('msgpackr') {
  return createRequire(import.meta.url)('msgpackr')
}
