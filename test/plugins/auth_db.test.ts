import { createHash } from 'node:crypto'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, it, test } from 'vitest'
import auth from '../../plugins/auth/index.ts'
import type { AuthDbExports } from '../../plugins/auth_db/exports.ts'
import authDb from '../../plugins/auth_db/index.ts'
import { parseLoadCredentials } from '../../plugins/auth_db/load-credentials.ts'
import { type Answering, type Asking, answerTo, challengesIn, requestText } from './digest-client.ts'
import { createStand } from './stand.ts'

const realm = 'example.com'
const md5 = (text: string) => createHash('md5').update(text, 'latin1').digest('hex')
const sha256 = (text: string) => createHash('sha256').update(text, 'latin1').digest('hex')

/** As it stands in a message: UTF-8, one character per octet. */
const octetsOf = (text: string): string => Buffer.from(text, 'utf8').toString('latin1')

function subscribers(): { url: string; sqlite: DatabaseSync } {
  const path = join(mkdtempSync(join(tmpdir(), 'viaduct-auth-')), 'x.db')
  const sqlite = new DatabaseSync(path)
  sqlite.exec('PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY')
  sqlite.exec(
    'CREATE TABLE subscriber (id INTEGER PRIMARY KEY, username TEXT, domain TEXT, password TEXT, ha1 TEXT, ha1b TEXT, ha1_sha256 TEXT, rpid TEXT)',
  )
  const insert = sqlite.prepare('INSERT INTO subscriber VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)')
  for (const [user, domain, password] of [
    ['1000', 'example.com', 'secret'],
    ['2000', 'example.com', 'other'],
    ['1000', 'example.org', 'third'],
    ['__proto__', 'example.com', 'proto'],
    ['jörg', 'example.com', 'umlaut'],
  ] as const) {
    const octets = octetsOf(user)
    insert.run(
      user,
      domain,
      password,
      md5(`${octets}:${realm}:${password}`),
      md5(`${octets}@${domain}:${realm}:${password}`),
      sha256(`${octets}:${realm}:${password}`),
      `rpid-${user}`,
    )
  }
  return { url: `sqlite:///${path}`, sqlite }
}

interface Trying extends Asking {
  readonly answer?: Partial<Answering>
  readonly flags?: number
  readonly call?: string
}

async function stand(values: Record<string, unknown>, authValues: Record<string, unknown> = {}) {
  const made = createStand()
  const authBench = await made.load(auth, authValues)
  const bench = await made.load(authDb, values)
  const attempt = (options: Trying = {}) => {
    const { method = 'REGISTER', uri = 'sip:example.com', call = 'auth_check' } = options
    const challenged = made.context(requestText({ method }))
    authBench.call('auth_challenge', challenged, realm, 0)
    const nonce = challengesIn(challenged.replies[0]?.headers ?? '')[0]?.nonce ?? ''
    const value = answerTo({
      username: '1000',
      password: 'secret',
      method,
      uri,
      realm,
      nonce,
      ...options.answer,
    })
    const header = method === 'REGISTER' ? 'Authorization' : 'Proxy-Authorization'
    const context = made.context(
      requestText({
        from: '<sip:1000@example.com>',
        ...options,
        method,
        uri,
        headers: `${header}: ${value}\r\n`,
      }),
    )
    const args = call === 'auth_check' ? [options.flags ?? 1] : []
    return { code: bench.call(call, context, realm, 'subscriber', ...args), context }
  }
  return { made, bench, attempt }
}

const plain = { calculate_ha1: 1, password_column: 'password' }

