import { isIP } from 'node:net'
import {
  ArgumentProblem,
  anyRoute,
  asciiLower,
  createTarget,
  type DebugLevel,
  definePlugin,
  limits,
  type PluginHost,
  parseUri,
  type RouteContext,
} from '../../src/plugin/index.ts'

const done = { '1': 'done' } as const
const sent = { '1': 'sent', '-1': 'the destination is no address, or no socket reaches it' } as const

const messageFlag = {
  name: 'flag',
  type: 'string',
  prepare(text: string) {
    if (messageFlags.has(text)) return text
    throw new ArgumentProblem(`there is no flag ${text}`, `flags are ${[...messageFlags].join(', ')}`)
  },
  doc: 'Name of a flag of the message.',
} as const

const messageFlags: ReadonlySet<string> = new Set(['USE_UAC_FROM', 'USE_UAC_TO', 'UAC_AUTH', 'URI_SIPS'])

const socket = { name: 'socket', type: 'string', doc: 'transport:address:port.' } as const
const socketName = { name: 'name', type: 'string', doc: 'Name of a listen statement.' } as const

export default definePlugin({
  name: 'corex',
  summary: 'Further functions of the core: branches, raw sending, sockets (Kamailio: corex).',
  params: {
    alias_subdomains: {
      type: 'string',
      repeatable: true,
      doc: 'A domain whose subdomains are this router too: [udp:]example.com[:5060].',
    },
    network_io_intercept: rawOctets('int', 'Run event_route[network:msg] for all that comes and goes.'),
    nio_intercept: rawOctets('int', 'Run event_route[network:msg] for all that comes and goes.'),
    nio_min_msg_len: rawOctets('int', 'Octets of the shortest message for event_route[network:msg].'),
    nio_msg_avp: rawOctets('string', 'AVP with the message in event_route[network:msg].'),
    evcb_reply_out: rawOctets('string', 'Callback for outgoing replies.'),
    dns_cache: {
      type: 'string',
      repeatable: true,
      ignored: 'write the address in the script, or the name into the hosts file',
      doc: 'A host name and its address.',
    },
  },
  functions: {
    append_branch: {
      in: ['request', 'failure', 'event'],
      args: [
        { name: 'uri', type: 'string', optional: true, doc: 'Its Request-URI; the current one if absent.' },
        { name: 'q', type: 'string', optional: true, doc: '0 to 1.' },
      ],
      returns: { '1': 'done', '-1': 'there are as many branches as may be, or q is none' },
      aliases: ['km_append_branch'],
      doc: 'Adds a branch to the destination set, with $du, path, flags and socket of the Request-URI’s.',
    },
    remove_branch: {
      in: anyRoute,
      args: [{ name: 'index', type: 'int', doc: '0: the first further branch.' }],
      returns: { '1': 'done', '-1': 'there is no such branch' },
      doc: 'Removes a branch that append_branch() or lookup() added.',
    },
    clear_branches: { in: anyRoute, returns: done, doc: 'Removes all further branches.' },
    send_udp: {
      in: anyRoute,
      args: [
        {
          name: 'destination',
          type: 'string',
          optional: true,
          doc: 'address[:port]; $du or the Request-URI if absent.',
        },
      ],
      returns: sent,
      aliases: ['send'],
      doc: 'Sends the message as it was received: no Via, no transaction.',
    },
    send_data: {
      in: anyRoute,
      args: [
        { name: 'uri', type: 'string', doc: 'A SIP URI with an address.' },
        { name: 'data', type: 'string', doc: 'The octets.' },
      ],
      returns: sent,
      doc: 'Sends octets.',
    },
    is_incoming: {
      in: anyRoute,
      returns: {
        '1': 'the message was received',
        '-1': 'it was not, or this is no event_route[network:msg]',
      },
      doc: 'In event_route[network:msg]: did the message come in?',
    },
    msg_iflag_set: { in: anyRoute, args: [messageFlag], returns: done, doc: 'Sets a flag of the message.' },
    msg_iflag_reset: {
      in: anyRoute,
      args: [messageFlag],
      returns: done,
      doc: 'Clears a flag of the message.',
    },
    msg_iflag_is_set: {
      in: anyRoute,
      args: [messageFlag],
      returns: { '1': 'yes', '-2': 'no' },
      doc: 'Is a flag of the message set?',
    },
    set_send_socket: { in: anyRoute, args: [socket], returns: done, doc: 'Sends from this socket ($fs).' },
    set_send_socket_name: {
      in: anyRoute,
      args: [socketName],
      returns: done,
      doc: 'Sends from this socket ($fsn).',
    },
    is_socket_name: {
      in: anyRoute,
      args: [socketName],
      returns: { '1': 'yes', '-1': 'no' },
      doc: 'Is there a listen statement of that name?',
    },
    has_ruri_user: {
      in: ['request', 'failure', 'branch'],
      returns: { '1': 'yes', '-1': 'no' },
      doc: 'Has the Request-URI a user?',
    },
    has_user_agent: {
      in: anyRoute,
      returns: { '1': 'yes', '-1': 'no' },
      doc: 'Has the message a User-Agent header?',
    },
    is_faked_msg: {
      in: anyRoute,
      returns: { '1': 'yes', '-1': 'no' },
      doc: 'Is the message made up, as in failure routes and events?',
    },
    forward_reply: {
      in: ['core-reply', 'reply'],
      returns: { '1': 'sent', '-1': 'we did not forward its request' },
      doc: 'Forwards the reply statelessly.',
    },
    setxflag: xflag('Sets an extended flag.', done),
    resetxflag: xflag('Clears an extended flag.', done),
    isxflagset: xflag('Is an extended flag set?', { '1': 'yes', '-1': 'no' }),
  },
  variables: {
    lsock: {
      type: 'string',
      inner: 'name',
      doc: 'A listening socket: $lsock(listen/n/udp:address:port) is its name, $lsock(name/NAME) its address.',
    },
  },
  rpc: {
    'corex.debug': {
      doc: 'The log level.',
      params: [{ name: 'level', optional: true, doc: 'Another one, as the global parameter debug.' }],
      workers: 'every',
    },
  },
  setup(host, params) {
    for (const text of params.alias_subdomains) host.sockets.addCheck(subdomainCheck(text))
    return {
      functions: {
        append_branch: appendBranch,
        remove_branch: (context, index) => (context.branches.splice(index, 1).length === 1 ? 1 : -1),
        clear_branches(context) {
          context.branches.length = 0
          return 1
        },
        send_udp: (context, destination) =>
          sendTo(host, context, destination ?? nextHop(context), context.message.text),
        send_data: (context, uri, data) => sendTo(host, context, uri, data),
        is_incoming: (context) => (context.route === 'network:msg' ? 1 : -1),
        msg_iflag_set(context, name) {
          flagsOf(context).add(name)
          return 1
        },
        msg_iflag_reset(context, name) {
          flagsOf(context).delete(name)
          return 1
        },
        msg_iflag_is_set: (context, name) => (flagsOf(context).has(name) ? 1 : -2),
        set_send_socket: (context, label) => setSocket(host, context, label),
        set_send_socket_name: (context, name) => setSocket(host, context, name),
        is_socket_name: (_context, name) =>
          host.sockets.sockets.some((candidate) => candidate.name === name) ? 1 : -1,
        has_ruri_user: (context) => (context.requestUri?.user ? 1 : -1),
        has_user_agent: (context) => (context.message.find('User-Agent') < 0 ? -1 : 1),
        is_faked_msg: (context) => (context.kind === 'failure' || context.kind === 'event' ? 1 : -1),
        forward_reply: (context) =>
          host.proxy.stateless.forwardResponse(context.message, context.edits, context.replyStatus) ? 1 : -1,
        setxflag(context, number) {
          xflagsOf(context).add(number)
          return 1
        },
        resetxflag(context, number) {
          xflagsOf(context).delete(number)
          return 1
        },
        isxflagset: (context, number) => (xflagsOf(context).has(number) ? 1 : -1),
      },
      variables: { lsock: { read: (_context, inner) => listenSocket(host, String(inner)) } },
      rpc: { 'corex.debug': ([level]) => debugCommand(host.debug, level) },
    }
  },
})

