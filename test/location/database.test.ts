import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { beforeEach, describe, expect, test } from 'vitest'
import { type Batch, type Database, DatabaseError } from '../../src/database/database.ts'
import { SqliteDatabase } from '../../src/database/sqlite.ts'
import { allMethods, type Binding, createBinding } from '../../src/location/binding.ts'
import type { Location } from '../../src/location/location.ts'
import { LocationDatabase } from '../../src/location/location-database.ts'
import { LocationRows, pathOf, type RowSettings } from '../../src/location/location-rows.ts'
import { type DatabaseMode, Locations } from '../../src/location/locations.ts'
import { memoryStore } from '../../src/store/memory.ts'
import { privateRegions } from '../../src/store/region.ts'
import { type SimulatedClock, simulatedClock } from '../../src/testing/clock.ts'
import { collectingLog } from '../../src/testing/log.ts'
import { seededRandom } from '../../src/testing/random.ts'
import type { SocketTable } from '../../src/transport/socket.ts'

/** Location tables in a database of Kamailio's schema: usrloc's db_mode 1 to 4. */
const schema = readFileSync(new URL('./location-table.sql', import.meta.url), 'utf8')

const settings: RowSettings = {
  table: 'location',
  columns: {},
  useDomain: false,
  serverId: 7,
  filterServerId: false,
  timesAreSeconds: false,
  natBranchFlags: 0,
}

let clock: SimulatedClock
let log: ReturnType<typeof collectingLog>
let sqlite: SqliteDatabase
/** The database fails while this says so. */
let fault: string | null

beforeEach(() => {
  clock = simulatedClock()
  log = collectingLog()
  sqlite = new SqliteDatabase(':memory:')
  for (const statement of schema.split(';')) if (statement.trim() !== '') sqlite.executeSync(statement)
  fault = null
})

function faulty(): Database {
  const refuse = () => {
    if (fault !== null) throw new DatabaseError(fault)
  }
  return {
    query: (sql, parameters) => sqlite.query(sql, parameters),
    execute: (sql, parameters) => sqlite.execute(sql, parameters),
    querySync(sql, parameters) {
      refuse()
      return sqlite.querySync(sql, parameters)
    },
    async commit(batch: Batch) {
      refuse()
      await sqlite.commit(batch)
    },
    close: () => sqlite.close(),
  }
}

function locationsIn(mode: DatabaseMode, rows: Partial<RowSettings> = {}): Locations {
  const database = faulty()
  const open = (table: string) =>
    new LocationDatabase({
      database,
      rows: { ...settings, ...rows, table },
      clock,
      log,
      checkVersion: true,
      fetchRows: 3,
    })
  return new Locations(
    {
      clock,
      log,
      random: seededRandom(1),
      sockets: { find: () => null } as unknown as SocketTable,
      openTable: memoryStore().open,
      openRegion: privateRegions(),
    },
    { isDurable: true, kind: '', database: { mode, open } },
  )
}

function bound(all: Locations, aor: string, more: Partial<Binding> = {}): Binding {
  const now = clock.now()
  return createBinding({
    aor,
    ruid: all.newRuid(aor),
    contact: `sip:${aor}@192.0.2.1`,
    callId: 'c',
    cseq: 1,
    by: aor,
    expiresAt: now + 60_000,
    modifiedAt: now,
    ...more,
  })
}

const rowsNow = () => sqlite.querySync('SELECT username, contact, cseq, server_id FROM location ORDER BY id')
const namesOf = (location: Location, aor: string) => location.of(aor).map(({ contact }) => contact)

/** What commits on its way has come back. */
async function settled(location: Location): Promise<void> {
  await location.flushed()
}

