import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { Authenticator } from '../../plugins/auth/authenticator.ts'
import { Digest, type Hash, md5, oneShotHash } from '../../plugins/auth/digest.ts'
import auth from '../../plugins/auth/index.ts'
import { Lockout } from '../../plugins/auth/lockout.ts'
import { Md5 } from '../../plugins/auth/md5.ts'
import { NonceMint } from '../../plugins/auth/nonce.ts'
import { NonceUses, nonceUsesBytes, privateRoom } from '../../plugins/auth/nonce-uses.ts'
import { type Answering, type Asking, answerTo, challengesIn, requestText } from './digest-client.ts'
import { type Bench, type BenchContext, createStand } from './stand.ts'

const realm = 'example.com'

interface Trying extends Asking {
  readonly answer?: Partial<Answering>
  readonly address?: string
  readonly port?: number
  readonly password?: string
}

/** A router with module auth, and clients that talk to it; alice's password is `secret`. */
async function authStand(params: Record<string, unknown> = {}, challengeFlags = 0) {
  const stand = createStand()
  let bench = await stand.load(auth, params)
  const nextNonce = (from: { address?: string; port?: number; method?: string; flags?: number } = {}) => {
    const context = stand.context(requestText({ method: from.method ?? 'REGISTER' }), flowOf(from))
    bench.call('auth_challenge', context, realm, from.flags ?? challengeFlags)
    return challengesIn(context.replies[0]?.headers ?? '')
  }
  /** Answers a nonce, a fresh one unless given. */
  const attempt = (options: Trying = {}): { code: number; context: BenchContext } => {
    const { method = 'REGISTER', uri = 'sip:example.com', body = '' } = options
    const nonce = options.answer?.nonce ?? nextNonce(options)[0]?.nonce ?? ''
    const answer = {
      username: 'alice',
      password: 'secret',
      method,
      uri,
      realm,
      nonce,
      body,
      ...options.answer,
    }
    const name = method === 'REGISTER' ? 'Authorization' : 'Proxy-Authorization'
    const headers = `${name}: ${answerTo(answer)}\r\n${options.headers ?? ''}`
    const context = stand.context(requestText({ ...options, method, uri, body, headers }), flowOf(options))
    const call = method === 'REGISTER' ? 'pv_www_authenticate' : 'pv_proxy_authenticate'
    return { code: bench.call(call, context, realm, options.password ?? 'secret', 0), context }
  }
  const restart = async () => {
    bench = await stand.load(auth, params)
  }
  return {
    stand,
    get bench(): Bench {
      return bench
    },
    nextNonce,
    attempt,
    restart,
  }
}

const nonceUses = (max: number) => new NonceUses(new Uint8Array(16), privateRoom(nonceUsesBytes(max)))

const flowOf = (options: { address?: string; port?: number }) => ({
  address: options.address ?? '198.51.100.7',
  port: options.port ?? 5060,
})

