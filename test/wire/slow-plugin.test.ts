import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Caller, pause, request } from './caller.ts'
import { Lab } from './lab.ts'
import { type Router, startRouter } from './router.ts'

/** One event loop serves everybody: what a plugin that misbehaves costs the others, and what not. */
describe('a plugin that misbehaves', { timeout: 30_000 }, () => {
  let lab: Lab
  let caller: Caller
  let router: Router
  beforeEach(async () => {
    lab = new Lab()
    caller = await Caller.open()
    router = await startRouter(lab, 'test/wire/scripts/slow.cfg', { data: join(lab.directory, 'data') })
  })
  afterEach(async () => {
    caller.close()
    await lab.close()
  })

  const ask = (user: string, milliseconds = 3_000) =>
    caller.ask(request(caller, router.port, { method: 'OPTIONS', user }), router.port, { milliseconds })

  test('200 ms of computing delay everybody, and lose nothing that the socket holds', async () => {
    const blocked = ask('block')
    await pause(20)
    // 200 ms at 500 a second: a tenth of what fits (docs/operations.md).
    const others = await Promise.all(Array.from({ length: 100 }, () => ask('x')))
    expect(others.filter((answer) => answer?.status === 200)).toHaveLength(100)
    const slowest = Math.max(...others.map((answer) => answer?.milliseconds ?? Number.POSITIVE_INFINITY))
    expect(slowest).toBeGreaterThan(100)
    expect((await blocked)?.status).toBe(200)
    expect((await ask('x'))?.status).toBe(200)
  })

  test('one that never comes back holds up its own message only, and not the end', async () => {
    const waiting = Array.from({ length: 100 }, () => ask('never', 500))
    const others = await Promise.all(Array.from({ length: 100 }, () => ask('x')))
    expect(others.filter((answer) => answer?.status === 200)).toHaveLength(100)
    expect((await Promise.all(waiting)).filter((answer) => answer !== null)).toEqual([])
    const stoppedAt = performance.now()
    expect(await router.stop()).toBe(0)
    expect(performance.now() - stoppedAt).toBeLessThan(5_500)
  })

  test('one that throws costs a 500, with the place in the script', async () => {
    expect((await ask('throw'))?.status).toBe(500)
    expect((await ask('x'))?.status).toBe(200)
    const said = router.logLines().find(({ level }) => level === 'error')
    expect(JSON.stringify(said)).toMatch(/slow\.cfg:13/)
  })

  test('an error that nobody catches costs a line in the log', async () => {
    for (let n = 0; n < 3; n++) expect((await ask('stray'))?.status).toBe(200)
    await router.process.prints(/an error that nobody caught: thrown in a timer/)
    await router.process.prints(/rejected promise that nobody waits for: rejected and forgotten/)
    expect((await ask('x'))?.status).toBe(200)
    expect(await router.stop()).toBe(0)
  })
})
