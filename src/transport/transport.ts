import type { ScanRecord } from '../sip/scan-record.ts'
import type { Flow, ListenRequest, ListenSocket } from './socket.ts'

/**
 * What carries datagrams. The engine hands over batches: what the kernel had ready is one call, so that an
 * engine which reads many at once (recvmmsg) and flushes what was sent in between (sendmmsg) fits behind it.
 * Implementations: native-udp.ts (recvmmsg, sendmmsg), dgram-udp.ts (node:dgram) and testing/network.ts (simulated).
 */
export interface Transport {
  readonly sockets: readonly ListenSocket[]
  /** What carries the datagrams and why, for the log. */
  readonly engine?: string
  /**
   * Sends `text` (one Latin-1 character per octet) from a socket of ours. Never throws and never waits; what
   * goes wrong is reported to `TransportHandler.onSendError`.
   */
  send(socket: ListenSocket, text: string, address: string, port: number): void
  /**
   * From now on records of requests and responses have an identity (sip/scan-record.ts) under this key of 16 octets. Who
   * does not ask does not pay for it: 50 nanoseconds per datagram.
   */
  identifyBy?(key: Uint8Array): void
  /** Stops reading; what was handed to `send` leaves first. */
  close(): Promise<void>
}

export interface DatagramBatch {
  readonly count: number
  /** Valid only during the call that handed over the batch. */
  text(index: number): string
  flow(index: number): Flow
  /** What stands where in a usual message, found on the way; null: look yourself. Valid as long as the text is. */
  record?(index: number): ScanRecord | null
}

/** How the layers below call upwards: one object, set once. */
export interface TransportHandler {
  onDatagrams(batch: DatagramBatch): void
  /** ICMP unreachable, EMSGSIZE, EPERM, ...: `code` is the errno's name. */
  onSendError(flow: Flow, code: string): void
}

/** The outside world as server.ts gets it. */
export interface Network {
  /** Rejects with an Error that says which socket could not be bound, why, and what to do. */
  open(
    requests: readonly ListenRequest[],
    handler: TransportHandler,
    options: NetworkOptions,
  ): Promise<Transport>
  /** RFC 3263: the addresses of a host name, best first; [] if there are none. Never rejects. */
  resolve(host: string, port: number, transport: string): Promise<{ address: string; port: number }[]>
  /** Addresses of an interface name such as eth0, or of all interfaces; for `listen=eth0` and `auto_aliases`. */
  interfaceAddresses(name?: string): string[]
}

export interface NetworkOptions {
  /** Kamailio's maxbuffer: bytes asked for as the receive buffer; 0: limits.receiveBufferBytes. */
  receiveBufferBytes: number
  /**
   * Wake-up moderation: at a busy rate datagrams are collected for so many microseconds before they are read. 0: never.
   * Engines that cannot do it read at once.
   */
  moderationMicroseconds?: number
  /** Datagrams of one length to one destination may be handed to the kernel together. Engines that cannot send each alone. */
  bursts?: boolean
  /** SO_REUSEPORT: other workers of this router bind the same addresses. */
  reusePort?: boolean
}
