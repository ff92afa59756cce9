import type { RouteContext } from '../../src/plugin/index.ts'
import type { Algorithm } from './digest.ts'

/** What the functions of this module tell each other about one message. */
export interface AuthNotes {
  /** The realm whose answer was right but for its nonce: its next challenge says stale=true. */
  staleRealm: string | null
  /** auth_algorithm() chose for this message; null: as the parameter says. */
  algorithms: readonly Algorithm[] | null
}

/** To be written to. */
export function notesOf(context: RouteContext): AuthNotes {
  const { notes } = context.scope
  const known = notes.get('auth') as AuthNotes | undefined
  if (known !== undefined) return known
  const created: AuthNotes = { staleRealm: null, algorithms: null }
  notes.set('auth', created)
  return created
}

/** To be read: for most messages nobody has noted anything, and nothing is made to hear that. */
export function notesSeen({ scope }: RouteContext): AuthNotes {
  if (scope.hasNotes === false) return nothing
  return (scope.notes.get('auth') as AuthNotes | undefined) ?? nothing
}

const nothing: AuthNotes = Object.freeze({ staleRealm: null, algorithms: null })
