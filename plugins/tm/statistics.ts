import type { PluginHost, ResponseContext } from '../../src/plugin/index.ts'

/** tm.stats and tm.list, in Kamailio's shape. */
export function statistics(host: PluginHost): Record<string, number> {
  const { contextCount, statistics: numbers } = host.proxy
  // Of answered requests other than INVITE nothing but the answer is left: to an operator they wait all the same.
  const { answeredCount } = host.transactions
  let waiting = answeredCount
  for (const context of host.proxy.contexts()) if (context.isAnswered) waiting++
  const [, , success = 0, redirection = 0, client = 0, server = 0, global = 0] = numbers.finalByClass
  return {
    current: contextCount + answeredCount,
    waiting,
    total: numbers.created + numbers.local,
    total_local: numbers.local,
    rpl_received: numbers.repliesReceived,
    rpl_generated: numbers.repliesGenerated,
    rpl_sent: numbers.repliesSent,
    '6xx': global,
    '5xx': server,
    '4xx': client,
    '3xx': redirection,
    '2xx': success,
    created: numbers.created + numbers.local,
    freed: numbers.freed + numbers.local,
    delayed_free: 0,
  }
}

/** One answer of the RPC interface must stay readable. */
const listedMax = 1_000

export function list(host: PluginHost): Record<string, string | number>[] {
  const out: Record<string, string | number>[] = []
  for (const context of host.proxy.contexts()) {
    if (out.length >= listedMax) break
    out.push(describe(context))
  }
  return out
}

function describe(context: ResponseContext): Record<string, string | number> {
  const { server, branches } = context
  const { request } = server
  return {
    tindex: server.id % 65_536,
    tlabel: server.id,
    method: server.method,
    from: request.from?.uri ?? '',
    to: request.to?.uri ?? '',
    callid: request.callId,
    cseq: request.cseq?.number ?? 0,
    uas_request: request.requestUri,
    lifetime_status: server.lastStatus,
    outgoings: branches.length,
  }
}
