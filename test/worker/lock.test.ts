import { Worker } from 'node:worker_threads'
import { describe, expect, test } from 'vitest'
import { releaseLocksOf, SharedLock } from '../../src/worker/lock.ts'

describe('a lock that workers share', () => {
  const memory = () => new Int32Array(new SharedArrayBuffer(16))

  test('one holder at a time; whoever does not hold it cannot free it', () => {
    const words = memory()
    const first = new SharedLock(words, 0, 0)
    const second = new SharedLock(words, 0, 1)
    first.lock()
    expect(second.tryLock(0)).toBe(false)
    second.unlock()
    expect(second.tryLock(0)).toBe(false)
    first.unlock()
    expect(second.tryLock(0)).toBe(true)
    second.unlock()
  })

  test('to lock twice is a defect, not an endless wait', () => {
    const lock = new SharedLock(memory(), 1, 0)
    lock.lock()
    expect(() => lock.lock()).toThrow('locked twice')
  })

  test('what a dead worker held is free again, and nothing else is', () => {
    const words = memory()
    const locks = [0, 1, 2].map((at) => new SharedLock(words, at, at === 2 ? 1 : 0))
    for (const lock of locks) lock.lock()
    expect(releaseLocksOf(words, 0)).toBe(2)
    const next = [0, 1, 2].map((at) => new SharedLock(words, at, 3).tryLock(0))
    expect(next).toEqual([true, true, false])
  })

  test('four threads count to 80,000 together, and none is lost', async () => {
    const words = memory()
    const counter = new Int32Array(new SharedArrayBuffer(4))
    const count = 20_000
    const source = `
      import { workerData } from 'node:worker_threads'
      const { SharedLock } = await import(workerData.module)
      const { words, counter, worker, count } = workerData
      const lock = new SharedLock(words, 0, worker)
      for (let i = 0; i < count; i++) { lock.lock(); counter[0] = counter[0] + 1; lock.unlock() }
    `
    const module = new URL('../../src/worker/lock.ts', import.meta.url).href
    const threads = [0, 1, 2, 3].map(
      (worker) =>
        new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`), {
          workerData: { module, words, counter, worker, count },
        }),
    )
    await Promise.all(
      threads.map(
        (thread) =>
          new Promise<void>((resolve, reject) => {
            thread.on('error', reject)
            thread.on('exit', () => resolve())
          }),
      ),
    )
    expect(counter[0]).toBe(4 * count)
    expect(words[0]).toBe(0)
  })
})
