import { existsSync, readdirSync } from 'node:fs'
import type { PluginDefinition } from './plugin.ts'
import { installResolveHook } from './resolve-hook.ts'

/**
 * The built-in plugins: every folder of plugins/ is one, under the folder's name. They are enumerated when somebody
 * asks, so adding a folder is all it takes, and imported when a script loads them. From sources the folder holds
 * index.ts, in the published package index.js.
 */
export interface PluginRegistry {
  /** Names of the built-in plugins, sorted. */
  readonly names: readonly string[]
  has(name: string): boolean
  /** Rejects if the module does not load or its default export is no plugin. */
  load(name: string): Promise<PluginDefinition>
}

export function createRegistry(directory = new URL('../../plugins/', import.meta.url)): PluginRegistry {
  const file = import.meta.url.endsWith('.ts') ? 'index.ts' : 'index.js'
  const names = readdirSync(directory, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .filter((name) => existsSync(new URL(`${name}/${file}`, directory)))
    .sort()
  const known = new Set(names)
  return {
    names,
    has: (name) => known.has(name),
    async load(name) {
      installResolveHook()
      const module = await import(new URL(`${name}/${file}`, directory).href)
      return module.default
    },
  }
}

let builtIn: PluginRegistry | null = null

/** The registry of this installation. */
export function builtInPlugins(): PluginRegistry {
  return (builtIn ??= createRegistry())
}
