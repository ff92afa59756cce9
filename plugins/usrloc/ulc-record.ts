import type { Binding, Clock } from '../../src/plugin/index.ts'

/** What `$ulc(profile=>attribute)` reads: the bindings of one address-of-record at one moment. */
export interface UlcRecord {
  readonly aor: string
  readonly domain: string
  readonly bindings: readonly Binding[]
  /** Monotonic time minus wall time when the record was made, in milliseconds. */
  readonly toWall: number
}

export function ulcRecord(
  bindings: readonly Binding[],
  aor: string,
  domain: string,
  clock: Clock,
): UlcRecord {
  return { aor, domain, bindings, toWall: clock.wall() - clock.now() }
}

/** Null for an attribute that we do not know or that is empty, as in Kamailio. */
export function ulcAttribute(record: UlcRecord, attribute: string, index: number): string | number | null {
  switch (attribute) {
    case 'aor':
      return record.aor
    case 'domain':
      return record.domain
    case 'aorhash':
      return 0
    case 'count':
      return record.bindings.length
    default: {
      const position = index < 0 ? record.bindings.length + index : index
      const binding = record.bindings[position]
      return binding === undefined ? null : attributeOf(binding, attribute, record.toWall)
    }
  }
}

export const ulcAttributes = [
  ...[
    'aor',
    'domain',
    'aorhash',
    'count',
    'addr',
    'path',
    'received',
    'expires',
    'callid',
    'q',
    'cseq',
    'flags',
  ],
  ...[
    'cflags',
    'user_agent',
    'ruid',
    'socket',
    'modified',
    'methods',
    'regid',
    'instance',
    'server_id',
    'conid',
  ],
  ...['origin'],
]

function attributeOf(binding: Binding, attribute: string, toWall: number): string | number | null {
  switch (attribute) {
    case 'addr':
      return binding.contact
    case 'path':
      return binding.path.join(', ')
    case 'received':
      return binding.received
    case 'expires':
      return Number.isFinite(binding.expiresAt) ? Math.round((binding.expiresAt + toWall) / 1000) : 0
    case 'callid':
      return binding.callId
    case 'q':
      return binding.q
    case 'cseq':
      return binding.cseq
    case 'flags':
      return binding.flags
    case 'cflags':
      return binding.branchFlags
    case 'user_agent':
      return binding.userAgent || 'n/a'
    case 'ruid':
      return binding.ruid
    case 'socket':
      return binding.socket || null
    case 'modified':
      return Math.round((binding.modifiedAt + toWall) / 1000)
    case 'methods':
      return binding.methods === 0x7fffffff ? 0xffffffff : binding.methods
    case 'regid':
      return binding.regId
    case 'instance':
      return binding.instance || null
    case 'server_id':
      return 0
    case 'origin':
      return binding.origin
    default:
      return null
  }
}
