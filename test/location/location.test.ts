import fc from 'fast-check'
import { beforeEach, describe, expect, test } from 'vitest'
import { type Binding, createBinding } from '../../src/location/binding.ts'
import type { Page } from '../../src/location/binding-table.ts'
import type { ChangeCause } from '../../src/location/change-listeners.ts'
import type { Location } from '../../src/location/location.ts'
import { Locations } from '../../src/location/locations.ts'
import type { StoredBinding } from '../../src/location/stored.ts'
import { silentLog } from '../../src/runtime/log.ts'
import { privateRegions } from '../../src/store/region.ts'
import { type SimulatedClock, simulatedClock } from '../../src/testing/clock.ts'
import { seededRandom } from '../../src/testing/random.ts'
import type { ListenSocket, SocketTable } from '../../src/transport/socket.ts'
import { Store } from './refusing-store.ts'

const socket = { index: 0, label: 'udp:192.0.2.1:5060' } as ListenSocket
const sockets = { find: (label: string) => (label === socket.label ? socket : null) } as SocketTable

let clock: SimulatedClock
let store: Store
let seed = 1
beforeEach(() => {
  clock = simulatedClock()
  store = new Store()
})

function open(
  isDurable: boolean,
  more: { bindingsMax?: number } = {},
): { locations: Locations; location: Location } {
  const random = seededRandom(seed++)
  const host = { clock, log: silentLog, random, sockets, openTable: store.open, openRegion: privateRegions() }
  const locations = new Locations(host, { isDurable, kind: '', ...more })
  const location = locations.open('location')
  location.restore()
  return { locations, location }
}

let locations: Locations
let location: Location

function binding(name: string, seconds = 60, aor = 'a'): Binding {
  return createBinding({
    aor,
    ruid: locations.newRuid(aor),
    contact: `sip:${name}@192.0.2.9`,
    expiresAt: clock.now() + seconds * 1000,
  })
}

const namesOf = (bindings: readonly Binding[]) =>
  bindings.map(({ contact }) => contact.slice(4, contact.indexOf('@')))

function everything(of: Location): Binding[] {
  const all = [...of.held()]
  for (let page: Page = of.tablePage(null); ; page = of.tablePage(page.next)) {
    all.push(...page.bindings)
    if (page.next === null) return all
  }
}

