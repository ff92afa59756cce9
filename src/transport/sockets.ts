import { asciiLower } from '../sip/uri.ts'
import { canonicalAddress, isIpv6 } from './address.ts'
import type { ListenRequest, ListenSocket, SocketTable, TransportName } from './socket.ts'

/**
 * Our sockets and the names under which we are reached: `myself` of the script, as measured on Kamailio 5.6.3.
 *
 * A question without a port means the transport's default port (RFC 3261 §19.1.2): `sip:x@192.0.2.1` is not us if
 * we listen on 25060 only. An alias without a port stands for any port. What we advertise is us like what we bind.
 */
export function createSocketTable(sockets: readonly ListenSocket[]): SocketTable {
  return new Sockets(sockets)
}

/** The default port of RFC 3261 §19.1.2: 5061 for TLS, 5060 for all others; RFC 7118 for WebSocket. */
export function defaultPort(transport: TransportName): number {
  return transport === 'tls' ? 5061 : transport === 'ws' ? 80 : transport === 'wss' ? 443 : 5060
}

/** The socket that a request to listen becomes once it is bound; `port` if the system chose one. */
export function createListenSocket(request: ListenRequest, index: number, port = request.port): ListenSocket {
  const address = canonicalAddress(request.address)
  return {
    index,
    name: request.name ?? null,
    transport: request.transport,
    address,
    port,
    family: isIpv6(address) ? 6 : 4,
    advertisedAddress: request.advertisedAddress ?? address,
    advertisedPort: request.advertisedPort || port,
    label: `${request.transport}:${isIpv6(address) ? `[${address}]` : address}:${port}`,
  }
}

interface Alias {
  readonly port: number
  readonly transport: TransportName | null
}

class Sockets implements SocketTable {
  readonly sockets: readonly ListenSocket[]
  /** Under the host, lower case: every port and transport at which it is us. */
  readonly #names = new Map<string, Alias[]>()
  /** The first socket's address, and what #names has under it: what nearly all Routes name is found without a search. */
  readonly #ownAddress: string
  readonly #ownAliases: readonly Alias[] | undefined
  readonly #checks: ((host: string, port: number) => boolean)[] = []

  constructor(sockets: readonly ListenSocket[]) {
    this.sockets = sockets
    for (const socket of sockets) {
      this.addAlias(socket.address, socket.port, socket.transport)
      this.addAlias(socket.advertisedAddress, socket.advertisedPort, socket.transport)
    }
    this.#ownAddress = sockets[0]?.advertisedAddress ?? ''
    this.#ownAliases = this.#names.get(hostKey(this.#ownAddress))
  }

  isMyself(host: string, port: number, transport?: TransportName): boolean {
    const asked = port === 0 ? defaultPort(transport ?? 'udp') : port
    const aliases = host === this.#ownAddress ? this.#ownAliases : this.#names.get(hostKey(host))
    if (aliases !== undefined) {
      for (const alias of aliases) {
        if (alias.port !== 0 && alias.port !== asked) continue
        if (alias.transport === null || transport === undefined || alias.transport === transport) return true
      }
    }
    return this.#checks.length > 0 && this.#checks.some((check) => check(host, port))
  }

  addAlias(host: string, port: number, transport?: TransportName): void {
    const key = hostKey(host)
    const alias: Alias = { port, transport: transport ?? null }
    const aliases = this.#names.get(key)
    if (aliases === undefined) this.#names.set(key, [alias])
    else if (!aliases.some((one) => one.port === port && one.transport === alias.transport))
      aliases.push(alias)
  }

  addCheck(check: (host: string, port: number) => boolean): void {
    this.#checks.push(check)
  }

  find(label: string): ListenSocket | null {
    const byName = this.sockets.find(({ name }) => name !== null && name === label)
    if (byName) return byName
    const wanted = parseLabel(label)
    if (wanted === null) return null
    return this.sockets.find((socket) => isMeant(socket, wanted)) ?? null
  }

  chooseFor(address: string, transport: TransportName, arrival: ListenSocket | null): ListenSocket | null {
    const family = isIpv6(address) ? 6 : 4
    if (arrival !== null && arrival.family === family && arrival.transport === transport) return arrival
    for (const socket of this.sockets) {
      if (socket.family === family && socket.transport === transport) return socket
    }
    return null
  }
}

/** Names without regard to case, a trailing dot, or brackets; addresses in one spelling. */
function hostKey(host: string): string {
  const bare = host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host
  if (bare.includes(':')) return canonicalAddress(bare)
  const lower = asciiLower(bare)
  return lower.endsWith('.') ? lower.slice(0, -1) : lower
}

/** A label in parts; port 0 for the transport's default. */
interface Label {
  readonly transport: TransportName | null
  readonly host: string
  readonly port: number
}

/** What it is bound to, or what it advertises: our own Record-Route comes back with that. */
function isMeant(socket: ListenSocket, { transport, host, port }: Label): boolean {
  if (transport !== null && socket.transport !== transport) return false
  const wantedPort = port || defaultPort(socket.transport)
  if (socket.port === wantedPort && socket.address === host) return true
  return socket.advertisedPort === wantedPort && hostKey(socket.advertisedAddress) === host
}

/** `udp:192.0.2.1:5060`, `[2001:db8::1]:5060`, `192.0.2.1`. */
function parseLabel(label: string): Label | null {
  const match = /^(?:(udp|tcp|tls|wss|ws):)?(\[[^\]]*\]|[^:[\]]+)(?::(\d{1,5}))?$/i.exec(label)
  if (match === null) return null
  return {
    transport: match[1] === undefined ? null : (asciiLower(match[1]) as TransportName),
    host: hostKey(match[2] ?? ''),
    port: Number(match[3] ?? 0),
  }
}
