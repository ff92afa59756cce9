import type {
  ArgumentDeclaration,
  FunctionDeclaration,
  ModuleDeclaration,
  ParamDeclaration,
  TransformationDeclaration,
  VariableAccess,
  VariableDeclaration,
  VariableImplementation,
} from '../../grammar/declarations.ts'
import type { Pattern } from '../../grammar/program.ts'
import type { PluginHost } from './host.ts'
import type { RouteContext } from './route-context.ts'
import { declarationProblems } from './validate.ts'

/**
 * A plugin is a declaration, readable without running anything, and a `setup` that gives the implementations.
 * TypeScript checks that both agree: every declared function is implemented with the declared arguments.
 */
export interface PluginDefinition<
  P extends Record<string, ParamDeclaration> = Record<string, ParamDeclaration>,
  F extends Record<string, FunctionDeclaration> = Record<string, FunctionDeclaration>,
  V extends Record<string, VariableDeclaration> = Record<string, VariableDeclaration>,
  E = unknown,
> {
  /** As in loadmodule and modparam, without `.so`. */
  readonly name: string
  /** One sentence, with the RFC or Kamailio module it follows. */
  readonly summary: string
  readonly params?: P
  readonly functions?: F
  readonly variables?: V
  readonly transformations?: Readonly<Record<string, TransformationDeclaration>>
  readonly events?: Readonly<Record<string, { readonly doc: string }>>
  readonly rpc?: Readonly<Record<string, RpcDeclaration>>
  readonly metrics?: Readonly<Record<string, { readonly doc: string }>>
  /** Where else than on the router's own socket commands are to be served: read before setup, while we may still be root. */
  readonly control?: (params: ParamValues<P>) => readonly (ControlEndpoint | UnservedEndpoint)[]
  /** Plugins that must be loaded before, in any order in the script; their exports are in host.exportsOf(name). */
  readonly uses?: readonly string[]
  /** Plugins whose exports are used if they are loaded. */
  readonly usesIfLoaded?: readonly string[]
  /** Accepted so that a script starts, and without effect here: says why. */
  readonly ignored?: string
  setup?(host: PluginHost, params: ParamValues<P>): PluginInstance<F, V, E> | Promise<PluginInstance<F, V, E>>
}

export interface RpcDeclaration {
  readonly doc: string
  readonly params?: readonly { readonly name: string; readonly optional?: boolean; readonly doc: string }[]
  /** What several workers make of it; `any` if absent: what one answers holds for all. */
  readonly workers?: Merge
}

/**
 * How the answers of several workers become one: `any` worker's; `every` worker does it and the first one's is shown;
 * numbers are added (`sum`, of objects member by member), rows are put one after another (`concat`); of an object each
 * member in its way, `any` where none is named.
 */
export type Merge = 'any' | 'every' | 'sum' | 'concat' | { readonly [member: string]: Merge }

/** A way in for commands beside the router's own socket. Names of users and groups, or their numbers. */
export type ControlEndpoint = {
  readonly path: string
  readonly mode: number
  readonly user?: string | undefined
  readonly group?: string | undefined
} & (
  | { readonly kind: 'fifo'; readonly replyDirectory: string; readonly pretty: boolean }
  | { readonly kind: 'binrpc' }
)

/** What a script asks for and does not get: said when the router starts. */
export interface UnservedEndpoint {
  readonly kind: 'unserved'
  /** `ctl: tcp:127.0.0.1:2049`. */
  readonly what: string
  readonly why: string
}

export interface PluginInstance<F, V, E> {
  readonly functions?: { readonly [K in keyof F]: FunctionImplementation<F[K]> }
  readonly variables?: { readonly [K in keyof V]: VariableImplementation<RouteContext> }
  readonly rpc?: Readonly<Record<string, (params: readonly unknown[]) => unknown>>
  /** What plugins that name this one in `uses` get. */
  readonly exports?: E
  /** Once all plugins are set up and the sockets are open, before the first message. */
  start?(): void | Promise<void>
  /** At the end: timers and files. What must be kept has been written before. */
  close?(): void | Promise<void>
}

/** Parameters as setup gets them: the default where the script set none; undefined if there is no default. */
export type ParamValues<P> = { readonly [K in keyof P]: ParamValue<P[K]> }

type ParamValue<D> = D extends { repeatable: true }
  ? readonly SingleParam<D>[]
  : D extends { default: string | number }
    ? SingleParam<D>
    : SingleParam<D> | undefined

type SingleParam<D> = D extends { type: 'int' }
  ? number
  : D extends { type: 'string' }
    ? string
    : D extends { type: 'format' }
      ? (context: RouteContext) => string
      : D extends { type: 'variable' }
        ? VariableAccess<RouteContext>
        : string | number

export type FunctionImplementation<D> = D extends { args: infer A extends readonly ArgumentDeclaration[] }
  ? (context: RouteContext, ...args: ArgumentValues<A>) => number | Promise<number>
  : (context: RouteContext) => number | Promise<number>

export type ArgumentValues<A extends readonly ArgumentDeclaration[]> = { [K in keyof A]: ArgumentValue<A[K]> }

type ArgumentValue<D> = D extends { optional: true } ? GivenArgument<D> | undefined : GivenArgument<D>

type GivenArgument<D> = D extends { prepare: (text: string) => infer T }
  ? T
  : D extends { type: 'int' | 'flag' }
    ? number
    : D extends { type: 'value' }
      ? string | number | null
      : D extends { type: 'regex' }
        ? Pattern
        : D extends { type: 'variable' }
          ? VariableAccess<RouteContext>
          : D extends { type: 'format' }
            ? (context: RouteContext) => string
            : string

/**
 * Declares a plugin. The default export of a plugin's module.
 *
 * @throws TypeError that says what is wrong with the declaration (name, duplicate alias, default of another type).
 */
export function definePlugin<
  const P extends Record<string, ParamDeclaration>,
  const F extends Record<string, FunctionDeclaration>,
  const V extends Record<string, VariableDeclaration>,
  E = unknown,
>(definition: PluginDefinition<P, F, V, E>): PluginDefinition<P, F, V, E> {
  const problems = declarationProblems(definition)
  if (problems.length > 0) {
    throw new TypeError(`plugin ${String(definition?.name)}: ${problems.join('; ')}`)
  }
  return definition
}

/** The part that the compiler reads. */
export function moduleDeclaration(plugin: PluginDefinition): ModuleDeclaration {
  return {
    name: plugin.name,
    summary: plugin.summary,
    params: plugin.params ?? {},
    functions: plugin.functions ?? {},
    variables: plugin.variables ?? {},
    transformations: plugin.transformations ?? {},
    events: plugin.events ?? {},
    uses: plugin.uses ?? [],
    ...(plugin.ignored === undefined ? {} : { ignored: plugin.ignored }),
  }
}
