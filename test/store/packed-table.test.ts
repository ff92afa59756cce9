import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { PackedStrings } from '../../src/store/packed-strings.ts'
import { type IndexPart, PackedTable } from '../../src/store/packed-table.ts'
import { privateRegions, type Region } from '../../src/store/region.ts'

const regionOf = (bytesMax = 1 << 24): Region => privateRegions()('t', bytesMax)

/** As the bindings use it: a value is text, its second is kept beside the model. */
class Harness {
  readonly region: Region
  table: PackedTable
  now = 100

  constructor(bytesMax?: number) {
    this.region = regionOf(bytesMax)
    this.table = new PackedTable(this.region, this.now)
  }

  entered<T>(work: (table: PackedTable) => T): T {
    this.table.enter()
    try {
      return work(this.table)
    } finally {
      this.table.leave()
    }
  }

  set(key: string, value: string, due: number): boolean {
    return this.entered((table) => {
      const hash = badHash(key)
      const at = table.write(table.find(hash, key), hash, key, value.length, due)
      if (at === 0) return false
      table.heap.bytes.latin1Write(value, table.valueAt(at), value.length)
      return true
    })
  }

  get(key: string): string | undefined {
    return this.entered((table) => {
      const at = table.find(badHash(key), key)
      return at === 0 ? undefined : this.valueOf(at)
    })
  }

  delete(key: string): void {
    this.entered((table) => {
      const at = table.find(badHash(key), key)
      if (at !== 0) table.remove(at)
    })
  }

  valueOf(at: number): string {
    return this.table.heap.bytes.latin1Slice(this.table.valueAt(at), this.table.valueEnd(at))
  }

  all(): [string, string][] {
    const out: [string, string][] = []
    let part: IndexPart = this.entered((table) => table.firstPart())
    while (part.index >= 0) {
      const index = this.entered((table) =>
        table.visit(part, (at) => void out.push([table.keyOf(at), this.valueOf(at)])),
      )
      part = { ...part, index }
    }
    return out.sort()
  }
}

/** Few values, so that chains are long and hashes collide. */
function badHash(key: string): number {
  let hash = 0
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash + key.charCodeAt(i), 0x9e3779b1)
  return (hash & 0xf00000ff) >>> 0
}

const keys = fc.string({
  unit: fc.integer({ min: 0, max: 255 }).map((c) => String.fromCharCode(c)),
  maxLength: 12,
})
const values = fc.oneof(
  fc.string({ unit: 'grapheme-ascii', maxLength: 40 }),
  fc.integer({ min: 0, max: 9_000 }).map((length) => 'v'.repeat(length)),
)
const commands = fc.array(
  fc.oneof(
    {
      weight: 5,
      arbitrary: fc.record({
        kind: fc.constant('set' as const),
        key: keys,
        value: values,
        due: fc.oneof(fc.integer({ min: 90, max: 9_000 }), fc.constant(Number.POSITIVE_INFINITY)),
      }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('delete' as const), key: keys }) },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant('pass' as const),
        seconds: fc.integer({ min: 0, max: 5_000 }),
      }),
    },
    { weight: 1, arbitrary: fc.constant({ kind: 'reopen' as const }) },
  ),
  { maxLength: 120 },
)

test('whatever is done to it, it holds what a Map holds, and gives back what is due, once', () => {
  fc.assert(
    fc.property(commands, (steps) => {
      const harness = new Harness()
      const model = new Map<string, { value: string; due: number }>()
      for (const step of steps) {
        if (step.kind === 'set') {
          expect(harness.set(step.key, step.value, step.due)).toBe(true)
          model.set(step.key, { value: step.value, due: step.due })
        } else if (step.kind === 'delete') {
          harness.delete(step.key)
          model.delete(step.key)
        } else if (step.kind === 'reopen') {
          // Another worker's view of the same region.
          harness.table = new PackedTable(harness.region, 0)
        } else {
          harness.now += step.seconds
          const due = [...model].filter(([, one]) => one.due <= harness.now).map(([key]) => key)
          expect(takeDue(harness, model)).toEqual(due.sort())
          for (const key of due) model.delete(key)
        }
        for (const key of [...model.keys()].slice(-3)) expect(harness.get(key)).toBe(model.get(key)?.value)
      }
      expect(harness.all()).toEqual([...model].map(([key, { value }]) => [key, value]).sort())
      expect(harness.entered((table) => table.count)).toBe(model.size)
    }),
    { numRuns: 300 },
  )
})

