import type { RouteContext } from '../../src/plugin/index.ts'
import { notesOf } from './notes.ts'

/** Removes the header that proved the user, found again by its text: edits may have moved it. -1 if there is none. */
export function consumeCredentials(context: RouteContext): number {
  const { used } = notesOf(context)
  if (used === null) return -1
  const { message, edits } = context
  for (let index = message.first(used.header); index >= 0; index = message.next(index)) {
    if (message.headerValue(index) === used.text && edits.removeHeader(message, index)) return 1
  }
  return -1
}
