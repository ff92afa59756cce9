import fc from 'fast-check'
import { expect, test } from 'vitest'
import { TransactionTable } from '../../src/transaction/transaction-table.ts'

interface Entry {
  readonly hash: number
  tableNext: Entry | null
}

test('holds what was added and not deleted, however the hashes fall together', () => {
  const step = fc.record({ hash: fc.integer({ min: -5_000, max: 5_000 }), isDeletion: fc.boolean() })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 3_000, size: 'max' }), (steps) => {
      const table = new TransactionTable<Entry>()
      const entries: Entry[] = []
      for (const { hash, isDeletion } of steps) {
        if (!isDeletion) {
          const entry = { hash, tableNext: null }
          entries.push(entry)
          table.add(entry)
        } else if (entries.length > 0) {
          const [entry] = entries.splice(Math.abs(hash) % entries.length, 1)
          if (entry === undefined) throw new Error('an entry')
          expect([table.delete(entry), table.delete(entry)]).toEqual([true, false])
        }
      }
      expect(table.count).toBe(entries.length)
      expect(new Set(table.entries())).toEqual(new Set(entries))
      for (const entry of entries) expect(isFound(table, entry)).toBe(true)
      table.clear()
      expect([table.count, table.entries()]).toEqual([0, []])
    }),
    { numRuns: 30 },
  )
})

function isFound(table: TransactionTable<Entry>, entry: Entry): boolean {
  for (let at = table.first(entry.hash); at !== null; at = at.tableNext) if (at === entry) return true
  return false
}