describe('auth_check', () => {
  test.each<[string, Trying, number]>([
    ['the right password', {}, 1],
    ['a wrong one', { answer: { password: 'x' } }, -2],
    ['an unknown user', { answer: { username: '3000' } }, -3],
    ['MESSAGE by Proxy-Authorization', { method: 'MESSAGE', uri: 'sip:2000@example.com' }, 1],
    [
      'row 41: a user named __proto__ with its password',
      { answer: { username: '__proto__', password: 'proto' }, from: '<sip:__proto__@example.com>' },
      1,
    ],
    ['row 41: a user named constructor', { answer: { username: 'constructor' } }, -3],
    ['SQL in the username', { answer: { username: "x' OR '1'='1" } }, -3],
  ])('%s', async (_, options, code) => {
    const { attempt } = await stand({ db_url: subscribers().url, ...plain })
    expect(attempt(options).code).toBe(code)
    const hashed = await stand({ db_url: subscribers().url })
    expect(hashed.attempt(options).code).toBe(code)
  })

  // RFC 3261 §10.3 step 3; the codes are Kamailio's: who is asked about depends on the method.
  test.each<[string, Trying, number]>([
    ['REGISTER for another', { to: '<sip:2000@example.com>' }, -8],
    ['REGISTER from another', { from: '<sip:2000@example.com>', to: '<sip:1000@example.com>' }, -8],
    ['REGISTER for another, flag 0', { to: '<sip:2000@example.com>', flags: 0 }, 1],
    ['MESSAGE to another', { method: 'MESSAGE', to: '<sip:2000@example.com>' }, 1],
    ['MESSAGE from another', { method: 'MESSAGE', from: '<sip:2000@example.com>' }, -8],
    ['MESSAGE from another, flag 2', { method: 'MESSAGE', from: '<sip:2000@example.com>', flags: 3 }, 1],
    ['OPTIONS from another, flag 2', { method: 'OPTIONS', from: '<sip:2000@example.com>', flags: 3 }, -8],
    ['PUBLISH to a Request-URI of another', { method: 'PUBLISH', uri: 'sip:2000@example.com' }, -8],
    ['a wrong password for another', { to: '<sip:2000@example.com>', answer: { password: 'x' } }, -2],
    ['another From host', { from: '<sip:1000@other.org>' }, 1],
  ])('whose message it is: %s', async (_, options, code) => {
    const { attempt } = await stand({ db_url: subscribers().url, ...plain })
    expect(attempt(options).code).toBe(code)
  })

  it('row 1: after -8 the user is proven, load_credentials is done, and the log says why and what to do', async () => {
    const { attempt, made } = await stand({
      db_url: subscribers().url,
      ...plain,
      load_credentials: '$avp(x)=rpid',
    })
    const { code, context } = attempt({ to: '<sip:2000@example.com>' })
    attempt({ to: '<sip:2000@example.com>' })
    expect(code).toBe(-8)
    expect(context.scope.authenticated).toEqual({ user: '1000', realm, flowProven: true, qop: false })
    expect(context.scope.avps.get('x', 0)).toBe('rpid-1000')
    expect(made.log.messages('warn')).toEqual([
      expect.stringMatching(
        /^auth_check flag 1 demands that the credentials' user equals the To user: .*1000.*To is 2000.*allow_third_party\(\) of module learn/,
      ),
    ])
    made.clock.advanceSync(60_000)
    attempt({ to: '<sip:2000@example.com>' })
    expect(made.log.messages('warn')).toHaveLength(2)
  })

  it('www_authenticate asks for the password only', async () => {
    const { attempt } = await stand({ db_url: subscribers().url, ...plain })
    expect(attempt({ call: 'www_authenticate', to: '<sip:2000@example.com>' }).code).toBe(1)
    expect(attempt({ call: 'proxy_authenticate', method: 'INVITE', from: '<sip:x@y>' }).code).toBe(1)
    expect(attempt({ call: 'proxy_authenticate' }).code).toBe(-5)
  })

  it('use_domain: the row of the realm, or of the domain in the username', async () => {
    const { attempt } = await stand({ db_url: subscribers().url, ...plain, use_domain: 1 })
    expect(attempt().code).toBe(1)
    expect(attempt({ answer: { username: '1000@example.org', password: 'third' } }).code).toBe(1)
    expect(attempt({ answer: { username: '1000@example.org' } }).code).toBe(-2)
    expect(attempt({ answer: { username: '1000@nowhere.org' } }).code).toBe(-3)
  })

  it('HA1 columns: ha1b for usernames with a domain, ha1_sha256 for SHA-256 (RFC 8760)', async () => {
    const { attempt } = await stand({ db_url: subscribers().url })
    expect(attempt({ answer: { username: '1000@example.com' } }).code).toBe(1)
    const strong = await stand({ db_url: subscribers().url }, { algorithm: 'SHA-256' })
    expect(strong.attempt({ answer: { algorithm: 'SHA-256' } }).code).toBe(1)
    const without = await stand({ db_url: subscribers().url }, { algorithm: 'SHA-512-256' })
    expect(without.attempt({ answer: { algorithm: 'SHA-512-256' } }).code).toBe(-1)
    expect(without.made.log.messages('error')[0]).toContain('ha1_sha512t256')
  })

  it('names beyond ASCII are octets here and UTF-8 in the database', async () => {
    const answer = { username: octetsOf('jörg'), password: 'umlaut' }
    for (const values of [plain, {}]) {
      const { attempt } = await stand({ db_url: subscribers().url, ...values })
      expect(attempt({ answer, flags: 0 }).code).toBe(1)
    }
  })

  it('a database that fails is -1 and a log line, not a refusal of the user', async () => {
    const { attempt, made } = await stand({ db_url: subscribers().url, password_column: 'no_such_column' })
    expect(attempt().code).toBe(-1)
    expect(made.log.messages('error')[0]).toContain('no_such_column')
  })

  it('is_subscriber', async () => {
    const { bench, made } = await stand({ db_url: subscribers().url, ...plain })
    const ask = (uri: string, flags = 0) =>
      bench.call('is_subscriber', made.context(requestText()), uri, 'subscriber', flags)
    expect([ask('sip:1000@any'), ask('sip:1000@any', 1), ask('sip:1000@example.com', 1)]).toEqual([1, -1, 1])
    expect([ask('sip:nobody@any'), ask('sip:example.com'), ask('garbage')]).toEqual([-1, -1, -1])
  })

  it('cache_seconds: a row is remembered for as long, and no longer', async () => {
    const { url, sqlite } = subscribers()
    const { attempt, made } = await stand({ db_url: url, ...plain, cache_seconds: 10 })
    expect(attempt().code).toBe(1)
    sqlite.exec("UPDATE subscriber SET password = 'new' WHERE username = '1000'")
    expect(attempt().code).toBe(1)
    made.clock.advanceSync(10_000)
    expect(attempt().code).toBe(-2)
    const fresh = await stand({ db_url: url, ...plain })
    expect(fresh.attempt({ answer: { password: 'new' } }).code).toBe(1)
  })
})

