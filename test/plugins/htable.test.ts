import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { parseTableDefinition } from '../../plugins/htable/definition.ts'
import { HashTable } from '../../plugins/htable/hash-table.ts'
import htable from '../../plugins/htable/index.ts'
import { simulatedClock } from '../../src/testing/clock.ts'
import { requestText } from './digest-client.ts'
import { createStand } from './stand.ts'
import { written } from './written.ts'

const definitions = [
  'a=>size=4;autoexpire=10;',
  'b=>size=4;initval=0;updateexpire=0;autoexpire=5',
  'c=>size=4',
]

async function tables(values: Record<string, unknown> = {}) {
  const stand = createStand()
  const bench = await stand.load(htable, { htable: definitions, ...values })
  const context = stand.context(requestText())
  return {
    stand,
    bench,
    context,
    get: (item: string) => bench.read('sht', context, item),
    set: (item: string, value: string | number | null) => bench.write('sht', context, item, value),
    call: (name: string, ...args: unknown[]) => bench.call(name, context, ...args),
  }
}

describe('values, as measured on Kamailio 5.6.3', () => {
  it('keep their type; what is not there is undefined, or the initial value', async () => {
    const { get, set } = await tables()
    set('a=>x', 'str')
    set('a=>y', 5)
    expect([get('a=>x'), get('a=>y'), get('a=>zz'), get('b=>q'), get('nope=>x')]).toEqual([
      'str',
      5,
      null,
      0,
      null,
    ])
    expect(set('a=>x', null)).toBe(true)
    expect(get('a=>x')).toBeNull()
  })

  it('$shtinc and $shtdec count numbers only', async () => {
    const { bench, context, set } = await tables()
    set('a=>y', 5)
    set('a=>x', 'str')
    const inc = (item: string) => bench.read('shtinc', context, item)
    expect([inc('a=>y'), inc('a=>new'), inc('a=>x'), inc('b=>n')]).toEqual([6, null, null, 1])
    expect([bench.read('shtdec', context, 'b=>n'), bench.read('shtdec', context, 'b=>n')]).toEqual([0, -1])
  })

  it('$shtcn and $shtcv count by name and value', async () => {
    const { bench, context, set } = await tables()
    for (const [key, value] of [
      ['k1', 'v1'],
      ['k2', 'v2'],
      ['other', 'v3'],
      ['x', 'str'],
      ['y', 6],
    ] as const) {
      set(`a=>${key}`, value)
    }
    const names = (expression: string) => bench.read('shtcn', context, `a=>${expression}`)
    const values = (expression: string) => bench.read('shtcv', context, `a=>${expression}`)
    expect(['~~^k', '%~k', '~%1', '==k1', '**', 'k1'].map(names)).toEqual([2, 2, 1, 1, 5, 1])
    expect(['~~^v', '==v1', 'eq6', 'eq5', '%~v', '~%3', '**'].map(values)).toEqual([3, 1, 1, 0, 3, 1, 5])
    expect(bench.read('shtcn', context, 'a=>~~(')).toBeNull()
    expect(bench.read('shtcn', context, 'nope=>**')).toBeNull()
  })

  it('functions remove and find', async () => {
    const { call, get, set } = await tables()
    for (const key of ['k1', 'k2', 'other', 'x']) set(`a=>${key}`, `v-${key}`)
    set('a=>y', 5)
    expect([call('sht_rm_name_re', 'a=>^k.*'), get('a=>k1'), get('a=>other')]).toEqual([1, null, 'v-other'])
    expect([call('sht_rm_value_re', 'a=>v-o'), get('a=>other')]).toEqual([1, null])
    expect([call('sht_match_name', 'a', 'eq', 'x'), call('sht_match_name', 'a', 're', '^x')]).toEqual([1, 1])
    expect([call('sht_match_name', 'a', 'eq', 'nn'), call('sht_match_str_value', 'a', 'sw', 'v-')]).toEqual([
      -1, 1,
    ])
    expect([call('sht_rm_name', 'a', 'sw', 'x'), get('a=>x'), call('sht_rm_name', 'a', 'xx', 'x')]).toEqual([
      1,
      null,
      -1,
    ])
    expect([call('sht_is_null', 'a', 'y'), call('sht_rm', 'a', 'y'), call('sht_is_null', 'a', 'y')]).toEqual([
      -1, 1, 1,
    ])
    expect([call('sht_lock', 'a=>x'), call('sht_unlock', 'a=>x'), call('sht_lock', 'nope=>x')]).toEqual([
      1, 1, -1,
    ])
    set('c=>z', 1)
    expect([call('sht_reset', 'c'), get('c=>z'), call('sht_reset', '')]).toEqual([1, null, -1])
  })

  it('iterators walk, and may remove what they stand at', async () => {
    const { bench, context, call, set, get } = await tables()
    for (const key of ['one', 'two', 'three']) set(`a=>${key}`, key.length)
    expect([call('sht_iterator_next', 'i'), call('sht_iterator_start', 'i', 'nope')]).toEqual([-1, -1])
    call('sht_iterator_start', 'i', 'a')
    const seen: unknown[] = []
    while (call('sht_iterator_next', 'i') > 0) {
      seen.push(bench.read('shtitkey', context, 'i'), bench.read('shtitval', context, 'i'))
      call('sht_iterator_rm', 'i')
    }
    expect(seen).toEqual(['one', 3, 'two', 3, 'three', 5])
    expect([
      call('sht_iterator_rm', 'i'),
      call('sht_iterator_end', 'i'),
      call('sht_iterator_end', 'i'),
    ]).toEqual([-1, 1, -1])
    expect(get('a=>one')).toBeNull()
  })

  it('row 41: names such as __proto__ are names', async () => {
    const { get, set } = await tables()
    for (const key of ['__proto__', 'constructor', 'toString']) {
      expect(get(`a=>${key}`)).toBeNull()
      set(`a=>${key}`, key)
      expect(get(`a=>${key}`)).toBe(key)
    }
    expect(get('__proto__=>x')).toBeNull()
  })
})