describe.each([
  ['in memory', false],
  ['in the store', true],
])('bindings %s', (_name, isDurable) => {
  beforeEach(() => {
    ;({ locations, location } = open(isDurable))
  })

  test('a change is visible at once, and told to listeners', async () => {
    const told: ChangeCause[] = []
    const stop = location.onChange((cause) => told.push(cause))
    const one = binding('1')
    await location.apply([{ before: null, after: one }])
    const other = { ...one, q: 500 }
    const refreshed = location.apply([{ before: one, after: other }])
    expect(location.of('a')).toEqual([other])
    expect(location.byRuid(one.ruid)).toEqual(other)
    await refreshed
    expect(location.of('a')).toEqual([other])
    await location.apply([{ before: other, after: null }])
    expect([location.of('a'), location.bindingCount, location.aorCount]).toEqual([[], 0, 0])
    expect(location.byRuid(one.ruid)).toBeUndefined()
    expect(told).toEqual(['added', 'updated', 'removed'])
    stop()
    await location.apply([{ before: null, after: one }])
    expect(told).toHaveLength(3)
  })

  test('in memory there is nothing to wait for, and in the store there is', () => {
    const promise = location.apply([{ before: null, after: binding('1') }])
    expect(promise === null).toBe(!isDurable)
  })

  test('those of one address-of-record stay in the order in which they came', async () => {
    const bindings = Array.from({ length: 12 }, (_, i) => binding(String(i)))
    await location.apply(bindings.map((after) => ({ before: null, after })))
    const [, second] = bindings
    if (second !== undefined) await location.apply([{ before: second, after: { ...second, q: 1 } }])
    expect(namesOf(location.of('a'))).toEqual(bindings.map((_, i) => String(i)))
  })

  test('what a list has is found again, whatever was done to it', async () => {
    const names = fc.constantFrom('a', 'b', 'c', '\u00e9', 'nul\u0000', '')
    const commands = fc.array(
      fc.record({
        aor: names,
        what: fc.constantFrom('add', 'refresh', 'remove'),
        index: fc.nat(3),
        seconds: fc.integer({ min: 1, max: 5_000 }),
        pass: fc.constantFrom(0, 0, 0, 1, 30, 4_100),
      }),
      { maxLength: 60 },
    )
    await fc.assert(
      fc.asyncProperty(commands, async (steps) => {
        clock = simulatedClock()
        store = new Store()
        ;({ locations, location } = open(isDurable))
        const model = new Map<string, Binding[]>()
        let expired = 0
        location.onChange((cause) => {
          if (cause === 'expired') expired++
        })
        for (const { aor, what, index, seconds, pass } of steps) {
          const list = model.get(aor) ?? []
          const before = list[index]
          const expiresAt = clock.now() + seconds * 1000
          if (what === 'add') {
            const after = binding('x', seconds, aor)
            void location.apply([{ before: null, after }])
            model.set(aor, [...list, after])
          } else if (before !== undefined) {
            const after = what === 'remove' ? null : { ...before, expiresAt, cseq: before.cseq + 1 }
            const ready = location.apply([{ before, after }])
            if (pass > 0) await ready
            model.set(aor, after === null ? list.toSpliced(index, 1) : list.with(index, after))
          }
          clock.advanceSync(pass * 1000)
          let due = 0
          for (const [name, all] of model) {
            const alive = all.filter((one) => one.expiresAt > clock.now())
            due += all.length - alive.length
            expect(location.of(name)).toEqual(alive)
            model.set(name, alive)
          }
          expired = 0
          expect(location.expire()).toBe(due)
          expect(expired).toBe(due)
        }
        const all = [...model.values()].flat()
        const users = [...model.values()].filter((list) => list.length > 0)
        expect([location.bindingCount, location.aorCount]).toEqual([all.length, users.length])
        const byName = (list: readonly Binding[]) => list.toSorted((a, b) => (a.ruid < b.ruid ? -1 : 1))
        expect(byName(everything(location))).toEqual(byName(all))
        for (const one of all) expect(location.byRuid(one.ruid)).toEqual(one)
        if (!isDurable) return
        await location.flushed()
        // Nothing is left behind, and one entry says when each binding is due.
        expect(store.sizes()).toMatchObject({ 'location.bindings': all.length, 'location.due': all.length })
        const after = open(true).location
        for (const [name, list] of model) expect(after.of(name)).toEqual(list)
      }),
      { numRuns: 60 },
    )
  })

  test('an expired binding is invisible before it is removed', async () => {
    await location.apply([
      { before: null, after: binding('1', 60) },
      { before: null, after: binding('2', 120) },
    ])
    await clock.advance(60_000)
    expect(namesOf(location.of('a'))).toEqual(['2'])
    expect(location.bindingCount).toBe(2)
    expect(location.expire()).toBe(1)
    expect(location.bindingCount).toBe(1)
  })

  test('a great many that expire in one moment go in handfuls', async () => {
    const changes = Array.from({ length: 1_200 }, (_, i) => ({
      before: null,
      after: binding('x', 60, `user${i}`),
    }))
    await location.apply(changes)
    await clock.advance(61_000)
    const first = location.expireSome()
    expect([first.count, first.isMore, location.bindingCount]).toEqual([500, true, 700])
    expect(location.expire()).toBe(700)
    expect(location.aorCount).toBe(0)
  })

  test('no more bindings than limits allow', async () => {
    const small = open(isDurable, { bindingsMax: 2 }).location
    await small.apply([{ before: null, after: binding('1') }])
    expect([small.hasRoomFor(1), small.hasRoomFor(2)]).toEqual([true, false])
  })

  test('pages show all of many, each once', async () => {
    const changes = Array.from({ length: 2_000 }, (_, i) => ({
      before: null,
      after: binding(String(i), 60, `user${i >> 1}`),
    }))
    await location.apply(changes)
    const pages: Page[] = []
    for (let mark: Page['next'] = null; ; ) {
      const page = location.tablePage(mark)
      pages.push(page)
      if (page.next === null) break
      mark = page.next
    }
    expect(pages.length).toBeGreaterThan(2)
    const shown = pages.flatMap(({ bindings }) => bindings)
    expect(new Set(shown.map(({ ruid }) => ruid)).size).toBe(2_000)
    // Those of one address-of-record are neighbours, as they came.
    for (let i = 0; i < shown.length; i += 2) {
      expect(shown[i + 1]?.aor).toBe(shown[i]?.aor)
      expect(Number(namesOf(shown.slice(i + 1, i + 2))[0])).toBe(
        Number(namesOf(shown.slice(i, i + 1))[0]) + 1,
      )
    }
  })

  test('flows go with their last binding, and such bindings stay the objects that they are', async () => {
    const { flows } = location
    const state = flows.open({ socket, address: '198.51.100.1', port: 9 }, 0, 60_000)
    const one = { ...binding('1'), flow: state }
    const two = { ...binding('2', 60, 'b'), flow: state }
    await location.apply([
      { before: null, after: one },
      { before: null, after: two },
    ])
    expect(location.of('a')[0]).toBe(one)
    expect(location.byRuid(one.ruid)).toBe(one)
    const renewed = { ...one, q: 1 }
    await location.apply([{ before: one, after: renewed }])
    expect([flows.count, state.bindings.size]).toEqual([1, 2])
    await location.apply([{ before: renewed, after: null }])
    expect(flows.count).toBe(1)
    await clock.advance(60_000)
    expect(location.expire()).toBe(1)
    expect(flows.count).toBe(0)
  })

  test('an address-of-record with bindings of both kinds is one', async () => {
    const state = location.flows.open({ socket, address: '198.51.100.1', port: 9 }, 0, 60_000)
    const learned = { ...binding('1'), flow: state }
    const registered = binding('2')
    const counts = () => [location.bindingCount, location.aorCount]
    await location.apply([{ before: null, after: learned }])
    expect(counts()).toEqual([1, 1])
    await location.apply([{ before: null, after: registered }])
    expect([counts(), namesOf(location.of('a'))]).toEqual([
      [2, 1],
      ['2', '1'],
    ])
    await location.apply([{ before: registered, after: null }])
    expect(counts()).toEqual([1, 1])
    // Registered anew without its flow: the same binding, no longer held.
    await location.apply([{ before: learned, after: { ...learned, flow: null } }])
    expect([counts(), location.flows.count, [...location.held()]]).toEqual([[1, 1], 0, []])
    await location.apply([{ before: location.of('a')[0] ?? null, after: null }])
    expect(counts()).toEqual([0, 0])
  })
})

