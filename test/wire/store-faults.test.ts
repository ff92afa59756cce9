import { randomFillSync } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { systemClock } from '../../src/runtime/clock.ts'
import { silentLog } from '../../src/runtime/log.ts'
import { openStore } from '../../src/store/open-store.ts'
import { type Answer, Caller, contactsOf, pause, request } from './caller.ts'
import { fill } from './full-disk.ts'
import { Lab, nodePath } from './lab.ts'
import { type Router, startRouter } from './router.ts'

/**
 * A disk that is full, read-only or damaged: a REGISTER gets 503 and never a 200 that is not true, everything else
 * goes on, and space that comes back is used without a restart.
 */
describe('faults of the store', { timeout: 40_000 }, () => {
  let lab: Lab
  let caller: Caller
  let data: string
  beforeEach(async () => {
    lab = new Lab()
    caller = await Caller.open()
    data = join(lab.directory, 'data')
  })
  afterEach(async () => {
    caller.close()
    await lab.close()
  })

  const start = (wrapper?: readonly string[]) =>
    startRouter(lab, 'test/wire/scripts/location.cfg', { data, ...(wrapper && { wrapper }) })
  const register = (router: Router, user: string, contact = `sip:${user}@127.0.0.1:${caller.port}`) =>
    caller.ask(
      request(caller, router.port, { method: 'REGISTER', user, headers: `Contact: <${contact}>\r\n` }),
      router.port,
      { retryMilliseconds: 400 },
    )
  const bindingsOf = async (router: Router, user: string) =>
    contactsOf(await caller.ask(request(caller, router.port, { method: 'REGISTER', user }), router.port))
  const message = (router: Router, user: string) =>
    caller.ask(request(caller, router.port, { method: 'MESSAGE', user }), router.port)
  /** In a mount namespace of its own, which ends with the process. */
  const inNamespace = (mounts: string) => ['unshare', '-m', 'sh', '-c', `${mounts}; exec "$@"`, 'sh']

  /** 503 while the store refuses, with what was there before still there, and looked up, and nothing more. */
  async function refuses(router: Router): Promise<void> {
    const answer = await register(router, 'late')
    expect(statusAnd(answer)).toEqual([503, true])
    expect(await bindingsOf(router, 'late')).toEqual([])
    expect((await message(router, 'late'))?.status).toBe(404)
    // A change of what is there is refused as well, and leaves it as it was.
    expect((await register(router, 'early', 'sip:elsewhere@127.0.0.1:9'))?.status).toBe(503)
    expect(await bindingsOf(router, 'early')).toEqual([`sip:early@127.0.0.1:${caller.port}`])
    expect((await message(router, 'early'))?.status).toBe(200)
  }

  test('a read-only data directory: 503, and lookups from what it holds', async () => {
    const writable = await start()
    expect((await register(writable, 'early'))?.status).toBe(200)
    expect(await writable.stop()).toBe(0)

    const router = await start(inNamespace(`mount --bind ${data} ${data}; mount -o remount,bind,ro ${data}`))
    await refuses(router)
    expect(
      router.logLines().some(({ level, msg }) => level === 'error' && /cannot be written/.test(msg)),
    ).toBe(true)
    expect(await router.stop()).toBe(0)
  })

  test('a full disk: 503, then 200 again without a restart when space returns', async () => {
    mkdirSync(data)
    const router = await start(inNamespace(`mount -t tmpfs -o size=512k none ${data}`))
    const inside = `/proc/${router.process.child.pid}/root${data}`
    expect((await register(router, 'early'))?.status).toBe(200)
    fill(join(inside, 'filler'))
    await pause(300)
    await refuses(router)
    // A line of the log takes another way than an answer.
    await pause(300)
    const said = (words: RegExp) => router.logLines().filter(({ msg }) => words.test(msg))
    // Once, or once for each worker that has met it.
    const alarms = said(/the store refuses writes/)
    expect(alarms.map(({ level, refusal }) => [level, refusal])).toContainEqual(['error', 'the disk is full'])
    expect(alarms.length).toBeLessThanOrEqual(Number(process.env['VIADUCT_WORKERS'] || 1))
    unlinkSync(join(inside, 'filler'))
    const back = performance.now()
    let answer: Answer | null = null
    while (answer?.status !== 200 && performance.now() - back < 10_000) {
      answer = await register(router, 'late')
      await pause(100)
    }
    process.stdout.write(
      `full disk: 200 again ${((performance.now() - back) / 1000).toFixed(1)} s after space returned\n`,
    )
    expect(answer?.status).toBe(200)
    expect((await message(router, 'late'))?.status).toBe(200)
    await pause(1_200)
    expect(said(/the store takes writes again/)).toHaveLength(alarms.length)
    expect(await router.stop()).toBe(0)
  })

  test('1,000 REGISTERs against a disk that fills up under them: each 200 is true after a restart', async () => {
    mkdirSync(data)
    // The disk outlives the routers: it belongs to a process that does nothing else.
    const disk = lab.start(null, 'unshare', [
      '-m',
      'sh',
      '-c',
      `mount -t tmpfs -o size=400k none ${data}; echo ready; exec sleep 60`,
    ])
    await disk.prints(/ready/)
    const enter = ['nsenter', '-m', '-t', String(disk.child.pid), '--']
    const first = await start(enter)
    const outcomes = new Map<string, number>()
    for (let n = 0; n < 1_000; n += 25) {
      const users = Array.from({ length: 25 }, (_, i) => `full${n + i}`)
      const answers = await Promise.all(users.map((user) => register(first, user)))
      for (const [i, user] of users.entries()) outcomes.set(user, answers[i]?.status ?? 0)
    }
    const told = [...outcomes].filter(([, status]) => status === 200).map(([user]) => user)
    const refused = [...outcomes].filter(([, status]) => status === 503).map(([user]) => user)
    process.stdout.write(`disk filling up: ${told.length} times 200, ${refused.length} times 503\n`)
    expect(told.length + refused.length).toBe(1_000)
    expect(refused.length).toBeGreaterThan(10)
    await first.kill()
    // The disk is still full: an existing directory is opened all the same.
    const second = await start(enter)
    for (const user of told) expect(await bindingsOf(second, user), user).toHaveLength(1)
    for (const user of refused) expect(await bindingsOf(second, user), user).toEqual([])
    expect(await second.stop()).toBe(0)
  })

  test('what a commit could not take is never told the outcome of a later one', async () => {
    mkdirSync(data)
    const child = lab.start(null, 'prlimit', ['--fsize=262144', nodePath, childPath, data])
    await child.exited
    const [line = ''] = /^\[\[.*$/m.exec(child.output) ?? []
    const outcomes = new Map<string, boolean>(JSON.parse(line))
    expect(outcomes.size).toBe(16)
    const store = await openStore({ directory: data, log: silentLog, clock: systemClock() })
    const names = store.open<string>('names')
    const isThere = [...outcomes.keys()].map((name) => [name, names.get(name) !== undefined])
    await store.close()
    expect(isThere).toEqual([...outcomes])
    expect(outcomes.get('first')).toBe(true)
    expect(outcomes.get('large0')).toBe(false)
  })

  test('a disk that is full from the beginning is an error that says so, and no crash', async () => {
    mkdirSync(data)
    const mounts = `mount -t tmpfs -o size=64k none ${data}; head -c 65536 /dev/zero > ${data}/filler`
    const failed = await start(inNamespace(mounts)).catch((error: Error) => error)
    expect(String(failed)).toMatch(/"level":"fatal".*is full/)
  }, 30_000)

  test('a store file that is damaged is moved aside, reported, and the service starts', async () => {
    const path = join(data, 'viaduct.mdb')
    const damages: Record<string, () => void> = {
      // Three pages: so many bindings never fit in there, while the end of a file may be unused.
      'cut off': () => truncateSync(path, 12_288),
      garbage: () => writeFileSync(path, randomFillSync(Buffer.alloc(40_960))),
      'of another program': () => writeFileSync(path, 'PK\x03\x04 this is no database\n'),
    }
    let router = await start()
    for (const [what, damage] of Object.entries(damages)) {
      const users = Array.from({ length: 60 }, (_, n) => `user${n}`)
      const answers = await Promise.all(users.map((user) => register(router, user)))
      expect(answers.filter((answer) => answer?.status === 200)).toHaveLength(60)
      expect(await router.stop()).toBe(0)
      damage()
      router = await start()
      const said = router.logLines().find(({ level }) => level === 'error')
      expect(said?.msg, what).toMatch(/damaged: moved aside/)
      expect(existsSync(String(said?.['aside'])), what).toBe(true)
      expect(await bindingsOf(router, 'user1'), what).toEqual([])
    }
    expect(readdirSync(data).filter((name) => name.startsWith('viaduct.mdb.damaged-'))).toHaveLength(3)
  })
})

const childPath = fileURLToPath(new URL('./store-child.ts', import.meta.url))

/** Status, and whether Retry-After says when to come back. */
function statusAnd(answer: Answer | null): [number, boolean] {
  return [answer?.status ?? 0, /^Retry-After: \d+/im.test(answer?.text ?? '')]
}
