import {
  applyRoutePlan,
  asciiLower,
  definePlugin,
  limits,
  markedAddress,
  type PluginHost,
  paramOf,
  parseUri,
  planRoute,
  type RouteContext,
  type RoutePlan,
  recordRouteAddress,
} from '../../src/plugin/index.ts'
import { createRouteSigner, type RouteSigner } from './signature.ts'

/**
 * Record-Route and loose routing (RFC 3261 §16.4, §16.6 step 4) as Kamailio's rr, measured on 5.6.3. A Record-Route is
 * one value as long as a request leaves where it came in; otherwise two, with `r2=on`, one per side.
 */
const anywhere = ['request', 'failure', 'branch', 'event'] as const
const added = { 1: 'added', '-1': 'not added: there is one already' } as const

export default definePlugin({
  name: 'rr',
  summary: 'Record-Route and loose routing (RFC 3261 §16.4).',
  params: {
    enable_full_lr: {
      type: 'int',
      default: 0,
      doc: 'Write `;lr=on` instead of `;lr`, for peers that want a value.',
    },
    append_fromtag: {
      type: 'int',
      default: 1,
      doc: 'Write the From tag as `ftag`: is_direction() needs it.',
    },
    enable_double_rr: {
      type: 'int',
      default: 1,
      doc: 'Two values where a request leaves from another socket than it came in at.',
    },
    add_username: { type: 'int', default: 0, doc: 'Write the user of the Request-URI into the value.' },
    force_send_socket: {
      type: 'int',
      default: 1,
      doc: 'A request with a double value leaves from the socket of the second one.',
    },
    custom_user_avp: {
      type: 'variable',
      doc: 'Variable whose value is the user part, instead of add_username.',
    },
    sign: {
      type: 'int',
      default: 0,
      doc:
        '1: our values are signed, and loose_route() follows none that is not: nobody is relayed through a dialog that ' +
        'he made up.',
    },
    secret: {
      type: 'string',
      default: '',
      doc: 'What signs, for several routers that stand for one another. Without it one is made and kept.',
    },
    ignore_sips: {
      type: 'int',
      default: 0,
      ignored: 'the scheme of our values is sip',
      doc: 'sips in Record-Route.',
    },
  },
  functions: {
    record_route: {
      in: anywhere,
      args: [
        {
          name: 'params',
          type: 'string',
          optional: true,
          doc: 'URI parameters with their semicolon: ";nat=yes".',
        },
      ],
      returns: added,
      doc: 'Adds our Record-Route on top.',
    },
    record_route_preset: {
      in: anywhere,
      args: [
        { name: 'address', type: 'string', doc: '`host:port;params` to write.' },
        { name: 'second', type: 'string', optional: true, doc: 'A second value, below the first.' },
      ],
      returns: added,
      doc: 'Adds a Record-Route with an address of your own.',
    },
    record_route_advertised_address: {
      in: anywhere,
      args: [{ name: 'address', type: 'string', doc: '`host:port` to write.' }],
      returns: added,
      doc: 'Adds a Record-Route with this address and the transport of the request.',
    },
    add_rr_param: {
      in: ['request', 'failure', 'branch', 'reply', 'core-reply', 'event'],
      args: [{ name: 'param', type: 'string', doc: 'With its semicolon: ";nat=yes".' }],
      returns: { 1: 'added', '-1': 'empty' },
      doc: 'Adds a parameter to our Record-Route, the one that is there or the one to come.',
    },
    remove_record_route: {
      in: anywhere,
      returns: { 1: 'none is left' },
      doc: 'Takes back what record_route() added.',
    },
    loose_route: {
      in: ['request'],
      returns: {
        1: 'routed by Route: `$du`, or the Request-URI of a strict router, say where to',
        '-1': 'no Route, one that cannot be read, or one that is not ours where they are signed',
        '-3': 'a preloaded Route (no To-tag) that names nobody but us',
      },
      doc: 'Processes the Route headers (RFC 3261 §16.4).',
    },
    check_route_param: {
      in: ['request', 'failure', 'branch', 'reply', 'core-reply', 'event'],
      args: [{ name: 'pattern', type: 'regex', doc: 'Matched against the parameters, case ignored.' }],
      returns: { 1: 'matches', '-1': 'does not match, or loose_route() was not called' },
      doc: 'Looks at the parameters of our own Route that loose_route() consumed.',
    },
    is_direction: {
      in: ['request', 'failure', 'branch', 'reply', 'core-reply', 'event'],
      args: [{ name: 'direction', type: 'string', doc: 'downstream (as the first request) or upstream.' }],
      returns: { 1: 'it goes there', '-1': 'it does not' },
      doc: 'Compares the From tag with the ftag of our Route.',
    },
  },
  variables: {
    route_uri: { type: 'string', doc: 'URI of the first Route that loose_route() saw; "" before.' },
    rdir: {
      type: 'value',
      inner: 'name',
      innerOptional: true,
      doc: 'Direction within the dialog: rdir(id) is 1 downstream, 2 upstream; rdir(name) the word.',
    },
  },
  async setup(host, params) {
    const signer = params.sign === 0 ? null : await createRouteSigner(host, params.secret)
    const writer = new RecordRouteWriter(host, {
      signer,
      lr: params.enable_full_lr === 0 ? ';lr' : ';lr=on',
      hasFromTag: params.append_fromtag !== 0,
      isDouble: params.enable_double_rr !== 0,
      user(context) {
        const custom = params.custom_user_avp?.read(context) ?? null
        if (custom !== null && custom !== '') return String(custom)
        return params.add_username === 0 ? '' : (context.requestUri?.user ?? '')
      },
    })
    const listeners: RoutedListener[] = []
    const routeParams = (context: RouteContext) => noteOf(context)?.plan?.routeParams ?? null
    return {
      functions: {
        record_route: (context, text) => writer.record(context, text ?? ''),
        record_route_preset: (context, address, second) => writer.preset(context, address, second ?? ''),
        record_route_advertised_address: (context, address) => writer.preset(context, address, ''),
        add_rr_param: addParam,
        remove_record_route(context) {
          context.edits.rewritePrepended((lines) => lines.replace(ownLines, ''))
          return 1
        },
        loose_route(context) {
          const plan = planRoute(context.message, context.target.uri, host.sockets)
          if (plan.code === -1) {
            context.explain('loose_route', 'there is no Route that could be followed')
            return -1
          }
          if (signer !== null && !isOfOurs(signer, context, plan)) {
            context.explain(
              'loose_route',
              'the Route is not one that we wrote: its signature is missing or wrong',
            )
            return -1
          }
          follow(context, plan, params.force_send_socket !== 0)
          for (const listener of listeners) listener(context, plan.routeParams)
          return plan.code
        },
        check_route_param(context, pattern) {
          const text = routeParams(context)
          if (text === null) return -1
          return pattern.test(text) || pattern.test(asciiLower(text)) ? 1 : -1
        },
        is_direction: (context, wanted) => (directionOf(context) === asciiLower(wanted) ? 1 : -1),
      },
      variables: {
        route_uri: { read: (context) => noteOf(context)?.plan?.routeUri ?? '' },
        rdir: {
          read(context, inner) {
            const direction = directionOf(context)
            if (inner === 'name') return direction
            return direction === 'upstream' ? 2 : 1
          },
        },
      },
      exports: {
        /** Adds a parameter to our Record-Route, as add_rr_param(). */
        addParam,
        /** Parameters of our own Route with the leading semicolon; null before loose_route(). */
        routeParams,
        /** Hears of every request that loose_route() routed, with those parameters. */
        onRouted: (listener: RoutedListener) => void listeners.push(listener),
      },
    }
  },
})