describe('time to live', () => {
  it('is renewed by a new value, unless updateexpire is 0', async () => {
    const { bench, context, get, set, stand } = await tables()
    const left = (item: string) => bench.read('shtex', context, item)
    set('a=>x', 1)
    set('b=>x', 1)
    expect([left('a=>x'), left('a=>none'), left('b=>x')]).toEqual([10, 0, 5])
    stand.clock.advanceSync(4_000)
    set('a=>x', 2)
    set('b=>x', 2)
    expect([left('a=>x'), left('b=>x')]).toEqual([10, 1])
    stand.clock.advanceSync(1_000)
    expect([get('a=>x'), get('b=>x')]).toEqual([2, 0])
  })

  it('can be set: $shtex, sht_setxs, sht_setxi', async () => {
    const { bench, context, call, get, set, stand } = await tables()
    set('a=>x', 1)
    expect(bench.write('shtex', context, 'a=>x', 100)).toBe(true)
    expect(bench.write('shtex', context, 'a=>none', 100)).toBe(false)
    call('sht_setxs', 'a', 's', 'text', 30)
    call('sht_setxi', 'c', 'i', 7, 30)
    stand.clock.advanceSync(29_000)
    expect([get('a=>x'), get('a=>s'), get('c=>i')]).toEqual([1, 'text', 7])
    stand.clock.advanceSync(1_000)
    expect([get('a=>x'), get('a=>s'), get('c=>i')]).toEqual([1, null, null])
  })

  it('ends with event_route[htable:expired:table]', async () => {
    const { bench, set, stand } = await tables()
    const heard: unknown[] = []
    stand.eventRoutes.set('htable:expired:a', (event) =>
      heard.push([bench.read('shtrecord', event, 'key'), bench.read('shtrecord', event, 'value')]),
    )
    set('a=>x', 'gone')
    set('b=>y', 1)
    stand.clock.advanceSync(10_000)
    bench.tick()
    await stand.clock.settle()
    expect(heard).toEqual([['x', 'gone']])
  })

  it('agrees with a table that looks at everything (law)', () => {
    const keys = fc.constantFrom('a', 'b', 'c')
    const step = fc.oneof(
      fc.record({ op: fc.constant('set' as const), key: keys, seconds: fc.integer({ min: 0, max: 6 }) }),
      fc.record({ op: fc.constant('remove' as const), key: keys }),
      fc.record({ op: fc.constant('expire' as const), key: keys, seconds: fc.integer({ min: 0, max: 6 }) }),
      fc.record({ op: fc.constant('wait' as const), seconds: fc.integer({ min: 0, max: 4 }) }),
      fc.record({ op: fc.constant('sweep' as const) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const clock = simulatedClock()
        const table = new HashTable(parseTableDefinition('t=>size=4'), clock)
        const model = new Map<string, number>()
        const now = () => clock.now() / 1000
        const isLive = (key: string) => {
          const until = model.get(key)
          return until !== undefined && (until === 0 || until > now())
        }
        let expired = 0
        let due = 0
        for (const one of steps) {
          if (one.op === 'wait') clock.advanceSync(one.seconds * 1000)
          else if (one.op === 'sweep') {
            for (const key of [...model.keys()]) {
              if (isLive(key)) continue
              model.delete(key)
              due++
            }
            expired += table.sweep().length
            expect(table.size).toBe(model.size)
          } else if (one.op === 'set') {
            table.set(one.key, 1, one.seconds)
            model.set(one.key, one.seconds === 0 ? 0 : now() + one.seconds)
          } else if (one.op === 'remove') {
            table.remove(one.key)
            model.delete(one.key)
          } else if (table.setExpiry(one.key, one.seconds) && isLive(one.key)) {
            model.set(one.key, one.seconds === 0 ? 0 : now() + one.seconds)
          }
          for (const key of ['a', 'b', 'c']) expect(table.has(key)).toBe(isLive(key))
        }
        expect(expired).toBe(due)
      }),
    )
  })

  it('a table has a bound: what is in it stays, new keys are refused', () => {
    const table = new HashTable(parseTableDefinition('t=>size=4;autoexpire=1'), simulatedClock(), 2)
    expect(['a', 'b', 'c', 'a'].map((key) => table.set(key, 1))).toEqual([true, true, false, true])
    table.remove('a')
    expect(table.set('c', 1)).toBe(true)
  })
})

