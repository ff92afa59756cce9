import {
  ArgumentProblem,
  anyRoute,
  definePlugin,
  type PluginHost,
  type ResponseContext,
  type RouteContext,
  type RouteKind,
  type Value,
  type VariableAccess,
} from '../../src/plugin/index.ts'
import { readElsewhere } from './elsewhere.ts'
import { indexOf, labelOf, SuspendedTransactions } from './suspended.ts'

/** What Kamailio's tmx adds to tm: suspending, cancelling by Call-ID, and a look at the transaction's other messages. */
/** What another worker is told: index, label, route. */
const continueTopic = 'tmx.continue'

const yesNo = { 1: 'yes', '-1': 'no' } as const
const callArguments = [
  { name: 'callid', type: 'string', doc: 'Call-ID of the INVITE.' },
  { name: 'cseq', type: 'string', doc: 'Number of its CSeq.' },
] as const

interface TmExports {
  ensureTransaction(context: RouteContext): ResponseContext | null
}

export default definePlugin({
  name: 'tmx',
  summary: 'Extensions of tm: suspend and continue, cancel by Call-ID, variables of a transaction.',
  functions: {
    t_precheck_trans: {
      in: ['request'],
      returns: {
        '-1': 'always: a retransmission of a request that is being worked on never reaches the script',
      },
      doc: 'Kept for scripts that ask.',
    },
    t_is_retr_async_reply: {
      in: ['core-reply', 'reply', 'event'],
      returns: { '-1': 'always: responses behind a suspended reply route wait their turn' },
      doc: 'Kept for scripts that ask.',
    },
    t_is_request_route: { in: anyRoute, returns: yesNo, doc: 'Whether this is a request_route.' },
    t_is_failure_route: { in: anyRoute, returns: yesNo, doc: 'Whether this is a failure_route.' },
    t_is_branch_route: { in: anyRoute, returns: yesNo, doc: 'Whether this is a branch_route.' },
    t_is_reply_route: { in: anyRoute, returns: yesNo, doc: 'Whether this is an onreply_route.' },
    t_cancel_branches: {
      in: ['reply', 'core-reply', 'failure', 'event'],
      args: [{ name: 'which', type: 'string', doc: 'all, others or this.' }],
      returns: yesNo,
      doc: 'Cancels branches that have no final answer (RFC 3261 §16.10).',
    },
    t_cancel_callid: {
      in: anyRoute,
      args: [
        ...callArguments,
        { name: 'flag', type: 'string', doc: 'Message flag that is set in that transaction; "-1" for none.' },
        { name: 'code', type: 'string', optional: true, doc: 'Status that its caller gets at once.' },
      ],
      returns: yesNo,
      doc: 'Cancels another INVITE.',
    },
    t_reply_callid: {
      in: anyRoute,
      args: [
        ...callArguments,
        { name: 'code', type: 'string', doc: 'Status code.' },
        { name: 'reason', type: 'string', doc: 'Reason phrase.' },
      ],
      returns: yesNo,
      doc: 'Answers another request.',
    },
    t_suspend: {
      in: ['request', 'failure', 'event'],
      returns: { 1: 'suspended', '-1': 'not suspended' },
      doc: 'Leaves the request waiting for t_continue(); `$T(id_index)` and `$T(id_label)` name it.',
    },
    t_continue: {
      in: anyRoute,
      args: [
        { name: 'index', type: 'value', doc: '`$T(id_index)` of it.' },
        { name: 'label', type: 'value', doc: '`$T(id_label)` of it.' },
        { name: 'route', type: 'route', route: 'request', doc: 'Route that goes on with it.' },
        { name: 'status', type: 'value', optional: true, doc: 'Has no effect.' },
      ],
      returns: yesNo,
      doc: 'Goes on with a suspended request.',
    },
    t_drop: {
      in: ['request', 'failure', 'event'],
      args: [{ name: 'code', type: 'value', optional: true, doc: 'Has no effect on the wire.' }],
      returns: { 0: 'dropped: the script ends' },
      doc: 'Forgets the transaction without an answer, and ends the script.',
    },
    t_flush_flags: {
      in: anyRoute,
      returns: { 1: 'always: flags belong to the transaction' },
      doc: 'Kept for scripts that ask.',
    },
    t_flush_xflags: {
      in: anyRoute,
      returns: { 1: 'always: flags belong to the transaction' },
      doc: 'Kept for scripts that ask.',
    },
  },
  variables: {
    T_req: {
      type: 'value',
      inner: 'variable',
      doc: 'A variable as it is in the transaction\u2019s request.',
    },
    T_rpl: {
      type: 'value',
      inner: 'variable',
      doc: 'As it is in the winning response, or the response at hand.',
    },
    T_inv: { type: 'value', inner: 'variable', doc: 'As it is in the INVITE that a CANCEL means.' },
    T: {
      type: 'value',
      inner: 'name',
      prepare: transactionPart,
      doc: 'id_index, id_label, id_index_n, id_label_n, reply_code, reply_type, branch_index, method, start, flags.',
    },
    T_branch: {
      type: 'value',
      inner: 'name',
      doc: 'flags, uri: of the branch that a reply or branch route is about.',
    },
  },
  uses: ['tm'],
  setup(host) {
    const { workers } = host
    // Its transaction is another worker's: whether it still waits we do not learn.
    workers.onTold(continueTopic, (value) => {
      const [index, label, route] = value as [number, number, string]
      goOn(index, label, route)
    })
    const suspended = new SuspendedTransactions()
    const tm = () => host.exportsOf<TmExports>('tm')
    const goOn = (index: number, label: number, route: string) =>
      suspended.take(index, label)?.resume(route) ? 1 : -1
    return {
      functions: {
        t_precheck_trans: () => -1,
        t_is_retr_async_reply: () => -1,
        t_is_request_route: is(['request']),
        t_is_failure_route: is(['failure']),
        t_is_branch_route: is(['branch']),
        t_is_reply_route: is(['reply', 'core-reply']),
        t_cancel_branches(context, which) {
          if (which !== 'all' && which !== 'others' && which !== 'this') return -1
          if (context.transaction === null) return -1
          context.transaction.cancelBranches(which, context.branch?.index)
          return 1
        },
        t_cancel_callid(_context, callId, cseq, flag, code) {
          const other = findByCallId(host, callId, cseq, 'INVITE')
          if (other === null) return -1
          const bit = Number(flag)
          const scope = other.scope as { flags?: number }
          if (Number.isInteger(bit) && bit >= 0 && bit < 32 && typeof scope.flags === 'number') {
            scope.flags |= 1 << bit
          }
          const status = Number(code ?? '')
          if (status >= 300 && status < 700) other.reply(status, 'Canceled')
          else other.cancel()
          return 1
        },
        t_reply_callid(_context, callId, cseq, code, reason) {
          const status = Number(code)
          if (!Number.isInteger(status) || status < 100 || status > 699) return -1
          const other = findByCallId(host, callId, cseq, null)
          return other?.reply(status, reason.replace(/[\r\n]+/g, ' ')) ? 1 : -1
        },
        t_suspend(context) {
          const transaction = tm()?.ensureTransaction(context) ?? null
          return transaction !== null && suspended.add(transaction) ? 1 : -1
        },
        t_continue(_context, index, label, route) {
          const owner = Number(label) > 0 ? Number(label) % workers.count : workers.index
          if (owner === workers.index) return goOn(Number(index), Number(label), route)
          workers.tellOne(owner, continueTopic, [Number(index), Number(label), route])
          return 1
        },
        t_drop(context) {
          context.transaction?.cancelBranches('all')
          context.transaction?.release()
          return 0
        },
        t_flush_flags: () => 1,
        t_flush_xflags: () => 1,
      },
      variables: {
        T_req: {
          read(context, inner) {
            const { transaction } = context
            return readElsewhere(context, transaction?.request, transaction?.flow ?? null, variableOf(inner))
          },
        },
        T_rpl: {
          read(context, inner) {
            const { message, transaction } = context
            const response = message.isRequest ? transaction?.bestResponse : message
            return readElsewhere(context, response, null, variableOf(inner))
          },
        },
        T_inv: {
          read(context, inner) {
            const isCancel = context.message.method === 'CANCEL'
            const invite = isCancel ? host.proxy.findContext(context.message) : null
            return readElsewhere(context, invite?.request, invite?.flow ?? null, variableOf(inner))
          },
        },
        T: { read: (context, inner) => readPart(context, String(inner)) },
        T_branch: {
          read({ branch }, inner) {
            if (branch === null) return null
            return inner === 'uri' ? branch.target.uri : inner === 'flags' ? branch.target.flags : null
          },
        },
      },
    }
  },
})

