import { expect, test } from 'vitest'
import { merged } from '../../src/control/merge.ts'
import type { Merge } from '../../src/plugin/plugin.ts'

const tm = [
  { current: 1, '2xx': 3 },
  { current: 2, '2xx': 4 },
]
const pike = [
  { max_hits: 30, list: [{ a: 1 }], number_of_rows: 1 },
  { max_hits: 30, list: [{ a: 2 }, { a: 3 }], number_of_rows: 2 },
]

test.each<[Merge, unknown[], unknown]>([
  ['any', ['a', 'b'], 'a'],
  ['every', ['Reload OK', 'Reload OK'], 'Reload OK'],
  ['sum', tm, { current: 3, '2xx': 7 }],
  ['sum', [{ '200': 1 }, { '404': 2 }], { '200': 1, '404': 2 }],
  ['sum', [{ a: { b: 1 } }, { a: { b: 2 } }], { a: { b: 3 } }],
  ['concat', [[1], [], [2, 3]], [1, 2, 3]],
  [
    { list: 'concat', number_of_rows: 'sum' },
    pike,
    { max_hits: 30, list: [{ a: 1 }, { a: 2 }, { a: 3 }], number_of_rows: 3 },
  ],
])('%j of %j is %j', (merge, answers, expected) => {
  expect(merged(answers, merge)).toEqual(expected)
})
