import {
  type Flow,
  HeaderId,
  hostForUri,
  limits,
  type NameAddr,
  parseNameAddrs,
  parseUri,
  type RouteContext,
  readUri,
  type SipMessage,
  type Uri,
  uriParam,
  writeUri,
} from '../../src/plugin/index.ts'

/**
 * Contacts of devices behind a NAT: rewritten to where the packet came from, or marked with it (`;alias=`), so
 * that requests within the dialog find their way back.
 */
export interface ContactValue {
  readonly nameAddr: NameAddr
  readonly uri: Uri
  /** Offsets of the URI within the message. */
  readonly start: number
  readonly end: number
  /** Angle brackets stand around it. */
  readonly isBracketed: boolean
}

/** The first Contact's first value as it came; null if there is none that can be read. */
export function firstContact({ message }: RouteContext): ContactValue | null {
  if (message !== lastMessage) {
    lastMessage = message
    lastContact = readFirstContact(message)
  }
  return lastContact
}

/** nat_uac_test() and fix_nated_contact() ask about the same Contact one after the other. */
let lastMessage: SipMessage | null = null
let lastContact: ContactValue | null = null

function readFirstContact(message: SipMessage): ContactValue | null {
  const index = message.first(HeaderId.contact)
  if (index < 0) return null
  const start = message.headerValueStart(index)
  const raw = message.text.slice(start, message.headerValueEnd(index))
  const nameAddr = parseNameAddrs(raw, limits.contactsMax)?.[0]
  // parseUri() remembers the Request-URI: it is asked for again.
  const uri = nameAddr === undefined ? null : readUri(nameAddr.uri)
  if (nameAddr === undefined || uri === null) return null
  const isBracketed = raw[nameAddr.uriStart - 1] === '<'
  return { nameAddr, uri, start: start + nameAddr.uriStart, end: start + nameAddr.uriEnd, isBracketed }
}

/** Its URI as fix_nated_contact() or set_contact_alias() left it. */
export function correctedContactUri(context: RouteContext): Uri | null {
  const contact = firstContact(context)
  if (contact === null || context.hasEdits === false) return contact?.uri ?? null
  const corrected = context.edits.correctionOf(contact.start, contact.end)
  return corrected === null ? contact.uri : parseUri(corrected)
}

/** fix_nated_contact(): host and port become those of the packet. Hot: a spread would cost more than all the rest. */
export function contactAt(uri: Uri, flow: Flow): string {
  return writeUri({
    scheme: uri.scheme,
    user: uri.user,
    userParams: uri.userParams,
    password: uri.password,
    host: flow.address,
    hostIsIpv6: flow.address.includes(':'),
    port: flow.port,
    params: uri.params,
    headers: uri.headers,
  })
}

const protoDigits: Readonly<Record<string, string>> = {
  udp: '1',
  tcp: '2',
  tls: '3',
  sctp: '4',
  ws: '5',
  wss: '6',
}
const protoNames: Readonly<Record<string, string>> = {
  1: 'udp',
  2: 'tcp',
  3: 'tls',
  4: 'sctp',
  5: 'ws',
  6: 'wss',
}

/** `192.0.2.1~5060~1` */
export function aliasOf(flow: Flow): string {
  return `${hostForUri(flow.address)}~${flow.port}~${protoDigits[flow.socket.transport] ?? '1'}`
}

/** `sip:192.0.2.1:5060`, or null for what is no alias. */
export function uriOfAlias(alias: string): string | null {
  const match = /^(\[[0-9A-Fa-f:.]+\]|[0-9.]+)~(\d{1,5})~([1-6])$/.exec(alias)
  const [, host, portText, digit] = match ?? []
  if (host === undefined || portText === undefined || digit === undefined) return null
  const port = Number(portText)
  const uri = `sip:${host}:${port}`
  if (port < 1 || port > 65_535 || parseUri(uri) === null) return null
  const transport = protoNames[digit] ?? 'udp'
  return transport === 'udp' ? uri : `${uri};transport=${transport}`
}

/** The URI as if it had been sent from its own contact: nothing to add. It must say the transport too. */
export function isOwnAddress(uri: Uri, flow: Flow): boolean {
  const port = uri.port === 0 ? 5060 : uri.port
  const transport = uri.params === '' ? null : uriParam(uri, 'transport')
  return uri.host === flow.address && port === flow.port && transport?.toLowerCase() === flow.socket.transport
}

/** The parameter goes right behind host and port, before all others. */
export function withAliasFirst(text: string, uri: Uri, name: string, alias: string): string {
  const rest = uri.params === '' && uri.headers === '' ? 0 : text.length - text.search(/[;?]/)
  const split = rest === 0 ? text.length : text.length - rest
  return `${text.slice(0, split)};${name}=${alias}${text.slice(split)}`
}

/** The parameter goes behind all others. With `trim`, one that is there already goes. */
export function withAliasLast(text: string, uri: Uri, name: string, alias: string, trim: boolean): string {
  const base = trim ? withoutParam(text, uri, name) : text
  const headers = uri.headers === '' ? base.length : base.lastIndexOf('?')
  return `${base.slice(0, headers)};${name}=${alias}${base.slice(headers)}`
}

/** The URI without the parameters of that name, or without one of them. */
export function withoutParam(text: string, uri: Uri, name: string, only?: string): string {
  const prefix = `${name.toLowerCase()}=`
  const params = uri.params.split(';')
  const gone = only === undefined ? null : params.indexOf(only)
  const kept = params.filter((param, i) =>
    gone === null ? !`${param.toLowerCase()}=`.startsWith(prefix) : i !== gone,
  )
  return kept.length === params.length ? text : writeUri({ ...uri, params: kept.join(';') })
}
