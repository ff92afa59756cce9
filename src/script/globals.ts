import type { GlobalDeclaration } from '../../grammar/declarations.ts'
import { limits } from '../limits.ts'

const oneProcess = 'one process serves all sockets'
const viaIsOurs = 'our Via has the parameters of RFC 3261 and RFC 3581 alone'
const memory = 'the runtime looks after memory'
const systemd = 'set it where the service is started'
const noTcp = 'only UDP is served yet'

/** The global parameters of the core: what a script may set outside of its routes. */
export const coreGlobals: Readonly<Record<string, GlobalDeclaration>> = {
  // Log
  debug: int(2, 'How much is logged: 3 debug, 2 info, 1 notice, 0 warnings, -1 errors.'),
  log_stderror: ignored('int', 'logs always go to stderr', 'Log to stderr instead of syslog.'),
  log_facility: ignored('name', 'logs go to stderr, not to syslog', 'Facility of syslog.'),
  log_name: ignored('string', 'logs go to stderr, not to syslog', 'Program name in syslog.'),
  log_color: ignored('int', 'a terminal gets colours by itself', 'Colours in the log.'),
  log_prefix: text('', 'Text with pseudo-variables before each line that xlog() and log() write.'),
  log_prefix_mode: ignored('int', 'log_prefix is evaluated for each line', 'When log_prefix is evaluated.'),
  log_engine_type: ignored('string', 'the log has one form', 'Form of the log.'),
  log_engine_data: ignored('string', 'the log has one form', 'Form of the log.'),
  corelog: ignored('int', 'levels follow from debug', 'Level of the core’s own lines.'),
  latency_log: ignored('int', 'durations are metrics', 'Level of lines about slow steps.'),
  latency_cfg_log: ignored('int', 'durations are metrics', 'Level of lines about slow routes.'),
  latency_limit_action: ignored('int', 'durations are metrics', 'Microseconds of a slow action.'),
  latency_limit_cfg: ignored('int', 'durations are metrics', 'Microseconds of a slow route.'),
  latency_limit_db: ignored('int', 'durations are metrics', 'Milliseconds of a slow query.'),

  // Process and memory
  children: int(1, 'Worker threads, each with sockets of its own; no more than there are processors.'),
  socket_workers: ignored('int', oneProcess, 'Worker processes of the next listen statement.'),
  tcp_children: ignored('int', oneProcess, 'Worker processes for TCP.'),
  async_workers: ignored('int', 'whatever waits is asynchronous', 'Worker processes for asynchronous tasks.'),
  async_workers_group: ignored('string', 'whatever waits is asynchronous', 'Groups of asynchronous workers.'),
  async_nonblock: ignored(
    'int',
    'whatever waits is asynchronous',
    'Non-blocking sockets of asynchronous workers.',
  ),
  async_usleep: ignored('int', 'whatever waits is asynchronous', 'Pause of asynchronous workers.'),
  async_tkv_evcb: ignored('string', 'it has no meaning here', 'Callback of asynchronous tasks.'),
  async_tkv_gname: ignored('string', 'it has no meaning here', 'Group of asynchronous tasks.'),
  fork: ignored('int', oneProcess, 'Fork worker processes.'),
  fork_delay: ignored('int', oneProcess, 'Pause between forks.'),
  modinit_delay: ignored('int', 'plugins are set up one after another', 'Pause between modules.'),
  user: ignored('either', systemd, 'User to run as.', ['uid']),
  group: ignored('either', systemd, 'Group to run as.', ['gid']),
  chroot: ignored('string', systemd, 'Root directory.'),
  workdir: ignored('string', systemd, 'Working directory.', ['wdir']),
  rundir: ignored('string', systemd, 'Directory of control sockets.'),
  server_id: int(0, 'Number of this server among others.'),
  memdbg: ignored('int', memory, 'Level of lines about memory.', ['mem_dbg']),
  memlog: ignored('int', memory, 'Level of the summary of memory.', ['mem_log']),
  mem_summary: ignored('int', memory, 'Parts of the summary of memory.'),
  mem_join: ignored('int', memory, 'Join free fragments.'),
  mem_safety: ignored('int', memory, 'Checks of freed memory.'),
  mem_status_mode: ignored('int', memory, 'Parts of the status of memory.'),
  mem_add_size: ignored('int', memory, 'Bytes added to each allocation.'),
  shm_force_alloc: ignored('int', memory, 'Allocate shared memory at start.'),
  shm_mem_size: ignored('int', memory, 'Megabytes of shared memory.'),
  shm: ignored('int', memory, 'Megabytes of shared memory.'),
  mlock_pages: ignored('int', systemd, 'Lock memory pages.'),
  real_time: ignored('int', systemd, 'Real-time scheduling.'),
  rt_prio: ignored('int', systemd, 'Real-time priority.'),
  rt_policy: ignored('int', systemd, 'Real-time policy.'),
  rt_timer1_prio: ignored('int', systemd, 'Real-time priority of the timer.'),
  rt_timer1_policy: ignored('int', systemd, 'Real-time policy of the timer.'),
  rt_timer2_prio: ignored('int', systemd, 'Real-time priority of the slow timer.'),
  rt_timer2_policy: ignored('int', systemd, 'Real-time policy of the slow timer.'),
  open_files_limit: ignored('int', systemd, 'Files that may be open.', ['open_fd_limit']),
  disable_core_dump: ignored('int', systemd, 'No core dump after a crash.', ['disable_core']),
  exit_timeout: ignored('int', 'the drain has its own limit', 'Seconds to wait at the end.', [
    'ser_kill_timeout',
  ]),
  max_branches: int(limits.branchesMax, `Branches of one request, ${limits.branchesSettableMax} at most.`),
  pv_buffer_size: ignored('int', 'texts have no fixed size', 'Bytes of a text with variables.'),
  pv_buffer_slots: ignored('int', 'texts have no fixed size', 'Texts with variables at one time.'),
  pv_cache_limit: ignored(
    'int',
    'variables are resolved when the script is compiled',
    'Variables in the cache.',
  ),
  pv_cache_action: ignored(
    'int',
    'variables are resolved when the script is compiled',
    'What a full cache does.',
  ),
  statistics: ignored('string', 'metrics are always counted', 'File of statistics.'),
  stats_name_separator: ignored(
    'string',
    'metrics have Prometheus’ names',
    'Separator in names of statistics.',
  ),
  version_table: ignored('string', 'tables are checked by their columns', 'Table of table versions.'),
  version_table_check: ignored('int', 'tables are checked by their columns', 'Check versions of tables.'),
  uri_host_extra_chars: ignored('string', 'hosts follow RFC 3261', 'Further characters in host names.'),
  hdr_name_extra_chars: ignored(
    'string',
    'header names follow RFC 3261',
    'Further characters in header names.',
  ),
  wait_worker1_mode: ignored('int', oneProcess, 'Wait for the first worker.'),
  wait_worker1_time: ignored('int', oneProcess, 'How long to wait for the first worker.'),
  wait_worker1_usleep: ignored('int', oneProcess, 'Pause while waiting for the first worker.'),
  timer_workers: ignored('int', oneProcess, 'Worker processes of timers.'),
  cfgengine: ignored('string', 'scripts are in the native language', 'Language of the script.'),

  // The script
  max_while_loops: int(limits.whileLoopsMax, 'Iterations of one while; 0 for no limit.'),
  max_recursive_level: int(limits.routeDepthMax, 'Depth of nested blocks and routes.'),
  onsend_route_reply: ignored('int', 'onsend_route runs for requests', 'onsend_route runs for replies too.'),
  received_route_mode: int(0, '1: event_route[core:msg-received] runs for each message.'),
  route_locks_size: ignored('int', 'the runs of one call do not overlap', 'Locks for routes by Call-ID.'),
  return_mode: ignored(
    'int',
    'a call in a condition yields 1 or 0, as in mode 0',
    '1: a call in a condition is its return code, and true if that is not 0.',
  ),
  rpc_exec_delta: ignored('int', 'control commands have their own limit', 'Seconds between two commands.'),
  rpc_max_params: ignored('int', 'control commands have their own limit', 'Parameters of a command.'),
  drop_options_probe: ignored('int', 'the script decides', 'Drop OPTIONS without a word.'),
  xavp_via_fields: ignored('string', viaIsOurs, 'Name of the $xavp whose address and port our Via says.'),
  xavp_via_params: ignored('string', viaIsOurs, 'Name of the $xavp whose keys become parameters of our Via.'),
  xavp_via_reply_params: ignored(
    'string',
    viaIsOurs,
    'Name of the $xavp whose keys become parameters of Via in replies.',
  ),

  // Messages
  server_signature: int(1, 'Own replies have a Server header, own requests a User-Agent header.'),
  server_header: text('', 'The whole Server header line of our own replies.'),
  user_agent_header: text('', 'The whole User-Agent header line of our own requests.'),
  sip_warning: ignored('int', 'replies carry no addresses of ours', 'Warning header in own replies.'),
  reply_to_via: ignored('int', 'answers go where the request came from', 'Answer to the address in Via.'),
  check_via: ignored(
    'int',
    'the transaction layer knows its branches',
    'Check that the topmost Via is ours.',
  ),
  phone2tel: ignored('int', 'it does', 'A sip URI with user=phone counts as a tel URI.', ['phone_to_tel']),
  force_rport: ignored(
    'int',
    'call force_rport() in the script',
    'Treat each request as if it asked for rport.',
  ),
  via_register: ignored('int', 'it has no meaning here', 'Via in REGISTER.'),
  http_reply_parse: ignored('int', 'HTTP is served by its own library', 'Accept HTTP replies.', [
    'http_reply_hack',
  ]),
  msg_recv_max_size: ignored('int', 'test $msg(len) in the script', 'Bytes of the largest message.'),
  sip_parser_log: ignored('int', 'faults are counted by their code', 'Level of lines about bad messages.'),
  sip_parser_log_oneline: ignored(
    'int',
    'faults are counted by their code',
    'Form of lines about bad messages.',
  ),
  sip_parser_mode: ignored('int', 'messages are read as RFC 3261 says', 'Strictness of the parser.'),

  // Sockets
  port: int(5060, 'Port where a listen statement names none.'),
  auto_aliases: ignored('int', 'write alias=', 'The host names of our addresses count as myself.'),
  auto_domains: ignored('int', 'write alias=', 'Domains of local addresses count as myself.'),
  auto_bind_ipv6: ignored('int', 'listen statements name IPv6 addresses', 'Listen on IPv6 too.'),
  bind_ipv6_link_local: ignored('int', 'listen statements name IPv6 addresses', 'Bind link-local addresses.'),
  ipv6_hex_style: ignored(
    'string',
    'addresses are written as RFC 5952 says',
    'How IPv6 addresses are written.',
  ),
  mhomed: ignored(
    'int',
    'the socket is chosen by the destination’s family and the socket of arrival',
    'Choose the socket by the route to the destination.',
  ),
  advertised_address: either(
    'Address in our Via and Record-Route where a listen statement advertises none; it counts as myself.',
  ),
  advertised_port: int(0, 'Port in our Via and Record-Route where a listen statement advertises none.'),
  listen_backlog: ignored('int', noTcp, 'Connections that wait to be accepted.'),
  maxbuffer: int(
    0,
    'Bytes asked for as the receive buffer of UDP sockets; 0 is a mebibyte. The system may allow less.',
    ['maxbuffer_size'],
  ),
  udp_moderation: int(
    2_000,
    `Microseconds for which datagrams are collected before they are read, at busy rates only; 0 to \
${limits.moderationMicrosecondsMax}, 0 reads each at once. A message waits half of it on average, and never longer \
than that. Saves up to half of the processor; a slow rate or a full queue waits for nothing. Ignored where the native \
UDP engine is not built.`,
  ),
  udp_bursts: int(
    1,
    `1: eight and more datagrams that leave at once are handed to the kernel together where their destination and length \
are the same (UDP_SEGMENT), while no packet socket on this host captures. 0: each alone, for captures that the router cannot \
see, as from outside of its container. Nothing differs on the wire. Ignored where the native UDP engine is not built.`,
  ),
  overload_shed: int(
    0,
    `1: while the router cannot keep up, whoever has a binding here, and whatever belongs to a call, is served first, and \
newcomers get 503 with a Retry-After that is spread out. See docs/decisions/0023-overload.md.`,
  ),
  overload_known: text(
    '',
    'Addresses and prefixes, separated by spaces, that are never newcomers: servers inside, other proxies.',
  ),
  sendbuffer: ignored('int', 'the system’s send buffer is used', 'Bytes of the send buffer of UDP sockets.', [
    'maxsndbuffer',
  ]),
  tos: ignored('either', 'the system’s default is used', 'Type of service of outgoing packets.'),
  pmtu_discovery: ignored('int', 'the system’s default is used', 'Path MTU discovery.'),
  udp_mtu: ignored('int', noTcp, 'Bytes above which a request changes to TCP.'),
  udp_mtu_try_proto: ignored('name', noTcp, 'Transport for requests that are too large for UDP.'),
  udp_mtu_try_proto1: ignored('name', noTcp, 'Transport for requests that are too large for UDP.'),
  udp4_raw: ignored('int', 'there is a faster way', 'Raw sockets for sending.'),
  udp4_raw_mtu: ignored('int', 'there is a faster way', 'MTU for raw sockets.'),
  udp4_raw_ttl: ignored('int', 'there is a faster way', 'TTL for raw sockets.'),
  udp_receiver_mode: ignored('int', oneProcess, 'Who reads UDP sockets.'),
  mcast: ignored('string', 'multicast is not served', 'Interface for multicast.'),
  mcast_loopback: ignored('int', 'multicast is not served', 'Multicast loops back.'),
  mcast_ttl: ignored('int', 'multicast is not served', 'TTL of multicast.'),
  socket: ignored('string', 'write a socket block', 'A listening socket.'),

  ...tcpGlobals(),
  ...dnsGlobals(),
}