describe('the challenge', () => {
  it('looks as Kamailio writes it if the script sets nothing: one line, no algorithm', async () => {
    const { bench, stand } = await authStand()
    const context = stand.context(requestText())
    expect(bench.call('auth_challenge', context, realm, 0)).toBe(1)
    expect(context.replies).toHaveLength(1)
    expect(context.replies[0]).toMatchObject({ statusCode: 401, reason: 'Unauthorized' })
    expect(context.replies[0]?.headers).toMatch(
      /^WWW-Authenticate: Digest realm="example\.com", nonce="[\w-]{30}"\r\n$/,
    )
  })

  test.each([
    ['REGISTER', 401, 'WWW-Authenticate'],
    ['INVITE', 407, 'Proxy-Authenticate'],
    ['MESSAGE', 407, 'Proxy-Authenticate'],
  ])('auth_challenge answers %s with %i', async (method, statusCode, header) => {
    const { bench, stand } = await authStand()
    const context = stand.context(requestText({ method }))
    bench.call('auth_challenge', context, realm, 0)
    expect(context.replies[0]?.statusCode).toBe(statusCode)
    expect(challengesIn(context.replies[0]?.headers ?? '')[0]?.header).toBe(header)
  })

  // Measured on Kamailio 5.6.3: flag 2 wins over flag 1; order of the parameters.
  test.each([
    [0, ''],
    [1, ', qop="auth"'],
    [2, ', qop="auth-int"'],
    [3, ', qop="auth-int"'],
    [16, ', stale=true'],
    [17, ', qop="auth", stale=true'],
  ])('flags %i add %j', async (flags, text) => {
    const { bench, stand } = await authStand({ algorithm: 'MD5' })
    const context = stand.context(requestText())
    bench.call('www_challenge', context, realm, flags)
    expect(context.replies[0]?.headers.replace(/nonce="[^"]*"/, 'N')).toBe(
      `WWW-Authenticate: Digest realm="example.com", N${text}, algorithm=MD5\r\n`,
    )
  })

  it('offers several algorithms, strongest first, each with a nonce of its own (RFC 8760 §2.4)', async () => {
    const { nextNonce } = await authStand({ algorithm: 'SHA-256, MD5' })
    const offered = nextNonce()
    expect(offered.map(({ algorithm }) => algorithm)).toEqual(['SHA-256', 'MD5'])
    expect(new Set(offered.map(({ nonce }) => nonce)).size).toBe(2)
  })

  it('escapes quotes of the realm', async () => {
    const { bench, stand } = await authStand()
    const context = stand.context(requestText())
    bench.call('proxy_challenge', context, 'a"b\\c', 0)
    expect(context.replies[0]?.headers).toContain('realm="a\\"b\\\\c"')
  })

  it('needs a realm: -1 and 500, or silence with flag 4', async () => {
    const { bench, stand } = await authStand()
    const loud = stand.context(requestText())
    const silent = stand.context(requestText())
    expect(bench.call('auth_challenge', loud, '', 0)).toBe(-1)
    expect(bench.call('auth_challenge', silent, '', 4)).toBe(-1)
    expect(loud.replies.map(({ statusCode }) => statusCode)).toEqual([500])
    expect(silent.replies).toEqual([])
  })

  it('cannot be sent to an ACK', async () => {
    const { bench, stand } = await authStand()
    expect(bench.call('auth_challenge', stand.context(requestText({ method: 'ACK' })), realm, 0)).toBe(-3)
  })

  it('takes realm_prefix off, and auth_algorithm() chooses for one message', async () => {
    const { bench, stand } = await authStand({ realm_prefix: 'sip.' })
    const context = stand.context(requestText())
    bench.call('auth_algorithm', context, 'SHA-256')
    bench.call('auth_challenge', context, 'sip.example.com', 0)
    expect(challengesIn(context.replies[0]?.headers ?? '')[0]).toMatchObject({ realm, algorithm: 'SHA-256' })
  })

  it('goes into a variable as a whole line', async () => {
    const { bench, stand } = await authStand()
    let written: unknown = null
    const target = {
      text: '$var(x)',
      read: () => null,
      write(_: unknown, value: unknown) {
        written = value
        return true
      },
    }
    expect(bench.call('auth_get_www_authenticate', stand.context(requestText()), realm, 1, target)).toBe(1)
    expect(written).toMatch(/^WWW-Authenticate: Digest realm="example.com", nonce="[^"]+", qop="auth"\r\n$/)
  })

  it('refuses algorithms that nobody knows, and says why not the session variants', () => {
    const { check } = auth.params?.algorithm ?? {}
    expect(() => check?.('SHA-256,MD5')).not.toThrow()
    expect(() => check?.('SHA3')).toThrow('"SHA3" is unknown')
    expect(() => check?.('MD5-sess')).toThrow('"MD5-sess" is unknown')
  })
})

