import {
  type ArgumentDeclaration,
  ArgumentProblem,
  anyRoute,
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
import { checkDate, isFirstHop } from './hop.ts'
import * as numbers from './numbers.ts'

/** Kamailio's siputils: tests of messages, URIs and numbers; contacts that lead back to us. */
const yesNo = { 1: 'yes', '-1': 'no' } as const
const yesNoTwo = { 1: 'yes', '-2': 'no' } as const
const contactRoutes = ['request', 'core-reply', 'reply', 'branch', 'failure'] as const

const value = { name: 'value', type: 'string', doc: 'What to test.' } as const satisfies ArgumentDeclaration
const uri = { name: 'uri', type: 'string', doc: 'A URI.' } as const satisfies ArgumentDeclaration
const otherUri = { name: 'other', type: 'string', doc: 'Another one.' } as const satisfies ArgumentDeclaration
const param = { name: 'name', type: 'string', doc: 'Parameter name.' } as const satisfies ArgumentDeclaration
const uriVariable = {
  name: 'uri',
  type: 'variable',
  doc: 'A variable that holds a URI.',
} as const satisfies ArgumentDeclaration

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
  functions: {
    has_totag: { in: anyRoute, returns: yesNo, doc: 'Tests whether To has a tag: in a dialog.' },
    is_request: { in: anyRoute, returns: yesNo, doc: 'Tests whether the message is a request.' },
    is_reply: { in: anyRoute, returns: yesNo, doc: 'Tests whether the message is a response.' },
    is_first_hop: {
      in: anyRoute,
      args: [
        {
          name: 'mode',
          type: 'int',
          optional: true,
          doc: '1: in a response a Record-Route with our name counts too, and its source is not looked at.',
        },
      ],
      returns: yesNo,
      doc: 'Tests whether nobody stands between us and the sender, as well as Via and Record-Route can tell.',
    },
    is_user: {
      in: ['request', 'failure', 'branch'],
      args: [{ name: 'user', type: 'string', doc: 'User name of the credentials.' }],
      returns: yesNo,
      doc: 'Tests who was authenticated.',
    },
    is_supported: {
      in: anyRoute,
      args: [{ name: 'option', type: 'string', doc: 'Option tag: `path`, `outbound`, ...' }],
      returns: yesNo,
      doc: 'Tests whether Supported names the option.',
    },
    is_uri: { in: anyRoute, args: [uri], returns: yesNo, doc: 'Tests whether it is a URI.' },
    is_gruu: {
      in: anyRoute,
      args: [{ ...uri, optional: true }],
      returns: { 1: 'public GRUU', 2: 'temporary GRUU', '-1': 'no GRUU' },
      doc: 'Tests for a `gr` parameter in the URI, the Request-URI if none is given (RFC 5627).',
    },
    cmp_uri: {
      in: anyRoute,
      args: [uri, otherUri],
      returns: { 1: 'equal', '-1': 'different', '-2': 'one is no URI' },
      doc: 'Compares two URIs (RFC 3261 §19.1.4).',
    },
    cmp_aor: {
      in: anyRoute,
      args: [uri, otherUri],
      returns: { 1: 'equal', '-1': 'different', '-2': 'one is no URI' },
      doc: 'Compares user and host of two URIs.',
    },
    cmp_hdr_name: {
      in: anyRoute,
      args: [
        { name: 'name', type: 'string', doc: 'A header name.' },
        { name: 'other', type: 'string', doc: 'Another one.' },
      ],
      returns: yesNo,
      doc: 'Tests whether two header names mean the same header, compact forms included.',
    },
    is_e164: { in: anyRoute, args: [value], returns: yesNo, doc: 'Tests for `+` and 2 to 15 digits.' },
    is_uri_user_e164: {
      in: anyRoute,
      args: [uri],
      returns: yesNo,
      aliases: ['uri_user_is_e164'],
      doc: 'Tests whether the user of a URI is an E.164 number.',
    },
    is_tel_number: {
      in: anyRoute,
      args: [value],
      returns: yesNoTwo,
      doc: 'Tests for digits, a `+` before them or not.',
    },
    is_numeric: { in: anyRoute, args: [value], returns: yesNoTwo, doc: 'Tests for digits.' },
    is_alphanum: {
      in: anyRoute,
      args: [value],
      returns: { 1: 'yes', '-2': 'empty', '-3': 'no' },
      doc: 'Tests for ASCII letters and digits.',
    },
    is_alphanumex: {
      in: anyRoute,
      args: [value, { name: 'extra', type: 'string', doc: 'Further characters that may stand there.' }],
      returns: { 1: 'yes', '-2': 'empty', '-3': 'no' },
      doc: 'Tests for ASCII letters, digits, and further characters.',
    },
    uri_param: {
      in: ['request', 'failure', 'branch'],
      args: [param, { name: 'value', type: 'string', optional: true, doc: 'What its value must be.' }],
      returns: yesNo,
      doc: 'Tests for a parameter of $ru: with that value, without any if none is given.',
    },
    uri_param_any: {
      in: ['request', 'failure', 'branch'],
      args: [param],
      returns: yesNo,
      doc: 'Tests for a parameter of $ru, whatever its value.',
    },
    add_uri_param: {
      in: ['request', 'failure', 'branch'],
      args: [{ name: 'param', type: 'string', doc: '`name=value` or `name`.' }],
      returns: { 1: 'done', '-1': '$ru is no URI' },
      doc: 'Adds a parameter to $ru.',
    },
    get_uri_param: {
      in: ['request', 'failure', 'branch'],
      args: [param, { name: 'variable', type: 'variable', doc: 'Where the value goes.' }],
      returns: { 1: 'found', '-1': 'not there' },
      doc: 'Reads a parameter of $ru.',
    },
    uri_param_rm: {
      in: ['request', 'failure', 'branch'],
      args: [param],
      returns: { 1: 'done, or it was not there', '-1': '$ru is no URI' },
      doc: 'Removes a parameter from $ru.',
    },
    tel2sip: {
      in: anyRoute,
      args: [
        uri,
        { name: 'host', type: 'string', doc: 'Host of the SIP URI.' },
        { name: 'result', type: 'variable', doc: 'Where the SIP URI goes.' },
      ],
      returns: { 1: 'converted', 2: 'it is no tel URI: nothing to do', '-1': 'cannot be stored' },
      doc: 'Makes a SIP URI of a tel URI (RFC 3261 §19.1.6).',
    },
    set_uri_user: {
      in: anyRoute,
      args: [uriVariable, { name: 'user', type: 'string', doc: "New user; '' removes it." }],
      returns: { 1: 'done', '-1': 'the variable holds no SIP URI' },
      doc: 'Changes the user of a URI in a variable.',
    },
    set_uri_host: {
      in: anyRoute,
      args: [uriVariable, { name: 'host', type: 'string', doc: 'New host.' }],
      returns: { 1: 'done', '-1': 'the variable holds no SIP URI' },
      doc: 'Changes the host of a URI in a variable.',
    },
    encode_contact: {
      in: contactRoutes,
      args: [
        { name: 'prefix', type: 'string', doc: 'Marks an encoded Contact.' },
        { name: 'host', type: 'string', doc: 'Our address or name.' },
      ],
      returns: { 1: 'done', '-1': 'no Contact, or one that cannot be encoded' },
      doc: 'Contacts become sip:prefix*user*password*host*port*transport@us.',
    },
    decode_contact: {
      in: ['request', 'failure', 'branch'],
      returns: { 1: 'done', '-1': '$ru is not encoded' },
      doc: 'Takes $ru apart again.',
    },
    decode_contact_header: {
      in: contactRoutes,
      returns: { 1: 'done', '-1': 'no Contact, or one that is not encoded' },
      doc: 'Takes Contacts apart again.',
    },
    contact_param_encode: {
      in: contactRoutes,
      args: [param, { name: 'address', type: 'string', doc: 'Our address as a URI.' }],
      returns: { 1: 'done', '-1': 'no Contact, or a bad address' },
      doc: 'Contacts become our address with the former URI, in base64url, as a parameter.',
    },
    contact_param_decode: {
      in: contactRoutes,
      args: [param],
      returns: { 1: 'done', '-1': 'no Contact, or a parameter that is no URI' },
      doc: 'Contacts become what the parameter holds; those without it stay.',
    },
    contact_param_decode_ruri: {
      in: ['request', 'failure', 'branch'],
      args: [param],
      returns: { 1: 'done', '-1': '$ru has no such parameter, or it holds no URI' },
      aliases: ['contact_param_decode_uri'],
      doc: '$ru becomes what the parameter holds.',
    },
    contact_param_rm: {
      in: contactRoutes,
      args: [param],
      returns: { 1: 'done', '-1': 'no Contact' },
      doc: 'Removes a parameter from the URIs of Contacts.',
    },
    options_reply: {
      in: ['request'],
      returns: { 1: 'answered', '-1': 'not OPTIONS, or $ru has a user' },
      doc: 'Answers an OPTIONS for the router itself with 200.',
    },
    append_rpid_hf: {
      in: ['request', 'failure', 'branch'],
      args: [
        { name: 'prefix', type: 'string', optional: true, doc: 'Instead of rpid_prefix.' },
        { name: 'suffix', type: 'string', optional: true, doc: 'Instead of rpid_suffix.' },
      ],
      returns: { 1: 'done', '-1': 'the variable is empty' },
      doc: 'Adds a Remote-Party-ID header.',
    },
    is_rpid_user_e164: {
      in: ['request', 'failure', 'branch'],
      returns: yesNo,
      doc: 'Tests whether the user of the Remote-Party-ID to come is an E.164 number.',
    },
    sip_p_charging_vector: {
      in: anyRoute,
      args: [
        {
          name: 'flags',
          type: 'string',
          prepare: (flags: string) => {
            if (['r', 'g', 'f'].includes(flags)) return flags
            throw new ArgumentProblem(`unknown flag "${flags}"`, 'one of r, g, f')
          },
          doc: 'r removes, g makes one if there is none, f makes a new one.',
        },
      ],
      returns: { 1: 'done' },
      doc: 'Manages P-Charging-Vector (RFC 7315 §5.6).',
    },
    hdr_date_check: {
      in: anyRoute,
      args: [{ name: 'seconds', type: 'int', doc: 'How old it may be.' }],
      returns: { 1: 'young enough', '-1': 'no Date that can be read', '-4': 'too old' },
      doc: 'Tests the Date header against the clock.',
    },
  },
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
    unescapeUser(a.user ?? '') === unescapeUser(b.user ?? '') && asciiLower(a.host) === asciiLower(b.host)
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
