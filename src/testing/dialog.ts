import { HeaderId } from '../sip/header-id.ts'
import { splitValues } from '../sip/headers/name-addr.ts'
import { type HeaderLines, uriIn } from './agent-message.ts'
import type { Received } from './received.ts'

/** What requests inside a dialog need: RFC 3261 §12. */
export interface Dialog {
  readonly callId: string
  /** From and To values of our requests. */
  readonly local: string
  readonly remote: string
  readonly target: string
  /** Route values, first hop first. */
  readonly routes: readonly string[]
  cseq: number
}

/** RFC 3261 §12.1.2: a response to our request; the route set is Record-Route, turned around. */
export function dialogOfResponse(response: Received, requestUri: string, cseq: number): Dialog {
  return {
    callId: response.message.callId,
    local: response.header('From'),
    remote: response.header('To'),
    target: uriIn(response.header('Contact') || requestUri),
    routes: response.headers('Record-Route').flatMap(splitValues).reverse(),
    cseq,
  }
}

/** RFC 3261 §12.1.1: our response to a request; the route set is Record-Route as it came. */
export function dialogOfRequest(request: Received, response: HeaderLines, cseq: number): Dialog {
  return {
    callId: request.message.callId,
    local: response.find(([name]) => name === 'To')?.[1] ?? '',
    remote: request.message.value(HeaderId.from),
    target: uriIn(request.header('Contact')),
    routes: request.headers('Record-Route').flatMap(splitValues),
    cseq,
  }
}

/** RFC 3261 §12.2.1.2, §12.2.2: a request within the dialog may move the remote target, never the route set. */
export function withTarget(dialog: Dialog, contact: string): Dialog {
  return contact === '' ? dialog : { ...dialog, target: uriIn(contact) }
}

/** Requests that make a dialog. */
export function makesDialog(method: string, statusCode: number): boolean {
  return (method === 'INVITE' || method === 'SUBSCRIBE') && statusCode > 100 && statusCode < 300
}
