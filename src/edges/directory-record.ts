import { limits } from '../limits.ts'
import { allMethods, type Binding, createBinding, type Origin, type Trust } from '../location/binding.ts'
import { octetsOf } from '../location/binding-codec.ts'
import type { Change } from '../location/location.ts'
import type { Elsewhere, Owner } from '../location/shared-table.ts'
import type { RedisArgument, RedisReply } from '../redis/redis.ts'
import { textOf } from '../redis/script.ts'
import { asciiLower, parseUri } from '../sip/uri.ts'
import type { RedisTime } from './redis-time.ts'

/** Bindings as the directory has them: what goes to its scripts, and what comes back. */

/** usrloc's matching_mode. */
export type MatchingMode = 0 | 1 | 2 | 3

/** A change with the time at which it was made, so that it can be told later. Times are our own clock's. */
export interface TimedChange extends Change {
  readonly at: number
}

/** Who tells. */
export interface Teller {
  readonly edge: string
  readonly life: number
  readonly floor: number
  readonly mode: MatchingMode
  readonly time: RedisTime
  readonly now: number
}

/** The arguments of tellScript. `isStrict`: if one of the changes comes too late, none is made. */
export function tellArguments(
  teller: Teller,
  channel: string,
  aor: string,
  changes: readonly TimedChange[],
  isStrict: boolean,
): RedisArgument[] {
  return [
    ...[channel, octetsOf(aor), teller.edge, teller.life, teller.floor, isStrict ? '1' : '0'],
    ...[limits.edgeBindingsPerAorMax, limits.edgeTombstonesPerAorMax],
    ...changes.flatMap((change) => changeArguments(teller, change)),
  ]
}

function changeArguments(teller: Teller, { before, after, at, request }: TimedChange): RedisArgument[] {
  const binding = after ?? before
  if (binding === null) return []
  const { edge, time, mode, now } = teller
  const owner = binding.elsewhere?.edge.name ?? edge
  const until = Number.isFinite(binding.expiresAt)
    ? binding.expiresAt
    : now + limits.edgePermanentMilliseconds
  const contact = octetsOf(binding.contact)
  const key = matchingKey(binding, mode)
  const taken = after !== null && before !== null && before.ruid !== after.ruid ? before : null
  return [
    ...[after === null ? '-' : '+', owner, octetsOf(binding.ruid), octetsOf(binding.callId), binding.cseq],
    ...[
      time.of(at),
      time.of(until),
      origins.indexOf(binding.origin),
      octetsOf(binding.instance),
      binding.regId,
    ],
    ...[contact, writeRest(binding), key === contact ? '' : key],
    ...(after === null
      ? [octetsOf(request?.callId ?? ''), request?.cseq ?? 0]
      : [taken === null ? '' : (taken.elsewhere?.edge.name ?? edge), octetsOf(taken?.ruid ?? '')]),
  ]
}

/** What two bindings have in common if their contacts are the same, as matching_mode has it. */
function matchingKey({ contact, callId, path }: Binding, mode: MatchingMode): string {
  const canonical = octetsOf(mode === 3 ? `call ${callId}` : canonicalContact(contact))
  if (mode === 1) return `${canonical} ${octetsOf(callId)}`
  return mode === 2 ? `${canonical} ${octetsOf(path.join())}` : canonical
}

/** Most of RFC 3261 §19.1.4 by one text; who finds two contacts different in vain has two bindings until one expires. */
function canonicalContact(contact: string): string {
  const at = contact.lastIndexOf('@')
  const hostPart = contact.slice(at + 1)
  if (!/[A-Z%]/.test(hostPart) || parseUri(contact) === null) return contact
  return contact.slice(0, at + 1) + asciiLower(hostPart)
}

const origins: readonly Origin[] = ['learned', 'delegated', 'registered', 'static']
const trusts: readonly Trust[] = ['digest', 'source', 'delegate', 'script', 'operator']