export type RoutedListener = (context: RouteContext, routeParams: string) => void

/** What rr keeps about a message. */
interface RrNote {
  /** The plan that loose_route() followed. */
  plan: RoutePlan | null
  /** Parameters for a record_route() to come. */
  params: string
}

function noteOf(context: RouteContext): RrNote | undefined {
  return context.scope.notes.get('rr') as RrNote | undefined
}

function makeNote(context: RouteContext): RrNote {
  const existing = noteOf(context)
  if (existing) return existing
  const note: RrNote = { plan: null, params: '' }
  context.scope.notes.set('rr', note)
  return note
}

/** Our lines among those that are prepended: they all end in this comment-free form and nothing else writes there. */
const ownLines = /^Record-Route:[^\n]*\n/gm

interface RecordRouteOptions {
  readonly lr: string
  readonly hasFromTag: boolean
  readonly isDouble: boolean
  /** Null if values are not signed. */
  readonly signer: RouteSigner | null
  user(context: RouteContext): string
}

class RecordRouteWriter {
  readonly #host: PluginHost
  /** By index of the socket. */
  readonly #addresses: string[] = []
  readonly #options: RecordRouteOptions

  constructor(host: PluginHost, options: RecordRouteOptions) {
    this.#host = host
    this.#options = options
  }

