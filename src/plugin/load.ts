import type { ModuleRequest } from '../../grammar/program.ts'
import type { PluginDefinition } from './plugin.ts'

/** A plugin that a script asked for, with the statement that did. */
export interface LoadedPlugin {
  readonly request: ModuleRequest
  readonly definition: PluginDefinition
}
