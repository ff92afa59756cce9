import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { PackedValues } from '../../src/store/packed-values.ts'
import { privateRegions } from '../../src/store/region.ts'
import { regionStore } from '../../src/store/region-store.ts'

const key = new Uint8Array(16).fill(7)

/** Two workers that have opened the same region. */
function pair(countMax = 1_000) {
  const region = privateRegions()('values', 2 ** 26)
  return [new PackedValues(region, key, countMax, 0), new PackedValues(region, key, countMax, 0)] as const
}

const put = (values: PackedValues, name: string, value: string | number, expiresAt = 0) =>
  values.update(name, 0, () => ({ value, expiresAt }))

describe('values that workers share', () => {
  test.each([
    ['a number', 42],
    ['a fraction', -0.5],
    ['a text', 'sip:alice@example.com'],
    ['no text', ''],
    ['octets', '\x00\xff'],
    ['more than Latin-1', 'Größe \u{1f600}'],
  ])('%s is for the other what it was for the one', (_, value) => {
    const [one, other] = pair()
    expect(put(one, 'k', value)).toBe(true)
    expect(other.get('k', 0)).toEqual({ value, expiresAt: 0 })
  })

  test.each(['', 'k', '\u0000', '\u0000k', '\u{1f600}', 'ÿ', '€'])(
    'key %j is a key like any other',
    (name) => {
      const [one, other] = pair()
      put(one, name, 1)
      put(one, `${name}x`, 2)
      expect(other.get(name, 0)?.value).toBe(1)
      expect([...other.entries(0)].map(([found]) => found).toSorted()).toEqual([name, `${name}x`].toSorted())
    },
  )

  test('an update sees what the other has written', () => {
    const [one, other] = pair()
    for (let i = 0; i < 10; i++) {
      const values = i % 2 === 0 ? one : other
      values.update('n', 0, (known) => ({ value: Number(known?.value ?? 0) + 1, expiresAt: 0 }))
    }
    expect(one.get('n', 0)?.value).toBe(10)
  })

  test('what has expired is not seen, and is taken out once', () => {
    const [one, other] = pair()
    put(one, 'k', 1, 10)
    expect(other.get('k', 9)?.value).toBe(1)
    expect(other.get('k', 10)).toBeUndefined()
    expect(other.takeExpired(9)).toBeNull()
    expect(other.takeExpired(10)).toEqual({ key: 'k', value: 1 })
    expect(one.takeExpired(10)).toBeNull()
    expect(one.count).toBe(0)
  })

  test('a later deadline counts, and so does none', () => {
    const [one, other] = pair()
    put(one, 'later', 1, 10)
    put(other, 'later', 1, 20)
    put(one, 'never', 1, 10)
    put(other, 'never', 1, 0)
    put(one, 'sooner', 1, 20)
    put(other, 'sooner', 1, 5)
    expect(one.takeExpired(15)?.key).toBe('sooner')
    expect(one.takeExpired(15)).toBeNull()
    expect(one.takeExpired(25)?.key).toBe('later')
    expect(one.takeExpired(1_000_000)).toBeNull()
  })

  test('a full table keeps what it has, and takes new values for it', () => {
    const [one] = pair(2)
    expect([put(one, 'a', 1), put(one, 'b', 1), put(one, 'c', 1), put(one, 'a', 2)]).toEqual([
      true,
      true,
      false,
      true,
    ])
    expect(one.get('c', 0)).toBeUndefined()
  })

  test('a key of more than 1,023 octets is refused', () => {
    const [one] = pair()
    expect(put(one, 'k'.repeat(1_023), 1)).toBe(true)
    expect(put(one, 'k'.repeat(1_024), 1)).toBe(false)
    expect(one.get('k'.repeat(1_024), 0)).toBeUndefined()
  })

  test('law: like a Map, whoever writes', () => {
    const name = fc.constantFrom('a', 'b', 'c', '\u0000a', '€', 'd'.repeat(500))
    const value = fc.oneof(fc.integer(), fc.string({ unit: 'binary', maxLength: 3_000 }), fc.constant(null))
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.boolean(), name, value), { maxLength: 100 }), (steps) => {
        const [one, other] = pair()
        const map = new Map<string, string | number>()
        for (const [first, at, given] of steps) {
          const values = first ? one : other
          values.update(at, 0, () => (given === null ? null : { value: given, expiresAt: 0 }))
          if (given === null) map.delete(at)
          else map.set(at, given)
        }
        expect(new Map(Array.from(other.entries(0), ([at, stored]) => [at, stored.value]))).toEqual(map)
        expect(one.count).toBe(map.size)
      }),
      { numRuns: 100 },
    )
    const [one] = pair()
    put(one, 'a', 1)
    one.clear()
    expect([one.count, one.get('a', 0)]).toEqual([0, undefined])
  })
})

describe('tables that workers share without a directory', () => {
  test('the other sees what the one has put, in key order', async () => {
    const regions = privateRegions()
    const [one, other] = [regionStore(regions, key), regionStore(regions, key)]
    const table = one.open<{ n: number; text: string }>('t')
    await table.put('b/2', { n: 2, text: 'ü' })
    await table.put('a/1', { n: 1, text: '' })
    await table.put('b/1', { n: 3, text: 'x' })
    const seen = other.open<{ n: number; text: string }>('t')
    expect(seen.get('b/2')).toEqual({ n: 2, text: 'ü' })
    expect([...seen.entries({ prefix: 'b/' })].map(([at, { n }]) => [at, n])).toEqual([
      ['b/1', 3],
      ['b/2', 2],
    ])
    await seen.remove('b/1')
    expect([table.get('b/1'), table.count]).toEqual([undefined, 2])
    await expect(table.put('k'.repeat(2_000), { n: 0, text: '' })).rejects.toThrow('no room')
  })
})
