import { beforeEach, describe, expect, test } from 'vitest'
import { type Binding, createBinding, isReachable } from '../../src/location/binding.ts'
import type { Location } from '../../src/location/location.ts'
import { Locations } from '../../src/location/locations.ts'
import { Outdated } from '../../src/location/shared-table.ts'
import { silentLog } from '../../src/runtime/log.ts'
import { privateRegions } from '../../src/store/region.ts'
import { type SimulatedClock, simulatedClock } from '../../src/testing/clock.ts'
import { seededRandom } from '../../src/testing/random.ts'
import { SharedDirectory } from '../../src/testing/shared-location.ts'
import type { ListenSocket, SocketTable } from '../../src/transport/socket.ts'
import { Store } from './refusing-store.ts'

/** Tables that edges share: docs/decisions/0025-edges.md. */
const socket = { index: 0, label: 'udp:192.0.2.1:5060' } as ListenSocket
const sockets = { find: (label: string) => (label === socket.label ? socket : null) } as SocketTable

interface TestEdge {
  readonly locations: Locations
  readonly location: Location
  readonly store: Store
  /** What its listeners heard. */
  readonly heard: string[]
  /** What was told, as `added 1`, whether or not anybody heard it. */
  readonly told: string[]
}

let clock: SimulatedClock
let directory: SharedDirectory
let a: TestEdge
let b: TestEdge

function join(name: string, isDurable: boolean, store = new Store()): TestEdge {
  const share = directory.join({ name, uri: `sip:${name}.example` })
  const told: string[] = []
  const random = seededRandom(name.charCodeAt(0))
  const host = { clock, log: silentLog, random, sockets, openTable: store.open, openRegion: privateRegions() }
  const locations = new Locations(host, {
    isDurable,
    kind: '',
    share(table, own) {
      const opened = share.open(table, own)
      const tell = opened.tell.bind(opened)
      opened.tell = (changes) => {
        for (const { before, after } of changes) {
          const what = after === null ? 'removed' : before === null ? 'added' : 'updated'
          told.push(`${what} ${nameOf(after ?? before)}`)
        }
        return tell(changes)
      }
      return opened
    },
  })
  const location = locations.open('location')
  location.restore()
  const heard: string[] = []
  location.onChange((cause, binding) => heard.push(`${cause} ${nameOf(binding)}`))
  return { locations, location, store, heard, told }
}

const nameOf = (binding: Binding | null) => /^sip:(.*)@/.exec(binding?.contact ?? '')?.[1] ?? ''

function bindingOf(edge: TestEdge, name: string, more: Partial<Binding> = {}): Binding {
  return createBinding({
    aor: 'bob',
    ruid: edge.locations.newRuid('bob'),
    contact: `sip:${name}@192.0.2.9`,
    callId: `call-${name}`,
    cseq: 1,
    modifiedAt: clock.now(),
    expiresAt: clock.now() + 60_000,
    ...more,
  })
}

async function bind(edge: TestEdge, name: string, more: Partial<Binding> = {}): Promise<Binding> {
  const after = bindingOf(edge, name, more)
  await edge.location.apply([{ before: null, after }])
  return after
}

/** What an edge finds: its own by name, others' as `name at edge`. */
async function found({ location }: TestEdge): Promise<string[] | 'unknown'> {
  if ((await location.fetch('bob')) === false) return 'unknown'
  return location
    .of('bob')
    .map(
      (binding) =>
        `${nameOf(binding)}${binding.elsewhere === null ? '' : ` at ${binding.elsewhere.edge.name}`}`,
    )
}

/** The only one that an edge sees. */
async function seen({ location }: TestEdge): Promise<Binding> {
  await location.fetch('bob')
  const [binding, ...others] = location.of('bob')
  if (binding === undefined || others.length > 0) throw new Error('not one binding')
  return binding
}

