import type { Diagnostic } from '../../grammar/diagnostics.ts'
import { limits } from '../limits.ts'
import { levelOfDebug } from '../plugin/log-level.ts'
import type { SipMessage } from '../sip/message.ts'
import { PatternCache } from '../text/pattern-cache.ts'
import type { Flow } from '../transport/socket.ts'
import type { Engine, EngineServices, LoadedScript } from './engine.ts'
import { createHandlers } from './handlers.ts'
import { createLinkage } from './linkage.ts'
import { createPluginHost, customGlobalsOf, PluginConnections } from './plugin-host.ts'
import { inOrderOfNeed, type RunningPlugin, rpcOf, setUpPlugin } from './plugins.ts'
import { runReply, runRequest } from './run.ts'
import { RunGate } from './run-gate.ts'
import { createScriptHost } from './script-host.ts'
import { arrivalRoute, noVersion, type Surroundings, scriptVersion } from './surroundings.ts'

/**
 * Sets up the plugins of a script, those that others use first, and links the program.
 *
 * @throws Error that names the plugin whose setup failed; plugins that were set up before it are closed.
 */
export async function createEngine(loaded: LoadedScript, services: EngineServices): Promise<Engine> {
  const surroundings = createSurroundings(loaded, services)
  const connections = new PluginConnections(services, Number(loaded.global('debug')))
  const script = createScriptHost(surroundings)
  applyGlobals(loaded, services)
  const plugins: RunningPlugin[] = []
  try {
    for (const found of inOrderOfNeed(loaded.plugins)) {
      const host = createPluginHost(found.request.name, surroundings, connections, script)
      const plugin = await setUpPlugin(found, host, loaded.program.parameters)
      connections.exports.set(plugin.definition.name, plugin.instance.exports)
      plugins.push(plugin)
    }
    link(surroundings, loaded, plugins)
  } catch (error) {
    await closePlugins(plugins, services)
    connections.close()
    throw error
  }

  return {
    get loaded() {
      return surroundings.loaded
    },
    handlers: createHandlers(surroundings),
    script,
    rpc: rpcOf(plugins),
    onArrival: (message, flow) => onArrival(surroundings, connections, script.runEvent, message, flow),
    onRequest(message, flow) {
      if (connections.takers.length > 0 && connections.takes(message, flow)) return
      runRequest(surroundings, message, flow)
    },
    isKnown: (message, flow) => connections.isKnown(message, flow),
    onReply: (message, flow) => runReply(surroundings, message, flow),
    onSendError(flow, code) {
      connections.tellSendError(flow, code)
      services.transactions.onSendError(flow, code)
    },
    async start() {
      for (const { instance } of plugins) await instance.start?.()
      if (services.workers?.isFirst !== false) await script.runEvent('core:worker-one-init', null, null)
    },
    swap(next) {
      const problems = reasonsAgainst(surroundings.loaded, next)
      if (problems.length === 0) link(surroundings, next, plugins)
      return problems
    },
    get suspendedCount() {
      return surroundings.gate.count
    },
    idle: () => surroundings.gate.idle(),
    async close() {
      connections.close()
      surroundings.gate.close()
      await closePlugins(plugins, services)
    },
  }
}

function createSurroundings(loaded: LoadedScript, services: EngineServices): Surroundings {
  const failures = services.metrics.counter(
    'viaduct_script_failures_total',
    'Runs of a route that something thrown has ended.',
    ['route'],
  )
  return {
    services,
    loaded,
    version: noVersion,
    gate: new RunGate(services.clock),
    patterns: new PatternCache(),
    customGlobals: customGlobalsOf(loaded),
    defines: loaded.program.defines,
    environment: loaded.environment,
    countFailure: (kind) => failures.add(1, kind),
    messageCount: 0,
    startedWall: services.clock.wall(),
  }
}

function link(surroundings: Surroundings, loaded: LoadedScript, plugins: readonly RunningPlugin[]): void {
  const linked = loaded.program.link(createLinkage(loaded, plugins, surroundings))
  surroundings.loaded = loaded
  surroundings.version = scriptVersion(linked, loaded)
}

/** What the script's globals change in the rooms below. */
function applyGlobals(loaded: LoadedScript, services: EngineServices): void {
  const { globals } = loaded.program
  const { settings } = services.proxy
  const branches = Number(loaded.global('max_branches'))
  if (branches >= 1) settings.branchesMax = Math.min(branches, limits.branchesSettableMax)
  if (globals.has('debug')) services.log.setLevel(levelOfDebug(Number(loaded.global('debug'))))
  const server = globals.get('server_header')
  const userAgent = globals.get('user_agent_header')
  if (server !== undefined) settings.serverHeader = String(server).trim()
  if (userAgent !== undefined) settings.userAgentHeader = String(userAgent).trim()
  if (loaded.global('server_signature') === 0) {
    settings.serverHeader = ''
    settings.userAgentHeader = ''
  }
}

function onArrival(
  surroundings: Surroundings,
  connections: PluginConnections,
  runEvent: Engine['script']['runEvent'],
  message: SipMessage | null,
  flow: Flow,
): boolean {
  if (!connections.tellArrival(message, flow)) return false
  if (message === null || !surroundings.version.hasArrivalRoute) return true
  // A route that waits cannot hold a datagram back.
  return runEvent(arrivalRoute, message, flow) !== 0
}

/** Plugins keep what they hold, so the new script must load the same ones with the same parameters. */
function reasonsAgainst(current: LoadedScript, next: LoadedScript): Diagnostic[] {
  const problems: Diagnostic[] = []
  const names = (loaded: LoadedScript) => loaded.plugins.map(({ request }) => request.text).join(' ')
  if (names(current) !== names(next)) {
    problems.push(needsRestart('the new script loads other modules', next))
  }
  const params = (loaded: LoadedScript) =>
    loaded.program.parameters
      .map(({ module, name, value }) => `${module}.${name}=${typeof value === 'object' ? value.text : value}`)
      .join('\n')
  if (params(current) !== params(next)) {
    problems.push(needsRestart('the new script sets other module parameters', next))
  }
  return problems
}

function needsRestart(message: string, next: LoadedScript): Diagnostic {
  const span = next.plugins[0]?.request.span ?? null
  return { severity: 'error', code: 'script/needs-restart', message, span, hint: 'restart the router' }
}

async function closePlugins(plugins: readonly RunningPlugin[], services: EngineServices): Promise<void> {
  for (const { name, instance } of plugins.toReversed()) {
    try {
      await instance.close?.()
    } catch (error) {
      services.log.error({ err: error, module: name }, 'a module did not close')
    }
  }
}
