import { setImmediate } from 'node:timers/promises'
import {
  type Binding,
  isReachable,
  type Location,
  type Page,
  type PageMark,
  remainingSeconds,
} from '../../src/plugin/index.ts'

/** Bindings as Kamailio's `ul.dump` and `ul.lookup` show them, with what Kamailio has no name for after that. */
const unset = '[not set]'

/** Slots that Kamailio would have: shown for tools that expect the number. */
export interface DumpSettings {
  hashSize: number
  /** What this edge is called, if several share the table; null otherwise. */
  edge: string | null
}

/** The rows are made as they are asked for, so that nobody holds a million of them, and their number is known after. */
export function dumpTables(
  tables: Iterable<Location>,
  time: { now: number; wall: number },
  settings: DumpSettings,
  brief: boolean,
): { Domains: unknown[] } {
  return { Domains: [...tables].map((location) => ({ Domain: dumpTable(location, time, settings, brief) })) }
}

function dumpTable(
  location: Location,
  time: { now: number; wall: number },
  settings: DumpSettings,
  brief: boolean,
): Record<string, unknown> {
  let records = 0
  let most = 0
  async function* rows(): AsyncGenerator<unknown> {
    for await (const [aor, bindings] of aorsOf(location, time.now)) {
      records++
      most = Math.max(most, bindings.length)
      yield { Info: brief ? { AoR: aor } : dumpAor(aor, bindings, time, settings.edge) }
    }
  }
  return {
    Domain: location.name,
    Size: 2 ** settings.hashSize,
    AoRs: rows(),
    Stats: () => ({ Records: records, 'Max-Slots': most }),
  }
}

/** Each address-of-record of which this edge has bindings, once, with what has not expired. */
async function* aorsOf(location: Location, now: number): AsyncGenerator<[string, readonly Binding[]]> {
  // With a flow or without: some addresses-of-record have bindings of both kinds.
  const seen = new Set<string>()
  for (const { aor } of location.held()) seen.add(aor)
  for (const aor of [...seen]) {
    const bindings = location.of(aor).filter(({ elsewhere }) => elsewhere === null)
    if (bindings.length > 0) yield [aor, bindings]
  }
  let mark: PageMark | null = null
  do {
    const page: Page = location.tablePage(mark)
    const alive = page.bindings.filter(({ aor, expiresAt }) => expiresAt > now && !seen.has(aor))
    for (let i = 0; i < alive.length; ) {
      const first = i
      const aor = alive[first]?.aor ?? ''
      while (alive[i]?.aor === aor) i++
      yield [aor, alive.slice(first, i)]
    }
    mark = page.next
    if (mark !== null) await setImmediate()
  } while (mark !== null)
}

export function dumpAor(
  aor: string,
  bindings: readonly Binding[],
  time: { now: number; wall: number },
  edge: string | null,
): unknown {
  return {
    AoR: aor,
    HashID: 0,
    Contacts: bindings.map((binding) => ({ Contact: dumpBinding(binding, time, edge) })),
  }
}

function dumpBinding(
  binding: Binding,
  { now, wall }: { now: number; wall: number },
  edge: string | null,
): Record<string, unknown> {
  const { flow, elsewhere } = binding
  return {
    Address: binding.contact,
    Expires: Number.isFinite(binding.expiresAt) ? remainingSeconds(binding, now) : 'permanent',
    // From 0 to 1, as Kamailio shows it; -1: none was given.
    Q: binding.q < 0 ? -1 : binding.q / 1000,
    'Call-ID': binding.callId || unset,
    CSeq: binding.cseq,
    'User-Agent': binding.userAgent || unset,
    Received: binding.received || unset,
    Path: binding.path.length === 0 ? unset : binding.path.join(', '),
    State: binding.isDurable ? 'CS_SYNC' : 'CS_NEW',
    Flags: binding.flags,
    CFlags: binding.branchFlags,
    Socket: binding.socket || unset,
    Methods: binding.methods,
    Ruid: binding.ruid,
    Instance: binding.instance || unset,
    'Reg-Id': binding.regId,
    'Server-Id': 0,
    'Tcpconn-Id': -1,
    Keepalive: 0,
    'Last-Keepalive': 0,
    'KA-Roundtrip': 0,
    'Last-Modified': Math.round((wall - now + binding.modifiedAt) / 1000),
    Origin: binding.origin,
    Trust: binding.trust,
    By: binding.by || unset,
    ...(edge === null ? {} : { Edge: elsewhere?.edge.name ?? edge }),
    ...(elsewhere === null ? {} : { 'Edge-Lives': elsewhere.edge.isAlive ? 1 : 0 }),
    ...(flow === null
      ? {}
      : {
          Flow: `${flow.flow.socket.label} ${flow.flow.address}:${flow.flow.port}`,
          Reachable: isReachable(binding, now) ? secondsUntil(flow.reachableUntil, now) : 0,
          Proven: flow.proven ? 1 : 0,
        }),
  }
}

function secondsUntil(time: number, now: number): number | string {
  return Number.isFinite(time) ? Math.ceil((time - now) / 1000) : 'permanent'
}
