import { limits } from '../limits.ts'
import { skipLws, trimLws } from '../sip/bytes.ts'
import type { EditList } from '../sip/edit.ts'
import { HeaderId } from '../sip/header-id.ts'
import { endOfValue, readUriOf, splitValues } from '../sip/headers/name-addr.ts'
import type { SipMessage } from '../sip/message.ts'
import { parseUri, type Uri, uriParam, writeUri } from '../sip/uri.ts'
import type { ListenSocket, SocketTable, TransportName } from '../transport/socket.ts'

/**
 * Route information preprocessing: RFC 3261 §16.4 and §16.6 step 6, with Kamailio's answers (measured on 5.6.3 for
 * every row of test/proxy/route.test.ts). A plan first, then its edits: the request itself never changes.
 *
 *   R-URI is what we record-routed, To-tag   the previous hop routes strictly: R-URI := last Route, that one goes
 *   top Route is us                          it goes, and its r2 twin with it
 *   none left                                done; without a To-tag (preloaded, only us) the answer is -3
 *   next has lr                              the next hop is it; it stays
 *   next has no lr                           a strict router: R-URI := it, the old R-URI becomes the last Route
 */
export interface RoutePlan {
  /** loose_route()'s: 1 routed by Route, -1 no Route or none that can be read, -3 preloaded with nobody but us. */
  readonly code: number
  /** The new Request-URI; null if it stays. */
  readonly requestUri: string | null
  /** `$du`; null for none. */
  readonly destinationUri: string | null
  /** The URI of the first Route, whosever it is: `$route_uri`. */
  readonly routeUri: string
  /** Its parameters with the leading semicolon: what check_route_param() and is_direction() look at. */
  readonly routeParams: string
  /** Where the other side of us was record-routed (double Record-Route): the socket to leave from. */
  readonly socket: ListenSocket | null
  /** How many values go from the top, and whether the last one goes. */
  readonly consumed: number
  readonly dropsLast: boolean
  /** A value that goes below all others; '' for none. */
  readonly appended: string
  /** All values as the plan found them, top first. */
  readonly routes: readonly RouteValue[]
}

export function planRoute(request: SipMessage, currentUri: string, sockets: SocketTable): RoutePlan {
  const routes = routesOf(request)
  const first = routes?.[0]
  if (!routes || first === undefined) return notRouted
  const isPreloaded = request.toTag === ''
  const uri = parseUri(currentUri)
  const plan = new Planning(routes, sockets)
  if (!isPreloaded && uri !== null && isRecordRouteOfOurs(uri, sockets)) plan.fixStrict()
  plan.consumeOurs()
  return plan.finish(currentUri, isPreloaded, first)
}

/** Writes the plan's changes of Route into the edits. */
export function applyRoutePlan(plan: RoutePlan, request: SipMessage, edits: EditList): void {
  const { routes } = plan
  const kept = routes.length - (plan.dropsLast ? 1 : 0)
  for (let header = request.first(HeaderId.route); header >= 0; header = request.next(header)) {
    // In most requests within a dialog we are the last of the routes.
    if (plan.consumed >= kept) {
      edits.removeHeader(request, header)
      continue
    }
    const values = routes.map((route, i) => ({ route, i })).filter(({ route }) => route.header === header)
    const stay = values.filter(({ i }) => i >= plan.consumed && i < kept)
    if (stay.length === values.length) continue
    if (stay.length === 0) {
      edits.removeHeader(request, header)
      continue
    }
    const from = values.findIndex(({ i }) => i >= plan.consumed)
    const rest = valuesFrom(request.headerValue(header), from, stay.length)
    edits.replace(request.headerValueStart(header), request.headerValueEnd(header), rest)
  }
  if (plan.appended !== '') edits.appendHeader(`Route: ${plan.appended}\r\n`)
}

/** Some values of a list, with what stands between them as it was written. */
function valuesFrom(list: string, from: number, count: number): string {
  let start = list.length
  let end = list.length
  let seen = 0
  for (let position = 0; seen < from + count && position <= list.length; position = end + 1) {
    end = endOfValue(list, position, list.length)
    const first = skipLws(list, position, end)
    if (first < end && seen++ === from) start = first
  }
  return list.slice(start, trimLws(list, start, end))
}

export interface RouteValue {
  readonly header: number
  readonly uri: Uri
}

/** All values of all Route headers, top first; null if one cannot be read or there are too many. Hot. */
function routesOf(request: SipMessage): RouteValue[] | null {
  // Most have one, of which nothing but its URI is made: an array for exactly that, where one that grows has room for 17.
  const header = request.first(HeaderId.route)
  const only = header < 0 || request.next(header) >= 0 ? '' : request.headerValue(header)
  if (only !== '' && !only.includes(',')) {
    const uri = readUriOf(only, 0, only.length)
    return uri === null ? null : [{ header, uri }]
  }
  return allRoutesOf(request)
}

