import { networkInterfaces } from 'node:os'
import type { Log } from '../runtime/log.ts'
import { type Random, systemRandom } from '../runtime/random.ts'
import { canonicalAddress } from './address.ts'
import { openDgramUdp } from './dgram-udp.ts'
import { createLookups } from './dns.ts'
import { locate } from './locate.ts'
import { loadNativeAddon, type NativeAddon } from './native-addon.ts'
import { openNativeUdp } from './native-udp.ts'
import type { TransportName } from './socket.ts'
import type { Network } from './transport.ts'

/** The network of the host: real sockets, real DNS. */
export interface SystemNetworkOptions {
  readonly log: Log
  /** `VIADUCT_UDP` names the engine, `native` or `dgram`; without it, it is the native one if that can be loaded. */
  readonly environment?: Readonly<Record<string, string | undefined>>
  readonly random?: Random
  /** Outdoes NetworkOptions.moderationMicroseconds. */
  readonly moderationMicroseconds?: number | undefined
}

const transports: ReadonlySet<string> = new Set<TransportName>(['udp', 'tcp', 'tls', 'ws', 'wss'])

export function createSystemNetwork(options: SystemNetworkOptions): Network {
  const { log, environment = {}, random = systemRandom() } = options
  const lookups = createLookups(random.integer)
  return {
    async open(requests, handler, networkOptions) {
      const addon = chooseEngine(environment['VIADUCT_UDP'] ?? '')
      for (const { transport, address, port } of requests) {
        if (transport === 'udp') continue
        throw new Error(`cannot listen on ${transport}:${address}:${port}: only udp is served yet`)
      }
      const moderated = {
        ...networkOptions,
        moderationMicroseconds: options.moderationMicroseconds ?? networkOptions.moderationMicroseconds ?? 0,
      }
      if (typeof addon !== 'string') return await openNativeUdp(addon, requests, handler, moderated)
      return await openDgramUdp(requests, handler, moderated, addon)
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

/** The addon of the native engine, or why it is node:dgram. */
function chooseEngine(name: string): NativeAddon | string {
  if (name === 'dgram') return 'VIADUCT_UDP says so'
  if (name !== '' && name !== 'native') {
    throw new Error(`VIADUCT_UDP=${name} is no engine: there is native, dgram`)
  }
  const addon = loadNativeAddon()
  if (name === 'native' && typeof addon === 'string') {
    throw new Error(`VIADUCT_UDP=native, but the native engine cannot be loaded: ${addon}`)
  }
  return addon
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
