import { hash } from 'node:crypto'
import { expect, test } from 'vitest'
import { findCredentials, readAnswer } from '../../plugins/auth/credentials.ts'
import { Digest, md5 } from '../../plugins/auth/digest.ts'
import { NonceMint } from '../../plugins/auth/nonce.ts'
import { HeaderId, isFault, nativeDigest, type SipMessage, scanMessage } from '../../src/plugin/index.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { systemRandom } from '../../src/runtime/random.ts'
import { createListenSocket } from '../../src/transport/sockets.ts'

/**
 * What an answer costs to read and to verify, and what a challenge's line costs: in JavaScript, and in C where there is
 * an addon (native/digest.c).
 */
const realm = 'bench.test'
const socket = createListenSocket({ transport: 'udp', address: '127.0.0.1', port: 5060 }, 0, 5060)
const binding = { realm, bound: '127.0.0.1', flow: { socket, address: '127.0.0.1', port: 40_000 } }
const offer = { algorithm: md5, qop: 'auth' } as const
const proof = { kind: 'password', password: 'secret' } as const
const before = `WWW-Authenticate: Digest realm="${realm}", nonce="`
const after = '", qop="auth"\r\n'
const count = 256

const native = nativeDigest()
const mint = mintWith(null)
const nativeMint = mintWith(native)
const digest = new Digest()
const messages = Array.from({ length: count }, (_, number) => answered(String(number).padStart(7, '0')))
let at = 0

test('answers', async ({ bench }) => {
  await bench.compare(
    bench('read and verified in JavaScript', () => void isRight(next())),
    bench(native === null ? 'no addon' : 'read and verified in C', () => void isRightInC(next())),
  )
  expect(isRight(next())).toBe(true)
  expect(native === null || isRightInC(next())).toBe(true)
})

test('challenges', async ({ bench }) => {
  await bench.compare(
    bench('made in JavaScript', () => void mint.issue(offer, binding, before, after)),
    bench(native === null ? 'no addon' : 'made in C', () => {
      nativeMint.issue(offer, binding, before, after)
    }),
  )
})

function mintWith(calls: typeof native): NonceMint {
  const lifetime = { expireSeconds: 300, driftSeconds: 3 }
  return new NonceMint(systemClock(), systemRandom(), Buffer.from('secret'), lifetime, undefined, calls)
}

function next(): SipMessage {
  return messages[at++ % count] as SipMessage
}

function isRight(message: SipMessage): boolean {
  const found = findCredentials(message, HeaderId.authorization, realm)
  const answer = found === null ? '' : readAnswer(found.value)
  if (typeof answer === 'string') return false
  const { state } = mint.read(answer.nonce, binding)
  return digest.isRight(md5, proof, answer, 'REGISTER', '') && state === 'fresh'
}

function isRightInC(message: SipMessage): boolean {
  const { memory } = nativeMint
  if (memory === null || !memory.read(message, message.first(HeaderId.authorization), binding)) return false
  const { state } = nativeMint.readIn(memory)
  return memory.isRight(proof, 'REGISTER') === true && state === 'fresh'
}

function answered(number: string): SipMessage {
  const user = `u${number}`
  const uri = `sip:${realm}`
  const nonce = mint.issue(offer, binding)
  const ha1 = hashOf(`${user}:${realm}:secret`)
  const response = hashOf(`${ha1}:${nonce}:00000001:abcdef01:auth:${hashOf(`REGISTER:${uri}`)}`)
  const text =
    `REGISTER ${uri} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:40000;branch=z9hG4bK-${number}-2;rport\r\n` +
    `Max-Forwards: 70\r\nFrom: "Alice B" <sip:${user}@${realm}>;tag=f${number}\r\nTo: <sip:${user}@${realm}>\r\n` +
    `Call-ID: ${number}-00000001@127.0.0.1\r\nCSeq: 2 REGISTER\r\nContact: <sip:${user}@127.0.0.1:5070>;expires=3600\r\n` +
    `Authorization: Digest username="${user}", realm="${realm}", nonce="${nonce}", uri="${uri}", ` +
    `response="${response}", algorithm=MD5, qop=auth, nc=00000001, cnonce="abcdef01"\r\nContent-Length: 0\r\n\r\n`
  const message = scanMessage(Buffer.from(text, 'latin1').toString('latin1'))
  if (isFault(message)) throw new Error(message.reason)
  return message
}

function hashOf(text: string): string {
  return hash('md5', text, 'hex')
}
