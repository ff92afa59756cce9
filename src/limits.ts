/**
 * Every bound of the system in one place, with its unit and its reason. Nothing that a peer can make grow is
 * without one. What operators may want to change is a script parameter whose default is taken from here.
 */
export const limits = {
  /** Bytes of a datagram that we read: the most that UDP can carry. */
  datagramBytesMax: 65_535,
  /**
   * Bytes of the receive buffer that a UDP socket asks for (the system may allow less: net.core.rmem_max). The
   * system's own 208 KiB hold some 150 datagrams: 30 ms of a collection of garbage at 5,000 a second, then it drops.
   * These hold ten times as many, a tenth of a second of work: what waits longer is retransmitted anyway.
   */
  receiveBufferBytes: 1_048_576,
  /** Bytes of datagrams of one socket that wait until the kernel can take them; beyond it the newest are dropped. */
  sendBacklogBytesMax: 1_048_576,
  /** Addresses of IPv6 destinations that are remembered in binary. */
  addressesKnownMax: 4_096,
  /** What udp_moderation may say at most, in microseconds: 10 ms are a twentieth of the sender's patience (T1). */
  moderationMicrosecondsMax: 10_000,
  /** Header lines of one message. RFC 4475's longest has 40; a thousand Vias must cost a 400, not a stall. */
  headersMax: 512,
  /** Bytes of one header line, folded lines included. */
  headerBytesMax: 16_384,
  /** Via header values that we are ready to copy into a response. */
  viasMax: 70,
  /** Values of Route that we follow. */
  routesMax: 64,
  /** Contacts in one REGISTER. */
  contactsMax: 64,
  /** Bytes of a Request-URI or of any URI that a script sets. */
  uriBytesMax: 2_048,

  /** Live transactions (server and client together); beyond it new requests get 503. */
  transactionsMax: 200_000,
  /** What one is reckoned to take of the heap (measured: 2,700 bytes for an INVITE with SDP): small hosts hold fewer. */
  transactionBytes: 4_096,
  /** Octets of final responses that are kept for timer J, outside the heap; beyond it the oldest go. */
  answeredBytesMax: 134_217_728,
  /** Branches of one response context: Kamailio's max_branches. */
  branchesMax: 12,
  /** What max_branches may say at most: Kamailio's own bound. */
  branchesSettableMax: 31,
  /** RFC 5393 §5: Max-Breadth that we assume if a request carries none. */
  maxBreadthDefault: 60,
  /** RFC 3261 §8.1.1.6. */
  maxForwardsDefault: 70,

  /** Kamailio's max_while_loops. */
  whileLoopsMax: 100,
  /** Rounds of loops and calls of routes of one run, all together: some milliseconds. */
  scriptStepsMax: 100_000,
  /** Kamailio's max_recursive_level: nested blocks and routes. */
  routeDepthMax: 256,
  /** Values of $avp and records of $xavp that one message may hold. */
  avpsPerMessageMax: 1_024,
  /** Compiled regular expressions kept for patterns that are known only at run time. */
  dynamicPatternsMax: 512,
  /** Milliseconds after which a suspended script run is ended with a 500. */
  scriptWaitMillisecondsMax: 30_000,
  /** Script runs that may be suspended at one time. */
  suspendedRunsMax: 20_000,

  /** Bindings of one location table. */
  bindingsMax: 1_000_000,
  /** Octets that one location table may take in memory (measured: 130 a binding), reserved and not taken before. */
  locationBytesMax: 1_073_741_824,
  /** Octets of them that must be left for anything new: twice what the longest record takes. */
  locationSpareBytes: 8_388_608,
  /** Addresses-of-record whose bindings are kept decoded, in so many places (a power of two): up to 20 MB. */
  bindingsDecodedMax: 32_768,
  /** Bindings that are taken out in one go when they expire: some milliseconds. */
  expiredAtOnceMax: 500,
  /** Contacts of one address-of-record if max_contacts does not say less. */
  bindingsPerAorMax: 64,
  /** Lists of methods (Allow) whose bits are remembered. */
  methodListsMax: 64,

  learnedMax: 50_000,
  learnedPerFlowMax: 16,
  learnedPerAddressMax: 256,
  learnedPerPrefixMax: 10_000,
  learnedNewPerSecondPerPrefixMax: 50,

  outboxMessagesPerAorMax: 32,
  outboxBytesPerAorMax: 65_536,
  outboxBytesMax: 67_108_864,
  outboxSecondsMax: 86_400,
  /** Milliseconds for which an edge has a recipient to itself: longer than a MESSAGE may go without an answer (timer F). */
  outboxLeaseMilliseconds: 40_000,
  /** Recipients of whom another edge delivers, that are looked at again when its lease has ended. */
  outboxLaterMax: 10_000,
  /** Messages delivered of which Redis could not be told yet. */
  outboxUnsettledMax: 10_000,
  /** Milliseconds between attempts to read what Redis has. */
  outboxRetryMilliseconds: 500,

  /** Digest nonces whose nonce-count window we remember. */
  noncesMax: 100_000,
  /** Pairs of user and source address whose wrong passwords are counted. */
  lockoutsMax: 50_000,
  /** Rows of subscribers that auth_db remembers if it is told to. */
  credentialsCachedMax: 50_000,
  /** Source addresses whose requests pike counts; the one not seen for longest goes first. */
  pikeSourcesMax: 100_000,
  /** Entries of one $sht table. */
  htableEntriesMax: 1_000_000,
  /** Entries of one shared table that have changed while Redis could not be told; beyond it all are compared later. */
  htableUntoldMax: 100_000,
  /** Milliseconds for which a removal from a shared table is remembered: nobody brings back what went so lately. */
  htableTombstoneMilliseconds: 60_000,
  /** Changes that one script makes: some hundred microseconds of Redis' time. */
  htableBatchMax: 128,
  /** Entries of a shared table that are read at a time. */
  htablePageEntries: 256,
  /** Milliseconds that a start waits for shared tables; without them it goes on alone. */
  htableReadyMilliseconds: 3_000,
  /** Milliseconds between attempts of what Redis did not answer, and of what it refused. */
  htableRetryMilliseconds: 100,
  htableRefusedMilliseconds: 1_000,
  /** Prepared SQL statements kept per database. */
  databaseStatementsMax: 128,
  /** Newcomers told to come again, or let in and not done yet, that are remembered under overload: 2 MiB. */
  overloadAppointmentsMax: 131_072,
  /** Seconds of the queue of those who were told to come again; Retry-After is at most one and a half times that. */
  overloadRetrySecondsMax: 600,
  /** Host names remembered with their addresses. */
  dnsNamesMax: 4_096,
  /** DNS questions that may wait for an answer at one time: names come from the wire. */
  dnsQuestionsMax: 512,
  /** Addresses tried of one host name. */
  dnsAddressesMax: 16,
  /** Flows whose send errors wait to be told to their transactions; timers take care of the rest. */
  failedFlowsMax: 1_024,

  /** Characters of one request to the control socket: the longest that means anything are parameters of ul.add. */
  controlRequestCharactersMax: 262_144,
  /** Requests in one batch, and parameters of one request. */
  controlBatchMax: 64,
  controlParamsMax: 64,
  /** Connections to one control socket. Each handles one request at a time and reads no further meanwhile. */
  controlConnectionsMax: 32,
  /** Milliseconds until the rest of a request must have come, until an answer must have begun, until a piece of it must
   * have been taken, and until a connection on which nothing happens is closed. */
  controlRequestMilliseconds: 10_000,
  controlAnswerMilliseconds: 30_000,
  controlTakeMilliseconds: 30_000,
  controlIdleMilliseconds: 600_000,
  /** Characters of an answer that are put together before they are written and others have their turn. */
  controlPieceCharacters: 16_384,
  /** Characters of one worker's answer that is put together with those of others. */
  controlMergedCharactersMax: 8_388_608,

  /** Addresses-of-record in memory that a database may not know of yet (db_mode 2): so many are written at once. */
  locationUnwrittenMax: 200_000,

  /** Characters of one address-of-record in a dump that is imported: 64 contacts with everything in them. */
  dumpRecordCharactersMax: 1_048_576,

  /** Writes of one commit of the store. */
  storeCommitWritesMax: 1_000,
  /** Writes that wait for the store; what comes then is refused. */
  storeWritesWaitingMax: 100_000,

  /** Milliseconds after which an operation on Redis is `late`: half of the first retransmission (T1). */
  redisDeadlineMilliseconds: 250,
  /** Operations on Redis under way; beyond it they are refused. 40,000 a second, if each takes all of its time. */
  redisInFlightMax: 10_000,
  /** Octets of their keys and arguments. */
  redisInFlightBytesMax: 16_777_216,
  /** Scripts that one link has run: they are written in the code, never made up. */
  redisScriptsMax: 128,
  /** Listeners to channels of Redis. */
  redisSubscriptionsMax: 1_024,
  /** Hosts in one URL. */
  redisHostsMax: 32,
  /** Operations that may fail before a link is given up for down: see src/redis/breaker.ts. */
  redisMissesMax: 5,
  /** The time over which half of all operations must fail for a link to be down, though some are answered. */
  redisWindowMilliseconds: 5_000,
  /** Milliseconds for connecting, name look-up and the questions to a sentinel included. */
  redisConnectMilliseconds: 1_000,
  /** Waits between attempts to find Redis again grow from the first to the second, in milliseconds. */
  redisProbeMillisecondsMin: 50,
  redisProbeMillisecondsMax: 2_000,
  /** Milliseconds between signs of life of a connection that only listens. */
  redisListenMilliseconds: 1_000,
  /** Milliseconds that closing a link waits for what is under way. */
  redisCloseMilliseconds: 1_000,

  /** Edges of one location that are remembered, dead ones too. */
  edgesMax: 256,
  /** Milliseconds between two heartbeats of an edge, and how many of them are missed before it is dead. */
  edgeHeartbeatMilliseconds: 1_000,
  edgeHeartbeatsMissedMax: 3,
  /** Milliseconds of silence after which an edge is forgotten. */
  edgeForgottenMilliseconds: 86_400_000,
  /** Addresses-of-record of which an edge remembers what others have, or that they have nothing. */
  edgeRememberedMax: 50_000,
  /** Milliseconds for which what must not be remembered can be read by who has asked. */
  edgeMomentMilliseconds: 50,
  /** Addresses-of-record whose changes wait for Redis; beyond it all that is owned is told again. */
  edgeUntoldMax: 50_000,
  /** Removals that an edge remembers, for a Redis that has lost its data. */
  edgeTombstonesMax: 20_000,
  /** Addresses-of-record that are told at once while much is to be told, and the pause in between in milliseconds. */
  edgeToldAtOnceMax: 200,
  edgeTellingPauseMilliseconds: 20,
  /** Bindings of one address-of-record in the directory, those of all edges; and what was removed of it. */
  edgeBindingsPerAorMax: 128,
  edgeTombstonesPerAorMax: 32,
  /** Milliseconds after which the directory forgets what never expires, unless it is told again; and how often that is. */
  edgePermanentMilliseconds: 86_400_000,
  edgeRetellingMilliseconds: 28_800_000,

  /** Worker threads of one router; `children=` is bounded by the processors besides. */
  workersMax: 64,
  /** Octets that may be on their way from one worker to another: some thousand datagrams. A power of two. */
  workerRingBytes: 1_048_576,
  /** Notices of one worker that wait for room in a ring. */
  workerNoticesWaitingMax: 10_000,
  /** Regions of memory that workers share. */
  workerRegionsMax: 1_024,
  /** Octets of one table that workers share: $sht, $shv, tables of the store without a directory. */
  sharedTableBytesMax: 2_147_483_648,
  /** Flows whose clocks workers share. */
  flowSlotsMax: 1_000_000,
  /** Deaths of one worker in a row, none of which served for a minute, after which it is not replaced any more. */
  workerDeathsMax: 10,
} as const
