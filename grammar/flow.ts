import { Kind, kindsOf, type ResolvedExpression, type ResolvedRoute } from './resolved.ts'
import { planSlots, type SlotPlan } from './slots.ts'
import { visit } from './visit.ts'

/**
 * What is known about the whole script before it is printed: which routes may have to wait, which may reach
 * themselves, what each $var slot may hold.
 */
export interface Flow {
  /** By index of the route. */
  readonly isAsync: readonly boolean[]
  /** The route may call itself, directly or not, or is called by a name known at run time only. */
  readonly isRecursive: readonly boolean[]
  readonly slotKinds: readonly number[]
  readonly slots: SlotPlan
  /** True if a call by a name known at run time may have to wait. */
  readonly dynamicIsAsync: boolean
}

export function analyseFlow(
  routes: readonly ResolvedRoute[],
  slotCount: number,
  accesses: readonly ResolvedExpression[],
): Flow {
  const calls = routes.map((route) => findCalls(route, routes))
  const isAsync = colourAsync(calls)
  const isRecursive = routes.map((_, index) => reaches(calls, index, index))
  const slots = planSlots(routes, slotCount, isRecursive, accesses)
  return {
    isAsync,
    isRecursive,
    slotKinds: inferSlotKinds(routes, slots, accesses),
    slots,
    dynamicIsAsync: routes.some((route, index) => isNamedRequest(route) && isAsync[index] === true),
  }
}

interface Calls {
  readonly waits: boolean
  readonly targets: readonly number[]
}

function findCalls(route: ResolvedRoute, routes: readonly ResolvedRoute[]): Calls {
  let waits = false
  const targets = new Set<number>()
  visit(route.body, (node) => {
    if (isOperation(node, 'call')) waits ||= node.waits
    if (isOperation(node, 'route')) {
      for (const [index, other] of routes.entries()) {
        const isTarget = typeof node.target === 'string' ? other.name === node.target : true
        if (isTarget && isNamedRequest(other)) targets.add(index)
      }
    }
  })
  return { waits, targets: [...targets] }
}

function isNamedRequest(route: ResolvedRoute): boolean {
  return route.kind === 'request' && route.name !== ''
}

/** A route that calls a waiting function waits, and so does whoever calls it. */
function colourAsync(calls: readonly Calls[]): boolean[] {
  const isAsync = calls.map((call) => call.waits)
  let changed = true
  while (changed) {
    changed = false
    for (const [index, call] of calls.entries()) {
      if (isAsync[index] || !call.targets.some((target) => isAsync[target])) continue
      isAsync[index] = true
      changed = true
    }
  }
  return isAsync
}

function reaches(calls: readonly Calls[], from: number, goal: number): boolean {
  const seen = new Set<number>()
  const open = [...(calls[from]?.targets ?? [])]
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (next === goal) return true
    if (seen.has(next)) continue
    seen.add(next)
    open.push(...(calls[next]?.targets ?? []))
  }
  return false
}

/**
 * Slots start as 0, unless nobody sees that. What assignments can put there is added until nothing changes; a slot that
 * is handed to a function may get anything.
 */
function inferSlotKinds(
  routes: readonly ResolvedRoute[],
  { isAssignedFirst }: SlotPlan,
  accesses: readonly ResolvedExpression[],
): number[] {
  const kinds: number[] = isAssignedFirst.map((isFirst) => (isFirst ? 0 : Kind.int))
  const assignments: { readonly slot: number; readonly value: ResolvedExpression }[] = []
  const anything = (target: ResolvedExpression) => {
    if (target.op === 'slot') kinds[target.slot] = Kind.int | Kind.text
    if (target.op === 'named-slot') kinds.fill(Kind.int | Kind.text)
  }
  for (const target of accesses) anything(target)
  visit(
    routes.map((route) => route.body),
    (node) => {
      if (isOperation(node, 'access')) anything(node.access.target)
      if (!isOperation(node, 'assign')) return
      if (node.target.op === 'slot') assignments.push({ slot: node.target.slot, value: node.value })
      else anything(node.target)
    },
  )
  let changed = true
  while (changed) {
    changed = false
    for (const { slot, value } of assignments) {
      const old = kinds[slot] ?? Kind.int
      const added = old | kindsInSlot(kindsOf(value, kinds))
      if (added === old) continue
      kinds[slot] = added
      changed = true
    }
  }
  return kinds
}

/** An undefined value becomes 0. */
function kindsInSlot(kinds: number): number {
  return kinds & Kind.nothing ? (kinds & ~Kind.nothing) | Kind.int : kinds
}

type Access = { readonly op: 'access'; readonly access: { readonly target: ResolvedExpression } }
type Operation = ResolvedExpression | Access

function isOperation<O extends Operation['op']>(
  node: { readonly op: string },
  op: O,
): node is Extract<Operation, { op: O }> {
  return node.op === op
}
