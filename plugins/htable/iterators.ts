import type { RouteContext } from '../../src/plugin/index.ts'
import type { ScriptTable } from './hash-table.ts'

/** Walks over tables, by the names that a script gives them. They end with the message. */
export interface Walk {
  readonly table: ScriptTable
  readonly entries: IterableIterator<[key: string, value: string | number]>
  /** Null before the first step and after the last. */
  current: readonly [key: string, value: string | number] | null
}

/** As many as one message may have at a time. */
const walksMax = 8

export function walksOf(context: RouteContext): Map<string, Walk> {
  const { notes } = context.scope
  const known = notes.get('htable') as Map<string, Walk> | undefined
  if (known !== undefined) return known
  const created = new Map<string, Walk>()
  notes.set('htable', created)
  return created
}

export function startWalk(context: RouteContext, name: string, table: ScriptTable): boolean {
  const walks = walksOf(context)
  if (walks.size >= walksMax && !walks.has(name)) return false
  walks.set(name, { table, entries: table.live(), current: null })
  return true
}

/** False at the end. */
export function step(walk: Walk): boolean {
  const next = walk.entries.next()
  walk.current = next.done === true ? null : next.value
  return walk.current !== null
}
