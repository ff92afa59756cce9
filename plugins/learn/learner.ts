import {
  type Binding,
  type BoundSettings,
  type Counter,
  createBinding,
  type Flow,
  type FlowState,
  flat,
  hostForUri,
  LearnedBounds,
  type Location,
  type PluginHost,
  type RouteContext,
  sameFlow,
  type Trust,
} from '../../src/plugin/index.ts'
import type { UsrlocExports } from '../usrloc/exports.ts'
import { announce, bindingRecord, flowText, type LearnEvent, learnNote } from './events.ts'
import { type ConflictRules, judgeMove, judgeMoveHere, type RefusalReason } from './policy.ts'
import { ruleFor, type SourceRule, scopeOf } from './sources.ts'

/** What learn_location() returns. */
export const learnResult = {
  learned: 1,
  refreshed: 2,
  moved: 3,
  refused: -1,
  full: -2,
  conflict: -3,
} as const

export type LearnResult = (typeof learnResult)[keyof typeof learnResult]

export interface LearnerSettings {
  readonly sources: readonly SourceRule[]
  /** Milliseconds, for sources without a rule of their own: digest users. */
  readonly pinhole: number
  /** Milliseconds that a learned binding is known, cold or not. */
  readonly expires: number
  readonly bounds: BoundSettings
  readonly holdDown: number
  readonly movesPerMinuteMax: number
  readonly newestWins: boolean
}

/** Who is there, as judged by policy.ts. */
export interface AcceptedClaim {
  readonly aor: string
  /** As in From, escapes kept: the user of the contact that we make up. */
  readonly contactUser: string
  readonly trust: Trust
  readonly by: string
  readonly proven: boolean
}

/** Writes and forgets learned bindings: one per address-of-record, replaced in place. */
export class Learner {
  readonly #host: PluginHost
  readonly #usrloc: UsrlocExports
  readonly #settings: LearnerSettings
  readonly bounds: LearnedBounds
  readonly #events: Counter
  readonly #unsubscribe: (() => void)[] = []
  /** Changes of flow in the current minute, by binding. */
  readonly #moves = new Map<string, { minute: number; count: number }>()

  constructor(host: PluginHost, usrloc: UsrlocExports, settings: LearnerSettings, events: Counter) {
    this.#host = host
    this.#usrloc = usrloc
    this.#settings = settings
    this.#events = events
    this.bounds = new LearnedBounds(settings.bounds)
    usrloc.onTable((location) => this.#follow(location))
  }

  /** After a reload another learner listens. */
  close(): void {
    for (const stop of this.#unsubscribe) stop()
  }

  learn(context: RouteContext, location: Location, claim: AcceptedClaim): LearnResult {
    const now = this.#host.clock.now()
    const existing = location.of(claim.aor).find(({ origin }) => origin === 'learned') ?? null
    const before = existing?.flow ?? null
    if (existing !== null && before !== null && isLive(before, now) && sameFlow(before.flow, context.flow)) {
      return this.#refresh(context, location, existing, before, claim, now)
    }
    if (existing === null) return this.#add(context, location, claim, now)
    return existing.elsewhere === null
      ? this.#move(context, location, existing, claim, now)
      : this.#moveHere(context, location, existing, claim, now)
  }

  refuse(context: RouteContext, aor: string, reason: RefusalReason): LearnResult {
    const isConflict = reason === 'hold-down' || reason === 'flapping'
    this.#say(context, isConflict ? 'conflict' : 'refused', {
      aor,
      result: isConflict ? 'conflict' : 'refused',
      reason,
      flow: flowText(context.flow),
      trust: '',
    })
    if (isConflict) return learnResult.conflict
    return fullReasons.has(reason) ? learnResult.full : learnResult.refused
  }

