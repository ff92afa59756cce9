import { limits } from '../limits.ts'
import type { Target } from '../proxy/target.ts'
import { parseUri, withHost, withHostAndPort, withParams, withPort, withUser } from '../sip/uri.ts'
import type { ListenSocket } from '../transport/socket.ts'
import type { ScriptRun } from './route-context.ts'

/**
 * What scripts do to the Request-URI and the next hop. Each change touches its own part of the URI and leaves the
 * rest as it stands (measured on Kamailio 5.6.3).
 */
export function setRequestUri(run: ScriptRun, uri: string): boolean {
  if (uri.length > limits.uriBytesMax) return false
  if (run.target.uri !== uri) forgetFlow(run.target)
  run.target.uri = uri
  run.requestUriChanged = true
  return true
}

/** As `change` makes it; false if the URI cannot be read or has no such part. */
export function changeRequestUri(run: ScriptRun, change: (uri: string) => string | null): boolean {
  const changed = change(run.target.uri)
  if (changed === null || changed.length > limits.uriBytesMax) return false
  run.target.uri = changed
  run.requestUriChanged = true
  return true
}

/** '' removes user and password. */
export function setUser(run: ScriptRun, user: string): boolean {
  return changeRequestUri(run, (uri) => withUser(uri, user === '' ? null : user))
}

export function setHost(run: ScriptRun, host: string): boolean {
  if (host === '' || !changeRequestUri(run, (uri) => withHost(uri, host))) return false
  forgetFlow(run.target)
  return true
}

/** 0 removes the port. */
export function setPort(run: ScriptRun, port: number): boolean {
  if (!changeRequestUri(run, (uri) => withPort(uri, port))) return false
  forgetFlow(run.target)
  return true
}

/** `host[:port][;params]`, as sethostport and sethostporttrans take it; the parameters go before the others. */
export function setHostPort(run: ScriptRun, hostPort: string): boolean {
  const parsed = parseUri(`sip:${hostPort}`)
  if (parsed === null) return false
  const changed = changeRequestUri(run, (uri) => {
    const moved = withHostAndPort(uri, parsed.host, parsed.port)
    if (moved === null || parsed.params === '') return moved
    const params = parseUri(moved)?.params ?? ''
    return withParams(moved, params === '' ? parsed.params : `${parsed.params};${params}`)
  })
  if (changed) forgetFlow(run.target)
  return changed
}

/** The next hop; null for none. A flow that lookup() found goes with the old one. */
export function setDestination(target: Target, uri: string | null): void {
  target.destinationUri = uri
  target.flow = null
}

/** The socket to send from. A flow keeps its far end. */
export function setSocket(target: Target, socket: ListenSocket | null): void {
  target.socket = socket
  const { flow } = target
  if (flow === null || flow.socket === socket) return
  target.flow = socket === null ? null : { socket, address: flow.address, port: flow.port }
}

/** Another host in the Request-URI means another way, unless `$du` says where to go. */
function forgetFlow(target: Target): void {
  if (target.destinationUri === null) target.flow = null
}
