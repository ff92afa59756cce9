import { createTarget } from '../proxy/target.ts'
import type { SipMessage } from '../sip/message.ts'
import { isFault, scanMessage } from '../sip/scan.ts'
import { writeMessage } from '../sip/write.ts'
import type { Flow } from '../transport/socket.ts'
import { execute } from './execute.ts'
import { ScriptRun } from './route-context.ts'
import { ScriptScope } from './scope.ts'
import type { Surroundings } from './surroundings.ts'

/**
 * Messages and the routes that see them first: request_route and reply_route. How each ends without a word of the
 * script (measured on Kamailio 5.6.3): a request is neither answered nor relayed; a reply goes on to its
 * transaction, unless the script said drop or the route returned 0 or less.
 *
 * Hot.
 */
export function runRequest(surroundings: Surroundings, message: SipMessage, flow: Flow): void {
  const { version, gate, services } = surroundings
  surroundings.messageCount += 1
  if (version.request === undefined) return
  if (version.requestWaits && gate.isFull) {
    services.proxy.stateless.reply(message, flow, 503, 'Service Unavailable', overload)
    return
  }
  const run = new ScriptRun(surroundings, 'request', '', message, flow, new ScriptScope(version))
  const waiting = execute(run, version.request)
  if (waiting === undefined) endRequest(run)
  else void waiting.then(() => endRequest(run))
}

/** A request route that goes on for a transaction that was suspended (tm: t_continue), or an event's. */
export function endRequest(run: ScriptRun): void {
  if (run.outcome < 0) run.explain('request_route', `ended with ${run.outcome}`)
  const { transaction } = run
  if (transaction === null || run.promisedReply !== null) return
  if (transaction.isSuspended) run.scope.suspendedRun = run
  transaction.finishScript()
}

export function runReply(surroundings: Surroundings, message: SipMessage, flow: Flow): void {
  const { version, gate } = surroundings
  surroundings.messageCount += 1
  if (version.coreReply === undefined) {
    passOn(surroundings, message, flow)
    return
  }
  // A flood of responses must not fill the table of suspended runs further.
  if (gate.isFull) return
  const scope = new ScriptScope(version)
  const run = new ScriptRun(surroundings, 'core-reply', '', message, flow, scope, createTarget(''))
  const waiting = execute(run, version.coreReply)
  if (waiting === undefined) endReply(run)
  else void waiting.then(() => endReply(run))
}

function endReply(run: ScriptRun): void {
  if (run.ended === 2) return
  if (run.outcome <= 0 && !run.hasFailed) {
    run.surroundings.services.log.warn(
      run.logFields(),
      `reply_route ended with ${run.outcome}, which discards the reply: end it with return 1 to pass it on`,
    )
    return
  }
  passOn(run.surroundings, withChanges(run), run.flow)
}

/** What reply_route changed is part of the reply that tm sees. */
function withChanges(run: ScriptRun): SipMessage {
  const { message } = run
  if (!run.hasEdits && run.replyStatus === null) return message
  const status = run.replyStatus
  const options = status === null ? {} : { statusLine: `SIP/2.0 ${status.code} ${status.reason}` }
  const scanned = scanMessage(writeMessage(message, run.hasEdits ? run.edits : null, options))
  if (!isFault(scanned)) return scanned
  run.surroundings.services.log.error(
    run.logFields(),
    `what reply_route made is no message: ${scanned.reason}`,
  )
  return message
}

function passOn(surroundings: Surroundings, message: SipMessage, flow: Flow): void {
  const { transactions, proxy } = surroundings.services
  if (!transactions.receiveResponse(message, flow)) proxy.stateless.forwardResponse(message, null)
}

const overload = { headers: 'Retry-After: 5\r\n' } as const
