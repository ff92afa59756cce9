import {
  aorOfUri,
  type Binding,
  type Edges,
  type Flow,
  type PluginHost,
  RpcFault,
  type SipMessage,
} from '../../src/plugin/index.ts'
import type { UsrlocExports } from './exports.ts'
import { isFrom } from './known.ts'

/**
 * An edge that is to be stopped is emptied first: devices that it does not have are told to go elsewhere, those that it has go
 * on until they do so by themselves, and the others go on to send to it what is for them (docs/decisions/0025-edges.md).
 */
export class EdgeDrain {
  readonly #host: PluginHost
  readonly #edges: Edges
  readonly #usrloc: Pick<UsrlocExports, 'tables' | 'aorRules'>
  readonly #refused

  constructor(host: PluginHost, edges: Edges, usrloc: Pick<UsrlocExports, 'tables' | 'aorRules'>) {
    this.#host = host
    this.#edges = edges
    this.#usrloc = usrloc
    this.#refused = host.metrics.counter(
      'viaduct_edges_drained_total',
      'REGISTERs of devices of others that were answered 503 while this edge is emptied.',
    )
  }

  /** A REGISTER of a device that is not ours, while we are emptied: RFC 3261 §21.5.4. True: it is answered. */
  takes(request: SipMessage, flow: Flow): boolean {
    if (!this.#edges.isDraining || request.method !== 'REGISTER' || this.#isOwn(request, flow)) return false
    const { proxy, random } = this.#host
    this.#refused.add()
    const seconds = retrySecondsMin + random.integer(retrySecondsMin)
    const headers = `Retry-After: ${seconds}\r\n`
    proxy.stateless.reply(request, flow, 503, 'Service Unavailable', { headers })
    return true
  }

  /** By its Call-ID, which a device keeps (RFC 3261 §10.2.4), or by where it comes from. */
  #isOwn(request: SipMessage, { address }: Flow): boolean {
    const aor = aorOfUri(request.readToUri(), this.#usrloc.aorRules)
    if (aor === null) return false
    for (const table of this.#usrloc.tables()) {
      const bindings: readonly Binding[] = table.of(aor)
      for (const binding of bindings) {
        if (binding.elsewhere !== null) continue
        if (binding.callId === request.callId || isFrom(binding, address)) return true
      }
    }
    return false
  }

  /** `viaduct ctl drain [on|off|status]`. */
  command([state = 'on']: readonly unknown[]): unknown {
    if (state === 'on' || state === 'off') this.#edges.drain(state === 'on')
    else if (state !== 'status') throw new RpcFault(400, 'on, off or status')
    return this.#report()
  }

  #report(): unknown {
    let bindings = 0
    let flows = 0
    for (const table of this.#usrloc.tables()) {
      bindings += table.bindingCount
      for (const { flow } of table.held()) if (flow !== null) flows++
    }
    const { self, isDraining } = this.#edges
    return { edge: self.name, uri: self.uri, draining: isDraining ? 'yes' : 'no', bindings, flows }
  }
}

/** Who has no other edge comes again after this, or up to twice as much: not all in the same second. */
const retrySecondsMin = 30
