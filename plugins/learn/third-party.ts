import { readFile } from 'node:fs/promises'
import {
  type AorRules,
  ArgumentProblem,
  asciiLower,
  type Counter,
  canonicalAor,
  type Flow,
  type FlowState,
  HeaderId,
  isUnicast,
  type Location,
  limits,
  type NameAddr,
  type PluginHost,
  paramOf,
  parseDecimal,
  parseNameAddrs,
  parseUri,
  type RouteContext,
  type SipMessage,
} from '../../src/plugin/index.ts'
import type { Delegation, RegistrarExports } from '../registrar/exports.ts'
import {
  type DelegateContact,
  type DelegateRefusal,
  type DelegateRule,
  delegateRefusals,
  judgeDelegate,
  parseDelegates,
} from './delegates.ts'
import { announce, flowText } from './events.ts'
import type { Sightings } from './sightings.ts'

/**
 * allow_third_party(): may the digest user of this REGISTER write the bindings of another user? If so, the save()
 * that follows stores them as delegated, with the flow that the contact names or the last flow of that user: the
 * delegate's own source never becomes anybody's location. If not, one 403 says why; another 401 would only make a
 * client with the right password try again.
 */
export const thirdPartyResult = {
  allowed: 1,
  /** The digest user registers itself: there is nothing to allow. */
  notThirdParty: 2,
  refused: -1,
  /** No digest user: challenge first. Nothing was sent. */
  unauthenticated: -2,
  /** No REGISTER, or no such table. Nothing was sent. */
  error: -3,
} as const

export interface DelegateTables {
  of(name: string): readonly DelegateRule[] | undefined
  names(): string[]
  /** Reads the files again; a table that makes no sense leaves all as they were, and throws. */
  reload(): Promise<number>
}

/** `tables`: `name=>file`. `lines`: `name=>rule`. */
export function createDelegateTables(
  tables: readonly string[],
  lines: readonly string[],
  host: PluginHost,
): DelegateTables {
  const files = tables.map((text) => splitName(text, 'devices=>delegates.txt'))
  const written = lines.map((text) => splitName(text, 'devices=>1000 2000,21?? contact=seen'))
  let current = merged(written.map(([name, line]) => [name, parseDelegates(line)]))
  return {
    of: (name) => current.get(name),
    names: () => [...current.keys()],
    async reload() {
      const rules: [string, DelegateRule[]][] = written.map(([name, line]) => [name, parseDelegates(line)])
      for (const [name, path] of files) {
        rules.push([name, parseDelegates(await readFile(host.resolvePath(path), 'utf8'))])
      }
      current = merged(rules)
      return rules.reduce((count, [, list]) => count + list.length, 0)
    },
  }
}

function splitName(text: string, example: string): [string, string] {
  const arrow = text.indexOf('=>')
  if (arrow <= 0) throw new ArgumentProblem(`'${text}' names no table`, example)
  return [text.slice(0, arrow).trim(), text.slice(arrow + 2).trim()]
}

function merged(rules: readonly [string, DelegateRule[]][]): Map<string, readonly DelegateRule[]> {
  const out = new Map<string, readonly DelegateRule[]>()
  for (const [name, list] of rules) out.set(name, [...(out.get(name) ?? []), ...list])
  return out
}

export interface ThirdPartySettings {
  readonly host: PluginHost
  readonly aorRules: AorRules
  readonly tables: DelegateTables
  readonly sightings: Sightings
  readonly decisions: Counter
  /** Milliseconds that a flow's pinhole lives, by source. */
  pinholeOf(address: string): number
  /** Undefined without module registrar: then there is no save() that could follow. */
  readonly delegate: RegistrarExports['delegate'] | undefined
}

export function allowThirdParty(
  settings: ThirdPartySettings,
  context: RouteContext,
  tableName: string,
  location: Location,
): number {
  const { message, scope } = context
  const rules = settings.tables.of(tableName)
  const to = message.to?.uri ?? ''
  const aor = canonicalAor(to, settings.aorRules)
  if (rules === undefined || message.method !== 'REGISTER' || aor === null) return thirdPartyResult.error
  const principal = scope.authenticated
  if (principal === null) return thirdPartyResult.unauthenticated
  const user = aor.includes('@') && settings.aorRules.useDomain ? aor.slice(0, aor.lastIndexOf('@')) : aor
  if (user === canonicalUser(principal.user, settings.aorRules)) return thirdPartyResult.notThirdParty
  const seen = seenFlows(settings, location, aor)
  const contacts = readContacts(settings, message, seen)
  const isWipe = message.value(HeaderId.contact).trim() === '*'
  if (contacts === null) return refuse(settings, context, aor, principal.user, 'contact')
  const { address } = context.flow
  const { realm } = principal
  const verdict = judgeDelegate(rules, {
    principal: principal.user,
    realm,
    aor,
    source: address,
    contacts,
    isWipe,
  })
  if (verdict.kind === 'refused') return refuse(settings, context, aor, principal.user, verdict.reason)
  settings.delegate?.(context, delegationOf(settings, location, aor, principal.user, verdict.rule, seen))
  say(settings, context, aor, principal.user, 'allowed')
  return thirdPartyResult.allowed
}

/** Where the user was heard from within the pinhole's time. */
interface SeenFlow {
  readonly flow: Flow
  readonly isLearned: boolean
  /** Monotonic milliseconds. */
  readonly seenAt: number
  readonly bytesIn: number
}

