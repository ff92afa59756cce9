import type { ArgumentDeclaration, FunctionDeclaration, RouteKind } from '../../grammar/declarations.ts'
import { anyRoute } from '../../grammar/declarations.ts'
import { uriParam, withParam, withUser } from '../sip/uri.ts'
import {
  changeRequestUri,
  setHost,
  setHostPort,
  setPort,
  setRequestUri,
  setSocket,
  setUser,
} from './request-uri.ts'
import type { ScriptRun } from './route-context.ts'
import { logAt } from './script-log.ts'

/** A function of the core: its declaration and what it does, side by side. */
export interface CoreFunction extends FunctionDeclaration {
  call(run: ScriptRun, ...args: never[]): number
}

const always = { '1': 'done' } as const
const orFailed = { '1': 'done', '-1': 'the Request-URI cannot be read, or would become too long' } as const
const isOrNot = { '1': 'yes', '-1': 'no' } as const

const requests: readonly RouteKind[] = ['request', 'failure', 'branch', 'onsend', 'event']

const flag: ArgumentDeclaration = { name: 'flag', type: 'flag', doc: 'Number 0 to 31 or a declared name.' }

function literal(name: string, doc: string): ArgumentDeclaration {
  return { name, type: 'literal', doc }
}

/** Changes a part of the Request-URI; constants only, as in Kamailio: `$rU = ...` takes expressions. */
function uriEdit(
  doc: string,
  args: readonly ArgumentDeclaration[],
  call: (run: ScriptRun, value: string) => boolean,
  aliases: readonly string[] = [],
): CoreFunction {
  return {
    in: requests,
    args,
    returns: orFailed,
    aliases,
    doc,
    call: (run, ...[value]) => (call(run, value === undefined ? '' : String(value)) ? 1 : -1),
  }
}

const flagFunctions: Readonly<Record<string, CoreFunction>> = {
  setflag: {
    in: anyRoute,
    args: [flag],
    returns: always,
    doc: 'Sets a message flag; it lives as long as the transaction.',
    call(run, number: number) {
      run.scope.flags |= 1 << number
      return 1
    },
  },
  resetflag: {
    in: anyRoute,
    args: [flag],
    returns: always,
    doc: 'Clears a message flag.',
    call(run, number: number) {
      run.scope.flags &= ~(1 << number)
      return 1
    },
  },
  isflagset: {
    in: anyRoute,
    args: [flag],
    returns: isOrNot,
    doc: 'Is the message flag set?',
    call: (run, number: number) => ((run.scope.flags & (1 << number)) === 0 ? -1 : 1),
  },
}

const uriFunctions: Readonly<Record<string, CoreFunction>> = {
  seturi: uriEdit(
    'Replaces the Request-URI.',
    [literal('uri', 'The whole URI.')],
    (run, uri) => setRequestUri(run, uri),
    ['rewriteuri'],
  ),
  sethost: uriEdit(
    'Replaces the host of the Request-URI; user, port and parameters stay.',
    [literal('host', 'Host name or address.')],
    (run, host) => setHost(run, host),
    ['rewritehost', 'seth'],
  ),
  sethostport: uriEdit(
    'Replaces host and port of the Request-URI.',
    [literal('host:port', 'Host, and a port if there is to be one.')],
    (run, hostPort) => setHostPort(run, hostPort),
    ['rewritehostport', 'sethp'],
  ),
  sethostporttrans: uriEdit(
    'Replaces host, port and transport of the Request-URI.',
    [literal('host:port;transport', 'host:port;transport=tcp')],
    (run, hostPort) => setHostPort(run, hostPort),
    ['rewritehostporttrans', 'sethpt'],
  ),
  setport: uriEdit(
    'Replaces the port of the Request-URI.',
    [literal('port', 'Port number.')],
    (run, port) => /^\d{1,5}$/.test(port) && setPort(run, Number(port)),
    ['rewriteport', 'setp'],
  ),
  setuser: uriEdit(
    'Replaces the user of the Request-URI; the password stays.',
    [literal('user', 'User part.')],
    (run, user) => setUser(run, user),
    ['rewriteuser', 'setu'],
  ),
  setuserpass: uriEdit(
    'Replaces user and password of the Request-URI.',
    [literal('user:password', 'Both, with a colon between.')],
    (run, userPassword) =>
      changeRequestUri(run, (uri) => {
        const without = withUser(uri, null)
        return without === null ? null : withUser(without, userPassword)
      }),
    ['rewriteuserpass', 'setup'],
  ),
  prefix: uriEdit(
    'Puts a text before the user of the Request-URI.',
    [literal('prefix', 'Such as "+".')],
    (run, prefix) => changeUser(run, (user) => prefix + user),
  ),
  strip: uriEdit(
    'Removes characters from the start of the user of the Request-URI; the whole user if it is shorter.',
    [{ name: 'count', type: 'int', doc: 'How many.' }],
    (run, count) => changeUser(run, (user) => user.slice(Number(count))),
  ),
  strip_tail: uriEdit(
    'Removes characters from the end of the user of the Request-URI; the whole user if it is shorter.',
    [{ name: 'count', type: 'int', doc: 'How many.' }],
    (run, count) => changeUser(run, (user) => user.slice(0, Math.max(0, user.length - Number(count)))),
  ),
  userphone: uriEdit('Adds user=phone to the Request-URI.', [], (run) => {
    const uri = run.requestUri
    if (uri === null) return false
    return uriParam(uri, 'user') !== null || changeRequestUri(run, (text) => withParam(text, 'user=phone'))
  }),
  revert_uri: uriEdit('Goes back to the Request-URI as it was received.', [], (run) => {
    setRequestUri(run, run.message.requestUri)
    run.requestUriChanged = false
    return true
  }),
}

