import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { createOpenDatabase } from '../src/database/index.ts'
import { SqliteDatabase } from '../src/database/sqlite.ts'
import { type Binding, createBinding } from '../src/location/binding.ts'
import type { Location } from '../src/location/location.ts'
import { LocationDatabase } from '../src/location/location-database.ts'
import { locationSchema } from '../src/location/location-schema.ts'
import { type DatabaseMode, Locations } from '../src/location/locations.ts'
import { systemClock } from '../src/runtime/clock.ts'
import { silentLog } from '../src/runtime/log.ts'
import { systemRandom } from '../src/runtime/random.ts'
import { memoryStore } from '../src/store/memory.ts'
import { openStore } from '../src/store/open-store.ts'
import { privateRegions } from '../src/store/region.ts'
import type { SocketTable } from '../src/transport/socket.ts'
import { workFolder } from './generator.ts'

/**
 * What a location table costs where it is kept: `node bench/location-stores.ts 1000,100000 memory,lmdb,1,2,3`, the
 * numbers being usrloc's db_mode on sqlite. Microseconds of CPU of the whole process, threads that write included: a new
 * binding and a refresh through apply(), 128 at a time, a lookup through of(), users all over; the end of a binding, all
 * of a second at once.
 */
type Kind = 'memory' | 'lmdb' | DatabaseMode

const clock = systemClock()
const [sizes = '1000,100000', kinds = 'memory,lmdb,1,2,3'] = process.argv.slice(2)
const samples = 20_000
const together = 128

for (const size of sizes.split(',').map(Number)) {
  for (const word of kinds.split(',')) await measure(kindOf(word), size)
}

async function measure(kind: Kind, size: number): Promise<void> {
  const folder = join(workFolder, `location-${process.pid}`)
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  const { locations, location, close } = await opened(kind, folder)
  const random = randomOf(7)
  try {
    let next = 0
    const fresh = await costOf(size, () => applied(location, null, bindingOf(locations, next++)))
    await all(location, locations)
    let cseq = 1
    const count = Math.min(samples, Math.max(size, 2_000))
    const refresh = await costOf(count, () => {
      const before = location.of(userOf(Math.floor(random() * size)))[0] ?? null
      return applied(location, before, before && { ...before, cseq: ++cseq, modifiedAt: clock.now() })
    })
    const written = await cost(() => all(location, locations))
    const lookup = await costOf(count, () => void location.of(userOf(Math.floor(random() * size))))
    const dying = Math.min(5_000, size)
    for (let i = 0; i < dying; i++) {
      const before = location.of(userOf(i))[0] ?? null
      const ready = location.apply([{ before, after: before && { ...before, expiresAt: clock.now() + 1 } }])
      if (i % together === 0) await ready
      else ready?.catch(() => {})
    }
    await all(location, locations)
    await new Promise((later) => setTimeout(later, 2_100))
    const expiry = await cost(async () => {
      while (location.expireSome().count > 0) await new Promise((turn) => setImmediate(turn))
      await all(location, locations)
    })
    const shown = [fresh, refresh, lookup, expiry / dying]
      .map((value) => value.toFixed(1).padStart(8))
      .join(' ')
    process.stdout.write(
      `${String(size).padStart(8)} ${String(kind).padEnd(7)} new, refresh, lookup, expiry: ${shown} us` +
        `${kind === 2 ? `; written back: ${(written / count).toFixed(1)} us more each` : ''}\n`,
    )
  } finally {
    await close()
    rmSync(folder, { recursive: true, force: true })
  }
}

function kindOf(word: string): Kind {
  return word === 'memory' || word === 'lmdb' ? word : (Number(word) as DatabaseMode)
}

async function all(location: Location, locations: Locations): Promise<void> {
  await locations.writeBack()
  await location.flushed()
}

function applied(location: Location, before: Binding | null, after: Binding | null): Promise<void> | null {
  return location.apply([{ before, after }])
}

function bindingOf(locations: Locations, index: number): Binding {
  const aor = userOf(index)
  const now = clock.now()
  return createBinding({
    aor,
    ruid: locations.newRuid(aor),
    contact: `sip:${aor}@192.0.2.1:5060`,
    callId: `c${index.toString(16).padStart(8, '0')}@127.0.0.1`,
    cseq: 1,
    by: aor,
    userAgent: 'bench',
    socket: 'udp:192.0.2.9:5060',
    expiresAt: now + 3_600_000,
    modifiedAt: now,
  })
}

function userOf(index: number): string {
  return `u${String(index).padStart(7, '0')}`
}

/** Microseconds of each of so many. */
async function costOf(count: number, work: () => Promise<void> | null | undefined | void): Promise<number> {
  const total = await cost(async () => {
    for (let done = 0; done < count; done += together) {
      const ready: (Promise<void> | null | undefined | void)[] = []
      for (let i = 0; i < together && done + i < count; i++) ready.push(work())
      await Promise.all(ready)
    }
  })
  return total / count
}

async function cost(work: () => Promise<void>): Promise<number> {
  const before = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(before)
  return user + system
}

async function opened(kind: Kind, folder: string) {
  const host = {
    clock,
    log: silentLog,
    random: systemRandom(),
    sockets: { find: () => null } as unknown as SocketTable,
    openRegion: privateRegions(),
  }
  if (kind === 'memory' || kind === 'lmdb') {
    const store =
      kind === 'memory' ? memoryStore() : await openStore({ directory: folder, log: silentLog, clock })
    const locations = new Locations(
      { ...host, openTable: store.open },
      { isDurable: kind === 'lmdb', kind: '' },
    )
    return { locations, location: locations.open('location'), close: () => store.close() }
  }
  const path = join(folder, 'location.sqlite')
  const made = new SqliteDatabase(path)
  for (const statement of locationSchema('location')) made.executeSync(statement)
  await made.close()
  const database = createOpenDatabase((name) => name, silentLog)(`sqlite:///${path}`)
  const rows = { columns: {}, useDomain: false, serverId: 0, filterServerId: false, timesAreSeconds: false }
  const open = (table: string) =>
    new LocationDatabase({
      database,
      rows: { ...rows, table, natBranchFlags: 0 },
      clock,
      log: silentLog,
      checkVersion: true,
      fetchRows: 2_000,
    })
  const locations = new Locations(
    { ...host, openTable: memoryStore().open },
    { isDurable: true, kind: '', database: { mode: kind, open } },
  )
  return { locations, location: locations.open('location'), close: () => database.close() }
}

function randomOf(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 4_294_967_296
  }
}
