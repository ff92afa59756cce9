import { readFileSync } from 'node:fs'
import { ArgumentProblem, asciiLower } from '../../src/plugin/index.ts'
import type { Algorithm, DigestUser, Secret } from '../auth/exports.ts'

/**
 * Users of a small site, without a database. A line each, in a file or in `modparam("auth_db", "user", "...")`:
 *
 *   alice:secret                 a password; a colon in it is part of it
 *   alice@example.com:secret     only for digest usernames with this domain, or for this realm
 *   alice:example.com:HA1        32 hexadecimal digits of MD5, 64 of SHA-256 (htdigest's format)
 *
 * Empty lines and lines that start with # say nothing.
 */
export class UserList {
  readonly #users = new Map<string, UserEntry[]>()
  readonly #lowerCaseNames = new Set<string>()

  add(line: string): void {
    const entry = parseUser(line)
    this.#lowerCaseNames.add(asciiLower(entry.user))
    const known = this.#users.get(entry.user)
    if (known === undefined) this.#users.set(entry.user, [entry])
    else known.push(entry)
  }

  /** @throws ArgumentProblem for the first line that makes no sense, with its number. */
  addFile(path: string): void {
    const lines = readFileSync(path, 'latin1').split(/\r?\n/)
    for (const [index, line] of lines.entries()) {
      if (line.trim() === '' || line.startsWith('#')) continue
      try {
        this.add(line)
      } catch (error) {
        const why = error instanceof ArgumentProblem ? error.message : String(error)
        throw new ArgumentProblem(`${path}:${index + 1}: ${why}`)
      }
    }
  }

  get size(): number {
    return this.#users.size
  }

  has(user: string, domain: string): boolean {
    return (this.#users.get(user) ?? []).some(
      (entry) => entry.scope === '' || domain === '' || entry.scope === domain,
    )
  }

  /** Is there an entry of that name, for any domain and however it is spelt? */
  hasAnyCase(user: string): boolean {
    return this.#lowerCaseNames.has(asciiLower(user))
  }

  /** Null if the list does not know the user. */
  find(user: DigestUser, algorithm: Algorithm): Secret | null {
    const domain = user.domain === '' ? user.realm : user.domain
    const entries = (this.#users.get(user.user) ?? []).filter(({ scope }) => scope === '' || scope === domain)
    if (entries.length === 0) return null
    for (const entry of entries) {
      if (entry.ha1 === null) return { kind: 'password', password: entry.password }
      if (entry.ha1.length === algorithm.digitsCount) return { kind: 'ha1', ha1: entry.ha1 }
    }
    return { kind: 'unusable', why: `${user.username} has no HA1 for ${algorithm.name}` }
  }
}

interface UserEntry {
  user: string
  /** Domain or realm, '' for any. */
  scope: string
  password: string
  ha1: string | null
}

function parseUser(line: string): UserEntry {
  const colon = line.indexOf(':')
  const name = line.slice(0, Math.max(0, colon)).trim()
  const rest = line.slice(colon + 1)
  if (colon < 0 || name === '' || rest === '') {
    throw new ArgumentProblem('a user is written name:password or name:realm:HA1')
  }
  const digest = /^([^:]+):([0-9a-fA-F]{32}|[0-9a-fA-F]{64})$/.exec(rest.trimEnd())
  if (digest !== null) {
    return { user: name, scope: digest[1] ?? '', password: '', ha1: (digest[2] ?? '').toLowerCase() }
  }
  const at = name.lastIndexOf('@')
  return at < 0
    ? { user: name, scope: '', password: rest, ha1: null }
    : { user: name.slice(0, at), scope: name.slice(at + 1), password: rest, ha1: null }
}
