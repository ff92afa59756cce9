import {
  type Binding,
  budgetOf,
  canonicalAor,
  chooseBindings,
  createTarget,
  DatabaseError,
  inOrder,
  type ListenSocket,
  type Location,
  limits,
  parseUri,
  type RouteContext,
  type Target,
  uriParam,
} from '../../src/plugin/index.ts'
import { withoutBrackets } from './contact-header.ts'
import { uriOfHop } from './extensions.ts'
import type { Registrar } from './registrar.ts'

/**
 * lookup(): the bindings of an address-of-record become the target set (RFC 3261 §16.5). What nobody may send to
 * now (a closed pinhole, an unproven flow that has had its octets) is not offered: `cold`.
 */
const lookupResult = {
  found: 1,
  notFound: -1,
  methodNotAllowed: -2,
  /** There are bindings, and none can be reached now, or nobody can say: store the message or answer 480, never send blindly. */
  cold: -3,
} as const

export type LookupResult = (typeof lookupResult)[keyof typeof lookupResult]

/** Octets that our own Via, `received` and `rport` add to a request on its way to an unproven flow. */
const headroom = 192

export function lookup(
  registrar: Registrar,
  context: RouteContext,
  location: Location,
  uri: string | undefined,
): LookupResult {
  const found = select(registrar, context, location, uri || context.target.uri)
  if (typeof found === 'number') return found
  const [first] = found
  if (first === undefined) return lookupResult.notFound
  aim(registrar, context, context.target, first)
  context.requestUriChanged = true
  if (registrar.settings.appendBranches && found.length > 1) appendBranches(registrar, context, found, 1)
  return lookupResult.found
}

/** lookup_to_dset(): all of them become branches, the Request-URI stays. */
export function lookupToDestinationSet(
  registrar: Registrar,
  context: RouteContext,
  location: Location,
  uri: string | undefined,
): LookupResult {
  const found = select(registrar, context, location, uri || context.target.uri)
  if (typeof found === 'number') return found
  appendBranches(registrar, context, found, 0)
  return lookupResult.found
}

/** lookup_branches(): lookup() for the Request-URI and for each branch that is an address-of-record of ours. */
export function lookupBranches(
  registrar: Registrar,
  context: RouteContext,
  location: Location,
): LookupResult {
  const before = context.branches.slice()
  const result = lookup(registrar, context, location, undefined)
  for (const branch of before) {
    const uri = parseUri(branch.uri)
    if (uri === null || !registrar.host.sockets.isMyself(uri.host, uri.port)) continue
    const found = select(registrar, context, location, branch.uri)
    if (typeof found === 'number') continue
    const [first] = found
    if (first !== undefined) aim(registrar, context, branch, first)
    appendBranches(registrar, context, found, 1)
  }
  return result
}

function select(
  registrar: Registrar,
  context: RouteContext,
  location: Location,
  uri: string,
): readonly Binding[] | LookupResult {
  const { host, settings } = registrar
  const bindings = bindingsOrNull(registrar, location, uri)
  if (bindings === null) return cold(context, uri, 'the database of the location table does not answer')
  const chosen = chooseBindings(bindings, host.clock.now())
  if (chosen.isCold) return cold(context, uri, 'the pinhole of every binding has closed')
  if (chosen.bindings.length === 0) return lookupResult.notFound
  const allowed = settings.methodFiltering ? those(chosen.bindings, allows, context) : chosen.bindings
  if (allowed.length === 0) return lookupResult.methodNotAllowed
  const affordable = those(allowed, mayReceive, context)
  if (affordable.length === 0) {
    return cold(
      context,
      uri,
      'the flow is unproven, and the request is longer than three times what came from it',
    )
  }
  return inOrder(affordable, settings.newestFirst)
}

type Test = (binding: Binding, context: RouteContext) => boolean

/** As filter(), but nearly always all pass, and then nothing is copied. */
function those(bindings: readonly Binding[], passes: Test, context: RouteContext): readonly Binding[] {
  for (const binding of bindings) {
    if (!passes(binding, context)) return bindings.filter((other) => passes(other, context))
  }
  return bindings
}

/** Null: a table that is asked in its database each time (usrloc's db_mode 3) does not answer. Usrloc has logged it. */
function bindingsOrNull(registrar: Registrar, location: Location, uri: string): readonly Binding[] | null {
  try {
    return bindingsOf(registrar, location, uri)
  } catch (error) {
    if (error instanceof DatabaseError) return null
    throw error
  }
}

