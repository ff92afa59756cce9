import {
  ArgumentProblem,
  anyRoute,
  definePlugin,
  HeaderId,
  isUnicast,
  type PluginHost,
  parseUri,
  type RouteContext,
  splitValues,
  uriParam,
} from '../../src/plugin/index.ts'
import type { UsrlocExports } from '../usrloc/exports.ts'
import { isPrivateAddress } from './addresses.ts'
import {
  aliasOf,
  type ContactValue,
  contactAt,
  firstContact,
  isOwnAddress,
  uriOfAlias,
  withAliasFirst,
  withAliasLast,
  withoutParam,
} from './contact.ts'
import { fixSdp } from './media.ts'
import { Pinger } from './pinger.ts'
import { showsNat } from './uac-test.ts'

const bits = { name: 'flags', type: 'string', prepare: readBits, doc: 'Bits, such as 19.' } as const
const changesMessage = ['request', 'failure', 'branch', 'core-reply', 'reply'] as const

export default definePlugin({
  name: 'nathelper',
  summary:
    'Devices behind NATs: recognizes them, corrects what they say about themselves, keeps their pinholes open.',
  usesIfLoaded: ['usrloc'],
  params: {
    received_avp: {
      type: 'variable',
      doc: 'Where fix_nated_register() leaves the source; the registrar reads it.',
    },
    alias_name: { type: 'string', default: 'alias', doc: 'Name of the contact parameter.' },
    natping_interval: {
      type: 'int',
      default: 0,
      unit: 's',
      doc: 'Each binding is pinged once per interval; 0: never.',
    },
    ping_nated_only: {
      type: 'int',
      default: 0,
      doc: 'Only bindings with the branch flag nat_bflag of usrloc.',
    },
    natping_processes: { type: 'int', default: 1, ignored: 'one loop does it', doc: 'Timer processes.' },
    natping_socket: {
      type: 'string',
      default: '',
      doc: 'Socket to ping from; by default that of the registration.',
    },
    force_socket: { type: 'string', default: '', doc: 'Same, for SIP pings.' },
    sipping_bflag: { type: 'int', default: -1, doc: 'Branch flag of bindings that get SIP pings.' },
    natping_disable_bflag: { type: 'int', default: -1, doc: 'Branch flag of bindings that get no pings.' },
    sipping_from: { type: 'string', default: '', doc: 'From URI of SIP pings; without it there are none.' },
    sipping_method: { type: 'string', default: 'OPTIONS', doc: 'Method of SIP pings.' },
    keepalive_timeout: {
      type: 'int',
      default: 0,
      unit: 's',
      doc: 'A binding that answers no SIP ping for so long goes.',
    },
    udpping_from_path: { type: 'int', default: 0, doc: 'Bindings with a Path get UDP pings too.' },
    append_sdp_oldmediaip: {
      type: 'int',
      default: 1,
      doc: 'fix_nated_sdp() notes the address before: a=oldmediaip.',
    },
    nortpproxy_str: {
      type: 'string',
      default: 'a=nortpproxy:yes',
      doc: 'The line that fix_nated_sdp() adds with flag 4.',
    },
    filter_server_id: {
      type: 'int',
      default: 0,
      ignored: 'foreign bindings are not loaded',
      doc: 'Shared databases.',
    },
    nat_addr_mode: {
      type: 'int',
      default: 1,
      ignored: 'all reserved ranges count',
      doc: 'Which ranges are private.',
    },
  },
  functions: {
    nat_uac_test: {
      in: anyRoute,
      args: [bits],
      returns: { '1': 'a sign of a NAT', '-1': 'none' },
      doc:
        '1 Contact private, 2 Via differs from the source, 4 Via private, 8 SDP private, 16 port differs from the Via, ' +
        '32 source private, 64 WebSocket, 128 port differs from the Contact, 256 SDP differs from the source, ' +
        '512 the request was not sent to its Request-URI.',
    },
    fix_nated_contact: {
      in: changesMessage,
      returns: { '1': 'rewritten', '-1': 'no Contact, or it was rewritten already' },
      doc: "The Contact's host and port become those of the packet, for save() too.",
    },
    fix_nated_register: {
      in: ['request'],
      returns: { '1': 'kept', '-1': 'received_avp is not set' },
      doc: 'Keeps the source of a REGISTER in received_avp, for save().',
    },
    add_contact_alias: {
      in: changesMessage,
      args: [
        { name: 'ip', type: 'string', optional: true, doc: 'Instead of the source address.' },
        { name: 'port', type: 'string', optional: true, doc: 'Instead of the source port.' },
        { name: 'proto', type: 'string', optional: true, doc: 'udp, tcp, tls, ws, wss.' },
      ],
      returns: { '1': 'added', '2': 'not needed', '-1': 'cannot be added' },
      doc: 'Adds `;alias=ip~port~proto` to the Contact if it does not name the source already.',
    },
    set_contact_alias: {
      in: changesMessage,
      args: [{ name: 'trim', type: 'string', optional: true, doc: '1: an alias that is there goes first.' }],
      returns: { '1': 'added', '-1': 'cannot be added' },
      doc: 'Adds `;alias=ip~port~proto` at the end of the Contact URI, always; save() keeps it.',
    },
    handle_ruri_alias: {
      in: ['request', 'branch', 'failure'],
      args: [
        { name: 'mode', type: 'string', optional: true, doc: '1: the last alias counts, not the first.' },
      ],
      returns: { '1': '$du is set', '2': 'no alias', '-1': 'a bad alias' },
      doc: 'The alias of the Request-URI becomes the next hop, and goes. Believed because the script asks for it.',
    },
    fix_nated_sdp: {
      in: changesMessage,
      args: [bits, { name: 'ip', type: 'string', optional: true, doc: 'Instead of the source address.' }],
      returns: { '1': 'an address was rewritten', '2': 'none was', '-1': 'no session description' },
      doc: '1 add a=direction:active, 2 rewrite c=, 4 add nortpproxy_str, 8 rewrite o=.',
    },
    is_rfc1918: {
      in: anyRoute,
      args: [{ name: 'address', type: 'string', doc: 'An IP address.' }],
      returns: { '1': 'private', '-1': 'public, or no address' },
      doc: 'Private: RFC 1918, RFC 6598, RFC 3927, RFC 4193.',
    },
    add_rcv_param: {
      in: ['request'],
      args: [
        {
          name: 'flag',
          type: 'string',
          optional: true,
          doc: '1: a parameter of the URI, not of the header.',
        },
      ],
      returns: { '1': 'added', '-1': 'no Contact' },
      doc: 'Adds `received` with the source to the Contact, for a registrar behind this router that trusts it.',
    },
    set_alias_to_pv: {
      in: ['request', 'core-reply', 'reply', 'branch', 'failure'],
      args: [{ name: 'variable', type: 'variable', doc: 'Gets the URI.' }],
      returns: { '1': 'set', '-1': 'the Contact has no alias' },
      doc: "The Contact's alias as a URI.",
    },
  },
  variables: {
    rr_count: { type: 'int', doc: 'How many Record-Route values the message has.' },
    rr_top_count: { type: 'int', doc: 'How many of them belong to the topmost hop (double Record-Route).' },
  },
  rpc: {
    'nathelper.enable_ping': {
      doc: 'Switches keepalives on or off.',
      params: [{ name: 'on', doc: '1 or 0.' }],
      workers: 'every',
    },
  },
  metrics: { viaduct_nathelper_pinged_bindings: { doc: 'Bindings that get keepalives.' } },

  setup(host, params) {
    const alias = params.alias_name
    const pinger = params.natping_interval > 0 ? pingerOf(host, params) : null
    if (pinger !== null) {
      host.every(1_000, () => pinger.run())
      host.onArrival((message, flow) => pinger.heard(message, flow))
      host.metrics.gauge(
        'viaduct_nathelper_pinged_bindings',
        'Bindings that get keepalives.',
        () => pinger.count,
      )
    }
    const sdp = { mark: params.nortpproxy_str, keepsOldAddress: params.append_sdp_oldmediaip !== 0 }

    return {
      functions: {
        nat_uac_test: (context, mask) => (showsNat(context, mask) ? 1 : -1),
        fix_nated_contact(context) {
          const contact = firstContact(context)
          return contact === null
            ? -1
            : correctContact(context, contact, contactAt(contact.uri, context.flow))
        },
        fix_nated_register(context) {
          return params.received_avp?.write(context, sourceUri(context)) === true ? 1 : -1
        },
        add_contact_alias(context, ip, port, proto) {
          const contact = firstContact(context)
          if (contact === null) return context.message.first(HeaderId.contact) < 0 ? 2 : -1
          const given = ip === undefined ? null : explicitAlias(ip, port ?? '', proto ?? '')
          if (ip !== undefined && given === null) return -1
          if (given === null && isOwnAddress(contact.uri, context.flow)) return 2
          const text = withAliasFirst(
            contact.nameAddr.uri,
            contact.uri,
            alias,
            given ?? aliasOf(context.flow),
          )
          return context.edits.replace(contact.start, contact.end, bracketed(contact, text)) ? 1 : -1
        },
        set_contact_alias(context, trim) {
          const contact = firstContact(context)
          if (contact === null) return -1
          const { nameAddr, uri } = contact
          const text = withAliasLast(nameAddr.uri, uri, alias, aliasOf(context.flow), trim === '1')
          return correctContact(context, contact, text, bracketed(contact, text))
        },
        handle_ruri_alias: (context, mode) =>
          handleAlias(context, alias, mode !== undefined && Number(mode) > 0),
        fix_nated_sdp: (context, flags, ip) => fixSdp(context, flags, ip || context.flow.address, sdp),
        is_rfc1918: (_context, address) => (isPrivateAddress(address) ? 1 : -1),
        add_rcv_param: (context, flag) => addReceived(context, flag === '1'),
        set_alias_to_pv(context, variable) {
          const contact = firstContact(context)
          const text = contact === null ? null : uriParam(contact.uri, alias)
          const uri = text === null ? null : uriOfAlias(text)
          return uri !== null && variable.write(context, uri) ? 1 : -1
        },
      },
      variables: {
        rr_count: { read: ({ message }) => recordRoutes(message).length },
        rr_top_count: { read: ({ message }) => topmostHop(recordRoutes(message)) },
      },
      close: () => pinger?.close(),
      rpc: {
        'nathelper.enable_ping'([on]) {
          if (pinger !== null) pinger.isEnabled = Number(on) !== 0
          return {}
        },
      },
    }
  },
})

