import {
  type Binding,
  chooseBindings,
  createTarget,
  type Location,
  type PluginHost,
  parseNameAddr,
  type Target,
} from '../../src/plugin/index.ts'
import type { StoredMessage } from './queue.ts'

/** Times that a recipient may refuse a message (not: fail to answer) before it is given up. */
export const rejectionsMax = 5

/** Sends one that has waited; every answer is told, 0 for none. */
export function sendWaiting(
  host: PluginHost,
  message: StoredMessage,
  binding: Binding,
  onResponse: (statusCode: number) => void,
): void {
  host.proxy.sendRequest({
    method: 'MESSAGE',
    target: targetOf(binding, host),
    from: message.from,
    to: message.to,
    callId: message.callId,
    cseq: message.attempts + 1,
    headers: headersOf(message),
    body: message.body,
    ...(message.contentType === '' ? {} : { contentType: message.contentType }),
    stateful: true,
    onResponse,
  })
}

/** No answer, a failure of the network, or a recipient that is not there (any more): not the message's fault. */
export function isTransient(statusCode: number): boolean {
  return statusCode === 0 || statusCode === 404 || statusCode === 408 || statusCode >= 480
}

/** Null if there is none. What another edge has is that edge's to reach: the device speaks there. */
export function provenBinding(location: Location, aor: string, now: number): Binding | null {
  for (const binding of chooseBindings(location.of(aor), now).bindings) {
    if (binding.elsewhere !== null) continue
    if (binding.flow === null || binding.flow.proven) return binding
  }
  return null
}

function targetOf(binding: Binding, host: PluginHost): Target {
  const target = createTarget(binding.contact)
  target.path = binding.path
  const hop = binding.path[0]
  target.destinationUri = hop === undefined ? binding.received || null : (parseNameAddr(hop)?.uri ?? null)
  target.socket = binding.socket === '' ? null : host.sockets.find(binding.socket)
  target.ruid = binding.ruid
  target.aor = binding.aor
  if (binding.flow === null) return target
  target.flow = binding.flow.flow
  target.socket = binding.flow.flow.socket
  target.trust = 'proven'
  return target
}

/** When it was written (RFC 3428 §4), and whether it may have come before. */
function headersOf(message: StoredMessage): string {
  const date = `Date: ${new Date(message.storedAt).toUTCString()}\r\n`
  return message.attempts === 0 ? date : `${date}X-Delivery-Attempt: ${message.attempts + 1}\r\n`
}
