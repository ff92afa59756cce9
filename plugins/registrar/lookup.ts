import {
  type Binding,
  canonicalAor,
  chooseBindings,
  createTarget,
  DatabaseError,
  inOrder,
  type Location,
  limits,
  parseUri,
  type RouteContext,
  type Target,
  uriParam,
} from '../../src/plugin/index.ts'
import { aimAtBinding, aimAtEdge, mayReceive, onceAsked, skipOwnHop } from '../usrloc/exports.ts'
import { ask } from './bindings.ts'
import { withoutBrackets } from './contact-header.ts'
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

/** Where edges share the table, what the others have of the address-of-record is found out first; so do the others here. */
export function lookup(
  registrar: Registrar,
  context: RouteContext,
  location: Location,
  uri: string | undefined,
): LookupResult | Promise<LookupResult> {
  if (!location.isShared) return lookupNow(registrar, context, location, uri, true)
  return onceAsked(askFor(registrar, location, uri || context.target.uri), (isKnown) =>
    lookupNow(registrar, context, location, uri, isKnown),
  )
}

function lookupNow(
  registrar: Registrar,
  context: RouteContext,
  location: Location,
  uri: string | undefined,
  isKnown: boolean,
): LookupResult {
  const found = select(registrar, context, location, uri || context.target.uri, isKnown)
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
): LookupResult | Promise<LookupResult> {
  return onceAsked(askFor(registrar, location, uri || context.target.uri), (isKnown) => {
    const found = select(registrar, context, location, uri || context.target.uri, isKnown)
    if (typeof found === 'number') return found
    appendBranches(registrar, context, found, 0)
    return lookupResult.found
  })
}

/** lookup_branches(): lookup() for the Request-URI and for each branch that is an address-of-record of ours. */
export function lookupBranches(
  registrar: Registrar,
  context: RouteContext,
  location: Location,
): LookupResult | Promise<LookupResult> {
  const { sockets } = registrar.host
  const branches = context.branches.filter((branch) => {
    const uri = parseUri(branch.uri)
    return uri !== null && sockets.isMyself(uri.host, uri.port)
  })
  const asked = [context.target, ...branches].map(({ uri }) => askFor(registrar, location, uri))
  // What a branch cannot know it goes without; what the Request-URI cannot know is the answer.
  const all = asked.some((each) => each !== null) ? Promise.all(asked).then(([first]) => first ?? true) : null
  return onceAsked(all, (isKnown) => lookupBranchesNow(registrar, context, location, branches, isKnown))
}

function lookupBranchesNow(
  registrar: Registrar,
  context: RouteContext,
  location: Location,
  branches: readonly Target[],
  isKnown: boolean,
): LookupResult {
  const result = lookupNow(registrar, context, location, undefined, isKnown)
  for (const branch of branches) {
    const found = select(registrar, context, location, branch.uri, true)
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
  isKnown: boolean,
): readonly Binding[] | LookupResult {
  const { host, settings } = registrar
  const bindings = bindingsOrNull(registrar, location, uri)
  if (bindings === null) return cold(context, uri, 'the database of the location table does not answer')
  if (bindings.length === 0 && !isKnown)
    return cold(context, uri, 'what other edges have cannot be found out now')
  const chosen = chooseBindings(bindings, host.clock.now())
  if (chosen.isCold) return cold(context, uri, 'every pinhole has closed, or the edge that has it is gone')
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

/** A temporary GRUU of ours leads to its address-of-record; which edge gave any other one, nobody can say. */
function askFor(registrar: Registrar, location: Location, uriText: string): Promise<boolean> | null {
  if (!location.isShared || !registrar.settings.gruuEnabled) return ask(registrar, location, uriText)
  const uri = parseUri(uriText)
  if (uri === null || uri.params === '' || uriParam(uri, 'gr') !== '')
    return ask(registrar, location, uriText)
  return location.byRuid(uri.user ?? '') === undefined ? Promise.resolve(false) : null
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

function aim(
  { host, settings, usrloc }: Registrar,
  context: RouteContext,
  target: Target,
  binding: Binding,
): void {
  const { elsewhere } = binding
  if (elsewhere?.edge.isAlive) {
    aimAtEdge(target, binding, context.message, usrloc.edges, host.sockets)
    return
  }
  aimAtBinding(target, binding, context, host.sockets)
  if (settings.pathCheckLocal && binding.path.length > 0) skipOwnHop(target, host.sockets)
}
