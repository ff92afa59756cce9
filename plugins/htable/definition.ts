import { ArgumentProblem } from '../../src/plugin/index.ts'

/** One `modparam("htable", "htable", "name=>size=8;autoexpire=300;initval=0")`. */
export interface TableDefinition {
  readonly name: string
  /** Slots of Kamailio's table, 2^size: only reported. */
  readonly slots: number
  /** Seconds that an entry lives, 0 for ever. */
  readonly expireSeconds: number
  /** What a key without a value reads as; null: undefined. */
  readonly initialValue: number | null
  /** A new value renews the time of an entry. */
  readonly renewsExpiry: boolean
  readonly databaseTable: string
  /** Values are written to the database table at the end. */
  readonly savesToDatabase: boolean
  /** Where edges share it: a URL of Redis, or ''. */
  readonly store: string
  /** `dmqreplicate=1`: shared where the parameter `store` says. */
  readonly isReplicated: boolean
}

/** @throws ArgumentProblem that says which part makes no sense. */
export function parseTableDefinition(text: string): TableDefinition {
  const arrow = text.indexOf('=>')
  const name = (arrow < 0 ? text : text.slice(0, arrow)).trim()
  if (!/^[A-Za-z_][\w.-]*$/.test(name)) {
    throw new ArgumentProblem(`"${text}" defines no table`, 'name=>size=8;autoexpire=300;')
  }
  const attributes = attributesOf(arrow < 0 ? '' : text.slice(arrow + 2))
  const number = (key: string, usual: number) => numberOf(attributes, key, usual)
  return {
    name,
    slots: 2 ** Math.min(Math.max(number('size', 3), 2), 31),
    expireSeconds: number('autoexpire', 0),
    initialValue: attributes.has('initval') ? number('initval', 0) : null,
    renewsExpiry: number('updateexpire', 1) !== 0,
    databaseTable: databaseTable(attributes.get('dbtable') ?? ''),
    savesToDatabase: number('dbmode', 0) !== 0,
    store: attributes.get('store') ?? '',
    isReplicated: number('dmqreplicate', 0) !== 0,
  }
}

const known: ReadonlySet<string> = new Set([
  'size',
  'autoexpire',
  'initval',
  'updateexpire',
  'dbtable',
  'dbmode',
  'cols',
  'dmqreplicate',
  'store',
  'coldelim',
  'colnull',
])

function attributesOf(text: string): Map<string, string> {
  const attributes = new Map<string, string>()
  for (const part of text.split(';')) {
    if (part.trim() === '') continue
    const equals = part.indexOf('=')
    const name = part.slice(0, Math.max(0, equals)).trim()
    if (!known.has(name)) throw new ArgumentProblem(`"${part.trim()}" is no attribute of a table`)
    attributes.set(name, part.slice(equals + 1).trim())
  }
  return attributes
}

function numberOf(attributes: ReadonlyMap<string, string>, name: string, usual: number): number {
  const text = attributes.get(name)
  if (text === undefined) return usual
  if (!/^-?\d{1,10}$/.test(text))
    throw new ArgumentProblem(`${name} of a table must be a number, not "${text}"`)
  return Number(text)
}

/** It becomes part of SQL texts. */
function databaseTable(name: string): string {
  if (name === '' || /^[A-Za-z_]\w*$/.test(name)) return name
  throw new ArgumentProblem(`"${name}" is no name of a database table`)
}
