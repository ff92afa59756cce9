/**
 * What the compiler must be told about the world: functions, variables, transformations, parameters, routes.
 * The grammar knows no SIP; script/ gathers these declarations from the core and from plugins and hands them in.
 * All of it is data, readable without running a plugin: checker, reference pages and editors derive from it.
 */

/** What an expression yields: Kamailio's int, str, and undefined ($null). */
export type Value = string | number | null

/** Which kinds of route a function may stand in. */
export type RouteKind =
  | 'request'
  | 'failure'
  | 'branch'
  /** `onreply_route { }` / `reply_route { }`: before transaction matching. */
  | 'core-reply'
  /** `onreply_route[NAME]`: armed by t_on_reply. */
  | 'reply'
  | 'onsend'
  | 'event'

/** Every kind: for functions that may stand anywhere. */
export const anyRoute: readonly RouteKind[] = [
  'request',
  'failure',
  'branch',
  'core-reply',
  'reply',
  'onsend',
  'event',
]

/**
 * How an argument is read.
 * - string   a format string: pseudo-variables in it are evaluated for each message; $null becomes ''
 * - literal  a constant string, pseudo-variables not expanded
 * - int      a number, or an expression that yields one
 * - value    any expression, its type kept: string, number or null
 * - regex    POSIX extended regular expression; a constant is compiled once (CompileHost.pattern)
 * - route    the name of a route that must exist (kind in `route`); '0' and '' stand for none
 * - flag     a number 0 to 31 or a declared flag's name
 * - variable one assignable pseudo-variable, handed over as VariableAccess
 * - format   like string, but handed over unevaluated, as (context) => string
 * - name     an identifier, bare or quoted: host names, socket labels
 */
export type ArgumentType =
  | 'string'
  | 'literal'
  | 'int'
  | 'value'
  | 'regex'
  | 'route'
  | 'flag'
  | 'variable'
  | 'format'
  | 'name'

export interface ArgumentDeclaration {
  readonly name: string
  readonly type: ArgumentType
  readonly optional?: boolean
  /** For `route`: which kind of route it names. */
  readonly route?: RouteKind
  /**
   * Turns the text (of string, literal, name) or number (of int) into what the function gets, once for a
   * constant, per message otherwise. Throws ArgumentProblem for what makes no sense.
   */
  readonly prepare?: (text: string) => unknown
  readonly doc: string
}

/** Thrown by `prepare`: becomes a diagnostic at the argument, or at run time an error log line and rc -1. */
export class ArgumentProblem extends Error {
  override readonly name = 'ArgumentProblem'
  readonly hint: string | undefined
  constructor(message: string, hint?: string) {
    super(message)
    this.hint = hint
  }
}

/**
 * What `prepare` of a literal gives if pseudo-variables stand in it in places that only the function knows: the
 * replacement of a sed expression. The compiler puts one reader for each of `variables` into `readers` before the
 * first call.
 */
export interface HoldsVariables {
  /** As written: `$fU`, `$(hdr(X)[0])`. */
  readonly variables: readonly string[]
  readers: readonly ((context: never) => string)[]
}

export function holdsVariables(prepared: unknown): prepared is HoldsVariables {
  return typeof prepared === 'object' && prepared !== null && 'variables' in prepared && 'readers' in prepared
}

export interface FunctionDeclaration {
  readonly in: readonly RouteKind[]
  readonly args?: readonly ArgumentDeclaration[]
  /** Each return code and its meaning. */
  readonly returns: Readonly<Record<string, string>>
  /** The implementation may return a promise; routes that can reach it become async. */
  readonly waits?: boolean | WaitsIfSet
  /** Further names: `sl_reply` for `sl_send_reply`. */
  readonly aliases?: readonly string[]
  readonly doc: string
}

/** The function waits only if the script sets that parameter, to anything but ''; for everybody else routes stay as they are. */
export interface WaitsIfSet {
  readonly module: string
  readonly param: string
}