describe('a store that refuses', () => {
  beforeEach(() => {
    ;({ locations, location } = open(true))
  })

  test('a new binding is gone again, a change is undone, a removal too; listeners hear of it', async () => {
    const [kept, other] = [binding('kept'), binding('other', 60, 'b')]
    await location.apply([
      { before: null, after: kept },
      { before: null, after: other },
    ])
    const told: string[] = []
    location.onChange((cause, { contact }) => told.push(`${cause} ${contact.slice(4, contact.indexOf('@'))}`))
    store.refusing = true
    const changes = [
      location.apply([{ before: null, after: binding('new') }]),
      location.apply([{ before: kept, after: { ...kept, q: 1 } }]),
      location.apply([{ before: other, after: null }]),
    ]
    expect([namesOf(location.of('a')), location.of('b')]).toEqual([['kept', 'new'], []])
    for (const change of changes) await expect(change).rejects.toThrow('ENOSPC')
    expect([location.of('a'), location.of('b')]).toEqual([[kept], [other]])
    expect([location.bindingCount, location.aorCount]).toEqual([2, 2])
    expect(told.slice(3).sort()).toEqual(['undone kept', 'undone new', 'undone other'])
    store.refusing = false
    await location.apply([{ before: kept, after: { ...kept, q: 2 } }])
    expect(location.of('a')[0]?.q).toBe(2)
  })

  test('what somebody changed meanwhile is not undone', async () => {
    const one = binding('1')
    store.refusing = true
    const refused = location.apply([{ before: null, after: one }])
    store.refusing = false
    const newer = { ...one, q: 100 }
    const told: ChangeCause[] = []
    location.onChange((cause) => told.push(cause))
    await location.apply([{ before: one, after: newer }])
    await expect(refused).rejects.toThrow('ENOSPC')
    expect(location.of('a')).toEqual([newer])
    expect(told).toEqual(['updated'])
    expect(open(true).location.of('a')).toEqual([newer])
  })

  test('of several changes of one request none is made, if one is refused', async () => {
    const [one, two] = [binding('1'), binding('2')]
    const records = store.open<unknown>('usrloc.location.bindings')
    const { put } = records
    let puts = 0
    records.put = (key, record) => {
      store.refusing = ++puts === 2
      const done = put(key, record)
      store.refusing = false
      return done
    }
    const refused = location.apply([
      { before: null, after: one },
      { before: null, after: two },
    ])
    await expect(refused).rejects.toThrow('ENOSPC')
    expect([location.of('a'), location.bindingCount]).toEqual([[], 0])
  })

  test('a binding that the store has taken is there, even if it could not be filed under its second yet', async () => {
    const due = store.open<unknown>('usrloc.location.due')
    const { put } = due
    due.put = (key, record) => {
      store.refusing = true
      const done = put(key, record)
      store.refusing = false
      return done
    }
    await location.apply([{ before: null, after: binding('1', 60) }])
    due.put = put
    expect(namesOf(location.of('a'))).toEqual(['1'])
    expect(store.sizes()).toMatchObject({ 'location.due': 0, 'location.bindings': 1 })
    await clock.advance(1_000)
    location.expire()
    await clock.advance(60_000)
    location.expire()
    await clock.settle()
    expect(store.sizes()).toMatchObject({ 'location.due': 0, 'location.bindings': 0 })
  })

  test('what hangs on a flow stays in memory if nobody was told', async () => {
    store.refusing = true
    const state = location.flows.open({ socket, address: '198.51.100.1', port: 9 }, 0, 60_000)
    const learned = { ...binding('1'), flow: state }
    location.applyUnwatched([{ before: null, after: learned }])
    await clock.settle()
    expect(location.of('a')).toEqual([learned])
  })

  test('an expired binding that cannot be removed is told of once', async () => {
    await location.apply([{ before: null, after: binding('1', 10) }])
    let expired = 0
    location.onChange((cause) => void (expired += Number(cause === 'expired')))
    store.refusing = true
    for (let i = 0; i < 5; i++) {
      await clock.advance(10_000)
      location.expire()
    }
    expect([expired, location.of('a')]).toEqual([1, []])
  })
})