function allRoutesOf(request: SipMessage): RouteValue[] | null {
  const routes: RouteValue[] = []
  for (let header = request.first(HeaderId.route); header >= 0; header = request.next(header)) {
    for (const text of splitValues(request.headerValue(header))) {
      // Not parseUri(), which would forget the Request-URI: that is asked for again.
      const uri = routes.length < limits.routesMax ? readUriOf(text, 0, text.length) : null
      if (uri === null) return null
      routes.push({ header, uri })
    }
  }
  return routes
}

/** The steps of §16.4 over one route set. */
class Planning {
  readonly #routes: readonly RouteValue[]
  readonly #sockets: SocketTable
  #consumed = 0
  #dropsLast = false
  #requestUri: string | null = null
  #socket: ListenSocket | null = null

  constructor(routes: readonly RouteValue[], sockets: SocketTable) {
    this.#routes = routes
    this.#sockets = sockets
  }

  /** Methods and no accessors: a private accessor is a call into V8 each time. */
  #left(): number {
    return this.#routes.length - this.#consumed - (this.#dropsLast ? 1 : 0)
  }

  #top(): RouteValue | undefined {
    return this.#left() > 0 ? this.#routes[this.#consumed] : undefined
  }

  /** The previous hop put the next one into the Request-URI, which is us; the real one is the last Route. */
  fixStrict(): void {
    const top = this.#top()
    if (top === undefined) return
    if (!isLoose(top.uri)) {
      this.#requestUri = writeUri(top.uri)
      this.#consumed++
      return
    }
    const last = this.#routes.at(-1)
    if (last === undefined) return
    this.#requestUri = writeUri(last.uri)
    this.#dropsLast = true
  }

  /** §16.4: our own value goes; with double Record-Route both of them. */
  consumeOurs(): void {
    const own = this.#top()
    if (own === undefined || !isOurs(own.uri, this.#sockets)) return
    this.#consumed++
    const twin = this.#top()
    if (twin === undefined || uriParam(own.uri, 'r2') === null || uriParam(twin.uri, 'r2') === null) return
    if (!isOurs(twin.uri, this.#sockets)) return
    this.#consumed++
    this.#socket = socketOf(twin.uri, this.#sockets)
  }

  finish(currentUri: string, isPreloaded: boolean, first: RouteValue): RoutePlan {
    const next = this.#top()
    const isStrictFixed = this.#requestUri !== null
    const isOnlyUs = next === undefined && this.#consumed > 0
    let appended = ''
    let destinationUri: string | null = null
    if (next !== undefined && isLoose(next.uri)) {
      destinationUri = writeUri(next.uri)
    } else if (next !== undefined && !isStrictFixed) {
      // §16.6 step 6: the next hop is a strict router.
      this.#requestUri = writeUri(next.uri)
      this.#consumed++
      appended = `<${currentUri}>`
    }
    return {
      code: isOnlyUs && isPreloaded ? -3 : 1,
      requestUri: this.#requestUri,
      destinationUri,
      routeUri: writeUri(first.uri),
      routeParams: first.uri.params === '' ? '' : `;${first.uri.params}`,
      socket: this.#socket,
      consumed: this.#consumed,
      dropsLast: this.#dropsLast,
      appended,
      routes: this.#routes,
    }
  }
}

const notRouted: RoutePlan = {
  code: -1,
  requestUri: null,
  destinationUri: null,
  routeUri: '',
  routeParams: '',
  socket: null,
  consumed: 0,
  dropsLast: false,
  appended: '',
  routes: [],
}

function isLoose(uri: Uri): boolean {
  return uriParam(uri, 'lr') !== null
}

function isOurs(uri: Uri, sockets: SocketTable): boolean {
  return sockets.isMyself(uri.host, uri.port, transportOf(uri))
}

/**
 * RFC 3261 §16.4: "a value this proxy placed into a Record-Route": our address with lr, or without a user. Kamailio
 * takes any Request-URI that is `myself` for one, and so sends what is meant for a user of ours to itself.
 */
function isRecordRouteOfOurs(uri: Uri, sockets: SocketTable): boolean {
  return (uri.user === null || isLoose(uri)) && isOurs(uri, sockets)
}

function socketOf(uri: Uri, sockets: SocketTable): ListenSocket | null {
  const host = uri.hostIsIpv6 ? `[${uri.host}]` : uri.host
  return sockets.find(`${transportOf(uri) ?? 'udp'}:${host}:${uri.port || 5060}`)
}

function transportOf(uri: Uri): TransportName | undefined {
  const name = uri.params === '' ? null : uriParam(uri, 'transport')?.toLowerCase()
  if (name === 'udp' || name === 'tcp' || name === 'tls' || name === 'ws' || name === 'wss') return name
  return undefined
}
