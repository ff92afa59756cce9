import { type Binding, type Edges, type Flow, type PluginHost, parseUri } from '../../src/plugin/index.ts'
import { EdgeDrain } from './edge-drain.ts'
import { EdgeRelay } from './edge-relay.ts'
import type { UsrlocExports } from './exports.ts'

/** What a router does for the other edges of its location, and beside them; its commands. */
export function serveEdges(
  host: PluginHost,
  edges: Edges,
  usrloc: Pick<UsrlocExports, 'tables' | 'aorRules'>,
): EdgeCommands {
  const relay = new EdgeRelay({ host, edges, bindingOf })
  const drain = new EdgeDrain(host, edges, usrloc)
  host.onRequest((request, flow) => relay.takes(request, flow) || drain.takes(request, flow))
  // What another edge has let in is not to be turned away here.
  host.knows((_request, flow) => edges.isEdgeAddress(flow.address, flow.port))
  host.onSendError((flow, code) => {
    if (saysDead.has(code)) suspect(edges, flow)
  })
  return {
    'edges.drain': (params) => drain.command(params),
    'edges.list': () =>
      edges.all().map(({ name, uri, isSelf, isAlive, isDraining, silentMs }) => ({
        name,
        uri,
        self: isSelf ? 'yes' : 'no',
        alive: isAlive ? 'yes' : 'no',
        draining: isDraining ? 'yes' : 'no',
        silent_ms: Math.round(silentMs),
      })),
  }

  function bindingOf(ruid: string): Binding | undefined {
    for (const table of usrloc.tables()) {
      const binding = table.byRuid(ruid)
      if (binding !== undefined) return binding
    }
    return undefined
  }
}

export type EdgeCommands = Record<'edges.drain' | 'edges.list', (params: readonly unknown[]) => unknown>

/** Of a router that shares its location with nobody. */
export const noEdges: EdgeCommands = {
  'edges.drain': refuse,
  'edges.list': refuse,
}

function refuse(): never {
  throw new Error('This router shares its location with no others: modparam("usrloc", "store", ...)')
}

/** What ICMP says of a port on which nobody listens, or of a host that is gone. */
const saysDead: ReadonlySet<string> = new Set(['ECONNREFUSED', 'EHOSTUNREACH', 'EHOSTDOWN'])

/** Requests that wait for its answer fail by themselves: the transaction layer hears of the error, too. */
function suspect(edges: Edges, { address, port }: Flow): void {
  for (const { name, uri, isSelf } of edges.all()) {
    if (isSelf) continue
    const parsed = parseUri(uri)
    if (parsed !== null && parsed.host === address && (parsed.port || 5060) === port) edges.suspect(name)
  }
}
