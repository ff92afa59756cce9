import {
  type EditList,
  type FlowState,
  flat,
  HeaderId,
  type PluginHost,
  parseUri,
  type RouteContext,
  type SipMessage,
  unescapeUser,
} from '../../src/plugin/index.ts'
import { methodBits, readExpiresHeader } from './contacts.ts'
import type { Delegation } from './delegation.ts'
import type { Terms } from './expires.ts'
import type { Registration } from './plan.ts'
import { type Refusal, refusals } from './refusal.ts'
import { type Registrar, saveFlags } from './registrar.ts'
import type { RegistrarSettings } from './settings.ts'

/** What a request, its script and the settings say about all contacts of a REGISTER. Hot. */
export function registrationOf(
  { host, settings }: Registrar,
  context: RouteContext,
  now: number,
  flags: number,
  aor: string,
  path: readonly string[],
  delegation: Delegation | undefined,
): Registration | Refusal {
  const { message, scope } = context
  const cseq = message.cseq
  if (cseq === null || message.callId === '') return refusals.noCSeq
  const received = delegation === undefined ? receivedOf(context, settings, path) : ''
  if (received.length > settings.contactLengthMax) return refusals.tooLong
  return {
    now,
    aor,
    callId: message.callId,
    cseq: cseq.number,
    userAgent: message.value(HeaderId.userAgent),
    path,
    received: flat(received),
    socket: delegation === undefined ? socketOf(host, context, settings) : '',
    methods: methodsOf(message),
    flags: 0,
    branchFlags: context.target.flags,
    isDurable: (flags & saveFlags.memoryOnly) === 0,
    keepOnlyThis: (flags & saveFlags.keepOnlyThis) !== 0,
    origin: delegation === undefined ? 'registered' : 'delegated',
    trust: delegation === undefined ? (scope.authenticated === null ? 'script' : 'digest') : 'delegate',
    by: delegation?.principal ?? scope.authenticated?.user ?? '',
    flowOf: delegation === undefined ? null : flowsOf(delegation),
    mayRemoveOthers: delegation?.mayRemove ?? true,
    maxContacts:
      delegation?.bindingsMax ??
      xavpNumber(context, settings.xavpCfg, 'max_contacts') ??
      settings.maxContacts,
  }
}

/** Not where it is used: a closure there would make every registration pay for it. */
function flowsOf(delegation: Delegation): (contact: string) => FlowState | null {
  return (contact) => delegation.flowOf(contact)
}

/** Bits of all methods that Allow names; 0 without the header. */
function methodsOf(request: SipMessage): number {
  const index = request.first(HeaderId.allow)
  if (index < 0) return 0
  let bits = 0
  for (let i = index; i >= 0; i = request.next(i)) bits |= methodBits(request.headerValue(i))
  return bits
}

/** Only what the script had kept: fix_nated_register() in received_avp, or a trusted edge's Path, which escapes it. */
function receivedOf(context: RouteContext, settings: RegistrarSettings, path: readonly string[]): string {
  const avp = settings.receivedAvp?.read(context)
  if (typeof avp === 'string' && avp !== '') return parseUri(avp) === null ? '' : avp
  if (!settings.pathUseReceived || path.length === 0) return ''
  const match = /;received=([^;>?]+)/i.exec(path[path.length - 1] ?? '')
  const inner = match?.[1] === undefined ? '' : unescapeUser(match[1])
  return parseUri(inner) === null ? '' : inner
}

function socketOf(host: PluginHost, context: RouteContext, settings: RegistrarSettings): string {
  const forced = settings.xavpCfg === '' ? null : context.scope.xavps.get(settings.xavpCfg, 0, 'socket', 0)
  if (typeof forced === 'string' && host.sockets.find(forced) !== null) return forced
  if (settings.socketHeader !== '') {
    const index = context.message.find(settings.socketHeader)
    const label = index < 0 ? '' : context.message.headerValue(index)
    if (label !== '' && host.sockets.find(label) !== null) return flat(label)
  }
  return context.flow.socket.label
}

export function xavpNumber(context: RouteContext, root: string, key: string): number | null {
  if (root === '') return null
  const value = context.scope.xavps.get(root, 0, key, 0)
  return typeof value === 'number' ? value : null
}

export function editsOf(context: RouteContext): EditList | null {
  return context.hasEdits === false ? null : context.edits
}

export function termsOf({ host, settings }: Registrar, context: RouteContext, flags: number): Terms {
  return {
    header: readExpiresHeader(context.message),
    override: xavpNumber(context, settings.xavpCfg, 'expires'),
    random: (flags & saveFlags.exactExpires) === 0 ? host.random : null,
  }
}