function seenFlows(
  { host, sightings, pinholeOf }: ThirdPartySettings,
  location: Location,
  aor: string,
): SeenFlow[] {
  const now = host.clock.now()
  const out: SeenFlow[] = []
  for (const { flow, origin } of location.of(aor)) {
    if (flow === null || flow.reachableUntil <= now) continue
    out.push({
      flow: flow.flow,
      isLearned: origin === 'learned',
      seenAt: flow.lastSeen,
      bytesIn: flow.bytesIn,
    })
  }
  const sighting = sightings.of(aor)
  if (sighting !== undefined && now - sighting.seenAt < pinholeOf(sighting.flow.address)) {
    out.push({ ...sighting, isLearned: false })
  }
  return out.sort((a, b) => b.seenAt - a.seenAt)
}

/** Null if a Contact cannot be read: save() would answer 400, but not to somebody who may not write here. */
function readContacts(
  settings: ThirdPartySettings,
  message: SipMessage,
  seen: readonly SeenFlow[],
): DelegateContact[] | null {
  const header = message.value(HeaderId.expires)
  const out: DelegateContact[] = []
  for (let i = message.first(HeaderId.contact); i >= 0; i = message.next(i)) {
    if (message.headerValue(i).trim() === '*') continue
    const parts = parseNameAddrs(message.headerValue(i), limits.contactsMax)
    if (parts === null) return null
    for (const part of parts) {
      const contact = readContact(settings, part, header, seen)
      if (contact === null) return null
      out.push(contact)
    }
  }
  return out
}

function readContact(
  { host }: ThirdPartySettings,
  part: NameAddr,
  header: string,
  seen: readonly SeenFlow[],
): DelegateContact | null {
  const uri = parseUri(part.uri)
  if (uri === null) return null
  const isOwnName = host.sockets.isMyself(uri.host, uri.port)
  const named = flowNamedBy(part.uri, seen, isOwnName)
  return {
    uri: part.uri,
    expiresIsZero: parseDecimal(paramOf(part.params, 'expires') ?? header, 0xffffffff) === 0,
    address: isUnicast(uri.host) ? uri.host : null,
    isOwnName,
    isSeen: named !== null,
    isLearned: named?.isLearned === true,
  }
}

/** A contact at our own name stands for wherever the user is; one with an address names exactly that flow. */
function flowNamedBy(contact: string, seen: readonly SeenFlow[], isOwnName: boolean): SeenFlow | null {
  if (isOwnName) return seen[0] ?? null
  const uri = parseUri(contact)
  if (uri === null) return null
  const port = uri.port === 0 ? 5060 : uri.port
  return seen.find(({ flow }) => flow.address === uri.host && flow.port === port) ?? null
}

function delegationOf(
  { host, pinholeOf }: ThirdPartySettings,
  location: Location,
  aor: string,
  principal: string,
  rule: DelegateRule,
  seen: readonly SeenFlow[],
): Delegation {
  return {
    aor,
    principal,
    bindingsMax: rule.bindingsMax,
    expiresSecondsMax: rule.expiresSecondsMax,
    mayRemove: rule.mayRemove,
    flowOf(contact) {
      const uri = parseUri(contact)
      const isOwnName = uri !== null && host.sockets.isMyself(uri.host, uri.port)
      const named = flowNamedBy(contact, seen, isOwnName)
      return named === null ? null : openSeen(location, named, pinholeOf(named.flow.address))
    },
  }

  function openSeen({ flows }: Location, from: SeenFlow, pinhole: number): FlowState {
    const now = host.clock.now()
    const live = flows.find(from.flow)
    if (live !== undefined && live.reachableUntil > now) return live
    const opened = flows.open(from.flow, now, pinhole)
    opened.lastSeen = from.seenAt
    opened.reachableUntil = from.seenAt + pinhole
    opened.bytesIn = from.bytesIn
    return opened
  }
}

function refuse(
  settings: ThirdPartySettings,
  context: RouteContext,
  aor: string,
  principal: string,
  reason: DelegateRefusal,
): number {
  const phrase = delegateRefusals[reason]
  say(settings, context, aor, principal, reason)
  context.reply(403, phrase, { headers: `P-Registrar-Error: ${phrase}\r\n` })
  return thirdPartyResult.refused
}

/** Who wrote what for whom, and from where: one line for each decision, allowed or not. */
function say(
  { host, decisions }: ThirdPartySettings,
  context: RouteContext,
  aor: string,
  principal: string,
  outcome: DelegateRefusal | 'allowed',
): void {
  const isAllowed = outcome === 'allowed'
  const from = flowText(context.flow)
  decisions.add(1, isAllowed ? 'allowed' : 'refused', isAllowed ? '' : outcome)
  const why = isAllowed ? 'a rule allows it' : delegateRefusals[outcome]
  context.explain(
    `third-party registration of ${aor} by ${principal}: ${isAllowed ? 'allowed' : 'refused'}`,
    why,
  )
  const fields = { ...context.logFields(), principal, aor, from, outcome }
  const what = `${principal} at ${from} registers ${aor}: ${isAllowed ? 'allowed' : 'refused'}, ${why}`
  if (isAllowed) host.log.info(fields, what)
  else host.log.warn(fields, what)
  const record = {
    aor,
    result: isAllowed ? 'allowed' : 'refused',
    reason: isAllowed ? '' : outcome,
    flow: from,
    trust: principal,
  }
  announce(host, 'third-party', record, context.message, context.flow)
}

function canonicalUser(user: string, rules: AorRules): string {
  return rules.caseSensitive ? user : asciiLower(user)
}
