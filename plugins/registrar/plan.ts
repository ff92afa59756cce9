import {
  allMethods,
  type Binding,
  type Change,
  createBinding,
  type FlowState,
  mayReplace,
  type Origin,
  type Trust,
} from '../../src/plugin/index.ts'
import type { MatchingMode } from '../usrloc/exports.ts'
import type { RequestedContact } from './contacts.ts'
import { matches } from './matching.ts'
import { type Refusal, refusals } from './refusal.ts'

/**
 * What a REGISTER does to the bindings of an address-of-record: RFC 3261 §10.3 steps 6 and 7. Pure: bindings
 * and a request give changes or a refusal, and either all changes are made or none.
 */
export interface Registration {
  readonly aor: string
  readonly callId: string
  readonly cseq: number
  readonly userAgent: string
  readonly path: readonly string[]
  readonly received: string
  readonly socket: string
  readonly methods: number
  readonly flags: number
  readonly branchFlags: number
  readonly isDurable: boolean
  /** save() flag 0x04. */
  readonly keepOnlyThis: boolean
  readonly origin: Origin
  readonly trust: Trust
  readonly by: string
  /** A delegate's: the flow of a contact that the policy allowed; its pinhole says whether it can be reached. */
  readonly flowOf: ((contact: string) => FlowState | null) | null
  /** May it remove bindings that another principal of the same origin wrote? */
  readonly mayRemoveOthers: boolean
  /** Most bindings of this origin; 0 for no bound. */
  readonly maxContacts: number
}

/** A contact with the lifetime that it is granted, in seconds; 0 removes it. */
export interface GrantedContact extends RequestedContact {
  readonly granted: number
  readonly methodBits: number | null
}

export interface PlanContext {
  readonly now: number
  readonly matchingMode: MatchingMode
  /** Milliseconds. */
  readonly cseqDelay: number
  newRuid(aor: string): string
}

export type Plan =
  | { readonly kind: 'changes'; readonly changes: readonly Change[]; readonly rc: 1 | 2 | 3 }
  | { readonly kind: 'refused'; readonly refusal: Refusal }
  | { readonly kind: 'full' }

/** `Contact: *` with `Expires: 0`: RFC 3261 §10.3 step 6. */
export function planRemoval(bindings: readonly Binding[], registration: Registration): Plan {
  const own = bindings.filter((binding) => isOurs(binding, registration))
  if (own.some((binding) => isOlder(registration, binding))) {
    return { kind: 'refused', refusal: refusals.oldCSeq }
  }
  return { kind: 'changes', changes: own.map((before) => ({ before, after: null })), rc: 3 }
}

export function planRegistration(
  bindings: readonly Binding[],
  contacts: readonly GrantedContact[],
  registration: Registration,
  context: PlanContext,
): Plan {
  const changes = new Map<Binding | string, Change>()
  const touched = new Set<Binding>()
  let rc: 1 | 2 | 3 = 1
  for (const contact of contacts) {
    const existing = findBinding(bindings, contact, registration, context.matchingMode)
    const verdict = existing === null ? 'newer' : orderOf(registration, existing, context)
    if (verdict === 'older') return { kind: 'refused', refusal: refusals.oldCSeq }
    if (existing !== null) touched.add(existing)
    if (
      verdict === 'retransmission' ||
      (existing !== null && !mayReplace(registration.origin, existing.origin))
    ) {
      continue
    }
    if (contact.granted === 0) {
      if (existing === null || !isOurs(existing, registration)) continue
      changes.set(existing, { before: existing, after: null })
      rc = 3
      continue
    }
    const after = boundContact(contact, registration, existing, context)
    // By Call-ID alone, of several contacts of one REGISTER the last one stays.
    const key = context.matchingMode === 3 && contact.instance === '' ? registration.callId : after.contact
    changes.set(existing ?? key, { before: existing, after })
    touched.add(after)
    if (existing !== null) rc = 2
  }
  for (const binding of bindings) {
    if (touched.has(binding) || !isOurs(binding, registration)) continue
    if (registration.keepOnlyThis || isFormerLife(binding, contacts, registration)) {
      changes.set(binding, { before: binding, after: null })
    }
  }
  const list = [...changes.values()]
  if (exceeds(bindings, list, registration)) return { kind: 'full' }
  return { kind: 'changes', changes: list.map((change) => onFlow(change, registration)), rc }
}