/** What was filed too early because it has been prolonged is filed again. */
function takeDue(harness: Harness, model: ReadonlyMap<string, { due: number }>): string[] {
  return harness.entered((table) => {
    const out: string[] = []
    for (let at = table.takeDue(harness.now); at !== 0; at = table.takeDue(harness.now)) {
      const key = table.keyOf(at)
      const due = model.get(key)?.due ?? 0
      if (due > harness.now) {
        table.refile(at, due)
        continue
      }
      out.push(key)
      table.remove(at)
    }
    return out.sort()
  })
}

describe('a table of many', () => {
  test('finds each of 20,000 after its index has grown, and gives their room to others', () => {
    const harness = new Harness(1 << 25)
    const key = (i: number) => `u${i}`
    for (let i = 0; i < 20_000; i++) harness.set(key(i), `value ${i}`, 1_000 + (i % 3_600))
    for (let i = 0; i < 20_000; i += 77) expect(harness.get(key(i))).toBe(`value ${i}`)
    expect(harness.get(key(20_000))).toBeUndefined()
    const used = harness.table.heap.usedBytes
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 20_000; i++) harness.delete(key(i))
      for (let i = 0; i < 20_000; i++) harness.set(key(i), `value ${i}`, 5_000)
    }
    expect(harness.table.heap.usedBytes).toBe(used)
  })

  test('who goes through it meets each record once, though it grows meanwhile', () => {
    const harness = new Harness(1 << 25)
    const before = Array.from({ length: 3_000 }, (_, i) => `old${i}`)
    for (const key of before) harness.set(key, '', 1_000)
    const met: string[] = []
    let part = harness.entered((table) => table.firstPart())
    for (let n = 0; part.index >= 0; n++) {
      const index = harness.entered((table) => table.visit(part, (at) => void met.push(table.keyOf(at))))
      part = { ...part, index }
      for (let i = 0; i < 10; i++) harness.set(`new${n}.${i}`, '', 1_000)
    }
    expect(met.filter((key) => key.startsWith('old')).sort()).toEqual(before.sort())
  })

  test('when its region is full, a write is refused and changes nothing', () => {
    const harness = new Harness(1 << 17)
    const written: string[] = []
    for (let i = 0; ; i++) {
      if (!harness.set(`k${i}`, 'x'.repeat(100), 1_000)) break
      written.push(`k${i}`)
    }
    expect(written.length).toBeGreaterThan(200)
    expect(harness.set('k0', 'y'.repeat(5_000), 1_000)).toBe(false)
    for (const key of written) expect(harness.get(key)).toBe('x'.repeat(100))
    harness.delete('k1')
    expect(harness.set('other', 'z'.repeat(100), 1_000)).toBe(true)
    expect(harness.get('other')).toBe('z'.repeat(100))
  })
})

test('each write gives a version that nothing had before', () => {
  const harness = new Harness()
  const seen = new Set<number>()
  for (const key of ['a', 'b', 'a', 'a', 'b']) {
    harness.set(key, 'same', 1_000)
    seen.add(harness.entered((table) => table.versionOf(table.find(badHash(key), key))))
  }
  expect(seen.size).toBe(5)
})

test('shared texts have one number each, the same for every worker, and there is an end of them', () => {
  const { table } = new Harness()
  const strings = new PackedStrings(table.heap, 0)
  const others = new PackedStrings(table.heap, strings.place)
  expect([strings.numberOf('a'), others.numberOf('b'), others.numberOf('a'), strings.numberOf('b')]).toEqual([
    0, 1, 0, 1,
  ])
  expect([strings.textOf(1), others.textOf(0)]).toEqual(['b', 'a'])
  expect(strings.numberOf('x'.repeat(300))).toBe(-1)
  for (let i = 0; i < 2_000; i++) strings.numberOf(`agent ${i}`)
  expect(strings.numberOf('one more')).toBe(-1)
  expect(others.textOf(others.numberOf('agent 5'))).toBe('agent 5')
})
