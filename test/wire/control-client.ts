import { connect, type Socket } from 'node:net'

/** A connection to a control socket: each request is a promise of its answer. */
export class ControlClient {
  /** Octets that have come. */
  received = 0
  readonly #socket: Socket
  readonly #waiting: ((answer: Answer) => void)[] = []
  #held: string[] = []

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.setEncoding('utf8')
    socket.on('data', (chunk) => this.#onData(String(chunk)))
  }

  static open(path: string): Promise<ControlClient> {
    return new Promise((resolve, reject) => {
      const socket = connect(path)
      socket.once('error', reject)
      socket.once('connect', () => resolve(new ControlClient(socket)))
    })
  }

  ask(method: string, ...params: unknown[]): Promise<Answer> {
    return this.send(JSON.stringify({ jsonrpc: '2.0', method, params, id: 1 })) as Promise<Answer>
  }

  /** A text that is answered with one line. */
  send(text: string): Promise<unknown> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve)
      this.#socket.write(`${text}\n`)
    })
  }

  close(): void {
    this.#socket.destroy()
  }

  #onData(text: string): void {
    this.received += text.length
    const [first = '', ...lines] = text.split('\n')
    this.#held.push(first)
    for (const line of lines) {
      this.#waiting.shift()?.(JSON.parse(this.#held.join('')))
      this.#held = [line]
    }
  }
}

export interface Answer {
  readonly id: unknown
  // biome-ignore lint/suspicious/noExplicitAny: each test knows what it asked for
  readonly result?: any
  readonly error?: { readonly code: number; readonly message: string }
}
