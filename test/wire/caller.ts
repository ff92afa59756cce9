import { createSocket, type Socket } from 'node:dgram'
import { respond } from './oracle.ts'

/**
 * A SIP endpoint for many requests at a time: each is a promise of its final response, found by its Call-ID. What
 * is asked of it by others it answers with 200, or as `onRequest` says.
 */
export interface Answer {
  readonly text: string
  readonly status: number
  /** From the send to the answer. */
  readonly milliseconds: number
}

export class Caller {
  readonly port: number
  /** Requests of others, in order. */
  readonly received: string[] = []
  /** The status line to answer a request with; null: silence. */
  onRequest: (request: string) => string | null = () => '200 OK'
  readonly #socket: Socket
  readonly #waiting = new Map<string, (text: string) => void>()

  private constructor(socket: Socket) {
    this.#socket = socket
    this.port = socket.address().port
    socket.on('message', (octets, from) =>
      this.#onMessage(octets.toString('latin1'), from.port, from.address),
    )
  }

  static async open(port = 0): Promise<Caller> {
    const socket = createSocket({ type: 'udp4', recvBufferSize: 8 << 20 })
    await new Promise<void>((bound) => socket.bind(port, '127.0.0.1', bound))
    return new Caller(socket)
  }

  /** The final response, or null if none comes in time. `retryMilliseconds`: the same datagram again meanwhile. */
  ask(
    text: string,
    port: number,
    options: { milliseconds?: number; retryMilliseconds?: number } = {},
  ): Promise<Answer | null> {
    const { milliseconds = 2_000, retryMilliseconds } = options
    const callId = callIdOf(text)
    const sentAt = performance.now()
    return new Promise((done) => {
      const retry = retryMilliseconds && setInterval(() => this.tell(text, port), retryMilliseconds)
      const finish = (answer: Answer | null) => {
        clearTimeout(timer)
        clearInterval(retry || undefined)
        this.#waiting.delete(callId)
        done(answer)
      }
      const timer = setTimeout(() => finish(null), milliseconds)
      this.#waiting.set(callId, (answer) => {
        const status = Number(answer.slice(8, 11))
        if (status >= 200) finish({ text: answer, status, milliseconds: performance.now() - sentAt })
      })
      this.tell(text, port)
    })
  }

  tell(text: string | Uint8Array, port: number): void {
    this.#socket.send(typeof text === 'string' ? Buffer.from(text, 'latin1') : text, port, '127.0.0.1')
  }

  close(): void {
    this.#socket.close()
  }

  #onMessage(text: string, port: number, address: string): void {
    if (text.startsWith('SIP/2.0 ')) {
      this.#waiting.get(callIdOf(text))?.(text)
      return
    }
    this.received.push(text)
    const statusLine = this.onRequest(text)
    if (statusLine === null) return
    this.#socket.send(Buffer.from(respond(text, statusLine, { tag: 'caller' }), 'latin1'), port, address)
  }
}

export interface RequestFields {
  method: string
  user: string
  /** From user; the same as `user` by default. */
  from?: string
  callId?: string
  cseq?: number
  headers?: string
  body?: string
}

let requestsMade = 0

/** A request for `sip:USER@127.0.0.1:PORT`, with a transaction and, unless it is given, a Call-ID of its own. */
export function request(caller: Caller, port: number, fields: RequestFields): string {
  const { method, user, from = user, callId = `call-${process.pid}-${++requestsMade}`, cseq = 1 } = fields
  const { headers = '', body = '' } = fields
  const uri = method === 'REGISTER' ? `sip:127.0.0.1:${port}` : `sip:${user}@127.0.0.1:${port}`
  return (
    `${method} ${uri} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:${caller.port};rport;branch=z9hG4bK-${process.pid}-${++requestsMade}\r\n` +
    `Max-Forwards: 10\r\nFrom: <sip:${from}@127.0.0.1:${port}>;tag=t${requestsMade}\r\nTo: <sip:${user}@127.0.0.1:${port}>\r\n` +
    `Call-ID: ${callId}\r\nCSeq: ${cseq} ${method}\r\n${headers}Content-Length: ${body.length}\r\n\r\n${body}`
  )
}

/** The addresses in the Contact header fields of a response, in order. */
export function contactsOf(answer: Answer | null): string[] {
  const lines = answer?.text.split('\r\n').filter((line) => /^contact:/i.test(line)) ?? []
  return lines.flatMap((line) => [...line.matchAll(/<([^>]*)>/g)].map((match) => match[1] ?? '')).sort()
}

/** Numbers that a seed decides: a failure can be played again with the same seed. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** VIADUCT_SEED plays a run again. */
export function chosenSeed(): number {
  return Number(process.env['VIADUCT_SEED'] ?? Date.now() % 1_000_000)
}

function callIdOf(text: string): string {
  return /^call-id: *(\S+)/im.exec(text)?.[1] ?? ''
}

export const pause = (milliseconds: number) => new Promise<void>((next) => setTimeout(next, milliseconds))
