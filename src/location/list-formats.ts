import { allMethods, type Origin, type Trust } from './binding.ts'
import type { ListedBinding } from './listed-binding.ts'
import { pathOf } from './location-rows.ts'

/**
 * A binding as `ul.dump` shows it, by Kamailio's names or ours: read from JSON, from kamcmd's text, or from a column of a
 * CSV file, all of which have the same words.
 */
export type Fields = Readonly<Record<string, string | number | null>>

const unset = '[not set]'
const origins: readonly string[] = ['learned', 'delegated', 'registered', 'static']
const trusts: readonly string[] = ['digest', 'source', 'delegate', 'script', 'operator']

/** A text says what is wrong. `dumpedAt`: when the lifetimes were what the dump says, milliseconds since 1970. */
export function bindingOfFields(aor: string, fields: Fields, dumpedAt: number): ListedBinding | string {
  const contact = textOf(fields, 'Address')
  if (aor === '') return 'no address-of-record'
  if (contact === '') return 'a binding without an Address'
  const expires = expiresOf(fields['Expires'], dumpedAt)
  if (typeof expires === 'string') return expires
  const cseq = Number(textOf(fields, 'CSeq') || 0)
  if (!Number.isSafeInteger(cseq) || cseq < 0) return `"${fields['CSeq']}" is no CSeq`
  const q = qOf(fields)
  if (q === null) return `"${fields['Q']}" is no q`
  const origin = textOf(fields, 'Origin') || 'registered'
  if (!origins.includes(origin)) return `"${origin}" is no origin`
  const trust = textOf(fields, 'Trust')
  const modified = Number(textOf(fields, 'Last-Modified') || 0) * 1000
  const userAgent = textOf(fields, 'User-Agent')
  return {
    aor,
    ruid: textOf(fields, 'Ruid'),
    contact,
    received: textOf(fields, 'Received'),
    path: pathOf(textOf(fields, 'Path')),
    expires,
    modified: Number.isFinite(modified) && modified > 0 ? modified : dumpedAt,
    q,
    callId: textOf(fields, 'Call-ID'),
    cseq,
    flags: bitsOf(fields, 'Flags'),
    branchFlags: bitsOf(fields, 'CFlags'),
    userAgent: userAgent === 'n/a' ? '' : userAgent,
    socket: textOf(fields, 'Socket'),
    methods: methodsOf(fields),
    instance: textOf(fields, 'Instance'),
    regId: bitsOf(fields, 'Reg-Id'),
    origin: origin as Origin,
    trust: trusts.includes(trust) ? (trust as Trust) : 'script',
    by: textOf(fields, 'By') || aor,
    flow: textOf(fields, 'Flow'),
  }
}

/** The same words, in the order of ul.dump; q is a number from 0 to 1, as Kamailio shows it. */
export function fieldsOfBinding(binding: ListedBinding, now: number): Record<string, string | number> {
  const { expires, flow } = binding
  return {
    Address: binding.contact,
    Expires: Number.isFinite(expires) ? Math.ceil((expires - now) / 1000) : 'permanent',
    Q: binding.q < 0 ? -1 : binding.q / 1000,
    'Call-ID': binding.callId || unset,
    CSeq: binding.cseq,
    'User-Agent': binding.userAgent || unset,
    Received: binding.received || unset,
    Path: binding.path.join(', ') || unset,
    State: 'CS_SYNC',
    Flags: binding.flags,
    CFlags: binding.branchFlags,
    Socket: binding.socket || unset,
    Methods: binding.methods === allMethods ? 0xffffffff : binding.methods,
    Ruid: binding.ruid,
    Instance: binding.instance || unset,
    'Reg-Id': binding.regId,
    'Server-Id': 0,
    'Tcpconn-Id': -1,
    Keepalive: 0,
    'Last-Keepalive': 0,
    'KA-Roundtrip': 0,
    'Last-Modified': Math.floor(binding.modified / 1000),
    Origin: binding.origin,
    Trust: binding.trust,
    By: binding.by || unset,
    ...(flow === '' ? {} : { Flow: flow }),
  }
}

function textOf(fields: Fields, name: string): string {
  const value = fields[name]
  return value === undefined || value === null || value === unset ? '' : String(value)
}

/** Seconds that are left, or one of the words that Kamailio says instead. */
function expiresOf(value: string | number | null | undefined, dumpedAt: number): number | string {
  if (value === 'permanent') return Number.POSITIVE_INFINITY
  if (value === 'expired' || value === 'deleted') return 0
  const seconds = Number(value ?? Number.NaN)
  return Number.isFinite(seconds) ? dumpedAt + seconds * 1000 : `"${value}" is no lifetime`
}

/** Thousandths; null: no q. */
function qOf(fields: Fields): number | null {
  const q = Number(textOf(fields, 'Q') || -1)
  if (!Number.isFinite(q) || q > 1) return null
  return q < 0 ? -1 : Math.round(q * 1000)
}

function bitsOf(fields: Fields, name: string): number {
  const value = Number(textOf(fields, name) || 0)
  return Number.isSafeInteger(value) ? value | 0 : 0
}

function methodsOf(fields: Fields): number {
  const value = Number(textOf(fields, 'Methods') || -1)
  return !Number.isSafeInteger(value) || value < 0 || value >= allMethods ? allMethods : value
}
