import {
  ArgumentProblem,
  type Database,
  definePlugin,
  limits,
  PackedValues,
  type ParamDeclaration,
  type PluginHost,
  type RouteContext,
  type Value,
  type VariableAccess,
} from '../../src/plugin/index.ts'
import { parseTableDefinition, type TableDefinition } from './definition.ts'
import { EdgeTable } from './edge-table.ts'
import { EdgeTables } from './edge-tables.ts'
import { tableFunctions } from './functions.ts'
import { HashTable, type ScriptTable } from './hash-table.ts'
import { type ItemLocks, noLocks, SharedItemLocks } from './item-locks.ts'
import { startWalk, step, type Walk, walksOf } from './iterators.ts'
import { tableCommands } from './rpc.ts'
import { regular, type Selector, selectorBy, selectorOf } from './selector.ts'
import { SharedTable } from './shared-table.ts'
import { loadTable, type StoredColumns, saveTable } from './stored.ts'
import { parseItem, parseItemHead, type TableItem, Tables } from './tables.ts'

const sweepMilliseconds = 1_000

const params = {
  htable: {
    type: 'string',
    repeatable: true,
    check: (value) => void parseTableDefinition(String(value)),
    doc:
      'A table: "name=>size=8;autoexpire=300;initval=0;updateexpire=1;dbtable=t;dbmode=1". With "store=redis://host:6379/0", or ' +
      'dmqreplicate=1 and the parameter store, several edges share it.',
  },
  store: {
    type: 'string',
    default: '',
    doc: 'Where edges share the tables with dmqreplicate=1: redis://host:6379/0. Those with a store of their own go there.',
  },
  db_url: { type: 'string', doc: 'Where tables with a dbtable are read from: sqlite:////path/to/file.' },
  key_name_column: column('key_name'),
  key_type_column: column('key_type'),
  value_type_column: column('value_type'),
  key_value_column: column('key_value'),
  expires_column: column('expires'),
  db_expires: { type: 'int', default: 0, doc: '1: the time to live is read and written too.' },
  array_size_suffix: { type: 'string', default: '::size', doc: 'Where the size of an array is found.' },
  timer_interval: ignored('what has expired goes every second'),
  timer_procs: ignored('there are no processes'),
  fetch_rows: ignored('rows are read in one go'),
  enable_dmq: ignored('the parameter store shares tables'),
  dmq_init_sync: ignored('the parameter store shares tables'),
  event_callback: ignored('events are event routes'),
  event_callback_mode: ignored('events are event routes'),
} as const satisfies Record<string, ParamDeclaration>

const variable = (doc: string, more: { assignable?: true; type?: 'int' | 'value' } = {}) =>
  ({ inner: 'name', prepare: parseItem, prepareHead: parseItemHead, type: 'value', doc, ...more }) as const
const ofWalk = (doc: string) => ({ inner: 'name', type: 'value', doc }) as const

