import type { RouteFunction } from '../../grammar/program.ts'
import type { Branch, ProxyHandlers, ResponseContext } from '../proxy/proxy.ts'
import { createTarget, type Target } from '../proxy/target.ts'
import type { EditList } from '../sip/edit.ts'
import type { SipMessage } from '../sip/message.ts'
import type { Flow } from '../transport/socket.ts'
import { execute } from './execute.ts'
import { ScriptRun } from './route-context.ts'
import { endRequest } from './run.ts'
import { ScriptScope } from './scope.ts'
import type { Surroundings } from './surroundings.ts'

/**
 * The routes that a transaction runs. Each runs in the version of the script that its request began with, with the
 * request's scope: message flags and AVPs are the transaction's.
 *
 *   branch_route     drop keeps the branch back; anything else sends it
 *   onreply_route    drop discards a provisional response; a final one goes on whatever the script says
 *   failure_route    exit, drop and falling off the end are the same: the winner goes upstream, unless the route
 *                    relayed anew or answered
 *   onsend_route     drop keeps the datagram back
 */
export function createHandlers(surroundings: Surroundings): ProxyHandlers {
  return {
    onBranch: (context, index, target, edits) => runBranch(surroundings, context, index, target, edits),
    onReply: (context, branch, response, flow, edits) =>
      runReplyRoute(surroundings, context, branch, response, flow, edits),
    onFailure: (context, route) => runFailure(surroundings, context, route),
    onBranchFailure: (context, route, branch) => runBranchFailure(surroundings, context, route, branch),
    onContinue: (context, route) => runContinued(surroundings, context, route),
    onSend: (request, text, flow) => runOnsend(surroundings, request, text, flow),
  }
}

function scopeOf(surroundings: Surroundings, context: ResponseContext): ScriptScope {
  return context.scope instanceof ScriptScope ? context.scope : new ScriptScope(surroundings.version)
}

/** Null if the route is gone: another version of the script armed it by another name. */
function routeOf(
  scope: ScriptScope,
  kind: 'branch' | 'reply' | 'failure' | 'event' | 'request',
  name: string,
) {
  return scope.version.linked.route(kind, name)
}

function runBranch(
  surroundings: Surroundings,
  context: ResponseContext,
  index: number,
  target: Target,
  edits: EditList,
): boolean | Promise<boolean> {
  const { branchRoute } = context
  if (branchRoute === null) return true
  const scope = scopeOf(surroundings, context)
  const route = routeOf(scope, 'branch', branchRoute)
  if (route === undefined) return true
  const run = new ScriptRun(surroundings, 'branch', branchRoute, context.request, context.flow, scope, target)
  run.edits = edits
  run.transaction = context
  run.forceRport = context.forceRport
  run.branch = { ...noBranch, index, target }
  return decide(run, route, sendsBranch)
}

function sendsBranch(run: ScriptRun): boolean {
  return run.ended !== 2 && !run.hasFailed && !run.isAbandoned
}

const noBranch: Omit<Branch, 'index' | 'target'> = {
  client: null,
  status: 0,
  response: null,
  isFinal: false,
  isTimeout: false,
  wasReplied: false,
}

function runReplyRoute(
  surroundings: Surroundings,
  context: ResponseContext,
  branch: Branch,
  response: SipMessage,
  flow: Flow,
  edits: EditList,
): boolean | Promise<boolean> {
  const { replyRoute } = context
  if (replyRoute === null) return true
  const scope = scopeOf(surroundings, context)
  const route = routeOf(scope, 'reply', replyRoute)
  if (route === undefined) return true
  const run = new ScriptRun(surroundings, 'reply', replyRoute, response, flow, scope, branch.target)
  run.edits = edits
  run.transaction = context
  run.branch = branch
  return decide(run, route, passesReply)
}

