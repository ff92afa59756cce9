import {
  type AorRules,
  ArgumentProblem,
  asciiLower,
  definePlugin,
  limits,
  type RouteContext,
} from '../../src/plugin/index.ts'
import type { UsrlocExports } from '../usrloc/exports.ts'
import { onceAsked, ulcAttribute, ulcAttributes, waitsIfShared } from '../usrloc/exports.ts'
import { ask, fetchContacts, isRegistered, profiles, subjectUri, unregister } from './bindings.ts'
import { delegate } from './delegation.ts'
import type { RegistrarExports } from './exports.ts'
import { lookup, lookupBranches, lookupToDestinationSet } from './lookup.ts'
import type { Registrar } from './registrar.ts'
import { type PreparedReply, preparedNote, save, sendReply } from './save.ts'
import type { RegistrarSettings } from './settings.ts'
import { unlessUnavailable } from './unavailable.ts'

const table = {
  name: 'table',
  type: 'string',
  doc: 'Name of the location table, such as `location`.',
} as const
const uri = {
  name: 'uri',
  type: 'string',
  optional: true,
  doc: 'The address-of-record; by default that of the message.',
} as const

const lookupReturns = {
  '1': 'found: the Request-URI and the branches are set',
  '-1': 'not registered',
  '-2': 'registered, but no binding takes this method; the Request-URI is untouched',
  '-3':
    'cold: there are bindings, and none can be reached now (the NAT pinhole has closed, an unproven flow has had its ' +
    'share, the edge that has it is gone), or nobody can say what other edges have. Store the message or answer 480; ' +
    'scripts that know only Kamailio answer 404, as they should',
}