function debugCommand(debug: DebugLevel, level: unknown): Record<string, number> {
  if (level === undefined) return { debug: debug.value }
  const wanted = Number(level)
  if (!Number.isSafeInteger(wanted)) throw new Error('The level is no number')
  const old = debug.value
  debug.value = wanted
  return { old, new: wanted }
}

/** Every route sees messages, none sees or rewrites octets on their way. */
function rawOctets<const T extends 'int' | 'string'>(type: T, doc: string) {
  return { type, ignored: 'octets go to and from the network as they are', doc } as const
}

function xflag<const R extends Readonly<Record<string, string>>>(doc: string, returns: R) {
  return {
    in: anyRoute,
    args: [{ name: 'flag', type: 'int', doc: 'Number 0 to 63.' }],
    returns,
    doc,
  } as const
}

function appendBranch(context: RouteContext, uri?: string, q?: string): number {
  const value = q === undefined || q === '' ? context.target.q : Math.round(Number(q) * 1000)
  if (
    Number.isNaN(value) ||
    value > 1000 ||
    context.branches.length >= (context.branchesMax ?? limits.branchesMax) - 1
  )
    return -1
  const isOwn = uri === undefined || uri === ''
  const { destinationUri, path, socket: from, flags, flow } = context.target
  const branch = isOwn
    ? { ...context.target }
    : {
        ...createTarget(uri),
        destinationUri,
        path,
        socket: from,
        flags,
        flow: destinationUri === null ? null : flow,
      }
  branch.q = value
  context.branches.push(branch)
  return 1
}