  /** Drops a binding of a flow that turned out to be dead. Registrations are nobody's business here. */
  forget(location: Location, binding: Binding, reason: string): boolean {
    if (binding.origin !== 'learned' && (binding.origin !== 'delegated' || binding.flow === null))
      return false
    if (binding.elsewhere === null && location.byRuid(binding.ruid) !== binding) return false
    const record = bindingRecord(binding, 'expired', reason)
    location.applyUnwatched([{ before: binding, after: null }])
    this.#events.add(1, 'expired', reason)
    this.#host.log.info({ aor: binding.aor, flow: record.flow, reason }, 'a learned location was dropped')
    announce(this.#host, 'expired', record, null, binding.flow?.flow ?? null)
    return true
  }

  /** The device answered what only this flow can have seen. */
  prove(binding: Binding): void {
    const { flow } = binding
    if (flow === null || flow.proven) return
    flow.proven = true
    this.#events.add(1, 'proven', '')
    announce(this.#host, 'proven', bindingRecord(binding, 'proven', ''), null, flow.flow)
  }

  /** The table in which a binding with this id lies. */
  find(ruid: string): { location: Location; binding: Binding } | null {
    if (ruid === '') return null
    for (const location of this.#usrloc.tables()) {
      const binding = location.byRuid(ruid)
      if (binding !== undefined) return { location, binding }
    }
    return null
  }

  scopeOf(flow: Flow): BoundScopeOfFlow {
    return scopeOf(ruleFor(this.#settings.sources, flow.address), flow.address)
  }

  #refresh(
    context: RouteContext,
    location: Location,
    existing: Binding,
    flow: FlowState,
    claim: AcceptedClaim,
    now: number,
  ): LearnResult {
    if (claim.proven) this.prove(existing)
    const trust = existing.trust === 'digest' ? 'digest' : claim.trust
    const after = this.#binding(existing.ruid, { ...claim, trust }, flow, now)
    location.applyUnwatched([{ before: existing, after }])
    this.#say(context, 'refreshed', bindingRecord(after, 'refreshed', ''))
    return learnResult.refreshed
  }

  #add(
    context: RouteContext,
    location: Location,
    claim: AcceptedClaim,
    now: number,
    before: Binding | null = null,
  ): LearnResult {
    if (!location.hasRoomFor(1)) return this.refuse(context, claim.aor, 'table-full')
    const scope = this.scopeOf(context.flow)
    const admission = this.bounds.admit(scope, this.#countOn(context.flow), now)
    if (admission.kind === 'refused') return this.refuse(context, claim.aor, admission.reason)
    if (admission.evict !== null) this.#evict(admission.evict)
    const after = this.#binding(
      this.#usrloc.newRuid(claim.aor),
      claim,
      this.#openFlow(context, claim, now),
      now,
    )
    location.applyUnwatched([{ before, after }])
    const result = before === null ? 'learned' : 'moved'
    this.#say(context, result, bindingRecord(after, result, ''))
    this.#host.log.info(
      { aor: after.aor, flow: flowText(context.flow), trust: after.trust },
      'location learned',
    )
    return learnResult[result]
  }

  /** From another edge: it is new here, and there it goes. */
  #moveHere(
    context: RouteContext,
    location: Location,
    existing: Binding,
    claim: AcceptedClaim,
    now: number,
  ): LearnResult {
    const refusal = judgeMoveHere(
      existing,
      claim.trust,
      this.#settings.pinhole,
      this.#conflictRules(context),
      now,
    )
    if (refusal === null) return this.#add(context, location, claim, now, existing)
    this.#warnOfConflict(context, claim, refusal, existing.elsewhere?.edge.name ?? '')
    return this.refuse(context, claim.aor, refusal)
  }

