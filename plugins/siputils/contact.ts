import {
  HeaderId,
  hostForUri,
  isSipUri,
  limits,
  type NameAddr,
  nameAddrsOf,
  parseUri,
  type RouteContext,
  uriParam,
  withoutParam,
} from '../../src/plugin/index.ts'

/**
 * Contacts rewritten so that answers come back through us, and taken apart again when they do. Two encodings, both
 * Kamailio's: the parts in the user (`sip:prefix*user*password*host*port*transport@us`), or the whole URI as a
 * parameter in base64url.
 */

/** Encodes all Contact URIs into their user part. URI parameters other than transport are lost. */
export function encodeContacts(
  context: RouteContext,
  prefix: string,
  host: string,
  separator: string,
): number {
  return rewriteContacts(context, (uri) => encodeUri(uri, prefix, host, separator))
}

export function decodeContacts(context: RouteContext, separator: string): number {
  return rewriteContacts(context, (uri) => decodeUri(uri, separator))
}

/** The Request-URI. */
export function decodeRequestUri(context: RouteContext, separator: string): number {
  return setRequestUri(context, decodeUri(context.target.uri, separator))
}

/** Every Contact becomes `address;name=<the URI in base64url>`. */
export function encodeContactParams(context: RouteContext, name: string, address: string): number {
  if (parseUri(address) === null) return -1
  return rewriteContacts(context, (uri) => `${address};${name}=${toBase64Url(uri)}`)
}

/** Contacts without the parameter stay as they are. */
export function decodeContactParams(context: RouteContext, name: string): number {
  return rewriteContacts(context, (uri) => (hasParam(uri, name) ? decodeParam(uri, name) : uri))
}

export function decodeRequestUriParam(context: RouteContext, name: string): number {
  return setRequestUri(context, decodeParam(context.target.uri, name))
}

export function removeContactParam(context: RouteContext, name: string): number {
  return rewriteContacts(context, (uri) => withoutParam(uri, name))
}

/** `sip:user:password@host:port;transport=x` by its parts. */
function encodeUri(text: string, prefix: string, host: string, separator: string): string | null {
  const uri = parseUri(text)
  if (uri === null || !isSipUri(uri)) return null
  const parts = [
    prefix,
    uri.user ?? '',
    uri.password ?? '',
    uri.hostIsIpv6 ? `[${uri.host}]` : uri.host,
    uri.port === 0 ? '' : String(uri.port),
    uriParam(uri, 'transport') ?? '',
  ]
  return `sip:${parts.join(separator)}@${host}`
}

function decodeUri(text: string, separator: string): string | null {
  const parts = parseUri(text)?.user?.split(separator)
  if (parts?.length !== 6) return null
  const [, user = '', password = '', host = '', port = '', transport = ''] = parts
  const userInfo = user === '' ? '' : `${user}${password === '' ? '' : `:${password}`}@`
  const decoded =
    `sip:${userInfo}${hostForUri(host)}${port === '' ? '' : `:${port}`}` +
    (transport === '' ? '' : `;transport=${transport}`)
  return parseUri(decoded) === null ? null : decoded
}

function hasParam(text: string, name: string): boolean {
  const uri = parseUri(text)
  return uri !== null && uriParam(uri, name) !== null
}

/** What we do not understand, or what is no URI, is not believed. */
function decodeParam(text: string, name: string): string | null {
  const uri = parseUri(text)
  const encoded = uri === null ? null : uriParam(uri, name)
  if (encoded === null || !/^[A-Za-z0-9_-]+=*$/.test(encoded)) return null
  const decoded = Buffer.from(encoded, 'base64url').toString('latin1')
  return parseUri(decoded) === null ? null : decoded
}

function toBase64Url(text: string): string {
  return Buffer.from(text, 'latin1').toString('base64url')
}

/** All or none: -1 if there is no Contact, or one cannot be rewritten. */
function rewriteContacts(context: RouteContext, rewrite: (uri: string) => string | null): number {
  const { message, edits } = context
  const contacts = nameAddrsOf(message, HeaderId.contact, limits.contactsMax)
  if (contacts === null || contacts.length === 0) return -1
  const changes: { contact: NameAddr; uri: string }[] = []
  for (const contact of contacts) {
    const uri = rewrite(contact.uri)
    if (uri === null) return -1
    if (uri !== contact.uri) changes.push({ contact, uri })
  }
  for (const { contact, uri } of changes)
    edits.replace(contact.uriStart, contact.uriEnd, bracketed(contact, message.text, uri))
  return 1
}

/** A URI that gains parameters must stand in angle brackets (RFC 3261 §20). */
function bracketed(contact: NameAddr, text: string, uri: string): string {
  return text[contact.uriEnd] !== '>' && /[;,?]/.test(uri) ? `<${uri}>` : uri
}

function setRequestUri(context: RouteContext, uri: string | null): number {
  if (uri === null) return -1
  context.target.uri = uri
  context.requestUriChanged = true
  return 1
}