  record(context: RouteContext, params: string): number {
    if (hasOwn(context)) return refuse(context, 'record_route')
    const { lr, isDouble } = this.#options
    const { socket } = context.flow
    this.#addresses[socket.index] ??=
      isDouble && this.#host.sockets.sockets.length > 1 ? markedAddress(socket) : recordRouteAddress(socket)
    const address = this.#addresses[socket.index]
    const rest = `${lr}${this.#fromTag(context)}${this.#signature(context)}${params}${takePending(context)}`
    context.edits.prependHeader(`Record-Route: <sip:${this.#userPart(context)}${address}${rest}>\r\n`)
    return 1
  }

  preset(context: RouteContext, address: string, second: string): number {
    if (hasOwn(context)) return refuse(context, 'record_route_preset')
    const { lr } = this.#options
    const rest = `${this.#fromTag(context)}${lr}${this.#signature(context)}${takePending(context)}`
    let lines = ''
    for (const one of [address, second]) {
      if (one !== '') lines += `Record-Route: <sip:${this.#userPart(context)}${one}${rest}>\r\n`
    }
    context.edits.prependHeader(lines)
    return 1
  }

  #userPart(context: RouteContext): string {
    const user = this.#options.user(context)
    return user === '' ? '' : `${user}@`
  }

  #signature(context: RouteContext): string {
    return this.#options.signer?.paramFor(context.message.callId) ?? ''
  }

  #fromTag(context: RouteContext): string {
    const { fromTag } = context.message
    return this.#options.hasFromTag && fromTag !== '' ? `;ftag=${fromTag}` : ''
  }
}

/** Ours stands on top, or in the Request-URI where the previous hop routes strictly. */
function isOfOurs(signer: RouteSigner, { message, target }: RouteContext, plan: RoutePlan): boolean {
  if (signer.isSigned(plan.routeParams, message.callId)) return true
  return plan.requestUri !== null && signer.isSigned(parseUri(target.uri)?.params ?? '', message.callId)
}

function hasOwn(context: RouteContext): boolean {
  return !context.edits.isEmpty && context.edits.plan().above.includes('Record-Route:')
}

function refuse(context: RouteContext, what: string): number {
  context.explain(what, 'this message has our Record-Route already')
  return -1
}

function takePending(context: RouteContext): string {
  const note = noteOf(context)
  if (!note || note.params === '') return ''
  const { params } = note
  note.params = ''
  return params
}

function addParam(context: RouteContext, param: string): number {
  if (param === '' || param.length > limits.uriBytesMax) return -1
  if (!hasOwn(context)) {
    makeNote(context).params += param
    return 1
  }
  context.edits.rewritePrepended((lines) =>
    lines.replace(/^(Record-Route:[^\n]*)>\r\n/gm, (_, line) => `${line}${param}>\r\n`),
  )
  return 1
}

function follow(context: RouteContext, plan: RoutePlan, forceSocket: boolean): void {
  const { target } = context
  applyRoutePlan(plan, context.message, context.edits)
  makeNote(context).plan = plan
  if (plan.requestUri !== null) {
    target.uri = plan.requestUri
    context.requestUriChanged = true
  }
  target.destinationUri = plan.destinationUri
  target.flow = null
  if (forceSocket && plan.socket !== null) target.socket = plan.socket
}

/** Without an ftag everything goes downstream (measured on Kamailio 5.6.3). */
function directionOf(context: RouteContext): 'downstream' | 'upstream' {
  const params = noteOf(context)?.plan?.routeParams ?? ''
  const ftag = params === '' ? null : paramOf(params.slice(1), 'ftag')
  return ftag === null || ftag === context.message.fromTag ? 'downstream' : 'upstream'
}