describe('return codes are those of Kamailio', () => {
  test.each([
    ['the right password', {}, 1],
    ['a wrong password', { answer: { password: 'wrong' } }, -2],
    ['another realm', { answer: { realm: 'other.org' } }, -5],
    ['a garbage nonce', { answer: { nonce: 'garbage' } }, -4],
    ['a garbage nonce of the right length', { answer: { nonce: 'A'.repeat(48) } }, -4],
    ['no username', { answer: { username: '' } }, -1],
  ])('%s', async (_, options, code) => {
    const { attempt } = await authStand()
    expect(attempt(options).code).toBe(code)
  })

  it('no credentials at all: -5, and a challenge is left in $avp(digest_challenge) if flags ask for one', async () => {
    const { bench, stand } = await authStand()
    const context = stand.context(requestText())
    expect(bench.call('pv_www_authenticate', context, realm, 'secret', 4)).toBe(-5)
    expect(context.scope.avps.get('digest_challenge', 0)).toMatch(/^WWW-Authenticate: .*qop="auth"\r\n$/)
  })

  it('an empty password proves nothing: -1', async () => {
    const { attempt } = await authStand()
    expect(attempt({ password: '', answer: { password: '' } }).code).toBe(-1)
  })

  test.each(['ACK', 'CANCEL', 'PRACK'])('%s is never asked', async (method) => {
    const { bench, stand } = await authStand()
    const context = stand.context(requestText({ method }))
    expect(bench.call('pv_proxy_authenticate', context, realm, 'secret', 0)).toBe(1)
    expect(context.scope.authenticated).toBeNull()
    expect(bench.call('consume_credentials', context)).toBe(-1)
  })

  it('HA1 instead of the password with flag 1', async () => {
    const { bench, stand, nextNonce } = await authStand()
    const ha1 = createHash('md5').update('alice:example.com:secret').digest('hex')
    const value = answerTo({
      username: 'alice',
      password: 'secret',
      method: 'REGISTER',
      uri: 'sip:example.com',
      realm,
      nonce: nextNonce()[0]?.nonce ?? '',
    })
    const context = stand.context(requestText({ headers: `Authorization: ${value}\r\n` }))
    expect(bench.call('pv_www_authenticate', context, realm, ha1, 1)).toBe(1)
  })

  it('finds the credentials of its realm among others, and consumes those only', async () => {
    const { attempt, bench } = await authStand()
    const { code, context } = attempt({
      headers: 'Authorization: Digest username="x", realm="other", nonce="y", uri="z", response="0"\r\n',
    })
    expect(code).toBe(1)
    expect(bench.call('has_credentials', context, 'other')).toBe(1)
    expect(bench.call('has_credentials', context, 'third')).toBe(-1)
    expect(bench.call('consume_credentials', context)).toBe(1)
    expect(context.written()).toContain('realm="other"')
    expect(context.written()).not.toContain('realm="example.com"')
    expect(bench.call('consume_credentials', context)).toBe(-1)
  })

  it('pv_auth_check: -8 when the user is not that of To, with the user proven and one line that says why', async () => {
    const { bench, stand, nextNonce } = await authStand()
    const refuse = () => {
      const value = answerTo({
        username: '1000',
        password: 'secret',
        method: 'REGISTER',
        uri: 'sip:example.com',
        realm,
        nonce: nextNonce()[0]?.nonce ?? '',
      })
      const context = stand.context(
        requestText({
          from: '<sip:1000@example.com>',
          to: '<sip:2000@example.com>',
          headers: `Authorization: ${value}\r\n`,
        }),
      )
      return { code: bench.call('pv_auth_check', context, realm, 'secret', 0, 1), context }
    }
    const { code, context } = refuse()
    expect(code).toBe(-8)
    expect(context.scope.authenticated?.user).toBe('1000')
    refuse()
    expect(stand.log.messages('warn')).toHaveLength(1)
    expect(stand.log.messages('warn')[0]).toMatch(
      /equals the To user.*1000.*From is 1000 and To is 2000.*allow_third_party/,
    )
  })
})

