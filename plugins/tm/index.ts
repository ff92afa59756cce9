import {
  anyRoute,
  definePlugin,
  type Flow,
  type PluginHost,
  type RouteContext,
  type RouteKind,
  type SipMessage,
} from '../../src/plugin/index.ts'
import { loadContacts, nextContacts } from './contacts.ts'
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
const sending: readonly RouteKind[] = ['request', 'failure', 'event']
const arming: readonly RouteKind[] = ['request', 'failure', 'branch', 'reply', 'core-reply', 'event']
const yesNo = { 1: 'yes', '-1': 'no' } as const
const done = { 1: 'done' } as const
const relayed = {
  1: 'sent, or on its way to DNS',
  '-1': 'nothing to send to, or no transaction can be made',
  '-6': 'the branch route dropped every branch',
  '-7': 'no socket of ours can send there',
  '-400': 'the Request-URI cannot be read',
  '-440': 'Max-Breadth does not suffice (RFC 5393)',
  '-477': 'the transport refused',
  '-478': 'the destination cannot be resolved',
  '-479': 'the given destination is no URI',
  '-482': 'the request is in a loop (RFC 5393)',
  '-487': 'the INVITE was cancelled',
} as const

const hostArgument = {
  name: 'host',
  type: 'name',
  optional: true,
  doc: 'Next hop instead of the targets\u2019 own.',
} as const
const portArgument = { name: 'port', type: 'value', optional: true, doc: 'Its port.' } as const
const toHost = { in: sending, args: [hostArgument, portArgument], returns: relayed } as const

