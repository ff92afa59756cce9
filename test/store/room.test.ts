import { beforeEach, describe, expect, test } from 'vitest'
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

describe('what is told', () => {
  let told: (string | null)[]
  let isWritable: boolean
  let free: number
  let clock: ReturnType<typeof simulatedClock>
  let room: RoomGuard
  beforeEach(() => {
    told = []
    isWritable = true
    free = 1e12
    clock = simulatedClock()
    const probe = () => (isWritable ? Promise.resolve() : Promise.reject(new Error('EIO')))
    const watch = { probe, onChange: (refusal: string | null) => void told.push(refusal) }
    room = new RoomGuard(clock, () => ({ freeBytes: free, totalBytes: 1e12 }), watch)
  })

  test('a device that fails is one alarm, however long; writes go on when it takes a probe', async () => {
    isWritable = false
    room.failed()
    room.failed()
    await clock.advance(60_000)
    expect(room.refusal()).toBe('a write failed a moment ago')
    expect(told).toEqual(['a write failed a moment ago'])
    isWritable = true
    await clock.advance(5_000)
    expect(room.refusal()).toBeNull()
    expect(told).toEqual(['a write failed a moment ago', null])
  })

  test('a full disk is one alarm, and its end is told though nobody writes', async () => {
    free = 0
    expect([room.writesMax(), room.writesMax()]).toEqual([0, 0])
    await clock.advance(60_000)
    expect(told).toEqual(['the disk is full'])
    free = 1e12
    await clock.advance(1_000)
    expect(told).toEqual(['the disk is full', null])
    expect(clock.pending).toBe(0)
  })

  test('a file system that cannot be asked takes nothing', () => {
    const broken = new RoomGuard(clock, () => {
      throw new Error('EIO')
    })
    expect(broken.refusal()).toBe('the disk is full')
  })
})
