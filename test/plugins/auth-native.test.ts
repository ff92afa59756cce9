import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { findCredentials, readAnswer } from '../../plugins/auth/credentials.ts'
import { Digest, type DigestAnswer, md5 } from '../../plugins/auth/digest.ts'
import type { DigestMemory } from '../../plugins/auth/digest-memory.ts'
import { NonceMint } from '../../plugins/auth/nonce.ts'
import { NonceUses, nonceUsesBytes, privateRoom } from '../../plugins/auth/nonce-uses.ts'
import { HeaderId, isFault, nativeDigest, type SipMessage, scanMessage } from '../../src/plugin/index.ts'
import { mutate, mutation } from '../property/hostile-text.ts'
import { type Answering, answerTo } from './digest-client.ts'
import { createStand } from './stand.ts'

/**
 * The law of native/digest.c: an answer that it calls usual is one that JavaScript reads, with the same parameters, the
 * same nonce, and the same verdict about every secret; and the nonces that it makes are the same.
 * VIADUCT_FUZZ=1000000 looks at so many answers.
 */
const native = nativeDigest()
const numRuns = Number(process.env['VIADUCT_FUZZ'] ?? 5_000)
const digest = new Digest()
const offer = { algorithm: md5, qop: 'auth' } as const
const realm = 'example.com'
const lifetime = { expireSeconds: 300, driftSeconds: 3 }