describe('nonces', () => {
  it('are good until they expire; then the password is not asked for again: stale=true (RFC 7616 §3.3)', async () => {
    const { attempt, nextNonce, stand, bench } = await authStand({ nonce_expire: 60 })
    const nonce = nextNonce()[0]?.nonce ?? ''
    stand.clock.advanceSync(60_000)
    expect(attempt({ answer: { nonce } }).code).toBe(1)
    stand.clock.advanceSync(1_000)
    const late = attempt({ answer: { nonce } })
    expect(late.code).toBe(-4)
    bench.call('auth_challenge', late.context, realm, 0)
    expect(challengesIn(late.context.replies[0]?.headers ?? '')[0]?.stale).toBe(true)
  })

  it('no stale=true for a wrong password, nor for another realm', async () => {
    const { attempt, nextNonce, stand, bench } = await authStand({ nonce_expire: 60 })
    const nonce = nextNonce()[0]?.nonce ?? ''
    stand.clock.advanceSync(61_000)
    const wrong = attempt({ answer: { nonce, password: 'guess' } })
    const right = attempt({ answer: { nonce } })
    expect([wrong.code, right.code]).toEqual([-4, -4])
    bench.call('auth_challenge', wrong.context, realm, 0)
    bench.call('auth_challenge', right.context, 'other.org', 0)
    expect(challengesIn(wrong.context.replies[0]?.headers ?? '')[0]?.stale).toBe(false)
    expect(challengesIn(right.context.replies[0]?.headers ?? '')[0]?.stale).toBe(false)
  })

  it('do not mind a jump of the host clock', async () => {
    const { attempt, nextNonce, stand } = await authStand()
    const nonce = nextNonce()[0]?.nonce ?? ''
    stand.clock.shiftWall(3_600_000)
    expect(attempt({ answer: { nonce } }).code).toBe(1)
  })

  it('are no good from another address, in another realm, or altered', async () => {
    const { attempt, nextNonce } = await authStand()
    const nonce = nextNonce()[0]?.nonce ?? ''
    const altered = `${nonce.startsWith('A') ? 'B' : 'A'}${nonce.slice(1)}`
    expect(attempt({ answer: { nonce }, address: '203.0.113.9' }).code).toBe(-4)
    expect(attempt({ answer: { nonce: altered } }).code).toBe(-4)
    expect(attempt({ answer: { nonce } }).code).toBe(1)
  })

  test.each([
    [0, 1, 1],
    [1, -4, 1],
    [2, -4, -4],
  ])('bind_nonce %i: another address %i, another port %i', async (bind_nonce, elsewhere, otherPort) => {
    const { attempt, nextNonce } = await authStand({ bind_nonce })
    const fresh = () => nextNonce()[0]?.nonce ?? ''
    expect(attempt({ answer: { nonce: fresh() }, address: '203.0.113.9' }).code).toBe(elsewhere)
    expect(attempt({ answer: { nonce: fresh() }, port: 6060 }).code).toBe(otherPort)
  })

  it('prove the flow only if they come back from the very port they were sent to', async () => {
    const { attempt, nextNonce } = await authStand()
    const same = attempt({ answer: { nonce: nextNonce()[0]?.nonce ?? '' } })
    const other = attempt({ answer: { nonce: nextNonce()[0]?.nonce ?? '' }, port: 6060 })
    expect(same.context.scope.authenticated).toEqual({ user: 'alice', realm, flowProven: true, qop: false })
    expect(other.context.scope.authenticated?.flowProven).toBe(false)
  })

  it('auth_checks_* bind them to parts of the message', async () => {
    const { attempt, nextNonce } = await authStand({ auth_checks_register: 2 })
    const nonce = nextNonce()[0]?.nonce ?? ''
    expect(attempt({ answer: { nonce }, callId: 'another' }).code).toBe(-4)
  })

  it('survive a restart, on the flow that they were sent to', async () => {
    const { attempt, nextNonce, restart, stand } = await authStand()
    const nonces = [0, 1].map(() => nextNonce()[0]?.nonce ?? '')
    stand.clock.advanceSync(5_000)
    await restart()
    expect(attempt({ answer: { nonce: nonces[0] ?? '' } }).code).toBe(1)
    expect(attempt({ answer: { nonce: nonces[1] ?? '' }, port: 6060 }).code).toBe(-4)
  })

  it('law: no two that one second sees are the same, whichever worker issues them', () => {
    const stand = createStand()
    const { flow } = stand.context(requestText())
    const lifetime = { expireSeconds: 300, driftSeconds: 3 }
    const offer = { algorithm: md5, qop: 'auth' } as const
    const binding = { realm, bound: '', flow }
    const seen = new Set<string>()
    for (const index of [0, 1, 2]) {
      const mint = new NonceMint(stand.clock, stand.random, Buffer.from('s'), lifetime, { index, count: 3 })
      for (let i = 0; i < 2_000; i++) {
        const { issued, serial } = mint.read(mint.issue(offer, binding), binding)
        seen.add(`${issued} ${serial}`)
      }
    }
    expect(seen.size).toBe(6_000)
  })

  it('of another secret are foreign', async () => {
    const first = await authStand({ secret: 'one' })
    const second = await authStand({ secret: 'two' })
    const third = await authStand({ secret: 'one' })
    const nonce = first.nextNonce()[0]?.nonce ?? ''
    expect(second.attempt({ answer: { nonce } }).code).toBe(-4)
    expect(third.attempt({ answer: { nonce } }).code).toBe(1)
  })
})

