import { type Binding, urisEqual } from '../../src/plugin/index.ts'
import type { MatchingMode } from '../usrloc/exports.ts'

/** Which binding a Contact means: RFC 3261 §10.3 step 7, RFC 5626 §6, and matching_mode. */
export interface MatchedContact {
  readonly uri: string
  readonly instance: string
  readonly regId: number
}

/** What the request of the Contact adds. */
export interface MatchedRequest {
  readonly callId: string
  readonly path: readonly string[]
}

/** With +sip.instance: by instance and reg-id alone. Otherwise as the mode says. */
export function matches(
  binding: Binding,
  contact: MatchedContact,
  request: MatchedRequest,
  mode: MatchingMode,
): boolean {
  if (contact.instance !== '' && contact.regId !== 0) {
    return binding.instance === contact.instance && binding.regId === contact.regId
  }
  if (contact.instance !== '' && binding.instance === contact.instance && binding.regId === 0) return true
  if (mode === 3) return binding.callId === request.callId
  if (!sameContact(binding.contact, contact.uri)) return false
  if (mode === 1) return binding.callId === request.callId
  return mode !== 2 || samePath(binding.path, request.path)
}

export function sameContact(a: string, b: string): boolean {
  return a === b || urisEqual(a, b)
}

function samePath(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((hop, i) => hop === b[i])
}
