import {
  asciiLower,
  flat,
  HeaderId,
  limits,
  parseUri,
  type SipMessage,
  splitValues,
  uriParam,
} from '../../src/plugin/index.ts'
import { uriOfHop } from '../usrloc/exports.ts'
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

const noPath: readonly string[] = []
const none: Extensions = { path: noPath, headers: '', isOutbound: false }

/** Hot: most requests have neither, and nothing is made for them. */
export function readExtensions(
  message: SipMessage,
  wantsRegId: boolean,
  settings: ExtensionSettings,
): Extensions | Refusal {
  const path = settings.usePath ? readPath(message) : noPath
  if (path === null) return refusals.badPath
  const supportsPath = path.length > 0 && hasOption(message, HeaderId.supported, 'path')
  if (path.length > 0 && settings.pathMode === 2 && !supportsPath) return refusals.pathUnsupported
  const outbound = readOutbound(message, wantsRegId, path, settings)
  if (typeof outbound !== 'boolean') return outbound
  if (path.length === 0 && !outbound) return none
  const header = supportsPath && settings.pathMode !== 0 ? `Path: ${path.join(', ')}\r\n` : ''
  const flowTimer = outbound && settings.flowTimer > 0 ? `Flow-Timer: ${settings.flowTimer}\r\n` : ''
  return {
    path,
    headers: `${header}${outbound ? 'Require: outbound\r\n' : ''}${flowTimer}`,
    isOutbound: outbound,
  }
}

/**
 * Null for what cannot be read. Without use_path a Path is not looked at: nobody but a trusted edge may add hops in
 * front of a binding.
 */
function readPath(message: SipMessage): readonly string[] | null {
  const first = message.first(HeaderId.path)
  if (first < 0) return noPath
  const hops: string[] = []
  for (let i = first; i >= 0; i = message.next(i)) {
    for (const hop of splitValues(message.headerValue(i))) hops.push(flat(hop))
    if (hops.length > limits.routesMax) return null
  }
  for (const hop of hops) if (uriOfHop(hop) === null) return null
  return hops
}

function readOutbound(
  message: SipMessage,
  wantsRegId: boolean,
  path: readonly string[],
  settings: ExtensionSettings,
): boolean | Refusal {
  const isRequired = hasOption(message, HeaderId.require, 'outbound')
  if (settings.outboundMode === 0) return isRequired ? refusals.outboundUnsupported : false
  const isSupported = isRequired || hasOption(message, HeaderId.supported, 'outbound')
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

/** Is this option tag listed in Supported or Require? */
export function hasOption(message: SipMessage, header: HeaderId, option: string): boolean {
  for (let i = message.first(header); i >= 0; i = message.next(i)) {
    const value = message.headerValue(i)
    for (let start = 0; start <= value.length; ) {
      const comma = value.indexOf(',', start)
      const end = comma < 0 ? value.length : comma
      if (end - start >= option.length && asciiLower(value.slice(start, end).trim()) === option) return true
      start = end + 1
    }
  }
  return false
}
