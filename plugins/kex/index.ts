import {
  anyRoute,
  definePlugin,
  parseUri,
  type RouteContext,
  type SocketTable,
  type Target,
} from '../../src/plugin/index.ts'
import { createStatistics } from './statistics.ts'

const publishMilliseconds = 1_000

const done = { '1': 'done' } as const
const isOrNot = { '1': 'yes', '-1': 'no' } as const
const doneOrNoBranch = { '1': 'done', '-1': 'there is no such branch' } as const

const flag = { name: 'flag', type: 'flag', doc: 'Number 0 to 31 or a declared name.' } as const
const branch = {
  name: 'branch',
  type: 'int',
  optional: true,
  doc: '0: the Request-URI’s branch, in a branch or reply route the current one; n: the n-th further one.',
} as const

export default definePlugin({
  name: 'kex',
  summary:
    'Extensions of the core: next hop, branch and script flags, log level, statistics (Kamailio: kex).',
  functions: {
    isdsturiset: { in: anyRoute, returns: isOrNot, doc: 'Is there a next hop ($du)?' },
    setdsturi: {
      in: anyRoute,
      args: [{ name: 'uri', type: 'string', doc: 'URI of the next hop.' }],
      returns: { '1': 'done', '-1': 'the URI is empty' },
      doc: 'Sets the next hop ($du).',
    },
    resetdsturi: { in: anyRoute, returns: done, doc: 'Clears the next hop ($du).' },
    setbflag: { in: anyRoute, args: [flag, branch], returns: doneOrNoBranch, doc: 'Sets a branch flag.' },
    resetbflag: { in: anyRoute, args: [flag, branch], returns: doneOrNoBranch, doc: 'Clears a branch flag.' },
    isbflagset: { in: anyRoute, args: [flag, branch], returns: isOrNot, doc: 'Is a branch flag set?' },
    setsflag: { in: anyRoute, args: [flag], returns: done, doc: 'Sets a script flag.' },
    resetsflag: { in: anyRoute, args: [flag], returns: done, doc: 'Clears a script flag.' },
    issflagset: { in: anyRoute, args: [flag], returns: isOrNot, doc: 'Is a script flag set?' },
    is_myself: {
      in: anyRoute,
      args: [{ name: 'uri', type: 'string', doc: 'A URI, or host[:port].' }],
      returns: isOrNot,
      doc: 'Does the URI name this router?',
    },
    setdebug: {
      in: anyRoute,
      args: [{ name: 'level', type: 'int', doc: 'As the global parameter debug.' }],
      returns: done,
      doc: 'Sets the log level, until resetdebug().',
    },
    resetdebug: { in: anyRoute, returns: done, doc: 'Goes back to the log level of the script.' },
    pv_printf: {
      in: anyRoute,
      args: [
        { name: 'variable', type: 'variable', doc: 'Where the text goes.' },
        { name: 'text', type: 'string', doc: 'A text with pseudo-variables.' },
      ],
      returns: { '1': 'done', '-1': 'the variable cannot hold it' },
      aliases: ['avp_printf'],
      doc: 'Evaluates a text into a variable.',
    },
  },
  variables: {
    stat: {
      type: 'int',
      inner: 'name',
      doc: 'A statistic by name, such as rcv_requests; null if there is none.',
    },
  },
  rpc: {
    'stats.get_statistics': {
      doc: 'Lines "group:name = value".',
      params: [{ name: 'which', doc: 'all, a group with a colon, or a name.' }],
    },
    'stats.fetch': {
      doc: 'Values by group.name, as strings.',
      params: [{ name: 'which', doc: 'all, a group with a colon, or a name.' }],
    },
    'stats.reset_statistics': {
      doc: 'Counters of the groups core, tmx and sl begin at 0 again; metrics and what is no count do not.',
      params: [{ name: 'which', doc: 'all, a group with a colon, or a name.' }],
      workers: 'every',
    },
    'stats.clear_statistics': {
      doc: 'The same, and answers with what they were.',
      params: [{ name: 'which', doc: 'all, a group with a colon, or a name.' }],
      workers: 'every',
    },
    'stats.fetchn': {
      doc: 'Values by group.name, as numbers.',
      params: [{ name: 'which', doc: 'all, a group with a colon, or a name.' }],
    },
  },
  setup(host) {
    const { debug, sockets, metrics, proxy, transactions, workers, global, onArrival } = host
    const statistics = createStatistics({ metrics, proxy, transactions, workers })
    if (workers.count > 1) host.every(publishMilliseconds, () => statistics.publish())
    onArrival((message) => {
      if (message !== null) statistics.count(message)
    })
    return {
      functions: {
        isdsturiset: ({ target }) => (target.destinationUri === null ? -1 : 1),
        setdsturi(context, uri) {
          if (uri === '') return -1
          setNextHop(context.target, uri)
          return 1
        },
        resetdsturi(context) {
          setNextHop(context.target, null)
          return 1
        },
        setbflag: (context, number, index) => changeBranch(context, index, (flags) => flags | (1 << number)),
        resetbflag: (context, number, index) =>
          changeBranch(context, index, (flags) => flags & ~(1 << number)),
        isbflagset(context, number, index) {
          const target = branchAt(context, index)
          return target !== null && (target.flags & (1 << number)) !== 0 ? 1 : -1
        },
        setsflag(context, number) {
          context.scriptFlags |= 1 << number
          return 1
        },
        resetsflag(context, number) {
          context.scriptFlags &= ~(1 << number)
          return 1
        },
        issflagset: (context, number) => ((context.scriptFlags & (1 << number)) === 0 ? -1 : 1),
        is_myself: (_context, uri) => (isOwn(sockets, uri) ? 1 : -1),
        setdebug(_context, level) {
          debug.value = level
          return 1
        },
        resetdebug() {
          debug.value = Number(global('debug'))
          return 1
        },
        pv_printf: (context, variable, text) => (variable.write(context, text) ? 1 : -1),
      },
      variables: { stat: { read: (_context, name) => statistics.value(String(name)) } },
      rpc: {
        'stats.get_statistics': ([which]) =>
          statistics
            .select(String(which ?? 'all'))
            .map(([group, name, value]) => `${group}:${name} = ${value}`),
        'stats.fetch': ([which]) =>
          Object.fromEntries(
            statistics
              .select(String(which ?? 'all'))
              .map(([group, name, value]) => [`${group}.${name}`, `${value}`]),
          ),
        'stats.reset_statistics': ([which]) => {
          statistics.reset(String(which ?? 'all'))
          return {}
        },
        'stats.clear_statistics': ([which]) => {
          const wanted = String(which ?? 'all')
          const counts = statistics.select(wanted)
          statistics.reset(wanted)
          return counts.map(([group, name, value]) => `${group}:${name} = ${value}`)
        },
        'stats.fetchn': ([which]) =>
          Object.fromEntries(
            statistics
              .select(String(which ?? 'all'))
              .map(([group, name, value]) => [`${group}.${name}`, value]),
          ),
      },
    }
  },
})

/** The flow that lookup() found belongs to the hop before. */
function setNextHop(target: Target, uri: string | null): void {
  target.destinationUri = uri
  target.flow = null
}

function branchAt(context: RouteContext, index = 0): Target | null {
  return index === 0 ? context.target : (context.branches[index - 1] ?? null)
}

function changeBranch(
  context: RouteContext,
  index: number | undefined,
  change: (flags: number) => number,
): number {
  const target = branchAt(context, index)
  if (target === null) return -1
  target.flags = change(target.flags)
  return 1
}

/** A bare host stands for any port, a URI without one for the default port (measured on Kamailio 5.6.3). */
function isOwn(sockets: SocketTable, text: string): boolean {
  const uri = parseUri(text)
  if (uri !== null && uri.host !== '') return sockets.isMyself(uri.host, uri.port)
  const bare = parseUri(`sip:${text.replace(/^(?:udp|tcp|tls):/i, '')}`)
  if (bare === null || bare.host === '') return false
  if (bare.port !== 0) return sockets.isMyself(bare.host, bare.port)
  return sockets.sockets.some((socket) => sockets.isMyself(bare.host, socket.port))
}
