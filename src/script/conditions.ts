import ipaddr from 'ipaddr.js'
import { LRUCache } from 'lru-cache'
import type { Value } from '../../grammar/declarations.ts'
import type { Pattern } from '../../grammar/program.ts'
import { limits } from '../limits.ts'
import { parseUri, type Uri } from '../sip/uri.ts'
import { matchesNothing } from '../text/pattern.ts'
import type { ListenSocket, SocketTable } from '../transport/socket.ts'
import type { ScriptRun } from './route-context.ts'
import { familyNumber } from './variables/sockets.ts'
import { toInt, toText } from './variables/variable.ts'

/**
 * The bare conditions of the language: `uri == myself`, `src_ip == 10.0.0.0/8`, `method == INVITE`, `af == INET6`,
 * `msg:len > 1000`. The socket conditions `snd_*` and `to_*` mean something in onsend_route only.
 */
export function holds(run: ScriptRun, subject: string, operator: string, operand: Value): boolean {
  switch (subject) {
    case 'uri':
    case 'status':
      return run.message.isRequest
        ? requestUriHolds(run, operator, operand)
        : textHolds(run, String(run.message.statusCode), operator, operand)
    case 'from_uri':
      return uriHolds(run, run.message.from?.uri ?? null, operator, operand)
    case 'to_uri':
      return uriHolds(run, run.message.to?.uri ?? null, operator, operand)
    case 'method':
      return textHolds(run, run.message.method, operator, operand)
    case 'src_ip':
      return addressHolds(run, run.flow.address, operator, operand)
    case 'dst_ip':
      return addressHolds(run, run.flow.socket.address, operator, operand)
    case 'snd_ip':
      return addressHolds(run, run.sending?.socket.address ?? null, operator, operand)
    case 'to_ip':
      return addressHolds(run, run.sending?.address ?? null, operator, operand)
    case 'proto':
      return protocolHolds(run.flow.socket, operator, operand)
    case 'snd_proto':
    case 'to_proto':
      return protocolHolds(run.sending?.socket ?? null, operator, operand)
    default:
      return numberHolds(numberOf(run, subject), operator, operand)
  }
}

function numberOf(run: ScriptRun, subject: string): number | null {
  switch (subject) {
    case 'src_port':
      return run.flow.port
    case 'dst_port':
      return run.flow.socket.port
    case 'snd_port':
      return run.sending?.socket.port ?? null
    case 'to_port':
      return run.sending?.port ?? null
    case 'af':
    case 'snd_af':
      return familyNumber(run.flow.socket.family)
    case 'msg:len':
      return run.sending === null ? run.message.text.length : run.sending.text.length
    default:
      return null
  }
}

function requestUriHolds(run: ScriptRun, operator: string, operand: Value): boolean {
  if (operand !== 'myself') return textHolds(run, run.target.uri, operator, operand)
  return isOwnUri(run.surroundings.services.sockets, run.requestUri) === (operator !== '!=')
}

function uriHolds(run: ScriptRun, uri: string | null, operator: string, operand: Value): boolean {
  if (operand !== 'myself') return uri !== null && textHolds(run, uri, operator, operand)
  const parsed = uri === null ? null : parseUri(uri)
  return isOwnUri(run.surroundings.services.sockets, parsed) === (operator !== '!=')
}

/** `uri == myself`: host and port (the default one if absent) are ours. */
function isOwnUri(sockets: SocketTable, uri: Uri | null): boolean {
  return uri !== null && uri.host !== '' && sockets.isMyself(uri.host, uri.port)
}

function textHolds(run: ScriptRun, text: string, operator: string, operand: Value): boolean {
  const wanted = toText(operand)
  if (operator === '=~') return patternOf(run, wanted, true).test(text)
  return operator === '!=' ? text !== wanted : text === wanted
}

function addressHolds(run: ScriptRun, address: string | null, operator: string, operand: Value): boolean {
  if (address === null) return false
  if (operator === '=~') return textHolds(run, address, operator, operand)
  const isIt =
    operand === 'myself'
      ? isOwnAddress(run.surroundings.services.sockets, address)
      : isInNetwork(address, toText(operand))
  return operator === '!=' ? !isIt : isIt
}

/** Any port will do, unlike for a URI (measured on Kamailio 5.6.3). */
function isOwnAddress(sockets: SocketTable, address: string): boolean {
  for (const socket of sockets.sockets) {
    if (socket.address === address || socket.advertisedAddress === address) return true
  }
  return sockets.isMyself(address, 0)
}

