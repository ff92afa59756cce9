import type { Value } from '../../grammar/declarations.ts'
import { limits } from '../limits.ts'
import type { AuthenticatedUser, AvpStore, MessageScope, RecordStore } from '../plugin/scope.ts'
import { asciiLower } from '../sip/uri.ts'
import type { ScriptRun } from './route-context.ts'
import type { ScriptVersion } from './surroundings.ts'

/**
 * What a message keeps for the life of its transaction. The stores are made when they are first asked for: most
 * messages need none. All of them share one bound (limits.avpsPerMessageMax).
 */
export class ScriptScope implements MessageScope {
  flags = 0
  authenticated: AuthenticatedUser | null = null
  /** The version of the script that the message began with: its later routes run there too, whatever was loaded since. */
  readonly version: ScriptVersion
  /** The run that ended with the transaction suspended (tm: t_suspend): t_continue() goes on from there. */
  suspendedRun: ScriptRun | null = null
  #budget: Budget | null = null
  #avps: Avps | null = null
  #xavps: Records | null = null
  #xavis: Records | null = null
  #xavus: Records | null = null
  #notes: Map<string, unknown> | null = null

  constructor(version: ScriptVersion) {
    this.version = version
  }

  get avps(): AvpStore {
    return (this.#avps ??= new Avps(this.#shared))
  }

  get xavps(): RecordStore {
    return (this.#xavps ??= new Records(this.#shared, 'stacked', asWritten))
  }

  get xavis(): RecordStore {
    return (this.#xavis ??= new Records(this.#shared, 'stacked', asciiLower))
  }

  get xavus(): RecordStore {
    return (this.#xavus ??= new Records(this.#shared, 'unique', asWritten))
  }

  get hasNotes(): boolean {
    return this.#notes !== null
  }

  get notes(): Map<string, unknown> {
    return (this.#notes ??= new Map())
  }

  get #shared(): Budget {
    return (this.#budget ??= { left: limits.avpsPerMessageMax })
  }
}

interface Budget {
  left: number
}

const asWritten = (name: string) => name

/** One value of an $avp. */
interface Avp {
  readonly name: string
  readonly value: string | number
  older: Avp | null
}

/**
 * $avp: a stack of values per name, all in one list, the newest first. A message has few of them, and its transaction
 * keeps them: a cell of four words for each, where a Map and an array took 300 octets and 140 ns for the first two.
 */
class Avps implements AvpStore {
  readonly #budget: Budget
  #newest: Avp | null = null

  constructor(budget: Budget) {
    this.#budget = budget
  }

  push(name: string, value: string | number): boolean {
    if (this.#budget.left === 0) return false
    this.#budget.left -= 1
    this.#newest = { name, value, older: this.#newest }
    return true
  }

  get(name: string, index: number): Value {
    if (index < 0) return null
    let newer = index
    for (let avp = this.#newest; avp !== null; avp = avp.older) {
      if (avp.name === name && newer-- === 0) return avp.value
    }
    return null
  }

  all(name: string): readonly (string | number)[] {
    const values: (string | number)[] = []
    for (let avp = this.#newest; avp !== null; avp = avp.older) {
      if (avp.name === name) values.push(avp.value)
    }
    return values
  }

  remove(name: string): void {
    this.#removeNewest(name)
  }

  removeAll(name: string): void {
    let isRemoved = true
    while (isRemoved) isRemoved = this.#removeNewest(name)
  }

  count(name: string): number {
    return this.all(name).length
  }

  #removeNewest(name: string): boolean {
    let newer: Avp | null = null
    for (let avp = this.#newest; avp !== null; newer = avp, avp = avp.older) {
      if (avp.name !== name) continue
      if (newer === null) this.#newest = avp.older
      else newer.older = avp.older
      this.#budget.left += 1
      return true
    }
    return false
  }
}

/** The values of one key, newest first. */
type ScriptRecord = Map<string, (string | number)[]>

/**
 * $xavp, $xavi: a list of records per name, the newest first; assignment without a record index makes a new record.
 * $xavu: one record per name, one value per key.
 */
class Records implements RecordStore {
  readonly #budget: Budget
  readonly #kind: 'stacked' | 'unique'
  readonly #fold: (name: string) => string
  readonly #lists = new Map<string, ScriptRecord[]>()

  constructor(budget: Budget, kind: 'stacked' | 'unique', fold: (name: string) => string) {
    this.#budget = budget
    this.#kind = kind
    this.#fold = fold
  }

  get(root: string, rootIndex: number, key: string, keyIndex: number): Value {
    return this.#record(root, rootIndex)?.get(this.#fold(key))?.at(keyIndex) ?? null
  }

  set(root: string, rootIndex: number | null, key: string, value: Value, keyIndex?: number | null): boolean {
    if (value === null) {
      this.remove(root, rootIndex, key)
      return true
    }
    const record = this.#recordToSet(root, rootIndex)
    if (!record) return false
    const at = this.#kind === 'unique' ? 0 : (keyIndex ?? null)
    return this.#put(record, this.#fold(key), value, at)
  }

  remove(root: string, rootIndex: number | null, key: string | null): void {
    const name = this.#fold(root)
    const list = this.#lists.get(name)
    const at = index(rootIndex ?? 0, list?.length ?? 0)
    const record = list?.[at]
    if (!list || !record) return
    if (key !== null) {
      this.#removeNewest(record, this.#fold(key))
      return
    }
    for (const values of record.values()) this.#release(values.length)
    this.#release(1)
    list.splice(at, 1)
    if (list.length === 0) this.#lists.delete(name)
  }

  count(root: string): number {
    return this.#lists.get(this.#fold(root))?.length ?? 0
  }

  roots(): readonly string[] {
    return [...this.#lists.keys()]
  }

  keys(root: string, rootIndex: number): readonly string[] {
    return [...(this.#record(root, rootIndex)?.keys() ?? [])]
  }

  #record(root: string, rootIndex: number): ScriptRecord | null {
    return this.#lists.get(this.#fold(root))?.at(rootIndex) ?? null
  }

  #recordToSet(root: string, rootIndex: number | null): ScriptRecord | null {
    if (this.#kind === 'unique') return this.#record(root, 0) ?? this.#create(root)
    return rootIndex === null ? this.#create(root) : this.#record(root, rootIndex)
  }

  #create(root: string): ScriptRecord | null {
    // A record and its first value: both or none.
    if (this.#budget.left < 2) return null
    this.#budget.left -= 1
    const record: ScriptRecord = new Map()
    const name = this.#fold(root)
    const list = this.#lists.get(name)
    if (list) list.unshift(record)
    else this.#lists.set(name, [record])
    return record
  }

  /** `at` null: a further value, the newest of the key. */
  #put(record: ScriptRecord, key: string, value: string | number, at: number | null): boolean {
    const values = record.get(key)
    if (at !== null && values && at < values.length) {
      values[at] = value
      return true
    }
    if (at !== null && at > 0) return false
    if (this.#budget.left === 0) return false
    this.#budget.left -= 1
    if (values) values.unshift(value)
    else record.set(key, [value])
    return true
  }

  #removeNewest(record: ScriptRecord, key: string): void {
    const values = record.get(key)
    if (!values) return
    values.shift()
    this.#release(1)
    if (values.length === 0) record.delete(key)
  }

  #release(count: number): void {
    this.#budget.left += count
  }
}

/** An index as `Array.at` means it; -1 if it is out of range. */
function index(at: number, length: number): number {
  const absolute = at < 0 ? length + at : at
  return absolute >= 0 && absolute < length ? absolute : -1
}
