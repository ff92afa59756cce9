import {
  type AorRules,
  aorOfUri,
  type Binding,
  type Flow,
  type FlowTable,
  hostWithoutBrackets,
  type Location,
  parseUri,
  type SipMessage,
} from '../../src/plugin/index.ts'

/**
 * Whether who sends a request has a binding here, and sends from where that points: what a router that cannot keep up wants
 * to know. The name alone would not do: anybody can write one. A port may change, behind a NAT it does.
 */
export function hasBinding(
  request: SipMessage,
  flow: Flow,
  tables: Iterable<Location>,
  flows: FlowTable,
  rules: AorRules,
): boolean {
  if ((flows.find(flow)?.bindings.size ?? 0) > 0) return true
  const uri = request.method === 'REGISTER' ? request.readToUri() : request.readFromUri()
  const aor = aorOfUri(uri, rules)
  if (aor === null) return false
  for (const table of tables) {
    for (const binding of table.of(aor)) if (isFrom(binding, flow.address)) return true
  }
  return false
}

export function isFrom({ flow, received, contact }: Binding, address: string): boolean {
  if (flow !== null) return flow.flow.address === address
  const uri = parseUri(received || contact)
  return uri !== null && hostWithoutBrackets(uri.host) === address
}
