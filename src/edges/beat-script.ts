import { keyOf } from '../redis/keys.ts'
import type { RedisReply } from '../redis/redis.ts'
import { defineScript, textOf } from '../redis/script.ts'

/**
 * Who lives, as Redis has it: one hash with the epoch, the secret, and a field for each edge. One script says that an edge
 * lives and reads what there is of the others, so that a heartbeat is one round trip. It can be repeated: it counts nothing.
 *
 *   epoch    made up by whoever finds none: another one means that Redis has lost its data
 *   secret   32 octets; whoever finds none puts in the one that it knew before
 *   life     of an edge: one more with each process, so that what a process before it had is told from what it has
 */
export const edgesKey = keyOf('edges', 'viaduct')

/** On it stands the name of an edge of which something is new. */
export const edgesChannel = 'viaduct:edges'

export interface Beat {
  /** Unix milliseconds of Redis' clock. */
  readonly redisNow: number
  readonly epoch: string
  readonly secret: Buffer
  readonly edges: readonly BeatenEdge[]
}

export interface BeatenEdge {
  readonly name: string
  readonly uri: string
  readonly instance: string
  readonly life: number
  /** When it beat last, by Redis' clock. */
  readonly at: number
  readonly heartbeatMs: number
  readonly isDraining: boolean
  readonly isGone: boolean
  /** By table, the life from which on all that it owns has been told: what is older is not there any more. */
  readonly floors: string
}

/**
 * `look` changes nothing of the edge; `bye` says that it is gone. Who once had the name and finds it taken by a process
 * that lives does not take it back.
 */
export const beatScript = defineScript<Beat>({
  name: 'beat',
  keys: 1,
  lua: `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local key, kind, name, uri, instance = KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local life, every, draining, floors = tonumber(ARGV[5]), tonumber(ARGV[6]), ARGV[7], ARGV[8]
redis.call('HSETNX', key, 'epoch', ARGV[9])
redis.call('HSETNX', key, 'secret', ARGV[10])
local missed, forgotten = tonumber(ARGV[12]), tonumber(ARGV[13])
if redis.call('HGET', key, 'epoch') ~= ARGV[14] then floors = ARGV[15] end
local function isAlive(edge)
  return edge[7] == 0 and now - edge[4] <= missed * edge[5]
end
if kind ~= 'look' then
  local field = 'edge ' .. name
  local known = redis.call('HGET', key, field)
  local before = known and cmsgpack.unpack(known)
  local isMine = before and before[2] == instance
  local isTaken = before and not isMine and life > 0 and isAlive(before)
  if not isTaken and (kind ~= 'bye' or isMine) then
    local next = life
    if isMine then
      next = before[3]
    elseif before then
      next = math.max(life, before[3] + 1)
    end
    next = math.max(next, 1)
    local gone = kind == 'bye' and 1 or 0
    redis.call('HSET', key, field, cmsgpack.pack({ uri, instance, next, now, every, draining, gone, floors }))
    if not isMine or not isAlive(before) or before[1] ~= uri or before[6] ~= draining or before[7] ~= gone or before[8] ~= floors then
      redis.call('PUBLISH', ARGV[11], name)
    end
  end
end
local answer = { now, redis.call('HGET', key, 'epoch'), redis.call('HGET', key, 'secret') }
local fields = redis.call('HGETALL', key)
for i = 1, #fields, 2 do
  if string.sub(fields[i], 1, 5) == 'edge ' then
    local edge = cmsgpack.unpack(fields[i + 1])
    if now - edge[4] > forgotten then
      redis.call('HDEL', key, fields[i])
    else
      answer[#answer + 1] = { string.sub(fields[i], 6), edge[1], edge[2], edge[3], edge[4], edge[5], edge[6], edge[7], edge[8] }
    end
  end
end
return answer`,
  read(reply) {
    if (!Array.isArray(reply)) return undefined
    const [redisNow = null, epoch = null, secret = null, ...rest] = reply
    const epochText = textOf(epoch)
    if (typeof redisNow !== 'number' || epochText === undefined || !Buffer.isBuffer(secret)) return undefined
    const edges = rest.map(readEdge)
    if (!edges.every((edge) => edge !== undefined)) return undefined
    return { redisNow, epoch: epochText, secret: Buffer.from(secret), edges }
  },
})

function readEdge(reply: RedisReply): BeatenEdge | undefined {
  if (!Array.isArray(reply)) return undefined
  const [name, uri, instance, life, at, heartbeatMs, draining, gone, floors] = reply.map((part) =>
    typeof part === 'number' ? part : (textOf(part) ?? ''),
  )
  if (typeof name !== 'string' || typeof uri !== 'string' || typeof instance !== 'string') return undefined
  if (typeof life !== 'number' || typeof at !== 'number' || typeof heartbeatMs !== 'number') return undefined
  return {
    name,
    uri,
    instance,
    life,
    at,
    heartbeatMs,
    isDraining: draining === '1',
    isGone: gone === 1,
    floors: String(floors),
  }
}
