import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, extname, isAbsolute, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Diagnostic } from '../../grammar/diagnostics.ts'
import type { ModuleRequest } from '../../grammar/program.ts'
import { suggest } from '../../grammar/suggest.ts'
import type { PluginDefinition } from './plugin.ts'
import type { PluginRegistry } from './registry.ts'
import { installResolveHook } from './resolve-hook.ts'
import { declarationProblems } from './validate.ts'

/**
 * Finds and imports the plugins that a script's loadmodule statements name:
 *
 *   tm.so, tm, /usr/lib/kamailio/modules/tm.so    a built-in plugin, or one in a directory named with -L
 *   ./hello.ts, ../lib/x.js, /srv/x.mjs           a file, seen from the script's directory
 *   viaduct-plugin-foo, @acme/plugin              an installed package, seen from the script's directory
 */
export interface LoadedPlugin {
  readonly request: ModuleRequest
  readonly definition: PluginDefinition
}

export interface PluginLoading {
  /** In the order of the requests; null where something is wrong. */
  readonly plugins: readonly (LoadedPlugin | null)[]
  readonly diagnostics: readonly Diagnostic[]
}

/** Never rejects. Every problem is a diagnostic at the loadmodule statement. */
export async function loadPlugins(
  requests: readonly ModuleRequest[],
  registry: PluginRegistry,
  directories: readonly string[] = [],
): Promise<PluginLoading> {
  const diagnostics: Diagnostic[] = []
  const plugins: (LoadedPlugin | null)[] = []
  for (const request of requests) plugins.push(await loadOne(request, registry, directories, diagnostics))
  return { plugins, diagnostics }
}

async function loadOne(
  request: ModuleRequest,
  registry: PluginRegistry,
  directories: readonly string[],
  diagnostics: Diagnostic[],
): Promise<LoadedPlugin | null> {
  const found = find(request, registry, directories)
  if ('problem' in found) {
    diagnostics.push(problem(request, 'script/unknown-module', found.problem, found.hint))
    return null
  }
  let definition: unknown
  try {
    definition = await found.load()
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error)
    diagnostics.push(problem(request, 'plugin/not-loadable', `${request.text}: ${text}`))
    return null
  }
  const problems = definition === undefined ? [noDefaultExport] : declarationProblems(definition)
  for (const text of problems) {
    diagnostics.push(problem(request, 'plugin/declaration', `${request.text}: ${text}`))
  }
  return problems.length === 0 ? { request, definition: definition as PluginDefinition } : null
}

const noDefaultExport = 'the module has no default export: export default definePlugin({ ... })'

type Found = { load: () => Promise<unknown> } | { problem: string; hint?: string }

function find(request: ModuleRequest, registry: PluginRegistry, directories: readonly string[]): Found {
  const { text } = request
  if (isFile(text)) return findFile(text, request)
  const name = builtInName(text)
  if (registry.has(name)) return { load: () => registry.load(name) }
  const path = inDirectories(name, directories)
  if (path !== null) return { load: () => importDefault(pathToFileURL(path).href) }
  if (text.endsWith('.so')) return unknown(name, registry)
  return findPackage(text, request, registry)
}

/** `modules/tm/tm.so`, `tm.so`, `tm` -> `tm`. */
function builtInName(text: string): string {
  const last = text.slice(text.lastIndexOf('/') + 1)
  return last.endsWith('.so') ? last.slice(0, -3) : last
}

const fileExtensions = new Set(['.ts', '.mts', '.js', '.mjs'])

function isFile(text: string): boolean {
  return (
    fileExtensions.has(extname(text)) && (isAbsolute(text) || text.includes('/') || !text.startsWith('@'))
  )
}

function findFile(text: string, request: ModuleRequest): Found {
  const path = resolve(dirname(request.file), text)
  if (!existsSync(path)) return { problem: `there is no file ${path}` }
  return { load: () => importDefault(pathToFileURL(path).href) }
}

/** `acme` in one of the directories: acme.ts, acme.js, acme/index.ts, acme/index.js. */
function inDirectories(name: string, directories: readonly string[]): string | null {
  for (const directory of directories) {
    for (const file of [`${name}.ts`, `${name}.js`, `${name}/index.ts`, `${name}/index.js`]) {
      const path = resolve(directory, file)
      if (existsSync(path)) return path
    }
  }
  return null
}

function findPackage(text: string, request: ModuleRequest, registry: PluginRegistry): Found {
  const require = createRequire(resolve(dirname(request.file), 'script.js'))
  try {
    const path = require.resolve(text)
    return { load: () => importDefault(pathToFileURL(path).href) }
  } catch {
    return unknown(text, registry)
  }
}

async function importDefault(url: string): Promise<unknown> {
  installResolveHook()
  const module = await import(url)
  return module.default
}

function unknown(name: string, registry: PluginRegistry): Found {
  const near = suggest(name, registry.names)
  const hint = near === null ? 'Viaduct has no module of this name' : `did you mean ${near}?`
  return { problem: `module ${name} is unknown`, hint }
}

function problem(request: ModuleRequest, code: string, message: string, hint?: string): Diagnostic {
  const diagnostic = { severity: 'error', code, message, span: request.span } as const
  return hint === undefined ? diagnostic : { ...diagnostic, hint }
}
