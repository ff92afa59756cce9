import { execFile, execFileSync } from 'node:child_process'
import { copyFileSync, existsSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Caller, request } from './caller.ts'
import { Lab, mainPath, nodePath } from './lab.ts'
import { startOracle, stopOracle } from './oracle.ts'
import { type Router, startRouter } from './router.ts'

/** Care of the store: copies of one that is in use, compaction, and the command that moves location tables. */
const execute = promisify(execFile)
const script = 'test/wire/scripts/location.cfg'

describe('viaduct location', { timeout: 60_000 }, () => {
  let lab: Lab
  let caller: Caller
  let data: string
  beforeEach(async () => {
    lab = new Lab()
    caller = await Caller.open()
    data = join(lab.directory, 'data')
  })
  let stopLoad: () => Promise<void> = () => Promise.resolve()
  afterEach(async () => {
    await stopLoad()
    caller.close()
    await lab.close()
  })

  const location = (...words: string[]) =>
    execute(nodePath, [mainPath, 'location', ...words], { maxBuffer: 256 << 20 })

  async function register(router: { port: number }, user: string): Promise<boolean> {
    const headers = `Contact: <sip:${user}@192.0.2.1>\r\nExpires: 3600\r\n`
    const text = request(caller, router.port, { method: 'REGISTER', user, headers })
    return (await caller.ask(text, router.port, { retryMilliseconds: 400 }))?.status === 200
  }

  /** Registers one user after the other until it is told to stop; who was answered by then. */
  function registering(router: Router, from: string): { answered: string[]; stop(): Promise<void> } {
    const answered: string[] = []
    let isOver = false
    const work = (async () => {
      for (let n = 0; !isOver; n += 20) {
        const users = Array.from({ length: 20 }, (_, i) => `${from}${n + i}`)
        const told = await Promise.all(users.map((user) => register(router, user)))
        answered.push(...users.filter((_, i) => told[i]))
      }
    })()
    stopLoad = async () => {
      isOver = true
      await work
    }
    return { answered, stop: stopLoad }
  }

  async function usersIn(directory: string): Promise<Set<string>> {
    const { stdout } = await location('export', '--store', directory, '--format', 'csv')
    return new Set(
      stdout
        .split('\n')
        .slice(1)
        .map((line) => line.split(',')[0] ?? ''),
    )
  }

  test('a backup while the router writes has all that was answered before it began', async () => {
    const router = await startRouter(lab, script, { data })
    const load = registering(router, 'u')
    for (const name of ['one', 'two']) {
      const copy = join(lab.directory, name)
      const before = [...load.answered]
      await location('backup', copy, '--store', data)
      const during = load.answered.length - before.length
      expect(during).toBeGreaterThan(0)
      const found = await usersIn(copy)
      expect(before.filter((user) => !found.has(user))).toEqual([])
      await expect(location('backup', copy, '--store', data)).rejects.toThrow('there is a store in')
    }
    await load.stop()
    expect(await router.stop()).toBe(0)
    // And a router starts on it.
    const copied = await startRouter(lab, script, { data: join(lab.directory, 'two') })
    expect(await register(copied, 'late')).toBe(true)
    expect(await copied.stop()).toBe(0)
  })

  test('compaction gives back what is free, and is refused while a router runs', async () => {
    const router = await startRouter(lab, script, { data })
    const load = registering(router, 'u')
    while (load.answered.length < 1_000) await new Promise((next) => setTimeout(next, 20))
    await load.stop()
    await expect(location('compact', '--store', data)).rejects.toThrow(/in use by process/)
    expect(await router.stop()).toBe(0)
    const before = statSync(join(data, 'viaduct.mdb')).size
    await location('compact', '--store', data)
    expect(statSync(join(data, 'viaduct.mdb')).size).toBeLessThan(before)
    const found = await usersIn(data)
    expect(load.answered.filter((user) => !found.has(user))).toEqual([])
    const again = await startRouter(lab, script, { data })
    expect(await register(again, 'u0')).toBe(true)
    expect(await again.stop()).toBe(0)
  })

  test("Kamailio's dump and its database come into a store, and go back", async () => {
    const database = join(lab.directory, 'location.sqlite')
    for (const name of ['standard', 'usrloc']) {
      execFileSync('sqlite3', [database, `.read /usr/share/kamailio/db_sqlite/${name}-create.sql`])
    }
    const socket = join(lab.directory, 'ctl')
    const withControl = join(lab.directory, 'with-control.cfg')
    const sql = new URL('./scripts/location-sql.cfg', import.meta.url).pathname
    writeFileSync(
      withControl,
      `include_file "${sql}"\nloadmodule "ctl.so"\nmodparam("ctl", "binrpc", "unix:${socket}")\n`,
    )
    const kamailio = await startOracle(lab, 'kamailio', withControl, { DATABASE: database, MODE: 1 })
    const users = Array.from({ length: 50 }, (_, n) => `u${n}`)
    for (const user of users) expect(await register(kamailio, user)).toBe(true)
    const dump = join(lab.directory, 'dump.txt')
    writeFileSync(dump, execFileSync('kamcmd', ['-s', `unix:${socket}`, 'ul.dump']))
    await stopOracle(kamailio)

    const { stderr } = await location('import', dump, '--from', 'kamcmd', '--store', data)
    expect(stderr).toContain('50 read, 50 added')
    expect([...(await usersIn(data))].filter((user) => user !== '').toSorted()).toEqual(users.toSorted())
    const second = await location('import', database, '--from', 'sqlite', '--store', data)
    expect(second.stderr).toMatch(/50 read, 0 added, 50 the same/)

    // Back: into a database that is made here, which Kamailio takes for its own.
    const made = join(lab.directory, 'made.sqlite')
    await location('export', made, '--format', 'sqlite', '--store', data)
    const json = join(lab.directory, 'dump.json')
    await location('export', json, '--store', data)
    const fromJson = await location('import', json, '--db', made)
    expect(fromJson.stderr).toMatch(/50 read, 0 added, 50 the same/)
    copyFileSync(made, database)
    expect(existsSync(`${made}-wal`)).toBe(false)
    const again = await startOracle(lab, 'kamailio', sql, { DATABASE: database, MODE: 3 })
    for (const user of users) {
      const text = request(caller, again.port, { method: 'MESSAGE', user })
      expect((await caller.ask(text, again.port, { retryMilliseconds: 400 }))?.status).toBe(200)
    }
    await stopOracle(again)
  })

  test('a dump with faults is taken as far as it can be, and ends with 1', async () => {
    const dump = join(lab.directory, 'dump.csv')
    writeFileSync(dump, 'aor,Address,Expires\nx,sip:x@192.0.2.1,4000000000\ny,,4000000000\n')
    const outcome = location('import', dump, '--from', 'csv', '--store', data)
    await expect(outcome).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringMatching(
        /dump\.csv:3: y: a binding without an Address\n1 read, 1 added, 1 not understood/,
      ),
    })
    expect([...(await usersIn(data))]).toContain('x')
  })
})
