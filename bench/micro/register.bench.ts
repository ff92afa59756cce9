import { hash } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { systemClock } from '../../src/runtime/clock.ts'
import { silentLog } from '../../src/runtime/log.ts'
import { systemRandom } from '../../src/runtime/random.ts'
import { startServer } from '../../src/server.ts'
import { memoryStore } from '../../src/store/memory.ts'
import { createListenSocket } from '../../src/transport/sockets.ts'
import type { Network, TransportHandler } from '../../src/transport/transport.ts'

/**
 * Scenario d without a network: REGISTER, 401, REGISTER with the answer, 200, for one of 10,000 users after the other.
 * From the datagram's text to the text of the answer: what the router's own code costs. The client's share, three
 * digests and the two texts, is measured apart, so that it can be taken off.
 */
const users = 10_000
const domain = '127.0.0.1:5060'

test('registration with digest', async ({ bench }) => {
  const router = await startRouter()
  let count = 0

  await bench.compare(
    bench('REGISTER without credentials: 401', () => void router.answerTo(register(++count, 1, ''))),
    bench('both REGISTERs, and what the client does', () => {
      count++
      const challenge = router.answerTo(register(count, 1, ''))
      router.answerTo(register(count, 2, answer(count, nonceOf(challenge))))
    }),
    bench('what the client does', () => {
      count++
      register(count, 1, '')
      register(count, 2, answer(count, nonceOf('nonce="awNr2ETfoSTRbeMR38b60-fOasjbWg"')))
    }),
  )

  const challenge = router.answerTo(register(++count, 1, ''))
  expect(challenge).toMatch(/^SIP\/2\.0 401 /)
  expect(router.answerTo(register(count, 2, answer(count, nonceOf(challenge))))).toMatch(
    /^SIP\/2\.0 200 OK\r\n[\s\S]*Contact: <sip:u\d+@127\.0\.0\.1:5070>;expires=3600\r\n/,
  )
  await router.stop()
})

/** A router whose network is this process: what is delivered is answered before the call returns. */
async function startRouter() {
  let handler: TransportHandler | null = null
  let sent = ''
  const socket = createListenSocket({ transport: 'udp', address: '127.0.0.1', port: 5060 }, 0, 5060)
  const network: Network = {
    open(_requests, given) {
      handler = given
      return Promise.resolve({
        sockets: [socket],
        send(_socket: unknown, text: string) {
          sent = text
        },
        close: () => Promise.resolve(),
      })
    },
    resolve: () => Promise.resolve([]),
    interfaceAddresses: () => ['127.0.0.1'],
  }
  const server = await startServer({
    script: { path: fileURLToPath(new URL('../scripts/d.cfg', import.meta.url)) },
    network,
    clock: systemClock(),
    random: systemRandom(),
    log: silentLog,
    store: memoryStore(),
    defines: new Map([
      ['PORT', '5060'],
      ['CHILDREN', '1'],
    ]),
  })
  return {
    answerTo(text: string): string {
      const flow = { socket, address: '127.0.0.1', port: 5071 }
      sent = ''
      handler?.onDatagrams({ count: 1, text: () => text, flow: () => flow })
      return sent
    },
    stop: () => server.stop(),
  }
}

function userOf(count: number): string {
  return `u${String(count % users).padStart(7, '0')}`
}

function register(count: number, cseq: number, headers: string): string {
  const user = userOf(count)
  const text =
    `REGISTER sip:${domain} SIP/2.0\r\n` +
    `Via: SIP/2.0/UDP 127.0.0.1:5071;branch=z9hG4bK-${count}-${cseq};rport\r\n` +
    'Max-Forwards: 70\r\n' +
    `From: "Alice B" <sip:${user}@${domain}>;tag=f${count}\r\n` +
    `To: <sip:${user}@${domain}>\r\n` +
    `Call-ID: 5f1c7d2e-${count}@127.0.0.1\r\n` +
    `CSeq: ${cseq} REGISTER\r\n` +
    `Contact: <sip:${user}@127.0.0.1:5070>;expires=3600\r\n` +
    'User-Agent: telephone/1.0\r\n' +
    `${headers}Content-Length: 0\r\n\r\n`
  // One flat string, as a datagram is.
  return Buffer.from(text, 'latin1').toString('latin1')
}

function nonceOf(challenge: string): string {
  const start = challenge.indexOf('nonce="') + 7
  return challenge.slice(start, challenge.indexOf('"', start))
}

function answer(count: number, nonce: string): string {
  const user = userOf(count)
  const uri = `sip:${domain}`
  const ha1 = md5(`${user}:127.0.0.1:secret`)
  const response = md5(`${ha1}:${nonce}:00000001:0a4f113b:auth:${md5(`REGISTER:${uri}`)}`)
  return (
    `Authorization: Digest username="${user}", realm="127.0.0.1", nonce="${nonce}", uri="${uri}", ` +
    `response="${response}", algorithm=MD5, qop=auth, nc=00000001, cnonce="0a4f113b"\r\n`
  )
}

function md5(text: string): string {
  return hash('md5', text, 'hex')
}
