import type {
  ArgumentDeclaration,
  CoreDeclarations,
  FunctionDeclaration,
  GlobalDeclaration,
  ModuleDeclaration,
  ParamDeclaration,
  TransformationDeclaration,
  VariableDeclaration,
} from './declarations.ts'

/**
 * Everything that a script may name: what the core and the loaded modules declare, by name and by alias. Where two
 * modules declare one name the core wins, then the module that was loaded last, as in Kamailio.
 */
export interface Symbols {
  /** All functions of that name: they may differ in the number of arguments. */
  functions(name: string): readonly FunctionSymbol[]
  variable(name: string): VariableSymbol | undefined
  transformation(name: string): TransformationDeclaration | undefined
  module(name: string): ModuleDeclaration | undefined
  readonly modules: readonly ModuleDeclaration[]
  /** True if the core or a loaded module runs `event_route[name]`. */
  runsEvent(name: string): boolean
  readonly functionNames: readonly string[]
  readonly variableNames: readonly string[]
  readonly transformationNames: readonly string[]
}

export interface FunctionSymbol {
  /** '' for the core. */
  readonly module: string
  /** As declared, not an alias. */
  readonly name: string
  readonly declaration: FunctionDeclaration
}

export interface VariableSymbol {
  readonly module: string
  readonly name: string
  readonly declaration: VariableDeclaration
}

/** Variables that are part of the language: no module declares them. */
export const builtinVariables = ['var', 'rc', 'retcode', 'null'] as const

type Declared = Pick<CoreDeclarations, 'functions' | 'variables' | 'transformations'>

export function createSymbols(core: CoreDeclarations, modules: readonly ModuleDeclaration[]): Symbols {
  const functions = new Map<string, FunctionSymbol[]>()
  const variables = new Map<string, VariableSymbol>()
  const transformations = new Map<string, TransformationDeclaration>()
  const byName = new Map(modules.map((module) => [module.name, module]))

  const declare = (module: string, declared: Declared) => {
    for (const symbol of functionSymbols(module, declared)) {
      for (const name of namesOf(symbol)) functions.set(name, [...(functions.get(name) ?? []), symbol])
    }
    for (const symbol of variableSymbols(module, declared)) {
      for (const name of namesOf(symbol)) if (!variables.has(name)) variables.set(name, symbol)
    }
    for (const [name, declaration] of Object.entries(declared.transformations)) {
      if (!transformations.has(name)) transformations.set(name, declaration)
    }
  }
  declare('', core)
  for (const module of modules.toReversed()) declare(module.name, module)

  return {
    functions: (name) => functions.get(name) ?? [],
    variable: (name) => variables.get(name),
    transformation: (name) => transformations.get(name),
    module: (name) => byName.get(name),
    modules,
    runsEvent: (name) => runsEvent(core, byName, name),
    functionNames: [...functions.keys()],
    variableNames: [...variables.keys(), ...builtinVariables],
    transformationNames: [...transformations.keys()],
  }
}

/** How many arguments a call must have at least and may have at most. */
export function arityOf(declaration: FunctionDeclaration): { min: number; max: number } {
  const args: readonly ArgumentDeclaration[] = declaration.args ?? []
  const firstOptional = args.findIndex((argument) => argument.optional === true)
  return { min: firstOptional === -1 ? args.length : firstOptional, max: args.length }
}

export function findGlobal(
  core: CoreDeclarations,
  name: string,
): { name: string; declaration: GlobalDeclaration } | undefined {
  for (const [declared, declaration] of Object.entries(core.globals)) {
    if (declared === name || declaration.aliases?.includes(name)) return { name: declared, declaration }
  }
  return undefined
}

/** The modules, loaded or not, that declare such a thing: for hints. */
export function modulesWith(
  known: readonly ModuleDeclaration[],
  what: 'functions' | 'variables' | 'transformations',
  name: string,
): string[] {
  return known
    .filter((module) => {
      if (what === 'transformations') return Object.hasOwn(module.transformations, name)
      const symbols =
        what === 'functions' ? functionSymbols(module.name, module) : variableSymbols(module.name, module)
      return symbols.some((symbol) => namesOf(symbol).includes(name))
    })
    .map((module) => module.name)
}

export function paramOf(module: ModuleDeclaration, name: string): ParamDeclaration | undefined {
  return Object.hasOwn(module.params, name) ? module.params[name] : undefined
}

function functionSymbols(module: string, declared: Declared): FunctionSymbol[] {
  return Object.entries(declared.functions).map(([name, declaration]) => ({ module, name, declaration }))
}

function variableSymbols(module: string, declared: Declared): VariableSymbol[] {
  return Object.entries(declared.variables).map(([name, declaration]) => ({ module, name, declaration }))
}

function namesOf(symbol: FunctionSymbol | VariableSymbol): string[] {
  return [symbol.name, ...(symbol.declaration.aliases ?? [])]
}

/** `htable:mod-init` is run by module htable if it declares `mod-init`, or `expired:*` for `htable:expired:ban`. */
function runsEvent(
  core: CoreDeclarations,
  modules: ReadonlyMap<string, ModuleDeclaration>,
  name: string,
): boolean {
  const colon = name.indexOf(':')
  const owner = name.slice(0, colon)
  const events = owner === 'core' ? core.events : modules.get(owner)?.events
  const patterns = [...Object.keys(events ?? {}), ...Object.keys(core.events)]
  return patterns.some((pattern) => eventMatches(pattern, name) || eventMatches(`${owner}:${pattern}`, name))
}

function eventMatches(pattern: string, name: string): boolean {
  return pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : pattern === name
}
