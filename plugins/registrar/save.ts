import {
  aorOfUri,
  type Binding,
  type Change,
  canonicalAor,
  type EditList,
  flat,
  HeaderId,
  inOrder,
  type Location,
  mayReplace,
  type PluginHost,
  parseUri,
  type RouteContext,
  type SipMessage,
  unescapeUser,
} from '../../src/plugin/index.ts'
import type { UsrlocExports } from '../usrloc/exports.ts'
import { contactLine, plainContactLine } from './contact-header.ts'
import {
  methodBits,
  type RequestedContact,
  type RequestedContacts,
  readContacts,
  readExpiresHeader,
  readPlainContact,
} from './contacts.ts'
import { type Delegation, delegationOf } from './delegation.ts'
import { lifetimeOf, type Terms } from './expires.ts'
import { hasOption, readExtensions } from './extensions.ts'
import {
  firstBinding,
  type GrantedContact,
  type Plan,
  type PlanContext,
  planRegistration,
  planRemoval,
  type Registration,
  refreshedBinding,
} from './plan.ts'
import { type Refusal, refusals, retryAfterLine } from './refusal.ts'
import type { RegistrarSettings } from './settings.ts'

/**
 * save(): RFC 3261 §10.3 for whatever request the script calls it on (Kamailio looks at no method either). The
 * 200 leaves when the store has the bindings; if the store refuses, 503 leaves instead, and nothing has changed.
 */
const saveFlags = {
  memoryOnly: 0x01,
  noReply: 0x02,
  keepOnlyThis: 0x04,
  exactExpires: 0x08,
  prepareReply: 0x10,
} as const

/** What save() did not send and reg_send_reply() sends. */
export interface PreparedReply {
  statusCode: number
  reason: string
  headers: string
  ready: Promise<void> | null
}

export const preparedNote = 'registrar.reply'

export interface Registrar {
  readonly host: PluginHost
  readonly usrloc: UsrlocExports
  readonly settings: RegistrarSettings
  readonly planning: PlanContext
  onAccepted(rc: number): void
  onRefused(refusal: Refusal): void
}

export function save(
  registrar: Registrar,
  context: RouteContext,
  location: Location,
  flags: number,
  uri: string | undefined,
): number {
  const result = register(registrar, context, location, flags, uri)
  if ('statusCode' in result) {
    registrar.onRefused(result)
    context.explain('save refused', `${result.statusCode}: ${result.error}`)
    return answerRefusal(registrar, context, location, flags, result)
  }
  registrar.onAccepted(result.rc)
  answer(registrar, context, flags, {
    statusCode: 200,
    reason: 'OK',
    headers: result.headers,
    ready: result.ready,
  })
  return result.rc
}

interface Accepted {
  readonly rc: 1 | 2 | 3 | 4
  readonly headers: string
  /** Null: nothing to wait for. */
  readonly ready: Promise<void> | null
}

function register(
  registrar: Registrar,
  context: RouteContext,
  location: Location,
  flags: number,
  uri: string | undefined,
): Accepted | Refusal {
  const { settings } = registrar
  const { message } = context
  const aor = aorOf(context, uri, settings)
  if (aor === null) return refusals.badAor
  const delegation = delegationOf(context)
  if (delegation !== undefined && delegation.aor !== aor) {
    return refusals.notAllowed('The delegation is for another address-of-record')
  }
  if (delegation === undefined) {
    const accepted = registerPlain(registrar, context, location, flags, aor)
    if (accepted !== null) return accepted
  }
  // What a third party may write was judged by what it sent; a correction would put its own source there.
  const edits = delegation === undefined ? editsOf(context) : null
  const requested = readContacts(message, edits, settings.contactLengthMax)
  if (requested.kind === 'refused') return requested.refusal
  const extensions = readExtensions(message, wantsRegId(requested), settings)
  if ('statusCode' in extensions) return extensions
  const now = registrar.host.clock.now()
  const existing = location.of(aor, now)
  if (requested.kind === 'none') {
    return {
      rc: 4,
      headers: currentContacts(registrar, context, existing, uri, now) + extensions.headers,
      ready: null,
    }
  }
  const registration = registrationOf(registrar, context, now, flags, aor, extensions.path, delegation)
  if ('statusCode' in registration) return registration
  const plan =
    requested.kind === 'star'
      ? starPlan(context, existing, registration)
      : listPlan(registrar, context, flags, existing, requested.contacts, registration, delegation)
  if (plan.kind === 'refused') return plan.refusal
  if (plan.kind === 'full') return refusals.tooManyBindings(retryAfter(registrar))
  if (!location.hasRoomFor(plan.changes.length)) return refusals.tableFull(retryAfter(registrar))
  const ready = plan.changes.length === 0 ? null : location.apply(plan.changes)
  rememberChanged(context, settings, plan)
  if (registrar.host.log.enabled('debug')) {
    context.explain('save', `${aor}: ${plan.changes.length} bindings changed (${registration.origin})`)
  }
  const current = afterwards(existing, plan.changes) ?? location.of(aor, now)
  return {
    rc: plan.rc,
    headers: currentContacts(registrar, context, current, uri, now) + extensions.headers,
    ready,
  }
}