describe.each<DatabaseMode>([1, 2, 3])('db_mode %i', (mode) => {
  let all: Locations
  let location: Location
  beforeEach(() => {
    all = locationsIn(mode)
    location = all.open('location')
  })

  test('what was bound, refreshed and removed is in the database, and comes back from it', async () => {
    const alice = bound(all, 'alice', {
      q: 500,
      path: ['<sip:a;lr>', '<sip:b;lr>'],
      socket: 'udp:192.0.2.9:5060',
    })
    const bob = bound(all, 'bob')
    const carol = bound(all, 'carol', {
      expiresAt: Number.POSITIVE_INFINITY,
      methods: 5,
      flags: 3,
      branchFlags: 64,
    })
    for (const after of [alice, bob, carol]) await location.apply([{ before: null, after }])
    const again = { ...alice, cseq: 2, expiresAt: alice.expiresAt + 1_000 }
    await location.apply([{ before: alice, after: again }])
    await location.apply([{ before: bob, after: null }])
    await settled(location)
    expect(rowsNow()).toEqual([
      { username: 'alice', contact: 'sip:alice@192.0.2.1', cseq: 2, server_id: 7 },
      { username: 'carol', contact: 'sip:carol@192.0.2.1', cseq: 1, server_id: 7 },
    ])

    const next = locationsIn(4)
    const restored = next.open('location')
    expect(await next.load('location')).toEqual({ count: 2, isFull: false })
    const inMilliseconds = (binding: Binding) => ({
      ...binding,
      trust: 'script',
      modifiedAt: Math.round(binding.modifiedAt),
      expiresAt: Number.isFinite(binding.expiresAt) ? Math.round(binding.expiresAt) : binding.expiresAt,
    })
    expect(restored.of('alice').map(inMilliseconds)).toEqual([inMilliseconds(again)])
    expect(restored.of('carol').map(inMilliseconds)).toEqual([inMilliseconds(carol)])
    expect(restored.of('bob')).toEqual([])
    expect(restored.byRuid(alice.ruid)?.aor).toBe('alice')
  })

  test('what the script keeps in memory only is in no row', async () => {
    await location.apply([{ before: null, after: bound(all, 'alice', { isDurable: false }) }])
    await settled(location)
    expect(namesOf(location, 'alice')).toEqual(['sip:alice@192.0.2.1'])
    expect(rowsNow()).toEqual([])
  })

  test('what expires goes from the database too, and is told once', async () => {
    const heard: string[] = []
    location.onChange((cause, { aor }) => heard.push(`${cause} ${aor}`))
    await location.apply([{ before: null, after: bound(all, 'alice') }])
    await location.apply([{ before: null, after: bound(all, 'bob', { expiresAt: clock.now() + 600_000 }) }])
    await settled(location)
    await clock.advance(62_000)
    location.expire()
    await settled(location)
    location.expire()
    expect(heard).toEqual(['added alice', 'added bob', 'expired alice'])
    expect(rowsNow().map(({ username }) => username)).toEqual(['bob'])
  })

  test('pages give each binding once, those of one address-of-record together', async () => {
    for (const aor of ['a', 'b', 'c', 'a', 'd', 'b', 'e']) {
      const after = bound(all, aor, { contact: `sip:${aor}@192.0.2.${all.newRuid('x').length}` })
      await location.apply([{ before: null, after }])
    }
    await settled(location)
    const met: string[] = []
    for (let page = location.tablePage(null); ; page = location.tablePage(page.next)) {
      met.push(...page.bindings.map(({ aor }) => aor))
      if (page.next === null) break
    }
    expect(met.toSorted()).toEqual(['a', 'a', 'b', 'b', 'c', 'd', 'e'])
    for (const aor of ['a', 'b']) expect(met.lastIndexOf(aor) - met.indexOf(aor)).toBe(1)
  })
})

