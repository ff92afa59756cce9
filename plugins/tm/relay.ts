import {
  copyTarget,
  hostForUri,
  type PluginHost,
  parseUri,
  type RouteContext,
  relayErrors,
  type Target,
} from '../../src/plugin/index.ts'
import { ensureTransaction } from './note.ts'

/**
 * t_relay and its family: RFC 3261 §16.6 from the script's side. Where to is the Request-URI's branch and those that
 * append_branch() or lookup() added; a failure route sends only to what is new. Nothing here waits: a host name is
 * looked up while the script goes on.
 */
export interface RelayOptions {
  /** `sip:host:port` that all targets go to, whatever they say. */
  readonly next?: string
  /** t_relay_to's flags: 1 no 100, 2 no answer of ours on failure, 4 no further addresses. */
  readonly flags?: number
}

/** 1, or Kamailio's negative code of what went wrong. */
export function relay(context: RouteContext, host: PluginHost, options: RelayOptions = {}): number {
  const { next } = options
  if (next !== undefined && parseUri(next) === null) return relayErrors.badUri
  if (context.message.method === 'ACK') return relayAck(context, host, next)
  if (context.kind === 'request' && context.requestUri === null) {
    context.explain('t_relay', 'the Request-URI cannot be read')
    return relayErrors.badRequestUri
  }
  if (context.isReplied) {
    context.explain(
      't_relay',
      'the script has answered this request: its sender must not get a second answer',
    )
    return relayErrors.unspecified
  }
  const transaction = ensureTransaction(context, host)
  if (transaction === null) return relayErrors.unspecified
  transaction.forceRport = context.forceRport || transaction.forceRport
  const flags = options.flags ?? 0
  if (flags & noTrying) transaction.autoInvite100 = false
  if (flags & noFailover) transaction.disableFailover = true
  const result = transaction.relay(targetsOf(context, next), context.message, context.edits)
  if (context.branches.length > 0) context.branches.length = 0
  context.requestUriChanged = false
  if (result > 0) return 1
  if (flags & noErrorReply) transaction.relayError = 0
  context.explain('t_relay', `nothing was sent: ${result}`)
  return result
}

const noTrying = 1
const noErrorReply = 2
const noFailover = 4

/** RFC 3261 §16.11, §17.1.1.3: the ACK to a 2xx is a message of its own, without a transaction. */
function relayAck(context: RouteContext, host: PluginHost, next: string | undefined): number {
  const [target] = targetsOf(context, next)
  if (target === undefined) return relayErrors.unspecified
  const { message, flow, edits, forceRport } = context
  return host.proxy.stateless.forwardRequest(message, flow, target, edits, { forceRport })
}

/** In a failure route the Request-URI counts only if the script changed it there (measured on Kamailio 5.6.3). */
function targetsOf(context: RouteContext, next: string | undefined): Target[] {
  const isNew = context.kind === 'request' || context.requestUriChanged
  const targets = isNew ? [context.target] : []
  for (const branch of context.branches) targets.push(branch)
  return next === undefined ? targets : targets.map((target) => redirected(target, next))
}

function redirected(target: Target, next: string): Target {
  const copy = copyTarget(target)
  copy.destinationUri = next
  copy.flow = null
  return copy
}

/** `host`, `port` of t_relay("host", "port") as a URI. */
export function uriOf(name: string, port: string, transport: string): string {
  const bare = name.startsWith('[') ? name.slice(1, -1) : name
  const portPart = port === '' || port === '0' ? '' : `:${port}`
  return `sip:${hostForUri(bare)}${portPart}${transport === '' ? '' : `;transport=${transport}`}`
}

/** `udp:192.0.2.1:5060`, as t_relay_to() takes it; null if it is none. */
export function uriOfProxy(text: string): string | null {
  const match = /^(?:(udp|tcp|tls|ws|wss):)?(\[[^\]]+\]|[^:[\]]+)(?::(\d{1,5}))?$/i.exec(text)
  if (match === null) return null
  return uriOf(match[2] ?? '', match[3] ?? '', (match[1] ?? '').toLowerCase())
}

/** t_newtran(). */
export function newTransaction(context: RouteContext, host: PluginHost): number {
  if (context.transaction !== null) return alreadyThere
  if (context.requestUri === null && context.message.isRequest) return relayErrors.badRequestUri
  return ensureTransaction(context, host) === null ? -1 : 1
}

/** Kamailio's E_SCRIPT: the script asked twice. */
const alreadyThere = -10

/** t_replicate(): a copy whose answers count for nothing. */
export function replicate(context: RouteContext, host: PluginHost, uri: string): number {
  const transaction = ensureTransaction(context, host)
  if (transaction === null) return -1
  const target = copyTarget(context.target)
  target.destinationUri = uri
  target.flow = null
  return transaction.replicate(target, context.message, context.edits) ? 1 : -1
}

/** t_relay_cancel(): 0 ends the script, the CANCEL is done with; 1: nothing is known about its INVITE, go on. */
export function relayCancel(context: RouteContext, host: PluginHost): number {
  if (context.message.method !== 'CANCEL' || host.proxy.findContext(context.message) === null) return 1
  return relay(context, host) > 0 ? 0 : -1
}

/** t_reuse_branch(): once more to where a failed branch went. */
export function reuseBranch(context: RouteContext): number {
  const { branch, transaction } = context
  if (branch === null || transaction === null) return -1
  return transaction.relay([branch.target], transaction.request, context.edits) > 0 ? 1 : -1
}
