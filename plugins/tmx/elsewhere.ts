import type { Flow, RouteContext, SipMessage, Value, VariableAccess } from '../../src/plugin/index.ts'

/**
 * Reads a variable as it would be in another message of the same transaction: `$T_req($ct)` in a reply route is the
 * request's Contact. The context looks at that message for the time of one read, which nothing can interrupt.
 */
export function readElsewhere(
  context: RouteContext,
  message: SipMessage | null | undefined,
  flow: Flow | null,
  variable: VariableAccess<RouteContext>,
): Value {
  if (!message) return null
  const view = context as { -readonly [K in 'message' | 'flow']: RouteContext[K] }
  const { message: ownMessage, flow: ownFlow } = context
  view.message = message
  if (flow !== null) view.flow = flow
  try {
    return variable.read(context)
  } finally {
    view.message = ownMessage
    view.flow = ownFlow
  }
}