/**
 * What nearly every REGISTER is: one contact without much around it, which refreshes the one binding that there is, or
 * is the first. Asked first: 1.8 us of a refresh, where the general way takes 4.9. Null for anything else, whatever it
 * is: then nothing has happened. Both ways do the same (test/property/registration.test.ts).
 */
function registerPlain(
  registrar: Registrar,
  context: RouteContext,
  location: Location,
  flags: number,
  aor: string,
): Accepted | null {
  const { settings, host, planning } = registrar
  // By Call-ID alone, or by it too: another one would be another binding.
  if (settings.matchingMode === 1 || settings.matchingMode === 3 || settings.xavpRcd !== '') return null
  const { message } = context
  const contact = readPlainContact(message, editsOf(context), settings.contactLengthMax)
  if (contact === null) return null
  const extensions = readExtensions(message, false, settings)
  if ('statusCode' in extensions) return null
  const now = host.clock.now()
  const registration = registrationOf(registrar, context, now, flags, aor, extensions.path, undefined)
  if ('statusCode' in registration) return null
  const seconds = lifetimeOf(contact.expires, termsOf(registrar, context, flags), settings)
  if (seconds <= 0) return null
  const granted = { contact, seconds, q: settings.defaultQ }
  const after = refreshedBinding(granted, registration)
  const outcome = location.refresh(after, now)
  // What is refreshed was looked at when it was bound.
  if (outcome === 'other' || (outcome === 'absent' && parseUri(contact.uri) === null)) return null
  const ready = outcome === 'absent' ? location.apply([firstBinding(granted, registration, planning)]) : null
  if (host.log.enabled('debug')) context.explain('save', `${aor}: 1 bindings changed (registered)`)
  return {
    rc: outcome === 'absent' ? 1 : 2,
    headers: plainContactLine(after, now, settings.receivedParam) + extensions.headers,
    ready,
  }
}

function editsOf(context: RouteContext): EditList | null {
  return context.hasEdits === false ? null : context.edits
}

function termsOf({ host, settings }: Registrar, context: RouteContext, flags: number): Terms {
  return {
    header: readExpiresHeader(context.message),
    override: xavpNumber(context, settings.xavpCfg, 'expires'),
    random: (flags & saveFlags.exactExpires) === 0 ? host.random : null,
  }
}

/** What is registered: what the script names, or what To does. */
function aorOf(context: RouteContext, uri: string | undefined, settings: RegistrarSettings): string | null {
  if (uri !== undefined && uri !== '') return canonicalAor(uri, settings.aorRules)
  return context.toUri === undefined
    ? canonicalAor(context.message.to?.uri ?? '', settings.aorRules)
    : aorOfUri(context.toUri, settings.aorRules)
}

function wantsRegId(requested: RequestedContacts): boolean {
  if (requested.kind !== 'list') return false
  for (const { regId, instance } of requested.contacts) if (regId > 0 && instance !== '') return true
  return false
}

/** What there is after the changes, if it can be told without another look: what one device's one contact does. */
function afterwards(existing: readonly Binding[], changes: readonly Change[]): readonly Binding[] | null {
  const [change] = changes
  if (change === undefined) return existing
  if (changes.length > 1 || existing.length > 1 || change.after === null) return null
  return existing.length === 0 || existing[0] === change.before ? [change.after] : null
}

function starPlan(context: RouteContext, existing: readonly Binding[], registration: Registration): Plan {
  return readExpiresHeader(context.message) === 0
    ? planRemoval(existing, registration)
    : { kind: 'refused', refusal: refusals.starWithExpires }
}

function listPlan(
  registrar: Registrar,
  context: RouteContext,
  flags: number,
  existing: readonly Binding[],
  contacts: readonly RequestedContact[],
  registration: Registration,
  delegation: Delegation | undefined,
): Plan {
  const { settings, planning } = registrar
  const terms = termsOf(registrar, context, flags)
  const granted: GrantedContact[] = []
  for (const contact of contacts) {
    const seconds = lifetimeOf(contact.expires, terms, settings)
    if (seconds < 0) return { kind: 'refused', refusal: refusals.tooBrief(settings.minExpires) }
    granted.push({
      contact,
      seconds: delegation === undefined ? seconds : Math.min(seconds, delegation.expiresSecondsMax),
      q: contact.q < 0 ? settings.defaultQ : contact.q,
    })
  }
  return planRegistration(existing, granted, registration, planning)
}

function registrationOf(
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
    flowOf: delegation === undefined ? null : (contact) => delegation.flowOf(contact),
    mayRemoveOthers: delegation?.mayRemove ?? true,
    maxContacts:
      delegation?.bindingsMax ??
      xavpNumber(context, settings.xavpCfg, 'max_contacts') ??
      settings.maxContacts,
  }
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

