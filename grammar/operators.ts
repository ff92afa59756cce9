import { ArgumentProblem, type RunContext, type Value, type VariableImplementation } from './declarations.ts'
import type { RunHost } from './program.ts'

/**
 * What emitted code cannot say in a few characters: conversions, operators on values whose type is known at run time
 * only, and the ways in which a statement can fail. Hot: small functions, no closures made while running.
 *
 * Integers are exact up to 2^53, as they are in JavaScript; beyond it they wrap at 64 bits, as Kamailio's newer
 * versions do (5.6 wraps at 32). All rules are measured on Kamailio 5.6.3.
 */
export type Operators = ReturnType<typeof createOperators>

/** Stands for an argument or a name that could not be prepared. */
const failed = Symbol('failed')

/** Thrown when an expression fails (division by zero); its statement catches it. One object: throwing is cheap. */
const failure = new Error('expression failed')

/** Names that $var($x) may make at run time in all. */
const madeSlotsMax = 256

export function createOperators(host: RunHost, slotNames: readonly string[]) {
  /** A string in an int context: decimal with a sign, or 0x without; anything else is 0 with a warning. */
  function toInt(context: RunContext, value: Value): number {
    if (typeof value === 'number') return value
    if (value === null || value === '') return 0
    const number = parseInteger(value)
    if (number === null) {
      host.warn(context, `string to int conversion for "${value}" failed`)
      return 0
    }
    return number
  }

  function equal(context: RunContext, left: Value, right: Value): boolean {
    if (typeof left === 'string') return left === (typeof right === 'string' ? right : toText(right))
    if (typeof left === 'number') return left === (typeof right === 'number' ? right : toInt(context, right))
    return right === null || right === '' || right === 0
  }

  /** The type of the left operand decides. */
  function plus(context: RunContext, left: Value, right: Value): Value {
    if (typeof left === 'number') return sum(left, typeof right === 'number' ? right : toInt(context, right))
    return toText(left) + toText(right)
  }

  function divide(context: RunContext, dividend: number, divisor: number): number {
    if (divisor === 0) fail(context, 'division by zero')
    return Math.trunc(dividend / divisor) + 0
  }

  function remainder(context: RunContext, dividend: number, divisor: number): number {
    if (divisor === 0) fail(context, 'division by zero')
    return (dividend % divisor) + 0
  }

  function fail(context: RunContext, why: string): never {
    host.warn(context, why)
    throw failure
  }

  /** `=~` with a pattern that is known at run time only. */
  function matches(context: RunContext, subject: string, pattern: string): boolean {
    return host.pattern(context, pattern, true).test(subject)
  }

  /** Runs a declared `prepare` on a text that is known at run time only. */
  function prepared(context: RunContext, prepare: (text: string) => unknown, text: string): unknown {
    try {
      return prepare(text)
    } catch (error) {
      if (!(error instanceof ArgumentProblem)) throw error
      host.warn(context, error.message)
      return failed
    }
  }

  /** An int argument: Kamailio refuses what is no number, and the function's rc is -1. */
  function intArgument(context: RunContext, value: Value): unknown {
    if (typeof value === 'number') return value
    const number = value === null ? null : parseInteger(value)
    if (number !== null) return number
    host.warn(context, value === null ? 'an int argument is undefined' : `"${value}" is no number`)
    return failed
  }

  function flagArgument(context: RunContext, value: Value): unknown {
    const number = intArgument(context, value)
    if (number === failed || (typeof number === 'number' && number >= 0 && number <= 31)) return number
    host.warn(context, 'a flag is a number from 0 to 31')
    return failed
  }

  /** A variable whose name in parentheses is known at run time only. */
  function readNamed(
    context: RunContext,
    variable: VariableImplementation<RunContext>,
    prepare: (text: string) => unknown,
    name: string,
    index: number | 'all' | null,
  ): Value {
    const inner = prepared(context, prepare, name)
    return inner === failed ? null : variable.read(context, inner, index)
  }

  function writeNamed(
    context: RunContext,
    variable: VariableImplementation<RunContext>,
    value: Value,
    prepare: (text: string) => unknown,
    name: string,
    index: number | 'all' | null,
  ): boolean {
    const inner = prepared(context, prepare, name)
    return inner !== failed && write(context, variable, value, inner, index)
  }

  function write(
    context: RunContext,
    variable: VariableImplementation<RunContext>,
    value: Value,
    inner: unknown,
    index: number | 'all' | null,
  ): boolean {
    return variable.write?.(context, value, inner, index) ?? false
  }

  const slots = new Map(slotNames.map((name, slot) => [name, slot]))
  /** `$var($x)`: the slot of a name, -1 when too many names were made. */
  function slotOf(context: RunContext, name: string): number {
    const known = slots.get(name)
    if (known !== undefined) return known
    if (slots.size >= slotNames.length + madeSlotsMax) {
      host.warn(context, 'too many names of $var made at run time')
      return -1
    }
    slots.set(name, slots.size)
    return slots.size - 1
  }

  function readSlot(context: RunContext, name: string): Value {
    return context.vars[slotOf(context, name)] ?? 0
  }

  function writeSlot(context: RunContext, name: string, value: Value): boolean {
    const slot = slotOf(context, name)
    if (slot === -1) return false
    for (let next = context.vars.length; next <= slot; next++) context.vars.push(0)
    context.vars[slot] = value ?? 0
    return true
  }

  /**
   * One more round or route. Loops inside loops, and routes that call two routes each, may each stay within their
   * bounds and still never end: what is bounded here is all of it together.
   *
   * @throws Error: the run ends.
   */
  function step(context: RunContext): void {
    if (++context.steps > host.stepsMax) {
      throw new Error(`more than ${host.stepsMax} rounds of loops and calls of routes for one message`)
    }
  }

  /** One route deeper; false if that is too deep. */
  function enter(context: RunContext): boolean {
    step(context)
    if (context.depth >= host.routeDepthMax) {
      host.warn(context, `more than ${host.routeDepthMax} routes inside each other`)
      return false
    }
    context.depth++
    return true
  }

  /** What becomes of $rc is the caller's to say: a statement leaves it as it is (measured). */
  function unknownRoute(context: RunContext, name: string, rc: number): number {
    host.unknownRoute(context, name)
    return rc
  }

  function runaway(context: RunContext): void {
    host.warn(context, `a while loop ran more than ${host.whileLoopsMax} times`)
  }

  return {
    failed,
    toInt,
    toText,
    show,
    transformed,
    sum,
    difference,
    product,
    divide,
    remainder,
    bitAnd,
    bitOr,
    bitXor,
    shiftLeft,
    shiftRight,
    plus,
    equal,
    matches,
    prepared,
    intArgument,
    flagArgument,
    readNamed,
    writeNamed,
    readSlot,
    writeSlot,
    stopped,
    ends,
    kept,
    leave,
    caught,
    enter,
    left,
    unknownRoute,
    runaway,
    step,
  }
}

