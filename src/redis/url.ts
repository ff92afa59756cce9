import { limits } from '../limits.ts'

/**
 * Where a Redis is, by URL:
 *
 *   redis://[user:password@]host[:6379][/db]             one server, or whatever a name or address moves with
 *   redis+sentinel://[user:password@]h1[:26379],h2/master-name[/db]
 *   redis+cluster://[user:password@]h1[:6379],h2         any of its nodes; a cluster has no numbered databases
 *
 * `rediss` instead of `redis` is the same over TLS. What is not a letter or digit in user and password is written as
 * `%2F`; IPv6 addresses stand in brackets. A password without a user is `redis://:password@host`.
 */
export interface RedisAddress {
  readonly kind: 'single' | 'sentinel' | 'cluster'
  readonly hosts: readonly HostAndPort[]
  readonly isTls: boolean
  /** Empty if there is none. */
  readonly user: string
  readonly password: string
  /** What the sentinels call it. Empty for the other kinds. */
  readonly masterName: string
  readonly db: number
  /** The URL without user and password. */
  readonly description: string
}

export interface HostAndPort {
  readonly host: string
  readonly port: number
}

/** What is wrong with a URL, and what would be right. Never holds a password. */
export interface RedisUrlFault {
  readonly fault: string
}

export function isRedisUrlFault(value: object): value is RedisUrlFault {
  return 'fault' in value
}

const usualPorts = { single: 6379, sentinel: 26379, cluster: 6379 } as const

export function parseRedisUrl(url: string): RedisAddress | RedisUrlFault {
  const scheme = /^redis(s?)(?:\+(sentinel|cluster))?:\/\//.exec(url)
  if (scheme === null) {
    return fault(
      `not a URL of Redis: redis://host:6379/0, redis+sentinel://h1,h2/name or redis+cluster://h1,h2`,
    )
  }
  const kind = scheme[2] === 'sentinel' ? 'sentinel' : scheme[2] === 'cluster' ? 'cluster' : 'single'
  const rest = url.slice(scheme[0].length)
  // Whatever stands before the last @ may be secret, also where somebody forgot to escape it.
  const credentials = parseCredentials(rest.slice(0, Math.max(rest.lastIndexOf('@'), 0)))
  if (isRedisUrlFault(credentials)) return credentials
  const place = rest.slice(rest.lastIndexOf('@') + 1)
  if (/[?#\s]/.test(place)) return fault(`"${place}" has more than hosts and a path: no ?, # or space`)

  const [authority = '', ...path] = place.replace(/\/$/, '').split('/')
  const hosts = parseHosts(authority, usualPorts[kind])
  if ('fault' in hosts) return hosts
  if (kind === 'single' && hosts.length > 1) {
    return fault(`"${authority}" are several hosts: redis+sentinel:// or redis+cluster://`)
  }
  const where = parsePath(kind, path)
  if (isRedisUrlFault(where)) return where
  return {
    kind,
    hosts,
    isTls: scheme[1] === 's',
    ...credentials,
    ...where,
    description: `${scheme[0]}${place}`,
  }
}

function fault(text: string): RedisUrlFault {
  return { fault: text }
}

function parseCredentials(text: string): { user: string; password: string } | RedisUrlFault {
  if (text === '') return { user: '', password: '' }
  if (text.includes('/')) return fault('a / in a password is written %2F, and an @ %40')
  const colon = text.indexOf(':')
  if (colon < 0) return fault('there is a user without a password: redis://user:password@host')
  const user = percentDecoded(text.slice(0, colon))
  const password = percentDecoded(text.slice(colon + 1))
  if (user === null || password === null) return fault('a % in a user or password is written %25')
  if (password === '') return fault('the password is empty')
  return { user, password }
}

function percentDecoded(text: string): string | null {
  try {
    return decodeURIComponent(text)
  } catch {
    return null
  }
}

function parseHosts(authority: string, usualPort: number): HostAndPort[] | RedisUrlFault {
  const parts = authority.split(',')
  if (parts.length > limits.redisHostsMax) return fault(`more than ${limits.redisHostsMax} hosts`)
  const hosts: HostAndPort[] = []
  for (const part of parts) {
    const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([\w.-]+))(?::(\d{1,5}))?$/.exec(part)
    const port = Number(match?.[3] ?? usualPort)
    if (match === null || port < 1 || port > 65_535) return fault(`"${part}" is no host or host:port`)
    hosts.push({ host: match[1] ?? match[2] ?? '', port })
  }
  return hosts
}

/** `/db`, `/master-name` or `/master-name/db`. */
function parsePath(
  kind: RedisAddress['kind'],
  path: readonly string[],
): { masterName: string; db: number } | RedisUrlFault {
  const parts = [...path]
  const masterName = kind === 'sentinel' ? (parts.shift() ?? '') : ''
  if (kind === 'sentinel' && !/^[\w.-]+$/.test(masterName)) {
    return fault('sentinels know a master by its name: redis+sentinel://h1,h2/name')
  }
  const db = parts.shift() ?? '0'
  if (parts.length > 0 || !/^\d{1,5}$/.test(db))
    return fault(`"/${path.join('/')}" is no number of a database`)
  if (kind === 'cluster' && Number(db) !== 0) return fault('a cluster has database 0 only')
  return { masterName, db: Number(db) }
}
