/**
 * Listening sockets and flows (RFC 3261 §18, RFC 5626 §2). A flow is where a datagram came from together with
 * the socket that received it: to answer through a NAT's pinhole one must use both.
 */
export type TransportName = 'udp' | 'tcp' | 'tls' | 'ws' | 'wss'

export interface ListenSocket {
  /** Small and stable for one run: the index in the list of sockets. */
  readonly index: number
  /** `name "x"` of the listen statement, null if it has none. */
  readonly name: string | null
  readonly transport: TransportName
  /** The bound address, IPv6 without brackets. */
  readonly address: string
  readonly port: number
  readonly family: 4 | 6
  /** What we write into Via, Record-Route and Path; the bound address and port if nothing is advertised. */
  readonly advertisedAddress: string
  readonly advertisedPort: number
  /** `udp:192.0.2.1:5060`: Kamailio's way to name a socket. */
  readonly label: string
}

/** Remote addresses are textual, IPv6 without brackets and zone, IPv4-mapped IPv6 as IPv4. */
export interface Flow {
  readonly socket: ListenSocket
  readonly address: string
  readonly port: number
}

/** What a `listen=` or `socket=` statement asks for. */
export interface ListenRequest {
  transport: TransportName
  address: string
  port: number
  name?: string
  advertisedAddress?: string
  advertisedPort?: number
}

/**
 * Names and addresses under which we are reached: `myself` of the script. Without a port in the question the
 * transport's default port is compared; an alias without a port matches any (measured on Kamailio 5.6.3).
 */
export interface SocketTable {
  readonly sockets: readonly ListenSocket[]
  isMyself(host: string, port: number, transport?: TransportName): boolean
  /** `alias=` of the script, `register_myself` of a plugin. Port 0 matches any port. */
  addAlias(host: string, port: number, transport?: TransportName): void
  /** A plugin's own test, asked last (Kamailio: register_check_self). */
  addCheck(check: (host: string, port: number) => boolean): void
  /** By `udp:ip:port` (transport optional) or by name; null if we do not listen there. */
  find(label: string): ListenSocket | null
  /** The socket to send from if the script forces none: same family and transport, the arrival socket first. */
  chooseFor(address: string, transport: TransportName, arrival: ListenSocket | null): ListenSocket | null
}
