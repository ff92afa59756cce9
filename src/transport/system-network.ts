import { networkInterfaces } from 'node:os'
import type { Log } from '../runtime/log.ts'
import { type Random, systemRandom } from '../runtime/random.ts'
import { canonicalAddress } from './address.ts'
import { createLookups } from './dns.ts'
import { locate } from './locate.ts'
import type { ListenRequest, TransportName } from './socket.ts'
import type { Network, NetworkOptions, Transport, TransportHandler } from './transport.ts'
import { openUdp } from './udp.ts'

/** The network of the host: real sockets, real DNS. */
export interface SystemNetworkOptions {
  readonly log: Log
  /** `VIADUCT_UDP` names the engine: `dgram`, the only one so far and the default. */
  readonly environment?: Readonly<Record<string, string | undefined>>
  readonly random?: Random
}

/** What opens sockets: node:dgram now; one that reads and writes many datagrams per system call fits as well. */
type UdpEngine = (
  requests: readonly ListenRequest[],
  handler: TransportHandler,
  options: NetworkOptions,
) => Promise<Transport>

const engines: ReadonlyMap<string, UdpEngine> = new Map([['dgram', openUdp]])

const transports: ReadonlySet<string> = new Set<TransportName>(['udp', 'tcp', 'tls', 'ws', 'wss'])

export function createSystemNetwork(options: SystemNetworkOptions): Network {
  const { log, environment = {}, random = systemRandom() } = options
  const lookups = createLookups(random.integer)
  return {
    async open(requests, handler, networkOptions) {
      const engine = engineNamed(environment['VIADUCT_UDP'] ?? 'dgram')
      for (const { transport, address, port } of requests) {
        if (transport === 'udp') continue
        throw new Error(`cannot listen on ${transport}:${address}:${port}: only udp is served yet`)
      }
      return await engine(requests, handler, networkOptions)
    },
    async resolve(host, port, transport) {
      const name = transports.has(transport) ? (transport as TransportName) : 'udp'
      const located = await locate(host, port, name, lookups)
      if (located.length === 0 && log.enabled('debug')) log.debug({ host }, `no address for ${host}`)
      return located
    },
    interfaceAddresses,
  }
}

function engineNamed(name: string): UdpEngine {
  const engine = engines.get(name)
  if (engine) return engine
  throw new Error(`VIADUCT_UDP=${name} is no engine: there is ${[...engines.keys()].join(', ')}`)
}

/** Link-local IPv6 addresses are left out: without their zone nobody could answer to them. */
function interfaceAddresses(name?: string): string[] {
  const found: string[] = []
  for (const [interfaceName, entries] of Object.entries(networkInterfaces())) {
    if (name !== undefined && interfaceName !== name) continue
    for (const { address } of entries ?? []) {
      if (!/^fe[89ab]/i.test(address)) found.push(canonicalAddress(address))
    }
  }
  return found
}