interface PingParams {
  readonly natping_interval: number
  readonly ping_nated_only: number
  readonly natping_socket: string
  readonly force_socket: string
  readonly sipping_bflag: number
  readonly natping_disable_bflag: number
  readonly sipping_from: string
  readonly sipping_method: string
  readonly keepalive_timeout: number
  readonly udpping_from_path: number
}

function pingerOf(host: PluginHost, params: PingParams): Pinger {
  const usrloc = host.exportsOf<UsrlocExports>('usrloc')
  if (usrloc === undefined) throw new Error('natping_interval needs usrloc: loadmodule "usrloc.so"')
  return new Pinger(host, usrloc, {
    interval: params.natping_interval * 1000,
    natedOnly: params.ping_nated_only !== 0,
    natBranchFlags: usrloc.natBranchFlags,
    sipBranchFlags: bitOf(params.sipping_bflag),
    disableBranchFlags: bitOf(params.natping_disable_bflag),
    method: params.sipping_method,
    from: params.sipping_from,
    timeout: params.keepalive_timeout * 1000,
    socket: params.natping_socket || params.force_socket,
    fromPath: params.udpping_from_path !== 0,
  })
}

function bitOf(flag: number): number {
  return flag < 0 ? 0 : 1 << flag
}

/** For the message that leaves, for save(), nat_uac_test() and @contact; not for $ct nor $hdr (measured). */
function correctContact(
  context: RouteContext,
  { start, end }: ContactValue,
  text: string,
  written = text,
): number {
  return context.edits.correct(start, end, text, written) ? 1 : -1
}

