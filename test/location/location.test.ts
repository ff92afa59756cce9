import { beforeEach, describe, expect, test } from 'vitest'
import { createBinding } from '../../src/location/binding.ts'
import { FlowTable } from '../../src/location/flows.ts'
import { type ChangeCause, Location } from '../../src/location/location.ts'
import type { StoredBinding } from '../../src/location/stored.ts'
import { silentLog } from '../../src/runtime/log.ts'
import { memoryTable } from '../../src/store/memory.ts'
import type { Table } from '../../src/store/table.ts'
import { type SimulatedClock, simulatedClock } from '../../src/testing/clock.ts'
import type { ListenSocket, SocketTable } from '../../src/transport/socket.ts'

const socket = { index: 0, label: 'udp:192.0.2.1:5060' } as ListenSocket
const sockets = { find: (label: string) => (label === socket.label ? socket : null) } as SocketTable

let clock: SimulatedClock
beforeEach(() => {
  clock = simulatedClock()
})

function locationWith(
  table: Table<StoredBinding> | null,
  more: { bindingsMax?: number; flows?: FlowTable } = {},
) {
  return new Location({
    name: 'location',
    clock,
    log: silentLog,
    sockets,
    flows: more.flows ?? new FlowTable(),
    table,
    ...more,
  })
}

const binding = (ruid: string, seconds = 60, aor = 'a') =>
  createBinding({ aor, ruid, contact: `sip:${ruid}@192.0.2.9`, expiresAt: clock.now() + seconds * 1000 })

describe('changes', () => {
  test('are visible at once, and told to listeners', async () => {
    const location = locationWith(null)
    const told: ChangeCause[] = []
    const stop = location.onChange((cause) => told.push(cause))
    const one = binding('1')
    await location.apply([{ before: null, after: one }])
    const other = { ...one, q: 500 }
    await location.apply([{ before: one, after: other }])
    expect(location.of('a')).toEqual([other])
    await location.apply([{ before: other, after: null }])
    expect([location.of('a'), location.bindingCount, location.aorCount]).toEqual([[], 0, 0])
    expect(told).toEqual(['added', 'updated', 'removed'])
    stop()
    await location.apply([{ before: null, after: one }])
    expect(told).toHaveLength(3)
  })

  test('are undone if the store refuses, except what somebody changed meanwhile', async () => {
    const table = { ...memoryTable<StoredBinding>(), put: () => Promise.reject(new Error('ENOSPC')) }
    const location = locationWith(table)
    const [one, two] = [binding('1'), binding('2')]
    const refused = location.apply([
      { before: null, after: one },
      { before: null, after: two },
    ])
    const newer = { ...two, q: 100 }
    location.applyUnwatched([{ before: two, after: newer }])
    await expect(refused).rejects.toThrow('ENOSPC')
    expect(location.of('a')).toEqual([newer])
  })

  test('no more bindings than limits allow', async () => {
    const location = locationWith(null, { bindingsMax: 2 })
    await location.apply([{ before: null, after: binding('1') }])
    expect([location.hasRoomFor(1), location.hasRoomFor(2)]).toEqual([true, false])
  })
})

describe('lifetime', () => {
  test('an expired binding is invisible before it is removed', async () => {
    const location = locationWith(null)
    await location.apply([
      { before: null, after: binding('1', 60) },
      { before: null, after: binding('2', 120) },
    ])
    await clock.advance(60_000)
    expect(location.of('a').map(({ ruid }) => ruid)).toEqual(['2'])
    expect(location.bindingCount).toBe(2)
    location.expire()
    expect(location.bindingCount).toBe(1)
  })

  test('what was prolonged stays', async () => {
    const location = locationWith(null)
    const one = binding('1', 60)
    await location.apply([{ before: null, after: one }])
    await location.apply([{ before: one, after: { ...one, expiresAt: clock.now() + 200_000 } }])
    await clock.advance(100_000)
    location.expire()
    expect(location.of('a')).toHaveLength(1)
  })
})

describe('after a restart', () => {
  test('the store gives back what has not expired, by wall time, with everything in it', async () => {
    const table = memoryTable<StoredBinding>()
    const before = locationWith(table)
    const flows = before.flows
    const state = flows.open({ socket, address: '198.51.100.1', port: 9 }, clock.now(), 60_000)
    state.proven = true
    state.bytesIn = 400
    const whole = createBinding({
      ...binding('1', 600),
      path: ['<sip:p;lr>'],
      q: 300,
      callId: 'c',
      cseq: 7,
      instance: '<urn:x>',
      regId: 2,
      branchFlags: 64,
      origin: 'learned',
      flow: state,
    })
    await before.apply([
      { before: null, after: whole },
      { before: null, after: binding('2', 20) },
      { before: null, after: { ...binding('3', 600), isDurable: false } },
    ])
    const wall = clock.wall()
    clock = simulatedClock(wall + 30_000)
    const after = locationWith(table)
    expect(after.restore()).toBe(1)
    const [back] = after.of('a')
    expect(back).toMatchObject({ ...whole, expiresAt: 570_000, modifiedAt: -30_000, flow: expect.anything() })
    expect(back?.flow).toMatchObject({ proven: false, bytesIn: 400, reachableUntil: 30_000 })
    expect(table.count).toBe(1)
  })

  test('a binding whose flow hangs on a socket that is gone is of no use', async () => {
    const table = memoryTable<StoredBinding>()
    const before = locationWith(table)
    const gone = { index: 1, label: 'udp:192.0.2.1:5070' } as ListenSocket
    const state = before.flows.open({ socket: gone, address: '198.51.100.1', port: 9 }, 0, 60_000)
    await before.apply([{ before: null, after: { ...binding('1', 600), flow: state } }])
    expect(locationWith(table).restore()).toBe(0)
  })
})

test('flows go with their last binding', async () => {
  const flows = new FlowTable()
  const location = locationWith(null, { flows })
  const state = flows.open({ socket, address: '198.51.100.1', port: 9 }, 0, 60_000)
  const [one, two] = [binding('1'), binding('2', 60, 'b')].map((each) => ({ ...each, flow: state }))
  if (one === undefined || two === undefined) throw new Error('two bindings')
  await location.apply([
    { before: null, after: one },
    { before: null, after: two },
  ])
  const renewed = { ...one, q: 1 }
  await location.apply([{ before: one, after: renewed }])
  expect([flows.count, state.bindings.size]).toEqual([1, 2])
  await location.apply([{ before: renewed, after: null }])
  expect(flows.count).toBe(1)
  await location.apply([{ before: two, after: null }])
  expect(flows.count).toBe(0)
})
