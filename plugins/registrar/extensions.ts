import {
  asciiLower,
  HeaderId,
  limits,
  parseNameAddrs,
  parseUri,
  type SipMessage,
  splitValues,
  uriParam,
} from '../../src/plugin/index.ts'
import { type Refusal, refusals } from './refusal.ts'
import type { RegistrarSettings } from './settings.ts'

/** Path (RFC 3327) and outbound (RFC 5626) of a REGISTER: what is supported, what is asked for, what is refused. */
export interface Extensions {
  readonly path: readonly string[]
  /** Goes into the 200. */
  readonly headers: string
  readonly isOutbound: boolean
}

type ExtensionSettings = Pick<RegistrarSettings, 'usePath' | 'pathMode' | 'outboundMode' | 'flowTimer'>

export function readExtensions(
  message: SipMessage,
  wantsRegId: boolean,
  settings: ExtensionSettings,
): Extensions | Refusal {
  const path = readPath(message, settings)
  if ('statusCode' in path) return path
  const outbound = readOutbound(message, wantsRegId, path.hops, settings)
  if (typeof outbound !== 'boolean') return outbound
  const flowTimer = outbound && settings.flowTimer > 0 ? `Flow-Timer: ${settings.flowTimer}\r\n` : ''
  return {
    path: path.hops,
    headers: `${path.header}${outbound ? 'Require: outbound\r\n' : ''}${flowTimer}`,
    isOutbound: outbound,
  }
}

/** Without use_path a Path is not looked at: nobody but a trusted edge may add hops in front of a binding. */
function readPath(
  message: SipMessage,
  { usePath, pathMode }: ExtensionSettings,
): { hops: readonly string[]; header: string } | Refusal {
  const first = message.first(HeaderId.path)
  if (!usePath || first < 0) return { hops: [], header: '' }
  const hops: string[] = []
  for (let i = first; i >= 0; i = message.next(i)) {
    for (const hop of splitValues(message.headerValue(i))) hops.push(hop)
    if (hops.length > limits.routesMax) return refusals.badPath
  }
  for (const hop of hops) if (uriOfHop(hop) === null) return refusals.badPath
  const isSupported = hasOption(message, HeaderId.supported, 'path')
  if (pathMode === 2 && !isSupported) return refusals.pathUnsupported
  const echoes = pathMode !== 0 && isSupported
  return { hops, header: echoes ? `Path: ${hops.join(', ')}\r\n` : '' }
}

function readOutbound(
  message: SipMessage,
  wantsRegId: boolean,
  path: readonly string[],
  settings: ExtensionSettings,
): boolean | Refusal {
  const isRequired = hasOption(message, HeaderId.require, 'outbound')
  const isSupported = isRequired || hasOption(message, HeaderId.supported, 'outbound')
  if (settings.outboundMode === 0) return isRequired ? refusals.outboundUnsupported : false
  if (!isSupported) return settings.outboundMode === 2 ? refusals.extensionRequired : false
  if (!wantsRegId) return false
  const hasEdge = message.vias().length > 1
  const edge = path[path.length - 1]
  if (hasEdge && (edge === undefined || !isOutboundHop(edge))) return refusals.firstHop
  return true
}

/** RFC 5626 §6: the edge proxy nearest to the device marked its Path value with `ob`. */
function isOutboundHop(hop: string): boolean {
  const text = uriOfHop(hop)
  const uri = text === null ? null : parseUri(text)
  return uri !== null && uriParam(uri, 'ob') !== null
}

export function uriOfHop(hop: string): string | null {
  const parsed = parseNameAddrs(hop, 1)?.[0]
  return parsed === undefined || parseUri(parsed.uri) === null ? null : parsed.uri
}

/** Is this option tag listed in Supported or Require? */
export function hasOption(message: SipMessage, header: HeaderId, option: string): boolean {
  for (let i = message.first(header); i >= 0; i = message.next(i)) {
    for (const tag of message.headerValue(i).split(',')) if (asciiLower(tag.trim()) === option) return true
  }
  return false
}
