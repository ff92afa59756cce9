import type { ResolvedExpression, ResolvedRoute, ResolvedStatement } from './resolved.ts'
import { visit } from './visit.ts'

/**
 * Where each $var lives. One that a single route uses, and that no function, module parameter or name made at run time
 * can reach, is a local variable of that route's JavaScript. All others are places of `context.vars`, which every route
 * of a run shares. V8 keeps locals in registers and knows their types: a script of sixty statements gains 0.3 us.
 *
 * A route that is called may be called twice, and its $var keep their values meanwhile: of such routes only those
 * without calls have locals, and only variables that are assigned before they are read.
 */
export interface SlotPlan {
  /** By slot: the index of the route whose local variable it is; -1: none, it is a place of `context.vars`. */
  readonly localTo: readonly number[]
  /** By slot: a local that is assigned wherever it is read later: the 0 that it begins with never shows. */
  readonly isAssignedFirst: readonly boolean[]
}

/** @param outside what reads or writes variables from without the routes: module parameters, log_prefix */
export function planSlots(
  routes: readonly ResolvedRoute[],
  slotCount: number,
  isRecursive: readonly boolean[],
  outside: readonly ResolvedExpression[],
): SlotPlan {
  const users = findUsers(routes, slotCount, outside)
  const early = routes.map((route) => readEarly(route.body))
  const isAssignedFirst = users.map((route) => route >= 0)
  const localTo = users.map((index, slot) => {
    const route = routes[index]
    if (route === undefined) return -1
    const isEarly = early[index]?.has(slot) === true
    if (isEarly) isAssignedFirst[slot] = false
    if (route.kind !== 'request' || route.name === '') return index
    return isEarly || isRecursive[index] === true || hasCalls(route) ? -1 : index
  })
  return { localTo, isAssignedFirst: isAssignedFirst.map((is, slot) => is && localTo[slot] !== -1) }
}

/** By slot: the only route that uses it; -1 if there are several, or somebody else may. */
function findUsers(
  routes: readonly ResolvedRoute[],
  slotCount: number,
  outside: readonly ResolvedExpression[],
): number[] {
  const users: (number | null)[] = new Array(slotCount).fill(null)
  const use = (node: unknown, by: number) => {
    visit(node, ({ op, ...more }) => {
      if (op === 'named-slot') users.fill(-1)
      // What is handed to a function is evaluated outside of the route's JavaScript.
      if (by !== -1 && (op === 'access' || op === 'function' || op === 'holding')) use(more, -1)
      if (op !== 'slot' || !('slot' in more) || typeof more.slot !== 'number') return
      const known = users[more.slot]
      users[more.slot] = known === null || known === by ? by : -1
    })
  }
  for (const [index, { body }] of routes.entries()) use(body, index)
  use(outside, -1)
  return users.map((by) => by ?? -1)
}

function hasCalls(route: ResolvedRoute): boolean {
  let found = false
  visit(route.body, ({ op }) => {
    found ||= op === 'call' || op === 'route'
  })
  return found
}

/** The slots that a route may read before it has assigned them. */
function readEarly(body: readonly ResolvedStatement[]): ReadonlySet<number> {
  const early = new Set<number>()
  follow(body, new Set(), early)
  return early
}

/** Follows statements in order; gives what is certainly assigned after them, null if nothing comes after them. */
function follow(
  statements: readonly ResolvedStatement[],
  before: ReadonlySet<number>,
  early: Set<number>,
): ReadonlySet<number> | null {
  let assigned: ReadonlySet<number> | null = before
  for (const statement of statements) {
    assigned = followOne(statement, assigned, early)
    if (assigned === null) return null
  }
  return assigned
}

function followOne(
  statement: ResolvedStatement,
  assigned: ReadonlySet<number>,
  early: Set<number>,
): ReadonlySet<number> | null {
  switch (statement.op) {
    case 'block':
      return follow(statement.body, assigned, early)
    case 'expression':
      return followAction(statement.expression, assigned, early)
    case 'if': {
      noteReads(statement.condition, assigned, early)
      const whenTrue = follow(statement.whenTrue, assigned, early)
      const whenFalse = follow(statement.whenFalse, assigned, early)
      return whenTrue === null || whenFalse === null ? (whenTrue ?? whenFalse) : shared(whenTrue, whenFalse)
    }
    case 'while':
      noteReads(statement.condition, assigned, early)
      follow(statement.body, assigned, early)
      return assigned
    case 'switch':
      noteReads(statement.subject, assigned, early)
      for (const { body } of statement.cases) follow(body, assigned, early)
      return assigned
    case 'break':
      return null
    default:
      if (statement.value !== null) noteReads(statement.value, assigned, early)
      return null
  }
}

function followAction(
  action: Extract<ResolvedStatement, { op: 'expression' }>['expression'],
  assigned: ReadonlySet<number>,
  early: Set<number>,
): ReadonlySet<number> {
  if (action.op !== 'assign' || action.target.op !== 'slot') {
    noteReads(action, assigned, early)
    return assigned
  }
  noteReads(action.value, assigned, early)
  return mayFail(action.value) ? assigned : new Set(assigned).add(action.target.slot)
}

/** A division by zero leaves the variable as it was. */
function mayFail(value: ResolvedExpression): boolean {
  let found = false
  visit(value, (node) => {
    found ||= 'operator' in node && (node.operator === '/' || node.operator === 'mod')
  })
  return found
}

/** An assignment within an expression counts as a read: it may not be reached. */
function noteReads(expression: ResolvedExpression, assigned: ReadonlySet<number>, early: Set<number>): void {
  visit(expression, (node) => {
    if (node.op !== 'slot' || !('slot' in node) || typeof node.slot !== 'number') return
    if (!assigned.has(node.slot)) early.add(node.slot)
  })
}

function shared(one: ReadonlySet<number>, other: ReadonlySet<number>): ReadonlySet<number> {
  return new Set([...one].filter((slot) => other.has(slot)))
}