function nextHop(context: RouteContext): string {
  return context.target.destinationUri ?? context.target.uri
}

/** To a literal address: names would have to be resolved first. */
function sendTo(host: PluginHost, context: RouteContext, destination: string, text: string): number {
  const uri = parseUri(/^sips?:/i.test(destination) ? destination : `sip:${destination}`)
  if (uri === null || isIP(uri.host) === 0) return -1
  const from = context.target.socket ?? host.sockets.chooseFor(uri.host, 'udp', context.flow.socket)
  if (from === null) return -1
  host.sendRaw(from, text, uri.host, uri.port === 0 ? 5060 : uri.port)
  return 1
}

/** A socket that is not ours changes nothing, and the script goes on (measured on Kamailio 5.6.3). */
function setSocket(host: PluginHost, context: RouteContext, label: string): number {
  const found = host.sockets.find(label)
  if (found === null) {
    host.log.warn({ ...context.logFields(), socket: label }, 'there is no socket of that name')
    return 1
  }
  context.target.socket = found
  const { flow } = context.target
  if (flow !== null) context.target.flow = { socket: found, address: flow.address, port: flow.port }
  return 1
}

interface Notes {
  readonly flags: Set<string>
  readonly extendedFlags: Set<number>
}

function notesOf(context: RouteContext): Notes {
  const known = context.scope.notes.get('corex') as Notes | undefined
  if (known !== undefined) return known
  const created: Notes = { flags: new Set(), extendedFlags: new Set() }
  context.scope.notes.set('corex', created)
  return created
}

function flagsOf(context: RouteContext): Set<string> {
  return notesOf(context).flags
}

function xflagsOf(context: RouteContext): Set<number> {
  return notesOf(context).extendedFlags
}

/** `[udp:]example.com[:5060]`: hosts that end in .example.com. */
function subdomainCheck(text: string): (host: string, port: number) => boolean {
  const [, domain = '', port = '0'] = /^(?:[a-z]+:)?([^:]+)(?::(\d+))?$/i.exec(text.trim()) ?? []
  const suffix = `.${asciiLower(domain)}`
  return (host, asked) =>
    domain !== '' &&
    asciiLower(host).endsWith(suffix) &&
    (port === '0' || asked === 0 || asked === Number(port))
}

function listenSocket(host: PluginHost, inner: string): string | null {
  const [kind = '', ...rest] = inner.split('/')
  const name = rest.at(-1) ?? ''
  const found = host.sockets.find(name)
  if (found === null) return null
  return kind === 'name' ? found.label : found.name
}
