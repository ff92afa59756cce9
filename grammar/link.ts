import type { RouteKind, RunContext, VariableAccess } from './declarations.ts'
import { emitLateValue } from './emit.ts'
import { createOperators } from './operators.ts'
import type { Linkage, LinkedProgram, Pattern, Program, RouteFunction, RunHost } from './program.ts'
import type { ResolvedAccess, ResolvedExpression } from './resolved.ts'
import type { Tables } from './tables.ts'

/**
 * From emitted text to functions. `new Function` is what it is for: the text is our own, the script's strings and
 * names are in it as JSON literals and as comments of declared names only.
 */

/** Evaluates the program and gives its routes. */
export function linkProgram(
  program: Program,
  evaluatedMap: string,
  tables: Tables,
  linkage: Linkage,
): LinkedProgram {
  checkLinkage(program, linkage)
  const operators = createOperators(linkage.host, tables.slotNames)
  const url = `viaduct-script:${encodeURI(program.files[0] ?? 'script')}.js`
  const map = `data:application/json;base64,${Buffer.from(evaluatedMap).toString('base64')}`
  const body = `${program.code}//# sourceURL=${url}\n//# sourceMappingURL=${map}\n`
  const make = new Function('functions', 'variables', 'constants', 'host', 'operators', body)
  const functions: RouteFunction[] = make(
    linkage.functions,
    linkage.variables,
    tables.constants,
    linkage.host,
    operators,
  )
  const byName = new Map(
    program.routes.map((route, index) => [routeKey(route.kind, route.name), functions[index]]),
  )
  return { program, route: (kind, name) => byName.get(routeKey(kind, name)) }
}

/** A format string or a variable that is handed out before the variables are linked. */
export type LateValue = { readonly format: ResolvedExpression } | { readonly access: ResolvedAccess }

/**
 * Values of format and variable parameters. Plugins get them in setup, when no variable has an implementation yet:
 * they look up each variable when they run, and work from the moment on when `bind` was called.
 */
export class LateValueStore {
  readonly #tables: Tables
  readonly #host = new LateHost()
  readonly #variables: unknown[] = []

  constructor(tables: Tables) {
    this.#tables = tables
  }

  add(value: LateValue): VariableAccess | ((context: never) => string) {
    const make = new Function(
      'variables',
      'constants',
      'host',
      'operators',
      emitLateValue(value, this.#tables),
    )
    const operators = createOperators(this.#host, this.#tables.slotNames)
    return make(this.#variables, this.#tables.constants, this.#host, operators)
  }

  bind(linkage: Linkage): void {
    this.#variables.splice(0, this.#variables.length, ...linkage.variables)
    this.#host.host = linkage.host
  }
}

/** Stands in for the run's host until there is one. */
class LateHost implements RunHost {
  host: RunHost | null = null

  pattern(context: RunContext, source: string, ignoreCase: boolean): Pattern {
    return this.#host.pattern(context, source, ignoreCase)
  }

  warn(context: RunContext, what: string): void {
    this.#host.warn(context, what)
  }

  condition(...args: Parameters<RunHost['condition']>): boolean {
    return this.#host.condition(...args)
  }

  unknownRoute(context: RunContext, name: string): void {
    this.#host.unknownRoute(context, name)
  }

  get whileLoopsMax(): number {
    return this.#host.whileLoopsMax
  }

  get routeDepthMax(): number {
    return this.#host.routeDepthMax
  }

  get stepsMax(): number {
    return this.#host.stepsMax
  }

  get #host(): RunHost {
    if (this.host === null) throw new Error('a module parameter was used before the script was linked')
    return this.host
  }
}

function routeKey(kind: RouteKind, name: string): string {
  return `${kind} ${name}`
}

/** Our own invariant: whoever links gives what the program refers to, in that order. */
function checkLinkage(program: Program, linkage: Linkage): void {
  const missing = [
    ...program.functions.filter((_, index) => typeof linkage.functions[index] !== 'function'),
    ...program.variables.filter((_, index) => typeof linkage.variables[index]?.read !== 'function'),
  ]
  if (missing.length === 0) return
  const names = missing.map(({ module, name }) => `${module === '' ? 'core' : module} ${name}`)
  throw new Error(`the script needs what nobody implements: ${names.join(', ')}`)
}
