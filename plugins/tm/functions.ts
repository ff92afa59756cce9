import { anyRoute, type FunctionDeclaration, type RouteKind } from '../../src/plugin/index.ts'

/** tm's functions as the compiler and the reference pages see them; index.ts implements them. */
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

export const functions = {
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
} as const satisfies Record<string, FunctionDeclaration>
