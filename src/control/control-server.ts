import type { Server, Socket } from 'node:net'
import { limits } from '../limits.ts'
import type { ControlEndpoint } from '../plugin/plugin.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Log, LogFields } from '../runtime/log.ts'
import type { Sink } from './answer.ts'
import { serveBinrpc } from './binrpc-session.ts'
import { CommandRefused, type Fault, notReady } from './fault.ts'
import { openFifo } from './fifo.ts'
import { faultText } from './json-rpc.ts'
import type { MethodDescription, Responder } from './methods.ts'
import { serveSession } from './session.ts'
import { openSocketFile, type SocketFileOptions } from './socket-file.ts'

/**
 * Where commands come in: the router's own socket, and those that modules of the script ask for. Opened while the
 * process may still be root; until the router serves, commands are answered with 503.
 */
export class ControlServer {
  readonly #clock: Clock
  readonly #log: Log
  readonly #closers: (() => void)[] = []
  readonly #missing: (() => void)[] = []
  #responder: Responder = new NotReady()

  constructor(clock: Clock, log: Log) {
    this.#clock = clock
    this.#log = log
  }

  /** @throws Error that says why not. */
  async openSocket(options: SocketFileOptions): Promise<void> {
    await this.#open(options, (socket, responder, onBroken) =>
      serveSession(socket, responder, this.#clock, onBroken),
    )
  }

  /** @throws Error that says why not. */
  async openEndpoint(endpoint: ControlEndpoint, owner: SocketFileOptions['owner']): Promise<void> {
    const { kind, path, mode } = endpoint
    if (kind === 'binrpc') await this.#open({ path, mode, owner }, serveBinrpc(this.#clock))
    else {
      const services = { responder: () => this.#responder, clock: this.#clock, log: this.#log }
      this.#closers.push(openFifo({ ...endpoint, owner }, services))
    }
  }

  /** What is not there: said when the router serves, since of a start that fails only the reason counts. */
  miss(fields: LogFields, message: string): void {
    this.#missing.push(() => this.#log.warn(fields, message))
  }

  /** From now on commands are answered. */
  serve(responder: Responder): void {
    this.#responder = responder
    for (const say of this.#missing.splice(0)) say()
  }

  close(): void {
    for (const close of this.#closers.splice(0)) close()
  }

  async #open(options: SocketFileOptions, serve: ServeConnection): Promise<void> {
    const connections = new Set<Socket>()
    const server: Server = await openSocketFile(options, (socket) => {
      if (connections.size >= limits.controlConnectionsMax) {
        socket.on('error', () => {})
        socket.end(`${faultText(tooMany, null)}\n`, () => socket.destroy())
        return
      }
      connections.add(socket)
      socket.on('close', () => connections.delete(socket))
      void serve(socket, this.#responder, (error) =>
        this.#log.debug({ err: error }, 'the answer to a command broke off'),
      )
    })
    server.on('error', (error) => this.#log.error({ err: error }, `the socket ${options.path} has failed`))
    this.#closers.push(() => {
      server.close()
      for (const socket of connections) socket.destroy()
    })
  }
}

export type ServeConnection = (
  socket: Socket,
  responder: Responder,
  onBroken: (error: unknown) => void,
) => Promise<void>

const tooMany: Fault = { code: 503, message: 'Too many connections' }

class NotReady implements Responder {
  methods(): readonly MethodDescription[] {
    return []
  }

  method(): undefined {}

  async answer(_name: string, _params: readonly unknown[], _sink: Sink): Promise<void> {
    throw new CommandRefused(notReady)
  }
}
