import { type Binding, urisEqual } from '../../src/plugin/index.ts'
import type { MatchingMode } from '../usrloc/exports.ts'

/** Which binding a Contact means: RFC 3261 §10.3 step 7, RFC 5626 §6, and matching_mode. */
export interface MatchKey {
  readonly uri: string
  readonly instance: string
  readonly regId: number
  readonly callId: string
  readonly path: readonly string[]
}

/** With +sip.instance: by instance and reg-id alone. Otherwise as the mode says. */
export function matches(binding: Binding, key: MatchKey, mode: MatchingMode): boolean {
  if (key.instance !== '' && key.regId !== 0) {
    return binding.instance === key.instance && binding.regId === key.regId
  }
  if (key.instance !== '' && binding.instance === key.instance && binding.regId === 0) return true
  if (mode === 3) return binding.callId === key.callId
  if (!sameContact(binding.contact, key.uri)) return false
  if (mode === 1) return binding.callId === key.callId
  return mode !== 2 || samePath(binding.path, key.path)
}

export function sameContact(a: string, b: string): boolean {
  return a === b || urisEqual(a, b)
}

function samePath(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((hop, i) => hop === b[i])
}
