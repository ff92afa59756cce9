import type { RouteContext } from '../../src/plugin/index.ts'
import { ProvenUser } from './proven-user.ts'

/** Removes the header that proved the user, by its text: edits may have moved it. -1 if there is none. */
export function consumeCredentials(context: RouteContext): number {
  const { message, edits, scope } = context
  if (!(scope.authenticated instanceof ProvenUser)) return -1
  const { used } = scope.authenticated
  const text = used.message.headerValue(used.index)
  const { header } = used
  for (let index = message.first(header); index >= 0; index = message.next(index)) {
    if (message.headerValue(index) === text && edits.removeHeader(message, index)) return 1
  }
  return -1
}
