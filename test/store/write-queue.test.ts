import { beforeEach, expect, test } from 'vitest'
import { limits } from '../../src/limits.ts'
import { RoomGuard } from '../../src/store/room.ts'
import { WriteQueue } from '../../src/store/write-queue.ts'
import { simulatedClock } from '../../src/testing/clock.ts'

/** Commits that come back when the test says so. */
interface Commit {
  readonly names: readonly string[]
  readonly kept: () => void
  readonly done: () => void
  readonly failed: (error: Error) => void
}

let commits: Commit[]
let names: string[]
let free: number
let queue: WriteQueue
let outcomes: string[]
let clock: ReturnType<typeof simulatedClock>
const settle = () => new Promise((next) => setImmediate(next))

beforeEach(() => {
  clock = simulatedClock()
  const made: Commit[] = []
  commits = made
  names = []
  outcomes = []
  free = 1e12
  const commit = (write: () => void, kept: () => void) => {
    names = []
    write()
    return new Promise<void>((done, failed) => made.push({ names, kept, done, failed }))
  }
  queue = new WriteQueue({ commit }, new RoomGuard(clock, () => ({ freeBytes: free, totalBytes: 1e6 })))
})

function write(name: string): void {
  queue
    .add(() => void names.push(name))
    .then(
      () => outcomes.push(`${name} done`),
      (error: Error) => outcomes.push(`${name} ${error.message}`),
    )
}

test('writes of one turn are one commit; what comes while it is at work is the next one', async () => {
  write('a')
  write('b')
  expect(commits).toEqual([])
  await settle()
  write('c')
  await settle()
  write('d')
  await settle()
  expect(commits.map((commit) => commit.names)).toEqual([['a', 'b']])
  expect(outcomes).toEqual([])
  commits[0]?.done()
  await settle()
  expect(outcomes).toEqual(['a done', 'b done'])
  expect(commits.map((commit) => commit.names)).toEqual([
    ['a', 'b'],
    ['c', 'd'],
  ])
})

test('each write has the outcome of its own commit', async () => {
  write('a')
  await settle()
  write('b')
  commits[0]?.failed(new Error('refused'))
  await settle()
  expect(outcomes).toEqual(['a refused', 'b a write failed a moment ago'])
  await clock.advance(5_000)
  write('c')
  await settle()
  commits[1]?.done()
  await settle()
  expect(outcomes.slice(2)).toEqual(['c done'])
})

test('the cause that lmdb keeps in commitError is what writers are told', async () => {
  write('a')
  await settle()
  const commitError = Promise.reject(new Error('No space left on device'))
  commits[0]?.failed(Object.assign(new Error('Commit failed'), { commitError }))
  await settle()
  expect(outcomes).toEqual(['a the store could not write'])
})

test('a write that throws fails alone', async () => {
  const thrown = queue.add(() => {
    throw new Error('cannot be encoded')
  })
  write('b')
  await expect(thrown).rejects.toThrow('cannot be encoded')
  commits[0]?.done()
  await settle()
  expect(outcomes).toEqual(['b done'])
})

test('a commit has as many writes as fit on the disk; none fits: all are refused', async () => {
  free = 100_000
  for (const name of ['a', 'b', 'c', 'd', 'e']) write(name)
  await settle()
  expect(commits.map((commit) => commit.names)).toEqual([['a', 'b']])
  free = 60_000
  commits[0]?.done()
  await settle()
  expect(outcomes.slice(2)).toEqual(['c', 'd', 'e'].map((name) => `${name} the disk is full`))
})

test('writes that wait are bounded', async () => {
  for (let n = 0; n < limits.storeWritesWaitingMax; n++) void queue.add(() => {})
  await expect(queue.add(() => {})).rejects.toThrow('too many writes wait')
})

test('idle is when nothing waits and nothing is at work', async () => {
  let isIdle = false
  write('a')
  const idle = queue.idle().then(() => {
    isIdle = true
  })
  await settle()
  write('b')
  commits[0]?.done()
  await settle()
  expect(isIdle).toBe(false)
  commits[1]?.done()
  await idle
  expect(outcomes).toEqual(['a done', 'b done'])
})

test('what is kept is told before the disk has it, and stays told if the disk then fails', async () => {
  write('a')
  await settle()
  commits[0]?.kept()
  await settle()
  expect(outcomes).toEqual(['a done'])
  commits[0]?.failed(new Error('EIO'))
  await settle()
  write('b')
  await settle()
  expect(outcomes).toEqual(['a done', 'b a write failed a moment ago'])
})

test('a commit that does not come back is given up, and nobody waits for it', async () => {
  write('a')
  await settle()
  write('b')
  await clock.advance(15_000)
  await settle()
  expect(outcomes).toEqual(['a the store does not answer', 'b the store does not answer'])
  write('c')
  await settle()
  expect(commits).toHaveLength(1)
})
