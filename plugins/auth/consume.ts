import type { RouteContext } from '../../src/plugin/index.ts'
import { ProvenUser } from './proven-user.ts'

/** Removes the header that proved the user. -1 if there is none. */
export function consumeCredentials(context: RouteContext): number {
  const { message, edits, scope } = context
  if (!(scope.authenticated instanceof ProvenUser)) return -1
  const { header, text } = scope.authenticated.used
  for (let index = message.first(header); index >= 0; index = message.next(index)) {
    if (message.headerValue(index) === text && edits.removeHeader(message, index)) return 1
  }
  return -1
}
