import type { RouteBlock } from './ast.ts'
import { checkScript } from './check.ts'
import type { ModuleDeclaration, RouteKind } from './declarations.ts'
import type { Diagnostic } from './diagnostics.ts'
import { type EmittedProgram, emitProgram } from './emit.ts'
import { analyseFlow } from './flow.ts'
import { LateValueStore, linkProgram } from './link.ts'
import { type ParsedFile, parseFile } from './parse.ts'
import type {
  CompileHost,
  Compiler,
  ModuleParameter,
  ModuleRequest,
  ParsedScript,
  Program,
} from './program.ts'
import { inReadingOrder, Report } from './report.ts'
import { resolveStatements } from './resolve-statement.ts'
import { resolveFormat, writtenText } from './resolve-variable.ts'
import type { ResolvedExpression, ResolvedRoute } from './resolved.ts'
import type { Resolver } from './resolver.ts'
import {
  type ParameterSetting,
  resolveAliases,
  resolveCustomGlobals,
  resolveFlags,
  resolveGlobals,
  resolveListens,
  resolveParameters,
} from './settings.ts'
import type { Span } from './source.ts'
import { createSymbols } from './symbols.ts'
import { Tables } from './tables.ts'

/**
 * The compiler: parse (parse.ts), then, once the caller knows what the modules declare,
 *
 *     settings -> resolve (names, types) -> check (lint) -> emit (JavaScript) -> link (functions), when it is started
 *
 * Nothing throws because of the script; all diagnostics come at once.
 */
export const compiler: Compiler = {
  parseScript: (path, host) => new Parsed(parseFile(path, host), host),
  compileScript(parsed, modules) {
    if (!(parsed instanceof Parsed)) throw new TypeError('compileScript takes what parseScript gave')
    return compileParsed(parsed, modules)
  },
}

/** What parseScript hands to compileScript. */
class Parsed implements ParsedScript {
  readonly file: ParsedFile
  readonly host: CompileHost

  constructor(file: ParsedFile, host: CompileHost) {
    this.file = file
    this.host = host
  }

  get modules(): readonly ModuleRequest[] {
    return this.file.modules
  }

  get diagnostics(): readonly Diagnostic[] {
    return this.file.diagnostics
  }

  get files(): readonly string[] {
    return this.file.files
  }
}

function compileParsed(
  { file, host }: Parsed,
  declarations: readonly (ModuleDeclaration | null)[],
): ReturnType<Compiler['compileScript']> {
  const report = new Report()
  const { items } = file.script
  const modules = declarations.filter((module) => module !== null)
  checkModules(file.modules, declarations, report)
  const globals = resolveGlobals(items, host, report)
  const flags = resolveFlags(items, report)
  const blocks = items.filter((item) => item.type === 'route')
  const parametersSet = new Set<string>()
  const resolver: Resolver = {
    host,
    symbols: createSymbols(host.core, modules),
    tables: new Tables(),
    report,
    known: host.knownModules?.() ?? [],
    absent: absentModules(file.modules, declarations),
    parametersSet,
    flags,
    routes: namesOfRoutes(blocks),
    used: new Set(),
    routeKind: null,
  }
  const parameters = resolveParameters(items, modules, file.modules, file.defines, resolver)
  for (const { module, name, value } of parameters) {
    if (value === '') parametersSet.delete(`${module}.${name}`)
    else parametersSet.add(`${module}.${name}`)
  }
  const routes = resolveRoutes(blocks, resolver)
  const settings = {
    globals,
    flags,
    customGlobals: resolveCustomGlobals(items),
    listens: resolveListens(items, report),
    aliases: resolveAliases(items),
  }
  const isUnderstood = !file.diagnostics.some(isError)
  // What a syntax error has swallowed may be the very call of a route that seems to be unused.
  if (isUnderstood) checkScript(file.script, resolver)
  const diagnostics = inReadingOrder([...file.diagnostics, ...report.diagnostics], file.files)
  if (!isUnderstood || report.hasErrors || declarations.includes(null)) return { program: null, diagnostics }
  const program = makeProgram(file, settings, routes, parameters, resolver)
  return { program, diagnostics }
}

function isError({ severity }: Diagnostic): boolean {
  return severity === 'error'
}

type Settings = Pick<Program, 'globals' | 'flags' | 'customGlobals' | 'listens' | 'aliases'>