describe('definitions', () => {
  test.each([
    ['ipban=>size=8;autoexpire=300;', { name: 'ipban', slots: 256, expireSeconds: 300, initialValue: null }],
    ['x=>size=4; initval=7;updateexpire=0', { name: 'x', initialValue: 7, renewsExpiry: false }],
    ['y', { name: 'y', slots: 8, expireSeconds: 0 }],
  ])('%s', (text, expected) => {
    expect(parseTableDefinition(text)).toMatchObject(expected)
  })

  test.each(['', '=>size=4', 'a b=>size=4', 'a=>size', 'a=>size=x', 'a=>nope=1', 'a=>dbtable=x;dbtable=y z'])(
    '%j is none',
    (text) => {
      expect(() => parseTableDefinition(text)).toThrow()
    },
  )

  it('$sht(x) without an arrow is refused when the script is loaded', () => {
    expect(() => htable.variables?.sht.prepare('nothing')).toThrow('names no item')
  })
})

describe('commands', () => {
  it('have the shapes and texts of Kamailio 5.6.3', async () => {
    const { bench, set } = await tables()
    set('a=>sx', 'val')
    set('a=>sy', 7)
    expect(await written(bench.rpc('htable.dump', 'a'))).toEqual([
      { entry: 8, size: 1, slot: [{ name: 'sy', value: 7, type: 'int' }] },
      { entry: 9, size: 1, slot: [{ name: 'sx', value: 'val', type: 'str' }] },
    ])
    expect(bench.rpc('htable.get', 'a', 'sx')).toEqual({ item: { name: 'sx', value: 'val', type: 'str' } })
    expect(bench.rpc('htable.sets', 'a', 'k', 'v')).toBe('Ok. Key set to new value.')
    expect(bench.rpc('htable.seti', 'a', 'k', '5')).toBe('Ok. Key set to new value.')
    expect(bench.rpc('htable.setex', 'a', 'k', 7)).toBe('Ok')
    expect(bench.rpc('htable.delete', 'a', 'k')).toBe('Ok. Key deleted.')
    expect(bench.rpc('htable.flush', 'a')).toBe('Ok. Htable flushed.')
    expect(await written(bench.rpc('htable.dump', 'a'))).toEqual([])
    expect(bench.rpc('htable.listTables')).toContainEqual({
      name: 'b',
      dbtable: '',
      dbmode: 0,
      expire: 5,
      updateexpire: 0,
      size: 16,
      dmqreplicate: 0,
    })
    expect(bench.rpc('htable.stats')).toContainEqual({ name: 'a', slots: 16, all: 0, min: 0, max: 0 })
  })

  test.each([
    ['htable.get', ['a', 'nope'], "Key name doesn't exist in htable."],
    ['htable.get', ['nope', 'x'], 'No such htable'],
    ['htable.get', ['a'], 'Not enough parameters (htable name and key name)'],
    ['htable.delete', ['a', 'nope'], 'Key not found in htable.'],
    ['htable.dump', ['nope'], 'No such htable'],
  ])('%s %j fails with %j', async (name, args, message) => {
    const { bench } = await tables()
    expect(() => bench.rpc(name, ...args)).toThrow(message)
  })
})

it('event_route[htable:mod-init] fills tables before the first message', async () => {
  const { bench, context, stand, get } = await tables()
  stand.eventRoutes.set('htable:mod-init', () => void bench.write('sht', context, 'c=>init', 1))
  await bench.start()
  expect(get('c=>init')).toBe(1)
})

it('a dbtable is read at the start and, with dbmode=1, written at the end', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'viaduct-htable-'))
  const path = join(directory, 'x.db')
  const sqlite = new DatabaseSync(path)
  sqlite.exec('PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY')
  sqlite.exec(
    'CREATE TABLE stored (id INTEGER PRIMARY KEY, key_name TEXT, key_type INT, value_type INT, key_value TEXT, expires INT);' +
      "INSERT INTO stored VALUES (1, 'alice', 0, 0, 'text', 0), (2, 'n', 0, 1, '5', 0), (3, 'list', 1, 0, 'x', 0), (4, 'list', 1, 0, 'y', 0)",
  )
  const values = { htable: ['t=>size=4;dbtable=stored;dbmode=1'], db_url: `sqlite:///${path}` }
  const { bench, get, set } = await tables(values)
  expect(['alice', 'n', 'list[0]', 'list[1]', 'list::size'].map((key) => get(`t=>${key}`))).toEqual([
    'text',
    5,
    'x',
    'y',
    2,
  ])
  set('t=>n', 6)
  await bench.close()
  const rows = sqlite.prepare("SELECT key_value, value_type FROM stored WHERE key_name = 'n'").all()
  expect(rows).toEqual([expect.objectContaining({ key_value: '6', value_type: 1 })])
  sqlite.close()
})
