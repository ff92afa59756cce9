import type { Flow, SipMessage } from '../../src/plugin/index.ts'
import type { Binding } from './nonce.ts'

/** What a nonce is bound to besides its realm: parameters `bind_nonce` and `auth_checks_*`. */
export interface BindingRules {
  /** 0: nothing, 1: the source address, 2: address and port. */
  readonly source: number
  /** Kamailio's bits: 1 Request-URI, 2 Call-ID, 4 From tag, 8 source address. */
  readonly register: number
  readonly outsideDialog: number
  readonly insideDialog: number
}

export function bindingOf(rules: BindingRules, realm: string, message: SipMessage, flow: Flow): Binding {
  const checks = checksFor(rules, message)
  // The address alone, which is what nearly all bind to, needs no text of its own.
  if (checks === 0 && rules.source === 1) return { realm, bound: flow.address, flow }
  const parts = [
    rules.source > 0 || (checks & 8) !== 0 ? flow.address : '',
    rules.source > 1 ? String(flow.port) : '',
    (checks & 1) === 0 ? '' : message.requestUri,
    (checks & 2) === 0 ? '' : message.callId,
    (checks & 4) === 0 ? '' : message.fromTag,
  ]
  return { realm, bound: parts.join('\0'), flow }
}

function checksFor(rules: BindingRules, message: SipMessage): number {
  if (message.method === 'REGISTER') return rules.register
  return message.toTag === '' ? rules.outsideDialog : rules.insideDialog
}
