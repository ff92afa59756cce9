import { expect, test } from 'vitest'
import { indexOf, labelOf, SuspendedTransactions } from '../../plugins/tmx/suspended.ts'
import type { ResponseContext } from '../../src/plugin/index.ts'

function context(id: number): ResponseContext & { isSuspended: boolean } {
  const one = {
    server: { id },
    isSuspended: false,
    suspend() {
      one.isSuspended = true
      return true
    },
  }
  return one as unknown as ResponseContext & { isSuspended: boolean }
}

test('those that nobody continued do not stay in memory', () => {
  const table = new SuspendedTransactions()
  for (let id = 1; id <= 10_000; id++) {
    const one = context(id)
    expect(table.add(one)).toBe(true)
    one.isSuspended = false
  }
  expect(table.size).toBeLessThanOrEqual(64)
})

test('those that wait are found, once, however many come and go', () => {
  const table = new SuspendedTransactions()
  const waiting = Array.from({ length: 1_000 }, (_, i) => context(100_000 + i))
  for (const one of waiting) table.add(one)
  for (const one of waiting) {
    expect(table.take(indexOf(one), labelOf(one))).toBe(one)
    expect(table.take(indexOf(one), labelOf(one))).toBe(null)
  }
})