describe('replay', () => {
  it('a captured answer is no good a second time, and the challenge says stale=true', async () => {
    const { attempt, nextNonce, bench } = await authStand()
    const nonce = nextNonce()[0]?.nonce ?? ''
    expect(attempt({ answer: { nonce } }).code).toBe(1)
    const replayed = attempt({ answer: { nonce } })
    expect(replayed.code).toBe(-6)
    bench.call('auth_challenge', replayed.context, realm, 0)
    expect(challengesIn(replayed.context.replies[0]?.headers ?? '')[0]?.stale).toBe(true)
  })

  it('the same request once more is a retransmission: its answer may have been lost', async () => {
    const { attempt, nextNonce } = await authStand()
    const nonce = nextNonce()[0]?.nonce ?? ''
    const again = { answer: { nonce }, callId: 'one-call', cseq: 2 }
    expect([attempt(again).code, attempt(again).code]).toEqual([1, 1])
    expect(attempt({ ...again, cseq: 3 }).code).toBe(-6)
  })

  it('parameters of Kamailio turn it off: nonce_count 0, one_time_nonce 0', async () => {
    const { attempt, nextNonce } = await authStand({ nonce_count: 0, one_time_nonce: 0 }, 1)
    const nonce = nextNonce()[0]?.nonce ?? ''
    expect([1, 2].map(() => attempt({ answer: { nonce, qop: 'auth' } }).code)).toEqual([1, 1])
    const plain = nextNonce({ flags: 0 })[0]?.nonce ?? ''
    expect([1, 2].map(() => attempt({ answer: { nonce: plain } }).code)).toEqual([1, 1])
  })

  test.each([
    ['in order', ['00000001', '00000002', '00000003'], [1, 1, 1]],
    ['twice the same', ['00000001', '00000001'], [1, -6]],
    ['out of order within the window', ['00000005', '00000003', '00000003', '00000004'], [1, 1, -6, 1]],
    ['older than the window', ['00000040', '00000041', '00000001'], [1, 1, -6]],
    ['a jump ahead', ['00000001', 'ffffffff', '00000002'], [1, -6, 1]],
    ['zero', ['00000000'], [-6]],
    ['junk', ['0000000z', '1', '000000001'], [-1, -1, -1]],
  ])('nonce counts: %s', async (_, counts, codes) => {
    const { attempt, nextNonce } = await authStand({}, 1)
    const nonce = nextNonce()[0]?.nonce ?? ''
    expect(counts.map((nc) => attempt({ answer: { nonce, qop: 'auth', nc } }).code)).toEqual(codes)
  })

  it('a count is used up only by the right password', async () => {
    const { attempt, nextNonce } = await authStand({}, 1)
    const nonce = nextNonce()[0]?.nonce ?? ''
    expect(attempt({ answer: { nonce, qop: 'auth', password: 'guess' } }).code).toBe(-2)
    expect(attempt({ answer: { nonce, qop: 'auth' } }).code).toBe(1)
  })

  it('what is remembered has a bound', () => {
    const uses = nonceUses(64)
    const user = { address: '192.0.2.1', port: 5060, callId: 'c', cseq: 1, method: 'REGISTER' }
    for (let i = 1; i < 2_000; i++) expect(uses.record(i, i << 5, 1, uses.sign(user))).toBe('new')
    expect(uses.size).toBe(128)
    // What was issued last is remembered, what was issued first is not.
    const other = { ...user, cseq: 2 }
    for (let i = 1_936; i < 2_000; i++) expect(uses.record(i, i << 5, 1, uses.sign(other))).toBe('used')
    expect(uses.record(1, 1 << 5, 1, uses.sign(other))).toBe('new')
  })

  it('workers of one router remember together: what one accepted is no good at another', () => {
    const room = privateRoom(nonceUsesBytes(8))
    const [one, other] = [new NonceUses(new Uint8Array(16), room), new NonceUses(new Uint8Array(16), room)]
    const user = { address: '192.0.2.1', port: 5060, callId: 'c', cseq: 1, method: 'REGISTER' }
    expect(one.record(7, 32, 1, one.sign(user))).toBe('new')
    expect(other.record(7, 32, 1, other.sign(user))).toBe('again')
    expect(other.record(7, 32, 1, other.sign({ ...user, port: 5061 }))).toBe('used')
  })

  it('law: counts are taken as by a list of those that were used, whatever their order', () => {
    const user = { address: '192.0.2.1', port: 5060, callId: 'c', method: 'REGISTER' }
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 300 }), { maxLength: 60 }), (counts) => {
        const uses = nonceUses(8)
        const used = new Set<number>()
        let highest = 0
        for (const [cseq, count] of counts.entries()) {
          const isNew = !used.has(count) && count <= highest + 64 && count > highest - 64
          if (uses.record(7, 32, count, uses.sign({ ...user, cseq })) !== (isNew ? 'new' : 'used'))
            return false
          if (!isNew) continue
          used.add(count)
          highest = Math.max(highest, count)
        }
        return true
      }),
    )
  })
})

