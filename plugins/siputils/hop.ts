import {
  HeaderId,
  parseDecimal,
  parseNameAddr,
  parseUri,
  type RouteContext,
  type SocketTable,
  splitValues,
} from '../../src/plugin/index.ts'

/**
 * Whether nobody stands between us and the sender, as well as headers can tell. A request: it has one Via. A
 * response: we put in the topmost Record-Route, or there is none, and it did not come from ourselves.
 */
export function isFirstHop(context: RouteContext, sockets: SocketTable, believeNames: boolean): boolean {
  const { message } = context
  if (message.isRequest) return message.vias().length === 1
  const index = message.first(HeaderId.recordRoute)
  if (index === -1) return true
  const [topmost = ''] = splitValues(message.headerValue(index))
  const uri = parseUri(parseNameAddr(topmost)?.uri ?? '')
  if (uri === null || !sockets.isMyself(uri.host, uri.port)) return false
  return believeNames || (isAddress(uri.host) && !isOurs(context, sockets))
}

function isOurs({ flow }: RouteContext, sockets: SocketTable): boolean {
  return sockets.sockets.some(({ address, port }) => address === flow.address && port === flow.port)
}

function isAddress(host: string): boolean {
  if (host.includes(':')) return true
  const parts = host.split('.')
  return parts.length === 4 && parts.every((part) => parseDecimal(part, 255) !== -1)
}

/**
 * `hdr_date_check`: 1 if the Date header (RFC 3261 §20.17) is not older than so many seconds, -1 if there is none that
 * can be read, -4 if it is older.
 */
export function checkDate(context: RouteContext, seconds: number, wallMilliseconds: number): number {
  const value = context.message.value(HeaderId.date)
  const date = isSipDate(value) ? Date.parse(value) : Number.NaN
  if (Number.isNaN(date)) return -1
  return date < wallMilliseconds - seconds * 1000 ? -4 : 1
}

/** `Sat, 13 Nov 2010 23:29:00 GMT`: no other form, and GMT only. */
function isSipDate(value: string): boolean {
  return /^[A-Z][a-z]{2}, \d{1,2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/.test(value)
}
