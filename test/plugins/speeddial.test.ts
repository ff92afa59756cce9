import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, it, test } from 'vitest'
import speeddial from '../../plugins/speeddial/index.ts'
import { requestText } from './digest-client.ts'
import { createStand } from './stand.ts'

const path = join(mkdtempSync(join(tmpdir(), 'viaduct-speeddial-')), 'x.db')
const sqlite = new DatabaseSync(path)
sqlite.exec(
  'CREATE TABLE speed_dial (username TEXT, domain TEXT, sd_username TEXT, sd_domain TEXT, new_uri TEXT);' +
    "INSERT INTO speed_dial VALUES ('alice', 'example.com', '1', 'example.com', 'sip:bob@b.example'), ('bob', 'example.com', '1', 'example.com', 'sip:alice@a.example')",
)
sqlite.close()

test.each<[string, Record<string, unknown>, string | undefined, number, string]>([
  ['sip:1@any.where', {}, undefined, 1, 'sip:bob@b.example'],
  ['sip:1@example.com', {}, 'sip:bob@x', 1, 'sip:alice@a.example'],
  ['sip:2@example.com', {}, undefined, -1, 'sip:2@example.com'],
  ['sip:1@example.com', { use_domain: 1 }, undefined, 1, 'sip:bob@b.example'],
  ['sip:1@other.org', { use_domain: 1 }, undefined, -1, 'sip:1@other.org'],
  ['sip:example.com', {}, undefined, -1, 'sip:example.com'],
])('%s with %j, owner %s: %i, %s', async (uri, values, owner, code, result) => {
  const stand = createStand()
  const bench = await stand.load(speeddial, { db_url: `sqlite:///${path}`, ...values })
  const context = stand.context(requestText({ method: 'INVITE', uri }))
  expect(bench.call('sd_lookup', context, 'speed_dial', owner)).toBe(code)
  expect(context.target.uri).toBe(result)
})

it('a failing database is -1 and a log line', async () => {
  const stand = createStand()
  const bench = await stand.load(speeddial, { db_url: `sqlite:///${path}` })
  expect(bench.call('sd_lookup', stand.context(requestText({ uri: 'sip:1@x' })), 'nowhere')).toBe(-1)
  expect(stand.log.messages('error')).toHaveLength(1)
})
