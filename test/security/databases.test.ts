import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect } from 'vitest'
import { ladder } from '../../src/testing/index.ts'

/** Row 57: the database of users is gone, locked, or not what it was. */
describe('row 57', () => {
  for (const [what, spoil] of [
    ['the table is gone', (sqlite: DatabaseSync) => sqlite.exec('DROP TABLE subscriber')],
    [
      'the column is gone',
      (sqlite: DatabaseSync) => sqlite.exec('ALTER TABLE subscriber DROP COLUMN password'),
    ],
    ['somebody holds it locked', (sqlite: DatabaseSync) => sqlite.exec('BEGIN EXCLUSIVE')],
    [
      'the password is no text',
      (sqlite: DatabaseSync) => sqlite.exec("UPDATE subscriber SET password = x'00ff'"),
    ],
  ] as const) {
    const path = join(mkdtempSync(join(tmpdir(), 'viaduct-sql-')), 'users.db')
    const sqlite = new DatabaseSync(path)
    sqlite.exec('CREATE TABLE subscriber (username TEXT, domain TEXT, password TEXT)')
    sqlite.exec("INSERT INTO subscriber VALUES ('alice', 'example.com', 'secret')")
    const script = `
      loadmodule "tm.so"
      loadmodule "sl.so"
      loadmodule "auth.so"
      loadmodule "auth_db.so"
      modparam("auth_db", "db_url", "sqlite:///${path}")
      modparam("auth_db", "calculate_ha1", 1)
      modparam("auth_db", "password_column", "password")
      request_route {
        if ($rm == "OPTIONS") { sl_send_reply("200", "Alive"); exit; }
        $var(rc) = www_authenticate("example.com", "subscriber");
        if ($var(rc) == -1 || $var(rc) == -7) { sl_send_reply("503", "Later"); exit; }
        if ($var(rc) < 0) { www_challenge("example.com", "1"); exit; }
        sl_send_reply("200", "OK");
      }`
    ladder(`${what}: nobody gets in, and the others are served at once`, { script }, async (cast) => {
      const { alice, bob, advance } = cast
      const tries = async () => {
        await alice.sends('REGISTER sip:example.com')
        await alice.receives(401)
        await alice.authenticates({ username: 'alice', password: 'secret' })
      }
      await tries()
      await alice.receives(200)
      spoil(sqlite)
      await tries()
      await advance(5_000)
      const answers = alice.inbox.filter(({ isExpected }) => !isExpected)
      expect(answers.map(({ statusCode }) => statusCode)).toEqual([expect.toSatisfy((code) => code >= 400)])
      const began = performance.now()
      await bob.sends('OPTIONS sip:example.com')
      await bob.receives(200)
      expect(performance.now() - began).toBeLessThan(50)
    })
  }
})