describe('durability memory: nobody waits for the store', () => {
  test('what is bound is there at once, and in the store soon', async () => {
    ;({ locations, location } = open(true))
    const waited = location.apply([{ before: null, after: binding('1', 600) }])
    expect(waited).toBeInstanceOf(Promise)
    await waited
    locations.answersFirst = true
    expect(location.apply([{ before: null, after: binding('2', 600) }])).toBeNull()
    expect(location.of('a')).toHaveLength(2)
    await clock.settle()
    expect(store.sizes()).toMatchObject({ 'location.bindings': 2 })
  })

  test('a store that refuses already is waited for: nobody is told what is not true', async () => {
    ;({ locations, location } = open(true))
    locations.answersFirst = true
    store.refusing = true
    await expect(location.apply([{ before: null, after: binding('1', 600) }])).rejects.toThrow('ENOSPC')
    expect(location.of('a')).toEqual([])
  })
})

describe('after a restart', () => {
  /** Another process, so many milliseconds later by the wall clock. */
  const restart = (milliseconds: number) => {
    clock = simulatedClock(clock.wall() + milliseconds)
    ;({ locations, location } = open(true))
  }
  beforeEach(() => {
    ;({ locations, location } = open(true))
  })

  test('what has not expired is there, with everything in it, and nothing was read before', async () => {
    const whole = createBinding({
      ...binding('1', 600),
      path: ['<sip:p;lr>'],
      q: 300,
      callId: 'c',
      cseq: 7,
      instance: '<urn:x>',
      regId: 2,
      branchFlags: 64,
      userAgent: 'telephone',
      socket: socket.label,
    })
    await location.apply([
      { before: null, after: whole },
      { before: null, after: binding('2', 20) },
      { before: null, after: { ...binding('3', 600), isDurable: false } },
    ])
    locations.note()
    restart(30_000)
    expect([location.bindingCount, location.aorCount]).toEqual([2, 1])
    expect(location.of('a')).toEqual([{ ...whole, expiresAt: 570_000, modifiedAt: -30_000 }])
    expect(location.byRuid(whole.ruid)).toEqual(location.of('a')[0])
    const told: [string, string][] = []
    location.onChange((cause, one) => told.push([cause, one.contact]))
    expect(location.expire()).toBe(1)
    expect(told).toEqual([['expired', 'sip:2@192.0.2.9']])
    expect(store.sizes()).toMatchObject({ 'location.bindings': 1, 'location.due': 1 })
  })

  test('a flow comes back unproven; without its socket it is of no use', async () => {
    const { flows } = location
    const gone = { index: 1, label: 'udp:192.0.2.1:5070' } as ListenSocket
    const state = flows.open({ socket, address: '198.51.100.1', port: 9 }, clock.now(), 60_000)
    const lost = flows.open({ socket: gone, address: '198.51.100.1', port: 9 }, clock.now(), 60_000)
    state.proven = true
    state.bytesIn = 400
    const learned = createBinding({ ...binding('1', 600), origin: 'learned', flow: state })
    await location.apply([
      { before: null, after: learned },
      { before: null, after: { ...binding('2', 600, 'b'), origin: 'learned', flow: lost } },
    ])
    restart(30_000)
    expect(location.bindingCount).toBe(1)
    const [back] = location.of('a')
    expect(back).toMatchObject({
      ...learned,
      expiresAt: 570_000,
      modifiedAt: -30_000,
      flow: expect.anything(),
    })
    expect(back?.flow).toMatchObject({ proven: false, bytesIn: 400, reachableUntil: 30_000 })
    expect(location.of('b')).toEqual([])
  })

  test('a date that was wrong and is corrected while we run shortens and prolongs no lifetime', async () => {
    await location.apply([{ before: null, after: binding('early', 600) }])
    clock.shiftWall(50 * 365 * 86_400_000)
    locations.note()
    await location.apply([{ before: null, after: binding('late', 600, 'b') }])
    await clock.advance(60_000)
    restart(30_000)
    expect([location.of('a'), location.of('b')].map(([one]) => one?.expiresAt)).toEqual([510_000, 510_000])
    clock.shiftWall(-86_400_000)
    expect(location.of('a')).toHaveLength(1)
    await clock.advance(511_000)
    expect(location.expire()).toBe(2)
  })

  test('a store of the time before bindings were packed loses nothing', async () => {
    const former = store.open<StoredBinding>('usrloc.location')
    const wall = clock.wall()
    const old = (aor: string, contact: string, expires: number): StoredBinding => ({
      ...createBinding({ aor, ruid: '', contact, callId: 'c', cseq: 3, userAgent: 'old' }),
      expires,
      modified: wall - 1_000,
      flow: null,
    })
    for (let i = 0; i < 1_500; i++) {
      await former.put(`uloc-aa-${i.toString(16)}`, old(`user${i >> 1}`, `sip:${i}@192.0.2.9`, wall + 60_000))
    }
    await former.put('uloc-aa-gone', old('gone', 'sip:gone@192.0.2.9', wall - 1))
    await former.put('uloc-aa-static', old('static', 'sip:static@192.0.2.9', 0))
    restart(0)
    expect(await location.migrate((aor, ruid) => locations.ruidFor(aor, ruid))).toBe(1_501)
    expect([location.bindingCount, location.aorCount, former.count]).toEqual([1_501, 751, 0])
    restart(10_000)
    expect(await location.migrate((aor, ruid) => locations.ruidFor(aor, ruid))).toBe(0)
    for (const i of [0, 1, 777, 1_499]) {
      const found = location.of(`user${i >> 1}`).find(({ contact }) => contact === `sip:${i}@192.0.2.9`)
      expect(found).toMatchObject({ expiresAt: 50_000, cseq: 3, userAgent: 'old', callId: 'c' })
      expect(location.byRuid(found?.ruid ?? '')).toEqual(found)
    }
    expect(location.of('static')[0]?.expiresAt).toBe(Number.POSITIVE_INFINITY)
    await clock.advance(60_000)
    expect(location.expire()).toBe(1_500)
  })

  test('what a read-only store has from that time is held in memory', async () => {
    const former = store.open<StoredBinding>('usrloc.location')
    const { flow: _, ...rest } = binding('1', 60)
    await former.put('uloc-aa-1', {
      ...rest,
      expires: clock.wall() + 60_000,
      modified: clock.wall(),
      flow: null,
    })
    store.refusing = true
    restart(0)
    await location.migrate((aor, ruid) => locations.ruidFor(aor, ruid))
    expect(namesOf(location.of('a'))).toEqual(['1'])
    expect(location.bindingCount).toBe(1)
  })
})
