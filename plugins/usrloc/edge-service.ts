import {
  type Binding,
  type EdgeState,
  type Edges,
  type Flow,
  type PluginHost,
  parseUri,
} from '../../src/plugin/index.ts'
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
  const alive = new Set<string>()
  edges.onChange(() => {
    for (const edge of edges.all()) {
      if (edge.isAlive) alive.add(edge.name)
      else if (alive.delete(edge.name) && !edge.isSelf) giveUp(host, edge)
    }
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

function suspect(edges: Edges, flow: Flow): void {
  for (const edge of edges.all()) if (!edge.isSelf && isAt(edge, flow)) edges.suspect(edge.name)
}

/**
 * Requests that an edge has not answered in any way, now that it is dead: 503, so that failure routes and the outbox have
 * them and nobody waits for the end of timer B or F. One that has answered 100 may be cut off from Redis alone.
 */
function giveUp({ proxy }: PluginHost, edge: EdgeState): void {
  for (const context of [...proxy.contexts()]) {
    for (const { client } of [...context.branches]) {
      if (client === null || client.lastStatus !== 0 || client.isTerminated || !isAt(edge, client.flow))
        continue
      client.abandon()
      client.user?.onTransportError('EHOSTDOWN')
    }
  }
}

function isAt({ uri }: EdgeState, { address, port }: Flow): boolean {
  const parsed = parseUri(uri)
  return parsed !== null && parsed.host === address && (parsed.port || 5060) === port
}
