import { createSocket, type Socket } from 'node:dgram'
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { crlf, type Lab, mainPath, nodePath, type Process } from './lab.ts'

/**
 * The same script under Kamailio and under Viaduct, the same packets to both, and what each of them did, with
 * everything that may differ from run to run (ports, branches, tags, nonces, times) replaced by its name.
 */
export interface Oracle {
  readonly name: 'kamailio' | 'viaduct'
  readonly port: number
  readonly process: Process
}

let nextPort = 17_000 + (process.pid % 400) * 5

export function freePort(): number {
  return nextPort++
}

/** Starts a server on a script that says `listen=udp:127.0.0.1:PORT`; `defines` are -A options. */
export async function startOracle(
  lab: Lab,
  name: Oracle['name'],
  script: string,
  defines: Readonly<Record<string, string | number>> = {},
): Promise<Oracle> {
  const port = freePort()
  const directory = join(lab.directory, `${name}-${port}`)
  mkdirSync(directory)
  const options = Object.entries({ PORT: port, CHILDREN: 1, RESULTS: directory, ...defines }).flatMap(
    ([key, value]) => ['-A', `${key}=${value}`],
  )
  const process =
    name === 'kamailio'
      ? lab.start(null, 'kamailio', [
          '-DD',
          '-E',
          '-f',
          script,
          '-m',
          '64',
          '-M',
          '8',
          '-w',
          directory,
          '-Y',
          directory,
          '-P',
          join(directory, 'pid'),
          ...options,
        ])
      : lab.start(null, nodePath, [
          mainPath,
          'run',
          '-f',
          script,
          '--data',
          join(directory, 'data'),
          ...options,
        ])
  if (name === 'viaduct') {
    await process.prints(/ runs .* on udp:/)
    return { name, port, process }
  }
  // Kamailio binds before its workers are ready: its log at this level has no line that says so.
  for (let attempt = 0; attempt < 100 && process.child.exitCode === null; attempt++) {
    if (isBound(port)) return { name, port, process }
    await new Promise((next) => setTimeout(next, 50))
  }
  throw new Error(`${name} does not listen on ${port}:\n${process.output}`)
}

export async function stopOracle(oracle: Oracle): Promise<void> {
  oracle.process.signal('SIGTERM')
  await oracle.process.exited
}

/** A SIP endpoint on loopback that sends what it is told and remembers what it got. */
export class Endpoint {
  readonly port: number
  readonly received: string[] = []
  readonly #socket: Socket
  #read = 0
  #notify: (() => void) | null = null

  private constructor(socket: Socket) {
    this.#socket = socket
    this.port = socket.address().port
    socket.on('message', (bytes) => {
      this.received.push(bytes.toString('latin1'))
      this.#notify?.()
    })
  }

  static async open(port = 0): Promise<Endpoint> {
    const socket = createSocket('udp4')
    await new Promise<void>((bound) => socket.bind(port, '127.0.0.1', bound))
    return new Endpoint(socket)
  }

  send(text: string, port: number): void {
    this.#socket.send(Buffer.from(crlf(text), 'latin1'), port, '127.0.0.1')
  }

  /** The next message that has `mark` in it, or null if none comes within so many milliseconds. */
  async next(mark: string, milliseconds = 1_000): Promise<string | null> {
    const deadline = performance.now() + milliseconds
    for (;;) {
      while (this.#read < this.received.length) {
        const text = this.received[this.#read++]
        if (text?.includes(mark)) return text
      }
      const left = deadline - performance.now()
      if (left <= 0) return null
      await new Promise<void>((done) => {
        const timer = setTimeout(done, left)
        this.#notify = () => {
          clearTimeout(timer)
          done()
        }
      })
      this.#notify = null
    }
  }

  /** What came and was not asked for belongs to the past. */
  forget(): void {
    this.#read = this.received.length
  }

  close(): void {
    this.#socket.close()
  }
}

/** A response to a request as an endpoint would write it: Via, From, To (with a tag), Call-ID, CSeq copied. */
export function respond(
  request: string,
  statusLine: string,
  options: { tag?: string; headers?: string; body?: string } = {},
): string {
  const lines = request.split('\r\n\r\n')[0]?.split('\r\n') ?? []
  const copied = lines.filter((line) => /^(via|record-route|from|to|call-id|cseq|v|f|t|i)\s*:/i.test(line))
  const tagged = copied.map((line) =>
    /^(to|t)\s*:/i.test(line) && !/;tag=/i.test(line) && options.tag !== undefined
      ? `${line};tag=${options.tag}`
      : line,
  )
  const body = options.body ?? ''
  return `SIP/2.0 ${statusLine}\r\n${tagged.join('\r\n')}\r\n${options.headers ?? ''}Content-Length: ${body.length}\r\n\r\n${body}`
}

/** Replaces what may differ from run to run. `names`: port number -> name. */
export function normalized(text: string | null, names: ReadonlyMap<number, string>): string {
  if (text === null) return '(nothing)'
  return text
    .replace(/127\.0\.0\.1:(\d+)/g, (whole, port) => names.get(Number(port)) ?? whole)
    .replace(/127\.0\.0\.1~(\d+)/g, (_, port) => `${names.get(Number(port)) ?? port}~`)
    .replace(/rport=(\d+)/g, (whole, port) =>
      names.has(Number(port)) ? `rport=${names.get(Number(port))}` : whole,
    )
    .replace(/branch=z9hG4bK(?!-keep)[^;,\s]*/g, 'branch=BRANCH')
    .replace(/nonce="[^"]*"/g, 'nonce="NONCE"')
    .replace(/^(To:.*;tag=)[0-9a-f]{32}[.-][0-9a-z.-]+/gim, '$1LOCALTAG')
    .replace(/;tag=uloc-[^\s;>]+/g, ';tag=ULOC')
    .replace(/^(Server|User-Agent): (kamailio|viaduct).*$/gim, '$1: ROUTER')
    .replace(/^Date: .*$/gim, 'Date: NOW')
}

function isBound(port: number): boolean {
  const wanted = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  return readProc('/proc/net/udp').some((line) => line.trim().split(/\s+/)[1]?.endsWith(wanted))
}

function readProc(path: string): string[] {
  return readFileSync(path, 'latin1').split('\n').slice(1)
}
