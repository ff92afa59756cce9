import {
  ArgumentProblem,
  anyRoute,
  createTarget,
  type FunctionDeclaration,
  limits,
  type RouteContext,
  type SocketTable,
  type Target,
  type Value,
} from '../../src/plugin/index.ts'

/** `$sbranch(...)`: a branch that is put together part by part, then added or made the Request-URI’s. */
export const branchFunctions = {
  sbranch_reset: { in: anyRoute, returns: { '1': 'done' }, doc: 'Begins a new branch.' },
  sbranch_append: {
    in: anyRoute,
    returns: { '1': 'done', '-1': 'it has no URI, or there are too many branches' },
    doc: 'Adds the branch to the destination set.',
  },
  sbranch_set_ruri: {
    in: anyRoute,
    returns: { '1': 'done', '-1': 'it has no URI' },
    doc: 'Makes the branch the Request-URI’s.',
  },
} as const satisfies Record<string, FunctionDeclaration>

const note = 'pv'
const parts = ['uri', 'dst_uri', 'path', 'Q', 'q', 'send_socket', 'flags', 'ruid', 'instance']

export function branchPart(inner: string): string {
  if (parts.includes(inner)) return inner
  throw new ArgumentProblem(`$sbranch(${inner}): there is no such part`, `parts are ${parts.join(', ')}`)
}

export const branchImplementations = {
  sbranch_reset(context: RouteContext): number {
    context.scope.notes.delete(note)
    return 1
  },
  sbranch_append(context: RouteContext): number {
    const target = branchOf(context)
    if (target.uri === '' || context.branches.length >= (context.branchesMax ?? limits.branchesMax) - 1)
      return -1
    context.branches.push({ ...target })
    return 1
  },
  sbranch_set_ruri(context: RouteContext): number {
    const target = branchOf(context)
    if (target.uri === '') return -1
    Object.assign(context.target, target)
    context.requestUriChanged = true
    return 1
  },
}

function branchOf(context: RouteContext): Target {
  const known = context.scope.notes.get(note) as Target | undefined
  if (known !== undefined) return known
  const created = createTarget('')
  context.scope.notes.set(note, created)
  return created
}

export function readBranch(context: RouteContext, part: string): Value {
  const target = branchOf(context)
  switch (part) {
    case 'uri':
      return target.uri === '' ? null : target.uri
    case 'dst_uri':
      return target.destinationUri
    case 'path':
      return target.path.length === 0 ? null : target.path.join(', ')
    case 'Q':
    case 'q':
      return target.q < 0 ? null : target.q
    case 'send_socket':
      return target.socket?.label ?? null
    case 'flags':
      return target.flags >>> 0
    case 'ruid':
      return target.ruid === '' ? null : target.ruid
    default:
      return target.instance === '' ? null : target.instance
  }
}

export function writeBranch(
  context: RouteContext,
  sockets: SocketTable,
  part: string,
  value: Value,
): boolean {
  const target = branchOf(context)
  const text = value === null ? '' : String(value)
  switch (part) {
    case 'uri':
      target.uri = text
      return true
    case 'dst_uri':
      target.destinationUri = text === '' ? null : text
      return true
    case 'path':
      target.path = text === '' ? [] : text.split(/,\s*/)
      return true
    case 'Q':
    case 'q':
      target.q = value === null ? -1 : Number(value)
      return target.q <= 1000
    case 'send_socket':
      target.socket = text === '' ? null : sockets.find(text)
      return text === '' || target.socket !== null
    case 'flags':
      target.flags = Number(value ?? 0) | 0
      return true
    case 'ruid':
      target.ruid = text
      return true
    default:
      target.instance = text
      return true
  }
}