/** By address-of-record, or by GRUU (RFC 5627 §5.1): the instance behind it. */
function bindingsOf({ settings }: Registrar, location: Location, uriText: string): readonly Binding[] {
  const uri = parseUri(uriText)
  if (uri === null) return []
  const gruu = settings.gruuEnabled && uri.params !== '' ? uriParam(uri, 'gr') : null
  if (gruu === '') {
    const binding = location.byRuid(uri.user ?? '')
    return binding === undefined ? [] : location.of(binding.aor).filter((other) => other === binding)
  }
  const aor = canonicalAor(uriText, settings.aorRules)
  if (aor === null) return []
  const bindings = location.of(aor)
  if (gruu === null) return bindings
  return bindings.filter(({ instance }) => instance !== '' && withoutBrackets(instance) === gruu)
}

function allows(binding: Binding, { message }: RouteContext): boolean {
  return (binding.methods & message.methodMask) !== 0
}

function mayReceive({ flow }: Binding, context: RouteContext): boolean {
  return flow === null || flow.proven || budgetOf(flow) >= requestBytes(context)
}

/**
 * Octets that the request will have when it leaves. Credentials that were consumed do not count: they are longer than
 * the rest of a short message, which would be cold for their sake.
 */
function requestBytes({ message, edits }: RouteContext): number {
  const { above, below, edits: changes, body } = edits.plan()
  let bytes = message.bodyEnd + above.length + below.length + headroom
  for (const { start, end, text } of changes) bytes += text.length - (end - start)
  return body === null ? bytes : bytes + body.text.length - (message.bodyEnd - message.bodyStart)
}

function cold(context: RouteContext, uri: string, why: string): LookupResult {
  context.explain(`lookup ${uri}: cold`, why)
  return lookupResult.cold
}

function appendBranches(
  registrar: Registrar,
  context: RouteContext,
  bindings: readonly Binding[],
  from: number,
): void {
  for (let i = from; i < bindings.length; i++) {
    const binding = bindings[i]
    if (binding === undefined) return
    if (context.branches.length + 1 >= (context.branchesMax ?? limits.branchesMax)) return
    const target = createTarget(binding.contact)
    target.flags = context.target.flags & ~binding.branchFlags
    aim(registrar, context, target, binding)
    context.branches.push(target)
  }
}

/** Kamailio's order for the next hop: Path, then received, then the contact itself. */
function aim({ host, settings }: Registrar, context: RouteContext, target: Target, binding: Binding): void {
  target.uri = binding.contact
  target.path = binding.path
  const firstHop = binding.path[0]
  target.destinationUri = firstHop !== undefined ? uriOfHop(firstHop) : binding.received || null
  if (settings.pathCheckLocal && firstHop !== undefined) skipOwnHop(target, host)
  const socket = socketOf(binding, context, host)
  if (socket !== null) target.socket = socket
  target.q = binding.q
  target.flags |= binding.branchFlags
  target.ruid = binding.ruid
  target.instance = binding.instance
  target.userAgent = binding.userAgent
  target.aor = binding.aor
  aimAtFlow(target, binding, context)
}

/** Null if we do not listen there any more. Mostly it is the one that the request came in at. */
function socketOf({ socket }: Binding, { flow }: RouteContext, host: Registrar['host']): ListenSocket | null {
  if (socket === '') return null
  return socket === flow.socket.label ? flow.socket : host.sockets.find(socket)
}

/** The exact flow, and how it may be treated: learning.md T5. */
function aimAtFlow(target: Target, { flow, trust }: Binding, context: RouteContext): void {
  target.flow = flow === null ? null : flow.flow
  target.trust = flow === null || trust === 'operator' ? 'any' : flow.proven ? 'proven' : 'unproven'
  target.bytesMax = 0
  if (flow === null) return
  target.socket = flow.flow.socket
  if (target.trust !== 'unproven') return
  target.bytesMax = Math.min(budgetOf(flow), requestBytes(context))
  flow.bytesOut += target.bytesMax
}

/** path_check_local: a first hop that is ourselves is left out. */
function skipOwnHop(target: Target, host: Registrar['host']): void {
  const uri = target.destinationUri === null ? null : parseUri(target.destinationUri)
  if (uri === null || !host.sockets.isMyself(uri.host, uri.port)) return
  target.path = target.path.slice(1)
  const next = target.path[0]
  target.destinationUri = next === undefined ? null : uriOfHop(next)
}