function tcpGlobals(): Record<string, GlobalDeclaration> {
  const names = `
    disable_tcp enable_tls disable_tls disable_sctp enable_sctp tcp_connection_lifetime tcp_max_connections
    tcp_accept_no_cl tcp_accept_hep3 tcp_accept_haproxy tcp_accept_iplimit tcp_accept_aliases
    tcp_accept_unique tcp_rd_buf_size tcp_keepalive tcp_keepidle tcp_keepintvl tcp_keepcnt tcp_crlf_ping
    tcp_connect_timeout tcp_send_timeout tcp_async tcp_buf_write tcp_conn_wq_max tcp_write_queue_limit
    tcp_wq_max tcp_wq_blk_size tcp_wq_timeout tcp_fd_cache tcp_delayed_ack tcp_defer_accept tcp_linger2 tcp_reuse_port
    tcp_no_connect tcp_poll_method tcp_source_ipv4_addr tcp_source_ipv6_addr tcp_clone_rcvbuf
    tcp_connection_match tcp_opt_fd_cache tcp_opt_crlf_ping tcp_opt_accept_aliases tcp_opt_delayed_ack
    tcp_opt_defer_accept tcp_check_timer tcp_msg_data_timeout tcp_msg_read_timeout tcp_script_mode
    tcp_wait_data tcp_close_rst tcp_main_threads
    tls_max_connections tls_port_no tls_threads_mode tls_method tls_verify tls_require_certificate tls_log
    tls_send_timeout tls_handshake_timeout tls_certificate tls_private_key tls_ca_list
    sctp_children sctp_socket_rcvbuf sctp_socket_receive_buffer sctp_socket_sndbuf sctp_autoclose sctp_send_ttl
    sctp_send_retries sctp_assoc_tracking sctp_assoc_reuse sctp_max_assocs sctp_srto_initial sctp_srto_max
    sctp_srto_min sctp_asocmaxrxt sctp_init_max_attempts sctp_init_max_timeo sctp_hbinterval sctp_pathmaxrxt
    sctp_sack_delay sctp_sack_freq sctp_max_burst`
  return ignoredAll(names, noTcp, 'Of connections: TCP, TLS, SCTP.')
}

