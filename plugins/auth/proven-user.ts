import type { AuthenticatedUser, HeaderId, UsedCredentials } from '../../src/plugin/index.ts'

/** The header that proved the user. */
export interface UsedHeader extends UsedCredentials {
  readonly header: HeaderId
}

/** `scope.authenticated`, with what consume_credentials() asks for. */
export class ProvenUser implements AuthenticatedUser {
  readonly user: string
  readonly realm: string
  readonly flowProven: boolean
  readonly qop: boolean
  /** Private: it is no part of who the user is. */
  readonly #used: UsedHeader

  constructor(user: string, realm: string, flowProven: boolean, qop: boolean, used: UsedHeader) {
    this.user = user
    this.realm = realm
    this.flowProven = flowProven
    this.qop = qop
    this.#used = used
  }

  get used(): UsedHeader {
    return this.#used
  }
}