describe.each([
  ['in memory', false],
  ['in the store', true],
])('tables %s that two edges share', (_name, isDurable) => {
  beforeEach(() => {
    clock = simulatedClock()
    directory = new SharedDirectory(clock)
    a = join('a', isDurable)
    b = join('b', isDurable)
  })

  test('what one has bound the other finds, and it is not counted there', async () => {
    const bound = await bind(a, '1', { q: 500, instance: '<i>', regId: 1, path: ['<sip:p>'] })
    expect([await found(a), await found(b)]).toEqual([['1'], ['1 at a']])
    const { ruid, contact, q, callId, cseq, instance, regId, path, expiresAt } = await seen(b)
    expect(await seen(b)).toMatchObject({ flow: null, received: '' })
    const same = { ruid, contact, q, callId, cseq, instance, regId, path, expiresAt }
    expect(bound).toMatchObject(same)
    expect([b.location.bindingCount, b.location.aorCount, b.location.byRuid(ruid)]).toEqual([0, 0, undefined])
    expect(b.heard).toEqual([])
    expect([
      a.location.isShared,
      new Locations(hostless(), { isDurable: false, kind: '' }).open('l').isShared,
    ]).toEqual([true, false])
  })

  test('each has its own first, and then the other’s', async () => {
    await bind(a, '1')
    await bind(b, '2')
    await bind(a, '3')
    expect([await found(a), await found(b)]).toEqual([
      ['1', '3', '2 at b'],
      ['2', '1 at a', '3 at a'],
    ])
  })

  test('what is known is not asked for again, until somebody changes it', async () => {
    await bind(a, '1')
    expect(await b.location.fetch('bob')).toBe(true)
    expect(b.location.fetch('bob')).toBeNull()
    await bind(a, '2')
    expect(b.location.of('bob')).toEqual([])
    expect(await found(b)).toEqual(['1 at a', '2 at a'])
    expect(await b.location.fetch('nobody')).toBe(true)
    expect([b.location.fetch('nobody'), b.location.of('nobody')]).toEqual([null, []])
  })

  test('a change, a refresh and a removal are told; what expires is not', async () => {
    const one = await bind(a, '1')
    const changed = { ...one, q: 1, cseq: 2 }
    await a.location.apply([{ before: one, after: changed }])
    const refreshed = { ...changed, cseq: 3, expiresAt: clock.now() + 90_000 }
    await a.location.apply([{ before: changed, after: refreshed }])
    expect((await seen(b)).expiresAt).toBe(refreshed.expiresAt)
    await bind(a, '2')
    await a.location.apply([{ before: refreshed, after: null }])
    expect(await found(b)).toEqual(['2 at a'])
    expect(a.told).toEqual(['added 1', 'updated 1', 'updated 1', 'added 2', 'removed 1'])
    await clock.advance(60_000)
    expect(a.location.expire()).toBe(1)
    expect([a.told.length, b.told]).toEqual([5, []])
    // Both know when it expires.
    expect([await found(a), await found(b)]).toEqual([[], []])
  })

  test('a refresh is never made where the others would not hear of it', async () => {
    const one = await bind(a, '1')
    expect(a.location.refresh({ ...one, cseq: 2 })).toBe('other')
    expect((await seen(a)).cseq).toBe(1)
  })

  test('nobody waits for a change that nobody watches; the others hear of it all the same', async () => {
    const one = bindingOf(a, '1')
    a.location.applyUnwatched([{ before: null, after: one }])
    await clock.settle()
    expect(await found(b)).toEqual(['1 at a'])
    a.location.applyUnwatched([{ before: one, after: null }])
    await clock.settle()
    expect([await found(b), a.told]).toEqual([[], ['added 1', 'removed 1']])
  })

  test('who binds what another has takes it from there: it is lost there, and nobody is told twice', async () => {
    await bind(a, '1')
    await clock.advance(1_000)
    const before = await seen(b)
    const after = bindingOf(b, '1', { callId: 'other' })
    const ready = b.location.apply([{ before, after }])
    // At once, before anybody else knows.
    expect(b.location.of('bob').map(({ ruid }) => ruid)).toEqual([after.ruid])
    await ready
    expect([await found(a), await found(b)]).toEqual([['1 at b'], ['1']])
    expect([a.location.bindingCount, b.location.bindingCount]).toEqual([0, 1])
    expect([a.heard, b.heard]).toEqual([['added 1', 'removed 1'], ['added 1']])
    expect(a.told).toEqual(['added 1'])
    await a.location.flushed()
    expect(a.store.sizes()['location.bindings'] ?? 0).toBe(0)
  })

  test('who removes what another has removes it there, and has nothing changed itself', async () => {
    await bind(a, '1')
    const before = await seen(b)
    await b.location.apply([{ before, after: null, request: { callId: 'call-1', cseq: 2 } }])
    expect([await found(a), await found(b)]).toEqual([[], []])
    expect([a.heard, b.heard]).toEqual([['added 1', 'removed 1'], []])
  })

  test('own and others’ bindings go in one change', async () => {
    await bind(a, '1')
    await bind(b, '2')
    await b.location.fetch('bob')
    await b.location.apply(b.location.of('bob').map((before) => ({ before, after: null })))
    expect([await found(a), await found(b), directory.contacts('bob')]).toEqual([[], [], []])
  })

  describe('of one binding', () => {
    test.each([
      ['a higher CSeq of the same Call-ID wins, whenever it was', 2, 'c', -1_000, true],
      ['an equal one does not', 1, 'c', 1_000, false],
      ['a lower one does not, however late', 0, 'c', 1_000, false],
      ['with another Call-ID the later one wins', 0, 'other', 1_000, true],
      ['and the earlier one does not', 9, 'other', -1_000, false],
    ])('%s', async (_title, cseq, callId, milliseconds, wins) => {
      await clock.advance(10_000)
      const first = await bind(a, '1', { callId: 'c', cseq: 1 })
      // Bound without a look at what the other has: both were asked at the same time.
      const second = bindingOf(b, '1', { callId, cseq, modifiedAt: first.modifiedAt + milliseconds })
      const ready = b.location.apply([{ before: null, after: second }])
      expect(b.location.of('bob')).toHaveLength(1)
      if (wins) {
        await ready
        expect([await found(a), await found(b)]).toEqual([['1 at b'], ['1']])
      } else {
        await expect(ready).rejects.toThrow(Outdated)
        expect([await found(a), await found(b)]).toEqual([['1'], ['1 at a']])
        expect([b.heard, b.location.bindingCount]).toEqual([['added 1', 'undone 1'], 0])
      }
    })
  })

  test('what came too late is undone: a change, and with it all that was made with it', async () => {
    const kept = await bind(b, 'kept')
    const changed = await bind(b, '1', { callId: 'c', cseq: 1 })
    await bind(a, '1', { callId: 'c', cseq: 3 })
    expect(await found(b)).toEqual(['kept', '1 at a'])
    const again = bindingOf(b, '1', { callId: 'c', cseq: 2 })
    const ready = b.location.apply([
      { before: null, after: again },
      { before: kept, after: { ...kept, cseq: 2, q: 7 } },
    ])
    await expect(ready).rejects.toThrow(Outdated)
    expect(await found(b)).toEqual(['kept', '1 at a'])
    expect(b.location.of('bob')[0]).toMatchObject({ cseq: 1, q: -1 })
    expect(changed.cseq).toBe(1)
  })

  test('what was removed comes back by nothing that was before', async () => {
    const one = await bind(a, '1', { callId: 'c', cseq: 5 })
    directory.cut('b')
    // B hears the device, and cannot tell; meanwhile the device unregisters at a.
    const lost = await bind(b, '1', { callId: 'c', cseq: 6 })
    await clock.advance(1_000)
    await a.location.apply([{ before: one, after: null, request: { callId: 'c', cseq: 7 } }])
    directory.mend('b')
    expect([await found(a), await found(b)]).toEqual([[], []])
    expect(b.heard).toEqual(['added 1', 'removed 1'])
    await expect(b.location.apply([{ before: null, after: { ...lost, cseq: 7 } }])).rejects.toThrow(Outdated)
    await b.location.apply([{ before: null, after: bindingOf(b, '1', { callId: 'c', cseq: 8 }) }])
    expect(await found(a)).toEqual(['1 at b'])
  })

  test('by an operator’s removal neither, whatever the CSeq', async () => {
    const one = await bind(a, '1', { callId: 'c', cseq: 5 })
    directory.cut('b')
    await bind(b, '1', { callId: 'c', cseq: 6 })
    await clock.advance(1_000)
    await a.location.apply([{ before: one, after: null }])
    directory.mend('b')
    expect([await found(a), await found(b)]).toEqual([[], []])
  })

  test('the directory is away: one’s own goes on and is told later, what others have nobody knows', async () => {
    await bind(a, '1')
    directory.isAway = true
    expect([await found(a), a.location.of('bob').map(nameOf)]).toEqual(['unknown', ['1']])
    expect([await found(b), b.location.of('bob')]).toEqual(['unknown', []])
    await bind(b, '2')
    expect(b.location.of('bob').map(nameOf)).toEqual(['2'])
    directory.isAway = false
    expect([await found(a), await found(b)]).toEqual([
      ['1', '2 at b'],
      ['2', '1 at a'],
    ])
  })

  test('it answers late: nobody waits longer than its deadline, and what was told counts', async () => {
    directory.delayMs = 400
    let isReady = false
    const ready = bind(a, '1').then(() => {
      isReady = true
    })
    await clock.advance(249)
    expect(isReady).toBe(false)
    await clock.advance(2)
    await ready
    const fetched = b.location.fetch('bob')
    await clock.advance(251)
    expect(await fetched).toBe(false)
    await clock.advance(1_000)
    directory.delayMs = 100
    const again = found(b)
    await clock.advance(100)
    expect(await again).toEqual(['1 at a'])
  })

  test('who does not want to wait for the others waits for the store alone, and loses what came too late', async () => {
    await bind(a, '1', { callId: 'c', cseq: 2 })
    directory.delayMs = 100
    const changes = [{ before: null, after: bindingOf(b, '1', { callId: 'c', cseq: 1 }) }]
    const ready = b.location.apply(changes, false)
    expect(ready === null).toBe(!isDurable)
    await ready
    expect(b.location.of('bob').map(nameOf)).toEqual(['1'])
    await clock.advance(100)
    expect([b.location.of('bob'), b.heard]).toEqual([[], ['added 1', 'undone 1']])
  })

  test('it has lost all: each tells again what it has, also what hangs on flows', async () => {
    const flow = a.location.flows.open({ socket, address: '198.51.100.1', port: 9 }, 0, 60_000)
    await bind(a, '1')
    await bind(a, 'learned', { origin: 'learned', callId: '', flow })
    const removed = await bind(b, '2')
    await b.location.apply([{ before: removed, after: null }])
    directory.forget()
    expect(directory.contacts('bob')).toEqual(['a sip:1@192.0.2.9', 'a sip:learned@192.0.2.9'])
    expect(await found(b)).toEqual(['1 at a', 'learned at a'])
  })

  test('both have learned one user: the later one counts, and the other’s flow goes', async () => {
    const flowOf = ({ location }: TestEdge) =>
      location.flows.open({ socket, address: '198.51.100.1', port: 9 }, clock.now(), 60_000)
    await bind(a, '1', { origin: 'learned', callId: '', cseq: 0, flow: flowOf(a) })
    await clock.advance(1_000)
    const before = await seen(b)
    expect(before).toMatchObject({ origin: 'learned', flow: null })
    const after = bindingOf(b, 'x', { origin: 'learned', callId: '', cseq: 0, flow: flowOf(b) })
    b.location.applyUnwatched([{ before, after }])
    await clock.settle()
    expect([await found(a), await found(b)]).toEqual([['x at b'], ['x']])
    expect([a.location.flows.count, b.location.flows.count]).toEqual([0, 1])
  })

  test('a dead edge: what only it could reach is cold, what has no NAT is not', async () => {
    await bind(a, 'nat', { received: 'sip:203.0.113.9:40000' })
    await bind(a, 'direct', { callId: 'd' })
    await b.location.fetch('bob')
    const reachable = () =>
      b.location
        .of('bob')
        .filter((one) => isReachable(one, clock.now()))
        .map(nameOf)
    expect(reachable()).toEqual(['nat', 'direct'])
    directory.kill('a')
    expect(reachable()).toEqual(['direct'])
    directory.revive('a')
    expect(reachable()).toEqual(['nat', 'direct'])
  })

  test('pages() shows all that has not expired', async () => {
    await bind(a, '1')
    await bind(a, '2', { expiresAt: clock.now() + 1_000 })
    const flow = a.location.flows.open({ socket, address: '198.51.100.1', port: 9 }, 0, 60_000)
    await bind(a, 'learned', { origin: 'learned', callId: '', flow })
    await clock.advance(1_000)
    expect([...a.location.pages()].flat().map(nameOf)).toEqual(['1', 'learned'])
  })

  test('what is lost twice is lost once', async () => {
    const one = await bind(a, '1')
    a.location.lose(one.ruid)
    a.location.lose(one.ruid)
    expect([a.heard, a.told]).toEqual([['added 1', 'removed 1'], ['added 1']])
  })
})

describe('a store that refuses', () => {
  beforeEach(() => {
    clock = simulatedClock()
    directory = new SharedDirectory(clock)
    a = join('a', true)
    b = join('b', true)
  })

  test('the others never hear of what it refused', async () => {
    await bind(a, '1')
    const before = await seen(b)
    b.store.refusing = true
    const after = bindingOf(b, '1', { callId: 'other' })
    const ready = b.location.apply([{ before, after }])
    expect(b.location.of('bob').map(({ ruid }) => ruid)).toEqual([after.ruid])
    await expect(ready).rejects.toThrow('ENOSPC')
    expect(b.told).toEqual([])
    expect([await found(a), await found(b)]).toEqual([['1'], ['1 at a']])
  })

  test('with durability memory nobody waits for it, nor for the others', async () => {
    a.locations.answersFirst = true
    expect(a.location.apply([{ before: null, after: bindingOf(a, '1') }])).toBeNull()
    await clock.settle()
    expect(await found(b)).toEqual(['1 at a'])
  })
})

function hostless() {
  const store = new Store()
  const random = seededRandom(1)
  return { clock, log: silentLog, random, sockets, openTable: store.open, openRegion: privateRegions() }
}
