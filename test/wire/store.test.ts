import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, statSync, truncateSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Worker } from 'node:worker_threads'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { systemClock } from '../../src/runtime/clock.ts'
import { silentLog } from '../../src/runtime/log.ts'
import { openStore } from '../../src/store/open-store.ts'

/**
 * Security row 54: a process that writes as fast as it can is killed with SIGKILL. Every put that was fulfilled is
 * there afterwards, whole, and the store opens at once.
 */
const writer = `
  import { openStore } from '${new URL('../../src/store/open-store.ts', import.meta.url).pathname}'
  import { silentLog } from '${new URL('../../src/runtime/log.ts', import.meta.url).pathname}'
  import { systemClock } from '${new URL('../../src/runtime/clock.ts', import.meta.url).pathname}'
  const store = await openStore({ directory: process.argv[1], log: silentLog, clock: systemClock() })
  const table = store.open('t')
  for (let n = 0; ; n += 20) {
    const batch = Array.from({ length: 20 }, (_, i) => table.put('key' + (n + i), { n: n + i, text: 'x'.repeat(200) }))
    await Promise.all(batch)
    process.stdout.write(n + 20 + '\\n')
  }
`

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'store-crash-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

/** Runs the writer until it has been told of so many fulfilled puts, kills it, and says how many it was told of. */
async function killedAfter(count: number): Promise<number> {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', writer, directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let fulfilled = 0
  for await (const line of createInterface({ input: child.stdout })) {
    fulfilled = Number(line)
    if (fulfilled >= count) child.kill('SIGKILL')
  }
  return fulfilled
}

test('row 54: after kill -9 every fulfilled put is there, and no half record', async () => {
  for (const count of [200, 3_000]) {
    const fulfilled = await killedAfter(count)
    const started = performance.now()
    const store = await openStore({ directory, log: silentLog, clock: systemClock() })
    expect(performance.now() - started).toBeLessThan(2_000)
    const table = store.open<{ n: number; text: string }>('t')
    for (let n = 0; n < fulfilled; n++) expect(table.get(`key${n}`)).toEqual({ n, text: 'x'.repeat(200) })
    for (const [, record] of table.entries()) expect(record.text).toHaveLength(200)
    await store.close()
  }
})

test('row 56: a file that was cut off is moved aside instead of ending the process', async () => {
  await killedAfter(2_000)
  const path = join(directory, 'viaduct.mdb')
  truncateSync(path, Math.floor(statSync(path).size * 0.6))
  const store = await openStore({ directory, log: silentLog, clock: systemClock() })
  const table = store.open<number>('t')
  expect([...table.entries()]).toEqual([])
  await table.put('k', 1)
  await store.close()
})

/** As the workers of one router: each opens the directory, and the lock is about other processes only. */
const thread = `
  import { parentPort, workerData } from 'node:worker_threads'
  const { openStore } = await import('${new URL('../../src/store/open-store.ts', import.meta.url).href}')
  const { silentLog } = await import('${new URL('../../src/runtime/log.ts', import.meta.url).href}')
  const { systemClock } = await import('${new URL('../../src/runtime/clock.ts', import.meta.url).href}')
  const store = await openStore({ directory: workerData.directory, log: silentLog, clock: systemClock() })
  const table = store.open('t')
  parentPort.on('message', async ({ write, read, close }) => {
    if (write) await Promise.all(write.map((key) => table.put(key, { key })))
    table.refresh()
    parentPort.postMessage({ missing: (read ?? []).filter((key) => table.get(key)?.key !== key), count: table.count })
    if (!close) return
    await store.close()
    parentPort.close()
  })
`

test('threads of one process share a directory, and see what each has committed', async () => {
  const store = await openStore({ directory, log: silentLog, clock: systemClock() })
  const table = store.open<{ key: string }>('t')
  const worker = new Worker(thread, { eval: true, workerData: { directory } })
  const ask = async (question: object) => {
    worker.postMessage(question)
    const [answer] = await once(worker, 'message')
    return answer as { missing: string[]; count: number }
  }
  const names = (from: string) => Array.from({ length: 500 }, (_, i) => `${from}${i}`)
  // At the same time, so that their commits take turns.
  const [, theirs] = await Promise.all([
    Promise.all(names('ours').map((key) => table.put(key, { key }))),
    ask({ write: names('theirs') }),
  ])
  expect(theirs.missing).toEqual([])
  table.refresh?.()
  for (const key of names('theirs')) expect(table.get(key)).toEqual({ key })
  expect(await ask({ read: [...names('ours'), ...names('theirs')] })).toEqual({ missing: [], count: 1_000 })
  const left = once(worker, 'exit')
  worker.postMessage({ close: true })
  await left
  await table.put('after', { key: 'after' })
  expect(table.count).toBe(1_001)
  await store.close()
})