/** What an expression failed with is swallowed; anything else goes on to whoever runs the route. */
function caught(error: unknown): void {
  if (error !== failure) throw error
}

/** A call gave rc 0: the script ends after this statement. */
function stopped(context: RunContext): boolean {
  if (context.rc === 0 && context.ended === 0) context.ended = 1
  return false
}

/** True if the script ends after a call that stands as a statement: rc 0, or a route that it called ended it. */
function ends(context: RunContext, rc: number): boolean {
  if (rc === 0 && context.ended === 0) context.ended = 1
  return context.ended !== 0
}

/** The rc of a call whose value is kept: `$var(x) = f()`. */
function kept(context: RunContext, rc: number): number {
  if (rc === 0 && context.ended === 0) context.ended = 1
  return rc
}

function left(context: RunContext, rc: number): number {
  context.depth--
  return rc
}

/** `return x`: 0 ends the script, as exit does. */
function leave(context: RunContext, rc: number): number {
  if (rc === 0) context.ended = 1
  return rc
}

function toText(value: Value): string {
  return typeof value === 'string' ? value : value === null ? '' : String(value)
}

/** A transformation that says what an undefined value becomes. */
function transformed(
  apply: (value: string, ...parameters: (string | number)[]) => Value,
  value: Value,
  ofNull: Value,
  parameters: readonly (string | number)[],
): Value {
  return value === null ? ofNull : apply(toText(value), ...parameters)
}

/** In a format string an undefined value is visible. */
function show(value: Value): string | number {
  return value === null ? '<null>' : value
}

const hexadecimal = /^0x[0-9a-f]+$/i

/** Null if the text is no integer that can be told exactly. */
function parseInteger(text: string): number | null {
  const first = text.charCodeAt(0)
  const start = first === 43 || first === 45 ? 1 : 0
  let number = 0
  for (let at = start; at < text.length; at++) {
    const digit = text.charCodeAt(at) - 48
    if (digit < 0 || digit > 9) return hexadecimal.test(text) ? safe(Number(text)) : null
    number = number * 10 + digit
  }
  if (text.length === start) return start === 0 ? 0 : null
  return safe(first === 45 ? 0 - number : number)
}

function safe(number: number): number | null {
  return Number.isSafeInteger(number) ? number : null
}

function sum(left: number, right: number): number {
  return wrapped(left + right)
}

function difference(left: number, right: number): number {
  return wrapped(left - right)
}

function product(left: number, right: number): number {
  const result = left * right
  return isExact(result) ? result + 0 : fromBig(BigInt(left) * BigInt(right))
}

function isExact(number: number): boolean {
  return number <= Number.MAX_SAFE_INTEGER && number >= Number.MIN_SAFE_INTEGER
}

/** Integers beyond 2^53 wrap at 64 bits. */
function wrapped(number: number): number {
  return isExact(number) ? number : fromBig(BigInt(number))
}

function fromBig(number: bigint): number {
  return Number(BigInt.asIntN(64, number))
}

function isInt32(number: number): boolean {
  return number === (number | 0)
}

function bitAnd(left: number, right: number): number {
  return isInt32(left) && isInt32(right) ? left & right : fromBig(BigInt(left) & BigInt(right))
}

function bitOr(left: number, right: number): number {
  return isInt32(left) && isInt32(right) ? left | right : fromBig(BigInt(left) | BigInt(right))
}

function bitXor(left: number, right: number): number {
  return isInt32(left) && isInt32(right) ? left ^ right : fromBig(BigInt(left) ^ BigInt(right))
}

/** The count is taken modulo 64, as the processor does. */
function shiftLeft(left: number, count: number): number {
  if (isInt32(left) && count >= 0 && count < 22) return left * (1 << count) + 0
  return fromBig(BigInt(left) << (BigInt(count) & 63n))
}

function shiftRight(left: number, count: number): number {
  if (isInt32(left) && count >= 0 && count < 32) return left >> count
  return fromBig(BigInt.asIntN(64, BigInt(left)) >> (BigInt(count) & 63n))
}
