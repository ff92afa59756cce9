import {
  definePlugin,
  HeaderId,
  nativeDigest,
  type ParamValues,
  type PluginHost,
  type RouteContext,
  type Series,
} from '../../src/plugin/index.ts'
import { AuthCode, type AuthenticationResult, Authenticator, type Secret } from './authenticator.ts'
import type { BindingRules } from './binding.ts'
import { ChallengeFlag, Challenges } from './challenge.ts'
import { consumeCredentials } from './consume.ts'
import { findCredentials } from './credentials.ts'
import { type Algorithm, Digest, md5 } from './digest.ts'
import type { AuthExports } from './exports.ts'
import { authFunctions } from './functions.ts'
import { identityProblem } from './identity.ts'
import { reportMismatch } from './identity-report.ts'
import { Lockout } from './lockout.ts'
import { NonceMint, type Offer } from './nonce.ts'
import { openNonceUses } from './nonce-uses.ts'
import { notesOf } from './notes.ts'
import { algorithmList, authParams } from './params.ts'
import { nonceSecret } from './secret.ts'

/** Where pv_www_authenticate() and friends leave a challenge for the script to send. */
const challengeAvp = 'digest_challenge'

export default definePlugin({
  name: 'auth',
  summary:
    'Digest authentication: challenges, nonces, and the verification of answers (RFC 7616, RFC 8760, RFC 3261 §22).',
  params: authParams,
  functions: authFunctions,
  metrics: {
    viaduct_auth_results_total: { doc: 'Verified and refused credentials, by return code.' },
    viaduct_auth_challenges_total: { doc: 'Challenges sent.' },
  },

  async setup(host, params) {
    const rules = bindingRules(params)
    const secret = await nonceSecret(host, params.secret)
    const lifetime = { expireSeconds: params.nonce_expire, driftSeconds: params.nonce_auth_max_drift }
    const mint = new NonceMint(host.clock, host.random, secret, lifetime, host.workers, nativeDigest())
    const challenges = new Challenges(
      { mint, binding: rules, algorithms: algorithmList(params.algorithm), qop: params.qop as Offer['qop'] },
      md5,
    )
    const authenticator = createAuthenticator(host, params, mint, rules)
    const results = host.metrics.counter(
      'viaduct_auth_results_total',
      'Verified and refused credentials, by return code.',
      ['code'],
    )
    const sent = host.metrics.counter('viaduct_auth_challenges_total', 'Challenges sent.')
    /** From the lowest code on. */
    const byCode: Series[] = []
    const strip = (realm: string) =>
      params.realm_prefix !== '' && realm.startsWith(params.realm_prefix)
        ? realm.slice(params.realm_prefix.length)
        : realm

    const exported: AuthExports = {
      authenticate(context, request) {
        const result = authenticator.authenticate(context, request)
        const place = result.code - AuthCode.userMismatch
        byCode[place] ??= results.series(String(result.code))
        byCode[place].add()
        return result
      },
      identityProblem,
      reportMismatch: reportMismatch(host),
      stripRealm: strip,
    }

    function challenge(
      context: RouteContext,
      kind: 401 | 407,
      realm: string,
      flags: number,
      chosen: readonly Algorithm[] | null = null,
    ): number {
      const name = strip(realm)
      if (name === '') {
        host.log.error(context.logFields(), 'a challenge needs a realm')
        if ((flags & ChallengeFlag.silent) === 0) context.reply(500, 'Internal Server Error')
        return AuthCode.error
      }
      const header = kind === 401 ? 'WWW-Authenticate' : 'Proxy-Authenticate'
      const reason = kind === 401 ? 'Unauthorized' : 'Proxy Authentication Required'
      const headers = challenges.lines(context, header, name, flags, chosen)
      if (!send(context, kind, reason, headers)) return -3
      sent.add()
      return AuthCode.ok
    }

    function send(context: RouteContext, code: number, reason: string, headers: string): boolean {
      if (params.force_stateless_reply === 0) return context.reply(code, reason, { headers }) > 0
      const { forceRport, message, flow } = context
      const complete = context.replyHeaders + headers
      return host.proxy.stateless.reply(message, flow, code, reason, { headers: complete, forceRport })
    }

    function checkPassword(
      context: RouteContext,
      header: 'www' | 'proxy',
      realm: string,
      password: string,
      flags: number,
      method: string,
    ): AuthenticationResult {
      if (realm === '' || password === '') {
        host.log.error(context.logFields(), 'a password check needs a realm and a password')
        return { code: AuthCode.error, user: null }
      }
      const secret: Secret =
        (flags & 1) !== 0 ? { kind: 'ha1', ha1: password } : { kind: 'password', password }
      const findSecret = () => secret
      const result = exported.authenticate(context, { realm: strip(realm), header, method, findSecret })
      if (result.code < 0) leaveChallenge(context, header, realm, flags)
      return result
    }

    function leaveChallenge(
      context: RouteContext,
      header: 'www' | 'proxy',
      realm: string,
      flags: number,
    ): void {
      if ((flags & 14) === 0) return
      const name = header === 'www' ? 'WWW-Authenticate' : 'Proxy-Authenticate'
      const qop = (flags & 8) !== 0 ? ChallengeFlag.qopAuthInt : (flags & 4) !== 0 ? ChallengeFlag.qopAuth : 0
      const lines = challenges.lines(context, name, strip(realm), qop | (flags & ChallengeFlag.stale))
      context.scope.avps.push(challengeAvp, lines)
    }

    return {
      exports: exported,
      functions: {
        auth_challenge: (context, realm, flags, chosen) =>
          challenge(context, context.message.method === 'REGISTER' ? 401 : 407, realm, flags, chosen ?? null),
        www_challenge: (context, realm, flags) => challenge(context, 401, realm, flags),
        proxy_challenge: (context, realm, flags) => challenge(context, 407, realm, flags),
        auth_get_www_authenticate(context, realm, flags, target) {
          if (realm === '') return AuthCode.error
          const line = challenges.lines(context, 'WWW-Authenticate', strip(realm), flags)
          return target.write(context, line) ? AuthCode.ok : AuthCode.error
        },
        auth_algorithm(context, chosen) {
          notesOf(context).algorithms = chosen
          return AuthCode.ok
        },
        pv_www_authenticate: (context, realm, password, flags, method) =>
          checkPassword(context, 'www', realm, password, flags, method ?? context.message.method).code,
        pv_proxy_authenticate: (context, realm, password, flags, method) =>
          checkPassword(context, 'proxy', realm, password, flags, method ?? context.message.method).code,
        pv_auth_check(context, realm, password, flags, checks) {
          const { method } = context.message
          const header = method === 'REGISTER' ? 'www' : 'proxy'
          const result = checkPassword(context, header, realm, password, flags, method)
          if (result.user === null) return result.code
          const problem = identityProblem(context, result.user, checks, false)
          if (problem === null) return result.code
          exported.reportMismatch(context, 'pv_auth_check checks', checks, problem)
          return AuthCode.userMismatch
        },
        consume_credentials: consumeCredentials,
        has_credentials(context, realm) {
          const name = strip(realm)
          const { message } = context
          const found =
            findCredentials(message, HeaderId.authorization, name) ??
            findCredentials(message, HeaderId.proxyAuthorization, name)
          return found === null ? -1 : 1
        },
      },
    }
  },
})

function bindingRules(params: ParamValues<typeof authParams>): BindingRules {
  return {
    source: params.bind_nonce,
    register: params.auth_checks_register,
    outsideDialog: params.auth_checks_no_dlg,
    insideDialog: params.auth_checks_in_dlg,
  }
}

function createAuthenticator(
  host: PluginHost,
  params: ParamValues<typeof authParams>,
  mint: NonceMint,
  binding: BindingRules,
): Authenticator {
  const lockout = new Lockout(host.clock, params.lockout_failures, params.lockout_seconds)
  const { log, sockets } = host
  return new Authenticator(
    { digest: new Digest(), mint, uses: openNonceUses(host, mint.memory), lockout, log, sockets },
    {
      binding,
      countsNonces: params.nonce_count !== 0,
      oneTimeWithoutQop: params.one_time_nonce !== 0,
      oneTimeAlways: params.one_time_nonce === 1 && params.nonce_count !== 1,
      comparesUri: params.check_uri !== 0,
      addsAuthenticationInfo: params.add_authinfo_hdr !== 0,
    },
  )
}
