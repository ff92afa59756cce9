import type { Server } from '../server.ts'
import type { ServerDescription } from '../worker/messages.ts'

/** What the line that says what runs says of a server. */
export function describe(
  server: Pick<Server, 'transport' | 'loaded' | 'storeDescription'>,
): ServerDescription {
  return {
    sockets: server.transport.sockets.map(({ label }) => label),
    udp: server.transport.engine ?? '',
    modules: server.loaded.plugins.map(({ definition }) => definition.name),
    store: server.storeDescription,
  }
}