describe('no downgrade', () => {
  it('an answer without qop, although it was offered, is refused', async () => {
    const { attempt, nextNonce } = await authStand({}, 1)
    expect(attempt({ answer: { nonce: nextNonce()[0]?.nonce ?? '' } }).code).toBe(-2)
  })

  it('an answer with a qop that was not offered is refused', async () => {
    const { attempt, nextNonce } = await authStand({}, 1)
    expect(attempt({ answer: { nonce: nextNonce()[0]?.nonce ?? '', qop: 'auth-int' } }).code).toBe(-2)
    expect(attempt({ answer: { nonce: nextNonce({ flags: 0 })[0]?.nonce ?? '', qop: 'auth' } }).code).toBe(-2)
  })

  it('the nonce of the SHA-256 challenge cannot be answered with MD5', async () => {
    const { attempt, nextNonce } = await authStand({ algorithm: 'SHA-256,MD5' })
    const [strong, weak] = nextNonce()
    expect(attempt({ answer: { nonce: strong?.nonce ?? '', algorithm: 'MD5' } }).code).toBe(-2)
    expect(attempt({ answer: { nonce: weak?.nonce ?? '', algorithm: 'MD5' } }).code).toBe(1)
    expect(attempt({ answer: { nonce: strong?.nonce ?? '', algorithm: 'SHA-256' } }).code).toBe(1)
  })

  test.each(['SHA-256', 'SHA-512-256'])('%s works as RFC 8760 says', async (algorithm) => {
    const { attempt, nextNonce } = await authStand({ algorithm }, 1)
    const nonce = nextNonce()[0]?.nonce ?? ''
    expect(attempt({ answer: { nonce, algorithm, qop: 'auth' } }).code).toBe(1)
  })

  test.each(['MD5-sess', 'SHA-256-sess', 'TOKEN'])('algorithm %s is refused', async (algorithm) => {
    const { attempt } = await authStand()
    expect(attempt({ answer: { algorithm } }).code).toBe(-1)
  })

  it('a hashed username is refused: we never ask for one', async () => {
    const { attempt } = await authStand()
    expect(attempt({ answer: { extra: 'userhash=true' } }).code).toBe(-1)
  })

  it('auth-int covers the body', async () => {
    const { attempt, nextNonce } = await authStand({}, 2)
    const nonce = () => nextNonce({ method: 'MESSAGE' })[0]?.nonce ?? ''
    const message = { method: 'MESSAGE', uri: 'sip:bob@example.com', body: 'hello' }
    expect(attempt({ ...message, answer: { nonce: nonce(), qop: 'auth-int' } }).code).toBe(1)
    expect(attempt({ ...message, answer: { nonce: nonce(), qop: 'auth-int', body: 'other' } }).code).toBe(-2)
  })
})

