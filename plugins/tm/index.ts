import {
  definePlugin,
  type Flow,
  type PluginHost,
  type RouteContext,
  type SipMessage,
} from '../../src/plugin/index.ts'
import { loadContacts, nextContacts } from './contacts.ts'
import { functions } from './functions.ts'
import { armed, ensureTransaction } from './note.ts'
import { sendOwnRequest } from './own-requests.ts'
import { applyParams, params } from './params.ts'
import * as queries from './queries.ts'
import {
  newTransaction,
  type RelayOptions,
  relay,
  relayCancel,
  replicate,
  reuseBranch,
  uriOf,
  uriOfProxy,
} from './relay.ts'
import { list, statistics } from './statistics.ts'

/**
 * Stateful forwarding: Kamailio's tm over the response contexts of src/proxy (RFC 3261 §16). No function here waits:
 * t_relay() returns before host names are looked up (docs/decisions/0010-dns-does-not-block.md).
 */
export default definePlugin({
  name: 'tm',
  summary: 'Stateful forwarding and answers: transactions and response contexts (RFC 3261 §16, §17).',
  params,
  functions,
  variables: {
    T_branch_idx: {
      type: 'int',
      doc: 'Index of the branch; in request and failure routes how many there are.',
    },
    T_reply_code: { type: 'int', doc: 'Code of the reply; of the winner in a failure route; 0 without one.' },
    T_reply_reason: { type: 'string', doc: 'Its reason phrase.' },
    T_reply_last: { type: 'int', doc: 'Code of the last reply that the branch got.' },
    T_reply_ruid: { type: 'string', doc: 'Record id of the binding that the reply\u2019s branch came from.' },
    T_ruid: { type: 'string', doc: 'As T_reply_ruid.' },
    T_ruid_array: {
      type: 'string',
      inner: 'name',
      innerOptional: true,
      indexed: true,
      doc: 'Record ids by branch.',
    },
  },
  events: {
    'local-request': { doc: 'A request of our own is about to leave.' },
    'branch-failure:*': { doc: 'A branch failed that t_on_branch_failure() armed.' },
  },
  rpc: {
    'tm.stats': { doc: 'Counters since the start.', workers: 'sum' },
    'tm.list': { doc: 'Living transactions, at most a thousand of each worker.', workers: 'concat' },
  },
  setup(host, values) {
    applyParams(host, values)
    const send = (context: RouteContext, options?: RelayOptions) => {
      setTimersFromVariables(context, values)
      return relay(context, host, options)
    }
    const sendTo =
      (transport: string) => (context: RouteContext, name?: string, port?: string | number | null) =>
        send(
          context,
          name === undefined || name === '' ? {} : { next: uriOf(name, String(port ?? ''), transport) },
        )
    return {
      functions: {
        t_relay: sendTo(''),
        t_forward_nonack: sendTo(''),
        t_relay_to_udp: sendTo('udp'),
        t_forward_nonack_udp: sendTo('udp'),
        t_relay_to_tcp: sendTo('tcp'),
        t_forward_nonack_tcp: sendTo('tcp'),
        t_relay_to_tls: sendTo('tls'),
        t_relay_to(context, proxy, flags) {
          const isFlags = proxy !== undefined && flags === undefined && /^(0x)?\d+$/i.test(proxy)
          const bits = Number(isFlags ? proxy : (flags ?? 0)) || 0
          if (isFlags || proxy === undefined || proxy === '') return send(context, { flags: bits })
          const next = uriOfProxy(proxy)
          return next === null ? -479 : send(context, { flags: bits, next })
        },
        t_replicate: (context, uri, port) =>
          replicate(context, host, /^sips?:/i.test(uri) ? uri : uriOf(uri, String(port ?? ''), '')),
        t_relay_cancel: (context) => relayCancel(context, host),
        t_newtran: (context) => newTransaction(context, host),
        t_reply: replyStatefully,
        t_release(context) {
          if (context.transaction === null) return -1
          context.transaction.release()
          return 1
        },
        t_retransmit_reply: () => -1,
        t_check_trans: (context) => queries.checkTransaction(context, host),
        t_lookup_request: (context) => queries.lookUpRequest(context, host),
        t_lookup_cancel: (context) => queries.lookUpCancel(context, host),
        t_on_branch(context, route) {
          armed(context).branchRoute = nameOf(route)
          return 1
        },
        t_on_reply(context, route) {
          armed(context).replyRoute = nameOf(route)
          return 1
        },
        t_on_failure(context, route) {
          armed(context).failureRoute = nameOf(route)
          return 1
        },
        t_on_branch_failure(context, name) {
          armed(context).branchFailureRoute = branchFailureRoute(host, name)
          return 1
        },
        t_is_set: queries.isArmed,
        t_check_status: queries.checkStatus,
        t_grep_status: queries.grepStatus,
        t_is_canceled: queries.isCanceled,
        t_is_expired: (context) => queries.isExpired(context, host),
        t_any_timeout: queries.anyTimeout,
        t_any_replied: queries.anyReplied,
        t_branch_timeout: queries.branchTimeout,
        t_branch_replied: queries.branchReplied,
        t_set_fr: queries.setTimers,
        t_reset_fr(context) {
          const target = armed(context)
          target.finalResponse = 0
          target.finalResponseInvite = 0
          return 1
        },
        t_set_retr(context, t1, t2) {
          const target = armed(context)
          if (t1 > 0) target.t1 = t1
          if (t2 > 0) target.t2 = t2
          return 1
        },
        t_reset_retr(context) {
          const target = armed(context)
          target.t1 = 0
          target.t2 = 0
          return 1
        },
        t_set_max_lifetime(context, invite, any) {
          const lifetime = context.message.method === 'INVITE' ? invite : any
          if (lifetime > 0) armed(context).maxLifetime = lifetime
          return 1
        },
        t_reset_max_lifetime(context) {
          armed(context).maxLifetime = 0
          return 1
        },
        t_set_auto_inv_100(context, on) {
          armed(context).autoInvite100 = on !== 0
          return 1
        },
        t_set_disable_6xx(context, on) {
          armed(context).disable6xx = on !== 0
          return 1
        },
        t_set_disable_failover(context, on) {
          armed(context).disableFailover = on !== 0
          return 1
        },
        t_drop_replies(context, which) {
          const word = dropped[(which ?? 'a').slice(0, 1)]
          if (context.transaction === null || word === undefined) return -1
          context.transaction.dropResponses(word)
          return 1
        },
        t_save_lumps: () => 1,
        t_use_uac_headers: () => 1,
        t_load_contacts: loadContacts,
        t_next_contacts: nextContacts,
        t_reuse_branch: reuseBranch,
        t_uac_send: (context, method, uri, next, socket, headers, body) =>
          sendOwnRequest(context, host, method, uri, next, socket, headers, body ?? ''),
      },
      variables: {
        T_branch_idx: {
          read: ({ branch, transaction }) => branch?.index ?? transaction?.branches.length ?? 0,
        },
        T_reply_code: { read: queries.currentStatus },
        T_reply_reason: {
          read: ({ message, transaction }) =>
            (message.isRequest ? transaction?.bestResponse?.reasonPhrase : message.reasonPhrase) ?? null,
        },
        T_reply_last: {
          read: ({ branch, transaction }) => branch?.status ?? transaction?.branches.at(-1)?.status ?? 0,
        },
        T_reply_ruid: { read: ruidOf },
        T_ruid: { read: ruidOf },
        T_ruid_array: {
          read: ({ transaction }, _inner, index) =>
            transaction?.branches.at(typeof index === 'number' ? index : 0)?.target.ruid || null,
        },
      },
      rpc: {
        'tm.stats': () => statistics(host),
        'tm.list': () => list(host),
      },
      start() {
        if (host.script.hasRoute('event', 'tm:local-request')) {
          host.proxy.onOwnRequest((request, flow) => runLocalRequest(host, request, flow))
        }
      },
      exports: {
        /** Makes the request stateful, or gives its transaction; null if it cannot be. */
        ensureTransaction: (context: RouteContext) => ensureTransaction(context, host),
        relay: (context: RouteContext) => relay(context, host),
      },
    }
  },
})

