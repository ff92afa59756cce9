import type { ModuleDeclaration, RouteKind } from './declarations.ts'
import type { CompileHost } from './program.ts'
import type { Report } from './report.ts'
import type { Symbols } from './symbols.ts'
import type { Tables } from './tables.ts'

/** What every step of resolving has at hand: the world, the numbers given so far, and where to complain. */
export interface Resolver {
  readonly host: CompileHost
  readonly symbols: Symbols
  readonly tables: Tables
  readonly report: Report
  /** Modules that exist but need not be loaded: for hints. */
  readonly known: readonly ModuleDeclaration[]
  /** Modules that the script loads and nobody serves: unknown ones, and those without effect. */
  readonly absent: readonly string[]
  /** Parameters of modules that the script sets, to anything but '': `module.name`. */
  readonly parametersSet: ReadonlySet<string>
  /** `flags NAME:5` of the script. */
  readonly flags: ReadonlyMap<string, number>
  /** Names of routes by kind; '' for the unnamed one. */
  readonly routes: ReadonlyMap<RouteKind, ReadonlySet<string>>
  /** Routes that something calls or arms, as `kind name`; `kind *` if the name is known at run time only. */
  readonly used: Set<string>
  /** The kind of route that is being resolved; null outside of routes. */
  routeKind: RouteKind | null
}

/** `loadmodule "tm.so"` for the modules that would help, for a hint. */
export function loadHint(modules: readonly string[]): string | undefined {
  if (modules.length === 0) return undefined
  const lines = modules.map((name) => `loadmodule "${name}.so"`).join(' or ')
  return `module ${modules.join(', ')} declares it: ${lines}`
}

/** A name that nobody declares may belong to a module that the script loads in vain; for a hint. */
export function absentHint({ absent }: Resolver): string | undefined {
  if (absent.length === 0) return undefined
  const named = absent.slice(0, 6).join(', ') + (absent.length > 6 ? ', ...' : '')
  return `is it of a module that is not served here (${named})?`
}