export default definePlugin({
  name: 'htable',
  summary: "Tables in memory that all messages share, with times to live (Kamailio's htable).",
  params,
  functions: tableFunctions,
  variables: {
    sht: variable('The value of "table=>key"; setting it to $null removes it.', { assignable: true }),
    shtex: variable('Seconds that "table=>key" has left; 0: for ever.', { assignable: true, type: 'int' }),
    shtinc: variable('Adds 1 to "table=>key" and gives the sum.'),
    shtdec: variable('Takes 1 off "table=>key" and gives the difference.'),
    shtcn: variable(
      'How many names of a table match: "table=>~~regex", "%~prefix", "~%suffix", "==name", "**".',
    ),
    shtcv: variable('How many values of a table match; also eq, ne, gt, lt with a number.'),
    shtitkey: ofWalk('The name of the entry that an iterator stands at.'),
    shtitval: ofWalk('The value of the entry that an iterator stands at.'),
    shtrecord: ofWalk('In event_route[htable:expired:table]: key, or value.'),
  },
  events: {
    'mod-init': { doc: 'Once, before the first message: where tables are filled.' },
    'expired:*': { doc: 'For every entry of the table that expires; $shtrecord(key), $shtrecord(value).' },
  },
  metrics: {
    viaduct_htable_untold: { doc: 'Entries of shared tables that Redis does not know of yet.' },
    viaduct_htable_alone: {
      doc: 'Shared tables that do not hear what other edges write: 0 where all is well.',
    },
    viaduct_htable_shared_total: {
      doc: 'Changes of shared tables told, heard, put back, dropped, without room; times that one was read.',
    },
  },
  rpc: {
    'htable.dump': { doc: 'All entries by slot.' },
    'htable.get': { doc: 'One entry.' },
    'htable.sets': { doc: 'Sets a text.' },
    'htable.seti': { doc: 'Sets a number.' },
    'htable.setxs': { doc: 'Sets a text and its time to live.' },
    'htable.setxi': { doc: 'Sets a number and its time to live.' },
    'htable.setex': { doc: 'Sets a time to live.' },
    'htable.delete': { doc: 'Removes an entry.' },
    'htable.flush': { doc: 'Removes all entries of a table.' },
    'htable.reload': { doc: 'Reads a table from the database again.' },
    'htable.store': { doc: 'Writes a table into the database.' },
    'htable.listTables': { doc: 'Describes the tables.' },
    'htable.stats': { doc: 'Sizes of the tables.' },
  },

  async setup(host, values) {
    const tables = new Tables(host)
    const edges = new EdgeTables(host)
    for (const text of values.htable) {
      const definition = parseTableDefinition(text)
      const url = definition.store || (definition.isReplicated ? values.store : '')
      const table = createTable(host, definition)
      tables.byName.set(definition.name, url === '' ? table : edges.share(table, url))
    }
    const database = values.db_url === undefined ? null : host.openDatabase(values.db_url)
    const columns: StoredColumns = {
      name: values.key_name_column,
      keyType: values.key_type_column,
      valueType: values.value_type_column,
      value: values.key_value_column,
      expires: values.expires_column,
      hasExpires: values.db_expires !== 0,
      arraySizeSuffix: values.array_size_suffix,
    }
    const locks = createLocks(host)
    const { workers } = host
    if (database !== null && workers.isFirst) await loadAll(ownTables(tables), database, columns, host)
    host.every(sweepMilliseconds, () => sweepAll(tables.byName, host))

    function assign(context: RouteContext, { table: name, key }: TableItem, value: Value): boolean {
      const table = tables.named(context, name)
      if (table === null) return false
      const isSet = table.set(key, value)
      if (!isSet) tables.complainOfFull(context, name)
      return isSet
    }

    function add(context: RouteContext, { table, key }: TableItem, amount: number): Value {
      return tables.named(context, table)?.add(key, amount) ?? null
    }

    function count(context: RouteContext, item: TableItem, what: 'names' | 'values'): Value {
      const table = tables.named(context, item.table)
      const selector = selectorOf(item.key)
      return table === null || selector === null ? null : matching(table, what, selector).length
    }

    function removeMatching(
      table: ScriptTable | null,
      what: 'names' | 'values',
      selector: Selector | null,
    ): number {
      if (table === null || selector === null) return -1
      for (const key of matching(table, what, selector)) table.remove(key)
      return 1
    }

    function hasMatching(
      table: ScriptTable | null,
      what: 'names' | 'values',
      selector: Selector | null,
    ): number {
      return table !== null && selector !== null && isAnyMatching(table, what, selector) ? 1 : -1
    }

    function setFor(context: RouteContext, name: string, key: string, value: Value, seconds: number): number {
      const table = tables.named(context, name)
      if (table === null) return -1
      if (table.set(key, value, seconds)) return 1
      tables.complainOfFull(context, name)
      return -1
    }

    function atWalk(context: RouteContext, name: string, act: (walk: Walk, key: string) => boolean): number {
      const walk = walksOf(context).get(name)
      return walk !== undefined && walk.current !== null && act(walk, walk.current[0]) ? 1 : -1
    }

    /** -2: it is not certain that no other edge has come to the same sum. */
    async function addAmongAll(
      context: RouteContext,
      { table: name, key }: TableItem,
      amount: number,
      result: VariableAccess<RouteContext>,
    ): Promise<number> {
      const table = tables.named(context, name)
      if (table === null) return -1
      if (!(table instanceof EdgeTable)) {
        const sum = table.add(key, amount)
        return sum !== null && result.write(context, sum) ? 1 : -1
      }
      const { sum, among } = table.addAmongAll(key, amount)
      if (sum === null) return -1
      const agreed = await among
      result.write(context, agreed ?? sum)
      return agreed === null ? -2 : 1
    }

    async function reload(table: ScriptTable): Promise<void> {
      if (database === null) throw new Error('No htable db_url')
      if (table.definition.databaseTable === '') throw new Error('No database htable')
      table.clear()
      await loadTable(table, database, columns, host.clock)
    }

    async function store(table: ScriptTable): Promise<void> {
      if (database === null) throw new Error('No htable db_url')
      await saveTable(table, database, columns, host.clock)
    }

    return {
      functions: {
        sht_print() {
          for (const table of tables.byName.values()) {
            for (const [key, value] of table.live()) {
              host.log.info({ table: table.definition.name, key, value }, 'htable entry')
            }
          }
          return 1
        },
        sht_rm(context, name, key) {
          const table = tables.named(context, name)
          table?.remove(key)
          return table === null ? -1 : 1
        },
        sht_rm_name_re: (context, item) =>
          removeMatching(tables.named(context, item.table), 'names', regular(item.key)),
        sht_rm_value_re: (context, item) =>
          removeMatching(tables.named(context, item.table), 'values', regular(item.key)),
        sht_rm_name: (context, name, operator, operand) =>
          removeMatching(tables.named(context, name), 'names', selectorBy(operator, operand)),
        sht_rm_value: (context, name, operator, operand) =>
          removeMatching(tables.named(context, name), 'values', selectorBy(operator, operand)),
        sht_match_name: (context, name, operator, operand) =>
          hasMatching(tables.named(context, name), 'names', selectorBy(operator, operand)),
        sht_match_str_value: (context, name, operator, operand) =>
          hasMatching(tables.named(context, name), 'values', selectorBy(operator, operand)),
        sht_reset(context, name) {
          const table = tables.named(context, name)
          table?.clear()
          return table === null ? -1 : 1
        },
        sht_is_null: (context, name, key) => (tables.named(context, name)?.has(key) ? -1 : 1),
        sht_setxs: setFor,
        sht_setxi: setFor,
        sht_add: addAmongAll,
        sht_lock(context, item) {
          if (tables.named(context, item.table) === null) return -1
          locks.lock(item.table, item.key)
          return 1
        },
        sht_unlock(context, item) {
          if (tables.named(context, item.table) === null) return -1
          locks.unlock(item.table, item.key)
          return 1
        },
        sht_iterator_start(context, name, tableName) {
          const table = tables.named(context, tableName)
          return table !== null && startWalk(context, name, table) ? 1 : -1
        },
        sht_iterator_next(context, name) {
          const walk = walksOf(context).get(name)
          return walk !== undefined && step(walk) ? 1 : -1
        },
        sht_iterator_end: (context, name) => (walksOf(context).delete(name) ? 1 : -1),
        sht_iterator_rm: (context, name) => atWalk(context, name, ({ table }, key) => table.remove(key)),
        sht_iterator_sets: (context, name, value) =>
          atWalk(context, name, ({ table }, key) => table.set(key, value)),
        sht_iterator_seti: (context, name, value) =>
          atWalk(context, name, ({ table }, key) => table.set(key, value)),
        sht_iterator_setex: (context, name, seconds) =>
          atWalk(context, name, ({ table }, key) => table.setExpiry(key, seconds)),
      },
      variables: {
        sht: {
          read(context, inner) {
            const { table, key } = inner as TableItem
            return tables.named(context, table)?.get(key) ?? null
          },
          write: (context, value, inner) => assign(context, inner as TableItem, value),
        },
        shtex: {
          read(context, inner) {
            const { table, key } = inner as TableItem
            return tables.named(context, table)?.expiry(key) ?? null
          },
          write(context, value, inner) {
            const { table, key } = inner as TableItem
            return tables.named(context, table)?.setExpiry(key, Number(value)) ?? false
          },
        },
        shtinc: { read: (context, inner) => add(context, inner as TableItem, 1) },
        shtdec: { read: (context, inner) => add(context, inner as TableItem, -1) },
        shtcn: { read: (context, inner) => count(context, inner as TableItem, 'names') },
        shtcv: { read: (context, inner) => count(context, inner as TableItem, 'values') },
        shtitkey: { read: (context, inner) => walksOf(context).get(String(inner))?.current?.[0] ?? null },
        shtitval: { read: (context, inner) => walksOf(context).get(String(inner))?.current?.[1] ?? null },
        shtrecord: {
          read(context, inner) {
            const record = context.scope.notes.get('htable:expired') as ExpiredRecord | undefined
            return record === undefined ? null : inner === 'key' ? record.key : record.value
          },
        },
      },
      rpc: tableCommands(tables.byName, reload, store),
      exports: { table: (name: string) => tables.byName.get(name) ?? null },
      async start() {
        await edges.ready()
        if (database !== null && workers.isFirst) await loadAll(newTables(tables), database, columns, host)
        if (workers.isFirst) await host.script.runEvent('htable:mod-init', null, null)
      },
      async close() {
        await edges.close()
        if (database === null) return
        for (const table of workers.index === 0 ? tables.byName.values() : []) {
          if (table.definition.savesToDatabase && table.definition.databaseTable !== '') await store(table)
        }
        await database.close()
      },
    }
  },
})

