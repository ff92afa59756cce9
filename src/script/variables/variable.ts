import {
  ArgumentProblem,
  type Index,
  type Value,
  type VariableDeclaration,
} from '../../../grammar/declarations.ts'
import type { ScriptRun } from '../route-context.ts'

/** A pseudo-variable of the core: its declaration and what it does, side by side in one table per family. */
export interface CoreVariable extends VariableDeclaration {
  read(run: ScriptRun, inner: unknown, index: Index): Value
  write?(run: ScriptRun, value: Value, inner: unknown, index: Index): boolean
}

export type CoreVariables = Readonly<Record<string, CoreVariable>>

type Options = Omit<VariableDeclaration, 'type' | 'doc' | 'assignable'>

/** A text that cannot be assigned to. */
export function text(
  doc: string,
  read: (run: ScriptRun) => string | null,
  options: Options = {},
): CoreVariable {
  return { type: 'string', doc, ...options, read }
}

/** A number that cannot be assigned to. */
export function int(
  doc: string,
  read: (run: ScriptRun) => number | null,
  options: Options = {},
): CoreVariable {
  return { type: 'int', doc, ...options, read }
}

export function toText(value: Value): string {
  return value === null ? '' : String(value)
}

/** A number, decimal or hexadecimal digits, or null. */
export function toInt(value: Value): number | null {
  if (typeof value === 'number') return value
  if (value === null || !/^-?(?:\d+|0x[0-9a-fA-F]+)$/.test(value)) return null
  return Number(value)
}

/** '' as null: how Kamailio shows a part that is not there. */
export function orNull(part: string): string | null {
  return part === '' ? null : part
}

/** The element that an index means: negative from the end. Null if there is none. */
export function elementAt<T>(list: readonly T[], index: Index): T | null {
  return list.at(typeof index === 'number' ? index : 0) ?? null
}

/** For inner names out of a fixed set: a wrong one is told when the script is loaded. */
export function oneOf(variable: string, names: readonly string[]): (inner: string) => string {
  return (inner) => {
    if (names.includes(inner)) return inner
    throw new ArgumentProblem(
      `$${variable}(${inner}): there is no such part`,
      `parts are ${names.join(', ')}`,
    )
  }
}
