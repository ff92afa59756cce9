import { createHash } from 'node:crypto'
import type { RedisReply } from './redis.ts'

/**
 * A Lua script as data. Redis keeps it and is told its digest (EVALSHA); who does not know it (a restart, a failover,
 * SCRIPT FLUSH) gets the text. Scripts may use commands that Redis 6.2 and Valkey both have, and the keys that they are
 * given, no others.
 */
export interface Script<T> {
  readonly name: string
  /** How many keys it takes. */
  readonly keys: number
  readonly lua: string
  /** SHA-1 of the text, in hexadecimal digits: by it Redis finds the script. */
  readonly sha: string
  readonly isReadOnly: boolean
  readonly read: (reply: RedisReply) => T | undefined
}

export interface ScriptDeclaration {
  readonly name: string
  readonly keys: number
  readonly lua: string
  /** It changes nothing: when it is late, nothing is unknown. */
  readonly isReadOnly?: boolean
}

/** What a script answers is taken as it comes, or through `read`, for which undefined is "I do not understand this". */
export function defineScript(declaration: ScriptDeclaration): Script<RedisReply>
export function defineScript<T>(
  declaration: ScriptDeclaration & { readonly read: (reply: RedisReply) => T | undefined },
): Script<T>
export function defineScript(
  declaration: ScriptDeclaration & { readonly read?: (reply: RedisReply) => unknown },
): Script<unknown> {
  const { name, keys, lua, isReadOnly = false, read = (reply: RedisReply) => reply } = declaration
  return { name, keys, lua, sha: createHash('sha1').update(lua).digest('hex'), isReadOnly, read }
}

/** Octets as the texts of the router are: one character each. A copy, so that it may be kept. */
export function textOf(reply: RedisReply): string | undefined {
  return Buffer.isBuffer(reply) ? reply.toString('latin1') : undefined
}
