import { mkdirSync, mkdtempSync, readFileSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, it, test } from 'vitest'
import { DatabaseError } from '../../src/database/database.ts'
import { createOpenDatabase } from '../../src/database/index.ts'
import { collectingLog } from '../../src/testing/log.ts'

function directory(): string {
  return mkdtempSync(join(tmpdir(), 'viaduct-database-'))
}

function opener(base: string) {
  const log = collectingLog()
  const open = createOpenDatabase((path) => (path.startsWith('/') ? path : join(base, path)), log)
  return { open, log }
}

function sqliteFile(base: string, name = 'x.db'): string {
  const path = join(base, name)
  const sqlite = new DatabaseSync(path)
  sqlite.exec(
    "CREATE TABLE t (name TEXT, n INTEGER, b BLOB); INSERT INTO t VALUES ('alice', 1, x'00ff'), (NULL, 2, NULL)",
  )
  sqlite.close()
  return path
}

describe('URLs', () => {
  it('four slashes: absolute; three: relative to the script, or else absolute (measured on Kamailio 5.6.3)', async () => {
    const base = directory()
    const path = sqliteFile(base)
    const { open } = opener(base)
    for (const url of [`sqlite:///${path}`, 'sqlite:///x.db', `sqlite://${path}`]) {
      const database = open(url)
      expect(await database.query('SELECT n FROM t')).toEqual([{ n: 1 }, { n: 2 }])
      await database.close()
    }
  })

  test.each([
    [
      'mysql://kamailio:kamailiorw@localhost/kamailio',
      'mysql databases are not supported (mysql://kamailio:***@',
    ],
    ['nonsense', 'no database URL'],
    ['sqlite://x.db', 'lacks a slash'],
    ['sqlite:///missing.db', 'there is no database file'],
    ['text:///missing', 'there is no directory'],
  ])('%s: %s', (url, message) => {
    expect(() => opener(directory()).open(url)).toThrow(DatabaseError)
    expect(() => opener(directory()).open(url)).toThrow(message)
  })

  it('a file that is no database is told when it is opened', () => {
    const base = directory()
    writeFileSync(
      join(base, 'x.db'),
      'this is a text and no database, long enough to be looked at '.repeat(20),
    )
    expect(() => opener(base).open('sqlite:///x.db')).toThrow('is no SQLite database')
  })

  it('two who open the same share it; it closes with the last', async () => {
    const base = directory()
    sqliteFile(base)
    const { open } = opener(base)
    const [first, second] = [open('sqlite:///x.db'), open('sqlite:///x.db')]
    await first.close()
    await first.close()
    expect(second.querySync?.('SELECT 1 AS one')).toEqual([{ one: 1 }])
    await second.close()
    await expect(second.query('SELECT 1')).rejects.toThrow(DatabaseError)
  })
})

describe('sqlite', () => {
  it('gives rows by column name, with null and octets', async () => {
    const base = directory()
    sqliteFile(base)
    const database = opener(base).open('sqlite:///x.db')
    expect(await database.query('SELECT * FROM t WHERE n = ?', [1])).toEqual([
      { name: 'alice', n: 1, b: '\0\xff' },
    ])
    expect(await database.query('SELECT name FROM t WHERE n = ?', [2])).toEqual([{ name: null }])
    expect(await database.execute('UPDATE t SET n = n + ?', [10])).toEqual({ changes: 2 })
  })

  it('texts are UTF-8 in the database and octets outside', async () => {
    const base = directory()
    sqliteFile(base)
    const database = opener(base).open('sqlite:///x.db')
    const octets = Buffer.from('jörg', 'utf8').toString('latin1')
    await database.execute('INSERT INTO t (name, n) VALUES (?, 3)', [octets])
    expect(
      await database.query('SELECT name, length(name) AS characters FROM t WHERE name = ?', [octets]),
    ).toEqual([{ name: octets, characters: 4 }])
  })

  it('every error is a DatabaseError that names the statement', async () => {
    const base = directory()
    sqliteFile(base)
    const database = opener(base).open('sqlite:///x.db')
    await expect(database.query('SELECT * FROM nowhere')).rejects.toThrow(
      /SELECT \* FROM nowhere: no such table/,
    )
    await expect(database.query('SELECT ?', [])).resolves.toHaveLength(1)
    await expect(database.query('SELECT 1', [1, 2])).rejects.toThrow(DatabaseError)
    await expect(database.execute('INSERT INTO t (nope) VALUES (1)')).rejects.toThrow(DatabaseError)
  })

  it('parameters never become part of the statement', async () => {
    const base = directory()
    sqliteFile(base)
    const database = opener(base).open('sqlite:///x.db')
    expect(await database.query('SELECT n FROM t WHERE name = ?', ["x' OR '1'='1"])).toEqual([])
  })
})

describe('text', () => {
  function tables() {
    const base = directory()
    const path = join(base, 'dbtext')
    mkdirSync(path)
    writeFileSync(
      join(path, 'subscriber'),
      'id(int,auto) username(string) password(string,null)\n1:alice:sec\\:ret\n\n2:bob:back\\\\slash\n3:carol:\n',
    )
    writeFileSync(join(path, 'README.md'), 'not a table')
    return { base, path, ...opener(base) }
  }

  it('reads the tables of a directory', async () => {
    const { open, path } = tables()
    const database = open(`text://${path}`)
    expect(await database.query('SELECT id, password FROM subscriber ORDER BY id')).toEqual([
      { id: 1, password: 'sec:ret' },
      { id: 2, password: 'back\\slash' },
      { id: 3, password: '' },
    ])
  })

  it('reads a table again that somebody changed', async () => {
    const { open, path } = tables()
    const database = open(`text://${path}`)
    const file = join(path, 'subscriber')
    writeFileSync(file, 'id(int) username(string) password(string)\n9:dave:x\n')
    utimesSync(file, 2_000_000_000, 2_000_000_000)
    expect(database.querySync?.('SELECT username FROM subscriber')).toEqual([{ username: 'dave' }])
  })

  it('writes what a statement changes back to its file', async () => {
    const { open, path } = tables()
    const database = open(`text://${path}`)
    await database.execute("UPDATE subscriber SET password = ? WHERE username = 'alice'", ['a:b\n\\'])
    expect(readFileSync(join(path, 'subscriber'), 'latin1').split('\n').slice(0, 2)).toEqual([
      'id(int,auto) username(string) password(string,null)',
      '1:alice:a\\:b\\n\\\\',
    ])
    expect(await open(`text://${path}`).query('SELECT password FROM subscriber WHERE id = 1')).toEqual([
      { password: 'a:b\n\\' },
    ])
  })

  it('a table that cannot be read is left out, with a line that says where', () => {
    const { open, path, log } = tables()
    writeFileSync(join(path, 'bad'), 'a(int) b(int)\n1:2\n1:2:3\n')
    writeFileSync(join(path, 'worse'), 'no columns\n')
    const database = open(`text://${path}`)
    expect(database.querySync?.('SELECT count(*) AS n FROM subscriber')).toEqual([{ n: 3 }])
    expect(() => database.querySync?.('SELECT * FROM bad')).toThrow('no such table')
    expect(log.messages('warn')).toEqual([
      'text table not read: line 3 has 3 fields, the table has 2 columns',
      'text table not read: "no" in its first line is no column such as username(string)',
    ])
  })
})
