import { expect, test } from 'vitest'
import { startRouter } from './answering-router.ts'

/**
 * save() alone: a REGISTER from its text to the text of the answer, less the same one answered by sl_send_reply(). Of
 * 10,000 users in scattered order one after the other comes again; each request has a Call-ID of its own.
 */
const users = 10_000
/** As many different texts as no cache of the last ones holds. */
const texts = 32_768
const step = 7_368_787

test('save()', async ({ bench }) => {
  const saving = await startRouter(scriptOf('save("location");'))
  const replying = await startRouter(scriptOf('sl_send_reply("200", "OK");'))
  const requests = Array.from({ length: texts }, (_, index) => register(index, (index * step) % users))
  const withMore = requests.map((text) => text.replace('\r\nContent-', `\r\n${more}Content-`)).map(flat)
  for (const text of requests) saving.answerTo(text)

  await bench.compare(
    bench('sl_send_reply()', inTurn(replying, requests)),
    bench('save(): a refresh', inTurn(saving, requests)),
    bench('save(): a refresh with Allow, Supported and Expires', inTurn(saving, withMore)),
  )

  expect(saving.answerTo(requests[0] ?? '')).toMatch(
    /^SIP\/2\.0 200 [\s\S]*\r\nContact: <sip:u\d+@[^>]+>;expires=3600\r\n/,
  )
  await saving.stop()
  await replying.stop()
})

const more =
  'Allow: INVITE, ACK, CANCEL, OPTIONS, BYE, REFER, NOTIFY, MESSAGE, SUBSCRIBE, INFO, PRACK, UPDATE\r\n' +
  'Supported: replaces, outbound, path\r\nExpires: 3600\r\n'

function scriptOf(statement: string): { path: string; text: string } {
  const text = `
    loadmodule "sl.so"
    loadmodule "usrloc.so"
    loadmodule "registrar.so"
    modparam("usrloc", "db_mode", 0)
    listen=udp:127.0.0.1:5060
    request_route { ${statement} exit; }
  `
  return { path: 'save.cfg', text }
}

function inTurn({ answerTo }: { answerTo(text: string): string }, requests: readonly string[]): () => void {
  let next = 0
  return () => void answerTo(requests[next++ % texts] ?? '')
}

function register(index: number, number: number): string {
  const user = `u${String(number).padStart(7, '0')}`
  const id = String(index).padStart(8, '0')
  return flat(
    'REGISTER sip:127.0.0.1:5060 SIP/2.0\r\n' +
      `Via: SIP/2.0/UDP 127.0.0.1:5071;branch=z9hG4bK-${id}-1;rport\r\n` +
      'Max-Forwards: 70\r\n' +
      `From: "Alice B" <sip:${user}@127.0.0.1>;tag=f${id}\r\n` +
      `To: <sip:${user}@127.0.0.1>\r\n` +
      `Call-ID: 5f1c7d2e-${id}@127.0.0.1\r\n` +
      'CSeq: 1 REGISTER\r\n' +
      `Contact: <sip:${user}@127.0.0.1:5070>;expires=3600\r\n` +
      'User-Agent: telephone/1.0\r\nContent-Length: 0\r\n\r\n',
  )
}

/** One run of octets, as a datagram is. */
function flat(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1')
}
