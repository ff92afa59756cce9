import type { ModuleDeclaration } from '../../grammar/declarations.ts'
import type { Diagnostic } from '../../grammar/diagnostics.ts'
import type { CompileHost, Program } from '../../grammar/program.ts'
import { inReadingOrder } from '../../grammar/report.ts'
import { type LoadedPlugin, loadPlugins } from '../plugin/load.ts'
import { moduleDeclaration } from '../plugin/plugin.ts'
import { builtInPlugins, type PluginRegistry } from '../plugin/registry.ts'
import { createCompileHost } from './compile-host.ts'
import type { LoadedScript, LoadOptions, LoadResult } from './engine.ts'
import { coreGlobals } from './globals.ts'

/**
 * From a file to a program: finds out which modules it loads, reads their declarations, compiles. No plugin's setup
 * runs, so `viaduct check` and `viaduct run` go the same way. Never rejects: whatever is wrong is a diagnostic.
 */
export async function loadScript(options: LoadOptions): Promise<LoadResult> {
  const registry = options.registry ?? builtInPlugins()
  const known: ModuleDeclaration[] = []
  const host: CompileHost = { ...createCompileHost(options), knownModules: () => known }
  const parsed = options.compiler.parseScript(options.path, host)
  const loading = await loadPlugins(parsed.modules, registry, options.pluginDirectories)
  const declarations = loading.plugins.map((plugin) => (plugin === null ? null : declarationOf(plugin)))
  let compiled = options.compiler.compileScript(parsed, declarations)
  if (compiled.diagnostics.some(isUnknownName)) {
    known.push(...(await allDeclarations(registry)))
    compiled = options.compiler.compileScript(parsed, declarations)
  }
  const diagnostics = inReadingOrder([...loading.diagnostics, ...compiled.diagnostics], parsed.files)
  const { program } = compiled
  const logPrefix = program === null ? null : compileLogPrefix(program)
  if (typeof logPrefix === 'string') diagnostics.push(wrongPrefix(logPrefix))
  const plugins = loading.plugins.filter((plugin) => plugin !== null)
  const isWrong = diagnostics.some((diagnostic) => diagnostic.severity === 'error')
  if (isWrong || program === null || typeof logPrefix === 'string')
    return { loaded: null, diagnostics: orExplained(diagnostics) }
  return { loaded: createLoadedScript(options, program, plugins, logPrefix), diagnostics }
}

/** A name that nobody declares may be in a module that the script does not load: worth a second look for the hint. */
function isUnknownName({ code }: Diagnostic): boolean {
  return code.startsWith('script/unknown-') || code === 'script/module-not-loaded'
}

async function allDeclarations(registry: PluginRegistry): Promise<ModuleDeclaration[]> {
  const loads = await Promise.allSettled(registry.names.map((name) => registry.load(name)))
  return loads.flatMap((load) => (load.status === 'fulfilled' ? [moduleDeclaration(load.value)] : []))
}

/** In a script a module is called as loadmodule calls it, whatever a plugin's author calls it. */
function declarationOf({ request, definition }: LoadedPlugin): ModuleDeclaration {
  return { ...moduleDeclaration(definition), name: request.name }
}

function createLoadedScript(
  options: LoadOptions,
  program: Program,
  plugins: readonly LoadedPlugin[],
  logPrefix: LoadedScript['logPrefix'],
): LoadedScript {
  return {
    path: options.path,
    program,
    plugins,
    logPrefix,
    global: (name) => globalOf(program, name),
    environment: options.environment ?? (() => null),
  }
}

/** `log_prefix`: variables and all. A text says what is wrong with it. */
function compileLogPrefix(program: Program): LoadedScript['logPrefix'] | string {
  const text = String(program.globals.get('log_prefix') ?? '')
  return text === '' ? null : program.compileFormat(text)
}

function wrongPrefix(message: string): Diagnostic {
  return { severity: 'error', code: 'script/log-prefix', message: `log_prefix: ${message}`, span: null }
}

/** What the script set, else the default; '' for a parameter that has none. */
function globalOf(program: Program, name: string): string | number {
  const declared = Object.hasOwn(coreGlobals, name) ? name : nameOfAlias(name)
  return program.globals.get(declared) ?? coreGlobals[declared]?.default ?? ''
}

function nameOfAlias(name: string): string {
  for (const [declared, { aliases }] of Object.entries(coreGlobals)) {
    if (aliases?.includes(name)) return declared
  }
  return name
}

/** A compiler that gives no program says why; if it does not, that is a defect and must not pass for success. */
function orExplained(diagnostics: readonly Diagnostic[]): readonly Diagnostic[] {
  if (diagnostics.some((diagnostic) => diagnostic.severity === 'error')) return diagnostics
  const defect: Diagnostic = {
    severity: 'error',
    code: 'script/not-compiled',
    message: 'the script could not be compiled, and the compiler does not say why',
    span: null,
  }
  return [...diagnostics, defect]
}