type Network =
  | { readonly kind: 'ipv4'; readonly base: number; readonly mask: number }
  | { readonly kind: 'ipv6'; readonly base: ipaddr.IPv6; readonly bits: number }
  | { readonly kind: 'none' }

/** By text. Scripts name few networks; those that come from variables push each other out. */
const networks = new LRUCache<string, Network>({ max: limits.dynamicPatternsMax })

/**
 * `network` is an address, address/bits or address/mask. An IPv4 address and the IPv6 address that maps it are the
 * same one, or `::ffff:127.0.0.1` would pass a list that names 127.0.0.1.
 */
export function isInNetwork(address: string, network: string): boolean {
  if (address === network) return true
  const parsed = networks.get(network) ?? remember(network)
  if (parsed.kind === 'none') return false
  const number = ipv4Number(address)
  if (number !== null) return parsed.kind === 'ipv4' && (number & parsed.mask) === parsed.base
  if (!ipaddr.isValid(address)) return false
  const candidate = ipaddr.process(address)
  if (candidate instanceof ipaddr.IPv4) return isInNetwork(candidate.toString(), network)
  return parsed.kind === 'ipv6' && candidate.match(parsed.base, parsed.bits)
}

function remember(text: string): Network {
  const network = readNetwork(text)
  networks.set(text, network)
  return network
}

const none: Network = { kind: 'none' }

function readNetwork(text: string): Network {
  const [host = '', mask] = text.replace(/[[\]]/g, '').split('/', 2)
  if (!ipaddr.isValid(host)) return none
  const written = ipaddr.parse(host)
  const base = ipaddr.process(host)
  const bits = mask === undefined ? (written.kind() === 'ipv4' ? 32 : 128) : readMask(mask)
  if (bits === null) return none
  if (base instanceof ipaddr.IPv6) return bits > 128 ? none : { kind: 'ipv6', base, bits }
  // ::ffff:192.0.2.0/120 is 192.0.2.0/24.
  return ipv4Network(base.toString(), written.kind() === 'ipv4' ? bits : bits - 96)
}

function ipv4Network(address: string, bits: number): Network {
  const number = ipv4Number(address)
  if (number === null || bits < 0 || bits > 32) return none
  const mask = bits === 0 ? 0 : -1 << (32 - bits)
  return { kind: 'ipv4', base: number & mask, mask }
}

function readMask(mask: string): number | null {
  if (/^\d{1,3}$/.test(mask)) return Number(mask)
  return ipaddr.isValid(mask) ? ipaddr.parse(mask).prefixLengthFromSubnetMask() : null
}

/** Four decimal numbers as thirty-two bits; null for anything else. Once per message and condition. */
function ipv4Number(text: string): number | null {
  let bits = 0
  let part = -1
  let parts = 0
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code >= 48 && code <= 57) {
      part = (part < 0 ? 0 : part * 10) + (code - 48)
      if (part > 255) return null
    } else if (code === 46 && part >= 0) {
      bits = (bits << 8) | part
      part = -1
      parts += 1
    } else return null
  }
  return parts === 3 && part >= 0 ? (bits << 8) | part : null
}

const protocolNumbers: Readonly<Record<number, string>> = {
  1: 'udp',
  2: 'tcp',
  3: 'tls',
  4: 'sctp',
  5: 'ws',
  6: 'wss',
}

function protocolHolds(socket: ListenSocket | null, operator: string, operand: Value): boolean {
  if (socket === null) return false
  const wanted = typeof operand === 'number' ? protocolNumbers[operand] : toText(operand).toLowerCase()
  const isIt = socket.transport === wanted
  return operator === '!=' ? !isIt : isIt
}

/** The words that stand for address families. */
const families: Readonly<Record<string, number>> = { inet: 2, ipv4: 2, inet6: 10, ipv6: 10 }

function numberHolds(number: number | null, operator: string, operand: Value): boolean {
  if (number === null) return false
  const wanted = toInt(operand) ?? families[toText(operand).toLowerCase()] ?? 0
  switch (operator) {
    case '==':
      return number === wanted
    case '!=':
      return number !== wanted
    case '<':
      return number < wanted
    case '>':
      return number > wanted
    case '<=':
      return number <= wanted
    case '>=':
      return number >= wanted
    default:
      return false
  }
}

/** A pattern that is known at run time only. A bad one matches nothing, and each use is logged. */
export function patternOf(run: ScriptRun, source: string, ignoreCase: boolean): Pattern {
  const { patterns, services } = run.surroundings
  const pattern = patterns.get(source, ignoreCase)
  if (typeof pattern !== 'string') return pattern
  services.log.warn(run.logFields(), `'${source}' is no regular expression: ${pattern}`)
  return matchesNothing
}
