import {
  type Binding,
  type Change,
  canonicalName,
  createBinding,
  type Location,
  type PluginHost,
  RpcFault,
} from '../../src/plugin/index.ts'
import { type DumpSettings, dumpAor, dumpTables } from './dump.ts'
import { onceAsked, type UsrlocExports } from './exports.ts'

/** The `ul.` commands, with the shapes that Kamailio gives them. An Error becomes code 500 with its message. */
type Command = (params: readonly unknown[]) => unknown

const notKnown = 'not here, and what other edges have cannot be found out now'

/** What tools write who mean none: kamctl a dot. */
const noPaths = new Set(['', '0', '.'])

export function locationCommands(
  usrloc: UsrlocExports,
  host: PluginHost,
  settings: DumpSettings,
): Record<string, Command> {
  const time = () => ({ now: host.clock.now(), wall: host.clock.wall() })
  return {
    'ul.dump': (params) => dumpTables(usrloc.tables(), time(), settings, params[0] === 'brief'),
    'ul.lookup': (params) => lookup(params),
    'ul.rm': (params) => removeAor(params),
    'ul.rm_contact': (params) => removeContact(params),
    'ul.add': (params) => add(params),
    'ul.flush': () => flush(),
    'ul.db_users': (params) => existing(params[0]).aorCount,
    'ul.db_contacts': (params) => existing(params[0]).bindingCount,
  }

  function lookup(params: readonly unknown[]): unknown {
    if (params.length < 2) throw new Error('Not enough parameters (table and AOR to lookup)')
    const { location, aor } = named(params)
    return onceAsked(location.fetch(aor), (isKnown) => {
      const bindings = location.of(aor)
      if (bindings.length === 0) throw new Error(isKnown ? 'AOR not found in location table' : notKnown)
      return dumpAor(aor, bindings, time(), settings.edge)
    })
  }

  async function removeAor(params: readonly unknown[]): Promise<unknown> {
    if (params.length < 2) throw new Error('Not enough parameters (table and AOR)')
    const { location, aor } = named(params)
    await location.fetch(aor)
    await location.apply(removals(location.of(aor)))
    return {}
  }

  async function removeContact(params: readonly unknown[]): Promise<unknown> {
    if (params.length < 3) throw new Error('Not enough parameters (table, AOR and contact)')
    const { location, aor } = named(params)
    const contact = text(params[2])
    const isKnown = await location.fetch(aor)
    const all = location.of(aor)
    if (all.length === 0)
      throw isKnown === false ? new RpcFault(503, notKnown) : new RpcFault(404, 'AOR not found')
    const found = all.filter((binding) => binding.contact === contact)
    if (found.length === 0) throw new RpcFault(404, 'Contact not found')
    await location.apply(removals(found))
    return {}
  }

  /** Written by the operator: a static binding, which nobody's REGISTER and no learning replaces. */
  async function add(params: readonly unknown[]): Promise<unknown> {
    if (params.length < 9) {
      throw new Error('Not enough parameters (table, AOR, contact, expires, q, path, flags, cflags, methods)')
    }
    const { location, aor } = named(params)
    const contact = text(params[2])
    const expires = Number(params[3])
    const q = Number(params[4])
    if (!Number.isFinite(expires) || expires < 0) throw new Error('Invalid expires')
    if (!Number.isFinite(q) || q > 1) throw new Error('Invalid q')
    if (!location.hasRoomFor(1)) throw new Error('The location table is full')
    const path = text(params[5])
    await location.fetch(aor)
    const now = host.clock.now()
    const before = location.of(aor).find((binding) => binding.contact === contact) ?? null
    const after = createBinding({
      aor,
      ruid: before === null || before.elsewhere !== null ? usrloc.newRuid(aor) : before.ruid,
      contact,
      origin: 'static',
      trust: 'operator',
      by: 'rpc',
      expiresAt: expires === 0 ? Number.POSITIVE_INFINITY : now + expires * 1000,
      q: q < 0 ? -1 : Math.round(q * 1000),
      path: noPaths.has(path) ? [] : path.split(/,\s*/),
      flags: integer(params[6]),
      branchFlags: integer(params[7]),
      methods: integer(params[8]) || 0x7fffffff,
      callId: 'dfjrewr12386fd6-343@viaduct.mi',
      cseq: 1,
      userAgent: 'SIP Router MI Server',
      modifiedAt: now,
    })
    await location.apply([{ before, after }])
    return {}
  }

  async function flush(): Promise<unknown> {
    for (const location of usrloc.tables()) await location.flushed()
    return {}
  }

  function named(params: readonly unknown[]): { location: Location; aor: string } {
    return { location: existing(params[0]), aor: canonicalName(text(params[1]), usrloc.aorRules) }
  }

  function existing(name: unknown): Location {
    for (const location of usrloc.tables()) if (location.name === name) return location
    throw new Error('Domain table not found')
  }
}

function removals(bindings: readonly Binding[]): Change[] {
  return bindings.map((before) => ({ before, after: null }))
}

/** Octets already: the control interface has seen to that. */
function text(param: unknown): string {
  return typeof param === 'string' || typeof param === 'number' ? String(param) : ''
}

function integer(param: unknown): number {
  const value = Number(param)
  return Number.isSafeInteger(value) && value >= 0 ? value : 0
}
