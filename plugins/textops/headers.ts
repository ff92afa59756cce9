import {
  asciiLower,
  HeaderId,
  type Pattern,
  type RouteContext,
  type SipMessage,
} from '../../src/plugin/index.ts'

/**
 * Header lines as textops sees them: always those of the received message, never what edits made of them
 * (measured on Kamailio 5.6.3: a removed header still shows until msg_apply_changes()).
 */

/** `append_hf`: after the last header of that name, after all if there is none or no name. */
export function appendHeader(context: RouteContext, text: string, after: string | undefined): number {
  const index = after === undefined ? -1 : lastIndex(context.message, after)
  if (index === -1) context.edits.appendHeader(text)
  else context.edits.insertAfterHeader(context.message, index, text)
  return 1
}

/** Below the topmost Via line. */
export function insertBelowVia({ message, edits }: RouteContext, text: string): number {
  edits.insertAfterHeader(message, Math.max(0, message.first(HeaderId.via)), text)
  return 1
}

/** `insert_hf`: before the first header of that name, above all if there is none or no name. */
export function insertHeader(context: RouteContext, text: string, before: string | undefined): number {
  const index = before === undefined ? -1 : context.message.find(before)
  if (index === -1) context.edits.insertBeforeHeader(context.message, 0, text)
  else context.edits.insertBeforeHeader(context.message, index, text)
  return 1
}

/** Removes every header of that name, compact forms included. */
export function removeNamed(context: RouteContext, name: string): number {
  return remove(context, indexesOf(context.message, name))
}

/** Removes every header whose name matches, unless it matches `except` too. */
export function removeMatching(context: RouteContext, match: Pattern, except?: Pattern): number {
  return remove(context, indexesWhere(context.message, match, except))
}

/** 0: the first of that name; -1: the last. 2 if there is no such one. */
export function removeAt(context: RouteContext, name: string, position: number): number {
  const index = indexesOf(context.message, name).at(position)
  return index === undefined ? 2 : remove(context, [index])
}

/** Those of that name whose value passes the test; -2 if there is none. */
export function removeByValue(context: RouteContext, name: string, test: (value: string) => boolean): number {
  const { message } = context
  const indexes = indexesOf(message, name).filter((index) => test(message.headerValue(index)))
  return indexes.length === 0 ? -2 : remove(context, indexes)
}

/** True if a header's name matches. */
export function isPresentMatching(message: SipMessage, pattern: Pattern): boolean {
  return indexesWhere(message, pattern).length > 0
}

/** All headers of that name, in order. */
export function indexesOf(message: SipMessage, name: string): number[] {
  const indexes: number[] = []
  for (let index = message.find(name); index !== -1; index = message.next(index)) indexes.push(index)
  return indexes
}

/** Which of them a flag means: `a` all, `f` the first, `l` the last. */
export function chosen(indexes: readonly number[], which: string): readonly number[] {
  if (which === 'f') return indexes.slice(0, 1)
  return which === 'l' ? indexes.slice(-1) : indexes
}

/** RFC 3323 §4.2: values separated by semicolons, over all Privacy headers. */
export function hasPrivacy(message: SipMessage, type: string): boolean {
  const wanted = asciiLower(type)
  return indexesOf(message, 'Privacy').some((index) =>
    message
      .headerValue(index)
      .split(/[;,]/)
      .some((value) => asciiLower(value.trim()) === wanted),
  )
}

function lastIndex(message: SipMessage, name: string): number {
  return indexesOf(message, name).at(-1) ?? -1
}

function indexesWhere(message: SipMessage, match: Pattern, except?: Pattern): number[] {
  const indexes: number[] = []
  for (let index = 0; index < message.headerCount; index++) {
    const name = message.headerName(index)
    if (match.test(name) && except?.test(name) !== true) indexes.push(index)
  }
  return indexes
}

/** 1 if there was anything to remove: one that an earlier call removed counts, since it still shows. */
function remove(context: RouteContext, indexes: readonly number[]): number {
  for (const index of indexes) context.edits.removeHeader(context.message, index)
  return indexes.length > 0 ? 1 : -1
}
