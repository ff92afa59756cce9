import { everyIndex, type Index, type Value } from '../../../grammar/declarations.ts'
import { limits } from '../../limits.ts'
import { HeaderId, type HeaderName, headerNamed } from '../../sip/header-id.ts'
import { paramOf, parseNameAddr, parseNameAddrs, splitValues } from '../../sip/headers/name-addr.ts'
import type { Via } from '../../sip/headers/via.ts'
import type { SipMessage } from '../../sip/message.ts'
import { parseUri } from '../../sip/uri.ts'
import type { ScriptRun } from '../route-context.ts'
import { hostOf } from './request-uri.ts'
import { type CoreVariable, type CoreVariables, elementAt, oneOf, orNull, text } from './variable.ts'

/** Headers by name, Vias, and the headers that name people. All of them as received: edits do not show. */
export const headerVariables: CoreVariables = {
  hdr: {
    type: 'string',
    inner: 'name',
    indexed: true,
    prepare: headerNamed,
    doc: 'The header line of that name, compact forms included; [n] the n-th, [-1] the last, [*] all.',
    read: (run, inner, index) => readHeader(run.message, inner as HeaderName, index),
  },
  hdrc: {
    type: 'int',
    inner: 'name',
    doc: 'How many header lines of that name there are.',
    prepare: headerNamed,
    read: (run, inner) => indexesOf(run.message, inner as HeaderName).length,
  },
  hfl: {
    type: 'string',
    inner: 'name',
    indexed: true,
    doc: 'A value of a list header, commas split: $(hfl(Via)[1]); [*] all.',
    prepare: headerNamed,
    read: (run, inner, index) => pick(valuesOf(run.message, inner as HeaderName), index, ','),
  },
  hflc: {
    type: 'int',
    inner: 'name',
    doc: 'How many values the list header has, commas split.',
    prepare: headerNamed,
    read: (run, inner) => valuesOf(run.message, inner as HeaderName).length,
  },
  via0: viaAt('The topmost Via: host, port, branch, rport, received, proto, params.', (vias) => vias[0]),
  via1: viaAt('The second Via.', (vias) => vias[1]),
  viaZ: viaAt('The last Via.', (vias) => vias.at(-1)),
  expires: {
    type: 'string',
    inner: 'name',
    prepare: oneOf('expires', ['min', 'max']),
    doc: 'The least (min) or most (max) seconds that Contacts and Expires ask for.',
    read: (run, inner) => expiresOf(run.message, inner === 'min'),
  },
  ai: text('URI of P-Asserted-Identity.', (run) => uriIn(run.message, HeaderId.pAssertedIdentity)),
  pu: text('URI of P-Preferred-Identity.', (run) => uriIn(run.message, HeaderId.pPreferredIdentity)),
  pU: text('User in P-Preferred-Identity.', (run) => preferred(run)?.user ?? null),
  pd: text('Host in P-Preferred-Identity.', (run) => hostOf(preferred(run))),
  pn: text('Display name in P-Preferred-Identity.', (run) => {
    const value = parseNameAddr(run.message.value(HeaderId.pPreferredIdentity))
    return value === null ? null : orNull(value.displayName)
  }),
  di: text('URI of the first Diversion.', (run) => uriIn(run.message, HeaderId.diversion)),
  dir: text('Reason of the first Diversion.', (run) => diversionParam(run.message, 'reason')),
  dip: text('Privacy of the first Diversion.', (run) => diversionParam(run.message, 'privacy')),
  dic: text('Counter of the first Diversion.', (run) => diversionParam(run.message, 'counter')),
  re: text('URI of Remote-Party-ID.', (run) => uriIn(run.message, HeaderId.remotePartyId)),
  rt: text('URI of Refer-To.', (run) => uriIn(run.message, HeaderId.referTo)),
}

