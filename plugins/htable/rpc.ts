import { setImmediate } from 'node:timers/promises'
import { coreHash, RpcFault } from '../../src/plugin/index.ts'
import type { ScriptTable } from './hash-table.ts'

type Command = (params: readonly unknown[]) => unknown

/** The `htable.` commands, with the shapes that Kamailio 5.6.3 gives them. An Error becomes code 500. */
export function tableCommands(
  tables: ReadonlyMap<string, ScriptTable>,
  reload: (table: ScriptTable) => Promise<void>,
  store: (table: ScriptTable) => Promise<void>,
): Record<string, Command> {
  const table = (params: readonly unknown[]): ScriptTable => {
    if (params.length === 0) throw new Error('No htable name given')
    const found = tables.get(String(params[0]))
    if (found === undefined) throw new Error('No such htable')
    return found
  }
  const withKey = (params: readonly unknown[]): [ScriptTable, string] => {
    if (params.length < 2) throw new Error('Not enough parameters (htable name and key name)')
    return [table(params), String(params[1])]
  }
  const set = (params: readonly unknown[], value: string | number, seconds?: number): string => {
    const [target, key] = withKey(params)
    if (!target.set(key, value, seconds)) throw new Error('Failed to set the item')
    return 'Ok. Key set to new value.'
  }

  return {
    'htable.dump': (params) => dump(table(params)),
    'htable.get': (params) => {
      const [target, key] = withKey(params)
      if (!target.has(key)) throw new Error("Key name doesn't exist in htable.")
      return { item: item(key, target.get(key)) }
    },
    'htable.sets': (params) => set(params, String(params[2] ?? '')),
    'htable.seti': (params) => set(params, numberOf(params[2])),
    'htable.setxs': (params) => set(params, String(params[2] ?? ''), numberOf(params[3])),
    'htable.setxi': (params) => set(params, numberOf(params[2]), numberOf(params[3])),
    'htable.setex': (params) => {
      const [target, key] = withKey(params)
      if (!target.setExpiry(key, numberOf(params[2]))) throw new Error("Key name doesn't exist in htable.")
      return 'Ok'
    },
    'htable.delete': (params) => {
      const [target, key] = withKey(params)
      if (!target.remove(key)) throw new RpcFault(404, 'Key not found in htable.')
      return 'Ok. Key deleted.'
    },
    'htable.flush': (params) => {
      table(params).clear()
      return 'Ok. Htable flushed.'
    },
    'htable.reload': async (params) => {
      await reload(table(params))
      return 'Ok. Htable reloaded.'
    },
    'htable.store': async (params) => {
      await store(table(params))
      return 'Ok. Htable successfully stored to DB.'
    },
    'htable.listTables': () => [...tables.values()].map(described),
    'htable.stats': () =>
      [...tables.values()].map((one) => ({
        name: one.definition.name,
        slots: one.definition.slots,
        all: one.size,
        ...fill(one),
      })),
  }
}

function numberOf(value: unknown): number {
  const number = Number(value)
  if (!Number.isSafeInteger(number)) throw new Error('A number is expected')
  return number
}

function item(name: string, value: string | number | null) {
  return { name, value, type: typeof value === 'number' ? 'int' : 'str' }
}

/** Where Kamailio's table of that size would keep the key. */
function slotOf(table: ScriptTable, key: string): number {
  return (coreHash(key) & (table.definition.slots - 1)) >>> 0
}

/** Slots are looked for in so many groups, each small enough to be sorted in one go. */
const groupBits = 12
/** Entries that are looked at before others have their turn: some hundred microseconds. */
const entriesAtOnce = 1_000

/** Slots that hold something, in order, as Kamailio's table of that size would spread the keys. */
async function* dump(table: ScriptTable): AsyncGenerator<unknown> {
  const groups: (Map<number, ReturnType<typeof item>[]> | undefined)[] = []
  const groupSize = Math.max(1, table.definition.slots / 2 ** groupBits)
  let seen = 0
  for (const [key, value] of table.live()) {
    const entry = slotOf(table, key)
    const group = (groups[Math.floor(entry / groupSize)] ??= new Map())
    const slot = group.get(entry)
    if (slot === undefined) group.set(entry, [item(key, value)])
    else slot.push(item(key, value))
    if (++seen % entriesAtOnce === 0) await setImmediate()
  }
  for (const group of groups) {
    for (const [entry, slot] of [...(group ?? [])].sort(([a], [b]) => a - b)) {
      yield { entry, size: slot.length, slot }
    }
  }
}

function fill(table: ScriptTable): { min: number; max: number } {
  const counts = new Map<number, number>()
  for (const [key] of table.live()) {
    const slot = slotOf(table, key)
    counts.set(slot, (counts.get(slot) ?? 0) + 1)
  }
  const sizes = [...counts.values()]
  const min = counts.size < table.definition.slots ? 0 : sizes.reduce((a, b) => Math.min(a, b), Infinity)
  return { min, max: sizes.reduce((a, b) => Math.max(a, b), 0) }
}

function described({ definition }: ScriptTable) {
  return {
    name: definition.name,
    dbtable: definition.databaseTable,
    dbmode: Number(definition.savesToDatabase),
    expire: definition.expireSeconds,
    updateexpire: Number(definition.renewsExpiry),
    size: definition.slots,
    dmqreplicate: Number(definition.isReplicated),
  }
}
