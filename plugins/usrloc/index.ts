import {
  type AorRules,
  type Binding,
  type ChangeCause,
  definePlugin,
  type Location,
  type LocationColumn,
  type Origin,
  type PluginHost,
} from '../../src/plugin/index.ts'
import { choiceOf, type DatabaseChoice } from './database.ts'
import { durability } from './durability.ts'
import { noEdges, serveEdges } from './edge-service.ts'
import { matchingMode, type UsrlocExports, ulcNote } from './exports.ts'
import { hasBinding } from './known.ts'
import { locationCommands } from './rpc.ts'
import { checkEdgeName, checkEdgeUri, checkHeartbeat, checkStore, sharingOf } from './sharing.ts'
import { ulcRecord } from './ulc-record.ts'
import { worldOf } from './world.ts'

/** Milliseconds between two looks at what has expired. An expired binding is invisible before it is removed. */
const expiryInterval = 1_000
/** Milliseconds between two handfuls of what has expired. */
const expiryPause = 10
/** Milliseconds between two looks at what only the store remembers. */
const noteInterval = 10_000
/** Milliseconds after which a database that refused is asked again, however long timer_interval is. */
const writeAgainInterval = 5_000

const notNeeded = 'a row is put in the place of what is there (INSERT ... ON CONFLICT)'

function column(name: LocationColumn) {
  return { type: 'string', default: name, doc: `Name of the column that Kamailio calls ${name}.` } as const
}