function dnsGlobals(): Record<string, GlobalDeclaration> {
  const names = `
    dns rev_dns dns_try_naptr dns_try_ipv6 dns_srv_lb dns_srv_loadbalancing dns_retr_time dns_retr_no
    dns_servers_no dns_use_search_list dns_search_full_match dns_naptr_ignore_rfc dns_udp_pref dns_tcp_pref
    dns_tls_pref dns_sctp_pref dns_udp_preference dns_tcp_preference dns_tls_preference dns_sctp_preference
    dns_cache_init dns_cache_flags dns_cache_mem dns_cache_negative_ttl dns_cache_min_ttl dns_cache_max_ttl
    dns_cache_gc_interval dns_cache_del_nonexp dns_cache_delete_nonexpired dns_cache_rec_pref dns_reinit
    use_dns_cache use_dns_failover dst_blocklist_init use_dst_blocklist dst_blocklist_mem dst_blocklist_expire
    dst_blocklist_ttl dst_blocklist_gc_interval dst_blocklist_udp_imask dst_blocklist_tcp_imask dst_blocklist_tls_imask
    use_dst_blacklist dst_blacklist_mem dst_blacklist_expire dst_blacklist_ttl dst_blacklist_gc_interval
    dst_blacklist_init`
  return ignoredAll(
    names,
    'names are resolved as RFC 3263 says, and remembered for their TTL',
    'Of the resolver.',
  )
}

// Functions, so that they may be used above.
function ignoredAll(names: string, reason: string, doc: string): Record<string, GlobalDeclaration> {
  const declaration = ignored('either', reason, doc)
  return Object.fromEntries(
    names
      .trim()
      .split(/\s+/)
      .map((name) => [name, declaration]),
  )
}

function int(fallback: number, doc: string, aliases?: readonly string[]): GlobalDeclaration {
  return { type: 'int', default: fallback, doc, ...(aliases && { aliases }) }
}

function text(fallback: string, doc: string): GlobalDeclaration {
  return { type: 'string', default: fallback, doc }
}

function either(doc: string): GlobalDeclaration {
  return { type: 'either', default: '', doc }
}

function ignored(
  type: GlobalDeclaration['type'],
  reason: string,
  doc: string,
  aliases?: readonly string[],
): GlobalDeclaration {
  return { type, ignored: reason, doc, ...(aliases && { aliases }) }
}
