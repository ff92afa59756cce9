import {
  copyFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Clock, systemClock } from '../../src/runtime/clock.ts'
import { type Log, silentLog } from '../../src/runtime/log.ts'
import { openStore } from '../../src/store/open-store.ts'
import type { Store } from '../../src/store/table.ts'
import { faultOfDataFile } from '../../src/store/verify.ts'

const clock: Clock = systemClock()
let directory: string

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'store-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

describe.each(['memory', 'lmdb'] as const)('a table in %s', (kind) => {
  let store: Store
  beforeEach(async () => {
    store = await openStore({ directory: kind === 'lmdb' ? directory : null, log: silentLog, clock })
  })
  afterEach(() => store.close())

  test('a write is visible at once, before it is durable', async () => {
    const table = store.open<{ n: number }>('a')
    const written = table.put('k', { n: 1 })
    expect(table.get('k')).toEqual({ n: 1 })
    await written
    expect(table.get('k')).toEqual({ n: 1 })
    const removed = table.remove('k')
    expect(table.get('k')).toBeUndefined()
    await removed
    expect(table.get('k')).toBeUndefined()
  })

  test('entries come in key order, from a key, by prefix, up to a limit', async () => {
    const table = store.open<number>('a')
    await Promise.all(['b2', 'a', 'b1', 'c', 'b3'].map((key, i) => table.put(key, i + 1)))
    const keys = (options?: object) => [...table.entries(options)].map(([key]) => key)
    expect(keys()).toEqual(['a', 'b1', 'b2', 'b3', 'c'])
    expect(keys({ prefix: 'b' })).toEqual(['b1', 'b2', 'b3'])
    expect(keys({ prefix: 'b', from: 'b2' })).toEqual(['b2', 'b3'])
    expect(keys({ limit: 2 })).toEqual(['a', 'b1'])
    expect(keys({ from: 'b2', limit: 1 })).toEqual(['b2'])
    const pending = [table.put('b15', 9), table.remove('b2'), table.put('zz', 9)]
    expect(keys()).toEqual(['a', 'b1', 'b15', 'b3', 'c', 'zz'])
    await Promise.all(pending)
    expect(keys()).toEqual(['a', 'b1', 'b15', 'b3', 'c', 'zz'])
    expect(table.count).toBe(6)
  })

  test.each(['__proto__', 'constructor', 'null\u0000', 'null', '\u00e9\u00ff', 'x'.repeat(900)])(
    'any text is a key of its own: %j',
    async (key) => {
      const table = store.open<{ key: string }>('keys')
      expect(table.get(key)).toBeUndefined()
      await table.put(key, { key })
      expect(table.get(key)).toEqual({ key })
      expect([...table.entries()]).toEqual([[key, { key }]])
    },
  )

  test('tables of different names do not see each other; the same name is the same table', async () => {
    await store.open<number>('a').put('k', 1)
    expect(store.open<number>('b').get('k')).toBeUndefined()
    expect(store.open<number>('a').get('k')).toBe(1)
  })
})

describe('a data directory', () => {
  const fill = async (count: number) => {
    const store = await openStore({ directory, log: silentLog, clock })
    const table = store.open<{ text: string }>('t')
    await Promise.all(
      Array.from({ length: count }, (_, i) => table.put(`key${i}`, { text: 'x'.repeat(100) })),
    )
    await store.close()
  }
  const path = () => join(directory, 'viaduct.mdb')

  test('keeps its records', async () => {
    await fill(10)
    const store = await openStore({ directory, log: silentLog, clock })
    expect(store.open<{ text: string }>('t').get('key3')).toEqual({ text: 'x'.repeat(100) })
    expect(store.open('t').count).toBe(10)
    await store.close()
  })

  test('a sound file is found sound, also with long records and several trees', async () => {
    await fill(2_000)
    const store = await openStore({ directory, log: silentLog, clock })
    await store.open<string>('long').put('long', 'y'.repeat(20_000))
    await store.close()
    expect(faultOfDataFile(path())).toBeNull()
  })

  test.each([
    ['truncated in the middle', (file: string) => truncateSync(file, Math.floor(statSync(file).size / 2))],
    ['truncated to less than its meta pages', (file: string) => truncateSync(file, 100)],
    ['overwritten with something else', (file: string) => writeFileSync(file, 'not a store '.repeat(5_000))],
  ])('%s: moved aside, reported, and begun anew', async (_name, damage) => {
    await fill(2_000)
    damage(path())
    const lines: string[] = []
    const log: Log = { ...silentLog, error: (_fields, line) => void lines.push(line) }
    const store = await openStore({ directory, log, clock })
    expect(lines).toEqual(['the store is damaged: moved aside, starting with an empty one'])
    expect(readdirSync(directory).some((name) => name.startsWith('viaduct.mdb.damaged-'))).toBe(true)
    const table = store.open<number>('t')
    expect(table.count).toBe(0)
    await table.put('k', 1)
    expect(table.get('k')).toBe(1)
    await store.close()
  })

  test('a key that the store cannot hold is refused, not thrown', async () => {
    const store = await openStore({ directory, log: silentLog, clock })
    await expect(store.open<number>('t').put('k'.repeat(3_000), 1)).rejects.toThrow('octets')
    await store.close()
  })

  test('a directory that cannot be made is an error that names it', async () => {
    writeFileSync(join(directory, 'file'), '')
    const inside = join(directory, 'file', 'data')
    await expect(openStore({ directory: inside, log: silentLog, clock })).rejects.toThrow(inside)
  })

  test('copies are whole', async () => {
    await fill(500)
    copyFileSync(path(), join(directory, 'copy.mdb'))
    expect(existsSync(join(directory, 'copy.mdb'))).toBe(true)
    expect(faultOfDataFile(join(directory, 'copy.mdb'))).toBeNull()
  })
})
