import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, describe, expect, test } from 'vitest'
import { compiler } from '../../../grammar/compile.ts'
import { loadScript } from '../../../src/script/engine.ts'
import { respond } from '../oracle.ts'
import { compare } from './compare.ts'
import { credentials, newCallId, request, type Talk } from './talk.ts'

/**
 * Kamailio's own configuration, as its package installs it, with WITH_AUTH and a database of two subscribers: the script
 * that somebody who comes from Kamailio has.
 */
const stock = '/etc/kamailio/kamailio.cfg'
const folder = mkdtempSync(join(tmpdir(), 'viaduct-stock-'))
const database = join(folder, 'kamailio.sqlite')

makeDatabase()
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const script = `#!KAMAILIO
#!define WITH_AUTH
#!define DBURL "sqlite:///${database}"
#!substdef "!SIPPORT!$def(PORT)!g"
listen=udp:127.0.0.1:SIPPORT
alias="example.com"
disable_tcp=yes
dns=no
rev_dns=no
server_header="Server: router"
mpath="/usr/lib/x86_64-linux-gnu/kamailio/modules/"
loadmodule "db_sqlite.so"
include_file "${stock}"
`

/** REGISTER without credentials, then with those of `user`, as often as it is challenged. */
const registering =
  (from: string, to: string, user: string, password: string, attempts: number) =>
  async ({ send, take, router }: Talk) => {
    const callId = newCallId()
    const options = { callId, from: `<sip:${from}@example.com>;tag=f`, to: `<sip:${to}@example.com>` }
    const headers = `Contact: <sip:${to}@{A}>;expires=600`
    send('A', request('REGISTER', '', { ...options, headers }))
    let challenge = await take('A')
    for (let cseq = 2; cseq < 2 + attempts; cseq++) {
      const answer = credentials(challenge, 'REGISTER', password, `sip:${router}`, { username: `"${user}"` })
      send(
        'A',
        request('REGISTER', '', { ...options, cseq, headers: `${headers}\nAuthorization: ${answer}` }),
      )
      challenge = await take('A')
    }
  }

if (existsSync(stock)) {
  compare('the stock configuration WITH_AUTH', { text: script }, [
    { title: 'a subscriber registers', talk: registering('1000', '1000', '1000', 'secret', 1) },
    { title: 'a wrong password', talk: registering('1000', '1000', '1000', 'guess', 2) },
    { title: 'an unknown user', talk: registering('3000', '3000', '3000', 'secret', 1) },
    {
      title: '1000 registers 2000: 401 for ever, and our log says why',
      talk: async (talk) => {
        await registering('1000', '2000', '1000', 'secret', 3)(talk)
        if (talk.oracle.name === 'kamailio') return
        const { process } = talk.oracle
        await process.prints(/auth_check flag 1/)
        const { output } = process
        expect(output).toMatch(/auth_check flag 1 demands that the credentials' user equals the To user/)
        expect(output).toMatch(/the password of 1000 was right, but From is 1000 and To is 2000/)
        expect(output).toMatch(/If 1000 may act for others, ask allow_third_party\(\) of module learn/)
      },
    },
    {
      title: 'a MESSAGE to a registered subscriber',
      talk: async (talk) => {
        await registering('2000', '2000', '2000', 'secret', 1)(talk)
        const { send, take } = talk
        const uri = 'sip:2000@example.com'
        const options = {
          callId: newCallId(),
          from: '<sip:1000@example.com>;tag=f',
          to: `<${uri}>`,
          uri,
        }
        send('A', request('MESSAGE', '', options))
        const challenge = await take('A')
        const answer = credentials(challenge, 'MESSAGE', 'secret', uri, { username: '"1000"' })
        send('A', request('MESSAGE', '', { ...options, cseq: 2, headers: `Proxy-Authorization: ${answer}` }))
        send('A', respond(await take('A'), '200 OK', { tag: 'callee' }))
        await take('A')
      },
    },
    {
      title: 'a foreign caller to a foreign place is not relayed',
      talk: async ({ send, take }) => {
        send(
          'A',
          request('MESSAGE', '', {
            from: '<sip:x@elsewhere.net>;tag=f',
            uri: 'sip:y@other.net',
            to: '<sip:y@other.net>',
          }),
        )
        await take('A')
      },
    },
    {
      title: 'a scanner gets nothing',
      talk: async ({ send, take }) => {
        send('A', request('OPTIONS', '', { headers: 'User-Agent: friendly-scanner' }))
        await take('A', 150)
      },
    },
    {
      title: 'OPTIONS without a user',
      talk: async ({ send, take }) => {
        send('A', request('OPTIONS', '', { uri: 'sip:example.com' }))
        await take('A', 300)
      },
    },
    {
      title: 'a call to nobody',
      talk: async ({ send, take, takeAll }) => {
        send(
          'A',
          request('INVITE', '', {
            from: '<sip:x@elsewhere.net>;tag=f',
            uri: 'sip:nobody@example.com',
            to: '<sip:nobody@example.com>',
          }),
        )
        await take('A')
        await takeAll(120)
      },
    },
    {
      title: 'in a dialogue that nobody knows',
      talk: async ({ send, take }) => {
        send('A', request('BYE', '', { uri: 'sip:1000@example.com', to: '<sip:1000@example.com>;tag=x' }))
        await take('A')
      },
    },
  ])

  describe('the loader', () => {
    test.each([
      'WITH_ACCDB',
      'WITH_ALIASDB',
      'WITH_ANTIFLOOD',
      'WITH_AUTH',
      'WITH_BLOCK3XX',
      'WITH_BLOCK401407',
      'WITH_DEBUG',
      'WITH_FEATURE',
      'WITH_IPAUTH',
      'WITH_MSGREBUILD',
      'WITH_MULTIDOMAIN',
      'WITH_MYSQL',
      'WITH_NATSIPPING',
      'WITH_PSTN',
      'WITH_RTPENGINE',
      'WITH_SPEEDDIAL',
      'WITH_USRLOCDB',
      'WITH_VOICEMAIL',
    ])('accepts the stock configuration with %s', async (define) => {
      const { diagnostics } = await loadScript({
        path: stock,
        compiler,
        environment: () => null,
        defines: new Map([
          [define, ''],
          ['DBURL', `"sqlite:///${database}"`],
        ]),
      })
      expect(diagnostics.filter(({ severity }) => severity === 'error')).toEqual([])
    })
  })
} else {
  test('the stock configuration is there', () => {
    throw new Error(`${stock} is not there: apt-get install kamailio`)
  })
}

/** Kamailio's tables, as its db_sqlite schema has them, with the columns that these modules look at. */
function makeDatabase(): void {
  const connection = new DatabaseSync(database)
  connection.exec(`
    CREATE TABLE version (table_name VARCHAR(32) NOT NULL, table_version INTEGER DEFAULT 0 NOT NULL);
    INSERT INTO version VALUES ('subscriber', 7);
    CREATE TABLE subscriber (
      id INTEGER PRIMARY KEY NOT NULL,
      username VARCHAR(64) DEFAULT '' NOT NULL,
      domain VARCHAR(64) DEFAULT '' NOT NULL,
      password VARCHAR(64) DEFAULT '' NOT NULL,
      ha1 VARCHAR(128) DEFAULT '' NOT NULL,
      ha1b VARCHAR(128) DEFAULT '' NOT NULL
    );
    INSERT INTO subscriber (username, domain, password) VALUES ('1000', 'example.com', 'secret'), ('2000', 'example.com', 'secret');
  `)
  connection.close()
}
