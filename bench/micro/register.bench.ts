import { hash } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { startRouter } from './answering-router.ts'

/**
 * Scenario d without a network: REGISTER, 401, REGISTER with the answer, 200, for one of 10,000 users after the other.
 * From the datagram's text to the text of the answer: what the router's own code costs. The client's share, three
 * digests and the two texts, is measured apart, so that it can be taken off.
 */
const users = 10_000
const domain = '127.0.0.1:5060'

test('registration with digest', async ({ bench }) => {
  const router = await startRouter({ path: fileURLToPath(new URL('../scripts/d.cfg', import.meta.url)) })
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
