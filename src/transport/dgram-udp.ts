import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { limits } from '../limits.ts'
import { canonicalAddress } from './address.ts'
import { bindError } from './bind-error.ts'
import type { Flow, ListenRequest, ListenSocket } from './socket.ts'
import { createListenSocket } from './sockets.ts'
import type { DatagramBatch, NetworkOptions, Transport, TransportHandler } from './transport.ts'

/**
 * UDP by node:dgram: the engine that runs everywhere. Hot: once per datagram in, once per datagram out.
 *
 * Datagrams are handed over one by one as libuv reads them; collecting those of a loop turn was measured and gains
 * nothing here (10 microseconds of CPU per echoed datagram either way): each send is a system call. Octets become one Latin-1
 * string, and back through one buffer that is used again unless the kernel could not take the datagram at once.
 */
export async function openDgramUdp(
  requests: readonly ListenRequest[],
  handler: TransportHandler,
  options: NetworkOptions,
  /** Why it is this engine, for the log. */
  reason: string,
): Promise<Transport> {
  const bound: UdpSocket[] = []
  try {
    for (const request of requests) {
      bound.push(await UdpSocket.open(request, bound.length, handler, options))
    }
  } catch (error) {
    await Promise.all(bound.map((socket) => socket.close()))
    throw error
  }
  return new UdpTransport(bound, reason)
}

class UdpTransport implements Transport {
  readonly sockets: readonly ListenSocket[]
  readonly engine: string
  readonly #bound: readonly UdpSocket[]

  constructor(bound: readonly UdpSocket[], reason: string) {
    this.#bound = bound
    this.engine = `node:dgram (${reason})`
    this.sockets = bound.map(({ socket }) => socket)
  }

  send(socket: ListenSocket, text: string, address: string, port: number): void {
    this.#bound[socket.index]?.send(text, address, port)
  }

  async close(): Promise<void> {
    await Promise.all(this.#bound.map((socket) => socket.close()))
  }
}

/** Milliseconds that a closing socket waits for datagrams that the kernel has not taken yet. */
const flushMs = 500

class UdpSocket {
  readonly socket: ListenSocket
  readonly #dgram: Socket
  readonly #handler: TransportHandler
  readonly #batch = new SingleDatagram()
  #buffer = Buffer.allocUnsafeSlow(limits.datagramBytesMax)
  readonly #sent: (error: Error | null) => void

  static async open(
    request: ListenRequest,
    index: number,
    handler: TransportHandler,
    options: NetworkOptions,
  ): Promise<UdpSocket> {
    const isIpv6 = request.address.includes(':')
    const dgram = createSocket({
      type: isIpv6 ? 'udp6' : 'udp4',
      // An IPv4 device must not appear as ::ffff:192.0.2.1 on the IPv6 socket beside its own on the IPv4 one.
      ...(isIpv6 && { ipv6Only: true }),
      // Set only if it is wanted: not every system has it.
      ...(options.reusePort && { reusePort: true }),
      recvBufferSize: options.receiveBufferBytes || limits.receiveBufferBytes,
      // Destinations are always literal addresses: no look-up, no thread pool.
      lookup: (address, _options, done) => done(null, address, isIpv6 ? 6 : 4),
    })
    try {
      await bind(dgram, request)
    } catch (cause) {
      dgram.close()
      throw bindError(request, cause)
    }
    return new UdpSocket(dgram, createListenSocket(request, index, dgram.address().port), handler)
  }

  constructor(dgram: Socket, socket: ListenSocket, handler: TransportHandler) {
    this.#dgram = dgram
    this.socket = socket
    this.#handler = handler
    this.#sent = (error) => this.#onSent(error)
    dgram.on('message', (octets, remote) => this.#onMessage(octets, remote))
    dgram.on('error', (error) => this.#onSent(error))
  }

  send(text: string, address: string, port: number): void {
    const length = this.#buffer.write(text, 0, 'latin1')
    if (length < text.length) {
      this.#report(address, port, 'EMSGSIZE')
      return
    }
    try {
      this.#dgram.send(this.#buffer, 0, length, port, address, this.#sent)
      // The kernel's queue is full: libuv keeps the buffer until it is not.
      if (this.#dgram.getSendQueueCount() > 0) this.#buffer = Buffer.allocUnsafeSlow(limits.datagramBytesMax)
    } catch (error) {
      // Port 0, or a socket that is closed already.
      this.#report(address, port, codeOf(error))
    }
  }

  /** Reads no more, and lets leave what waits to. */
  async close(): Promise<void> {
    this.#dgram.removeAllListeners('message')
    const giveUpAt = performance.now() + flushMs
    while (this.#dgram.getSendQueueCount() > 0 && performance.now() < giveUpAt) {
      await new Promise((resolve) => setImmediate(resolve))
    }
    await new Promise<void>((resolve) => this.#dgram.close(() => resolve()))
  }

  #onMessage(octets: Buffer, remote: RemoteInfo): void {
    const text = octets.toString('latin1')
    const { socket } = this
    this.#batch.set(text, { socket, address: addressOf(remote.address), port: remote.port })
    this.#handler.onDatagrams(this.#batch)
  }

  /** The error of a send carries its destination. */
  #onSent(error: Error | null): void {
    if (error === null) return
    const { address = '', port = 0 } = error as Partial<Flow>
    this.#report(address, port, codeOf(error))
  }

  #report(address: string, port: number, code: string): void {
    this.#handler.onSendError({ socket: this.socket, address, port }, code)
  }
}

/** One datagram at a time; the same object for all of them. */
class SingleDatagram implements DatagramBatch {
  readonly count = 1
  #text = ''
  #flow: Flow | null = null

  set(text: string, flow: Flow): void {
    this.#text = text
    this.#flow = flow
  }

  text(): string {
    return this.#text
  }

  flow(): Flow {
    if (this.#flow === null) throw new Error('no datagram')
    return this.#flow
  }
}

function bind(dgram: Socket, { address, port }: ListenRequest): Promise<void> {
  return new Promise((resolve, reject) => {
    dgram.once('error', reject)
    dgram.bind({ address, port, exclusive: true }, () => {
      dgram.removeListener('error', reject)
      resolve()
    })
  })
}

/** Node.js writes IPv6 addresses as RFC 5952 does: only a zone and mapped addresses are left to us. */
function addressOf(address: string): string {
  if (!address.includes(':')) return address
  return address.includes('%') || address.startsWith('::ffff:') ? canonicalAddress(address) : address
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'EIO'
}
