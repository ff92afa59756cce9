import { workerData } from 'node:worker_threads'
import { MethodTable } from '../control/methods.ts'
import { routerMethods } from '../control/router-methods.ts'
import { answerTunnel } from '../control/tunnel.ts'
import { systemClock } from '../runtime/clock.ts'
import { KeyedDigest } from '../runtime/keyed-digest.ts'
import { createPinoLog } from '../runtime/pino-log.ts'
import { systemRandom } from '../runtime/random.ts'
import { controlEndpointsOf } from '../script/engine.ts'
import { acceptScript, ScriptRejected, type Server, socketsOf, startServer } from '../server.ts'
import type { Durability } from '../store/durability.ts'
import { openStore } from '../store/open-store.ts'
import { regionStore } from '../store/region-store.ts'
import type { Store } from '../store/table.ts'
import type { ListenRequest } from '../transport/socket.ts'
import { createSystemNetwork } from '../transport/system-network.ts'
import type { FromThread, ThreadStart, ToThread } from '../worker/messages.ts'
import { sharedRegions } from '../worker/regions.ts'
import { SharedLink } from '../worker/shared-link.ts'
import { describe } from './describe.ts'
import { durabilityWished, levelOf, transactionsThatFit } from './settings.ts'
import { keepRunning } from './stray-errors.ts'
import type { ThreadSettings } from './workers.ts'

/** A worker thread: one server, told by the main thread when to go on (worker/supervisor.ts). */
const start = workerData as ThreadStart<ThreadSettings>
const { index, control, settings } = start
const clock = systemClock(start.clockOrigin)
const regions = sharedRegions(start.regions, index)
const level = levelOf(settings.debug)
const log = createPinoLog({ level, pretty: settings.pretty }).child({ worker: index })
const notices = createPinoLog({ level: 'info', pretty: settings.pretty }).child({ worker: index })

let server: Server | null = null
let bindTo: (listen: readonly ListenRequest[]) => void = () => {}
let opened = () => {}
let serves = () => {}
const toBind = new Promise<readonly ListenRequest[]>((resolve) => {
  bindTo = resolve
})
const mayOpen = new Promise<void>((resolve) => {
  opened = resolve
})
const mayServe = new Promise<void>((resolve) => {
  serves = resolve
})

control.on('message', (message: ToThread) => {
  if (message.kind === 'bind') bindTo(message.listen)
  else if (message.kind === 'open') opened()
  else if (message.kind === 'serve') serves()
  else if (message.kind === 'lost') server?.workerLost(message.worker)
  else if (message.kind === 'regained') server?.workerRegained(message.worker)
  else if (message.kind === 'drain') void drain(message.milliseconds)
  else void close()
})

try {
  const script = {
    script: { path: settings.path },
    ...(settings.define && { defines: settings.define }),
    ...(settings.plugins && { pluginDirectories: settings.plugins }),
    environment: (name: string) => settings.environment[name] ?? null,
  }
  const accepted = await acceptScript(script)
  const network = createSystemNetwork({
    log,
    environment: settings.environment,
    moderationMicroseconds: settings.moderation,
  })
  const asked = await socketsOf(accepted, {
    network,
    log,
    ...(settings.listen && { listen: settings.listen }),
  })
  say({
    kind: 'loaded',
    listen: asked,
    diagnostics: accepted.diagnostics,
    endpoints: controlEndpointsOf(accepted.loaded),
  })
  server = await startServer({
    ...script,
    accepted,
    network,
    clock,
    random: systemRandom(),
    log,
    listen: await toBind,
    store: async () => {
      say({ kind: 'bound' })
      await mayOpen
      return await openOwnStore(durabilityWished(accepted.loaded))
    },
    regions,
    transactionsMax: transactionsThatFit(),
    worker: {
      link: new SharedLink(start.links, index, clock, (error) =>
        notices.error({ err: error }, 'what another worker told met a defect of ours'),
      ),
      secret: start.secret,
      isReplacement: start.isReplacement,
      othersReady: (ready) => {
        say({ kind: 'ready', description: describe(ready) })
        return mayServe
      },
    },
  })
  answerTunnel(start.commands, new MethodTable(routerMethods(server), clock, log))
  // As in Kamailio, -d outdoes the script's debug=.
  if (settings.debug > 0) log.setLevel(level)
  keepRunning(notices)
} catch (error) {
  say({
    kind: 'failed',
    error,
    diagnostics: error instanceof ScriptRejected ? error.diagnostics : null,
  })
}

/** The environment of the directory, which each thread opens; or tables in memory that all share. */
async function openOwnStore(durability: Durability): Promise<Store> {
  const { directory } = settings
  if (directory !== null) return await openStore({ directory, log, clock, durability })
  return regionStore(regions, new KeyedDigest(start.secret).octets('store').subarray(0, 16))
}

function say(message: FromThread): void {
  control.postMessage(message)
}

async function drain(milliseconds: number): Promise<void> {
  await server?.drain(milliseconds)
  say({ kind: 'drained' })
}

/** Ends this thread alone. */
async function close(): Promise<void> {
  await server?.stop(0)
  process.exit(0)
}
