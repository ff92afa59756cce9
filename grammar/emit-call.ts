import type { Value } from './declarations.ts'
import type { Flow } from './flow.ts'
import {
  Kind,
  type ResolvedAccess,
  type ResolvedArgument,
  type ResolvedCall,
  type ResolvedExpression,
  type ResolvedRoute,
  type ResolvedRouteCall,
} from './resolved.ts'
import type { Tables } from './tables.ts'

/** Calls of functions and routes as JavaScript, and their arguments. */

/** What is the same for the whole program. */
export interface Names {
  readonly tables: Tables
  readonly flow: Flow
  readonly routes: readonly ResolvedRoute[]
  /** JavaScript's name of a route[NAME]; undefined if there is none. */
  readonly routeNamed: ReadonlyMap<string, { readonly functionName: string; readonly index: number }>
  /** How a linked variable is written: `v3`, or `variables[3]` where it is bound late. */
  readonly variable: (reference: number) => string
  /** Lines that stand above the routes: variables and formats that are handed to functions. */
  readonly hoisted: string[]
}

export function isLocal({ flow }: Names, slot: number): boolean {
  return (flow.slots.localTo[slot] ?? -1) !== -1
}

/** `$var(path)` is `$path`; a name that JavaScript could not read has its number. */
export function localName({ tables }: Names, slot: number): string {
  const name = tables.slotNames[slot] ?? ''
  return /^[A-Za-z_]\w*$/.test(name) ? `$${name}` : `$${slot}`
}

/** What calls need of the printing of expressions. */
export interface Operands {
  value(expression: ResolvedExpression): string
  int(expression: ResolvedExpression): string
  text(expression: ResolvedExpression): string
  /** A VariableAccess. */
  access(access: ResolvedAccess): string
  /** A function of the context that gives a text. */
  format(value: ResolvedExpression): string
  kinds(expression: ResolvedExpression): number
  /** Makes an object once, when the program is linked; the name it is called by. */
  hoist(code: string): string
  /** A variable of the route's function that nothing else uses. */
  temporary(): string
}

/** Arguments that can turn out unusable at run time are looked at first: the call then gives -1. */
export function functionCall(operands: Operands, call: ResolvedCall): string {
  const checks: string[] = []
  const args = call.args.map((argument) => argumentCode(operands, argument, checks))
  const invocation = `f${call.reference}(${['c', ...args].join(', ')})`
  const result = call.waits ? awaited(operands, invocation) : invocation
  return checks.length === 0 ? result : `${checks.join(' || ')} ? -1 : ${result}`
}

/** Only what really waits costs a turn of the event loop. */
function awaited(operands: Operands, invocation: string): string {
  const temporary = operands.temporary()
  return `typeof (${temporary} = ${invocation}) === 'number' ? ${temporary} : await ${temporary}`
}

function argumentCode(operands: Operands, argument: ResolvedArgument, checks: string[]): string {
  switch (argument.op) {
    case 'literal':
      return literal(argument.value)
    case 'prepared':
      return `k${argument.constant}`
    case 'text':
      return preparedArgument(operands, operands.text(argument.value), argument.prepare, checks)
    case 'int':
      return intArgument(operands, argument.value, argument.prepare, checks)
    case 'flag':
      return checked(operands, `flagArgument(c, ${operands.value(argument.value)})`, checks)
    case 'value':
      return operands.value(argument.value)
    case 'pattern':
      return `host.pattern(c, ${operands.text(argument.value)}, true)`
    case 'access':
      return operands.access(argument.access)
    case 'function':
      return operands.format(argument.value)
    case 'holding':
      return holding(operands, argument.constant, argument.values)
  }
}

/** The constant gets its readers when the program is linked. */
function holding(operands: Operands, constant: number, values: readonly ResolvedExpression[]): string {
  const readers = values.map((value) => operands.format(value)).join(', ')
  return operands.hoist(`(k${constant}.readers = [${readers}], k${constant})`)
}

function preparedArgument(
  operands: Operands,
  text: string,
  prepare: number | null,
  checks: string[],
): string {
  return prepare === null ? text : checked(operands, `prepared(c, k${prepare}, ${text})`, checks)
}

function intArgument(
  operands: Operands,
  value: ResolvedExpression,
  prepare: number | null,
  checks: string[],
): string {
  const isInt = operands.kinds(value) === Kind.int
  const number = isInt
    ? operands.int(value)
    : checked(operands, `intArgument(c, ${operands.value(value)})`, checks)
  return preparedArgument(operands, prepare === null ? number : `String(${number})`, prepare, checks)
}

function checked(operands: Operands, code: string, checks: string[]): string {
  const temporary = operands.temporary()
  checks.push(`(${temporary} = ${code}) === failed`)
  return temporary
}

/** @param unknown what becomes of $rc if there is no route of that name */
export function routeCall(
  operands: Operands,
  names: Names,
  call: ResolvedRouteCall,
  unknown: string,
): string {
  if (typeof call.target !== 'string') return dynamicRouteCall(operands, names, call.target, unknown)
  const route = names.routeNamed.get(call.target)
  if (route === undefined) return '0'
  const { isAsync, isRecursive } = names.flow
  const invocation = `${isAsync[route.index] ? 'await ' : ''}${route.functionName}(c)`
  return isRecursive[route.index] ? guarded(invocation) : invocation
}

function dynamicRouteCall(
  operands: Operands,
  names: Names,
  target: ResolvedExpression,
  unknown: string,
): string {
  const name = operands.temporary()
  const found = operands.temporary()
  const invocation = `${names.flow.dynamicIsAsync ? 'await ' : ''}${found}(c)`
  const find = `(${found} = named.get(${name} = ${operands.text(target)})) === undefined`
  return `${find} ? unknownRoute(c, ${name}, ${unknown}) : ${guarded(invocation)}`
}

/** One route deeper, and back; -1 if that is too deep. */
function guarded(invocation: string): string {
  return `enter(c) ? left(c, ${invocation}) : -1`
}

/** A JavaScript literal. */
export function literal(value: Value): string {
  return typeof value === 'number' && value < 0 ? `(${value})` : JSON.stringify(value)
}