function readHeader(message: SipMessage, name: HeaderName, index: Index): Value {
  if (index === null || index === 0) {
    const first = message.findNamed(name)
    return first < 0 ? null : message.headerValue(first)
  }
  return pick(
    indexesOf(message, name).map((at) => message.headerValue(at)),
    index,
    ',',
  )
}

function pick(values: readonly string[], index: Index, separator: string): string | null {
  if (index !== everyIndex) return elementAt(values, index)
  return values.length === 0 ? null : values.join(separator)
}

function indexesOf(message: SipMessage, name: HeaderName): number[] {
  const found: number[] = []
  for (let at = message.findNamed(name); at >= 0; at = message.next(at)) found.push(at)
  return found
}

/** Headers whose grammar is a comma-separated list; a comma elsewhere (Date, Subject) is text. */
const listHeaders: ReadonlySet<HeaderId> = new Set<HeaderId>([
  HeaderId.contact,
  HeaderId.via,
  HeaderId.route,
  HeaderId.recordRoute,
  HeaderId.path,
  HeaderId.diversion,
  HeaderId.pAssertedIdentity,
  HeaderId.pPreferredIdentity,
  HeaderId.supported,
  HeaderId.require,
  HeaderId.proxyRequire,
  HeaderId.allow,
])

function valuesOf(message: SipMessage, name: HeaderName): string[] {
  const lines = indexesOf(message, name).map((at) => message.headerValue(at))
  return listHeaders.has(name.id) ? lines.flatMap((line) => splitValues(line)) : lines
}

function viaAt(doc: string, choose: (vias: readonly Via[]) => Via | undefined): CoreVariable {
  return {
    type: 'string',
    inner: 'name',
    prepare: oneOf('via', ['host', 'port', 'branch', 'rport', 'received', 'proto', 'params', 'maddr']),
    doc,
    read(run, inner) {
      const via = choose(run.message.vias())
      return via === undefined ? null : viaPart(via, String(inner))
    },
  }
}

function viaPart(via: Via, part: string): string | null {
  switch (part) {
    case 'host':
      return via.host
    case 'port':
      return via.port === 0 ? null : String(via.port)
    case 'branch':
      return orNull(via.branch)
    case 'rport':
      return via.rport === null || via.rport === 0 ? null : String(via.rport)
    case 'received':
      return orNull(via.received)
    case 'proto':
      return via.transport
    case 'maddr':
      return orNull(via.maddr)
    default:
      return orNull(via.params)
  }
}

function expiresOf(message: SipMessage, isMin: boolean): string | null {
  const found: number[] = []
  for (let at = message.first(HeaderId.contact); at >= 0; at = message.next(at)) {
    for (const contact of parseNameAddrs(message.headerValue(at), limits.contactsMax) ?? []) {
      const seconds = secondsIn(paramOf(contact.params, 'expires') ?? '')
      if (seconds !== null) found.push(seconds)
    }
  }
  const general = secondsIn(message.value(HeaderId.expires))
  if (found.length === 0 && general !== null) found.push(general)
  if (found.length === 0) return null
  return String(isMin ? Math.min(...found) : Math.max(...found))
}

function secondsIn(value: string): number | null {
  return /^\d{1,10}$/.test(value) ? Number(value) : null
}

function uriIn(message: SipMessage, id: HeaderId): string | null {
  return firstNameAddr(message, id)?.uri ?? null
}

function preferred(run: ScriptRun) {
  const uri = uriIn(run.message, HeaderId.pPreferredIdentity)
  return uri === null ? null : parseUri(uri)
}

function diversionParam(message: SipMessage, name: string): string | null {
  const value = firstNameAddr(message, HeaderId.diversion)
  return value === null ? null : paramOf(value.params, name)
}

function firstNameAddr(message: SipMessage, id: HeaderId) {
  const value = message.value(id)
  if (value === '') return null
  const [first = ''] = splitValues(value)
  return parseNameAddr(first)
}