describe('a database that fails', () => {
  test.each<DatabaseMode>([1, 3])('db_mode %i: the change is undone, and logged once', async (mode) => {
    const all = locationsIn(mode)
    const location = all.open('location')
    const first = bound(all, 'alice')
    await location.apply([{ before: null, after: first }])
    const known = location.of('alice')
    let made: Promise<void> | null = null
    // In mode 3 the table is asked first: it fails between question and answer.
    made = location.apply([{ before: known[0] ?? null, after: { ...first, cseq: 2 } }])
    fault = 'disk I/O error'
    await expect(made).rejects.toThrow('disk I/O error')
    await expect(async () => {
      await location.apply([{ before: null, after: bound(all, 'bob') }])
    }).rejects.toThrow('disk I/O error')
    fault = null
    expect(location.of('alice').map(({ cseq }) => cseq)).toEqual([1])
    expect(location.of('bob')).toEqual([])
    expect(location.bindingCount).toBe(1)
    // Nobody asks it for a second; then it is found to be back.
    await clock.advance(1_100)
    await location.apply([{ before: null, after: bound(all, 'bob') }])
    expect(rowsNow().map(({ username }) => username)).toEqual(['alice', 'bob'])
    expect(
      log.messages().filter((message) => message === 'the database takes no registrations'),
    ).toHaveLength(1)
    expect(log.messages()).toContain('the database takes registrations again')
  })

  test('db_mode 1: of two changes under way, the second of which is refused, the first stays', async () => {
    const all = locationsIn(1)
    const location = all.open('location')
    const first = bound(all, 'alice')
    const one = location.apply([{ before: null, after: first }])
    await new Promise((next) => setImmediate(next))
    const two = location.apply([{ before: first, after: { ...first, cseq: 2 } }])
    fault = 'full'
    await one
    await expect(two).rejects.toThrow('full')
    expect(location.of('alice').map(({ cseq }) => cseq)).toEqual([1])
  })

  test('db_mode 2: bindings stay, and are written when it is back', async () => {
    const all = locationsIn(2)
    const location = all.open('location')
    const alice = bound(all, 'alice')
    expect(location.apply([{ before: null, after: alice }])).toBe(null)
    expect(location.apply([{ before: null, after: bound(all, 'bob') }])).toBe(null)
    expect(rowsNow()).toEqual([])
    fault = 'locked'
    expect(await all.writeBack()).toBe(false)
    await expect(location.flushed()).rejects.toThrow()
    await location.apply([{ before: alice, after: null }])
    fault = null
    await clock.advance(1_100)
    expect(await all.writeBack()).toBe(true)
    expect(rowsNow().map(({ username }) => username)).toEqual(['bob'])
  })

  test('db_mode 2: more bindings of one address-of-record go than are remembered', async () => {
    const all = locationsIn(2)
    const location = all.open('location')
    const many = Array.from({ length: 20 }, (_, n) => bound(all, 'alice', { contact: `sip:${n}@192.0.2.1` }))
    for (const after of many) await location.apply([{ before: null, after }])
    await location.flushed()
    for (const before of many.slice(0, 15)) await location.apply([{ before, after: null }])
    await location.flushed()
    expect(rowsNow().map(({ contact }) => contact)).toEqual(many.slice(15).map(({ contact }) => contact))
  })
})

