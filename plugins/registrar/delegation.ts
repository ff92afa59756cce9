import type { FlowState, RouteContext } from '../../src/plugin/index.ts'

/**
 * What allow_third_party() (module learn) leaves for the save() that follows: somebody else's REGISTER was
 * allowed, within these bounds.
 */
export interface Delegation {
  /** Canonical address-of-record that may be written; save() refuses any other. */
  readonly aor: string
  /** The digest user who writes. */
  readonly principal: string
  readonly bindingsMax: number
  readonly expiresSecondsMax: number
  /** May it remove what other delegates wrote? */
  readonly mayRemove: boolean
  /** The flow that a contact stands for; null if it is reached as its URI says. */
  flowOf(contact: string): FlowState | null
}

const note = 'registrar.delegation'

/** The next save() of this message stores for somebody else. */
export function delegate(context: RouteContext, delegation: Delegation): void {
  context.scope.notes.set(note, delegation)
}

export function delegationOf({ scope }: RouteContext): Delegation | undefined {
  return scope.hasNotes === false ? undefined : (scope.notes.get(note) as Delegation | undefined)
}
