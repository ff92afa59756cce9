import { spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/**
 * Runs the scripts that are named on the command line in Kamailio, sends each one OPTIONS request, and prints what
 * it logged as `#= text` lines. With `--write` they replace those in the file.
 *
 *     node test/language/semantics/ask-kamailio.ts --write test/language/semantics/truth.cfg
 */
const port = 15_560
const clientPort = 15_561

const request = [
  `OPTIONS sip:bob@127.0.0.1:${port} SIP/2.0`,
  `Via: SIP/2.0/UDP 127.0.0.1:${clientPort};branch=z9hG4bKsemantics`,
  'From: <sip:alice@example.com>;tag=f',
  'To: <sip:bob@example.com>',
  'Call-ID: c1',
  'CSeq: 1 OPTIONS',
  'Content-Length: 0',
  '',
  '',
].join('\r\n')

async function ask(path: string): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'semantics-'))
  const config = join(folder, 'asked.cfg')
  const head = `debug=-1\nlog_stderror=yes\nchildren=1\nlisten=udp:127.0.0.1:${port}\n`
  writeFileSync(config, `${head}include_file "${resolve(path)}"\n`)
  const kamailio = spawn('kamailio', ['-DD', '-E', '-f', config, '-m', '64', '-M', '8', '-Y', folder], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [kamailio.stdout, kamailio.stderr]) stream.on('data', (chunk) => (output += chunk))
  const ended = new Promise((done) => kamailio.on('close', done))
  await sleep(1_000)
  const socket = createSocket('udp4')
  await new Promise<void>((done) => socket.bind(clientPort, '127.0.0.1', done))
  socket.send(request, port, '127.0.0.1')
  await sleep(500)
  socket.close()
  kamailio.kill()
  await ended
  rmSync(folder, { recursive: true })
  const logged = [...output.matchAll(/<script>: (.*)/g)].map((match) => match[1] ?? '')
  return logged.length > 0 ? logged : output.split('\n')
}

const [first, ...rest] = process.argv.slice(2)
const isWriting = first === '--write'
for (const path of isWriting ? rest : process.argv.slice(2)) {
  const lines = (await ask(path)).map((line) => `#= ${line}`).join('\n')
  if (!isWriting) console.log(`${path}\n${lines}`)
  else writeFileSync(path, `${readFileSync(path, 'utf8').replace(/(?:^#= .*\n|^#=\n)+/gm, '')}${lines}\n`)
}