describe('users without a database', () => {
  it('in the script: passwords, HA1, and names with a domain', async () => {
    const users = [
      '1000:secret',
      `2000:${realm}:${md5(`2000:${realm}:pw`)}`,
      'x@example.org:pw',
      'c:with:colon',
    ]
    const { attempt } = await stand({ user: users })
    expect(attempt().code).toBe(1)
    expect(attempt({ answer: { username: '2000', password: 'pw' }, flags: 0 }).code).toBe(1)
    expect(attempt({ answer: { username: '2000', password: 'no' }, flags: 0 }).code).toBe(-2)
    expect(attempt({ answer: { username: 'x', password: 'pw' }, flags: 0 }).code).toBe(-3)
    expect(attempt({ answer: { username: 'x@example.org', password: 'pw' }, flags: 0 }).code).toBe(1)
    expect(attempt({ answer: { username: 'c', password: 'with:colon' }, flags: 0 }).code).toBe(1)
  })

  it('HA1 of MD5 is of no use for SHA-256: an error, with a line that says so', async () => {
    const { attempt, made } = await stand(
      { user: [`1000:${realm}:${md5(`1000:${realm}:secret`)}`] },
      { algorithm: 'SHA-256' },
    )
    expect(attempt({ answer: { algorithm: 'SHA-256' } }).code).toBe(-1)
    expect(made.log.messages('error')[0]).toContain('no HA1 for SHA-256')
  })

  it('in a file, which names the line that is wrong', async () => {
    const path = join(mkdtempSync(join(tmpdir(), 'viaduct-users-')), 'users')
    writeFileSync(path, '# devices\n\n1000:secret\n')
    expect((await stand({ users_file: path })).attempt().code).toBe(1)
    writeFileSync(path, '1000:secret\nnonsense\n')
    await expect(stand({ users_file: path })).rejects.toThrow(`${path}:2: a user is written`)
  })

  it('besides a database: the list is asked first', async () => {
    const { attempt } = await stand({ db_url: subscribers().url, ...plain, user: ['1000:mine'] })
    expect(attempt({ answer: { password: 'mine' } }).code).toBe(1)
    expect(attempt({ answer: { username: '2000', password: 'other' }, flags: 0 }).code).toBe(1)
  })

  it('none at all: the router does not start, and says what to set', async () => {
    await expect(stand({})).rejects.toThrow('set db_url (sqlite:////path/to/file), users_file, or user')
  })
})