export interface VariableDeclaration {
  /** Further names: `ruri` for `ru`. */
  readonly aliases?: readonly string[]
  /**
   * What may stand in `$name(...)`.
   * - none; name: a constant or format string; variable: another pseudo-variable, handed over as VariableAccess
   */
  readonly inner?: 'none' | 'name' | 'variable'
  /** True if `$name` alone is a variable too although it takes an inner name. */
  readonly innerOptional?: boolean
  /** Turns the inner text into what read and write get: once for a constant, per use otherwise. Throws ArgumentProblem. */
  readonly prepare?: (inner: string) => unknown
  /**
   * For names that begin with a constant, `$sht(table=>$var(x))`: gives what makes the inner value of the rest, or null
   * if the beginning does not settle the matter. Saves taking the name apart for each message; must agree with
   * `prepare`, and what it gives must not throw.
   */
  readonly prepareHead?: (head: string) => ((rest: string) => unknown) | null
  /** `[n]`, `[*]`, `[$var(i)]` may follow. */
  readonly indexed?: boolean
  readonly assignable?: boolean
  readonly type: 'string' | 'int' | 'value'
  readonly doc: string
}

/** `[*]`. A number otherwise; null if no index was written. */
export const everyIndex = 'all'
export type Index = number | typeof everyIndex | null

/** A variable's implementation. `C` is the route context, which the grammar does not know. */
export interface VariableImplementation<C = never> {
  read(context: C, inner: unknown, index: Index): Value
  /** Null deletes. False if it could not be written: the statement's rc is then negative, and a line is logged. */
  write?(context: C, value: Value, inner: unknown, index: Index): boolean
}

/** A variable with its inner name and index fixed: what `variable` arguments are. */
export interface VariableAccess<C = never> {
  readonly text: string
  read(context: C): Value
  write(context: C, value: Value): boolean
}

/** `{s.len}`: class `s`, name `len`. */
export interface TransformationDeclaration {
  readonly params?: readonly {
    readonly name: string
    readonly type: 'string' | 'int'
    readonly optional?: boolean
  }[]
  /** A null value arrives as ''. Returns null if the result is undefined. Must not throw. */
  readonly apply: (value: string, ...params: (string | number)[]) => Value
  /** What a null value becomes: `{sql.val}` makes NULL of it. Without it `apply` gets ''. */
  readonly ofNull?: Value
  readonly doc: string
}

export interface ParamDeclaration {
  /**
   * - int (yes/no, on/off count as 1/0), string
   * - format: a string with pseudo-variables, handed over as (context) => string
   * - variable: the text of a pseudo-variable such as "$avp(x)", handed over as VariableAccess
   * - either: int or string
   */
  readonly type: 'int' | 'string' | 'format' | 'variable' | 'either'
  readonly default?: string | number
  readonly unit?: string
  /** The parameter may be set several times; the plugin gets an array (Kamailio: htable, address lists). */
  readonly repeatable?: boolean
  /** Accepted for compatibility and without effect here; the checker says so. */
  readonly ignored?: string
  /** Throws ArgumentProblem for a value that makes no sense. */
  readonly check?: (value: string | number) => void
  readonly doc: string
}

export interface ModuleDeclaration {
  readonly name: string
  readonly summary: string
  readonly params: Readonly<Record<string, ParamDeclaration>>
  readonly functions: Readonly<Record<string, FunctionDeclaration>>
  readonly variables: Readonly<Record<string, VariableDeclaration>>
  /** `class.name` -> declaration */
  readonly transformations: Readonly<Record<string, TransformationDeclaration>>
  /** Names of event routes that it runs: `mod-init` for event_route[htable:mod-init]; a trailing * matches any. */
  readonly events: Readonly<Record<string, { readonly doc: string }>>
  /** Modules that must be loaded too. */
  readonly uses: readonly string[]
  /** The module is accepted without effect; says why. */
  readonly ignored?: string
}

/** A global parameter of the core: `children = 4`. */
export interface GlobalDeclaration {
  readonly type: 'int' | 'string' | 'name' | 'either'
  readonly default?: string | number
  readonly unit?: string
  readonly aliases?: readonly string[]
  readonly ignored?: string
  readonly doc: string
}

export interface CoreDeclarations {
  readonly globals: Readonly<Record<string, GlobalDeclaration>>
  readonly functions: Readonly<Record<string, FunctionDeclaration>>
  readonly variables: Readonly<Record<string, VariableDeclaration>>
  readonly transformations: Readonly<Record<string, TransformationDeclaration>>
  readonly events: Readonly<Record<string, { readonly doc: string }>>
}

/** What emitted code needs of the route context. */
export interface RunContext {
  /** `$rc`. */
  rc: number
  /** 0: running; 1: exit; 2: drop. */
  ended: number
  vars: Value[]
  /** Nesting of routes. */
  depth: number
  /** Rounds of loops and calls of routes so far. */
  steps: number
  /** Index into Program.places of the last call. */
  at: number
}
