import type { HeaderId, RouteContext } from '../../src/plugin/index.ts'
import type { Algorithm } from './digest.ts'

/** What the functions of this module tell each other about one message. */
export interface AuthNotes {
  /** The header that proved the user: what consume_credentials() removes. */
  used: { header: HeaderId; text: string } | null
  /** The realm whose answer was right but for its nonce: its next challenge says stale=true. */
  staleRealm: string | null
  /** auth_algorithm() chose for this message; null: as the parameter says. */
  algorithms: readonly Algorithm[] | null
}

export function notesOf(context: RouteContext): AuthNotes {
  const { notes } = context.scope
  const known = notes.get('auth') as AuthNotes | undefined
  if (known !== undefined) return known
  const created: AuthNotes = { used: null, staleRealm: null, algorithms: null }
  notes.set('auth', created)
  return created
}
