import type { RouteContext } from '../../src/plugin/index.ts'
import type { AuthenticationRequest, AuthenticationResult, DigestUser } from './authenticator.ts'
import type { IdentityProblem } from './identity.ts'

/** What module auth does for modules that know passwords (auth_db): `host.exportsOf<AuthExports>('auth')`. */
export interface AuthExports {
  /** Verifies the digest answer; sets `scope.authenticated`. Never throws because of the message. */
  authenticate(context: RouteContext, request: AuthenticationRequest): AuthenticationResult
  /** What differs between the digest's user and the message's; null if nothing does or `flags` do not ask. */
  identityProblem(
    context: RouteContext,
    user: DigestUser,
    flags: number,
    useDomain: boolean,
  ): IdentityProblem | null
  /** Says once in a while, at level warn, which function refused whom, and what to do about it. */
  reportMismatch(context: RouteContext, what: string, flags: number, problem: IdentityProblem): void
  /** Without `realm_prefix`. */
  stripRealm(realm: string): string
}

export {
  AuthCode,
  type AuthenticationRequest,
  type AuthenticationResult,
  type DigestUser,
  type FindSecret,
  type Secret,
} from './authenticator.ts'
export type { Algorithm } from './digest.ts'
export { authReturns } from './functions.ts'
export type { IdentityProblem } from './identity.ts'
