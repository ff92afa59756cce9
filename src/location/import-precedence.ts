import type { Binding } from './binding.ts'
import type { ListedBinding } from './listed-binding.ts'
import { mayReplace } from './precedence.ts'

/**
 * What becomes of a binding that is imported where others are. The newer registration wins: of one Call-ID the higher CSeq
 * (RFC 3261 §10.3 step 7), else what was written later. A lower origin never replaces a higher one.
 */
export type Verdict = 'add' | 'replace' | 'same' | 'older' | 'lower'

export interface Judged {
  readonly verdict: Verdict
  /** The one in whose place it comes. */
  readonly existing: Binding | null
}

/** `toWall` makes wall time of the bindings' own. */
export function judge(
  listed: ListedBinding,
  present: readonly Binding[],
  toWall: number,
  mayReplaceNewer: boolean,
): Judged {
  const existing = present.find((binding) => isSameDevice(listed, binding)) ?? null
  if (existing === null) return { verdict: 'add', existing }
  if (!mayReplace(listed.origin, existing.origin)) return { verdict: 'lower', existing }
  if (mayReplaceNewer) return { verdict: 'replace', existing }
  const order = isSameCall(listed, existing)
    ? listed.cseq - existing.cseq
    : listed.modified - Math.round(existing.modifiedAt + toWall)
  return { verdict: order > 0 ? 'replace' : order === 0 ? 'same' : 'older', existing }
}

function isSameDevice(listed: ListedBinding, binding: Binding): boolean {
  if (listed.ruid !== '' && listed.ruid === binding.ruid) return true
  if (listed.instance !== '' || binding.instance !== '') {
    return listed.instance === binding.instance && listed.regId === binding.regId
  }
  return listed.contact === binding.contact && listed.path.join() === binding.path.join()
}

function isSameCall(listed: ListedBinding, binding: Binding): boolean {
  return listed.callId !== '' && listed.callId === binding.callId
}