describe('the digest URI', () => {
  test.each([
    ['the Request-URI', 'sip:bob@example.com', 'sip:bob@example.com', 1],
    ['other parameters and port', 'sip:bob@example.com', 'sip:bob@example.com:5070;transport=udp', 1],
    ['the host in another case, the user escaped', 'sip:b%6fb@example.com', 'sip:bob@EXAMPLE.com', 1],
    ['another user', 'sip:bob@example.com', 'sip:carol@example.com', -1],
    ['another host', 'sip:bob@example.com', 'sip:bob@example.org', -1],
    ['no URI', 'sip:bob@example.com', 'garbage', -1],
  ])('%s', async (_, uri, digestUri, code) => {
    const { attempt } = await authStand()
    expect(attempt({ method: 'MESSAGE', uri, answer: { uri: digestUri } }).code).toBe(code)
  })

  it('may name us by another of our names, or is not asked with check_uri 0', async () => {
    const { attempt, stand } = await authStand()
    stand.aliases.add('example.com')
    expect(attempt({ uri: 'sip:192.0.2.1', answer: { uri: 'sip:example.com' } }).code).toBe(1)
    const tolerant = await authStand({ check_uri: 0 })
    expect(tolerant.attempt({ answer: { uri: 'sip:whatever.org' } }).code).toBe(1)
  })
})

describe('guessing', () => {
  it('a lockout is for a user at an address, never for a user alone', async () => {
    const { attempt, stand } = await authStand({ lockout_failures: 3, lockout_seconds: 60 })
    for (let i = 0; i < 3; i++) expect(attempt({ answer: { password: `guess ${i}` } }).code).toBe(-2)
    expect(attempt({}).code).toBe(-2)
    expect(attempt({ address: '203.0.113.9' }).code).toBe(1)
    expect(attempt({ answer: { username: 'bob' } }).code).toBe(1)
    expect(stand.log.messages('warn')).toHaveLength(1)
    stand.clock.advanceSync(60_000)
    expect(attempt({}).code).toBe(1)
  })

  it('a nonce that is old or forged is no way around it: no stale=true tells that a guess was right', async () => {
    const { attempt, stand, bench } = await authStand({ lockout_failures: 3, lockout_seconds: 60 })
    const nonce = 'A'.repeat(48)
    for (let i = 0; i < 3; i++) attempt({ answer: { nonce, password: `guess ${i}` } })
    const right = attempt({ answer: { nonce } })
    expect(right.code).toBe(-2)
    bench.call('auth_challenge', right.context, realm, 0)
    expect(challengesIn(right.context.replies[0]?.headers ?? '')[0]?.stale).not.toBe(true)
    stand.clock.advanceSync(60_000)
    expect(attempt({ answer: { nonce } }).code).toBe(-4)
  })

  it('a right password forgets the wrong ones before it; off by default', async () => {
    const { attempt } = await authStand({ lockout_failures: 2 })
    const codes = ['guess', 'secret', 'guess', 'secret'].map(
      (password) => attempt({ answer: { password } }).code,
    )
    expect(codes).toEqual([-2, 1, -2, 1])
    const off = await authStand()
    for (let i = 0; i < 50; i++) off.attempt({ answer: { password: 'guess' } })
    expect(off.attempt({}).code).toBe(1)
  })

  test.each(['password', 'ha1'] as const)(
    'users who exist and who do not cost the same hashes (%s)',
    (stored) => {
      const stand = createStand()
      let hashes = 0
      class CountingMd5 extends Md5 {
        override finish(): void {
          hashes++
          super.finish()
        }
      }
      const count: Hash = (name, octets) => {
        hashes++
        return oneShotHash(name, octets)
      }
      const digest = new Digest(count, new CountingMd5())
      const mint = new NonceMint(stand.clock, stand.random, Buffer.from('s'), {
        expireSeconds: 300,
        driftSeconds: 3,
      })
      const services = {
        digest,
        mint,
        uses: nonceUses(64),
        lockout: new Lockout(stand.clock, 0, 0),
        log: stand.log,
        sockets: { isMyself: () => false } as never,
      }
      const authenticator = new Authenticator(services, {
        binding: { source: 0, register: 0, outsideDialog: 0, insideDialog: 0 },
        countsNonces: true,
        oneTimeWithoutQop: true,
        oneTimeAlways: false,
        comparesUri: true,
        addsAuthenticationInfo: false,
      })
      const work = (nonce: string, secret: 'known' | 'unknown', password: string) => {
        hashes = 0
        const value = answerTo({
          username: 'alice',
          password,
          method: 'REGISTER',
          uri: 'sip:example.com',
          realm,
          nonce,
        })
        const context = stand.context(requestText({ headers: `Authorization: ${value}\r\n` }))
        const known =
          stored === 'ha1'
            ? ({ kind: 'ha1', ha1: '0'.repeat(32) } as const)
            : ({ kind: 'password', password: 'secret' } as const)
        authenticator.authenticate(context, {
          realm,
          header: 'www',
          method: 'REGISTER',
          findSecret: () => (secret === 'known' ? known : { kind: 'unknown-user', stored }),
        })
        return hashes
      }
      const nonce = () => {
        const offer = {
          algorithm: { name: 'MD5', hash: 'md5', digitsCount: 32, number: 0 },
          qop: '',
        } as const
        return mint.issue(offer, { realm, bound: '\0\0\0\0', flow: stand.context(requestText()).flow })
      }
      // The digest of method and URI is remembered, whoever asked first.
      work(nonce(), 'unknown', 'guess')
      const wrong = work(nonce(), 'known', 'guess')
      expect(wrong).toBeGreaterThan(0)
      expect(work(nonce(), 'unknown', 'guess')).toBe(wrong)
      expect(work('garbage', 'unknown', 'guess')).toBe(wrong)
      expect(work('garbage', 'known', 'guess')).toBe(wrong)
    },
  )
})

