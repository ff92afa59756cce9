import { limits } from '../limits.ts'
import type { ScriptHost } from '../plugin/host.ts'
import { createTarget } from '../proxy/target.ts'
import type { SipMessage } from '../sip/message.ts'
import { isFault, scanMessage } from '../sip/scan.ts'
import type { Flow, ListenSocket } from '../transport/socket.ts'
import { execute } from './execute.ts'
import { ScriptRun } from './route-context.ts'
import { ScriptScope } from './scope.ts'
import type { Surroundings } from './surroundings.ts'

/** What plugins may do with the script: run event routes, and ask whether a route exists. */
export function createScriptHost(surroundings: Surroundings): ScriptHost {
  return {
    hasRoute: (kind, name) => surroundings.version.linked.route(kind, name) !== undefined,
    runRoute(context, name) {
      const run = context as ScriptRun
      const route = run.scope.version.linked.route('request', name)
      if (route === undefined) return undefined
      if (run.depth >= limits.routeDepthMax) throw new Error('routes are nested too deeply')
      run.depth += 1
      const rc = route(run)
      if (typeof rc === 'number') {
        run.depth -= 1
        return rc
      }
      return rc.finally(() => {
        run.depth -= 1
      })
    },
    runEvent(name, message, flow, prepare) {
      const { version } = surroundings
      const route = version.linked.route('event', name)
      if (route === undefined) return undefined
      const subject = message ?? madeUpMessage()
      const target = createTarget(subject.requestUri)
      const origin = flow ?? madeUpFlow(surroundings)
      const run = new ScriptRun(
        surroundings,
        'event',
        name,
        subject,
        origin,
        new ScriptScope(version),
        target,
      )
      prepare?.(run)
      const waiting = execute(run, route)
      return waiting === undefined ? resultOf(run) : waiting.then(() => resultOf(run))
    },
  }
}

/** `drop` is 0, whatever went before it. */
function resultOf(run: ScriptRun): number {
  if (run.ended === 2) return 0
  return run.hasFailed || run.isAbandoned ? -1 : run.outcome
}

const madeUpText =
  'OPTIONS sip:you@invalid SIP/2.0\r\n' +
  'Via: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKevent\r\n' +
  'From: <sip:you@invalid>;tag=event\r\n' +
  'To: <sip:you@invalid>\r\n' +
  'Call-ID: event\r\n' +
  'CSeq: 1 OPTIONS\r\n' +
  'Content-Length: 0\r\n\r\n'

let madeUp: SipMessage | null = null

/** Event routes that no message set off see this one. */
function madeUpMessage(): SipMessage {
  if (madeUp !== null) return madeUp
  const scanned = scanMessage(madeUpText)
  if (isFault(scanned)) throw new Error('the made-up message of event routes does not scan')
  madeUp = scanned
  return scanned
}

function madeUpFlow(surroundings: Surroundings): Flow {
  const [socket] = surroundings.services.sockets.sockets
  return { socket: socket ?? nowhere, address: '127.0.0.1', port: 9 }
}

const nowhere: ListenSocket = {
  index: -1,
  name: null,
  transport: 'udp',
  address: '127.0.0.1',
  port: 5060,
  family: 4,
  advertisedAddress: '127.0.0.1',
  advertisedPort: 5060,
  label: 'udp:127.0.0.1:5060',
}