/** event_route[tm:local-request]: may edit the request, or drop it. It cannot wait: what it does later is too late. */
function runLocalRequest(host: PluginHost, request: SipMessage, flow: Flow): string | null {
  const run: { context: RouteContext | null } = { context: null }
  void host.script.runEvent('tm:local-request', request, flow, (context) => {
    run.context = context
  })
  const { context } = run
  if (context === null) return request.text
  if (context.ended === 2) return null
  return context.applyEdits() ? context.message.text : request.text
}

const dropped: Readonly<Record<string, 'all' | 'last' | 'none'>> = { a: 'all', l: 'last', n: 'none' }

function nameOf(route: string): string | null {
  return route === '' || route === '0' ? null : route
}

function branchFailureRoute(host: PluginHost, name: string): string | null {
  if (nameOf(name) === null) return null
  if (host.script.hasRoute('event', `tm:branch-failure:${name}`)) return name
  host.log.warn({ route: name }, 't_on_branch_failure: there is no such event_route')
  return null
}

/** In a reply route the request is answered, not the reply. */
function replyStatefully(context: RouteContext, codeText: string, reason: string): number {
  const code = Number(codeText)
  const { transaction } = context
  if (transaction === null || !Number.isInteger(code) || code < 100 || code > 699) return -1
  const phrase = reason.replace(/[\r\n]+/g, ' ')
  if (context.message.isRequest) return context.reply(code, phrase)
  return transaction.reply(code, phrase, { headers: context.replyHeaders }) ? 1 : -1
}

interface TimerVariables {
  readonly fr_timer_avp?: { read(context: RouteContext): string | number | null } | undefined
  readonly fr_inv_timer_avp?: { read(context: RouteContext): string | number | null } | undefined
}

/** fr_timer_avp and fr_inv_timer_avp hold seconds. */
function setTimersFromVariables(context: RouteContext, values: TimerVariables): void {
  const { fr_timer_avp: any, fr_inv_timer_avp: invite } = values
  if (any === undefined && invite === undefined) return
  const seconds = Number(any?.read(context) ?? 0)
  const inviteSeconds = Number(invite?.read(context) ?? 0)
  if (seconds > 0) armed(context).finalResponse = seconds * 1000
  if (inviteSeconds > 0) armed(context).finalResponseInvite = inviteSeconds * 1000
}

function ruidOf({ branch }: RouteContext): string | null {
  return branch?.target.ruid || null
}
