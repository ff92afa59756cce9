import type { ParamDeclaration } from '../../grammar/declarations.ts'
import type { ModuleParameter } from '../../grammar/program.ts'
import type { PluginHost } from '../plugin/host.ts'
import type { LoadedPlugin } from '../plugin/load.ts'
import type { PluginDefinition, PluginInstance } from '../plugin/plugin.ts'
import { instanceProblems } from '../plugin/validate.ts'
import type { RpcHandler } from './engine.ts'

/** A plugin that was set up. */
export interface RunningPlugin {
  readonly definition: PluginDefinition
  readonly instance: PluginInstance<unknown, unknown, unknown>
}

/** Those that others need come first; otherwise the order of the script. A ring is set up as it stands. */
export function inOrderOfNeed(plugins: readonly LoadedPlugin[]): PluginDefinition[] {
  const byName = new Map(plugins.map(({ definition }) => [definition.name, definition]))
  const ordered = new Set<PluginDefinition>()
  const visiting = new Set<PluginDefinition>()
  const visit = (definition: PluginDefinition) => {
    if (ordered.has(definition) || visiting.has(definition)) return
    visiting.add(definition)
    for (const name of [...(definition.uses ?? []), ...(definition.usesIfLoaded ?? [])]) {
      const needed = byName.get(name)
      if (needed) visit(needed)
    }
    ordered.add(definition)
  }
  for (const { definition } of plugins) visit(definition)
  return [...ordered]
}

/** @throws Error that names the plugin and says what went wrong. */
export async function setUpPlugin(
  definition: PluginDefinition,
  host: PluginHost,
  parameters: readonly ModuleParameter[],
): Promise<RunningPlugin> {
  let instance: PluginInstance<unknown, unknown, unknown> = {}
  try {
    const params = parameterValues(definition, parameters)
    if (definition.setup) instance = (await definition.setup(host, params as never)) as typeof instance
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error)
    throw new Error(`module ${definition.name} could not be set up: ${text}`, { cause: error })
  }
  const problems = instanceProblems(definition, instance)
  if (problems.length > 0) {
    throw new Error(`module ${definition.name} does not do what it declares: ${problems.join('; ')}`)
  }
  return { definition, instance }
}

/** As ParamValues says: the script's value, all of them for a repeatable one, else the default. */
function parameterValues(
  definition: PluginDefinition,
  parameters: readonly ModuleParameter[],
): Record<string, unknown> {
  const values: Record<string, unknown> = {}
  for (const [name, declaration] of Object.entries(definition.params ?? {})) {
    const given = parameters
      .filter((parameter) => parameter.module === definition.name && parameter.name === name)
      .map((parameter) => parameter.value)
    values[name] = declaration.repeatable === true ? given : (given.at(-1) ?? defaultOf(declaration))
  }
  return values
}

function defaultOf(declaration: ParamDeclaration): unknown {
  const { type, default: text } = declaration
  return type === 'format' && text !== undefined ? () => String(text) : text
}

/** RPC methods by their whole name. */
export function rpcOf(plugins: readonly RunningPlugin[]): Map<string, RpcHandler> {
  const methods = new Map<string, RpcHandler>()
  for (const { instance } of plugins) {
    for (const [name, handler] of Object.entries(instance.rpc ?? {})) methods.set(name, handler)
  }
  return methods
}