/** Last of all: a flow that is opened for a binding that is then refused would never be closed. */
function onFlow(change: Change, { flowOf }: Registration): Change {
  if (flowOf === null || change.after === null) return change
  return { before: change.before, after: { ...change.after, flow: flowOf(change.after.contact) } }
}

function findBinding(
  bindings: readonly Binding[],
  contact: GrantedContact,
  registration: Registration,
  mode: MatchingMode,
): Binding | null {
  const key = { ...contact, callId: registration.callId, path: registration.path }
  for (const binding of bindings) {
    const isRival = binding.origin === registration.origin || !mayReplace(registration.origin, binding.origin)
    if (isRival && matches(binding, key, mode)) return binding
  }
  return null
}

/**
 * RFC 3261 §10.3 step 7: the order of requests of one Call-ID. The same CSeq again, soon, is a retransmission
 * that the transaction layer no longer knew: answered, without effect (Kamailio: cseq_delay).
 */
function orderOf(
  registration: Registration,
  binding: Binding,
  { now, cseqDelay }: PlanContext,
): 'newer' | 'older' | 'retransmission' {
  if (binding.callId !== registration.callId || registration.cseq > binding.cseq) return 'newer'
  const isSame = registration.cseq === binding.cseq
  return isSame && now - binding.modifiedAt <= cseqDelay ? 'retransmission' : 'older'
}

function isOlder(registration: Registration, binding: Binding): boolean {
  return binding.callId === registration.callId && registration.cseq < binding.cseq
}

/** May this request remove that binding? A lower origin never does; a delegate only what it wrote itself. */
function isOurs(binding: Binding, registration: Registration): boolean {
  if (!mayReplace(registration.origin, binding.origin)) return false
  if (registration.origin !== 'delegated' || registration.mayRemoveOthers) return true
  return binding.origin === 'delegated' && binding.by === registration.by
}

/** A device that started anew: same instance without reg-id, other Call-ID (RFC 5626 §4.1). */
function isFormerLife(
  binding: Binding,
  contacts: readonly GrantedContact[],
  registration: Registration,
): boolean {
  if (binding.instance === '' || binding.callId === registration.callId) return false
  return contacts.some(({ instance, regId }) => regId === 0 && instance === binding.instance)
}

function boundContact(
  contact: GrantedContact,
  registration: Registration,
  existing: Binding | null,
  { now, newRuid }: PlanContext,
): Binding {
  return createBinding({
    aor: registration.aor,
    ruid: existing?.ruid ?? newRuid(registration.aor),
    contact: contact.uri,
    origin: registration.origin,
    trust: registration.trust,
    by: registration.by,
    received: registration.received,
    path: registration.path,
    socket: registration.socket,
    q: contact.q,
    callId: registration.callId,
    cseq: registration.cseq,
    userAgent: registration.userAgent,
    methods: contact.methodBits ?? (registration.methods || allMethods),
    instance: contact.instance,
    regId: contact.regId,
    flags: registration.flags,
    branchFlags: registration.branchFlags,
    expiresAt: now + contact.granted * 1000,
    modifiedAt: now,
    isDurable: registration.isDurable,
    flow: null,
  })
}

/** Only the bindings of this origin count: what was learned never uses up what may be registered. */
function exceeds(
  bindings: readonly Binding[],
  changes: readonly Change[],
  registration: Registration,
): boolean {
  if (registration.maxContacts <= 0) return false
  let count = 0
  let isGrowing = false
  for (const binding of bindings) if (binding.origin === registration.origin) count++
  for (const { before, after } of changes) {
    if (before !== null && before.origin === registration.origin && after === null) count--
    if (before === null && after !== null) {
      count++
      isGrowing = true
    }
  }
  return isGrowing && count > registration.maxContacts
}