function createTable(host: PluginHost, definition: TableDefinition): ScriptTable {
  const { clock, workers } = host
  if (workers.count === 1) return new HashTable(definition, clock)
  return new SharedTable(definition, clock, sharedValues(host, definition.name, limits.htableEntriesMax))
}

function createLocks(host: PluginHost): ItemLocks {
  if (host.workers.count === 1) return noLocks
  return new SharedItemLocks(sharedValues(host, '=>', limits.htableEntriesMax), host.workers, host.log)
}

/** No table is called `=>`. */
function sharedValues(
  { workers, openRegion, clock }: PluginHost,
  name: string,
  countMax: number,
): PackedValues {
  const region = openRegion(`htable.${name}`, limits.sharedTableBytesMax)
  return new PackedValues(region, workers.sharedKey('htable'), countMax, Math.floor(clock.now() / 1000))
}

/** What module htable gives to others: `host.exportsOf<HtableExports>('htable')`. */
export interface HtableExports {
  table(name: string): ScriptTable | null
}

interface ExpiredRecord {
  key: string
  value: string | number
}

function matching(table: ScriptTable, what: 'names' | 'values', selector: Selector): string[] {
  const keys: string[] = []
  for (const [key, value] of table.live()) if (selector(what === 'names' ? key : value)) keys.push(key)
  return keys
}

