import { HeaderId } from '../../sip/header-id.ts'
import { type AuthValue, parseCredentials } from '../../sip/headers/credentials.ts'
import type { SipMessage } from '../../sip/message.ts'
import { parseUri } from '../../sip/uri.ts'
import type { ScriptRun } from '../route-context.ts'
import { hostOf } from './request-uri.ts'
import { type CoreVariables, orNull, text } from './variable.ts'

/**
 * The digest credentials of the request as they came, whether proved or not: who relies on them asks an auth
 * function first. A request that several parties challenged has several; the first header counts.
 */
export const credentialVariables: CoreVariables = {
  au: text('Username without its domain.', (run) => userOf(usernameOf(run))),
  aU: text('Username as it came.', usernameOf),
  ad: text('Domain of the username.', (run) => {
    const name = usernameOf(run)
    return name === null ? null : name.includes('@') ? name.slice(name.indexOf('@') + 1) : ''
  }),
  ar: text('Realm.', (run) => credentials(run)?.realm ?? null),
  adu: text('Digest URI.', (run) => credentials(run)?.uri ?? null),
  aa: text('Algorithm.', (run) => credentials(run)?.algorithm ?? null),
  adn: text('Nonce.', (run) => credentials(run)?.nonce ?? null),
  adc: text('Client nonce.', (run) => credentials(run)?.cnonce ?? null),
  ado: text('Opaque.', (run) => credentials(run)?.opaque ?? null),
  adr: text('Response.', (run) => credentials(run)?.response ?? null),
  Au: text('User for accounting: the authenticated user with its realm, else From.', (run) => {
    const { authenticated } = run.scope
    return authenticated === null ? fromUser(run, true) : `${authenticated.user}@${authenticated.realm}`
  }),
  AU: text('User part of the user for accounting.', (run) =>
    run.scope.authenticated === null ? fromUser(run, false) : run.scope.authenticated.user,
  ),
}

function credentials(run: ScriptRun): AuthValue | null {
  const { message } = run
  const value = message.value(HeaderId.authorization) || message.value(HeaderId.proxyAuthorization)
  if (value === '') return null
  const parsed = parseCredentials(value)
  return parsed?.scheme === 'digest' ? parsed : null
}

/** Mostly asked after an auth function, which knows it if it has read the same header. */
function usernameOf(run: ScriptRun): string | null {
  const { message, scope } = run
  const used = scope.authenticated?.used
  if (used !== undefined && used.message === message && used.index === firstOf(message)) return used.username
  return credentials(run)?.username ?? null
}

function firstOf(message: SipMessage): number {
  const first = message.first(HeaderId.authorization)
  return first === -1 ? message.first(HeaderId.proxyAuthorization) : first
}

function userOf(name: string | null): string | null {
  if (name === null) return null
  const at = name.indexOf('@')
  return at < 0 ? name : name.slice(0, at)
}

function fromUser(run: ScriptRun, withHost: boolean): string | null {
  const uri = run.message.from === null ? null : parseUri(run.message.from.uri)
  if (uri === null || uri.user === null) return null
  return withHost ? orNull(`${uri.user}@${hostOf(uri) ?? ''}`) : uri.user
}
