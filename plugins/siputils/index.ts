import {
  ArgumentProblem,
  asciiLower,
  definePlugin,
  HeaderId,
  hasToken,
  headerId,
  headerKey,
  isSipUri,
  Method,
  parseUri,
  type RouteContext,
  type Uri,
  unescapeUser,
  uriParam,
  urisEqual,
  type Value,
  withHost,
  withoutParam,
  withParam,
  withUser,
} from '../../src/plugin/index.ts'
import { chargingVectorPart, chargingVectorParts, manageChargingVector } from './charging-vector.ts'
import * as contact from './contact.ts'
import { functions } from './functions.ts'
import { checkDate, isFirstHop } from './hop.ts'
import * as numbers from './numbers.ts'

/** Kamailio's siputils: tests of messages, URIs and numbers; contacts that lead back to us. */
export default definePlugin({
  name: 'siputils',
  summary: 'Tests of messages, URIs and numbers; contacts that lead back to us.',
  params: {
    options_accept: { type: 'string', default: '*/*', doc: 'Accept of the answer to OPTIONS.' },
    options_accept_encoding: {
      type: 'string',
      default: '',
      doc: 'Accept-Encoding of the answer to OPTIONS.',
    },
    options_accept_language: { type: 'string', default: 'en', doc: 'Accept-Language of that answer.' },
    options_support: { type: 'string', default: '', doc: 'Supported of that answer.' },
    contact_flds_separator: {
      type: 'string',
      default: '*',
      check: (separator) => {
        if (String(separator) === '') throw new ArgumentProblem('the separator is empty', 'one character')
      },
      doc: 'Its first character separates the parts of an encoded Contact.',
    },
    rpid_prefix: { type: 'string', default: '', doc: 'Stands before the URI in Remote-Party-ID.' },
    rpid_suffix: {
      type: 'string',
      default: ';party=calling;id-type=subscriber;screen=yes',
      doc: 'Stands after the URI in Remote-Party-ID.',
    },
    rpid_avp: {
      type: 'variable',
      doc: 'Where the URI of Remote-Party-ID is; $avp(s:rpid) if it is not set.',
    },
  },
  functions,
  variables: {
    pcv: {
      inner: 'name',
      prepare: (part) => {
        if (chargingVectorParts.has(part)) return part
        throw new ArgumentProblem(`unknown part "${part}"`, [...chargingVectorParts].join(', '))
      },
      type: 'string',
      doc: 'P-Charging-Vector: all, value, genaddr, orig, term.',
    },
  },
  setup({ sockets, random, clock }, params) {
    const separator = params.contact_flds_separator.slice(0, 1)
    const rpid = (context: RouteContext): string => {
      const { avps } = context.scope
      const stored = params.rpid_avp?.read(context) ?? avps.get('rpid', 0) ?? avps.get('s:rpid', 0)
      return String(stored ?? '')
    }
    const capabilities =
      `Accept: ${params.options_accept}\r\nAccept-Encoding: ${params.options_accept_encoding}\r\n` +
      `Accept-Language: ${params.options_accept_language}\r\nSupported: ${params.options_support}\r\n`
    return {
      functions: {
        has_totag: ({ message }) => yes(message.toTag !== ''),
        is_request: ({ message }) => yes(message.isRequest),
        is_reply: ({ message }) => yes(!message.isRequest),
        is_first_hop: (context, mode) => yes(isFirstHop(context, sockets, mode === 1)),
        is_user: ({ scope }, user) => yes(scope.authenticated?.user === user),
        is_supported: ({ message }, option) => yes(hasToken(message, HeaderId.supported, option)),
        is_uri: (_context, text) => yes(isKnownUri(text)),
        is_gruu: (context, text) => gruuKind(text === undefined ? context.requestUri : parseUri(text)),
        cmp_uri: (_context, a, b) => comparedUris(a, b, () => urisEqual(a, b)),
        cmp_aor: (_context, a, b) => comparedUris(a, b, sameAor),
        cmp_hdr_name: (_context, a, b) => yes(sameHeader(a, b)),
        is_e164: (_context, text) => yes(numbers.isE164(text)),
        is_uri_user_e164: (_context, text) => yes(numbers.hasE164User(text)),
        is_tel_number: (_context, text) => (numbers.isTelNumber(text) ? 1 : -2),
        is_numeric: (_context, text) => (numbers.isNumeric(text) ? 1 : -2),
        is_alphanum: (_context, text) => (text === '' ? -2 : numbers.isAlphanumeric(text) ? 1 : -3),
        is_alphanumex: (_context, text, extra) =>
          text === '' ? -2 : numbers.isAlphanumericOr(text, extra) ? 1 : -3,
        uri_param: (context, name, expected) => yes(requestUriParam(context, name) === (expected ?? '')),
        uri_param_any: (context, name) => yes(requestUriParam(context, name) !== null),
        add_uri_param: (context, text) =>
          text === '' ? 1 : setRequestUri(context, withParam(context.target.uri, text)),
        get_uri_param: (context, name, into) => {
          const found = requestUriParam(context, name)
          return found !== null && into.write(context, found) ? 1 : -1
        },
        uri_param_rm: (context, name) => setRequestUri(context, withoutParam(context.target.uri, name)),
        tel2sip: (context, text, host, result) => {
          const converted = numbers.telToSip(text, host)
          if (converted === null) return 2
          return result.write(context, converted) ? 1 : -1
        },
        set_uri_user: (context, variable, user) =>
          rewriteVariable(context, variable, (text) => withUser(text, user)),
        set_uri_host: (context, variable, host) =>
          rewriteVariable(context, variable, (text) => withHost(text, host)),
        encode_contact: (context, prefix, host) => contact.encodeContacts(context, prefix, host, separator),
        decode_contact: (context) => contact.decodeRequestUri(context, separator),
        decode_contact_header: (context) => contact.decodeContacts(context, separator),
        contact_param_encode: contact.encodeContactParams,
        contact_param_decode: contact.decodeContactParams,
        contact_param_decode_ruri: contact.decodeRequestUriParam,
        contact_param_rm: contact.removeContactParam,
        options_reply: (context) => {
          const { message, requestUri } = context
          if (message.methodMask !== Method.OPTIONS || requestUri === null || requestUri.user !== null)
            return -1
          return context.reply(200, 'OK', { headers: capabilities })
        },
        append_rpid_hf: (context, prefix, suffix) => {
          const text = rpid(context)
          if (text === '') return -1
          const before = prefix ?? params.rpid_prefix
          context.edits.appendHeader(`Remote-Party-ID: ${before}${text}${suffix ?? params.rpid_suffix}\r\n`)
          return 1
        },
        is_rpid_user_e164: (context) => yes(numbers.hasE164User(rpid(context))),
        sip_p_charging_vector: (context, flags) => manageChargingVector(context, flags, random),
        hdr_date_check: (context, seconds) => checkDate(context, seconds, clock.wall()),
      },
      variables: {
        pcv: { read: (context, part) => chargingVectorPart(context, String(part)) },
      },
    }
  },
})

