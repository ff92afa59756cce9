import { ArgumentProblem, type ParamDeclaration } from '../../src/plugin/index.ts'
import { type Algorithm, algorithmNamed, algorithms } from './digest.ts'

/** Parameters: Kamailio's by their names, ours below. */
export const authParams = {
  secret: {
    type: 'string',
    doc: 'Signs the nonces. Without it a random one is made once and kept, so that nonces survive a restart.',
  },
  nonce_expire: { type: 'int', default: 300, unit: 's', doc: 'How long a nonce is good.' },
  nonce_auth_max_drift: {
    type: 'int',
    default: 3,
    unit: 's',
    doc: 'How far in the future a nonce may have been issued, by the clock of another router with the same secret.',
  },
  auth_checks_register: checks('REGISTER'),
  auth_checks_no_dlg: checks('requests outside of dialogs'),
  auth_checks_in_dlg: checks('requests inside of dialogs'),
  qop: {
    type: 'string',
    default: 'auth',
    check: checkQop,
    doc: 'What a challenge offers whose flags ask for qop: auth, auth-int, or auth,auth-int.',
  },
  nonce_count: {
    type: 'int',
    doc: 'Whether a count may be used once only where the client answers with qop. Default here: yes; 0 turns it off.',
  },
  one_time_nonce: {
    type: 'int',
    doc: '1: every nonce serves one request. Default here: only those that are answered without qop; 0: none.',
  },
  realm_prefix: { type: 'string', default: '', doc: 'Taken off the front of every realm.' },
  algorithm: {
    type: 'string',
    default: '',
    check: (value: string | number) => void algorithmList(String(value)),
    doc: 'What is offered, strongest first: "SHA-256,MD5". Empty: MD5, without saying so on the wire.',
  },
  force_stateless_reply: { type: 'int', default: 0, doc: '1: challenges are sent statelessly.' },
  add_authinfo_hdr: {
    type: 'int',
    default: 0,
    doc: '1: answers to authenticated requests carry Authentication-Info (RFC 7616 §3.5).',
  },

  nc_array_size: sizing('the counts of all nonces are kept in one bounded table'),
  nc_array_order: sizing('the counts of all nonces are kept in one bounded table'),
  otn_in_flight_no: sizing('used nonces are kept in one bounded table'),
  otn_in_flight_order: sizing('used nonces are kept in one bounded table'),
  nid_pool_no: sizing('nonces are told apart by a number that counts'),
  protect_contacts: sizing('Kamailio ignores it too'),
  use_domain: sizing('set use_domain of auth_db'),

  bind_nonce: {
    type: 'int',
    default: 1,
    check: (value: string | number) => oneOf(value, [0, 1, 2]),
    doc: 'A nonce is good only from where it was sent to: 0 anywhere, 1 that address, 2 that address and port.',
  },
  check_uri: {
    type: 'int',
    default: 1,
    doc: 'The digest URI must name what the Request-URI names: same user, same host or both hosts our own. 0: not asked.',
  },
  lockout_failures: {
    type: 'int',
    default: 0,
    doc: 'So many wrong passwords for a user from one address, and that address is refused for a while. 0: never.',
  },
  lockout_seconds: { type: 'int', default: 300, unit: 's', doc: 'For how long.' },
} as const satisfies Record<string, ParamDeclaration>

function checks(what: string) {
  return {
    type: 'int',
    default: 0,
    doc: `What a nonce is bound to for ${what}: 1 Request-URI, 2 Call-ID, 4 From tag, 8 source address.`,
  } as const
}

function sizing(ignored: string) {
  return { type: 'int', ignored, doc: 'Memory sizing of Kamailio.' } as const
}

function checkQop(value: string | number): void {
  if (!/^(auth|auth-int|auth,auth-int)?$/.test(String(value))) {
    throw new ArgumentProblem(`qop "${value}" is unknown`, 'auth, auth-int, or auth,auth-int')
  }
}

function oneOf(value: string | number, allowed: readonly number[]): void {
  if (!allowed.includes(Number(value))) {
    throw new ArgumentProblem(`${value} makes no sense here`, `one of ${allowed.join(', ')}`)
  }
}

/** `SHA-256,MD5`; [] for an empty text. @throws ArgumentProblem for an unknown name. */
export function algorithmList(text: string): Algorithm[] {
  const names = text.split(',').map((name) => name.trim())
  return names.filter((name) => name !== '').map(knownAlgorithm)
}

function knownAlgorithm(name: string): Algorithm {
  const algorithm = algorithmNamed(name)
  if (algorithm !== null) return algorithm
  const hint = name.toLowerCase().endsWith('-sess')
    ? 'session variants are not offered: they need state between requests and add nothing'
    : `one or more of ${algorithms.map((known) => known.name).join(', ')}`
  throw new ArgumentProblem(`digest algorithm "${name}" is unknown`, hint)
}