function makeProgram(
  file: ParsedFile,
  settings: Settings,
  routes: readonly ResolvedRoute[],
  parameters: readonly ParameterSetting[],
  resolver: Resolver,
): Program {
  const { tables } = resolver
  const late = new LateValueStore(tables)
  /** What is evaluated outside of routes sees only the $var that are not some route's own. */
  const outside: ResolvedExpression[] = []
  const values: ModuleParameter[] = parameters.map(({ module, name, value, span }) => {
    if (typeof value !== 'object') return { module, name, value, span }
    outside.push('access' in value ? value.access.target : value.format)
    return { module, name, value: late.add(value), span }
  })
  const { isAsync } = analyseFlow(routes, tables.slotNames.length, outside)
  let emitted: EmittedProgram | null = null
  const emit = () => (emitted ??= emitProgram(routes, tables, outside))
  const program: Program = {
    ...settings,
    modules: file.modules,
    parameters: values,
    routes: routes.map(({ kind, name, span }, index) => ({
      kind,
      name,
      isAsync: isAsync[index] === true,
      span,
    })),
    get variableSlots() {
      return emit().placeCount
    },
    defines: file.defines,
    places: tables.places,
    functions: tables.functions,
    variables: tables.variables,
    get code() {
      return emit().code
    },
    get sourceMap() {
      return emit().sourceMap
    },
    files: file.files,
    compileFormat(text) {
      const format = resolveLateFormat(text, resolver)
      if (typeof format === 'string') return format
      if (emitted !== null) throw new Error('formats are compiled before the script is emitted')
      outside.push(format)
      return late.add({ format }) as (context: never) => string
    },
    link(linkage) {
      late.bind(linkage)
      return linkProgram(program, emit().evaluatedMap, tables, linkage)
    },
  }
  return program
}

/** A format string that is not in a route: `log_prefix`, a table of extra fields. */
function resolveLateFormat(text: string, resolver: Resolver): ResolvedExpression | string {
  const report = new Report()
  const nowhere: Span = { file: '', start: 0, end: 0, line: 1, column: 1 }
  const format = resolveFormat({ ...resolver, report }, writtenText(text, nowhere))
  const [problem] = report.diagnostics
  return problem === undefined ? format : problem.message
}

/** Modules that have no effect, or that need another one. */
function checkModules(
  requests: readonly ModuleRequest[],
  declarations: readonly (ModuleDeclaration | null)[],
  report: Report,
): void {
  const loaded = new Set(requests.map(({ name }) => name))
  for (const [index, { name, span }] of requests.entries()) {
    const module = declarations[index] ?? null
    if (module === null) continue
    if (module.ignored !== undefined) {
      report.note('script/ignored', `module ${name} has no effect: ${module.ignored}`, span)
    }
    for (const needed of module.uses) {
      if (loaded.has(needed)) continue
      const message = `module ${name} needs module ${needed}`
      report.error('script/module-needed', message, span, `loadmodule "${needed}.so"`)
    }
  }
}

function absentModules(
  requests: readonly ModuleRequest[],
  declarations: readonly (ModuleDeclaration | null)[],
): string[] {
  const isAbsent = (index: number) =>
    declarations[index]?.ignored !== undefined || declarations[index] === null
  return requests.flatMap(({ name }, index) => (isAbsent(index) ? [name] : []))
}

function namesOfRoutes(blocks: readonly RouteBlock[]): Map<RouteKind, Set<string>> {
  const names = new Map<RouteKind, Set<string>>()
  for (const { kind, name } of blocks) {
    const ofKind = names.get(kind) ?? new Set()
    names.set(kind, ofKind.add(name))
  }
  return names
}

/** Unnamed blocks of one kind are one route: the second goes on where the first ends (measured). */
function resolveRoutes(blocks: readonly RouteBlock[], resolver: Resolver): ResolvedRoute[] {
  const routes = new Map<string, ResolvedRoute>()
  for (const { kind, name, span, body } of blocks) {
    resolver.routeKind = kind
    const statements = resolveStatements(resolver, body.statements)
    const key = `${kind} ${name}`
    const first = routes.get(key)
    if (first === undefined) routes.set(key, { kind, name, span, body: statements })
    else if (name === '') routes.set(key, { ...first, body: [...first.body, ...statements] })
  }
  resolver.routeKind = null
  return [...routes.values()]
}
