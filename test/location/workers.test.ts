import { beforeEach, describe, expect, test } from 'vitest'
import { type Binding, createBinding } from '../../src/location/binding.ts'
import type { Location } from '../../src/location/location.ts'
import { Locations } from '../../src/location/locations.ts'
import { silentLog } from '../../src/runtime/log.ts'
import { memoryStore } from '../../src/store/memory.ts'
import type { OpenRegion, Region } from '../../src/store/region.ts'
import type { Store } from '../../src/store/table.ts'
import { type SimulatedClock, simulatedClock } from '../../src/testing/clock.ts'
import { seededRandom } from '../../src/testing/random.ts'
import type { SocketTable } from '../../src/transport/socket.ts'

/**
 * Two workers of one router: each has a Locations of its own over the same regions and the same store. What one has
 * been told, the other knows.
 */
let clock: SimulatedClock
let store: Store
let openRegion: OpenRegion
/** Locks that are held: a section that is entered twice would stand still. */
let held: Set<string>

function sharedRegions(): OpenRegion {
  const regions = new Map<string, Region>()
  return (name, bytesMax) => {
    const existing = regions.get(name)
    if (existing !== undefined) return existing
    const buffer = new SharedArrayBuffer(0, { maxByteLength: bytesMax })
    const region: Region = {
      buffer,
      isShared: true,
      grow(byteLength) {
        if (byteLength > bytesMax) return false
        if (byteLength > buffer.byteLength) buffer.grow(byteLength)
        return true
      },
      lock() {
        if (held.has(name)) throw new Error(`${name} is locked twice`)
        held.add(name)
      },
      unlock: () => void held.delete(name),
    }
    regions.set(name, region)
    return region
  }
}

/** Its monotonic clock began at another moment than the first one's. */
function worker(isDurable: boolean, seed: number, startedLater = 0): { all: Locations; location: Location } {
  const own = { ...clock, now: () => clock.now() - startedLater, wall: () => clock.wall() }
  const all = new Locations(
    {
      clock: own,
      log: silentLog,
      random: seededRandom(seed),
      sockets: { find: () => null } as unknown as SocketTable,
      openTable: store.open,
      openRegion,
    },
    { isDurable, kind: '' },
  )
  return { all, location: all.open('location') }
}

beforeEach(() => {
  clock = simulatedClock()
  store = memoryStore()
  held = new Set()
  openRegion = sharedRegions()
})

describe.each([
  ['in memory', false],
  ['in the store', true],
])('bindings %s', (_name, isDurable) => {
  let a: ReturnType<typeof worker>
  let b: ReturnType<typeof worker>
  const binding = ({ all }: typeof a, contact: string, now: number): Binding =>
    createBinding({ aor: 'x', ruid: all.newRuid('x'), contact, expiresAt: now + 60_000, modifiedAt: now })
  const contacts = ({ location }: typeof a) => location.of('x').map(({ contact }) => contact)

  beforeEach(() => {
    clock.advanceSync(5_000)
    a = worker(isDurable, 1)
    b = worker(isDurable, 2, 4_000)
  })

  test('two that register one address-of-record at the same time lose nothing', async () => {
    // Both have looked before either has written.
    expect([contacts(a), contacts(b)]).toEqual([[], []])
    const one = binding(a, 'sip:a@x', clock.now())
    const two = binding(b, 'sip:b@x', clock.now() - 4_000)
    const written = [
      a.location.apply([{ before: null, after: one }]),
      b.location.apply([{ before: null, after: two }]),
    ]
    await Promise.all(written)
    expect(contacts(a).sort()).toEqual(['sip:a@x', 'sip:b@x'])
    expect(contacts(b).sort()).toEqual(['sip:a@x', 'sip:b@x'])
    expect(a.location.bindingCount).toBe(2)
    expect(b.location.byRuid(one.ruid)?.contact).toBe('sip:a@x')
  })

  test('what one changes or removes, the other sees with its next look', async () => {
    const one = binding(a, 'sip:a@x', clock.now())
    await a.location.apply([{ before: null, after: one }])
    const [seen] = b.location.of('x')
    // Each counts time from its own start.
    expect(seen).toMatchObject({ contact: 'sip:a@x', expiresAt: one.expiresAt - 4_000 })
    if (seen === undefined) return
    await b.location.apply([{ before: seen, after: { ...seen, contact: 'sip:new@x' } }])
    expect(contacts(a)).toEqual(['sip:new@x'])
    const [current] = a.location.of('x')
    await a.location.apply([{ before: current ?? null, after: null }])
    expect([contacts(a), contacts(b), b.location.bindingCount, b.location.aorCount]).toEqual([[], [], 0, 0])
  })

  test('what expires is told of once, by whoever looks first', async () => {
    await a.location.apply([{ before: null, after: binding(a, 'sip:a@x', clock.now()) }])
    await clock.advance(61_000)
    expect([b.location.expire(), a.location.expire()]).toEqual([1, 0])
    expect([a.location.bindingCount, b.location.bindingCount]).toEqual([0, 0])
  })

  test('a table that grows under one worker\u2019s hands is whole for the other', async () => {
    for (let i = 0; i < 3_000; i++) {
      const by = i % 2 === 0 ? a : b
      const aor = `user${i}`
      const after = createBinding({ aor, ruid: by.all.newRuid(aor), contact: `sip:${i}@x`, expiresAt: 1e9 })
      await by.location.apply([{ before: null, after }])
    }
    for (let i = 0; i < 3_000; i++) {
      const by = i % 2 === 0 ? b : a
      expect(by.location.of(`user${i}`)[0]?.contact).toBe(`sip:${i}@x`)
    }
    expect(a.location.aorCount).toBe(3_000)
  })
})
