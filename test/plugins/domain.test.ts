import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, it, test } from 'vitest'
import domain from '../../plugins/domain/index.ts'
import { requestText } from './digest-client.ts'
import { createStand } from './stand.ts'

function tables(): { url: string; sqlite: DatabaseSync } {
  const path = join(mkdtempSync(join(tmpdir(), 'viaduct-domain-')), 'x.db')
  const sqlite = new DatabaseSync(path)
  sqlite.exec('PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY')
  sqlite.exec(
    'CREATE TABLE domain (id INTEGER PRIMARY KEY, domain TEXT, did TEXT);' +
      "INSERT INTO domain (domain, did) VALUES ('example.com', 'one'), ('Example.NET', NULL);" +
      'CREATE TABLE domain_attrs (id INTEGER PRIMARY KEY, did TEXT, name TEXT, type INT, value TEXT);' +
      "INSERT INTO domain_attrs (did, name, type, value) VALUES ('one', 'limit', 0, '5'), ('one', 'label', 2, 'x')",
  )
  return { url: `sqlite:///${path}`, sqlite }
}

test.each([
  ['example.com', 1],
  ['EXAMPLE.com', 1],
  ['example.net', 1],
  ['small.example', 1],
  ['example.org', -1],
  ['__proto__', -1],
])('is_domain_local(%s) is %i', async (name, code) => {
  const stand = createStand()
  const bench = await stand.load(domain, { db_url: tables().url, domain: ['small.example'] })
  const context = stand.context(requestText({ uri: `sip:bob@${name}`, from: `<sip:alice@${name}>` }))
  expect(bench.call('is_domain_local', context, name)).toBe(code)
  expect(bench.call('is_uri_host_local', context)).toBe(code)
  expect(bench.call('is_from_local', context)).toBe(code)
})

it('lookup_domain gives identity and attributes', async () => {
  const stand = createStand()
  const bench = await stand.load(domain, { db_url: tables().url })
  const context = stand.context(requestText())
  expect(bench.call('lookup_domain', context, 'example.com', 'd_')).toBe(1)
  expect(['d_did', 'd_limit', 'd_label'].map((name) => context.scope.avps.get(name, 0))).toEqual([
    'one',
    5,
    'x',
  ])
  expect(bench.call('lookup_domain', context, 'example.org')).toBe(-1)
})

it('register_myself makes them our own names; reload reads them again', async () => {
  const stand = createStand()
  const { url, sqlite } = tables()
  const bench = await stand.load(domain, { db_url: url, register_myself: 1 })
  const { sockets } = stand.host
  expect([sockets.isMyself('example.com', 0), sockets.isMyself('example.org', 0)]).toEqual([true, false])
  sqlite.exec("UPDATE domain SET domain = 'example.org' WHERE did = 'one'")
  expect(sockets.isMyself('example.org', 0)).toBe(false)
  await bench.rpc('domain.reload')
  expect([sockets.isMyself('example.com', 0), sockets.isMyself('example.org', 0)]).toEqual([false, true])
  expect(bench.rpc('domain.dump')).toContainEqual({ domain: 'example.org', did: 'one' })
})