describe('a table that another server wrote', () => {
  const kamailio = (more: Record<string, string | number | null>) => {
    const row = {
      ruid: `uloc-6b039d74-51fa-${rowsNow().length}`,
      username: 'alice',
      contact: 'sip:a@10.0.0.1',
      ...more,
    }
    const names = Object.keys(row)
    sqlite.executeSync(
      `INSERT INTO location (${names.join(', ')}) VALUES (${names.map(() => '?').join(', ')})`,
      Object.values(row),
    )
  }
  const later = () => (clock.wall() + 60_000) / 86_400_000 + 2_440_587.5

  test('is found by its names, and its rows are changed in place', async () => {
    kamailio({ expires: later(), q: -1, callid: 'c', cseq: 4 })
    const all = locationsIn(1)
    const location = all.open('location')
    await all.load('location')
    const found = location.byRuid('uloc-6b039d74-51fa-0')
    expect(found).toMatchObject({
      aor: 'alice',
      contact: 'sip:a@10.0.0.1',
      q: -1,
      cseq: 4,
      methods: allMethods,
    })
    await location.apply([
      { before: found ?? null, after: found === undefined ? null : { ...found, cseq: 5 } },
    ])
    expect(rowsNow()).toEqual([{ username: 'alice', contact: 'sip:a@10.0.0.1', cseq: 5, server_id: 7 }])
  })

  test('rows that have expired are not loaded; db_mode 1 and 2 remove them, 4 leaves them', async () => {
    kamailio({ expires: 2_440_588.5 })
    kamailio({ expires: later() })
    for (const [mode, left] of [
      [4, 2],
      [1, 1],
    ] as const) {
      const all = locationsIn(mode)
      all.open('location')
      expect((await all.load('location')).count).toBe(1)
      await settled(all.open('location'))
      expect(rowsNow()).toHaveLength(left)
    }
  })

  test('server_id_filter 1: rows of other servers are not ours', async () => {
    kamailio({ expires: later(), server_id: 7 })
    kamailio({ expires: later(), server_id: 8, username: 'bob' })
    const all = locationsIn(4, { filterServerId: true })
    const location = all.open('location')
    expect((await all.load('location')).count).toBe(1)
    expect(namesOf(location, 'bob')).toEqual([])
  })

  test('use_domain: name and domain are two columns', async () => {
    const all = locationsIn(1, { useDomain: true })
    const location = all.open('location')
    await location.apply([{ before: null, after: bound(all, 'alice@a.example') }])
    await location.apply([{ before: null, after: bound(all, 'alice@b.example') }])
    expect(sqlite.querySync('SELECT username, domain FROM location ORDER BY id')).toEqual([
      { username: 'alice', domain: 'a.example' },
      { username: 'alice', domain: 'b.example' },
    ])
    const next = locationsIn(3, { useDomain: true }).open('location')
    expect(next.of('alice@b.example').map(({ aor }) => aor)).toEqual(['alice@b.example'])
  })

  test('another version, or no such table, is said before anything is served', () => {
    expect(() => locationsIn(2).open('elsewhere')).toThrow('no table elsewhere is noted')
    sqlite.executeSync('UPDATE version SET table_version = 8')
    expect(() => locationsIn(2).open('location')).toThrow('has version 8, and 9 is needed')
  })

  test('db_mode 4 writes nothing', async () => {
    const all = locationsIn(4)
    const location = all.open('location')
    await location.apply([{ before: null, after: bound(all, 'alice') }])
    await settled(location)
    expect(rowsNow()).toEqual([])
  })
})

describe('rows', () => {
  const octets = fc.string({
    unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)),
  })

  test('law: what is written to a row is read from it, whatever octets are in it', async () => {
    const rows = new LocationRows(settings)
    const texts = fc.record({ aor: octets, ruid: octets, contact: octets, callId: octets, instance: octets })
    await fc.assert(
      fc.asyncProperty(texts, fc.integer({ min: -1, max: 1000 }), async (given, q) => {
        const binding = createBinding({ ...given, q, by: given.aor, expiresAt: 5_000, modifiedAt: 1_000 })
        sqlite.executeSync('DELETE FROM location')
        await sqlite.commit({ sql: rows.sql, calls: [rows.put(binding, 1_000_000)] })
        const [row] = sqlite.querySync(rows.selectAor, [given.aor])
        expect(row === undefined ? null : rows.binding(row, 1_000_000)).toEqual(binding)
      }),
      { numRuns: 100 },
    )
  })

  test('names are names, and nothing else becomes part of a statement', () => {
    expect(() => new LocationRows({ ...settings, table: 'a; DROP TABLE b' })).toThrow('is no name of a table')
    expect(() => new LocationRows({ ...settings, columns: { q: 'q"' } })).toThrow('is no name of a table')
  })

  test.each([
    ['<sip:a;lr>, <sip:b;lr>', ['<sip:a;lr>', '<sip:b;lr>']],
    ['"x, y" <sip:a,b;lr>,<sip:c>', ['"x, y" <sip:a,b;lr>', '<sip:c>']],
    ['', []],
  ])('path %j', (text, hops) => {
    expect(pathOf(text)).toEqual(hops)
  })
})
