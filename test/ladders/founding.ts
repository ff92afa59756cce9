import type { Agent, LadderOptions, World } from '../../src/testing/index.ts'

/**
 * The people of the founding problem: a device (2000) behind a mobile operator's NAT that never registers, a second
 * one, the processing server (1000), and a stranger on the open Internet. The addresses are those of the packet that
 * started it all.
 */
export const routerAddress = '50.170.158.149'
export const carrierAddress = '60.250.149.198'
export const carrierPort = 59_177
export const password = 'processing'

const private_ = '10.92.240.131'

/** Options of a ladder with routes/gsm.cfg; `defines` are added. */
export function founding(defines: Readonly<Record<string, string>> = {}) {
  return {
    router: routerAddress,
    domain: routerAddress,
    nats: { carrier: { publicAddress: carrierAddress, mappingSeconds: 60, firstPort: carrierPort } },
    cast: {
      device: { user: '2000', address: private_, behind: 'carrier', rport: false, domain: private_ },
      second: { user: '2001', address: '10.92.240.132', behind: 'carrier', rport: false, domain: private_ },
      server: { user: '1000', address: '50.170.158.150', password },
      stranger: { user: '2000', address: '203.0.113.66' },
      /** In the carrier's prefix, and not behind its NAT: what a forged source looks like to the router. */
      forger: { user: '2000', address: '60.250.149.77' },
    },
    defines: { CARRIER: '60.250.0.0/16', USER: `1000:${password}`, ...defines },
  } satisfies LadderOptions<'device' | 'second' | 'server' | 'stranger' | 'forger'>
}

/** A device sends a MESSAGE to the server, as RFC 3428 §4 has it: without a Contact. The server answers 200. */
export async function speaks(device: Agent, server: Agent, body = 'position 25.03 121.56'): Promise<void> {
  await device.sends(`MESSAGE sip:1000@${routerAddress}`, { body })
  const message = await server.receives('MESSAGE')
  await server.sends(200, { request: message })
  await device.receives(200)
}

/** The server sends a MESSAGE with its password. Nothing is said about what becomes of it. */
export async function writes(server: Agent, body: string, user = '2000'): Promise<void> {
  await server.sends(`MESSAGE sip:${user}@${routerAddress}`, { body })
  await server.receives(407)
  await server.authenticates()
}

/** The server's MESSAGE arrives at the device, is answered 200, and the server hears of it. */
export async function reaches(server: Agent, device: Agent, body: string): Promise<void> {
  await writes(server, body, device.user)
  const message = await device.receives('MESSAGE')
  if (message.body !== body) throw new Error(`${device.name} got '${message.body}' instead of '${body}'`)
  await device.sends(200, { request: message })
  await server.receives(200)
}

/** What left the router for that address since the ladder began. */
export function sentTo({ network }: Pick<World, 'network'>, address: string) {
  return network.captured.filter(({ fromHost, to }) => fromHost === 'router' && to.address === address)
}

/** Whatever came so far is not what the next steps are about. */
export function overlook(agent: Agent): void {
  for (const received of agent.inbox) received.isExpected = true
}

export const octets = (datagrams: readonly { text: string }[]) =>
  datagrams.reduce((sum, { text }) => sum + text.length, 0)
