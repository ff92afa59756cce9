import type { ParamDeclaration, PluginHost } from '../../src/plugin/index.ts'

/** tm's parameters with Kamailio's defaults (5.6). Times are milliseconds. */
const noKemi = { type: 'string', ignored: 'there is no KEMI here', doc: 'KEMI function.' } as const
const noBlocklist = {
  type: 'int',
  default: 0,
  ignored: 'there is no blocklist of destinations',
  doc: 'Blocklist.',
} as const
const ownMatching = (doc: string) =>
  ({
    type: 'int',
    default: 1,
    ignored: 'requests are matched by branch, sent-by and method (RFC 3261 §17.2.3)',
    doc,
  }) as const

export const params = {
  fr_timer: {
    type: 'int',
    default: 30_000,
    unit: 'ms',
    doc: 'A branch without any answer is given up after this.',
  },
  fr_inv_timer: {
    type: 'int',
    default: 120_000,
    unit: 'ms',
    doc: 'An INVITE branch that got a provisional answer only is given up after this (RFC 3261 timer C).',
  },
  restart_fr_on_each_reply: {
    type: 'int',
    default: 1,
    doc: 'Every provisional answer starts fr_inv_timer anew; 0: only the first.',
  },
  fr_timer_avp: { type: 'variable', doc: 'Seconds that override fr_timer for this transaction.' },
  fr_inv_timer_avp: { type: 'variable', doc: 'Seconds that override fr_inv_timer for this transaction.' },
  max_inv_lifetime: {
    type: 'int',
    default: 180_000,
    unit: 'ms',
    doc: 'No INVITE lives longer, failure routes included.',
  },
  max_noninv_lifetime: { type: 'int', default: 32_000, unit: 'ms', doc: 'Nor another request.' },
  wt_timer: {
    type: 'int',
    unit: 'ms',
    doc:
      'How long an answered transaction absorbs retransmissions. If it is not set: 5000, and beyond that non-INVITE ' +
      'requests get their answer again for 64*T1 (RFC 3261 §17.2.2).',
  },
  delete_timer: {
    type: 'int',
    default: 200,
    unit: 'ms',
    ignored: 'memory is collected',
    doc: 'Delay of deletion.',
  },
  retr_timer1: { type: 'int', default: 500, unit: 'ms', doc: 'T1: first retransmission, doubled each time.' },
  retr_timer2: {
    type: 'int',
    default: 4_000,
    unit: 'ms',
    doc: 'T2: longest interval between retransmissions.',
  },
  auto_inv_100: { type: 'int', default: 1, doc: 'Answer 100 when an INVITE is relayed.' },
  auto_inv_100_reason: {
    type: 'string',
    default: 'trying -- your call is important to us',
    doc: 'Its reason phrase.',
  },
  failure_reply_mode: {
    type: 'int',
    default: 0,
    doc:
      'Which answers of earlier serial legs still count when a failure route relays on: 0 all, 1 none, ' +
      '2 none of the last leg, 3 none.',
  },
  remap_503_500: {
    type: 'int',
    default: 1,
    doc: 'A 503 of a branch goes upstream as 500 (RFC 3261 §16.7 step 6).',
  },
  aggregate_challenges: {
    type: 'int',
    default: 1,
    doc: 'Combine the challenges of all 401 and 407 branches (RFC 3261 §16.7 step 7).',
  },
  disable_6xx_block: { type: 'int', default: 0, doc: 'A 6xx does not forbid further branches.' },
  local_cancel_reason: { type: 'int', default: 1, doc: 'CANCELs of our own say why (RFC 3326).' },
  e2e_cancel_reason: {
    type: 'int',
    default: 1,
    ignored: 'the Reason of a CANCEL is always passed on',
    doc: 'Reason of relayed CANCELs.',
  },
  cancel_b_method: {
    type: 'int',
    default: 1,
    ignored: 'a CANCEL waits for a provisional answer, as RFC 3261 §9.1 demands (Kamailio\u2019s 1)',
    doc: 'How branches without a provisional answer are cancelled.',
  },
  contacts_avp: {
    type: 'string',
    ignored: 'contacts wait in the transaction',
    doc: 'AVP of t_load_contacts().',
  },
  contact_flows_avp: {
    type: 'string',
    ignored: 'contacts wait in the transaction',
    doc: 'AVP of t_load_contacts().',
  },
  ruri_matching: ownMatching('Compare the Request-URI when matching.'),
  via1_matching: ownMatching('Compare the topmost Via when matching.'),
  callid_matching: ownMatching('Compare the Call-ID when matching.'),
  pass_provisional_replies: {
    type: 'int',
    default: 0,
    ignored: 'reply routes always see provisional answers',
    doc: 'Provisional answers for internal callbacks.',
  },
  reparse_on_dns_failover: {
    type: 'int',
    default: 1,
    ignored: 'each address gets a request of its own',
    doc: 'Parsing at DNS failover.',
  },
  noisy_ctimer: {
    type: 'int',
    default: 1,
    ignored: 'a ringing branch that timed out is cancelled (RFC 3261 §16.8)',
    doc: 'Timer C.',
  },
  unmatched_cancel: {
    type: 'int',
    default: 0,
    ignored: 'a CANCEL without its INVITE is relayed statefully, if the script relays it',
    doc: 'CANCELs without INVITE.',
  },
  on_sl_reply: {
    type: 'string',
    ignored: 'no stateless answers are relayed',
    doc: 'Route for stateless answers.',
  },
  reply_to_via: {
    type: 'int',
    default: 0,
    ignored: 'answers go to the source (RFC 3581)',
    doc: 'Where answers go.',
  },
  relay_100: {
    type: 'int',
    default: 0,
    ignored: '100 is hop by hop (RFC 3261 §16.7 step 5)',
    doc: 'Relay 100.',
  },
  failure_exec_mode: {
    type: 'int',
    default: 0,
    ignored: 'failure routes run for every failed winner',
    doc: 'Failure routes.',
  },
  local_ack_mode: { type: 'int', default: 0, ignored: 'ACKs go where the INVITE went', doc: 'Local ACK.' },
  dns_reuse_rcv_socket: {
    type: 'int',
    default: 0,
    ignored: 'the socket of arrival is preferred',
    doc: 'Socket.',
  },
  enable_uac_fr: {
    type: 'int',
    default: 0,
    ignored: 'own requests have the same timers',
    doc: 'UAC timers.',
  },
  event_callback: noKemi,
  event_callback_lres_sent: noKemi,
  blst_503: noBlocklist,
  blst_503_def_timeout: noBlocklist,
  blst_503_min_timeout: noBlocklist,
  blst_503_max_timeout: noBlocklist,
  blst_methods_add: noBlocklist,
  blst_methods_lookup: noBlocklist,
  cancel_b_flags: { type: 'int', default: 0, ignored: 'see cancel_b_method', doc: 'Flags.' },
  xavp_contact: { type: 'string', ignored: 'contacts wait in the transaction', doc: 'xavp of contacts.' },
  rich_redirect: {
    type: 'int',
    default: 0,
    ignored: 'Contact headers of a redirect are the script\u2019s',
    doc: 'Redirects.',
  },
  headers_mode: {
    type: 'int',
    default: 0,
    ignored: 'own answers have one order of headers',
    doc: 'Order of headers.',
  },
  reply_relay_mode: {
    type: 'int',
    default: 0,
    ignored: 'a relayed answer goes at once',
    doc: 'Relay of answers.',
  },
  unix_tx_timeout: { type: 'int', default: 500, ignored: 'there is no FIFO of tm', doc: 'Unix sockets.' },
} as const satisfies Record<string, ParamDeclaration>

