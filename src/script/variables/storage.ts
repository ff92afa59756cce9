import type { VariableAccess } from '../../../grammar/declarations.ts'
import { ArgumentProblem, everyIndex, type Index, type Value } from '../../../grammar/declarations.ts'
import type { RecordStore } from '../../plugin/scope.ts'
import type { ScriptRun } from '../route-context.ts'
import type { CoreVariable, CoreVariables } from './variable.ts'

/** Where a script keeps values: $avp, $xavp, $xavi, $xavu for a transaction, $vn and $vz for one run. */
export const storageVariables: CoreVariables = {
  avp: {
    type: 'value',
    inner: 'name',
    indexed: true,
    assignable: true,
    prepare: parseAvpName,
    doc: 'A stack of values: assignment pushes, reading gives the newest, null removes it; [*] means all.',
    read: (run, inner, index) => readAvp(run, inner as AvpName, index),
    write: (run, value, inner, index) => writeAvp(run, value, inner as AvpName, index),
  },
  xavp: records('Records of values by key: $xavp(root[n]=>key[m]).', (run) => run.scope.xavps),
  xavi: records('As $xavp; names are compared without case.', (run) => run.scope.xavis),
  xavu: records('As $xavp, but each name has one record, and each key one value.', (run) => run.scope.xavus),
  vn: {
    type: 'value',
    inner: 'name',
    assignable: true,
    doc: 'A variable of one run, null until it is set.',
    read: (run, inner) => run.names?.get(`n${inner}`) ?? null,
    write: (run, value, inner) => writeName(run, `n${inner}`, value),
  },
  vz: {
    type: 'value',
    inner: 'name',
    assignable: true,
    doc: 'A variable of one run, 0 until it is set.',
    read: (run, inner) => run.names?.get(`z${inner}`) ?? 0,
    write: (run, value, inner) => writeName(run, `z${inner}`, value),
  },
  _s: {
    type: 'string',
    inner: 'name',
    doc: 'A text with pseudo-variables in it, evaluated: $_s(sip:$rU@$rd).',
    read: (_run, inner) => String(inner),
  },
  cnt: {
    type: 'int',
    inner: 'variable',
    doc: 'How many values an $avp or $xavp has; 0 if it has none.',
    read: (run, inner) => count(run, inner as VariableAccess),
  },
}

interface AvpName {
  readonly name: string
  /** `$avp(x[1])`. */
  readonly index: Index
}

/** `s:x` is `x`, `i:5` is the number 5: names and numbers never meet in Kamailio, so the prefix stays with numbers. */
function parseAvpName(inner: string): AvpName {
  const found = /^(?:[sS]:)?(.+?)(?:\[(-?\d+|\*)\])?$/.exec(inner.trim())
  const [, name = '', index] = found ?? []
  if (name === '') throw new ArgumentProblem('an AVP has a name: $avp(name)')
  return { name, index: index === undefined ? null : index === '*' ? everyIndex : Number(index) }
}

function readAvp(run: ScriptRun, avp: AvpName, outer: Index): Value {
  const index = outer ?? avp.index
  const { avps } = run.scope
  if (index !== everyIndex) return avps.get(avp.name, index ?? 0)
  const all = avps.all(avp.name)
  return all.length === 0 ? null : all.join(', ')
}

function writeAvp(run: ScriptRun, value: Value, avp: AvpName, outer: Index): boolean {
  const index = outer ?? avp.index
  const { avps } = run.scope
  if (index === everyIndex) avps.removeAll(avp.name)
  else if (value === null) avps.remove(avp.name)
  return value === null || avps.push(avp.name, value)
}

interface RecordName {
  readonly root: string
  readonly rootIndex: Index
  readonly key: string | null
  readonly keyIndex: Index
}

