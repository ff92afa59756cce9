import type {
  CoreDeclarations,
  Index,
  ModuleDeclaration,
  RouteKind,
  RunContext,
  Value,
  VariableAccess,
  VariableImplementation,
} from './declarations.ts'
import type { Diagnostic } from './diagnostics.ts'
import type { Span } from './source.ts'

/** The result of compiling a script, and what it needs from outside: the contract with script/load and script/run. */

/** Outside world of the preprocessor and the compiler. */
export interface CompileHost {
  /** Null if there is no such file. Paths are as `resolvePath` made them. */
  readFile(path: string): string | null
  /** The path that an include, an import or a plugin means, seen from the file it stands in. */
  resolvePath(from: string, path: string): string
  environment(name: string): string | null
  /** `-A NAME=VALUE`; value '' if there is none. */
  readonly defines: ReadonlyMap<string, string>
  /** Kamailio's version that the script sees: KAMAILIO_5_6_3 and so on. */
  readonly compatibleVersion: { major: number; minor: number; patch: number }
  readonly core: CoreDeclarations
  /** Modules that exist, loaded or not: the checker's hints name them. */
  knownModules?(): readonly ModuleDeclaration[]
  /** Compiles a POSIX extended regular expression; a string says what is wrong with it. */
  pattern(source: string, flags: PatternFlags): Pattern | string
}

export interface PatternFlags {
  ignoreCase: boolean
}

/** A regular expression that takes linear time on any subject (docs/decisions). */
export interface Pattern {
  readonly source: string
  /** Set if it runs in the slower engine because the fast one could be made to backtrack; says why. */
  readonly note: string | null
  test(subject: string): boolean
  /** Start and end of the first match and of its groups as [start, end, start, end, ...]; null without a match. */
  match(subject: string, from?: number): readonly number[] | null
}

/** First phase, before plugins are loaded: `loadmodule` lines in order. */
export interface ModuleRequest {
  /** As written: `tm.so`, `./hello.ts`, `npm-package`. */
  readonly text: string
  /** `tm`, `hello`: what modparam and MOD_ defines say. */
  readonly name: string
  /** The file it was written in: a relative path starts there. */
  readonly file: string
  readonly span: Span
}

export interface ListenStatement {
  /** `udp`, `tcp`, ...; null for all that are enabled. */
  readonly transport: string | null
  /** Address, host name, or interface name. */
  readonly host: string
  /** 0: the default. */
  readonly port: number
  readonly advertisedHost: string | null
  readonly advertisedPort: number
  readonly name: string | null
  readonly span: Span
}

export interface AliasStatement {
  readonly transport: string | null
  readonly host: string
  readonly port: number
  readonly span: Span
}

export interface ModuleParameter {
  readonly module: string
  readonly name: string
  /**
   * A variable or format parameter is compiled: a VariableAccess or a function of the context. Plugins get it in
   * setup; it can be used once the program is linked.
   */
  readonly value: string | number | VariableAccess | ((context: never) => string)
  readonly span: Span
}

export interface CustomGlobal {
  readonly group: string
  readonly name: string
  readonly value: string | number
  readonly description: string
}

export interface RouteInfo {
  readonly kind: RouteKind
  /** '' for the unnamed one. */
  readonly name: string
  readonly isAsync: boolean
  readonly span: Span
}

/** A place in the code that can fail or be asked about at run time: `context.at` holds its index. */
export interface Place {
  readonly file: string
  readonly line: number
  readonly column: number
  /** `t_relay()` */
  readonly text: string
}

/** A function that the code calls, to be bound to its implementation before the first run. */
export interface FunctionReference {
  /** '' for the core's. */
  readonly module: string
  readonly name: string
  /** It may give a promise, as this script is; absent if not. */
  readonly waits?: true
}

export interface VariableReference {
  readonly module: string
  /** The declared name, not an alias. */
  readonly name: string
}

export interface Program {
  /** Globals as set by the script, by their declared names. */
  readonly globals: ReadonlyMap<string, string | number>
  readonly customGlobals: readonly CustomGlobal[]
  readonly listens: readonly ListenStatement[]
  readonly aliases: readonly AliasStatement[]
  readonly modules: readonly ModuleRequest[]
  readonly parameters: readonly ModuleParameter[]
  readonly flags: ReadonlyMap<string, number>
  readonly routes: readonly RouteInfo[]
  /** How many $var slots one run needs; `context.vars` starts as that many zeros. */
  readonly variableSlots: number
  readonly defines: ReadonlyMap<string, string>
  readonly places: readonly Place[]
  readonly functions: readonly FunctionReference[]
  readonly variables: readonly VariableReference[]
  /** The emitted JavaScript, for people and debuggers, with its map. */
  readonly code: string
  readonly sourceMap: string
  /** Files that were read, in order: what a reload watches. */
  readonly files: readonly string[]
  /**
   * Compiles a format string that stands outside of routes, such as log_prefix: a function of the context, or what
   * is wrong with it. To be called before `link`, like the parameters' own; works after it.
   */
  compileFormat(text: string): ((context: never) => string) | string
  /** Binds the references and makes the routes. Called once, before the first message. */
  link(linkage: Linkage): LinkedProgram
}

export interface Linkage {
  /** In the order of Program.functions. Arguments come prepared. */
  readonly functions: readonly ScriptFunction[]
  /** In the order of Program.variables. */
  readonly variables: readonly VariableImplementation[]
  readonly host: RunHost
}

/** What emitted code may ask of its surroundings while it runs. */
export interface RunHost {
  /** Patterns that are only known at run time, cached and bounded. A bad one matches nothing and is logged. */
  pattern(context: RunContext, source: string, ignoreCase: boolean): Pattern
  /** Kamailio's `WARNING`: a string that is no number in an int context, and the like. */
  warn(context: RunContext, what: string): void
  /** `==`, `=~` and friends on `uri`, `src_ip`, ...: the special conditions of the language. */
  condition(context: RunContext, subject: string, operator: string, operand: Value | 'myself'): boolean
  /** `route($var(x))` named no route. */
  unknownRoute(context: RunContext, name: string): void
  /** A function or variable threw: ends the run with a 500. */
  readonly whileLoopsMax: number
  readonly routeDepthMax: number
  /** Rounds of loops and calls of routes in one run, nested ones and all: one more throws. */
  readonly stepsMax: number
}

export type ScriptFunction = (context: never, ...args: never[]) => number | Promise<number>

export type RouteFunction = (context: RunContext) => number | Promise<number>

export interface LinkedProgram {
  readonly program: Program
  /** Undefined if there is none. `name` is '' for the unnamed one; event routes by their whole name, `htable:mod-init`. */
  route(kind: RouteKind, name: string): RouteFunction | undefined
  readonly whileLoopsMax?: number
}

export interface ParsedScript {
  readonly modules: readonly ModuleRequest[]
  readonly diagnostics: readonly Diagnostic[]
  /** That were read, in order. */
  readonly files: readonly string[]
}

/**
 * Compiles a script in two phases: `parseScript` finds out which modules it loads; the caller loads their
 * declarations; `compileScript` does the rest. Neither throws because of the script.
 */
export interface Compiler {
  parseScript(path: string, host: CompileHost): ParsedScript
  /**
   * `program` is null if any diagnostic is an error, or a module is null: the caller knows why it cannot be had, and
   * says so. `modules` in the order of ParsedScript.modules.
   */
  compileScript(
    parsed: ParsedScript,
    modules: readonly (ModuleDeclaration | null)[],
  ): { program: Program | null; diagnostics: readonly Diagnostic[] }
}

export type { Index }
