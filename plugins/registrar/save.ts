import {
  aorOfUri,
  type Binding,
  type Change,
  canonicalAor,
  DatabaseError,
  HeaderId,
  inOrder,
  type Location,
  mayReplace,
  Outdated,
  parseUri,
  type RouteContext,
} from '../../src/plugin/index.ts'
import { onceAsked } from '../usrloc/exports.ts'
import { contactLine, plainContactLine } from './contact-header.ts'
import {
  type RequestedContact,
  type RequestedContacts,
  readContacts,
  readExpiresHeader,
  readPlainContact,
} from './contacts.ts'
import { type Delegation, delegationOf } from './delegation.ts'
import { lifetimeOf } from './expires.ts'
import { hasOption, readExtensions } from './extensions.ts'
import {
  firstBinding,
  type GrantedContact,
  type Plan,
  planRegistration,
  planRemoval,
  type Registration,
  refreshedBinding,
} from './plan.ts'
import { type Refusal, refusals, retryAfterLine } from './refusal.ts'
import { type Registrar, saveFlags } from './registrar.ts'
import { editsOf, registrationOf, termsOf } from './registration.ts'
import type { RegistrarSettings } from './settings.ts'

/**
 * save(): RFC 3261 §10.3 for whatever request the script calls it on (Kamailio looks at no method either). The
 * 200 leaves when the store has the bindings; if the store refuses, 503 leaves instead, and nothing has changed.
 *
 * Hot: registerPlain() is what nearly every request needs, register() is everything.
 */

/** What save() did not send and reg_send_reply() sends. */
export interface PreparedReply {
  statusCode: number
  reason: string
  headers: string
  ready: Promise<void> | null
}

export const preparedNote = 'registrar.reply'

/** Where edges share the table, what the others have of the address-of-record is found out first. */
export function save(
  registrar: Registrar,
  context: RouteContext,
  location: Location,
  flags: number,
  uri: string | undefined,
): number | Promise<number> {
  if (!location.isShared) return saveNow(registrar, context, location, flags, uri, true)
  const aor = aorOf(context, uri, registrar.settings)
  const asked = aor === null ? null : location.fetch(aor)
  return onceAsked(asked, (isKnown) => saveNow(registrar, context, location, flags, uri, isKnown))
}

function saveNow(
  registrar: Registrar,
  context: RouteContext,
  location: Location,
  flags: number,
  uri: string | undefined,
  isKnown: boolean,
): number {
  const result = registerOrRefuse(registrar, context, location, flags, uri, isKnown)
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

/** A database that is asked each time (db_mode 3) may not answer. */
function registerOrRefuse(
  registrar: Registrar,
  context: RouteContext,
  location: Location,
  flags: number,
  uri: string | undefined,
  isKnown: boolean,
): Accepted | Refusal {
  try {
    return register(registrar, context, location, flags, uri, isKnown)
  } catch (error) {
    if (!(error instanceof DatabaseError)) throw error
    return refusals.storeRefused(retryAfter(registrar))
  }
}

function register(
  registrar: Registrar,
  context: RouteContext,
  location: Location,
  flags: number,
  uri: string | undefined,
  isKnown: boolean,
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
  const growth = growthOf(plan.changes)
  if (growth > 0 && !location.hasRoomFor(growth)) return refusals.tableFull(retryAfter(registrar))
  const ready = plan.changes.length === 0 ? null : location.apply(plan.changes, isKnown)
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
  if (location.isDurable || location.isShared || settings.xavpRcd !== '') return null
  // By Call-ID alone, or by it too: another one would be another binding.
  if (settings.matchingMode === 1 || settings.matchingMode === 3) return null
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

/** A full table still refreshes what it has, and removes it. Other edges' bindings are not in it. */
function growthOf(changes: readonly Change[]): number {
  let growth = 0
  for (const { before, after } of changes) {
    growth += Number(after !== null) - Number(before !== null && before.elsewhere === null)
  }
  return growth
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
  reply.ready?.catch((error) => registrar.host.log.info({ err: error }, whyRefused(error)))
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
      registrar.host.log.info({ ...context.logFields(), err: error }, whyRefused(error))
      const refusal =
        error instanceof Outdated ? refusals.oldCSeq : refusals.storeRefused(retryAfter(registrar))
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

function whyRefused(error: unknown): string {
  return error instanceof Outdated
    ? 'another edge has heard something newer than a registration'
    : 'the store refused a registration'
}

function retryAfter({ host, settings }: Registrar): string {
  return retryAfterLine(
    settings.retryAfter,
    settings.retryAfter > 10 ? host.random.integer(settings.retryAfter) : 0,
  )
}