function xavpNumber(context: RouteContext, root: string, key: string): number | null {
  if (root === '') return null
  const value = context.scope.xavps.get(root, 0, key, 0)
  return typeof value === 'number' ? value : null
}

/** xavp_rcd: `$xavp(name=>ruid)`, `contact`, `expires` of each binding that was written. */
function rememberChanged(
  context: RouteContext,
  settings: RegistrarSettings,
  plan: Plan & { kind: 'changes' },
): void {
  if (settings.xavpRcd === '') return
  const { xavps } = context.scope
  for (const { after } of plan.changes) {
    if (after === null) continue
    xavps.set(settings.xavpRcd, null, 'ruid', after.ruid)
    xavps.set(settings.xavpRcd, 0, 'contact', after.contact)
    xavps.set(settings.xavpRcd, 0, 'expires', Math.round((after.expiresAt - after.modifiedAt) / 1000))
    if (after.received !== '') xavps.set(settings.xavpRcd, 0, 'received', after.received)
  }
}

/** Bindings that were learned are not shown: nobody registered them, and the client could not tell them apart. */
function currentContacts(
  { settings }: Registrar,
  context: RouteContext,
  bindings: readonly Binding[],
  aorUri: string | undefined,
  now: number,
): string {
  const shown = inOrder(shownOf(bindings), settings.newestFirst)
  const { receivedParam } = settings
  if (!settings.gruuEnabled || !hasOption(context.message, HeaderId.supported, 'gruu')) {
    return contactLine(shown, { now, receivedParam, gruuOf: '', gruuHost: '' })
  }
  const uriText = aorUri || (context.message.to?.uri ?? '')
  const uri = parseUri(uriText)
  return contactLine(shown, {
    now,
    receivedParam,
    gruuOf: uri === null ? '' : `${uri.scheme}:${uri.user ?? ''}@${hostOf(uriText)}`,
    gruuHost: uri === null ? '' : hostOf(uriText),
  })
}

function shownOf(bindings: readonly Binding[]): readonly Binding[] {
  for (const { origin } of bindings) {
    if (!mayReplace(origin, 'delegated'))
      return bindings.filter((each) => mayReplace(each.origin, 'delegated'))
  }
  return bindings
}

/** Host and port as they stand in the URI. */
function hostOf(uriText: string): string {
  const afterUser = uriText.slice(Math.max(uriText.indexOf('@'), uriText.indexOf(':')) + 1)
  const end = afterUser.search(/[;?>]/)
  return end < 0 ? afterUser : afterUser.slice(0, end)
}

function answerRefusal(
  registrar: Registrar,
  context: RouteContext,
  location: Location,
  flags: number,
  refusal: Refusal,
): number {
  const aorUri = context.message.to?.uri ?? ''
  const aor = canonicalAor(aorUri, registrar.settings.aorRules)
  const contacts =
    refusal.isOfBindings && aor !== null
      ? currentContacts(registrar, context, location.of(aor), aorUri, registrar.host.clock.now())
      : ''
  const headers = `${contacts}${refusal.headers}P-Registrar-Error: ${refusal.error}\r\n`
  const { statusCode, reason } = refusal
  answer(registrar, context, flags, { statusCode, reason, headers, ready: null })
  return refusal.rc
}

/** With 0x02 the answer waits for reg_send_reply(); with 0x10 too, its headers go into whatever the script answers. */
function answer(registrar: Registrar, context: RouteContext, flags: number, reply: PreparedReply): void {
  if ((flags & saveFlags.noReply) === 0 && context.message.isRequest) {
    sendReply(registrar, context, reply)
    return
  }
  reply.ready?.catch((error) => registrar.host.log.error({ err: error }, 'the store refused a registration'))
  const isPrepared = (flags & saveFlags.prepareReply) !== 0
  if (isPrepared) context.replyHeaders += reply.headers
  context.scope.notes.set(preparedNote, isPrepared ? { ...reply, headers: '' } : reply)
}

export function sendReply(registrar: Registrar, context: RouteContext, reply: PreparedReply): number {
  const { statusCode, reason, headers, ready } = reply
  if (ready === null) return context.reply(statusCode, reason, { headers })
  const outcome = ready.then(
    () => null,
    (error) => {
      registrar.host.log.error({ ...context.logFields(), err: error }, 'the store refused a registration')
      const refusal = refusals.storeRefused(retryAfter(registrar))
      registrar.onRefused(refusal)
      return {
        statusCode: refusal.statusCode,
        reason: refusal.reason,
        headers: `${refusal.headers}P-Registrar-Error: ${refusal.error}\r\n`,
      }
    },
  )
  return context.replyLater(outcome, statusCode, reason, { headers })
}

function retryAfter({ host, settings }: Registrar): string {
  return retryAfterLine(
    settings.retryAfter,
    settings.retryAfter > 10 ? host.random.integer(settings.retryAfter) : 0,
  )
}