/** Its contact is where it was heard from: others reach it without us. */
function isDirect({ flow, received }: Binding): boolean {
  return flow === null && received === ''
}

/** What most bindings have not: a list that ends where the rest is as usual. */
function writeRest(binding: Binding): string {
  const { q, methods, flags, branchFlags, trust, path } = binding
  const values = [isDirect(binding) ? 1 : 0, trusts.indexOf(trust), methods, q, flags, branchFlags]
  if (path.length > 0) return octetsOf(JSON.stringify([...values, ...path]))
  let length = values.length
  while (length > 0 && values[length - 1] === usual[length - 1]) length--
  return length === 0 ? '' : JSON.stringify(values.slice(0, length)).slice(1, -1)
}

const usual: readonly number[] = [0, trusts.indexOf('digest'), allMethods, -1, 0, 0]

interface Rest {
  readonly numbers: readonly number[]
  readonly path: readonly string[]
}

function readRest(text: string): Rest | undefined {
  try {
    const values: unknown = JSON.parse(text.startsWith('[') ? text : `[${text}]`)
    if (!Array.isArray(values)) return undefined
    const numbers = usual.map((value, i) => (typeof values[i] === 'number' ? values[i] : value))
    return { numbers, path: values.slice(usual.length).map(String) }
  } catch {
    return undefined
  }
}

/** A live record, as readScript gives it. */
export interface DirectoryRecord {
  readonly edge: string
  readonly life: number
  readonly ruid: string
  readonly callId: string
  readonly cseq: number
  readonly ageMs: number
  readonly remainingMs: number
  readonly origin: Origin
  readonly instance: string
  readonly regId: number
  readonly contact: string
  readonly rest: Rest
}

export function readRecord(reply: RedisReply): DirectoryRecord | undefined {
  if (!Array.isArray(reply) || reply.length !== 12) return undefined
  const text = (i: number) => textOf(reply[i] ?? null) ?? ''
  const number = (i: number) => (typeof reply[i] === 'number' ? reply[i] : 0)
  const origin = origins[number(7)]
  const rest = readRest(text(11))
  if (origin === undefined || rest === undefined || text(0) === '' || text(2) === '') return undefined
  return {
    edge: text(0),
    life: number(1),
    ruid: text(2),
    callId: text(3),
    cseq: number(4),
    ageMs: number(5),
    remainingMs: number(6),
    origin,
    instance: text(8),
    regId: number(9),
    contact: text(10),
    rest,
  }
}

/** What Location sees as `elsewhere`, and in which life of its edge it was bound. */
export interface DirectoryElsewhere extends Elsewhere {
  readonly life: number
}

export interface OthersBinding extends Binding {
  readonly elsewhere: DirectoryElsewhere
}

export function bindingOf(record: DirectoryRecord, aor: string, edge: Owner, now: number): OthersBinding {
  const [direct = 0, trust = 0, methods = allMethods, q = -1, flags = 0, branchFlags = 0] =
    record.rest.numbers
  const elsewhere = { edge, isDirect: direct === 1, life: record.life }
  const binding = createBinding({
    aor,
    ruid: record.ruid,
    contact: record.contact,
    origin: record.origin,
    trust: trusts[trust] ?? 'script',
    path: record.rest.path,
    q,
    callId: record.callId,
    cseq: record.cseq,
    methods,
    instance: record.instance,
    regId: record.regId,
    flags,
    branchFlags,
    expiresAt: now + record.remainingMs,
    modifiedAt: now - record.ageMs,
    elsewhere,
  })
  return { ...binding, elsewhere }
}

export function aorOf({ before, after }: Change): string {
  return (after ?? before)?.aor ?? ''
}

export function byAor(changes: readonly TimedChange[]): Map<string, TimedChange[]> {
  const groups = new Map<string, TimedChange[]>()
  for (const change of changes) {
    const aor = aorOf(change)
    const group = groups.get(aor)
    if (group === undefined) groups.set(aor, [change])
    else group.push(change)
  }
  return groups
}
