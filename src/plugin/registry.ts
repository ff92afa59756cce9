import type { PluginDefinition } from './plugin.ts'
export interface PluginRegistry {
  /** Names of the built-in plugins, sorted. */
  readonly names: readonly string[]
  has(name: string): boolean
  load(name: string): Promise<PluginDefinition>
}
