import { strict as assert } from 'node:assert'
import type { RedisKey } from './redis.ts'

/**
 * Keys that keep together what belongs together: `loc{9f3c2a01}:alice@example.com`. In a cluster the text between the
 * first braces says which node has the key, and a script may only use keys of one node. The hash is of the name alone,
 * so that keys of one name have one tag whatever their prefix is; and a name may contain anything, braces too.
 */
export function keyOf(prefix: string, name: string): string {
  assert(!/[{}]/.test(prefix), 'a prefix has no braces: the tag must be the first')
  return `${prefix}{${tagOf(name)}}:${name}`
}

/** 32 bits of FNV-1a, as eight hexadecimal digits: it spreads names over slots, and the name itself tells them apart. */
export function tagOf(name: string): string {
  let hash = 0x811c9dc5
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193)
  return (hash >>> 0).toString(16).padStart(8, '0')
}

/** Whether a cluster is sure to have all of these on one node. Keys without a tag are, if there is but one. */
export function haveOneTag(keys: readonly RedisKey[]): boolean {
  if (keys.length < 2) return true
  const first = tagIn(keys[0])
  return first !== '' && keys.every((key) => tagIn(key) === first)
}

/** What stands between the first opening brace and the next closing one. */
function tagIn(key: RedisKey = ''): string {
  const text = typeof key === 'string' ? key : key.toString('latin1')
  const start = text.indexOf('{') + 1
  const end = text.indexOf('}', start)
  return start === 0 || end < 0 ? '' : text.slice(start, end)
}