export default definePlugin({
  name: 'tm',
  summary: 'Stateful forwarding and answers: transactions and response contexts (RFC 3261 §16, §17).',
  params,
  functions: {
    t_relay: { ...toHost, doc: 'Relays the request statefully to its targets, or to one host.' },
    t_forward_nonack: { ...toHost, doc: 'As t_relay().' },
    t_relay_to_udp: { ...toHost, doc: 'As t_relay(), over UDP.' },
    t_relay_to_tcp: { ...toHost, doc: 'As t_relay(), over TCP.' },
    t_relay_to_tls: { ...toHost, doc: 'As t_relay(), over TLS.' },
    t_forward_nonack_udp: { ...toHost, doc: 'As t_relay_to_udp().' },
    t_forward_nonack_tcp: { ...toHost, doc: 'As t_relay_to_tcp().' },
    t_relay_to: {
      in: sending,
      args: [
        {
          name: 'proxy',
          type: 'string',
          optional: true,
          doc: '`udp:host:port`; or the flags if it is a number.',
        },
        {
          name: 'flags',
          type: 'value',
          optional: true,
          doc: '1: no 100; 2: no answer of ours on failure; 4: no DNS failover.',
        },
      ],
      returns: relayed,
      doc: 'Relays with flags.',
    },
    t_replicate: {
      in: ['request'],
      args: [
        { name: 'uri', type: 'string', doc: 'Where to: a URI, or a host.' },
        { name: 'port', type: 'value', optional: true, doc: 'Port, if the first argument is a host.' },
      ],
      returns: { 1: 'sent', '-1': 'not sent' },
      doc: 'Sends a copy whose answers count for nothing.',
    },
    t_relay_cancel: {
      in: ['request'],
      returns: {
        0: 'relayed: the script ends',
        1: 'no CANCEL, or nothing is known of its INVITE',
        '-1': 'not relayed',
      },
      doc: 'Relays a CANCEL whose INVITE is here, and ends the script.',
    },
    t_newtran: {
      in: ['request'],
      returns: {
        1: 'made',
        '-1': 'not made: an ACK, or the table is full',
        '-10': 'it exists already',
        '-400': 'bad Request-URI',
      },
      doc: 'Makes the request stateful.',
    },
    t_reply: {
      in: ['request', 'failure', 'reply', 'event'],
      args: [
        { name: 'code', type: 'string', doc: 'Status code.' },
        { name: 'reason', type: 'string', doc: 'Reason phrase.' },
      ],
      returns: { 1: 'sent', '-1': 'not sent: no transaction, or a final answer went before' },
      aliases: ['t_send_reply'],
      doc: 'Answers through the transaction. In a failure route it replaces the winner.',
    },
    t_release: {
      in: ['request', 'event'],
      returns: yesNo,
      doc: 'Forgets a transaction that nobody will answer.',
    },
    t_retransmit_reply: {
      in: ['request'],
      returns: { '-1': 'always: retransmissions are answered before the script runs' },
      doc: 'Kept for scripts that ask.',
    },
    t_check_trans: {
      in: ['request', 'branch', 'failure', 'core-reply', 'reply', 'event'],
      returns: { 1: 'a CANCEL, ACK or response of a transaction of ours', '-1': 'none' },
      doc: 'Whether the message belongs to a transaction. Retransmissions never reach the script.',
    },
    t_lookup_request: { in: arming, returns: yesNo, doc: 'Whether the request has a transaction.' },
    t_lookup_cancel: {
      in: ['request'],
      args: [{ name: 'flags', type: 'value', optional: true, doc: 'Has no effect.' }],
      returns: yesNo,
      doc: 'Whether the INVITE of this CANCEL is here.',
    },
    t_on_branch: {
      in: arming,
      args: [{ name: 'route', type: 'route', route: 'branch', doc: 'Its name; "0" or "" for none.' }],
      returns: done,
      doc: 'Arms a branch_route for each branch from now on.',
    },
    t_on_reply: {
      in: arming,
      args: [{ name: 'route', type: 'route', route: 'reply', doc: 'Its name; "0" or "" for none.' }],
      returns: done,
      doc: 'Arms an onreply_route for all responses.',
    },
    t_on_failure: {
      in: arming,
      args: [{ name: 'route', type: 'route', route: 'failure', doc: 'Its name; "0" or "" for none.' }],
      returns: done,
      doc: 'Arms a failure_route, once.',
    },
    t_on_branch_failure: {
      in: arming,
      args: [
        { name: 'name', type: 'string', doc: 'N of event_route[tm:branch-failure:N]; "0" or "" for none.' },
      ],
      returns: done,
      doc: 'Arms an event route for each branch that fails.',
    },
    t_is_set: {
      in: arming,
      args: [
        {
          name: 'kind',
          type: 'string',
          doc: 'branch_route, failure_route, onreply_route, branch_failure_route.',
        },
      ],
      returns: yesNo,
      doc: 'Whether such a route is armed.',
    },
    t_check_status: {
      in: ['request', 'reply', 'core-reply', 'failure', 'branch', 'event'],
      args: [{ name: 'pattern', type: 'regex', doc: 'Matched against the code.' }],
      returns: yesNo,
      doc: 'Looks at the code of the reply, of the winner in a failure route.',
    },
    t_grep_status: {
      in: arming,
      args: [{ name: 'code', type: 'int', doc: 'Status code.' }],
      returns: yesNo,
      doc: 'Whether any branch ended with that code.',
    },
    t_is_canceled: { in: anyRoute, returns: yesNo, doc: 'Whether the INVITE was cancelled.' },
    t_is_expired: { in: anyRoute, returns: yesNo, doc: 'Whether the transaction is past its lifetime.' },
    t_any_timeout: { in: anyRoute, returns: yesNo, doc: 'Whether any branch timed out.' },
    t_any_replied: { in: anyRoute, returns: yesNo, doc: 'Whether any branch was answered.' },
    t_branch_timeout: { in: anyRoute, returns: yesNo, doc: 'Whether the winning branch timed out.' },
    t_branch_replied: { in: anyRoute, returns: yesNo, doc: 'Whether the winning branch was answered.' },
    t_set_fr: {
      in: arming,
      args: [
        { name: 'invite', type: 'int', doc: 'Milliseconds for fr_inv_timer; 0 leaves it.' },
        { name: 'any', type: 'int', optional: true, doc: 'Milliseconds for fr_timer.' },
      ],
      returns: done,
      doc: 'Timeouts of this transaction\u2019s branches.',
    },
    t_reset_fr: { in: arming, returns: done, doc: 'Back to fr_timer and fr_inv_timer.' },
    t_set_retr: {
      in: arming,
      args: [
        { name: 't1', type: 'int', doc: 'Milliseconds; 0 leaves it.' },
        { name: 't2', type: 'int', doc: 'Milliseconds; 0 leaves it.' },
      ],
      returns: done,
      doc: 'Retransmission intervals of this transaction\u2019s branches.',
    },
    t_reset_retr: { in: arming, returns: done, doc: 'Back to retr_timer1 and retr_timer2.' },
    t_set_max_lifetime: {
      in: arming,
      args: [
        { name: 'invite', type: 'int', doc: 'Milliseconds if it is an INVITE; 0 leaves it.' },
        { name: 'any', type: 'int', doc: 'Milliseconds if it is not; 0 leaves it.' },
      ],
      returns: done,
      doc: 'Longest life of this transaction.',
    },
    t_reset_max_lifetime: {
      in: arming,
      returns: done,
      doc: 'Back to max_inv_lifetime and max_noninv_lifetime.',
    },
    t_set_auto_inv_100: {
      in: ['request'],
      args: [{ name: 'on', type: 'int', doc: '0: no 100.' }],
      returns: done,
      doc: 'Whether t_relay() answers an INVITE with 100.',
    },
    t_set_disable_6xx: {
      in: arming,
      args: [{ name: 'on', type: 'int', doc: '1: a 6xx is a failure like any other.' }],
      returns: done,
      doc: 'Whether a 6xx ends all branches.',
    },
    t_set_disable_failover: {
      in: arming,
      args: [{ name: 'on', type: 'int', doc: '1: only the first address of a host name is tried.' }],
      returns: done,
      doc: 'DNS failover (RFC 3263 §4.3).',
    },
    t_drop_replies: {
      in: ['failure'],
      args: [{ name: 'which', type: 'string', optional: true, doc: 'a: all; l: of the last leg; n: none.' }],
      returns: yesNo,
      doc: 'Forgets answers of earlier branches, so that they cannot win.',
    },
    t_save_lumps: {
      in: ['request'],
      returns: { 1: 'always: what t_relay() sends is what failure routes start from' },
      doc: 'Kept for scripts that ask.',
    },
    t_use_uac_headers: {
      in: ['request'],
      returns: { 1: 'always: our ACK and CANCEL follow the request as it left' },
      doc: 'Kept for scripts that ask.',
    },
    t_load_contacts: {
      in: ['request', 'failure', 'event'],
      args: [{ name: 'mode', type: 'value', optional: true, doc: 'Has no effect.' }],
      returns: yesNo,
      doc: 'Sorts the targets into groups of equal q.',
    },
    t_next_contacts: {
      in: ['request', 'failure', 'event'],
      returns: { 1: 'the next group is the destination set', '-1': 'none was loaded', '-2': 'none is left' },
      doc: 'Makes the next group of t_load_contacts() the destination set.',
    },
    t_reuse_branch: {
      in: ['event'],
      returns: yesNo,
      doc: 'Sends once more to where the failed branch went.',
    },
    t_uac_send: {
      in: anyRoute,
      args: [
        { name: 'method', type: 'string', doc: 'Method.' },
        { name: 'uri', type: 'string', doc: 'Request-URI.' },
        { name: 'next', type: 'string', doc: 'Next hop as a URI; "" for none.' },
        { name: 'socket', type: 'string', doc: 'Socket to send from; "" for any.' },
        { name: 'headers', type: 'string', doc: 'Lines; From is needed, To follows the URI if absent.' },
        { name: 'body', type: 'string', optional: true, doc: 'Body.' },
      ],
      returns: { 1: 'sent', '-1': 'not sent' },
      doc: 'Sends a request of our own.',
    },
  },
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
    'tm.stats': { doc: 'Counters since the start.' },
    'tm.list': { doc: 'Living transactions, at most a thousand.' },
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
