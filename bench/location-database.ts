import { readFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import type { Stand } from './generator.ts'

/** Where Debian's kamailio-sqlite-modules keeps the statements that create tables. */
const schemas = '/usr/share/kamailio/db_sqlite'

/** A location table as Kamailio would have left it, of as many users as the generator knows. */
export function fillDatabase(path: string, contacts: number, { serverPort, calleePort }: Stand): void {
  const database = new DatabaseSync(path)
  for (const schema of ['standard', 'usrloc']) {
    database.exec(readFileSync(`${schemas}/${schema}-create.sql`, 'utf8'))
  }
  const insert = database.prepare(
    `INSERT INTO location (ruid, username, contact, expires, callid, cseq, last_modified, user_agent, socket,
       methods, flags, cflags, reg_id, server_id, connection_id, keepalive, partition, q)
     VALUES (?, ?, ?, ?, ?, 1, ?, 'sipgen/1.0 (bench)', ?, NULL, 0, 0, 0, 0, 0, 0, 0, -1.0)`,
  )
  const now = julianDay(Date.now())
  const expires = julianDay(Date.now() + 7_200_000)
  database.exec('BEGIN')
  for (let index = 0; index < contacts; index++) {
    const user = `u${String(index).padStart(7, '0')}`
    const callId = `c${index.toString(16).padStart(8, '0')}@127.0.0.1`
    const contact = `sip:${user}@127.0.0.1:${calleePort}`
    const socket = `udp:127.0.0.1:${serverPort}`
    insert.run(`uloc-${index.toString(16)}-1`, user, contact, expires, callId, now, socket)
  }
  database.exec('COMMIT')
  database.close()
}

/** Kamailio's db_sqlite keeps times so; a date as text is read without an error, and every lookup misses. */
function julianDay(milliseconds: number): number {
  return milliseconds / 86_400_000 + 2_440_587.5
}
