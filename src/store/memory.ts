import type { OpenTable, Store, Table } from './table.ts'

/**
 * Tables that live as long as the process: for tests, for `db_mode` 0, and for tables that nobody needs after a
 * restart. Same contract as lmdb.ts, except that nothing outlives the process.
 */
export function memoryStore(): Store {
  const tables = new Map<string, Table<unknown>>()
  const open: OpenTable = <R>(name: string) => {
    const existing = tables.get(name)
    if (existing !== undefined) return existing as Table<R>
    const created = memoryTable<R>()
    tables.set(name, created as Table<unknown>)
    return created
  }
  return { open, description: 'memory', close: () => Promise.resolve() }
}

export function memoryTable<R>(): Table<R> {
  const records = new Map<string, R>()
  return {
    get: (key) => records.get(key),
    put(key, record) {
      records.set(key, record)
      return Promise.resolve()
    },
    remove(key) {
      records.delete(key)
      return Promise.resolve()
    },
    *entries(options = {}) {
      let left = options.limit ?? Number.POSITIVE_INFINITY
      for (const key of sortedKeys(records.keys(), options)) {
        if (left-- <= 0) return
        const record = records.get(key)
        if (record !== undefined) yield [key, record]
      }
    },
    get count() {
      return records.size
    },
    flushed: () => Promise.resolve(),
  }
}

/** Keys from `from` that start with `prefix`, in the order of their code units. */
export function sortedKeys(keys: Iterable<string>, range: { prefix?: string; from?: string }): string[] {
  const prefix = range.prefix ?? ''
  const from = range.from ?? ''
  const out: string[] = []
  for (const key of keys) if (key >= from && key.startsWith(prefix)) out.push(key)
  return out.sort(byCodeUnit)
}

function byCodeUnit(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
