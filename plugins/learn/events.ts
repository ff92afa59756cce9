import type { Binding, Flow, PluginHost, RouteContext, SipMessage } from '../../src/plugin/index.ts'

/** Every learn, refresh, refusal, conflict and expiry is a counter and, if the script has the route, an event. */
export type LearnEvent =
  | 'learned'
  | 'refreshed'
  | 'moved'
  | 'refused'
  | 'conflict'
  | 'proven'
  | 'expired'
  | 'cold'

/** What `$learn(...)` reads. */
export interface LearnRecord {
  readonly aor: string
  /** `learned`, `refreshed`, `moved`, `refused`, `conflict`, ... */
  readonly result: string
  /** A name of policy.ts, or why a binding went; '' if there is nothing to say. */
  readonly reason: string
  readonly flow: string
  readonly trust: string
}

export const learnNote = 'learn'

/** Event routes that are worth running for each packet of a flood: the ones that the script has. */
export function announce(
  host: PluginHost,
  event: LearnEvent | 'third-party',
  record: LearnRecord,
  message: SipMessage | null,
  flow: Flow | null,
): void {
  const name = `learn:${event}`
  if (!host.script.hasRoute('event', name)) return
  const done = host.script.runEvent(name, message, flow, (context) => {
    context.scope.notes.set(learnNote, record)
  })
  if (done instanceof Promise)
    done.catch((error) => host.log.error({ err: error }, `event_route[${name}] failed`))
}

export function recordOf(context: RouteContext): LearnRecord | undefined {
  return context.scope.notes.get(learnNote) as LearnRecord | undefined
}

export function bindingRecord(binding: Binding, result: string, reason: string): LearnRecord {
  return {
    aor: binding.aor,
    result,
    reason,
    flow: flowText(binding.flow?.flow ?? null),
    trust: binding.trust,
  }
}

/** `192.0.2.1:5060`, IPv6 in brackets. */
export function flowText(flow: Flow | null): string {
  if (flow === null) return ''
  return flow.address.includes(':') ? `[${flow.address}]:${flow.port}` : `${flow.address}:${flow.port}`
}