function isAnyMatching(table: ScriptTable, what: 'names' | 'values', selector: Selector): boolean {
  for (const [key, value] of table.live()) if (selector(what === 'names' ? key : value)) return true
  return false
}

function ownTables({ byName }: Tables): readonly ScriptTable[] {
  return [...byName.values()].filter((table) => !(table instanceof EdgeTable))
}

/** Tables that edges share and nobody has filled yet: what they hold is newer than a database. */
function newTables({ byName }: Tables): readonly ScriptTable[] {
  return [...byName.values()].filter((table) => table instanceof EdgeTable && table.size === 0)
}

async function loadAll(
  tables: readonly ScriptTable[],
  database: Database,
  columns: StoredColumns,
  host: PluginHost,
): Promise<void> {
  for (const table of tables) {
    if (table.definition.databaseTable !== '') await loadTable(table, database, columns, host.clock)
  }
}

async function sweepAll(tables: ReadonlyMap<string, ScriptTable>, host: PluginHost): Promise<void> {
  for (const table of tables.values()) {
    const event = `htable:expired:${table.definition.name}`
    const isHeard = host.script.hasRoute('event', event)
    for (const record of table.sweep()) {
      if (!isHeard) continue
      await host.script.runEvent(event, null, null, (context) => {
        context.scope.notes.set('htable:expired', record)
      })
    }
  }
}

function column(name: string) {
  return {
    type: 'string',
    default: name,
    check: checkColumn,
    doc: 'A column of the database table.',
  } as const
}

function ignored(why: string) {
  return { type: 'either', ignored: why, doc: "Parameter of Kamailio's htable." } as const
}

/** Names of columns become part of SQL texts. */
function checkColumn(value: string | number): void {
  if (!/^[A-Za-z_]\w*$/.test(String(value))) throw new ArgumentProblem(`"${value}" is no name of a column`)
}