interface Settings {
  readonly fr_timer: number
  readonly fr_inv_timer: number
  readonly restart_fr_on_each_reply: number
  readonly max_inv_lifetime: number
  readonly max_noninv_lifetime: number
  readonly wt_timer: number | undefined
  readonly retr_timer1: number
  readonly retr_timer2: number
  readonly auto_inv_100: number
  readonly auto_inv_100_reason: string
  readonly failure_reply_mode: number
  readonly remap_503_500: number
  readonly aggregate_challenges: number
  readonly disable_6xx_block: number
  readonly local_cancel_reason: number
}

/** The parameters become settings of the transaction layer and the proxy. */
export function applyParams(host: PluginHost, values: Settings): void {
  const { timers } = host.transactions
  timers.finalResponse = positive(values.fr_timer, timers.finalResponse)
  timers.finalResponseInvite = positive(values.fr_inv_timer, timers.finalResponseInvite)
  timers.t1 = positive(values.retr_timer1, timers.t1)
  timers.wait = positive(values.wt_timer ?? 0, timers.wait)
  timers.j = positive(values.wt_timer ?? 0, 64 * timers.t1)
  timers.t2 = positive(values.retr_timer2, timers.t2)
  const { settings } = host.proxy
  settings.restartTimerOnEachReply = values.restart_fr_on_each_reply !== 0
  settings.maxLifetimeInvite = positive(values.max_inv_lifetime, settings.maxLifetimeInvite)
  settings.maxLifetimeNonInvite = positive(values.max_noninv_lifetime, settings.maxLifetimeNonInvite)
  settings.autoInvite100 = values.auto_inv_100 !== 0
  settings.autoInvite100Reason = values.auto_inv_100_reason
  settings.failureReplyMode = values.failure_reply_mode
  settings.remap503To500 = values.remap_503_500 !== 0
  settings.aggregateChallenges = values.aggregate_challenges !== 0
  settings.disable6xxBlock = values.disable_6xx_block !== 0
  settings.localCancelReason = values.local_cancel_reason !== 0
}

function positive(value: number, otherwise: number): number {
  return value > 0 ? value : otherwise
}