function is(kinds: readonly RouteKind[]): (context: RouteContext) => number {
  return (context) => (kinds.includes(context.kind) ? 1 : -1)
}

function variableOf(inner: unknown): VariableAccess<RouteContext> {
  return inner as VariableAccess<RouteContext>
}

/** Scripts do this for a handful of calls: the table is read from its beginning. */
function findByCallId(
  host: PluginHost,
  callId: string,
  cseq: string,
  method: string | null,
): ResponseContext | null {
  for (const context of host.proxy.contexts()) {
    const { request } = context.server
    if (request.callId !== callId || String(request.cseq?.number) !== cseq) continue
    if (method === null || context.server.method === method) return context
  }
  return null
}

const parts = new Set([
  'id_index',
  'id_label',
  'id_index_n',
  'id_label_n',
  'reply_code',
  'reply_type',
  'branch_index',
  'method',
  'start',
  'flags',
  'reply_code_n',
])

function transactionPart(inner: string): string {
  if (!parts.has(inner))
    throw new ArgumentProblem(`$T has no part ${inner}`, `one of ${[...parts].join(', ')}`)
  return inner
}

/** Null without a transaction (measured on Kamailio 5.6.3). */
function readPart(context: RouteContext, part: string): Value {
  const { transaction, branch, message } = context
  if (transaction === null) return null
  switch (part) {
    case 'id_index':
    case 'id_index_n':
      return indexOf(transaction)
    case 'id_label':
    case 'id_label_n':
      return labelOf(transaction)
    case 'reply_code':
    case 'reply_code_n':
      return message.isRequest ? transaction.bestStatus : message.statusCode
    case 'reply_type':
      return transaction.bestResponse === null && message.isRequest ? 1 : 0
    case 'branch_index':
      return branch?.index ?? transaction.branches.length
    case 'method':
      return transaction.server.method
    default:
      return 0
  }
}