function changeUser(run: ScriptRun, change: (user: string) => string): boolean {
  const user = run.requestUri?.user
  return user !== undefined && setUser(run, change(user ?? ''))
}

const routingFunctions: Readonly<Record<string, CoreFunction>> = {
  forward: forwarding(
    'Relays the request statelessly, to the given host or where $du or the Request-URI says.',
  ),
  forward_udp: forwarding('As forward(), over UDP.'),
  send: forwarding('Sends the request as forward() does, without looking at the Request-URI.'),
  force_rport: {
    in: ['request', 'failure', 'branch', 'event'],
    returns: always,
    aliases: ['add_rport'],
    doc: 'Answers go to the port that the request came from, as if it had asked for rport (RFC 3581).',
    call(run) {
      run.forceRport = true
      if (run.transaction) run.transaction.forceRport = true
      return 1
    },
  },
  add_local_rport: accepted('Asks the next hop for rport in our own Via.'),
  force_tcp_alias: accepted('The TCP connection may be used for requests to the Via’s address.', [
    'add_tcp_alias',
  ]),
  set_reply_no_connect: accepted('Replies never open a TCP connection.'),
  set_forward_no_connect: accepted('Relaying never opens a TCP connection.'),
  set_reply_close: accepted('The TCP connection is closed after the reply.'),
  set_forward_close: accepted('The TCP connection is closed after relaying.'),
  force_send_socket: {
    in: anyRoute,
    args: [
      { name: 'socket', type: 'name', doc: 'transport:address:port, or the name of a listen statement.' },
    ],
    returns: { '1': 'done', '-1': 'there is no such socket' },
    doc: 'Sends the request from this socket.',
    call(run, label: string) {
      const socket = run.surroundings.services.sockets.find(label)
      if (socket === null) {
        run.surroundings.services.log.warn(
          { ...run.logFields(), socket: label },
          'there is no socket of that name',
        )
        return -1
      }
      setSocket(run.target, socket)
      return 1
    },
  },
  set_advertised_address: {
    in: anyRoute,
    args: [{ name: 'address', type: 'name', doc: 'Host name or address.' }],
    returns: always,
    doc: 'What our Via and Record-Route say instead of the address of the socket.',
    call: (run, advertisedAddress: string) => advertise(run, { advertisedAddress }),
  },
  set_advertised_port: {
    in: anyRoute,
    args: [{ name: 'port', type: 'int', doc: 'Port number.' }],
    returns: always,
    doc: 'What our Via and Record-Route say instead of the port of the socket.',
    call: (run, advertisedPort: number) => advertise(run, { advertisedPort }),
  },
}

/** The socket itself is everybody's: this request gets a copy that says something else. */
function advertise(
  run: ScriptRun,
  change: { advertisedAddress: string } | { advertisedPort: number },
): number {
  setSocket(run.target, { ...(run.target.socket ?? run.flow.socket), ...change })
  return 1
}

/** For TCP alone, or of no consequence here: so that scripts run as they are. */
function accepted(doc: string, aliases: readonly string[] = []): CoreFunction {
  return { in: anyRoute, returns: always, aliases, doc, call: () => 1 }
}

function forwarding(doc: string): CoreFunction {
  return {
    in: ['request', 'failure', 'branch'],
    args: [
      {
        name: 'host',
        type: 'name',
        optional: true,
        doc: 'Address or host name; uri:host for the Request-URI’s.',
      },
      { name: 'port', type: 'name', optional: true, doc: 'Port number; uri:port for the Request-URI’s.' },
    ],
    returns: {
      '1': 'sent',
      '-1': 'nothing to send to',
      '-477': 'could not be sent',
      '-478': 'the host name has no address',
    },
    doc,
    call: forward,
  }
}

/** RFC 3261 §16.11. */
function forward(run: ScriptRun, host?: string, port?: string): number {
  const { target, message } = run
  if (!message.isRequest) return -1
  const named =
    host === undefined ? target : { ...target, flow: null, destinationUri: nextHop(run, host, port) }
  const { stateless } = run.surroundings.services.proxy
  return stateless.forwardRequest(message, run.flow, named, run.edits, { forceRport: run.forceRport })
}

function nextHop(run: ScriptRun, host: string, port: string | undefined): string {
  const uri = run.requestUri
  const address = host === 'uri:host' ? (uri?.host ?? '') : host
  const wanted = port === undefined || port === 'uri:port' ? (uri?.port ?? 0) : Number(port)
  const text = address.includes(':') && !address.startsWith('[') ? `[${address}]` : address
  return wanted === 0 ? `sip:${text}` : `sip:${text}:${wanted}`
}

export const coreFunctions: Readonly<Record<string, CoreFunction>> = {
  ...flagFunctions,
  ...uriFunctions,
  ...routingFunctions,
  log: {
    in: anyRoute,
    args: [
      {
        name: 'level or text',
        type: 'string',
        doc: 'Level (L_INFO or a number) if a text follows, else the text.',
      },
      { name: 'text', type: 'string', optional: true, doc: 'What to log.' },
    ],
    returns: always,
    doc: 'Writes a line to the log.',
    call(run, first: string, second?: string) {
      if (second === undefined) logAt(run, 'L_ERR', first)
      else logAt(run, first, second)
      return 1
    },
  },
}
