import {
  type Cut,
  evaluatorOf,
  matchesAtOnce,
  matchesByLine,
  type Pattern,
  type RouteContext,
  type SipMessage,
  type Substitution,
  withUser,
} from '../../src/plugin/index.ts'
import { chosen, indexesOf } from './headers.ts'

/**
 * Search and replace over the text of a message. Kamailio matches line by line and never changes the start line;
 * what is found is in the received message, what is replaced becomes an edit.
 */
export type Area = 'message' | 'headers' | 'body' | 'after-start-line'

export interface Range {
  readonly start: number
  readonly end: number
}

function rangeOf(message: SipMessage, area: Area): Range {
  switch (area) {
    case 'message':
      return { start: 0, end: message.bodyEnd }
    case 'headers':
      return { start: message.headersStart, end: message.headersEnd }
    case 'body':
      return { start: message.bodyStart, end: message.bodyEnd }
    case 'after-start-line':
      return { start: message.headersStart, end: message.bodyEnd }
  }
}

/** 1 if a line of the area matches. */
export function search(context: RouteContext, pattern: Pattern, area: Area): number {
  return found(matchesByLine(pattern, textOf(context, rangeOf(context.message, area)), false))
}

/** Puts the text after the first match. */
export function appendAfter(context: RouteContext, pattern: Pattern, text: string, area: Area): number {
  const range = rangeOf(context.message, area)
  const matches = matchesByLine(pattern, textOf(context, range), false)
  return applied(
    context,
    range,
    matches.map(([, end = 0]) => ({ start: end, end, text })),
  )
}

/** Replaces what matches: line by line, or in the area as a whole. */
export function replace(
  context: RouteContext,
  pattern: Pattern,
  text: string,
  area: Area,
  options: { isGlobal: boolean; atOnce?: boolean },
): number {
  const range = rangeOf(context.message, area)
  const subject = textOf(context, range)
  const matches = options.atOnce
    ? matchesAtOnce(pattern, subject, options.isGlobal)
    : matchesByLine(pattern, subject, options.isGlobal)
  return applied(
    context,
    range,
    matches.map(([start = 0, end = 0]) => ({ start, end, text })),
  )
}

/** Replaces a text by another; mode `a`: every one, `f`: the first. 1 even if there is none. */
export function replaceText(
  context: RouteContext,
  match: string,
  text: string,
  mode: string,
  area: Area,
): number {
  const range = rangeOf(context.message, area)
  applied(context, range, occurrences(textOf(context, range), match, mode === 'a', text))
  return 1
}

export function substitute(context: RouteContext, substitution: Substitution, area: Area): number {
  const range = rangeOf(context.message, area)
  const cuts = substitution.cuts(textOf(context, range), evaluatorOf(substitution, context))
  return applied(context, range, cuts)
}

/** In the values of headers of that name; `which`: `a` all, `f` the first, `l` the last. */
export function substituteHeader(
  context: RouteContext,
  name: string,
  substitution: Substitution,
  which: string,
): number {
  let result = -1
  for (const range of valueRanges(context.message, name, which)) {
    const cuts = substitution.cuts(textOf(context, range), evaluatorOf(substitution, context))
    if (applied(context, range, cuts) === 1) result = 1
  }
  return result
}

export function searchHeader(context: RouteContext, name: string, pattern: Pattern, which: string): number {
  const ranges = valueRanges(context.message, name, which)
  return ranges.some((range) => pattern.test(textOf(context, range))) ? 1 : -1
}

/** The Request-URI as it is now. */
export function substituteUri(context: RouteContext, substitution: Substitution): number {
  const changed = substitution.apply(context.target.uri, evaluatorOf(substitution, context))
  return changed === null ? -1 : setUri(context, changed)
}

/** Its user; -1 if it has none. */
export function substituteUser(context: RouteContext, substitution: Substitution): number {
  const user = context.requestUri?.user ?? null
  const changed = user === null ? null : substitution.apply(user, evaluatorOf(substitution, context))
  const uri = changed === null ? null : withUser(context.target.uri, changed)
  return uri === null ? -1 : setUri(context, uri)
}

function setUri(context: RouteContext, uri: string): number {
  context.target.uri = uri
  context.requestUriChanged = true
  return 1
}

function valueRanges(message: SipMessage, name: string, which: string): Range[] {
  return chosen(indexesOf(message, name), which).map((index) => ({
    start: message.headerValueStart(index),
    end: message.headerValueEnd(index),
  }))
}

function textOf(context: RouteContext, range: Range): string {
  return context.message.text.slice(range.start, range.end)
}

function found(matches: readonly unknown[]): number {
  return matches.length > 0 ? 1 : -1
}

/** Cuts count from the start of the range. One that an earlier edit overlaps is left out. */
function applied(context: RouteContext, range: Range, cuts: readonly Cut[]): number {
  let isChanged = false
  for (const { start, end, text } of cuts) {
    if (context.edits.replace(range.start + start, range.start + end, text)) isChanged = true
  }
  return isChanged ? 1 : -1
}

function occurrences(subject: string, match: string, isGlobal: boolean, text: string): Cut[] {
  const cuts: Cut[] = []
  let at = match === '' ? -1 : subject.indexOf(match)
  while (at !== -1) {
    cuts.push({ start: at, end: at + match.length, text })
    at = isGlobal ? subject.indexOf(match, at + match.length) : -1
  }
  return cuts
}
