import { expect, test } from 'vitest'
import { RoomGuard } from '../../src/store/room.ts'
import { simulatedClock } from '../../src/testing/clock.ts'

const megabyte = 1_048_576

test.each([
  ['plenty', 10_000, 100_000, null],
  ['too little', 10, 100_000, 'the disk is full'],
  ['little, but the disk is small', 2, 20, null],
  ['nothing', 0, 20, 'the disk is full'],
])('%s', (_name, free, total, refusal) => {
  const room = new RoomGuard(simulatedClock(), () => ({
    freeBytes: free * megabyte,
    totalBytes: total * megabyte,
  }))
  expect(room.refusal()).toBe(refusal)
})

test('row 55: writing goes on by itself when there is room again', async () => {
  const clock = simulatedClock()
  let free = 0
  let looks = 0
  const room = new RoomGuard(clock, () => {
    looks++
    return { freeBytes: free, totalBytes: 1e12 }
  })
  expect([room.refusal(), room.refusal()]).toEqual(['the disk is full', 'the disk is full'])
  expect(looks).toBe(1)
  free = 1e9
  await clock.advance(250)
  expect(room.refusal()).toBeNull()
})

test.each([
  ['a disk of any size', 1e12, 1e12, 1_000],
  ['a small disk', 400_000, 400_000, 20],
  ['a small disk that is nearly full', 85_000, 400_000, 1],
  ['a small disk that is full but for what one write may take', 70_000, 400_000, 0],
  ['a large disk that is nearly full', 33_000_000, 1e12, 0],
])('a commit takes what fits for certain, twice: %s', (_name, freeBytes, totalBytes, writes) => {
  const room = new RoomGuard(simulatedClock(), () => ({ freeBytes, totalBytes }))
  expect(room.writesMax()).toBe(writes)
  expect(room.refusal()).toBe(writes > 0 ? null : 'the disk is full')
})

test('after a write has failed nothing is written for a while', async () => {
  const clock = simulatedClock()
  const room = new RoomGuard(clock, () => ({ freeBytes: 1e12, totalBytes: 1e12 }))
  room.failed()
  expect([room.refusal(), room.writesMax()]).toEqual(['a write failed a moment ago', 0])
  await clock.advance(5_000)
  expect(room.refusal()).toBeNull()
})