/** `root`, `root[1]`, `root=>key`, `root[0]=>key[2]`. */
function parseRecordName(inner: string): RecordName {
  const [left = '', right = null] = inner.split('=>', 2)
  const root = parseIndexed(left)
  const key = right === null ? null : parseIndexed(right)
  return {
    root: root.name,
    rootIndex: root.index,
    key: key?.name ?? null,
    keyIndex: key?.index ?? null,
  }
}

function parseIndexed(text: string): { name: string; index: Index } {
  const found = /^\s*([^[\]\s]+)\s*(?:\[\s*(-?\d+|\*)\s*\])?\s*$/.exec(text)
  const [, name = '', index] = found ?? []
  if (name === '') throw new ArgumentProblem(`'${text}' is no name of a record: write root[0]=>key[0]`)
  return { name, index: index === undefined ? null : index === '*' ? everyIndex : Number(index) }
}

function records(doc: string, store: (run: ScriptRun) => RecordStore): CoreVariable {
  return {
    type: 'value',
    inner: 'name',
    assignable: true,
    prepare: parseRecordName,
    doc,
    read: (run, inner) => readRecord(store(run), inner as RecordName),
    write: (run, value, inner) => writeRecord(store(run), value, inner as RecordName),
  }
}

/** The key under which a root without keys keeps its one value: `$xavp(x)="y"`. */
const ownValue = ''

function readRecord(store: RecordStore, name: RecordName): Value {
  const rootIndex = asNumber(name.rootIndex)
  if (name.key === null) {
    if (store.keys(name.root, rootIndex).length === 0) return null
    return store.get(name.root, rootIndex, ownValue, 0) ?? `<<xavp:${name.root}>>`
  }
  if (name.keyIndex !== everyIndex) return store.get(name.root, rootIndex, name.key, asNumber(name.keyIndex))
  const all: Value[] = []
  for (let i = 0; ; i++) {
    const value = store.get(name.root, rootIndex, name.key, i)
    if (value === null) break
    all.push(value)
  }
  return all.length === 0 ? null : all.join(', ')
}

function writeRecord(store: RecordStore, value: Value, name: RecordName): boolean {
  const rootIndex = name.rootIndex === everyIndex ? 0 : name.rootIndex
  if (value !== null) {
    return store.set(name.root, rootIndex, name.key ?? ownValue, value, numberOrNull(name.keyIndex))
  }
  if (name.rootIndex === everyIndex && name.key === null) {
    while (store.count(name.root) > 0) store.remove(name.root, 0, null)
    return true
  }
  if (name.key !== null && name.keyIndex === everyIndex) {
    while (store.get(name.root, rootIndex ?? 0, name.key, 0) !== null)
      store.remove(name.root, rootIndex, name.key)
    return true
  }
  store.remove(name.root, rootIndex, name.key)
  return true
}

function asNumber(index: Index): number {
  return typeof index === 'number' ? index : 0
}

function numberOrNull(index: Index): number | null {
  return typeof index === 'number' ? index : null
}

function writeName(run: ScriptRun, name: string, value: Value): boolean {
  if (value === null) run.names?.delete(name)
  else {
    run.names ??= new Map()
    run.names.set(name, value)
  }
  return true
}

/** `$cnt` is given a variable; how many values it has follows from the text of its name. */
function count(run: ScriptRun, access: VariableAccess): number {
  const found = /^\$\(?(avp|xavp|xavi|xavu)\((.*?)\)/.exec(access.text)
  const [, kind, name = ''] = found ?? []
  if (kind === 'avp') return run.scope.avps.count(parseAvpName(name).name)
  const store = kind === 'xavp' ? run.scope.xavps : kind === 'xavi' ? run.scope.xavis : run.scope.xavus
  if (kind !== undefined) return countRecords(store, parseRecordName(name))
  return access.read(run as never) === null ? 0 : 1
}

function countRecords(store: RecordStore, name: RecordName): number {
  if (name.key === null) return store.count(name.root)
  let found = 0
  while (store.get(name.root, asNumber(name.rootIndex), name.key, found) !== null) found += 1
  return found
}