describe.skipIf(native === null)('digest authentication in C', () => {
  const stand = createStand()
  const { flow } = stand.context(messageText(''))
  const binding = { realm, bound: flow.address, flow }
  const elsewhere = { realm, bound: '192.0.2.9', flow: { ...flow, address: '192.0.2.9', port: 7 } }
  const plain = mintWith(null)
  const quick = mintWith(native)
  const memory = quick.memory as DigestMemory
  const uses = new NonceUses(Buffer.from('sixteen octets !'), privateRoom(nonceUsesBytes(8)))
  memory.signUsersWith(Buffer.from('sixteen octets !'))

  /** Both count from the same place, and are asked in turn. */
  function mintWith(calls: typeof native): NonceMint {
    const { clock, random } = createStand({ seed: 7 })
    return new NonceMint(clock, random, Buffer.from('secret'), lifetime, undefined, calls)
  }

  function read(message: SipMessage): boolean {
    return memory.read(message, message.first(HeaderId.authorization), binding)
  }

  function expectSame(message: SipMessage): void {
    const found = findCredentials(message, HeaderId.authorization, realm)
    const answer = found === null ? 'none' : readAnswer(found.value)
    if (typeof answer === 'string') throw new Error(`usual, but: ${answer}`)
    expect(paramsOf(memory)).toEqual(answer)
    expect(quick.readIn(memory)).toEqual(plain.read(answer.nonce, binding))
    expect(memory.isForRequestUri).toBe(answer.uri === message.requestUri)
    const { callId, cseq, method } = message
    const user = { address: flow.address, port: flow.port, callId, cseq: cseq?.number ?? 0, method }
    const { low, high } = uses.sign(user)
    expect([memory.low, memory.high]).toEqual([low, high])
    for (const proof of proofs) {
      for (const method of ['REGISTER', 'INVITE']) {
        expect(memory.isRight(proof, method)).toBe(digest.isRight(md5, proof, answer, method, ''))
      }
    }
  }

  const proofs = [
    { kind: 'password', password: 'secret' },
    {
      kind: 'password',
      password: '\xe4 password of more than one block of MD5, which has sixty-four octets',
    },
    { kind: 'password', password: 'wrong' },
    { kind: 'ha1', ha1: digest.ha1(md5, 'alice', realm, 'secret') },
    { kind: 'ha1', ha1: 'no digest at all' },
  ] as const

  const answering: fc.Arbitrary<Answering> = fc.record({
    username: fc.constantFrom('alice', 'alice@example.com', '\xe4', 'a'.repeat(70), 'a'.repeat(256)),
    password: fc.constantFrom('secret', proofs[1].password),
    method: fc.constantFrom('REGISTER', 'INVITE'),
    uri: fc.constantFrom('sip:example.com', `sip:${'x'.repeat(60)}`),
    realm: fc.constantFrom(realm, realm, realm, 'example.org'),
    nonce: fc.constantFrom(
      plain.issue(offer, binding),
      plain.issue(offer, elsewhere),
      'A'.repeat(30),
      'short',
    ),
    qop: fc.constantFrom('', 'auth', 'auth', 'auth-int'),
    nc: fc.constantFrom('00000001', 'abcDEF09', '1'),
    algorithm: fc.constantFrom('', 'MD5', 'SHA-256'),
    extra: fc.constantFrom('', 'opaque="x"', 'x=y', 'realm="example.com"', 'nc=00000002'),
  })

  const fewMutations = fc.oneof(fc.constant([]), fc.array(mutation, { maxLength: 2 }))

  it('law: what is usual says in JavaScript what it says in C', () => {
    let usual = 0
    fc.assert(
      fc.property(answering, fewMutations, fewMutations, (options, mutations, around) => {
        const { extra = '', ...rest } = options
        const value = mutate(answerTo(extra === '' ? rest : options), mutations)
        const message = scanMessage(mutate(messageText(`Authorization: ${value}\r\n`), around))
        if (isFault(message) || message.first(HeaderId.authorization) === -1 || !read(message)) return
        usual++
        expectSame(message)
      }),
      { numRuns },
    )
    expect(usual).toBeGreaterThan(numRuns / 50)
  })

  it('law: both make the same nonces, and read them back', () => {
    const [slow, quick] = [mintWith(null), mintWith(native)]
    fc.assert(
      fc.property(fc.string({ unit: 'binary-ascii', maxLength: 260 }), fc.nat(65_535), (text, port) => {
        const bound = { realm: text, bound: text, flow: { ...flow, port } }
        const line = quick.issue(offer, bound, text, '"')
        expect(line).toBe(slow.issue(offer, bound, text, '"'))
        expect(quick.read(line.slice(text.length, -1), bound)).toMatchObject({
          state: 'fresh',
          flowProven: true,
          offer,
        })
      }),
      { numRuns: 300 },
    )
  })

  const value = answerTo({
    username: 'alice',
    password: 'secret',
    method: 'REGISTER',
    uri: 'sip:example.com',
    realm,
    nonce: plain.issue(offer, binding),
    qop: 'auth',
    algorithm: 'MD5',
  })

  test('the answer of a usual client is usual, and right', () => {
    expect(read(messageOf(value))).toBe(true)
    expect(memory.isRight(proofs[0], 'REGISTER')).toBe(true)
    expect(memory.isRight(proofs[2], 'REGISTER')).toBe(false)
    expect(quick.readIn(memory)).toMatchObject({ state: 'fresh', flowProven: true })
  })

  test('a nonce from another flow is seen to be', () => {
    const moved = { ...binding, flow: { ...flow, port: flow.port + 1 } }
    const message = messageOf(value)
    expect(memory.read(message, message.first(HeaderId.authorization), moved)).toBe(true)
    expect(quick.readIn(memory)).toMatchObject({ state: 'fresh', flowProven: false })
    expect(memory.read(message, message.first(HeaderId.authorization), elsewhere)).toBe(true)
    expect(quick.readIn(memory).state).toBe('foreign')
  })

  test.each([
    ['another realm', value.replace(`realm="${realm}"`, 'realm="example.org"')],
    ['another algorithm', value.replace('MD5', 'SHA-256')],
    ['auth-int', value.replace('qop=auth', 'qop=auth-int')],
    ['an escape', value.replace('"alice"', '"al\\ice"')],
    ['a fold', value.replace(', realm', ',\r\n realm')],
    ['a name in another case', value.replace('realm=', 'Realm=')],
    ['a name that stands twice', `${value}, nc=00000001`],
    [
      'a nonce of somebody else',
      value.replace(/nonce="[^"]*"/, 'nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093"'),
    ],
    ['no username', value.replace('username="alice", ', '')],
    ['an empty username', value.replace('"alice"', '""')],
    ['no cnonce', value.replace(', cnonce="c1"', '')],
    ['a count of seven digits', value.replace('nc=00000001', 'nc=0000001')],
    ['a response that is cut off', value.replace(/response="../, 'response="')],
    ['no scheme that we know', value.replace('Digest', 'Basic')],
    ['nothing', 'Digest'],
    ['a username that is longer than its place', value.replace('"alice"', `"${'a'.repeat(257)}"`)],
    ['a cnonce that is longer than its place', value.replace('"c1"', `"${'c'.repeat(257)}"`)],
    ['more than there is room for', value.replace('"alice"', `"${'a'.repeat(5_000)}"`)],
  ])('%s is for JavaScript', (_, text) => {
    expect(read(messageOf(value))).toBe(true)
    expect(read(messageOf(text))).toBe(false)
  })

  test('a password that is longer than there is room for is for JavaScript', () => {
    expect(read(messageOf(value))).toBe(true)
    expect(memory.isRight({ kind: 'password', password: 'x'.repeat(256) }, 'REGISTER')).toBe(false)
    expect(memory.isRight({ kind: 'password', password: 'x'.repeat(257) }, 'REGISTER')).toBe(null)
  })
})

function paramsOf(answer: DigestAnswer): DigestAnswer {
  const { username, realm, nonce, uri, response, algorithm, qop, nc, cnonce } = answer
  return { username, realm, nonce, uri, response, algorithm, qop, nc, cnonce }
}

function messageOf(value: string): SipMessage {
  const message = scanMessage(messageText(`Authorization: ${value}\r\n`))
  if (isFault(message)) throw new Error(message.reason)
  return message
}

function messageText(headers: string): string {
  return (
    'REGISTER sip:example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n' +
    'From: <sip:alice@example.com>;tag=1\r\nTo: <sip:alice@example.com>\r\nCall-ID: 1\r\nCSeq: 1 REGISTER\r\n' +
    `${headers}Content-Length: 0\r\n\r\n`
  )
}
