import { execFileSync } from 'node:child_process'
import { readFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Caller, contactsOf, pause, request } from './caller.ts'
import { Lab, projectRoot } from './lab.ts'
import { type Oracle, startOracle, stopOracle } from './oracle.ts'

/**
 * usrloc's db_mode on sqlite: the table that Kamailio's own scripts make, filled by one server and read by the other,
 * with Kamailio 5.6.3 as the other one.
 */
const script = join(projectRoot, 'test/wire/scripts/location-sql.cfg')
const schemas = '/usr/share/kamailio/db_sqlite'
const both = ['kamailio', 'viaduct'] as const

function createDatabase(path: string): void {
  const database = new DatabaseSync(path)
  for (const name of ['standard', 'usrloc']) {
    database.exec(readFileSync(`${schemas}/${name}-create.sql`, 'utf8'))
  }
  database.close()
}

describe("Kamailio's location table", { timeout: 60_000 }, () => {
  let lab: Lab
  let caller: Caller
  let database: string
  beforeEach(async () => {
    lab = new Lab()
    caller = await Caller.open()
    database = join(lab.directory, 'location.sqlite')
    createDatabase(database)
  })
  afterEach(async () => {
    caller.close()
    await lab.close()
  })

  const start = (name: Oracle['name'], mode: number) =>
    startOracle(lab, name, script, { DATABASE: database, MODE: mode })

  async function register(server: Oracle, user: string, headers: string): Promise<number | undefined> {
    const text = request(caller, server.port, { method: 'REGISTER', user, headers })
    return (await caller.ask(text, server.port, { retryMilliseconds: 400 }))?.status
  }

  /** What the server says of a user, but for what differs on purpose. */
  async function found(server: Oracle, user: string): Promise<string | null> {
    const text = request(caller, server.port, { method: 'MESSAGE', user })
    const answer = await caller.ask(text, server.port, { retryMilliseconds: 400 })
    return /^X-Found: (.*)\r$/m.exec(answer?.text ?? '')?.[1] ?? null
  }

  const devices = {
    plain: 'Contact: <sip:plain@10.0.0.1:5060>\r\n',
    full:
      'Contact: <sip:full@10.0.0.2:5062;transport=udp>;q=0.25;expires=600\r\nSupported: path\r\n' +
      'Path: <sip:p1.example.com;lr>, <sip:p2.example.com;lr>\r\nUser-Agent: Phone "two", 1\r\nAllow: INVITE, MESSAGE\r\n',
    instance: 'Contact: <sip:x@10.0.0.3>;+sip.instance="<urn:uuid:00000000-0000-1000-8000-AABBCCDDEEFF>"\r\n',
    several: 'Contact: <sip:one@10.0.0.4>;q=0.9, <sip:two@10.0.0.4>;q=0.5\r\n',
  }

  test.each([1, 2, 3].flatMap((mode) => both.map((writer) => ({ mode, writer }))))(
    'db_mode $mode: what $writer was told, the other one knows',
    async ({ mode, writer }) => {
      const reader = writer === 'kamailio' ? 'viaduct' : 'kamailio'
      const first = await start(writer, mode)
      for (const [user, headers] of Object.entries(devices))
        expect(await register(first, user, headers)).toBe(200)
      expect(await register(first, 'gone', devices.plain)).toBe(200)
      expect(await register(first, 'gone', 'Contact: *\r\nExpires: 0\r\n')).toBe(200)
      const told = new Map<string, string | null>()
      for (const user of Object.keys(devices)) told.set(user, await found(first, user))
      await stopOracle(first)

      const second = await start(reader, mode)
      for (const user of Object.keys(devices)) expect(await found(second, user)).toBe(told.get(user))
      expect(await found(second, 'gone')).toBe(null)
      // And on: a refresh by the other one, which the first one finds.
      expect(await register(second, 'plain', devices.plain)).toBe(200)
      const refreshed = await found(second, 'plain')
      await stopOracle(second)
      const again = await start(writer, mode)
      expect(await found(again, 'plain')).toBe(refreshed)
      expect(rows(database, "username = 'plain'")).toHaveLength(1)
      await stopOracle(again)
    },
  )

  test('db_mode 4 loads, and writes nothing', async () => {
    const first = await start('kamailio', 1)
    expect(await register(first, 'plain', devices.plain)).toBe(200)
    await stopOracle(first)
    const second = await start('viaduct', 4)
    expect(await found(second, 'plain')).toContain('sip:plain@10.0.0.1:5060')
    expect(await register(second, 'new', devices.full)).toBe(200)
    await stopOracle(second)
    expect(rows(database, '1').map(({ username }) => username)).toEqual(['plain'])
  })

  test('db_mode 1: kill -9 loses nothing that was answered', async () => {
    const first = await start('viaduct', 1)
    const users = Array.from({ length: 200 }, (_, n) => `u${n}`)
    const answers = await Promise.all(users.map((user) => register(first, user, devices.plain)))
    first.process.signal('SIGKILL')
    await first.process.exited
    const answered = users.filter((_, n) => answers[n] === 200)
    expect(answered).toHaveLength(users.length)
    const kept = new Set(rows(database, '1').map(({ username }) => username))
    expect(answered.filter((user) => !kept.has(user))).toEqual([])
  })

  test.each([1, 3])(
    'db_mode %i: a database that is locked is 503, one line of the log, and 200 again',
    async (mode) => {
      const server = await start('viaduct', mode)
      expect(await register(server, 'early', devices.plain)).toBe(200)
      const lock = new DatabaseSync(database)
      lock.exec('BEGIN IMMEDIATE')
      const refused = await caller.ask(
        request(caller, server.port, { method: 'REGISTER', user: 'late', headers: devices.plain }),
        server.port,
        { milliseconds: 8_000 },
      )
      expect(refused?.status).toBe(503)
      expect(await found(server, 'early')).toContain('sip:plain@10.0.0.1:5060')
      expect(await found(server, 'late')).toBe(null)
      lock.exec('ROLLBACK')
      lock.close()
      await pause(1_200)
      expect(await register(server, 'late', devices.plain)).toBe(200)
      expect(server.process.output.match(/the database takes no registrations/g)).toHaveLength(1)
      expect(server.process.output.match(/the database takes registrations again/g)).toHaveLength(1)
      await stopOracle(server)
    },
  )

  test('a file that is gone, and one without the table, end the start with a line that says so', async () => {
    renameSync(database, `${database}.away`)
    await expect(start('viaduct', 2)).rejects.toThrow(/there is no database file/)
    execFileSync('sqlite3', [database, 'CREATE TABLE other (x INTEGER)'])
    await expect(start('viaduct', 2)).rejects.toThrow(/usrloc-create\.sql/)
  })

  test('db_mode 3: a table that cannot be read is 503 too, and what asks for bindings finds none', async () => {
    const server = await start('viaduct', 3)
    expect(await register(server, 'early', devices.plain)).toBe(200)
    execFileSync('sqlite3', [database, 'ALTER TABLE location RENAME TO away'])
    expect(await register(server, 'early', devices.plain)).toBe(503)
    expect(await found(server, 'early')).toBe(null)
    execFileSync('sqlite3', [database, 'ALTER TABLE away RENAME TO location'])
    expect(await found(server, 'early')).toContain('sip:plain@10.0.0.1:5060')
    expect(server.process.output.match(/the database does not answer/g)).toHaveLength(1)
    expect(server.process.output.match(/the database answers again/g)).toHaveLength(1)
    await stopOracle(server)
  })

  test('the contacts of a REGISTER that only asks are those of the table', async () => {
    const server = await start('viaduct', 3)
    expect(await register(server, 'several', devices.several)).toBe(200)
    const text = request(caller, server.port, { method: 'REGISTER', user: 'several' })
    expect(contactsOf(await caller.ask(text, server.port))).toEqual(['sip:one@10.0.0.4', 'sip:two@10.0.0.4'])
    await stopOracle(server)
  })
})

function rows(path: string, where: string): { username: string }[] {
  const database = new DatabaseSync(path)
  try {
    return database.prepare(`SELECT username FROM location WHERE ${where} ORDER BY id`).all() as {
      username: string
    }[]
  } finally {
    database.close()
  }
}
