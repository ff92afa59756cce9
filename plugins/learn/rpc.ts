import {
  type AorRules,
  type Counter,
  canonicalName,
  isReachable,
  type PluginHost,
} from '../../src/plugin/index.ts'
import { onceAsked, type UsrlocExports } from '../usrloc/exports.ts'
import { flowText } from './events.ts'
import type { Learner } from './learner.ts'
import type { DelegateTables } from './third-party.ts'

/** learn.list, learn.forget, learn.stats, learn.reload, delegates.reload, delegates.list. */
export interface LearnCommandServices {
  readonly host: PluginHost
  readonly usrloc: UsrlocExports
  readonly learner: Learner
  readonly tables: DelegateTables
  readonly events: Counter
  readonly aorRules: AorRules
  reloadNames(): Promise<void>
}

const listedDefault = 100

export function learnCommands(
  services: LearnCommandServices,
): Record<string, (params: readonly unknown[]) => unknown> {
  const { host, usrloc, learner, tables, events, aorRules } = services
  return {
    'learn.list': ([limit]) => list(limit === undefined ? listedDefault : Number(limit)),
    'learn.forget'([name, user]) {
      const location = [...usrloc.tables()].find((table) => table.name === name)
      if (location === undefined) throw new Error('Location table not found')
      const aor = canonicalName(String(user ?? ''), aorRules)
      return onceAsked(location.fetch(aor), () => {
        let forgotten = 0
        for (const binding of location.of(aor)) if (learner.forget(location, binding, 'rpc')) forgotten++
        return { forgotten }
      })
    },
    'learn.stats': () => ({
      bindings: learner.bounds.count,
      flows: usrloc.flows.count,
      ...Object.fromEntries(
        ['learned', 'refreshed', 'moved', 'proven'].map((event) => [event, events.value(event, '')]),
      ),
      events: events.value(),
    }),
    async 'learn.reload'() {
      await services.reloadNames()
      return {}
    },
    async 'delegates.reload'() {
      return { rules: await tables.reload() }
    },
    'delegates.list': () =>
      tables.names().map((name) => ({
        Table: name,
        Rules: (tables.of(name) ?? []).map((rule) => ({
          Principal: rule.realm === '' ? rule.principal : `${rule.principal}@${rule.realm}`,
          AoRs: rule.aors.join(','),
          Sources: rule.sources.map(({ text }) => text).join(','),
          Contact:
            rule.contact.kind === 'prefixes'
              ? rule.contact.prefixes.map(({ text }) => text).join(',')
              : rule.contact.kind,
          Max: rule.bindingsMax,
          Expires: rule.expiresSecondsMax,
          Remove: rule.mayRemove ? 1 : 0,
        })),
      })),
  }

  function list(limit: number): unknown {
    const now = host.clock.now()
    const out: unknown[] = []
    for (const location of usrloc.tables()) {
      for (const binding of location.held()) {
        if (out.length >= limit) return out
        if (binding.flow === null || binding.expiresAt <= now) continue
        out.push({
          Table: location.name,
          AoR: binding.aor,
          Origin: binding.origin,
          Trust: binding.trust,
          By: binding.by,
          Flow: flowText(binding.flow.flow),
          Socket: binding.flow.flow.socket.label,
          Reachable: isReachable(binding, now) ? Math.ceil((binding.flow.reachableUntil - now) / 1000) : 0,
          Proven: binding.flow.proven ? 1 : 0,
          Expires: Math.ceil((binding.expiresAt - now) / 1000),
        })
      }
    }
    return out
  }
}
