import { describe, expect, test } from 'vitest'
import { createBinding } from '../../src/location/binding.ts'
import { FlowSlots, flowField, flowSlotsBytesMax } from '../../src/location/flow-slots.ts'
import { FlowTable } from '../../src/location/flows.ts'
import { privateRegions } from '../../src/store/region.ts'
import { createListenSocket } from '../../src/transport/sockets.ts'

const socket = createListenSocket({ transport: 'udp', address: '192.0.2.1', port: 5060 }, 0)
const flow = { socket, address: '198.51.100.7', port: 40_000 }

/** The flow tables of so many workers, and how many slots are taken. */
function workers(...indexes: number[]) {
  const region = privateRegions()('flows', flowSlotsBytesMax)
  const slots = indexes.map((index) => new FlowSlots(region, index))
  return { slots, tables: slots.map((one) => new FlowTable(one)), taken: () => slots[0]?.takenCount }
}

describe('flows that workers share', () => {
  test('one hears the device, the other sees the pinhole open', () => {
    const { tables } = workers(0, 1)
    const [here, there] = tables as [FlowTable, FlowTable]
    const state = here.open(flow, 1_000, 60_000)
    const seen = there.adopt(flow, state.slot ?? -1, 60_000, 1_000)
    expect(here.heard(flow, 300, 50_000)).toBe(state)
    expect([seen.lastSeen, seen.reachableUntil, seen.bytesIn]).toEqual([50_000, 110_000, 300])
    seen.proven = true
    seen.bytesOut += 40
    expect([state.proven, state.bytesOut]).toEqual([true, 40])
  })

  test('a pinhole that has closed is another flow when it opens again', () => {
    const { tables } = workers(0, 1)
    const [here, there] = tables as [FlowTable, FlowTable]
    const first = here.open(flow, 0, 1_000)
    there.adopt(flow, first.slot ?? -1, 1_000, 0)
    const second = here.open(flow, 5_000, 1_000)
    const adopted = there.adopt(flow, second.slot ?? -1, 1_000, 5_000)
    expect(adopted.slot).toBe(second.slot)
    expect([first.reachableUntil, adopted.reachableUntil]).toEqual([1_000, 6_000])
  })

  test('two that opened the same flow in one moment agree on a slot', () => {
    const { tables, taken } = workers(0, 1)
    const [here, there] = tables as [FlowTable, FlowTable]
    const mine = here.open(flow, 0, 60_000)
    const theirs = there.open(flow, 0, 60_000)
    expect(mine.slot).not.toBe(theirs.slot)
    const [mineWas, theirsWas] = [mine.slot ?? -1, theirs.slot ?? -1]
    expect(here.adopt(flow, theirsWas, 60_000, 10)).toBe(mine)
    expect(there.adopt(flow, mineWas, 60_000, 10)).toBe(theirs)
    expect([mine.slot, theirs.slot]).toEqual([Math.min(mineWas, theirsWas), Math.min(mineWas, theirsWas)])
    expect(taken()).toBe(1)
  })

  test('the last worker that lets go of a flow frees its slot', () => {
    const { tables, taken } = workers(0, 40)
    const [here, there] = tables as [FlowTable, FlowTable]
    const state = here.open(flow, 0, 60_000)
    const seen = there.adopt(flow, state.slot ?? -1, 60_000, 0)
    for (const [table, one] of [
      [here, state],
      [there, seen],
    ] as const) {
      const binding = createBinding({ aor: 'a', ruid: 'r', contact: 'sip:a@b', flow: one })
      table.attach(binding)
      expect(taken()).toBe(1)
      table.detach(binding)
    }
    expect(taken()).toBe(0)
    expect(here.open(flow, 0, 60_000).slot).toBe(state.slot)
  })

  test('what a dead worker knew alone is free again, what others know stays', () => {
    const { slots } = workers(0, 1)
    const [living, dead] = slots as [FlowSlots, FlowSlots]
    const alone = dead.take()
    const shared = dead.take()
    living.share(shared)
    living.set(shared, flowField.lastSeen, 7)
    dead.dropAll()
    expect(living.takenCount).toBe(1)
    expect(living.get(shared, flowField.lastSeen)).toBe(7)
    expect(living.take()).toBe(alone)
  })

  test('thousands, each with numbers of its own, as the memory grows', () => {
    const { slots } = workers(0, 1)
    const [one, other] = slots as [FlowSlots, FlowSlots]
    const taken = Array.from({ length: 5_000 }, () => one.take())
    expect(new Set(taken).size).toBe(5_000)
    for (const slot of taken) one.set(slot, flowField.bytesIn, slot + 0.5)
    expect(taken.every((slot) => other.get(slot, flowField.bytesIn) === slot + 0.5)).toBe(true)
    for (const slot of taken) one.drop(slot)
    expect(other.takenCount).toBe(0)
  })
})