function passesReply(run: ScriptRun): boolean {
  if (run.branch !== null && run.replyStatus !== null) run.branch.replyStatus = run.replyStatus
  return run.ended !== 2 || run.message.statusCode >= 200
}

function runFailure(
  surroundings: Surroundings,
  context: ResponseContext,
  name: string,
): void | Promise<void> {
  const scope = scopeOf(surroundings, context)
  const route = routeOf(scope, 'failure', name)
  if (route === undefined) return
  const run = new ScriptRun(
    surroundings,
    'failure',
    name,
    context.request,
    context.flow,
    scope,
    firstTarget(context),
  )
  inherit(run, context)
  const done = execute(run, route)
  if (done instanceof Promise) return done.then(() => run.promisedReply ?? undefined)
  // An answer that waits for the store replaces the winner as one that left at once would have.
  return run.promisedReply ?? undefined
}

/** The Request-URI as it was relayed first: what serial legs did to it later does not show (measured). */
function firstTarget(context: ResponseContext): Target {
  const { firstTarget: first, request } = context
  return first === null ? createTarget(request.requestUri) : { ...first }
}

/** A later leg starts from the request as request_route left it. */
function inherit(run: ScriptRun, context: ResponseContext): void {
  run.transaction = context
  run.forceRport = context.forceRport
  if (context.edits !== null) run.edits = context.edits.clone()
}

/** event_route[tm:branch-failure:NAME]: it may add branches by append_branch() and t_relay(). */
function runBranchFailure(
  surroundings: Surroundings,
  context: ResponseContext,
  name: string,
  branch: Branch,
): void | Promise<void> {
  const scope = scopeOf(surroundings, context)
  const whole = `tm:branch-failure:${name}`
  const route = routeOf(scope, 'event', whole)
  if (route === undefined) return
  const target = { ...branch.target }
  const run = new ScriptRun(surroundings, 'event', whole, context.request, context.flow, scope, target)
  inherit(run, context)
  run.branch = branch
  return execute(run, route)
}

function runContinued(
  surroundings: Surroundings,
  context: ResponseContext,
  name: string,
): void | Promise<void> {
  const scope = scopeOf(surroundings, context)
  const route = routeOf(scope, 'request', name)
  if (route === undefined) {
    context.finishScript()
    return
  }
  const run = new ScriptRun(
    surroundings,
    'request',
    name,
    context.request,
    context.flow,
    scope,
    firstTarget(context),
  )
  inherit(run, context)
  goOnFrom(run, scope)
  const waiting = execute(run, route)
  if (waiting !== undefined) return waiting.then(() => endRequest(run))
  endRequest(run)
}

/** What the script had made of the request before it suspended it. */
function goOnFrom(run: ScriptRun, { suspendedRun }: ScriptScope): void {
  if (suspendedRun === null) return
  run.message = suspendedRun.message
  run.edits = suspendedRun.edits
  run.target = suspendedRun.target
  run.branches = suspendedRun.branches
  run.requestUriChanged = suspendedRun.requestUriChanged
  run.replyHeaders = suspendedRun.replyHeaders
  run.replyBody = suspendedRun.replyBody
}

function runOnsend(surroundings: Surroundings, request: SipMessage, text: string, flow: Flow): boolean {
  const { onsend } = surroundings.version
  if (onsend === undefined) return true
  const run = new ScriptRun(surroundings, 'onsend', '', request, flow, new ScriptScope(surroundings.version))
  run.sending = { text, socket: flow.socket, address: flow.address, port: flow.port }
  const waiting = execute(run, onsend)
  // A datagram cannot wait: it leaves, whatever the route decides later.
  return waiting !== undefined || run.ended !== 2
}

function decide(
  run: ScriptRun,
  route: RouteFunction,
  verdict: (run: ScriptRun) => boolean,
): boolean | Promise<boolean> {
  const waiting = execute(run, route)
  return waiting === undefined ? verdict(run) : waiting.then(() => verdict(run))
}
