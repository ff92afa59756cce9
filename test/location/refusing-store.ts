import { memoryTable } from '../../src/store/memory.ts'
import type { OpenTable, Table } from '../../src/store/table.ts'

/** A data directory: tables by name, and a store that may refuse. */
export class Store {
  readonly tables = new Map<string, Table<unknown>>()
  refusing = false

  readonly open: OpenTable = <R>(name: string) => {
    const existing = this.tables.get(name)
    if (existing !== undefined) return existing as Table<R>
    const table = memoryTable<R>()
    // As lmdb.ts does it: a write is visible until it is refused.
    const refused = (undo: () => void) => Promise.reject(new Error('ENOSPC')).finally(undo)
    const created: Table<R> = {
      ...table,
      put: (key, record) => {
        const before = table.get(key)
        const done = table.put(key, record)
        if (!this.refusing) return done
        return refused(() => {
          if (table.get(key) !== record) return
          void (before === undefined ? table.remove(key) : table.put(key, before))
        })
      },
      remove: (key) => {
        const before = table.get(key)
        const done = table.remove(key)
        if (!this.refusing || before === undefined) return done
        return refused(() => void table.put(key, before))
      },
      get count() {
        return table.count
      },
      refusal: () => (this.refusing ? 'the disk is full' : null),
    }
    this.tables.set(name, created as Table<unknown>)
    return created
  }

  sizes(): Record<string, number> {
    return Object.fromEntries(
      [...this.tables].map(([name, { count }]) => [name.replace('usrloc.', ''), count]),
    )
  }
}
