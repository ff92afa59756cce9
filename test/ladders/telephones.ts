import type { Agent, Endpoint, LadderOptions, World } from '../../src/testing/index.ts'

/** Alice and bob have a password; carol sits behind a NAT at home, dave is on the open Internet without one. */
export const homeAddress = '198.51.100.7'
export const homePort = 40_000

export function telephones<Name extends string = never>(more: LadderOptions<Name> = {}): LadderOptions<Name> {
  return {
    domain: '192.0.2.1',
    nats: { home: { publicAddress: homeAddress, firstPort: homePort, mappingSeconds: 120 } },
    ...more,
    cast: {
      alice: { password: 'wonderland' },
      bob: { password: 'builder' },
      ...more.cast,
    } as NonNullable<LadderOptions<Name>['cast']>,
  }
}

export const sdp = { body: 'v=0\r\no=- 1 1 IN IP4 192.0.2.11\r\n', contentType: 'application/sdp' }

/** A request that is challenged once, and passes with the password. */
export async function asksWithPassword(agent: Agent, what: string, options = {}): Promise<void> {
  await agent.sends(what, options)
  await agent.receives(407)
  await agent.authenticates()
}

/** What left the router for an endpoint. */
export function sentTo({ network }: Pick<World, 'network'>, { address, port }: Endpoint) {
  return network.captured.filter(
    ({ fromHost, to }) => fromHost === 'router' && to.address === address && to.port === port,
  )
}
