import type { Value } from '../../../grammar/declarations.ts'
import { asciiLower, hostForUri, parseUri, type Uri, uriParam, writeUri } from '../../sip/uri.ts'
import { plain, type Transformations, withTexts } from './declare.ts'

/** Class `uri`: parts of a URI (RFC 3261 §19.1); '' for what is absent, and for what is no URI. No defaults. */
export const uriTransformations: Transformations = {
  'uri.user': part('User part, escapes kept.', (uri) => uri.user ?? ''),
  'uri.passwd': part('Password.', (uri) => uri.password ?? ''),
  'uri.host': part('Host, IPv6 in brackets.', (uri) => hostForUri(uri.host)),
  'uri.domain': part('Host, IPv6 in brackets.', (uri) => hostForUri(uri.host)),
  'uri.port': part('Port as written.', (uri) => (uri.port === 0 ? '' : String(uri.port))),
  'uri.params': part('All parameters of a SIP URI.', (uri) => (uri.scheme === 'tel' ? '' : uri.params)),
  'uri.param': withTexts('A parameter: its value, "" for one without.', ['name'], (value, name) =>
    ofUri(value, (uri) => uriParam(uri, name) ?? ''),
  ),
  'uri.rmparam': withTexts('The URI without a parameter.', ['name'], (value, name) =>
    ofUri(value, (uri) => writeUri({ ...uri, params: withoutParam(uri.params, name) })),
  ),
  'uri.headers': part('What follows the question mark.', (uri) => uri.headers),
  'uri.transport': parameter('transport'),
  'uri.maddr': parameter('maddr'),
  'uri.ttl': parameter('ttl'),
  'uri.method': parameter('method'),
  'uri.lr': parameter('lr'),
  'uri.r2': parameter('r2'),
  'uri.uparam': parameter('user'),
  'uri.scheme': part('Scheme: sip, sips, tel.', (uri) => uri.scheme),
  'uri.saor': part('Scheme, user and host.', (uri) => `${uri.scheme}:${userAt(uri)}${hostForUri(uri.host)}`),
  'uri.suri': part(
    'Scheme, user, host, port and transport.',
    (uri) => `${uri.scheme}:${userAt(uri)}${hostPort(uri)}${transportParam(uri)}`,
  ),
  'uri.duri': part(
    'Scheme, host, port and transport: a next hop.',
    (uri) => `${uri.scheme}:${hostPort(uri)}${transportParam(uri)}`,
  ),
  'uri.tosocket': part('`transport:host:port`; "" without a transport parameter.', (uri) => {
    const transport = uriParam(uri, 'transport')
    return transport ? `${asciiLower(transport)}:${hostForUri(uri.host)}:${uri.port || 5060}` : ''
  }),
}

function part(doc: string, read: (uri: Uri) => string) {
  return plain(doc, (value) => ofUri(value, read))
}

function parameter(name: string) {
  return part(`The ${name} parameter.`, (uri) => uriParam(uri, name) ?? '')
}

function ofUri(value: string, read: (uri: Uri) => string): Value {
  const uri = parseUri(value)
  return uri === null ? '' : read(uri)
}

const userAt = (uri: Uri): string => (uri.user === null ? '' : `${uri.user}@`)

function hostPort(uri: Uri): string {
  return uri.port === 0 ? hostForUri(uri.host) : `${hostForUri(uri.host)}:${uri.port}`
}

function transportParam(uri: Uri): string {
  const transport = uriParam(uri, 'transport')
  return transport ? `;transport=${transport}` : ''
}

function withoutParam(params: string, name: string): string {
  const key = asciiLower(name)
  const kept = params.split(';').filter((param) => asciiLower(param.split('=', 1)[0]?.trim() ?? '') !== key)
  return kept.join(';')
}