/** RFC 3261 §20.10: without angle brackets a parameter would be the header's, not the URI's. */
function bracketed(contact: ContactValue, uri: string): string {
  return contact.isBracketed ? uri : `<${uri}>`
}

/** `sip:192.0.2.1:5060`, with the transport unless it is UDP. */
function sourceUri({ flow }: RouteContext): string {
  const host = flow.address.includes(':') ? `[${flow.address}]` : flow.address
  const uri = `sip:${host}:${flow.port}`
  return flow.socket.transport === 'udp' ? uri : `${uri};transport=${flow.socket.transport}`
}

function explicitAlias(ip: string, port: string, proto: string): string | null {
  const digit = { udp: 1, tcp: 2, tls: 3, sctp: 4, ws: 5, wss: 6 }[proto.toLowerCase()]
  const text = `${ip.includes(':') && !ip.startsWith('[') ? `[${ip}]` : ip}~${port}~${digit ?? 0}`
  return uriOfAlias(text) === null ? null : text
}

/**
 * An alias is the device's own word, unsigned: it is followed only because the script says so, and never to a group.
 * It goes; one that another router put there stays for that router.
 */
function handleAlias(context: RouteContext, name: string, last: boolean): number {
  const { target } = context
  const uri = parseUri(target.uri)
  if (uri === null) return -1
  if (uri.params === '') return 2
  const prefix = `${name.toLowerCase()}=`
  const values = uri.params
    .split(';')
    .filter((param) => param.toLowerCase().startsWith(prefix) && param.length > prefix.length)
  const value = last ? values[values.length - 1] : values[0]
  if (value === undefined) return 2
  const destination = uriOfAlias(value.slice(prefix.length))
  const host = destination === null ? null : parseUri(destination)?.host
  if (destination === null || host === undefined || host === null || !isUnicast(host)) return -1
  target.uri = withoutParam(target.uri, uri, name, value)
  target.destinationUri = destination
  return 1
}

function addReceived(context: RouteContext, inUri: boolean): number {
  const contact = firstContact(context)
  if (contact === null) return -1
  const received = sourceUri(context)
  if (inUri) {
    const at = contact.uri.headers === '' ? contact.end : contact.end - contact.uri.headers.length - 1
    return context.edits.replace(at, at, `;received=${received}`) ? 1 : -1
  }
  const { text } = context.message
  const at = text[contact.end] === '>' ? contact.end + 1 : contact.end
  return context.edits.replace(at, at, `;received="${received}"`) ? 1 : -1
}

function recordRoutes(message: RouteContext['message']): string[] {
  const out: string[] = []
  for (let i = message.first(HeaderId.recordRoute); i >= 0; i = message.next(i)) {
    out.push(...splitValues(message.headerValue(i)))
  }
  return out
}

function topmostHop(values: readonly string[]): number {
  if (values.length === 0) return 0
  return values.length > 1 && values[0]?.includes(';r2=on') && values[1]?.includes(';r2=on') ? 2 : 1
}

function readBits(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || !Number.isSafeInteger(value) || value < 0) {
    throw new ArgumentProblem(`'${text}' is not a number of bits`, 'such as "19"')
  }
  return value
}
