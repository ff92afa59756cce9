import { ArgumentProblem, type Value } from '../../grammar/declarations.ts'
import { HeaderId } from '../sip/header-id.ts'
import { type NameAddr, paramOf, parseNameAddr } from '../sip/headers/name-addr.ts'
import type { Via } from '../sip/headers/via.ts'
import { parseUri, uriParam } from '../sip/uri.ts'
import type { ScriptRun } from './route-context.ts'
import { builtInVersion } from './version.ts'

/**
 * Selects: `@from.uri.user`, `$sel(cfg_get.pstn.gw_ip)`. A path of names, some with an index or a quoted name in
 * brackets. The first name says what is looked at, the rest which part of it.
 */
export interface Select {
  readonly steps: readonly SelectStep[]
  readonly read: (run: ScriptRun, steps: readonly SelectStep[]) => Value
}

export interface SelectStep {
  readonly name: string
  readonly index: number | null
  /** `["str"]` */
  readonly key: string | null
}

/** Throws ArgumentProblem for a path that leads nowhere. */
export function parseSelect(source: string): Select {
  const text = source.startsWith('@') ? source.slice(1) : source
  const steps: SelectStep[] = []
  const step = /([A-Za-z0-9_]+)(?:\[(?:(-?\d+)|"([^"]*)"|'([^']*)')\])?(?:\.|$)/y
  while (step.lastIndex < text.length) {
    const found = step.exec(text)
    if (!found) throw new ArgumentProblem(`@${text}: a select is a path of names: @from.uri.user`)
    const [, name = '', index, doubleQuoted, quoted] = found
    const key = doubleQuoted ?? quoted ?? null
    steps.push({ name, index: index === undefined ? null : Number(index), key })
  }
  const read = roots.get(steps[0]?.name ?? '')
  if (!read) {
    throw new ArgumentProblem(
      `@${text}: nothing is called ${steps[0]?.name}`,
      `selects begin with ${[...roots.keys()].join(', ')}`,
    )
  }
  return { steps, read }
}

export function readSelect(run: ScriptRun, select: Select): Value {
  return select.read(run, select.steps)
}

type Root = Select['read']

const roots: ReadonlyMap<string, Root> = new Map<string, Root>([
  ['cfg_get', (run, [, group, name]) => customGlobal(run, group, name)],
  ['ruri', (run, [, ...rest]) => uriPart(run.message.isRequest ? run.target.uri : null, rest)],
  ['from', (run, [, ...rest]) => nameAddrPart(run.message.from, run.message.value(HeaderId.from), rest)],
  ['to', (run, [, ...rest]) => nameAddrPart(run.message.to, run.message.value(HeaderId.to), rest)],
  ['contact', (run, [, ...rest]) => contactPart(run, rest)],
  ['refer_to', (run, [, ...rest]) => headerNameAddr(run, HeaderId.referTo, rest)],
  ['via', (run, [root, ...rest]) => viaPart(viaAt(run, root?.index ?? 1), rest)],
  ['method', (run) => run.message.method],
  ['call_id', (run) => run.message.callId],
  ['cseq', (run, [, part]) => cseqPart(run, part)],
  ['status', (run) => (run.message.isRequest ? null : run.message.statusCode)],
  ['msg', (run, [, part]) => messagePart(run, part)],
  ['hf_value', (run, [, name, ...rest]) => headerValue(run, name, rest)],
  ['hf_value_exists', (run, [, name]) => (headerValue(run, name, []) === null ? null : '1')],
  ['src', (run, [, part]) => addressPart(run.flow.address, run.flow.port, part)],
  ['dst', (run, [, part]) => addressPart(run.flow.socket.address, run.flow.socket.port, part)],
  ['received', (run, [, part]) => (part?.name === 'proto' ? run.flow.socket.transport : null)],
  ['next_hop', (run, [, ...rest]) => uriPart(run.target.destinationUri ?? run.target.uri, rest)],
  ['version', (_run, [, part]) => builtInVersion(part?.name ?? 'full')],
  ['sys', (run, [, part]) => systemPart(run, part)],
  ['tls', () => null],
])

function customGlobal(run: ScriptRun, group: SelectStep | undefined, name: SelectStep | undefined): Value {
  if (group === undefined || name === undefined) return null
  const instance = group.index === null ? '' : `[${group.index}]`
  const value = run.surroundings.customGlobals.get(`${group.name}${instance}.${name.name}`)
  if (value !== undefined) return value
  return group.name === 'core' ? globalOrNull(run, name.name) : null
}

function globalOrNull(run: ScriptRun, name: string): Value {
  return run.surroundings.loaded.program.globals.get(name) ?? null
}

function uriPart(text: string | null, [part, parameter]: readonly SelectStep[]): Value {
  if (text === null || part === undefined) return text
  const uri = parseUri(text)
  if (uri === null) return null
  switch (part.name) {
    case 'type':
    case 'scheme':
      return uri.scheme
    case 'user':
      return uri.user
    case 'pwd':
      return uri.password
    case 'host':
      return uri.host
    case 'port':
      return uri.port === 0 ? null : String(uri.port)
    case 'hostport':
      return uri.port === 0 ? uri.host : `${uri.host}:${uri.port}`
    case 'transport':
      return uriParam(uri, 'transport')
    case 'params': {
      const name = part.key ?? parameter?.name ?? parameter?.key ?? null
      return name === null ? uri.params : uriParam(uri, name)
    }
    default:
      return null
  }
}

function nameAddrPart(value: NameAddr | null, text: string, [part, ...rest]: readonly SelectStep[]): Value {
  if (value === null) return null
  switch (part?.name) {
    case undefined:
      return text
    case 'uri':
      return uriPart(value.uri, rest)
    case 'name':
      return value.displayName
    case 'expires':
    case 'q':
      return paramOf(value.params, part.name)
    case 'tag':
      return paramOf(value.params, 'tag')
    case 'params': {
      const name = part.key ?? rest[0]?.name ?? null
      return name === null ? value.params : paramOf(value.params, name)
    }
    default:
      return null
  }
}

function headerNameAddr(run: ScriptRun, id: HeaderId, rest: readonly SelectStep[]): Value {
  const text = run.message.value(id)
  return text === '' ? null : nameAddrPart(parseNameAddr(text), text, rest)
}

/** `@contact.uri` sees what fix_nated_contact() made of it; the whole header does not (measured on Kamailio 5.6.3). */
function contactPart(run: ScriptRun, rest: readonly SelectStep[]): Value {
  const { message } = run
  const index = message.first(HeaderId.contact)
  const value = index < 0 ? null : parseNameAddr(message.headerValue(index))
  if (value === null || rest[0]?.name !== 'uri') return headerNameAddr(run, HeaderId.contact, rest)
  const start = message.headerValueStart(index)
  const corrected = run.edits.correctionOf(start + value.uriStart, start + value.uriEnd)
  return uriPart(corrected ?? value.uri, rest.slice(1))
}

function viaPart(via: Via | undefined, [part, parameter]: readonly SelectStep[]): Value {
  if (via === undefined || part === undefined) return null
  switch (part.name) {
    case 'host':
      return via.host
    case 'port':
      return via.port === 0 ? null : String(via.port)
    case 'transport':
      return via.transport
    case 'branch':
      return via.branch
    case 'received':
      return via.received
    case 'rport':
      return via.rport === null ? null : String(via.rport)
    case 'params': {
      const name = part.key ?? parameter?.name ?? null
      return name === null ? via.params : paramOf(via.params, name)
    }
    default:
      return null
  }
}

function cseqPart(run: ScriptRun, part: SelectStep | undefined): Value {
  const { cseq } = run.message
  if (cseq === null) return null
  if (part?.name === 'num') return cseq.number
  return part?.name === 'method' ? cseq.method : `${cseq.number} ${cseq.method}`
}

function messagePart(run: ScriptRun, part: SelectStep | undefined): Value {
  const { message } = run
  if (part === undefined) return message.text
  if (part.name === 'len') return message.text.length
  if (part.name === 'body') return message.body
  return part.name === 'first_line' ? message.text.slice(0, message.headersStart).trimEnd() : null
}

/** Counted from 1, from the end if negative (measured on Kamailio 5.6.3). */
function viaAt(run: ScriptRun, index: number): Via | undefined {
  return run.message.vias().at(index > 0 ? index - 1 : index)
}

/** `@hf_value.X_Name[1].param`: an underscore stands for the dash that a name cannot have here. */
function headerValue(run: ScriptRun, step: SelectStep | undefined, rest: readonly SelectStep[]): Value {
  if (step === undefined) return null
  const { message } = run
  let at = message.find(step.key ?? step.name)
  if (at < 0) at = message.find(step.name.replaceAll('_', '-'))
  for (let skip = step.index ?? 0; skip > 0 && at >= 0; skip--) at = message.next(at)
  if (at < 0) return null
  const value = message.headerValue(at)
  if (rest.length === 0) return value
  return nameAddrPart(parseNameAddr(value), value, rest)
}

function addressPart(address: string, port: number, part: SelectStep | undefined): Value {
  if (part?.name === 'ip') return address
  return part?.name === 'port' ? port : `${address}:${port}`
}

function systemPart(run: ScriptRun, part: SelectStep | undefined): Value {
  if (part?.name === 'pid') return process.pid
  return part?.name === 'now' ? Math.floor(run.wall / 1000) : null
}