export default definePlugin({
  name: 'registrar',
  summary: 'Keeps the contact bindings of each address-of-record: the registrar of RFC 3261 §10.3.',
  uses: ['usrloc'],
  params: {
    default_expires: { type: 'int', default: 3600, unit: 's', doc: 'Granted if the client does not say.' },
    default_expires_range: { type: 'int', default: 0, unit: '%', doc: 'Spread of the default.' },
    expires_range: { type: 'int', default: 0, unit: '%', doc: 'Spread of what was asked for.' },
    min_expires: { type: 'int', default: 60, unit: 's', doc: 'The shortest lifetime granted.' },
    min_expires_mode: { type: 'int', default: 0, doc: '0: raise shorter ones silently; 1: answer 423.' },
    max_expires: { type: 'int', default: 0, unit: 's', doc: 'The longest lifetime granted; 0 for no bound.' },
    default_q: { type: 'int', default: -1, doc: 'q in thousandths for contacts without one; -1 for none.' },
    max_contacts: {
      type: 'int',
      default: 0,
      doc: `Most bindings per address-of-record; 0 stands for ${limits.bindingsPerAorMax}. More get 503. Those of all edges count.`,
    },
    retry_after: { type: 'int', default: 0, unit: 's', doc: 'Retry-After of a 503; 0 for none.' },
    contact_max_size: { type: 'int', default: 512, unit: 'octets', doc: 'Longest contact or received URI.' },
    append_branches: { type: 'int', default: 1, doc: 'lookup() makes branches of further contacts.' },
    case_sensitive: { type: 'int', default: 0, doc: 'Tell users apart by case.' },
    realm_prefix: { type: 'string', default: '', doc: 'Stripped from the front of a domain (use_domain).' },
    method_filtering: {
      type: 'int',
      default: 0,
      doc: 'lookup() offers only contacts that allow the method.',
    },
    lookup_filter_mode: {
      type: 'int',
      default: 0,
      ignored: 'branch flags are applied, not filtered by',
      doc: 'Filter.',
    },
    use_path: { type: 'int', default: 0, doc: 'Keep and use Path (RFC 3327). Without it a Path is ignored.' },
    path_mode: {
      type: 'int',
      default: 2,
      doc: 'Path without `Supported: path`: 0 kept, never echoed; 1 kept, echoed if supported; 2 refused with 420.',
    },
    path_use_received: {
      type: 'int',
      default: 0,
      doc: "The last Path value's `received` is where it came from.",
    },
    path_check_local: {
      type: 'int',
      default: 0,
      doc: 'lookup() leaves out a first hop that is this router.',
    },
    received_param: {
      type: 'string',
      default: 'received',
      doc: 'Parameter of the 200 that shows the source.',
    },
    received_avp: { type: 'variable', doc: 'Where fix_nated_register() left the source of the REGISTER.' },
    gruu_enabled: { type: 'int', default: 1, doc: 'Hand out GRUUs (RFC 5627) to clients that support them.' },
    outbound_mode: { type: 'int', default: 0, doc: 'RFC 5626: 0 not supported, 1 supported, 2 required.' },
    regid_mode: {
      type: 'int',
      default: 0,
      ignored: 'reg-id is always kept with +sip.instance',
      doc: 'reg-id.',
    },
    flow_timer: {
      type: 'int',
      default: 0,
      unit: 's',
      doc: 'Flow-Timer in the 200 of an outbound registration.',
    },
    sock_hdr_name: {
      type: 'string',
      default: '',
      doc: 'Header that names the socket to keep (add_sock_hdr).',
    },
    sock_flag: {
      type: 'int',
      default: -1,
      ignored: 'sock_hdr_name alone decides',
      doc: 'Flag for sock_hdr_name.',
    },
    sock_mode: {
      type: 'int',
      default: 0,
      ignored: 'sockets are kept by address',
      doc: 'Form of the kept socket.',
    },
    tcp_persistent_flag: {
      type: 'int',
      default: -1,
      ignored: 'connections live as long as bindings',
      doc: 'TCP.',
    },
    xavp_cfg: {
      type: 'string',
      default: '',
      doc: 'Root xavp with per-request settings: max_contacts, expires, socket, match_*.',
    },
    xavp_rcd: {
      type: 'string',
      default: '',
      doc: 'Root xavp that gets ruid, contact and expires of what was written.',
    },
    xavp_rcd_mask: {
      type: 'int',
      default: 0,
      ignored: 'all values are given',
      doc: 'Which values xavp_rcd has.',
    },
    event_callback: { type: 'string', ignored: 'a KEMI callback', doc: 'KEMI.' },
    use_expired_contacts: {
      type: 'int',
      default: 0,
      ignored: 'expired bindings are gone',
      doc: 'Expired contacts.',
    },
  },
  functions: {
    save: {
      in: ['request', 'failure', 'reply', 'core-reply'],
      args: [
        table,
        {
          name: 'flags',
          type: 'string',
          optional: true,
          prepare: readFlags,
          doc: '1 memory only, 2 no reply, 4 only this contact, 8 exact lifetime, 16 with 2: its headers go into the next reply.',
        },
        uri,
      ],
      waits: waitsIfShared,
      returns: {
        '1': 'saved',
        '2': 'updated',
        '3': 'removed',
        '4': 'nothing to save: no Contact; answered with the bindings there are',
        '-1': 'refused, and answered so',
        '-2': 'too many contacts, answered 503',
      },
      doc: 'Saves the contacts of the request and answers it: 200 once they are durable, 503 if the store refuses.',
    },
    lookup: {
      in: ['request', 'failure'],
      args: [table, uri],
      waits: waitsIfShared,
      returns: lookupReturns,
      doc: 'Sets the Request-URI to the registered contact; further ones become branches, in the order of q.',
    },
    lookup_branches: {
      in: ['request', 'failure'],
      args: [table],
      waits: waitsIfShared,
      returns: lookupReturns,
      doc: 'lookup() for the Request-URI and for every branch that is an address-of-record of this router.',
    },
    lookup_to_dset: {
      in: ['request', 'failure'],
      args: [table, uri],
      waits: waitsIfShared,
      returns: lookupReturns,
      doc: 'Adds all contacts as branches; the Request-URI stays.',
    },
    registered: {
      in: ['request', 'failure', 'branch', 'core-reply', 'reply', 'onsend', 'event'],
      args: [
        table,
        uri,
        {
          name: 'match',
          type: 'string',
          optional: true,
          prepare: readFlags,
          doc: '1 Call-ID, 2 received, 4 contact must be as $xavp(<xavp_cfg>=>match_...) says.',
        },
        {
          name: 'action',
          type: 'string',
          optional: true,
          prepare: readFlags,
          doc: '1: what was found goes to xavp_rcd.',
        },
      ],
      waits: waitsIfShared,
      returns: { '1': 'registered and reachable', '-1': 'not registered' },
      doc: 'Asks without changing anything. By default about the To URI of a REGISTER, else the Request-URI.',
    },
    unregister: {
      in: ['request', 'failure', 'branch', 'core-reply', 'reply', 'onsend', 'event'],
      args: [
        table,
        { name: 'uri', type: 'string', doc: 'The address-of-record.' },
        { name: 'ruid', type: 'string', optional: true, doc: 'Only the binding with this id.' },
      ],
      waits: waitsIfShared,
      returns: { '1': 'removed, or nothing was there', '-1': 'no address-of-record', '-2': 'no such ruid' },
      doc: 'Removes bindings.',
    },
    reg_fetch_contacts: {
      in: ['request', 'failure', 'branch', 'core-reply', 'reply', 'event'],
      args: [
        table,
        { name: 'uri', type: 'string', doc: 'The address-of-record.' },
        { name: 'profile', type: 'string', doc: 'Name under which $ulc reads them.' },
      ],
      waits: waitsIfShared,
      returns: { '1': 'fetched', '-1': 'there are none' },
      doc: 'Fetches bindings for $ulc(profile=>attribute).',
    },
    reg_free_contacts: {
      in: ['request', 'failure', 'branch', 'core-reply', 'reply', 'event'],
      args: [{ name: 'profile', type: 'string', doc: 'As given to reg_fetch_contacts().' }],
      returns: { '1': 'always' },
      doc: 'Forgets what was fetched.',
    },
    reg_send_reply: {
      in: ['request', 'failure'],
      returns: { '1': 'sent', '-1': 'nothing was prepared, or it was answered already' },
      doc: 'Sends the reply that save() with flag 0x02 did not send.',
    },
    add_sock_hdr: {
      in: ['request'],
      args: [{ name: 'header', type: 'string', doc: 'Name of the header.' }],
      returns: { '1': 'added', '-1': 'no name' },
      doc: 'Appends a header that names the socket of arrival, for a registrar behind this one.',
    },
    set_q_override: {
      in: ['request', 'failure', 'branch'],
      args: [{ name: 'q', type: 'string', doc: '0 to 1, such as 0.5.' }],
      returns: { '1': 'set', '-1': 'not a q value' },
      doc: 'Sets q of the Request-URI, for serial forking.',
    },
  },
  variables: {
    ulc: {
      inner: 'name',
      prepare: readUlcName,
      indexed: true,
      type: 'value',
      doc: '`$(ulc(profile=>attribute)[n])`: what reg_fetch_contacts() fetched.',
    },
  },
  metrics: {
    viaduct_registrar_requests_total: {
      doc: 'Calls of save() by outcome: accepted, refused, with the status.',
    },
  },

  setup(host, params) {
    const usrloc = host.exportsOf<UsrlocExports>('usrloc')
    if (usrloc === undefined) throw new Error('registrar needs usrloc: loadmodule "usrloc.so"')
    const aorRules: AorRules = {
      useDomain: usrloc.aorRules.useDomain,
      caseSensitive: params.case_sensitive !== 0,
      realmPrefix: asciiLower(params.realm_prefix),
    }
    const settings: RegistrarSettings = {
      aorRules,
      matchingMode: usrloc.matchingMode,
      cseqDelay: usrloc.cseqDelay,
      newestFirst: usrloc.newestFirst,
      defaultExpires: params.default_expires,
      defaultExpiresRange: params.default_expires_range,
      expiresRange: params.expires_range,
      minExpires: params.min_expires,
      minExpiresMode: params.min_expires_mode,
      maxExpires: params.max_expires,
      defaultQ: params.default_q,
      maxContacts: params.max_contacts > 0 ? params.max_contacts : limits.bindingsPerAorMax,
      retryAfter: params.retry_after,
      contactLengthMax: params.contact_max_size,
      appendBranches: params.append_branches !== 0,
      methodFiltering: params.method_filtering !== 0,
      usePath: params.use_path !== 0,
      pathMode: params.path_mode,
      pathUseReceived: params.path_use_received !== 0,
      pathCheckLocal: params.path_check_local !== 0,
      gruuEnabled: params.gruu_enabled !== 0,
      outboundMode: params.outbound_mode,
      flowTimer: params.flow_timer,
      receivedParam: params.received_param,
      receivedAvp: params.received_avp,
      socketHeader: params.sock_hdr_name,
      xavpCfg: params.xavp_cfg,
      xavpRcd: params.xavp_rcd,
    }
    const requests = host.metrics.counter('viaduct_registrar_requests_total', 'Calls of save() by outcome.', [
      'outcome',
      'status',
    ])
    const accepted = requests.series('accepted', '200')
    const registrar: Registrar = {
      host,
      usrloc,
      settings,
      planning: {
        matchingMode: settings.matchingMode,
        cseqDelay: settings.cseqDelay,
        newRuid: usrloc.newRuid,
      },
      onAccepted: () => accepted.add(),
      onRefused: ({ statusCode }) => requests.add(1, 'refused', String(statusCode)),
    }

    return {
      functions: {
        save: (context, name, flags, to) => save(registrar, context, usrloc.table(name), flags ?? 0, to),
        lookup: (context, name, of) => lookup(registrar, context, usrloc.table(name), of),
        lookup_branches: (context, name) => lookupBranches(registrar, context, usrloc.table(name)),
        lookup_to_dset: (context, name, of) =>
          lookupToDestinationSet(registrar, context, usrloc.table(name), of),
        registered(context, name, of, match, action) {
          const uri = of || subjectUri(context)
          const table = usrloc.table(name)
          const look = () => isRegistered(registrar, context, table, uri, match ?? 0, action ?? 0)
          return onceAsked(ask(registrar, table, uri), () => (unlessUnavailable(look, false) ? 1 : -1))
        },
        unregister(_context, name, of, ruid) {
          const table = usrloc.table(name)
          const remove = () => unregister(registrar, table, of, ruid)
          return onceAsked(ask(registrar, table, of), () => unlessUnavailable(remove, -2))
        },
        reg_fetch_contacts(context, name, of, profile) {
          const table = usrloc.table(name)
          const fetch = () => fetchContacts(registrar, context, table, of, profile)
          return onceAsked(ask(registrar, table, of), () => unlessUnavailable(fetch, -1))
        },
        reg_free_contacts(context, profile) {
          profiles(context).delete(profile)
          return 1
        },
        reg_send_reply: (context) => sendPrepared(registrar, context),
        add_sock_hdr(context, name) {
          if (name === '') return -1
          context.edits.appendHeader(`${name}: ${context.flow.socket.label}\r\n`)
          return 1
        },
        set_q_override(context, text) {
          const q = Number(text)
          if (text === '' || !(q >= 0 && q <= 1)) return -1
          context.target.q = Math.round(q * 1000)
          return 1
        },
      },
      variables: {
        ulc: {
          read(context, inner, index) {
            const { profile, attribute } = inner as UlcName
            const record = profiles(context).get(profile)
            return record === undefined
              ? null
              : ulcAttribute(record, attribute, typeof index === 'number' ? index : 0)
          },
        },
      },
      /** For learn and outbox: the rules under which save() and lookup() file. */
      exports: { aorRules, delegate } satisfies RegistrarExports,
    }
  },
})

function sendPrepared(registrar: Registrar, context: RouteContext): number {
  const prepared = context.scope.notes.get(preparedNote) as PreparedReply | undefined
  if (prepared === undefined) return -1
  context.scope.notes.delete(preparedNote)
  return sendReply(registrar, context, prepared)
}

interface UlcName {
  profile: string
  attribute: string
}

function readUlcName(inner: string): UlcName {
  const arrow = inner.indexOf('=>')
  const profile = arrow < 0 ? '' : inner.slice(0, arrow).trim()
  const attribute = arrow < 0 ? '' : inner.slice(arrow + 2).trim()
  if (profile === '')
    throw new ArgumentProblem(`'${inner}' is not profile=>attribute`, 'as in $ulc(caller=>addr)')
  if (!ulcAttributes.includes(attribute)) {
    throw new ArgumentProblem(`$ulc has no attribute '${attribute}'`, `it has ${ulcAttributes.join(', ')}`)
  }
  return { profile, attribute }
}

/** `0x04`, `4`, ''. */
function readFlags(text: string): number {
  if (text.trim() === '') return 0
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 0)
    throw new ArgumentProblem(`'${text}' is not a number of flag bits`)
  return value
}
