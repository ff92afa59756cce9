import { createTarget, type PluginHost, parseUri, type RouteContext } from '../../src/plugin/index.ts'

/** t_uac_send(): a request of our own, whose answer interests no one. */
export function sendOwnRequest(
  context: RouteContext,
  host: PluginHost,
  method: string,
  uri: string,
  nextHop: string,
  socketLabel: string,
  headers: string,
  body: string,
): number {
  const lines = parseLines(headers)
  const from = lines.take('from')
  const to = lines.take('to') ?? `<${uri}>`
  if (from === null || !/^[A-Z]{1,32}$/.test(method) || parseUri(uri) === null) {
    context.explain('t_uac_send', 'it needs a method, a URI, and a From header')
    return -1
  }
  const callId = lines.take('call-id')
  const cseq = Number.parseInt(lines.take('cseq') ?? '1', 10)
  const contentType = lines.take('content-type')
  const target = createTarget(uri)
  if (nextHop !== '') target.destinationUri = nextHop
  target.socket = socketLabel === '' ? null : host.sockets.find(socketLabel)
  host.proxy.sendRequest({
    method,
    target,
    from: from.includes('tag=') ? from : `${from};tag=${host.random.hex(8)}`,
    to,
    cseq: Number.isSafeInteger(cseq) ? cseq : 1,
    headers: lines.rest(),
    stateful: true,
    ...(callId !== null && { callId }),
    ...(body !== '' && { body }),
    ...(contentType !== null && { contentType }),
  })
  return 1
}

interface HeaderLines {
  /** The value of the first line of that name, which is then gone; null if there is none. */
  take(name: string): string | null
  rest(): string
}

function parseLines(headers: string): HeaderLines {
  const lines = headers.split(/\r?\n/).filter((line) => line !== '')
  return {
    take(name) {
      const index = lines.findIndex((line) => line.slice(0, line.indexOf(':')).trim().toLowerCase() === name)
      if (index < 0) return null
      const [line = ''] = lines.splice(index, 1)
      return line.slice(line.indexOf(':') + 1).trim()
    },
    rest: () => lines.map((line) => `${line}\r\n`).join(''),
  }
}