describe('hasCredentials, for modules that must not believe a name without its password', () => {
  const exported = async (values: Record<string, unknown>) => {
    const { made, bench } = await stand(values)
    return { made, has: (bench.exports as AuthDbExports).hasCredentials }
  }

  it('users of the script and of a file, whatever their domain and case', async () => {
    const path = join(mkdtempSync(join(tmpdir(), 'viaduct-auth-')), 'users.txt')
    writeFileSync(path, 'Carol:secret\ndave:example.com:0123456789abcdef0123456789abcdef\n')
    const { has } = await exported({ user: ['1000:secret', 'bob@example.com:x'], users_file: path })
    for (const user of ['1000', 'bob', 'carol', 'CAROL', 'dave'])
      expect([user, has(user)]).toEqual([user, true])
    for (const user of ['2000', '', 'carol ', '__proto__']) expect([user, has(user)]).toEqual([user, false])
  })

  it('rows of a table, whatever their domain and case', async () => {
    const { url, sqlite } = subscribers()
    sqlite.exec("INSERT INTO subscriber (username) VALUES ('Eve')")
    const { has } = await exported({ db_url: url })
    for (const user of ['1000', '2000', 'eve', 'EVE', '__proto__'])
      expect([user, has(user)]).toEqual([user, true])
    for (const user of ['3000', "x' OR '1'='1", '%', 'constructor'])
      expect([user, has(user)]).toEqual([user, false])
  })

  it('an answer is good for ten seconds: a flood of one name is one query', async () => {
    const { url, sqlite } = subscribers()
    const { has, made } = await exported({ db_url: url })
    expect(has('3000')).toBe(false)
    sqlite.exec("INSERT INTO subscriber (username) VALUES ('3000')")
    expect(has('3000')).toBe(false)
    await made.clock.advance(10_000)
    expect(has('3000')).toBe(true)
  })

  it('null when the table cannot be read, and the log says which', async () => {
    const { has, made } = await exported({ db_url: subscribers().url, known_users_table: 'nowhere' })
    expect(has('1000')).toBeNull()
    expect(made.log.messages('error').join()).toContain('known_users_table')
  })
})

test.each([
  ['', []],
  ['rpid', [{ avp: 'rpid', column: 'rpid' }]],
  [
    '$avp(s:x)=rpid;email_address',
    [
      { avp: 'x', column: 'rpid' },
      { avp: 'email_address', column: 'email_address' },
    ],
  ],
  ['$avp(i:5)=col', [{ avp: 'i:5', column: 'col' }]],
])('load_credentials %j', (text, columns) => {
  expect(parseLoadCredentials(text)).toEqual(columns)
})

test.each(['mysql://a:b@localhost/kamailio', 'postgres://a:b@localhost/kamailio'])(
  '%s: the error says what works, and shows no password',
  async (db_url) => {
    await expect(stand({ db_url })).rejects.toThrow(/not supported \(\w+:\/\/a:\*\*\*@.*sqlite:\/\/\/\/path/)
  },
)
