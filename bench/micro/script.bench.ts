import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { Engine } from '../../src/script/engine.ts'
import { isFault, scanMessage } from '../../src/sip/scan.ts'
import type { Flow, ListenSocket } from '../../src/transport/socket.ts'
import { startRouter } from '../../test/script/router.ts'

/**
 * Sixty statements of a script, those of scenario f, on requests as the generator of bench/ sends them: a thousand
 * users in scattered order, each request scanned anew, since a message remembers what was decoded. What the script
 * costs is the second figure less the first.
 */
const folder = new URL('../scripts/', import.meta.url)
const script = readFileSync(new URL('f.cfg', folder), 'latin1').replace(
  'include_file "common.inc"',
  'debug=0',
)
const headers = readFileSync(new URL('f.headers', folder), 'latin1').trimEnd().replaceAll(/\r?\n/g, '\r\n')
const body = 'The quick brown fox jumps over the lazy dog. '.repeat(5).slice(0, 200)

const datagrams = Array.from({ length: 4_096 }, (_, index) => {
  const user = String((index * 7_368_787) % 1_000).padStart(7, '0')
  const number = index.toString(16).padStart(8, '0')
  const text =
    `OPTIONS sip:u${user}@bench.test SIP/2.0\r\n` +
    `Via: SIP/2.0/UDP 127.0.0.1:6100;branch=z9hG4bK-12345678-${number}-1;rport\r\n` +
    'Max-Forwards: 70\r\n' +
    `From: "Alice B" <sip:a${user}@bench.test>;tag=f${number}\r\n` +
    `To: <sip:u${user}@bench.test>\r\n` +
    `Call-ID: 12345678-${number}@127.0.0.1\r\n` +
    'CSeq: 1 OPTIONS\r\n' +
    'Contact: <sip:alice@127.0.0.1:6100;transport=udp>\r\n' +
    'User-Agent: sipgen/1.0 (bench)\r\n' +
    `${headers}\r\n` +
    `Content-Type: text/plain\r\nContent-Length: ${body.length}\r\n\r\n${body}`
  return Buffer.from(text, 'latin1')
})

/** Requests go in, and the answer ends where the script hands it to the stateless core. */
async function startEngine(): Promise<{ engine: Engine; socket: ListenSocket; answers: { count: number } }> {
  const { engine, services } = await startRouter(script)
  const [socket] = services.sockets.sockets
  if (socket === undefined) throw new Error('the test router has no socket')
  const answers = { count: 0 }
  services.proxy.stateless.reply = () => {
    answers.count += 1
    return true
  }
  return { engine, socket, answers }
}

test('scenario f', async ({ bench }) => {
  const { engine, socket, answers } = await startEngine()
  const flow: Flow = { socket, address: '127.0.0.1', port: 6_100 }
  let position = 0
  const nextMessage = () => {
    position = (position + 1) % datagrams.length
    const message = scanMessage(datagrams[position]?.toString('latin1') ?? '')
    if (isFault(message)) throw new Error(message.reason)
    return message
  }
  await bench.compare(
    bench('a request is scanned', () => void nextMessage()),
    bench('it is scanned, and the script runs', () => engine.onRequest(nextMessage(), flow)),
  )
  expect(answers.count).toBeGreaterThan(0)
})
