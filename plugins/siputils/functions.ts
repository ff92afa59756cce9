import {
  type ArgumentDeclaration,
  ArgumentProblem,
  anyRoute,
  type FunctionDeclaration,
} from '../../src/plugin/index.ts'

/** What siputils offers to scripts: index.ts binds the implementations. */
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

export const functions = {
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
} as const satisfies Record<string, FunctionDeclaration>
