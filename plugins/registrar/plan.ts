import {
  allMethods,
  type Binding,
  type Change,
  type FlowState,
  flat,
  mayReplace,
  type Origin,
  type Refreshed,
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
  /** Monotonic milliseconds. */
  readonly now: number
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

/** A contact with the lifetime that it is granted. */
export interface GrantedContact {
  readonly contact: RequestedContact
  /** Seconds; 0 removes it. */
  readonly seconds: number
  /** 0 to 1000, -1 for none: asked for, or the default. */
  readonly q: number
}

export interface PlanContext {
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
  return { kind: 'changes', changes: own.map((before) => removal(before, registration)), rc: 3 }
}

/** Hot. Lists are walked, not indexed: a device has one contact, and what is bound already is few. */
export function planRegistration(
  bindings: readonly Binding[],
  contacts: readonly GrantedContact[],
  registration: Registration,
  context: PlanContext,
): Plan {
  const changes: Change[] = []
  const touched: Binding[] = []
  let rc: 1 | 2 | 3 = 1
  for (const granted of contacts) {
    const existing = findBinding(bindings, granted.contact, registration, context.matchingMode)
    const verdict = existing === null ? 'newer' : orderOf(registration, existing, context)
    if (verdict === 'older') return { kind: 'refused', refusal: refusals.oldCSeq }
    if (existing !== null) touched.push(existing)
    if (
      verdict === 'retransmission' ||
      (existing !== null && !mayReplace(registration.origin, existing.origin))
    ) {
      continue
    }
    if (granted.seconds === 0) {
      if (existing === null || !isOurs(existing, registration)) continue
      put(changes, removal(existing, registration), context.matchingMode)
      rc = 3
      continue
    }
    const after = boundContact(granted, registration, existing, context)
    put(changes, { before: existing, after }, context.matchingMode)
    if (existing !== null) rc = 2
  }
  for (const binding of bindings) {
    if (!registration.keepOnlyThis && !isFormerLife(binding, contacts, registration)) continue
    if (touched.includes(binding) || !isOurs(binding, registration)) continue
    changes.push(removal(binding, registration))
  }
  if (exceeds(bindings, changes, registration)) return { kind: 'full' }
  const { flowOf } = registration
  return {
    kind: 'changes',
    changes: flowOf === null ? changes : changes.map((change) => onFlow(change, flowOf)),
    rc,
  }
}

function removal(before: Binding, { callId, cseq }: Registration): Change {
  return { before, after: null, request: { callId, cseq } }
}

/** Of several contacts of one REGISTER that mean one binding, the last one counts, in the place of the first. */
function put(changes: Change[], change: Change, mode: MatchingMode): void {
  for (let i = 0; i < changes.length; i++) {
    const earlier = changes[i]
    if (earlier === undefined || !meansTheSame(earlier, change, mode)) continue
    changes[i] = change
    return
  }
  changes.push(change)
}

function meansTheSame(a: Change, b: Change, mode: MatchingMode): boolean {
  if (a.before !== null || b.before !== null) return a.before === b.before
  if (a.after === null || b.after === null) return false
  // By Call-ID alone, and all of one REGISTER have the same.
  if (mode === 3 && a.after.instance === '' && b.after.instance === '') return true
  return a.after.contact === b.after.contact
}

/** Last of all: a flow that is opened for a binding that is then refused would never be closed. */
function onFlow(change: Change, flowOf: NonNullable<Registration['flowOf']>): Change {
  if (change.after === null) return change
  return { before: change.before, after: { ...change.after, flow: flowOf(change.after.contact) } }
}

function findBinding(
  bindings: readonly Binding[],
  contact: RequestedContact,
  registration: Registration,
  mode: MatchingMode,
): Binding | null {
  for (const binding of bindings) {
    const isRival = binding.origin === registration.origin || !mayReplace(registration.origin, binding.origin)
    if (isRival && matches(binding, contact, registration, mode)) return binding
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
  { cseqDelay }: PlanContext,
): 'newer' | 'older' | 'retransmission' {
  if (binding.callId !== registration.callId || registration.cseq > binding.cseq) return 'newer'
  const isSame = registration.cseq === binding.cseq
  return isSame && registration.now - binding.modifiedAt <= cseqDelay ? 'retransmission' : 'older'
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
  return contacts.some(({ contact }) => contact.regId === 0 && contact.instance === binding.instance)
}

/** What a refresh repeats is taken from the binding that is there: nothing is copied that stays as it was. */
function boundContact(
  { contact, seconds, q }: GrantedContact,
  registration: Registration,
  existing: Binding | null,
  { newRuid }: PlanContext,
): Binding {
  const { now, aor, userAgent } = registration
  // In the order of createBinding(), so that all bindings have one shape; what it would add is given.
  return {
    aor: existing === null ? flat(aor) : existing.aor,
    // What was another edge's is ours from now on, by a name of ours.
    ruid: existing === null || existing.elsewhere !== null ? newRuid(aor) : existing.ruid,
    contact: existing !== null && existing.contact === contact.uri ? existing.contact : flat(contact.uri),
    origin: registration.origin,
    trust: registration.trust,
    by: registration.by,
    received: registration.received,
    path: registration.path,
    socket: registration.socket,
    q,
    callId:
      existing !== null && existing.callId === registration.callId
        ? existing.callId
        : flat(registration.callId),
    cseq: registration.cseq,
    userAgent: existing !== null && existing.userAgent === userAgent ? existing.userAgent : flat(userAgent),
    methods: contact.methodBits ?? (registration.methods || allMethods),
    instance: contact.instance,
    regId: contact.regId,
    flags: registration.flags,
    branchFlags: registration.branchFlags,
    expiresAt: expiryOf(now, seconds),
    modifiedAt: now,
    isDurable: registration.isDurable,
    flow: null,
    elsewhere: null,
  }
}

/**
 * A whole millisecond: what is left is told in seconds, rounded up, and of `now + seconds - now` with their fractions one
 * in 26 is a little more than the seconds were.
 */
function expiryOf(now: number, seconds: number): number {
  return Math.floor(now + seconds * 1000)
}

/** Where nothing is bound yet, and there is one contact. */
export function firstBinding(
  granted: GrantedContact,
  registration: Registration,
  context: PlanContext,
): Change {
  return { before: null, after: boundContact(granted, registration, null, context) }
}

/** The same, to be compared with a binding of this contact that is there: nothing is copied of what came. */
export function refreshedBinding(
  { contact, seconds, q }: GrantedContact,
  registration: Registration,
): Refreshed {
  const { now } = registration
  return {
    aor: registration.aor,
    contact: contact.uri,
    origin: registration.origin,
    trust: registration.trust,
    by: registration.by,
    received: registration.received,
    path: registration.path,
    socket: registration.socket,
    q,
    callId: registration.callId,
    cseq: registration.cseq,
    userAgent: registration.userAgent,
    methods: contact.methodBits ?? (registration.methods || allMethods),
    instance: contact.instance,
    regId: contact.regId,
    flags: registration.flags,
    branchFlags: registration.branchFlags,
    expiresAt: expiryOf(now, seconds),
    modifiedAt: now,
    isDurable: registration.isDurable,
  }
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