  #warnOfConflict(context: RouteContext, { aor }: AcceptedClaim, reason: RefusalReason, kept: string): void {
    const fields = { ...context.logFields(), aor, reason, kept }
    this.#host.log.warn(fields, 'two flows claim one user; the older one is kept')
  }

  #move(
    context: RouteContext,
    location: Location,
    existing: Binding,
    claim: AcceptedClaim,
    now: number,
  ): LearnResult {
    const refusal = judgeMove(
      existing,
      claim.trust,
      this.#movesOf(existing, now),
      this.#conflictRules(context),
      now,
    )
    if (refusal !== null) {
      this.#warnOfConflict(context, claim, refusal, flowText(existing.flow?.flow ?? null))
      return this.refuse(context, claim.aor, refusal)
    }
    const onFlow = this.#countOn(context.flow)
    if (onFlow >= this.#settings.bounds.perFlow) return this.refuse(context, claim.aor, 'flow-full')
    if (existing.flow !== null && isLive(existing.flow, now)) this.#countMove(existing, now)
    const after = this.#binding(existing.ruid, claim, this.#openFlow(context, claim, now), now)
    location.applyUnwatched([{ before: existing, after }])
    this.#say(context, 'moved', bindingRecord(after, 'moved', ''))
    return learnResult.moved
  }

  /** Flow: exactly where the packet came from, on the socket that it came in on. Nothing in the message counts. */
  #openFlow(context: RouteContext, claim: AcceptedClaim, now: number): FlowState {
    const rule = ruleFor(this.#settings.sources, context.flow.address)
    const live = this.#usrloc.flows.find(context.flow)
    const isKnown = live !== undefined && isLive(live, now)
    const flow = this.#usrloc.flows.open(context.flow, now, rule?.pinhole ?? this.#settings.pinhole)
    if (!isKnown) flow.bytesIn = context.message.text.length
    if (claim.proven) flow.proven = true
    return flow
  }

  #binding(ruid: string, claim: AcceptedClaim, flow: FlowState, now: number): Binding {
    const { address, port, socket } = flow.flow
    return createBinding({
      aor: flat(claim.aor),
      ruid,
      contact: `sip:${claim.contactUser}@${hostForUri(address)}:${port}`,
      origin: 'learned',
      trust: claim.trust,
      by: flat(claim.by),
      socket: socket.label,
      expiresAt: now + this.#settings.expires,
      modifiedAt: now,
      flow,
    })
  }

  #conflictRules({ flow }: RouteContext): ConflictRules {
    const rule = ruleFor(this.#settings.sources, flow.address)
    const { holdDown, movesPerMinuteMax, newestWins } = this.#settings
    return { holdDown, movesPerMinuteMax, newestWins: rule?.newestWins === true || newestWins }
  }

  #countOn(flow: Flow): number {
    let count = 0
    for (const binding of this.#usrloc.flows.find(flow)?.bindings ?? [])
      if (binding.origin === 'learned') count++
    return count
  }

  #movesOf(binding: Binding, now: number): number {
    const moves = this.#moves.get(binding.ruid)
    return moves?.minute === Math.floor(now / 60_000) ? moves.count : 0
  }

  #countMove(binding: Binding, now: number): void {
    const minute = Math.floor(now / 60_000)
    this.#moves.set(binding.ruid, { minute, count: this.#movesOf(binding, now) + 1 })
  }

  #evict(binding: Binding): void {
    const found = this.find(binding.ruid)
    if (found !== null) this.forget(found.location, found.binding, 'evicted')
  }

  #say(context: RouteContext, event: LearnEvent, record: ReturnType<typeof bindingRecord>): void {
    this.#events.add(1, event, record.reason)
    context.scope.notes.set(learnNote, record)
    context.explain(
      `learn ${record.aor}: ${record.result}`,
      record.reason || `${record.flow} (${record.trust})`,
    )
    announce(this.#host, event, record, context.message, context.flow)
  }

  /** Counts what lies in a table, whoever put it there: also what a restart brought back. */
  #follow(location: Location): void {
    const stop = location.onChange(
      (cause, binding, before) => {
        const gone = cause === 'removed' || cause === 'expired'
        if (before?.origin === 'learned' && before.flow !== null) {
          this.bounds.forget(before, this.scopeOf(before.flow.flow))
        }
        if (binding.origin === 'learned' && binding.flow !== null) {
          if (gone) this.bounds.forget(binding, this.scopeOf(binding.flow.flow))
          else this.bounds.note(binding, this.scopeOf(binding.flow.flow))
        }
        if (gone) this.#moves.delete(binding.ruid)
        if (cause === 'expired' && binding.origin === 'learned') this.#expired(binding)
        if (!gone && (binding.origin === 'registered' || binding.origin === 'static'))
          this.#yield(location, binding)
      },
      // What is refreshed has no learned bindings beside it.
      () => {},
    )
    this.#unsubscribe.push(stop)
    for (const binding of location.held()) {
      if (binding.origin === 'learned' && binding.flow !== null) {
        this.bounds.note(binding, this.scopeOf(binding.flow.flow))
      }
    }
  }

  #expired(binding: Binding): void {
    this.#events.add(1, 'expired', 'expired')
    announce(this.#host, 'expired', bindingRecord(binding, 'expired', 'expired'), null, null)
  }

  /** A learned binding never outlives a registration: once the user registers, what was learned goes. */
  #yield(location: Location, registered: Binding): void {
    for (const binding of location.of(registered.aor)) {
      if (binding.origin === 'learned') this.forget(location, binding, 'registered')
    }
  }
}

type BoundScopeOfFlow = ReturnType<typeof scopeOf>

const fullReasons: ReadonlySet<RefusalReason> = new Set<RefusalReason>([
  'flow-full',
  'address-full',
  'rate',
  'table-full',
])

function isLive(flow: FlowState, now: number): boolean {
  return flow.reachableUntil > now
}
