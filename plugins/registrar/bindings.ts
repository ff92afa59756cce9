import {
  type Binding,
  canonicalAor,
  inOrder,
  isReachable,
  type Location,
  type RouteContext,
} from '../../src/plugin/index.ts'
import { type UlcRecord, ulcNote, ulcRecord } from '../usrloc/exports.ts'
import { sameContact } from './matching.ts'
import type { Registrar } from './registrar.ts'

/** Questions about bindings, and their removal: registered(), unregister(), reg_fetch_contacts(). */

/** Bits of registered()'s third argument: which values of $xavp(<xavp_cfg>=>match_...) a binding must have. */
const matchFlags = { callId: 1, received: 2, contact: 4 } as const

/** RFC 3261 §10: of a REGISTER the To URI is asked about, of anything else the Request-URI. */
export function subjectUri(context: RouteContext): string {
  return context.message.method === 'REGISTER' ? (context.message.to?.uri ?? '') : context.target.uri
}

/** What other edges have of the address-of-record that a URI means: Location.fetch(). Null if there is nobody to ask. */
export function ask({ settings }: Registrar, location: Location, uri: string): Promise<boolean> | null {
  if (!location.isShared) return null
  const aor = canonicalAor(uri, settings.aorRules)
  return aor === null ? null : location.fetch(aor)
}

/** `action` 1: what is found goes to $xavp(<xavp_rcd>). */
export function isRegistered(
  { host, settings }: Registrar,
  context: RouteContext,
  location: Location,
  uri: string,
  match: number,
  action: number,
): boolean {
  const aor = canonicalAor(uri, settings.aorRules)
  if (aor === null) return false
  const now = host.clock.now()
  const wanted = (key: string) =>
    settings.xavpCfg === '' ? null : context.scope.xavps.get(settings.xavpCfg, 0, key, 0)
  const callId = (match & matchFlags.callId) !== 0 ? wanted('match_callid') : null
  const received = (match & matchFlags.received) !== 0 ? wanted('match_received') : null
  const contact = (match & matchFlags.contact) !== 0 ? wanted('match_contact') : null
  for (const binding of location.of(aor)) {
    if (!isReachable(binding, now)) continue
    if (callId !== null && binding.callId !== callId) continue
    if (received !== null && binding.received !== received) continue
    if (contact !== null && !sameContact(binding.contact, String(contact))) continue
    if (action === 1 && settings.xavpRcd !== '') remember(context, settings.xavpRcd, binding, now)
    return true
  }
  return false
}

function remember({ scope: { xavps } }: RouteContext, root: string, binding: Binding, now: number): void {
  xavps.set(root, null, 'ruid', binding.ruid)
  xavps.set(root, 0, 'contact', binding.contact)
  if (Number.isFinite(binding.expiresAt)) {
    xavps.set(root, 0, 'expires', Math.ceil((binding.expiresAt - now) / 1000))
  }
  if (binding.received !== '') xavps.set(root, 0, 'received', binding.received)
}

/** 1, also if there was nothing (measured on Kamailio 5.6.3); -1 for what is no address-of-record; -2: no such ruid. */
export function unregister(
  { host, settings }: Registrar,
  location: Location,
  uri: string,
  ruid: string | undefined,
): number {
  const aor = canonicalAor(uri, settings.aorRules)
  if (ruid !== undefined && ruid !== '') {
    const binding = location.byRuid(ruid) ?? (aor === null ? undefined : othersBinding(location, aor, ruid))
    if (binding === undefined) return -2
    location.applyUnwatched([{ before: binding, after: null }])
    return 1
  }
  if (aor === null) return -1
  const bindings = location.of(aor)
  if (bindings.length > 0) {
    location.applyUnwatched(bindings.map((before) => ({ before, after: null })))
    host.log.debug({ aor, bindings: bindings.length }, 'unregistered by the script')
  }
  return 1
}

function othersBinding(location: Location, aor: string, ruid: string): Binding | undefined {
  return location.isShared ? location.of(aor).find((binding) => binding.ruid === ruid) : undefined
}

export function fetchContacts(
  { host, settings }: Registrar,
  context: RouteContext,
  location: Location,
  uri: string,
  profile: string,
): number {
  const aor = canonicalAor(uri, settings.aorRules)
  const bindings = aor === null ? [] : location.of(aor)
  if (aor === null || bindings.length === 0) {
    profiles(context).delete(profile)
    return -1
  }
  const listed = inOrder(bindings, settings.newestFirst)
  profiles(context).set(profile, ulcRecord(listed, aor, location.name, host.clock))
  return 1
}

export function profiles({ scope: { notes } }: RouteContext): Map<string, UlcRecord> {
  const existing = notes.get(ulcNote)
  if (existing instanceof Map) return existing as Map<string, UlcRecord>
  const created = new Map<string, UlcRecord>()
  notes.set(ulcNote, created)
  return created
}
