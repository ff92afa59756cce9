import { limits } from '../limits.ts'
import { hostWithoutBrackets } from '../sip/uri.ts'
import { isAddress } from './address.ts'
import type { TransportName } from './socket.ts'
import { defaultPort } from './sockets.ts'

/**
 * Locating SIP servers: RFC 3263 §4.2, from a host name to addresses, best first. The transport is settled before
 * (§4.1: by the URI; NAPTR records are not asked). Pure but for the look-ups, which are given.
 *
 *   literal address      -> itself
 *   a port in the URI    -> A and AAAA records, that port
 *   no port              -> SRV records by priority and weight, then A and AAAA of each target;
 *                           without SRV records A and AAAA, the transport's default port
 */
export interface Lookups {
  /** [] if there are none. */
  srv(name: string): Promise<readonly SrvRecord[]>
  /** A and AAAA, [] if there are none. */
  addresses(host: string): Promise<readonly string[]>
  /** From 0 up to, and without, `below`: to spread load by weight. */
  integer(below: number): number
}

export interface SrvRecord {
  readonly target: string
  readonly port: number
  readonly priority: number
  readonly weight: number
}

export interface Located {
  address: string
  port: number
}

export async function locate(
  host: string,
  port: number,
  transport: TransportName,
  lookups: Lookups,
): Promise<Located[]> {
  if (isAddress(host)) return [{ address: hostWithoutBrackets(host), port: port || defaultPort(transport) }]
  if (port !== 0) return at(await lookups.addresses(host), port)
  const servers = inOrder(await lookups.srv(`${serviceOf(transport)}.${host}`), lookups)
  if (servers.length === 0) return at(await lookups.addresses(host), defaultPort(transport))
  const located: Located[] = []
  for (const server of servers) {
    if (located.length >= limits.dnsAddressesMax) break
    located.push(...at(await lookups.addresses(server.target), server.port))
  }
  return located.slice(0, limits.dnsAddressesMax)
}

/** RFC 2782: the lowest priority first; within one, a draw by weight for each place. */
function inOrder(records: readonly SrvRecord[], lookups: Lookups): SrvRecord[] {
  // A single record whose target is the root says that the service is not offered.
  const usable = records.filter(({ target, port }) => target !== '' && target !== '.' && port !== 0)
  const waiting = usable
    .slice(0, limits.dnsAddressesMax)
    .sort((a, b) => a.priority - b.priority || a.weight - b.weight)
  const ordered: SrvRecord[] = []
  for (let first = waiting[0]; first; first = waiting[0]) {
    const { priority } = first
    const equals = waiting.filter((record) => record.priority === priority)
    const drawn = draw(equals, lookups) ?? first
    waiting.splice(waiting.indexOf(drawn), 1)
    ordered.push(drawn)
  }
  return ordered
}

function draw(records: readonly SrvRecord[], lookups: Lookups): SrvRecord | undefined {
  const total = records.reduce((sum, { weight }) => sum + weight, 0)
  let lot = lookups.integer(total + 1)
  return records.find(({ weight }) => (lot -= weight) <= 0)
}

function serviceOf(transport: TransportName): string {
  return transport === 'tls' ? '_sips._tcp' : transport === 'udp' ? '_sip._udp' : '_sip._tcp'
}

function at(addresses: readonly string[], port: number): Located[] {
  return addresses.slice(0, limits.dnsAddressesMax).map((address) => ({ address, port }))
}
