import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { pxOf, timeOf } from '../../src/redis/expiry.ts'
import { haveOneTag, keyOf, tagOf } from '../../src/redis/keys.ts'
import { defineScript, textOf } from '../../src/redis/script.ts'

/** A name from the wire: any octets, one character each. */
const octets = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString('latin1'))

describe('keys', () => {
  test('hold the hash of the name, and the name', () => {
    expect(keyOf('loc', 'alice@example.com')).toBe(`loc{${tagOf('alice@example.com')}}:alice@example.com`)
    // FNV-1a of nothing and of "a": the published values. All edges must agree, also those of another version.
    expect([tagOf(''), tagOf('a'), tagOf('foobar')]).toEqual(['811c9dc5', 'e40c292c', 'bf9cf968'])
  })

  test('of one name have one tag, whatever the name holds', () => {
    fc.assert(
      fc.property(octets, (name) => {
        const keys = [keyOf('loc', name), keyOf('out', name), keyOf('', name)]
        expect(haveOneTag(keys)).toBe(true)
        expect(new Set(keys).size).toBe(3)
        // What a cluster takes for the tag: from the first brace to the next closing one.
        expect(/\{(.*?)\}/s.exec(keys[0] ?? '')?.[1]).toBe(tagOf(name))
      }),
    )
  })

  test('spread over slots, and are different for different names', () => {
    const names = Array.from({ length: 10_000 }, (_, i) => `u${i}@example.com`)
    expect(new Set(names.map(tagOf)).size).toBeGreaterThan(9_990)
    expect(new Set(names.map((name) => keyOf('loc', name))).size).toBe(names.length)
  })

  test.each<[(string | Buffer)[], boolean]>([
    [['a{1}', 'b{1}'], true],
    [['a{1}', 'b{2}'], false],
    [['a', 'b'], false],
    [['a{}', 'b{}'], false],
    [['a{1', 'b{1'], false],
    [['a'], true],
    [[], true],
    [[Buffer.from('a{1}\xff', 'latin1'), 'b{1}'], true],
    [['{1}{2}', 'x{1}'], true],
  ])('%j: of one tag? %s', (keys, expected) => {
    expect(haveOneTag(keys)).toBe(expected)
  })

  test('a prefix with braces is a defect of ours', () => {
    expect(() => keyOf('loc{', 'x')).toThrow(/braces/)
  })
})

describe('lifetimes', () => {
  test.each([
    [1_000, '1000'],
    [0.2, '1'],
    [0, '1'],
    [-5, '1'],
    [1.5, '2'],
    [Number.POSITIVE_INFINITY, '4503599627370496'],
  ])('PX of %d ms is %s', (remaining, expected) => {
    expect(pxOf(remaining)).toBe(expected)
  })

  test('the answer to TIME', () => {
    expect(timeOf([Buffer.from('1767225600'), Buffer.from('250000')])).toBe(1_767_225_600_250)
    for (const garbage of [null, [], ['1'], ['x', 'y'], 'OK', [Buffer.from('1'), Buffer.from('z')]]) {
      expect(timeOf(garbage)).toBeUndefined()
    }
  })
})

describe('scripts', () => {
  test('are known by the SHA-1 of their text', () => {
    const script = defineScript({ name: 'one', keys: 0, lua: 'return 1' })
    expect(script.sha).toBe('e0e1f9fabfc9d4800c877a703b823ac0578ff8db')
    expect(script.isReadOnly).toBe(false)
  })

  test('answers are texts of one character per octet', () => {
    expect(textOf(Buffer.from([0, 0x41, 0xff]))).toBe('\0A\xff')
    expect([textOf(1), textOf(null), textOf([])]).toEqual([undefined, undefined, undefined])
  })
})