export default definePlugin({
  name: 'usrloc',
  summary: 'The location service: bindings of addresses-of-record, kept across restarts (RFC 3261 §10).',
  params: {
    db_mode: {
      type: 'int',
      doc:
        '0: bindings live in memory only, and a restart forgets them. Without it, and without a db_url on sqlite: they ' +
        'are in the embedded store before the 200 leaves. With such a db_url: 1, in memory, and in the database before ' +
        'the 200 leaves; 2, in memory, and in the database by timer_interval; 3, in the database alone; 4, in memory, as ' +
        'the database has them at the start. docs/decisions/0022-location-sql.md.',
    },
    db_url: {
      type: 'string',
      doc:
        "A database with Kamailio's location table: sqlite:////path/to/file. With another engine bindings are in the " +
        'embedded store.',
    },
    durability,
    store: {
      type: 'string',
      default: '',
      check: checkStore,
      doc:
        'A Redis or Valkey through which several edges share their bindings: redis://host:6379/0, redis+sentinel://..., ' +
        'redis+cluster://... Each keeps its own as without it, finds those of the others, and sends to them what only they ' +
        'can deliver. Not with db_mode 1 to 4. docs/decisions/0025-edges.md.',
    },
    edge_name: {
      type: 'string',
      default: '',
      check: checkEdgeName,
      doc: 'What this router is called among the edges that share `store`, each otherwise; by default the host\u2019s name.',
    },
    edge_uri: {
      type: 'string',
      default: '',
      check: checkEdgeUri,
      doc:
        'Where the other edges send what is for devices of this one, and where it sends to them from: ' +
        'sip:192.0.2.7:5060, an address and no name. By default the first UDP socket.',
    },
    edge_heartbeat: {
      type: 'int',
      default: 1000,
      unit: 'ms',
      check: checkHeartbeat,
      doc: 'How often this edge says that it lives; after three times without it is dead for the others.',
    },
    use_domain: { type: 'int', default: 0, doc: 'Bindings are filed under user@domain instead of user.' },
    nat_bflag: { type: 'int', default: -1, doc: 'Branch flag (0 to 31) that marks bindings behind a NAT.' },
    matching_mode: {
      type: 'int',
      default: 0,
      doc: 'What makes two contacts the same: 0 the URI, 1 also the Call-ID, 2 also the Path, 3 the Call-ID alone.',
    },
    cseq_delay: {
      type: 'int',
      default: 20,
      unit: 's',
      doc: 'How long a REGISTER with the same Call-ID and CSeq counts as a retransmission, and is answered 200.',
    },
    desc_time_order: { type: 'int', default: 0, doc: 'The newest contact first, instead of the highest q.' },
    timer_interval: {
      type: 'int',
      default: 60,
      unit: 's',
      doc: 'db_mode 2: how often the database is told what has changed.',
    },
    timer_procs: { type: 'int', default: 0, ignored: 'expiry needs no scan', doc: 'Timer processes.' },
    hash_size: {
      type: 'int',
      default: 10,
      doc: 'Shown by ul.dump as 2 to the power of it; tables grow by themselves.',
    },
    preload: { type: 'string', repeatable: true, doc: 'A table to restore at start; `location` always is.' },
    handle_lost_tcp: {
      type: 'int',
      default: 0,
      ignored: 'a lost connection makes its flow unreachable',
      doc: 'TCP.',
    },
    close_expired_tcp: {
      type: 'int',
      default: 0,
      ignored: 'connections close when they are idle',
      doc: 'TCP.',
    },
    skip_remote_socket: {
      type: 'int',
      default: 0,
      doc: '1: rows of sockets that are not ours are not loaded.',
    },
    xavp_contact: {
      type: 'string',
      ignored: 'bindings carry no xavps',
      doc: 'Attributes stored with a contact.',
    },
    rm_expired_delay: {
      type: 'int',
      default: 0,
      ignored: 'expired bindings go at once',
      doc: 'Delay of removal.',
    },
    db_insert_update: { type: 'int', default: 0, ignored: notNeeded, doc: 'What an INSERT does.' },
    db_insert_null: { type: 'int', default: 0, ignored: notNeeded, doc: 'What an INSERT names.' },
    db_check_update: { type: 'int', default: 0, ignored: notNeeded, doc: 'What follows an UPDATE.' },
    db_update_as_insert: { type: 'int', default: 0, ignored: notNeeded, doc: 'What an UPDATE is.' },
    db_timer_clean: {
      type: 'int',
      default: 0,
      ignored: 'a row goes when its binding expires',
      doc: 'Cleaning of the database.',
    },
    db_clean_tcp: {
      type: 'int',
      default: 0,
      ignored: 'a lost connection makes its flow unreachable',
      doc: 'Cleaning of the database.',
    },
    db_ops_ruid: {
      type: 'int',
      default: 1,
      ignored: 'rows are found by ruid, which the table has once',
      doc: 'Key of updates.',
    },
    db_load: { type: 'int', default: 1, doc: '0: starts without what the database has. Not for db_mode 4.' },
    db_raw_fetch_type: { type: 'int', default: 0, ignored: notNeeded, doc: 'SQL dialect.' },
    fetch_rows: { type: 'int', default: 2000, doc: 'Rows of one query when a table is loaded.' },
    load_rank: { type: 'int', default: 0, ignored: 'the first worker loads', doc: 'Which process loads.' },
    expires_type: {
      type: 'int',
      default: 0,
      doc: '1: the columns expires and last_modified are seconds since 1970.',
    },
    server_id_filter: { type: 'int', default: 0, doc: '1: rows of other servers (server_id) are not ours.' },
    version_table: { type: 'int', default: 1, doc: '0: does not look whether the table has version 9.' },
    ka_mode: { type: 'int', default: 0, ignored: 'keepalives are nathelper\u2019s', doc: 'Keepalives.' },
    ka_from: { type: 'string', ignored: 'keepalives are nathelper\u2019s', doc: 'Keepalives.' },
    ka_domain: { type: 'string', ignored: 'keepalives are nathelper\u2019s', doc: 'Keepalives.' },
    ka_method: { type: 'string', ignored: 'keepalives are nathelper\u2019s', doc: 'Keepalives.' },
    ka_filter: { type: 'int', default: 0, ignored: 'keepalives are nathelper\u2019s', doc: 'Keepalives.' },
    ka_timeout: { type: 'int', default: 0, ignored: 'keepalives are nathelper\u2019s', doc: 'Keepalives.' },
    ka_loglevel: {
      type: 'int',
      default: 255,
      ignored: 'keepalives are nathelper\u2019s',
      doc: 'Keepalives.',
    },
    ka_logmsg: { type: 'string', ignored: 'keepalives are nathelper\u2019s', doc: 'Keepalives.' },
    user_column: column('username'),
    domain_column: column('domain'),
    contact_column: column('contact'),
    expires_column: column('expires'),
    q_column: column('q'),
    callid_column: column('callid'),
    cseq_column: column('cseq'),
    flags_column: column('flags'),
    cflags_column: column('cflags'),
    user_agent_column: column('user_agent'),
    received_column: column('received'),
    path_column: column('path'),
    socket_column: column('socket'),
    methods_column: column('methods'),
    ruid_column: column('ruid'),
    instance_column: column('instance'),
    reg_id_column: column('reg_id'),
    server_id_column: column('server_id'),
    connection_id_column: column('connection_id'),
    keepalive_column: column('keepalive'),
    partition_column: column('partition'),
    last_modified_column: column('last_modified'),
  },
  functions: {},
  variables: {},
  events: {
    'contact-expired': {
      doc: 'A binding reached the end of its lifetime; `$ulc(exp=>addr)` and its siblings say which.',
    },
  },
  rpc: {
    'ul.dump': {
      doc: 'All bindings.',
      params: [{ name: 'brief', optional: true, doc: 'The word `brief`: addresses-of-record only.' }],
    },
    'ul.lookup': { doc: 'The bindings of one address-of-record.', params: tableAnd('aor') },
    'ul.rm': { doc: 'Removes all bindings of an address-of-record.', params: tableAnd('aor') },
    'ul.rm_contact': { doc: 'Removes one binding.', params: tableAnd('aor', 'contact') },
    'ul.add': {
      doc: 'Adds a static binding, which nothing but this command and ul.rm changes. Expires 0: for ever.',
      params: tableAnd('aor', 'contact', 'expires', 'q', 'path', 'flags', 'cflags', 'methods'),
    },
    'ul.flush': { doc: 'Waits until all that was written is on the disk.' },
    'ul.db_users': { doc: 'How many addresses-of-record have bindings.', params: tableAnd() },
    'ul.db_contacts': { doc: 'How many bindings there are.', params: tableAnd() },
    'edges.drain': {
      doc:
        'Empties this edge of a location that several share: devices that are not its own are sent elsewhere. Says how ' +
        'many bindings are left, and how many of them hang on flows.',
      params: [
        { name: 'state', optional: true, doc: '`on`, which is meant if it is absent, `off`, or `status`.' },
      ],
    },
    'edges.list': { doc: 'The edges of the location, and which of them live.' },
  },
  metrics: {
    viaduct_location_bindings: { doc: 'Bindings in all tables.' },
    viaduct_location_aors: { doc: 'Addresses-of-record with bindings.' },
    viaduct_location_flows: { doc: 'Flows that bindings hang on.' },
    viaduct_edges_relayed_total: {
      doc: 'Requests of other edges for bindings of this one, and those in their dialogs; by kind of token.',
    },
    viaduct_edges_refused_total: { doc: 'Requests with a token of the edges that were refused; by status.' },
    viaduct_edges_drained_total: { doc: 'REGISTERs that were sent elsewhere while this edge is emptied.' },
    viaduct_edges_alive: { doc: 'Edges of the location that live, this one too, as Redis said last.' },
    viaduct_edges_untold: {
      doc: 'Addresses-of-record of which the other edges are to be told yet: an alarm, if it does not go back to 0.',
    },
    viaduct_edges_told_total: {
      doc: 'Addresses-of-record of which the other edges were told: told, outdated, later.',
    },
    viaduct_edges_lookups_total: {
      doc: 'Questions for what other edges have: remembered, read, unknown.',
    },
    viaduct_location_changes_total: { doc: 'Bindings added, updated, removed, expired, undone; by origin.' },
  },

  setup(host, params) {
    const aorRules: AorRules = { useDomain: params.use_domain !== 0, caseSensitive: false, realmPrefix: '' }
    const choice = choiceOf(host, params)
    const filing = params.use_domain === 0 ? 'user' : 'user@domain'
    const { locations, shared, release } = worldOf(host, choice, filing, sharingOf(host, params))
    const { flows, tables } = locations
    locations.answersFirst = params.durability === 'memory' && choice.database === null
    const tableListeners: ((location: Location) => void)[] = []
    const unsubscribe: (() => void)[] = []
    let isStarted = false

    const changes = host.metrics.counter(
      'viaduct_location_changes_total',
      'Bindings added, updated, removed, expired, undone.',
      ['cause', 'origin'],
    )
    host.metrics.gauge(
      'viaduct_location_bindings',
      'Bindings in all tables.',
      () => sum('bindingCount'),
      true,
    )
    host.metrics.gauge(
      'viaduct_location_aors',
      'Addresses-of-record with bindings.',
      () => sum('aorCount'),
      true,
    )
    host.metrics.gauge('viaduct_location_flows', 'Flows that bindings hang on.', () => flows.count, true)

    const updated = changes.series('updated', 'registered')

    const usrloc: UsrlocExports = {
      table: (name) => tables.get(name) ?? open(name),
      tables: () => tables.values(),
      onTable(listener) {
        tableListeners.push(listener)
        for (const location of tables.values()) listener(location)
      },
      flows,
      aorRules,
      edges: shared === null ? null : shared.edges,
      newRuid: (aor) => locations.newRuid(aor),
      matchingMode: matchingMode(params.matching_mode),
      cseqDelay: params.cseq_delay * 1000,
      natBranchFlags: params.nat_bflag < 0 ? 0 : 1 << params.nat_bflag,
      newestFirst: params.desc_time_order !== 0,
    }

    if (locations.peers !== null) locations.peers.world.open = usrloc.table
    for (const location of tables.values()) follow(location)
    host.knows((request, flow) => hasBinding(request, flow, tables.values(), flows, aorRules))
    host.every(expiryInterval, () => {
      for (const location of tables.values()) expire(location)
    })
    host.every(noteInterval, () => locations.note())
    if (choice.database?.mode === 2) {
      let isWritten = true
      host.every(Math.max(1, params.timer_interval) * 1000, async () => {
        isWritten = await locations.writeBack()
      })
      host.every(writeAgainInterval, async () => {
        if (!isWritten) isWritten = await locations.writeBack()
      })
    }

    return {
      functions: {},
      variables: {},
      exports: usrloc,
      rpc: {
        ...locationCommands(usrloc, host, {
          hashSize: params.hash_size,
          edge: shared === null ? null : shared.edges.self.name,
        }),
        ...(usrloc.edges === null ? noEdges : serveEdges(host, usrloc.edges, usrloc)),
      },
      async close() {
        for (const stop of unsubscribe) stop()
        locations.note()
        await release()
      },
      async start() {
        for (const name of ['location', ...params.preload]) usrloc.table(name)
        isStarted = true
        if (locations.peers !== null && !host.workers.isFirst) {
          await locations.peers.join()
          for (const name of tables.keys()) shared?.begin(name)
        } else for (const location of tables.values()) await restore(location)
      },
    }

    function open(name: string): Location {
      const location = locations.open(name)
      for (const listener of tableListeners) listener(location)
      follow(location)
      if (isStarted) restore(location).catch((error) => host.log.error({ err: error }, 'not restored'))
      return location
    }

    function follow(location: Location): void {
      unsubscribe.push(
        location.onChange(
          (cause, binding, _before, isElsewhere) => {
            if (!isElsewhere) heard(cause, binding, location)
          },
          (origin) => count('updated', origin),
        ),
      )
    }

    function heard(cause: ChangeCause, binding: Binding, location: Location): void {
      count(cause, binding.origin)
      if (cause === 'expired') runExpired(host, binding, location)
    }

    /** A refresh, which nearly all changes are, without a look for its series. */
    function count(cause: ChangeCause, origin: Origin): void {
      if (cause === 'updated' && origin === 'registered') updated.add()
      else changes.add(1, cause, origin)
    }

    /** Not before the sockets are open: a binding whose socket is gone is not restored. */
    async function restore(location: Location): Promise<void> {
      if (location.restore() > 0) {
        host.log.info({ table: location.name, bindings: location.bindingCount }, 'bindings restored')
      }
      if (choice.database !== null) return await load(location, choice.database)
      const count = await location.migrate((aor, old) => locations.ruidFor(aor, old))
      if (count > 0) host.log.info({ table: location.name, bindings: count }, 'bindings of a former version')
      shared?.begin(location.name)
    }

    async function load(location: Location, { mode }: DatabaseChoice): Promise<void> {
      if (mode !== 4 && params.db_load === 0) return
      const { count, isFull } = await locations.load(location.name)
      if (mode !== 3)
        host.log.info({ table: location.name, bindings: count }, 'bindings loaded from the database')
      if (isFull) host.log.error({ table: location.name }, 'there is no room for all that the database has')
    }

    /** Many that expire in one moment do not hold up everything else. */
    function expire(location: Location): void {
      if (location.expireSome().isMore) host.clock.schedule(expiryPause, () => expire(location))
    }

    function sum(what: 'bindingCount' | 'aorCount'): number {
      let total = 0
      for (const location of tables.values()) total += location[what]
      return total
    }
  },
})

function runExpired(host: PluginHost, binding: Binding, location: Location): void {
  if (!host.script.hasRoute('event', 'usrloc:contact-expired')) return
  const record = ulcRecord([binding], binding.aor, location.name, host.clock)
  const done = host.script.runEvent('usrloc:contact-expired', null, null, (context) => {
    context.scope.notes.set(ulcNote, new Map([['exp', record]]))
  })
  if (done instanceof Promise) {
    done.catch((error) => host.log.error({ err: error }, 'event_route[usrloc:contact-expired] failed'))
  }
}

function tableAnd(...names: string[]): { name: string; doc: string }[] {
  return ['table', ...names].map((name) => ({ name, doc: name === 'table' ? 'Such as `location`.' : name }))
}
