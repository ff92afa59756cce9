import { copyTarget, type RouteContext, type Target } from '../../src/plugin/index.ts'
import { makeNote, noteOf } from './note.ts'

/**
 * Serial forking by q (RFC 3261 §16.5: "in decreasing order of preference"): t_load_contacts() sorts the destination
 * set into groups of equal q, t_next_contacts() makes the next group the destination set. As in lookup(), a target
 * without q comes last.
 */
export function loadContacts(context: RouteContext): number {
  const all = [copyTarget(context.target), ...context.branches.map(copyTarget)]
  const sorted = all
    .map((target, place) => ({ target, place }))
    .sort((a, b) => b.target.q - a.target.q || a.place - b.place)
  const groups: Target[][] = []
  let last: number | null = null
  for (const { target } of sorted) {
    if (target.q === last) groups.at(-1)?.push(target)
    else groups.push([target])
    last = target.q
  }
  makeNote(context).groups = groups
  context.branches.length = 0
  return 1
}

/** 1: the next group is the destination set; -2: there is none left; -1: none was loaded. */
export function nextContacts(context: RouteContext): number {
  const groups = noteOf(context)?.groups ?? null
  if (groups === null) return -1
  const [first, ...others] = groups.shift() ?? []
  if (first === undefined) return -2
  Object.assign(context.target, first)
  context.requestUriChanged = true
  context.branches.length = 0
  context.branches.push(...others)
  return 1
}
