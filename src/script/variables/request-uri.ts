import type { Value } from '../../../grammar/declarations.ts'
import { parseUri, type Uri, uriParam } from '../../sip/uri.ts'
import { setDestination, setHost, setPort, setRequestUri, setUser } from '../request-uri.ts'
import type { ScriptRun } from '../route-context.ts'
import { type CoreVariables, oneOf, orNull, text, toInt, toText } from './variable.ts'

/**
 * The Request-URI as it is now (`$ru`), as it was received (`$ou`), and the next hop (`$du`). Writes are not
 * validated: a bad URI reads as null afterwards and makes t_relay fail (measured on Kamailio 5.6.3).
 */
export const requestUriVariables: CoreVariables = {
  ru: {
    aliases: ['ruri'],
    type: 'string',
    assignable: true,
    doc: 'The Request-URI.',
    read: (run) => (run.message.isRequest && run.requestUri !== null ? run.target.uri : null),
    write: (run, value) => value !== null && value !== '' && setRequestUri(run, toText(value)),
  },
  rU: {
    type: 'string',
    assignable: true,
    doc: 'User of the Request-URI; null removes user and password.',
    read: (run) => ofRequest(run)?.user ?? null,
    write: (run, value) => setUser(run, toText(value)),
  },
  rd: {
    type: 'string',
    assignable: true,
    doc: 'Host of the Request-URI.',
    read: (run) => hostOf(ofRequest(run)),
    write: (run, value) => setHost(run, toText(value)),
  },
  rp: {
    type: 'string',
    assignable: true,
    doc: 'Port of the Request-URI, the default port if it has none; null removes it.',
    read: (run) => portOf(ofRequest(run)),
    write: writePort,
  },
  rP: text('Transport of the Request-URI.', (run) => transportOf(ofRequest(run), 'UDP')),
  rz: text('Scheme of the Request-URI: sip, sips, tel, urn.', (run) => schemeOf(ofRequest(run))),
  ou: text('The Request-URI as it was received.', (run) => (original(run) ? run.message.requestUri : null), {
    aliases: ['ouri'],
  }),
  oU: text('User of the received Request-URI.', (run) => original(run)?.user ?? null),
  od: text('Host of the received Request-URI.', (run) => hostOf(original(run))),
  op: text('Port of the received Request-URI, the default port if it has none.', (run) =>
    portOf(original(run)),
  ),
  oP: text('Transport of the received Request-URI.', (run) => transportOf(original(run), 'UDP')),
  du: {
    aliases: ['duri'],
    type: 'string',
    assignable: true,
    doc: 'The next hop, whatever the Request-URI says; null for none.',
    read: (run) => run.target.destinationUri,
    write(run, value) {
      setDestination(run.target, value === null || value === '' ? null : toText(value))
      return true
    },
  },
  dd: text('Host of the next hop.', (run) => hostOf(destination(run))),
  dp: text('Port of the next hop.', (run) => portOf(destination(run))),
  dP: text('Transport of the next hop.', (run) => transportOf(destination(run), 'udp')),
  nh: {
    type: 'string',
    inner: 'name',
    prepare: oneOf('nh', ['u', 'U', 'd', 'p', 'P']),
    doc: 'The next hop, of $du or else of $ru: u the URI, U its user, d host, p port, P transport.',
    read: (run, inner) => nextHopPart(run, String(inner)),
  },
  ru_q: {
    type: 'int',
    assignable: true,
    doc: 'q of the Request-URI branch, 0 to 1000; null if unset.',
    read: (run) => (run.target.q < 0 ? null : run.target.q),
    write(run, value) {
      const q = value === null ? -1 : toInt(value)
      if (q === null || q > 1000) return false
      run.target.q = q
      return true
    },
  },
  ruid: text('Unique identifier of the binding that lookup() took the Request-URI from.', (run) =>
    orNull(run.target.ruid),
  ),
  location_ua: text('User-Agent of the binding that lookup() took the Request-URI from.', (run) =>
    orNull(run.target.userAgent),
  ),
}

function writePort(run: ScriptRun, value: Value): boolean {
  if (value === null || value === '') return setPort(run, 0)
  const port = toInt(value)
  return port !== null && port >= 0 && port <= 65_535 && setPort(run, port)
}

function ofRequest(run: ScriptRun): Uri | null {
  return run.message.isRequest ? run.requestUri : null
}

function original(run: ScriptRun): Uri | null {
  if (!run.message.isRequest) return null
  return run.message.requestUri === run.target.uri ? run.requestUri : parseUri(run.message.requestUri)
}

function destination(run: ScriptRun): Uri | null {
  return run.target.destinationUri === null ? null : parseUri(run.target.destinationUri)
}

function nextHopPart(run: ScriptRun, part: string): string | null {
  const uri = destination(run) ?? ofRequest(run)
  switch (part) {
    case 'u':
      return run.target.destinationUri ?? run.target.uri
    case 'U':
      return uri?.user ?? null
    case 'd':
      return hostOf(uri)
    case 'p':
      return portOf(uri)
    default:
      return transportOf(uri, 'udp')
  }
}

export function hostOf(uri: Uri | null): string | null {
  if (uri === null || uri.host === '') return null
  return uri.hostIsIpv6 ? `[${uri.host}]` : uri.host
}

/** RFC 3261 §19.1.2: 5060, 5061 for sips and TLS. */
export function portOf(uri: Uri | null): string | null {
  if (uri === null) return null
  if (uri.port !== 0) return String(uri.port)
  const isSecure = uri.scheme === 'sips' || uriParam(uri, 'transport')?.toLowerCase() === 'tls'
  return isSecure ? '5061' : '5060'
}

function transportOf(uri: Uri | null, fallback: string): string | null {
  if (uri === null) return null
  return uriParam(uri, 'transport') || fallback
}

/** Kamailio calls a SIP URI with user=phone a tel URI. */
function schemeOf(uri: Uri | null): string | null {
  if (uri === null) return null
  return uri.scheme === 'sip' && uriParam(uri, 'user') === 'phone' ? 'tel' : uri.scheme
}
