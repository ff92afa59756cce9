import type { ListenStatement } from '../grammar/program.ts'
import type { Log } from './runtime/log.ts'
import type { ListenRequest, TransportName } from './transport/socket.ts'
import type { Network } from './transport/transport.ts'

/**
 * From what a script says (`listen=udp:eth0:5060 advertise 203.0.113.7:5060`) to the sockets to open. A wildcard
 * address is opened as one socket per address of the host: an answer must leave from the very address a device
 * spoke to, or its NAT drops it, and Via must name an address that can be answered.
 */
export async function listenRequests(
  listens: readonly ListenStatement[],
  defaultPort: number,
  network: Network,
  log: Log,
): Promise<ListenRequest[]> {
  if (listens.length === 0) return everywhere(network, defaultPort)
  const requests: ListenRequest[] = []
  for (const listen of listens) {
    if (listen.transport !== null && listen.transport !== 'udp') {
      log.warn(
        { listen: `${listen.transport}:${listen.host}` },
        `${listen.transport} is not served yet: this listen statement opens nothing`,
      )
      continue
    }
    const port = listen.port === 0 ? defaultPort : listen.port
    for (const address of await addressesOf(listen.host, network)) {
      requests.push({
        transport: 'udp',
        address,
        port,
        ...(listen.name !== null && { name: listen.name }),
        ...(listen.advertisedHost !== null && { advertisedAddress: listen.advertisedHost }),
        ...(listen.advertisedPort !== 0 && { advertisedPort: listen.advertisedPort }),
      })
    }
  }
  return requests
}

/** advertised_address and advertised_port: for every socket whose own statement says nothing else. */
export function advertised(
  requests: readonly ListenRequest[],
  address: string,
  port: number,
): ListenRequest[] {
  return requests.map((request) => ({
    ...request,
    ...(address !== '' && request.advertisedAddress === undefined && { advertisedAddress: address }),
    ...(port > 0 && request.advertisedPort === undefined && { advertisedPort: port }),
  }))
}

/**
 * `-l udp:127.0.0.1:5080`, `-l 127.0.0.1`, `-l [::1]:5060`: one request.
 *
 * @throws Error that says how it must be written.
 */
export function parseListen(text: string): { transport: TransportName; host: string; port: number } {
  const match = /^(?:(udp|tcp|tls|ws|wss):)?(?:\[([0-9A-Fa-f:.]+)\]|([^:\s[\]]+))(?::(\d{1,5}))?$/.exec(text)
  const port = Number(match?.[4] ?? 0)
  if (!match || port > 65_535) {
    throw new Error(`cannot listen on '${text}': write udp:192.0.2.1:5060, or [2001:db8::1]:5060 for IPv6`)
  }
  if (match[1] !== undefined && match[1] !== 'udp') {
    throw new Error(`cannot listen on '${text}': only udp is served yet`)
  }
  return { transport: 'udp', host: match[2] ?? match[3] ?? '', port }
}

/** An address as it is; a wildcard or an interface as all its addresses; a name as what it resolves to. */
export async function addressesOf(host: string, network: Network): Promise<string[]> {
  if (host === '0.0.0.0' || host === '*')
    return network.interfaceAddresses().filter((address) => !address.includes(':'))
  if (host === '::') return network.interfaceAddresses().filter((address) => address.includes(':'))
  if (/^[0-9.]+$/.test(host) || host.includes(':')) return [host]
  const ofInterface = network.interfaceAddresses(host)
  if (ofInterface.length > 0) return ofInterface
  const resolved = await network.resolve(host, 0, 'udp')
  if (resolved.length === 0) {
    throw new Error(
      `cannot listen on '${host}': it is no address, no interface, and no name that resolves here`,
    )
  }
  return resolved.map(({ address }) => address)
}

function everywhere(network: Network, port: number): ListenRequest[] {
  return network.interfaceAddresses().map((address) => ({ transport: 'udp', address, port }))
}
