import { createSocket, type Socket } from 'node:dgram'
import { mkdirSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
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

/** Thirty ports to each test process, below those that the system gives out by itself. */
let nextPort = 10_000 + (process.pid % 730) * 30

export function freePort(): number {
  while (isBound(nextPort)) nextPort++
  return nextPort++
}

/** Three dozen starts of the same program: what was compiled once is. */
const compileCache = join(tmpdir(), 'viaduct-compile-cache')

/** Starts a server on a script that says `listen=udp:127.0.0.1:PORT`; `defines` are -A options. */
export async function startOracle(
  lab: Lab,
  name: Oracle['name'],
  script: string,
  defines: Readonly<Record<string, string | number>> = {},
  port = freePort(),
): Promise<Oracle> {
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
      : lab.start(
          null,
          nodePath,
          [mainPath, 'run', '-f', script, '--data', join(directory, 'data'), ...options],
          { env: { NODE_COMPILE_CACHE: compileCache } },
        )
  if (name === 'viaduct') {
    const ended = process.exited.then((code) => {
      throw new Error(`${name} ended with ${code}:\n${process.output}`)
    })
    await Promise.race([process.prints(/ runs .* on udp:/), ended])
    return { name, port, process }
  }
  // Kamailio binds before its workers are ready: its log at this level has no line that says so.
  for (let attempt = 0; attempt < 100 && process.child.exitCode === null; attempt++) {
    if (isBound(port)) return { name, port, process }
    await new Promise((next) => setTimeout(next, 50))
  }
  process.signal('SIGTERM')
  throw new Error(`${name} does not listen on ${port}:\n${process.output}`)
}

export async function stopOracle(oracle: Oracle): Promise<void> {
  oracle.process.signal('SIGTERM')
  await oracle.process.exited
}

/** A SIP endpoint on loopback that sends what it is told and remembers what it got. */
export class Endpoint {
  readonly address: string
  readonly port: number
  readonly #received: string[] = []
  readonly #socket: Socket
  #read = 0
  #notify: (() => void) | null = null

  private constructor(socket: Socket) {
    this.#socket = socket
    const { address, port } = socket.address()
    this.address = address
    this.port = port
    socket.on('message', (bytes) => {
      this.#received.push(bytes.toString('latin1'))
      this.#notify?.()
    })
  }

  static async open(port = 0, address = '127.0.0.1'): Promise<Endpoint> {
    const socket = createSocket('udp4')
    await new Promise<void>((bound) => socket.bind(port, address, bound))
    return new Endpoint(socket)
  }

  send(text: string, port: number, address = '127.0.0.1'): void {
    this.sendOctets(Buffer.from(crlf(text), 'latin1'), port, address)
  }

  /** Byte for byte: torture messages have line feeds of their own. */
  sendOctets(octets: Uint8Array, port: number, address = '127.0.0.1'): void {
    this.#socket.send(octets, port, address)
  }

  /** The next message that has `mark` in it, or null if none comes within so many milliseconds. */
  async next(mark: string, milliseconds = 1_000): Promise<string | null> {
    return (await nextOf([this], mark, milliseconds))?.text ?? null
  }

  /** A message that is there already. */
  poll(mark: string): string | null {
    while (this.#read < this.#received.length) {
      const text = this.#received[this.#read++]
      if (text?.includes(mark)) return text
    }
    return null
  }

  /** `notify` is called with each message that arrives, until it is replaced. */
  watch(notify: (() => void) | null): void {
    this.#notify = notify
  }

  /** What came and was not asked for belongs to the past. */
  forget(): void {
    this.#read = this.#received.length
  }

  close(): void {
    this.#socket.close()
  }
}

/** The next message that has `mark` in it at any of these endpoints, or null if none comes in time. */
export async function nextOf(
  endpoints: readonly Endpoint[],
  mark: string,
  milliseconds: number,
): Promise<{ at: Endpoint; text: string } | null> {
  const deadline = performance.now() + milliseconds
  for (;;) {
    for (const at of endpoints) {
      const text = at.poll(mark)
      if (text !== null) return { at, text }
    }
    const left = deadline - performance.now()
    if (left <= 0) return null
    await new Promise<void>((done) => {
      const timer = setTimeout(done, left)
      for (const endpoint of endpoints) {
        endpoint.watch(() => {
          clearTimeout(timer)
          done()
        })
      }
    })
    for (const endpoint of endpoints) endpoint.watch(null)
  }
}

/** A response to a request as an endpoint would write it: Via, From, To (with a tag), Call-ID, CSeq copied. */
export function respond(
  request: string,
  statusLine: string,
  options: { tag?: string; headers?: string; body?: string } = {},
): string {
  const unfolded = (request.split('\r\n\r\n')[0] ?? '').replace(/\r\n[ \t]+/g, ' ')
  const lines = unfolded.split('\r\n')
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
  return (
    text
      .replace(/127\.0\.0\.([12]):(\d+)/g, (whole, host, port) => {
        const name = names.get(Number(port))
        return name === undefined ? whole : host === '2' ? `${name}-ON-2` : name
      })
      .replace(/127\.0\.0\.1~(\d+)/g, (_, port) => `${names.get(Number(port)) ?? port}~`)
      .replace(/branch=z9hG4bK(?!-keep)[^;,\s]*/g, 'branch=BRANCH')
      .replace(/nonce="[^"]*"/g, 'nonce="NONCE"')
      .replace(/^(To:.*;tag=)[0-9a-f]{32}[.-][0-9a-z.-]+/gim, '$1LOCALTAG')
      .replace(/;tag=uloc-[^\s;>]+/g, ';tag=ULOC')
      .replace(/^(Server|User-Agent): (kamailio|viaduct).*$/gim, '$1: ROUTER')
      .replace(/^Date: .*$/gim, 'Date: NOW')
      // A second may pass between two steps.
      .replace(/(?<=;expires=)\d{2,}/g, (seconds) => String(Math.ceil(Number(seconds) / 10) * 10))
      // On purpose in ours alone: RFC 5393 §5 shares the breadth of a request among its branches.
      .replace(/^Max-Breadth: \d+\r\n/gm, '')
      .replace(/(?<!\d)\d{5}(?!\d)/g, (port) => names.get(Number(port)) ?? port)
  )
}

function isBound(port: number): boolean {
  const wanted = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  return readProc('/proc/net/udp').some((line) => line.trim().split(/\s+/)[1]?.endsWith(wanted))
}

function readProc(path: string): string[] {
  return readFileSync(path, 'latin1').split('\n').slice(1)
}
