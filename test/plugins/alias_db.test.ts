import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, it, test } from 'vitest'
import aliases from '../../plugins/alias_db/index.ts'
import { requestText } from './digest-client.ts'
import { createStand } from './stand.ts'

const path = join(mkdtempSync(join(tmpdir(), 'viaduct-alias-')), 'x.db')
const sqlite = new DatabaseSync(path)
sqlite.exec(
  'CREATE TABLE dbaliases (id INTEGER PRIMARY KEY, alias_username TEXT, alias_domain TEXT, username TEXT, domain TEXT);' +
    'INSERT INTO dbaliases (alias_username, alias_domain, username, domain) VALUES ' +
    "('sales', 'example.com', 'alice', 'a.example'), ('sales', 'example.org', 'bob', 'b.example'), ('o''neil', 'example.com', 'oneil', 'c.example')",
)
sqlite.close()

async function lookup(uri: string, values: Record<string, unknown> = {}, flags?: string) {
  const stand = createStand()
  const bench = await stand.load(aliases, { db_url: `sqlite:///${path}`, ...values })
  const context = stand.context(requestText({ method: 'INVITE', uri }))
  const code = bench.call('alias_db_lookup', context, 'dbaliases', flags)
  return {
    code,
    uri: context.target.uri,
    branches: context.branches.map((target) => target.uri),
    bench,
    stand,
    context,
  }
}

test.each<[string, Record<string, unknown>, string | undefined, number, string]>([
  ['sip:sales@example.com', {}, undefined, 1, 'sip:alice@a.example'],
  ['sip:sales@any.where;user=phone', {}, undefined, 1, 'sip:alice@a.example'],
  ['sip:nobody@example.com', {}, undefined, -1, 'sip:nobody@example.com'],
  ['sip:example.com', {}, undefined, -1, 'sip:example.com'],
  ['sip:sales@example.org', { use_domain: 1 }, undefined, 1, 'sip:bob@b.example'],
  ['sip:sales@EXAMPLE.org', { use_domain: 1 }, undefined, 1, 'sip:bob@b.example'],
  ['sip:sales@other.org', { use_domain: 1 }, undefined, -1, 'sip:sales@other.org'],
  ['sip:sales@other.org', { use_domain: 1 }, 'd', 1, 'sip:alice@a.example'],
  ['sip:sales@example.org', {}, 'u', 1, 'sip:bob@b.example'],
  ['sip:sales@sip.example.org', { use_domain: 1, domain_prefix: 'sip.' }, undefined, 1, 'sip:bob@b.example'],
  ['sip:alice@a.example', {}, 'r', 1, 'sip:sales@example.com'],
  ["sip:o'neil@example.com", {}, undefined, 1, 'sip:oneil@c.example'],
  ["sip:x'%20OR%20'1'='1@example.com", {}, undefined, -1, "sip:x'%20OR%20'1'='1@example.com"],
])('%s with %j, flags %s: %i, %s', async (uri, values, flags, code, result) => {
  expect(await lookup(uri, values, flags)).toMatchObject({ code, uri: result })
})

it('further rows become branches with append_branches', async () => {
  expect((await lookup('sip:sales@example.com')).branches).toEqual([])
  expect((await lookup('sip:sales@example.com', { append_branches: 1 })).branches).toEqual([
    'sip:bob@b.example',
  ])
})

it('a flow that an earlier lookup() found is forgotten: it belongs to the old URI', async () => {
  const { bench, stand } = await lookup('sip:nobody@example.com')
  const context = stand.context(requestText({ method: 'INVITE', uri: 'sip:sales@example.com' }))
  context.target.flow = context.flow
  expect(bench.call('alias_db_lookup', context, 'dbaliases')).toBe(1)
  expect(context.target.flow).toBeNull()
  expect(context.requestUriChanged).toBe(true)
})

it('a failing database is -1 and a log line', async () => {
  const { bench, stand, context } = await lookup('sip:sales@example.com')
  expect(bench.call('alias_db_lookup', context, 'no_such_table')).toBe(-1)
  expect(stand.log.messages('error')).toHaveLength(1)
})

it('needs db_url, and a name as table', async () => {
  await expect(createStand().load(aliases)).rejects.toThrow('db_url')
  const { bench, context } = await lookup('sip:sales@example.com')
  expect(() => bench.call('alias_db_lookup', context, 'x; DROP TABLE y')).toThrow('no name')
})
