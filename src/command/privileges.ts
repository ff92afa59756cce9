import { execFileSync } from 'node:child_process'
import { fchownSync, lchownSync, mkdirSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'

/**
 * `-u` and `-g`: from root to somebody with fewer rights, once the sockets are open and before anything else is
 * opened, so that what works now works after a restart too. As in Kamailio, a user brings its own groups along
 * unless `-g` names another one.
 */
export interface Identity {
  readonly user: string | null
  readonly uid: number | null
  readonly gid: number
  /** All groups of the user, as `id` says. */
  readonly groups: readonly number[]
}

/**
 * Null if neither was asked for.
 *
 * @throws Error if this host does not know the user or the group.
 */
export function identityOf(user: string | undefined, group: string | undefined): Identity | null {
  const gid = group === undefined ? null : Number(entryOf('group', group)[2])
  if (user === undefined) return gid === null ? null : { user: null, uid: null, gid, groups: [gid] }
  const [name = user, , uid, ownGid] = entryOf('passwd', user)
  const groups = printed('id', ['-G', name]).split(' ').map(Number)
  return { user: name, uid: Number(uid), gid: gid ?? Number(ownGid), groups }
}

/**
 * Group before user: afterwards we may not change the group any more.
 *
 * @throws Error if we may not.
 */
export function becomeIdentity({ user, uid, gid, groups }: Identity): void {
  try {
    if (process.getegid?.() !== gid) process.setgid?.(gid)
    if (uid === null || process.geteuid?.() === uid) return
    process.setgroups?.([...groups])
    process.setuid?.(uid)
  } catch (cause) {
    throw new Error(`cannot run as ${user ?? `group ${gid}`}: only root may change the user (-u, -g)`, {
      cause,
    })
  }
}

/** The data directory and what an earlier start as root left there become the identity's own. Links are not followed. */
export function giveDataDirectory(directory: string, { uid, gid }: Identity, files: readonly string[]): void {
  mkdirSync(directory, { recursive: true, mode: 0o750 })
  if (process.geteuid?.() !== 0) return
  lchownSync(directory, uid ?? 0, gid)
  for (const name of files) {
    try {
      lchownSync(join(directory, name), uid ?? 0, gid)
    } catch {
      // Not there yet, or on a disk that cannot be written: opening the store says so.
    }
  }
}

/**
 * Our UDP sockets become the identity's own. Those that share a port (SO_REUSEPORT) must have one owner: a worker that
 * takes the place of one that died binds as whom we run as by then.
 */
export function giveSockets({ uid, gid }: Identity): void {
  const udp = new Set(['udp', 'udp6'].flatMap((table) => inodesIn(`/proc/self/net/${table}`)))
  for (const descriptor of readdirSync('/proc/self/fd')) {
    const inode = /^socket:\[(\d+)\]$/.exec(linkOf(`/proc/self/fd/${descriptor}`))?.[1]
    if (inode !== undefined && udp.has(inode)) fchownSync(Number(descriptor), uid ?? 0, gid)
  }
}

/** Can this port be bound by whom we are now? */
export function mayBind(port: number): boolean {
  if (process.geteuid?.() === 0) return true
  return port >= Number(contentsOf('/proc/sys/net/ipv4/ip_unprivileged_port_start') || 1_024)
}

/** Of the kernel's table of sockets: the tenth word of each line but the first. */
function inodesIn(table: string): string[] {
  const lines = contentsOf(table).trim().split('\n').slice(1)
  return lines.map((line) => line.trim().split(/\s+/)[9] ?? '')
}

function contentsOf(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return ''
  }
}

/** A descriptor that has been closed since it was listed leads nowhere. */
function linkOf(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return ''
  }
}

/** Name or number, from wherever the host keeps its users. */
function entryOf(database: 'passwd' | 'group', key: string): string[] {
  try {
    return printed('getent', [database, key]).split(':')
  } catch {
    const [what, option] = database === 'passwd' ? ['user', '-u'] : ['group', '-g']
    throw new Error(`this host knows no ${what} ${key} (${option})`)
  }
}

function printed(file: string, args: string[]): string {
  return execFileSync(file, args, { encoding: 'latin1', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
}
