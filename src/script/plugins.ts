import type { ParamDeclaration } from '../../grammar/declarations.ts'
import type { ModuleParameter } from '../../grammar/program.ts'
import type { PluginHost } from '../plugin/host.ts'
import type { LoadedPlugin } from '../plugin/load.ts'
import type { ControlEndpoint, PluginDefinition, PluginInstance, UnservedEndpoint } from '../plugin/plugin.ts'
import { instanceProblems } from '../plugin/validate.ts'
import type { LoadedScript, RpcHandler } from './engine.ts'

/** A plugin that was set up. */
export interface RunningPlugin {
  /** As the script calls it. */
  readonly name: string
  readonly definition: PluginDefinition
  readonly instance: PluginInstance<unknown, unknown, unknown>
}

/** Those that others need come first; otherwise the order of the script. A ring is set up as it stands. */
export function inOrderOfNeed(plugins: readonly LoadedPlugin[]): LoadedPlugin[] {
  const byName = new Map(plugins.map((plugin) => [plugin.definition.name, plugin]))
  const ordered = new Set<LoadedPlugin>()
  const visiting = new Set<LoadedPlugin>()
  const visit = (plugin: LoadedPlugin) => {
    if (visiting.has(plugin)) return
    visiting.add(plugin)
    const { uses = [], usesIfLoaded = [] } = plugin.definition
    for (const name of [...uses, ...usesIfLoaded]) {
      const needed = byName.get(name)
      if (needed) visit(needed)
    }
    ordered.add(plugin)
  }
  for (const plugin of plugins) visit(plugin)
  return [...ordered]
}

/** @throws Error that names the plugin and says what went wrong. */
export async function setUpPlugin(
  { definition, request: { name } }: LoadedPlugin,
  host: PluginHost,
  parameters: readonly ModuleParameter[],
): Promise<RunningPlugin> {
  let instance: PluginInstance<unknown, unknown, unknown> = {}
  try {
    const params = parameterValues(name, definition, parameters)
    if (definition.setup) instance = (await definition.setup(host, params as never)) as typeof instance
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error)
    throw new Error(`module ${name} could not be set up: ${text}`, { cause: error })
  }
  const problems = instanceProblems(definition, instance)
  if (problems.length > 0) {
    throw new Error(`module ${name} does not do what it declares: ${problems.join('; ')}`)
  }
  return { name, definition, instance }
}

/** As ParamValues says: the script's value, all of them for a repeatable one, else the default. */
function parameterValues(
  module: string,
  definition: PluginDefinition,
  parameters: readonly ModuleParameter[],
): Record<string, unknown> {
  const values: Record<string, unknown> = {}
  for (const [name, declaration] of Object.entries(definition.params ?? {})) {
    const given = parameters
      .filter((parameter) => parameter.module === module && parameter.name === name)
      .map((parameter) => parameter.value)
    values[name] = declaration.repeatable === true ? given : (given.at(-1) ?? defaultOf(declaration))
  }
  return values
}

function defaultOf(declaration: ParamDeclaration): unknown {
  const { type, default: text } = declaration
  return type === 'format' && text !== undefined ? () => String(text) : text
}

/** Where the modules of a script want commands to be served. */
export function controlEndpointsOf({
  plugins,
  program,
}: LoadedScript): (ControlEndpoint | UnservedEndpoint)[] {
  return plugins.flatMap(({ definition, request: { name } }) => {
    const params = parameterValues(name, definition, program.parameters)
    return [...(definition.control?.(params as never) ?? [])]
  })
}

/** RPC methods by their whole name. */
export function rpcOf(plugins: readonly RunningPlugin[]): Map<string, RpcHandler> {
  const methods = new Map<string, RpcHandler>()
  for (const { instance } of plugins) {
    for (const [name, handler] of Object.entries(instance.rpc ?? {})) methods.set(name, handler)
  }
  return methods
}