function yes(answer: boolean): number {
  return answer ? 1 : -1
}

/** RFC 5627 §3.2: a temporary GRUU has a `gr` without a value. */
function gruuKind(parsed: Uri | null): number {
  const gr = parsed === null ? null : uriParam(parsed, 'gr')
  return gr === null ? -1 : gr === '' ? 2 : 1
}

function comparedUris(a: string, b: string, equal: (first: Uri, second: Uri) => boolean): number {
  const first = parseUri(a)
  const second = parseUri(b)
  if (first === null || second === null) return -2
  return equal(first, second) ? 1 : -1
}

function sameAor(a: Uri, b: Uri): boolean {
  if (isSipUri(a) !== isSipUri(b)) return false
  return (
    unescapeUser(a.user ?? '') === unescapeUser(b.user ?? '') &&
    asciiLower(a.host) === asciiLower(b.host) &&
    (a.port || 5060) === (b.port || 5060)
  )
}

function sameHeader(a: string, b: string): boolean {
  const id = headerId(a)
  return id === HeaderId.other ? headerKey(a) === headerKey(b) : id === headerId(b)
}

/** Of a scheme that can be routed by. */
function isKnownUri(text: string): boolean {
  const parsed = parseUri(text)
  return parsed !== null && (isSipUri(parsed) || parsed.scheme === 'tel' || parsed.scheme === 'urn')
}

function requestUriParam(context: RouteContext, name: string): string | null {
  return context.requestUri === null ? null : uriParam(context.requestUri, name)
}

function setRequestUri(context: RouteContext, text: string | null): number {
  if (text === null) return -1
  if (text !== context.target.uri) {
    context.target.uri = text
    context.requestUriChanged = true
  }
  return 1
}

interface Access {
  read(context: RouteContext): Value
  write(context: RouteContext, value: Value): boolean
}

function rewriteVariable(
  context: RouteContext,
  variable: Access,
  rewrite: (text: string) => string | null,
): number {
  const changed = rewrite(String(variable.read(context) ?? ''))
  return changed !== null && variable.write(context, changed) ? 1 : -1
}
