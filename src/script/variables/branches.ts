import type { Index, Value } from '../../../grammar/declarations.ts'
import { createTarget, type Target } from '../../proxy/target.ts'
import { setDestination, setSocket } from '../request-uri.ts'
import type { ScriptRun } from '../route-context.ts'
import { type CoreVariables, int, oneOf, orNull, text, toInt, toText } from './variable.ts'

/** The branches that append_branch() and lookup() added to the Request-URI's own. */
export const branchVariables: CoreVariables = {
  br: {
    type: 'string',
    assignable: true,
    doc: 'URI of the first further branch; assignment appends one, null removes all.',
    read: (run) => run.branches[0]?.uri ?? null,
    write: (run, value) => {
      if (value !== null) return addBranch(run, createTarget(toText(value)))
      run.branches.length = 0
      return true
    },
  },
  bR: text('All further branches, with q where they have one.', (run) => listOf(run.branches)),
  bs: int('How many branches there may be.', (run) => run.branchesMax),
  ds: text('The destination set as a Contact header.', destinationSet),
  branch: {
    type: 'value',
    inner: 'name',
    indexed: true,
    assignable: true,
    prepare: oneOf('branch', [
      'uri',
      'dst_uri',
      'path',
      'Q',
      'q',
      'send_socket',
      'count',
      'flags',
      'ruid',
      'otcpid',
      'instance',
    ]),
    doc: 'A part of a further branch: uri, dst_uri, path, Q, send_socket, count, flags, ruid. A null uri removes it.',
    read: (run, inner, index) => readBranch(run, String(inner), index),
    write: (run, value, inner, index) => writeBranch(run, value, String(inner), index),
  },
}

/** False if there are as many branches as may be. */
function addBranch(run: ScriptRun, target: Target): boolean {
  if (run.branches.length >= run.branchesMax - 1) return false
  run.branches.push(target)
  return true
}

function readBranch(run: ScriptRun, part: string, index: Index): Value {
  if (part === 'count') return run.branches.length === 0 ? null : run.branches.length
  const target = run.branches.at(typeof index === 'number' ? index : 0)
  if (target === undefined) return null
  switch (part) {
    case 'uri':
      return target.uri
    case 'dst_uri':
      return target.destinationUri
    case 'path':
      return orNull(target.path.join(', '))
    case 'Q':
    case 'q':
      return target.q < 0 ? null : target.q
    case 'send_socket':
      return target.socket?.label ?? null
    case 'flags':
      return target.flags >>> 0
    case 'ruid':
      return orNull(target.ruid)
    case 'instance':
      return orNull(target.instance)
    default:
      return null
  }
}

function writeBranch(run: ScriptRun, value: Value, part: string, index: Index): boolean {
  const at = typeof index === 'number' ? index : 0
  const target = run.branches.at(at)
  if (target === undefined) return false
  switch (part) {
    case 'uri':
      if (value === null) run.branches.splice(at, 1)
      else target.uri = toText(value)
      return true
    case 'dst_uri':
      setDestination(target, value === null || value === '' ? null : toText(value))
      return true
    case 'path':
      target.path = value === null || value === '' ? [] : toText(value).split(/,\s*/)
      return true
    case 'Q':
    case 'q':
      target.q = value === null ? -1 : (toInt(value) ?? -1)
      return true
    case 'send_socket':
      setSocket(target, value === null ? null : run.surroundings.services.sockets.find(toText(value)))
      return value === null || target.socket !== null
    case 'flags':
      target.flags = (toInt(value) ?? 0) | 0
      return true
    default:
      return false
  }
}

/** Measured on Kamailio 5.6.3: angle brackets only where a q follows. */
function listOf(branches: readonly Target[]): string | null {
  if (branches.length === 0) return null
  return branches.map(({ uri, q }) => (q < 0 ? uri : `<${uri}>;q=${writeQ(q)}`)).join(', ')
}

function destinationSet(run: ScriptRun): string | null {
  if (run.branches.length === 0) return null
  const all = run.requestUriChanged ? [run.target, ...run.branches] : run.branches
  return `Contact: ${all.map(({ uri, q }) => (q < 0 ? `<${uri}>` : `<${uri}>;q=${writeQ(q)}`)).join(', ')}`
}

/** 300 -> 0.3 */
function writeQ(q: number): string {
  return String(q / 1000)
}