it('Authentication-Info proves that we know the password too (RFC 7616 §3.5)', async () => {
  const { attempt, nextNonce } = await authStand({ add_authinfo_hdr: 1 }, 1)
  const nonce = nextNonce()[0]?.nonce ?? ''
  const { context } = attempt({ answer: { nonce, qop: 'auth' } })
  const h = (text: string) => createHash('md5').update(text).digest('hex')
  const rspauth = h(`${h('alice:example.com:secret')}:${nonce}:00000001:c1:auth:${h(':sip:example.com')}`)
  expect(context.replyHeaders).toBe(
    `Authentication-Info: rspauth="${rspauth}", qop=auth, cnonce="c1", nc=00000001\r\n`,
  )
})

it('RFC 7616 §3.9.1: the examples', () => {
  const digest = new Digest()
  const answer = {
    username: 'Mufasa',
    realm: 'http-auth@example.org',
    uri: '/dir/index.html',
    qop: 'auth',
    nc: '00000001',
    nonce: '7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v',
    response: '',
    algorithm: '',
    cnonce: 'f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ',
  } as const
  const of = (name: string, hash: string) => {
    const algorithm = { name, hash, digitsCount: 0, number: 0 }
    const ha1 = digest.ha1(algorithm, answer.username, answer.realm, 'Circle of Life')
    return digest.response(algorithm, ha1, answer, 'GET', '')
  }
  expect(of('MD5', 'md5')).toBe('8ca523f5e9506fed4657c9700eebdbec')
  expect(of('SHA-256', 'sha256')).toBe('753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1')
})

it('rows 40, 41: whatever stands in the header is a value, never an exception', async () => {
  const { bench, stand } = await authStand()
  const values = [
    '',
    'Digest',
    'Digest ,,,',
    'Basic abc',
    'Digest realm="example.com"',
    'Digest realm="example.com',
    'Digest realm="example.com", username="__proto__", nonce="constructor", uri="toString", response="00"',
    `Digest realm="example.com", username="${'x'.repeat(4000)}", nonce="n", uri="u", response="0"`,
    'Digest realm="example.com", realm="example.com", username="a"',
  ]
  for (const value of values) {
    const context = stand.context(requestText({ headers: `Authorization: ${value}\r\n` }))
    expect(bench.call('pv_www_authenticate', context, realm, 'secret', 0)).toBeLessThan(0)
  }
})
