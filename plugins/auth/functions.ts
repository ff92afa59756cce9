import type { FunctionDeclaration } from '../../src/plugin/index.ts'
import { algorithmList } from './params.ts'

const realm = { name: 'realm', type: 'string', doc: 'The protection realm.' } as const
const challengeFlags = {
  name: 'flags',
  type: 'int',
  doc: '1 offer qop, 2 offer qop auth-int, 4 no 500 if it fails, 16 stale=true.',
} as const
const password = {
  name: 'password',
  type: 'string',
  doc: "The user's password; with flag 1 the HA1 digest.",
} as const
const checkFlags = {
  name: 'flags',
  type: 'int',
  doc: '1: password is HA1. 2, 4, 8: on failure put a challenge without qop, with qop auth, with auth-int into $avp(digest_challenge); 16: with stale=true.',
} as const
const method = {
  name: 'method',
  type: 'string',
  optional: true,
  doc: 'The method that the digest was computed with, if not that of the request.',
} as const

/** The codes that every authenticating function shares. */
export const authReturns = {
  1: 'The user proved their password.',
  '-1': 'Error: malformed credentials, digest URI of another resource, or a source of passwords that failed.',
  '-2': 'Wrong password, an answer weaker than the challenge, or locked out.',
  '-3': 'Unknown user.',
  '-4': 'The nonce is too old or not ours: the challenge that follows says stale=true if the password was right.',
  '-5': 'No credentials for this realm.',
  '-6': 'The nonce, or this count of it, was used before.',
} as const

const challengeReturns = {
  1: 'Challenged.',
  '-1': 'No realm, or an internal error; answered with 500 unless flag 4 is set.',
  '-3': 'The answer could not be sent.',
} as const

/** Functions of module auth, with Kamailio's names. */
export const authFunctions = {
  auth_challenge: {
    in: ['request'],
    args: [
      realm,
      challengeFlags,
      {
        name: 'algorithms',
        type: 'string',
        optional: true,
        prepare: algorithmList,
        doc: 'Instead of those of parameter algorithm.',
      },
    ],
    returns: challengeReturns,
    doc: 'Challenges: 401 for REGISTER, 407 for everything else (RFC 3261 §22.2, §22.3).',
  },
  www_challenge: {
    in: ['request'],
    args: [realm, challengeFlags],
    returns: challengeReturns,
    doc: 'Challenges with 401 and WWW-Authenticate.',
  },
  proxy_challenge: {
    in: ['request'],
    args: [realm, challengeFlags],
    returns: challengeReturns,
    doc: 'Challenges with 407 and Proxy-Authenticate.',
  },
  auth_get_www_authenticate: {
    in: ['request'],
    args: [realm, challengeFlags, { name: 'target', type: 'variable', doc: 'Gets the header line.' }],
    returns: { 1: 'Written.', '-1': 'No realm, or the variable could not be written.' },
    doc: 'Writes a WWW-Authenticate header line, CRLF included, into a variable.',
  },
  auth_algorithm: {
    in: ['request'],
    args: [
      { name: 'algorithms', type: 'string', prepare: algorithmList, doc: 'Strongest first: "SHA-256,MD5".' },
    ],
    returns: { 1: 'Chosen.' },
    doc: 'Chooses what challenges of this message offer.',
  },
  pv_www_authenticate: {
    in: ['request'],
    args: [realm, password, checkFlags, method],
    returns: authReturns,
    aliases: ['pv_www_authorize'],
    doc: 'Verifies the Authorization header against a password that the script knows.',
  },
  pv_proxy_authenticate: {
    in: ['request'],
    args: [realm, password, checkFlags, method],
    returns: authReturns,
    aliases: ['pv_proxy_authorize'],
    doc: 'Verifies the Proxy-Authorization header against a password that the script knows.',
  },
  pv_auth_check: {
    in: ['request'],
    args: [
      realm,
      password,
      checkFlags,
      { name: 'checks', type: 'int', doc: '1: the user must be that of To or From, as in auth_check().' },
    ],
    returns: { ...authReturns, '-8': "The password was right, but the user is not the message's." },
    doc: 'The same for REGISTER (Authorization) and everything else (Proxy-Authorization), with identity check.',
  },
  consume_credentials: {
    in: ['request'],
    returns: { 1: 'Removed.', '-1': 'There were none.' },
    doc: 'Removes the header that proved the user, so that nobody behind us sees it.',
  },
  has_credentials: {
    in: ['request'],
    args: [realm],
    returns: { 1: 'Yes.', '-1': 'No.' },
    doc: 'Are there credentials for this realm?',
  },
} as const satisfies Record<string, FunctionDeclaration>
