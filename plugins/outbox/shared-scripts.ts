import { defineScript, type RedisReply, textOf } from '../../src/plugin/index.ts'

/**
 * What Redis keeps of an outbox that edges share, and the scripts that touch it (docs/decisions/0026-shared-tables.md). All keys
 * have one hash tag:
 *
 *   messages  hash  id -> place|message      a place is where it stands in the order
 *   order     zset  places, all of score 0: recipient in hexadecimal digits / microseconds of Redis' clock / id
 *   due       zset  id -> end, Unix ms
 *   claims    hash  recipient -> edge|end of the lease
 *   counts    hash  recipient -> messages|octets
 *   tries     hash  id -> attempts|rejections
 *   meta      hash  bytes: octets of all
 */
export const keyPrefixes = ['messages', 'order', 'due', 'claims', 'counts', 'tries', 'meta'] as const

const prelude = `
local messages, order, due, claims, counts, tries, meta =
  KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7]
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

local function text(n) return string.format('%.0f', n) end

local function pair(key, field)
  local entry = redis.call('HGET', key, field)
  if not entry then return 0, 0 end
  local a, b = string.match(entry, '^(%d+)|(%d+)$')
  return tonumber(a or '0'), tonumber(b or '0')
end

local function count(channel, aor, messagesMore, bytesMore)
  local n, bytes = pair(counts, aor)
  n, bytes = math.max(0, n + messagesMore), math.max(0, bytes + bytesMore)
  if n == 0 then redis.call('HDEL', counts, aor) else redis.call('HSET', counts, aor, n .. '|' .. text(bytes)) end
  local total = redis.call('HINCRBY', meta, 'bytes', bytesMore)
  redis.call('PUBLISH', channel, n .. '|' .. total .. '|' .. aor)
end

local function aorOf(place)
  return (string.gsub(string.match(place, '^(%x*)/'), '..', function(h) return string.char(tonumber(h, 16)) end))
end

local function remove(channel, id)
  local entry = redis.call('HGET', messages, id)
  if not entry then return nil end
  local place, bytes = string.match(entry, '^([^|]*)|(%d+)|')
  redis.call('HDEL', messages, id)
  redis.call('HDEL', tries, id)
  redis.call('ZREM', order, place)
  redis.call('ZREM', due, id)
  local aor = aorOf(place)
  count(channel, aor, -1, -tonumber(bytes))
  return aor
end

local function first(hex)
  return redis.call('ZRANGEBYLEX', order, '[' .. hex .. '/', '(' .. hex .. '0', 'LIMIT', 0, 1)[1]
end

local function release(aor, edge)
  local claim = redis.call('HGET', claims, aor)
  if claim and string.match(claim, '^([^|]*)|') == edge then redis.call('HDEL', claims, aor) end
end
`

function script<T>(
  name: string,
  lua: string,
  read: (reply: RedisReply) => T | undefined,
  isReadOnly = false,
) {
  return defineScript({
    name: `outbox.${name}`,
    keys: keyPrefixes.length,
    lua: prelude + lua,
    read,
    isReadOnly,
  })
}

/**
 * channel, recipient, its hexadecimal digits, id, message, octets, milliseconds to live, attempts, and the three bounds. What is there
 * already is not put twice.
 */
export const putScript = script(
  'put',
  `
local channel, aor, hex, id, message = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local bytes, left, attempts = tonumber(ARGV[6]), tonumber(ARGV[7]), ARGV[8]
if redis.call('HEXISTS', messages, id) == 1 then return 'kept' end
local n, own = pair(counts, aor)
local total = tonumber(redis.call('HGET', meta, 'bytes') or '0')
if n + 1 > tonumber(ARGV[9]) or own + bytes > tonumber(ARGV[10]) or total + bytes > tonumber(ARGV[11]) then return 'full' end
local place = hex .. '/' .. string.format('%010d%06d', tonumber(time[1]), tonumber(time[2])) .. '/' .. id
redis.call('HSET', messages, id, place .. '|' .. text(bytes) .. '|' .. message)
redis.call('ZADD', order, 0, place)
redis.call('ZADD', due, text(now + left), id)
if attempts ~= '0' then redis.call('HSET', tries, id, attempts .. '|0') end
count(channel, aor, 1, bytes)
return 'kept'
`,
  (reply) => {
    const text = textOf(reply)
    return text === 'kept' || text === 'full' ? text : undefined
  },
)

export type Claim =
  | { readonly status: 'nothing' }
  /** Another edge delivers; its lease ends after so many milliseconds. */
  | { readonly status: 'busy'; readonly leftMs: number }
  | { readonly status: 'claimed'; readonly id: string; readonly attempts: number; readonly message: string }

/**
 * channel, recipient, its digits, edge, lease in ms. The attempt is noted before it is made. An edge gets again what it has: it
 * knows whether it delivers now.
 */
export const claimScript = script<Claim>(
  'claim',
  `
local channel, aor, hex, edge, lease = ARGV[1], ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
local claim = redis.call('HGET', claims, aor)
if claim then
  local owner, ends = string.match(claim, '^([^|]*)|(%d+)$')
  ends = tonumber(ends or '0')
  if ends > now and owner ~= edge then return { 'busy', text(ends - now) } end
end
local place = first(hex)
while place do
  local id = string.match(place, '^%x*/%d+/(.*)$')
  local ends = redis.call('ZSCORE', due, id)
  local entry = redis.call('HGET', messages, id)
  if entry and ends and tonumber(ends) > now then
    local attempts, rejections = pair(tries, id)
    redis.call('HSET', tries, id, text(attempts + 1) .. '|' .. text(rejections))
    redis.call('HSET', claims, aor, edge .. '|' .. text(now + lease))
    return { 'claimed', id, text(attempts), string.match(entry, '^[^|]*|%d+|(.*)$') }
  end
  if not remove(channel, id) then redis.call('ZREM', order, place) end
  place = first(hex)
end
redis.call('HDEL', claims, aor)
return { 'nothing' }
`,
  (reply) => {
    const [status, first = '', attempts, message] = textsOf(reply) ?? []
    if (status === 'nothing') return { status }
    if (status === 'busy') return { status, leftMs: Number(first) }
    if (status !== 'claimed' || message === undefined) return undefined
    return { status, id: first, attempts: Number(attempts), message }
  },
)

/** channel, recipient, edge, id, what became of it, rejections that are the last. Answers whether it is gone. */
export const settleScript = script(
  'settle',
  `
local channel, aor, edge, id, outcome = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
release(aor, edge)
if outcome == 'rejected' then
  local attempts, rejections = pair(tries, id)
  if rejections + 1 < tonumber(ARGV[6]) then
    if redis.call('HEXISTS', messages, id) == 1 then
      redis.call('HSET', tries, id, text(attempts) .. '|' .. text(rejections + 1))
    end
    return 0
  end
elseif outcome == 'failed' then
  return 0
end
return remove(channel, id) and 1 or 0
`,
  (reply) => (typeof reply === 'number' ? reply === 1 : undefined),
)

/** channel, how many at most. The recipients of what has ended. */
export const sweepScript = script(
  'sweep',
  `
local ended = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', due, '-inf', now, 'LIMIT', 0, tonumber(ARGV[2]))) do
  ended[#ended + 1] = remove(ARGV[1], id)
  redis.call('ZREM', due, id)
end
return ended
`,
  textsOf,
)

/** channel, recipient's digits. How many went. */
export const purgeScript = script(
  'purge',
  `
local gone = 0
local place = first(ARGV[2])
while place do
  if remove(ARGV[1], string.match(place, '^%x*/%d+/(.*)$')) then gone = gone + 1 end
  redis.call('ZREM', order, place)
  place = first(ARGV[2])
end
return gone
`,
  (reply) => (typeof reply === 'number' ? reply : undefined),
)

/** cursor, how many: octets of all, the next cursor, and recipients with their counts. */
export const pageScript = script(
  'page',
  `
local page = redis.call('HSCAN', counts, ARGV[1], 'COUNT', ARGV[2])
local answer = { redis.call('HGET', meta, 'bytes') or '0', page[1] }
for i = 1, #page[2] do answer[#answer + 1] = page[2][i] end
return answer
`,
  (reply) => {
    const [bytes, cursor, ...fields] = textsOf(reply) ?? []
    if (bytes === undefined || cursor === undefined) return undefined
    const counts: [aor: string, count: number][] = []
    for (let i = 0; i + 1 < fields.length; i += 2) {
      counts.push([fields[i] ?? '', Number.parseInt(fields[i + 1] ?? '0', 10)])
    }
    return { bytes: Number(bytes), cursor, counts }
  },
  true,
)

/** A recipient's digits, how many: attempts, milliseconds left and message of each. */
export const listScript = script(
  'list',
  `
local answer = {}
local hex = ARGV[1]
for _, place in ipairs(redis.call('ZRANGEBYLEX', order, '[' .. hex .. '/', '(' .. hex .. '0', 'LIMIT', 0, tonumber(ARGV[2]))) do
  local id = string.match(place, '^%x*/%d+/(.*)$')
  local entry, ends = redis.call('HGET', messages, id), redis.call('ZSCORE', due, id)
  if entry and ends then
    answer[#answer + 1] = text((pair(tries, id)))
    answer[#answer + 1] = text(tonumber(ends) - now)
    answer[#answer + 1] = string.match(entry, '^[^|]*|%d+|(.*)$')
  end
end
return answer
`,
  (reply) => {
    const fields = textsOf(reply)
    if (fields === undefined) return undefined
    const listed: { attempts: number; leftMs: number; message: string }[] = []
    for (let i = 0; i + 2 < fields.length; i += 3) {
      listed.push({
        attempts: Number(fields[i]),
        leftMs: Number(fields[i + 1]),
        message: fields[i + 2] ?? '',
      })
    }
    return listed
  },
  true,
)

/** How many messages a recipient has now, and the octets of all: what scripts tell everybody who listens. */
export function readCount(
  octets: Buffer,
): { readonly aor: string; readonly count: number; readonly bytes: number } | null {
  const [, count, bytes, aor] = /^(\d+)\|(-?\d+)\|(.*)$/s.exec(octets.toString('latin1')) ?? []
  return aor === undefined ? null : { aor, count: Number(count), bytes: Number(bytes) }
}

function textsOf(reply: RedisReply): string[] | undefined {
  if (!Array.isArray(reply)) return undefined
  const texts = reply.map(textOf)
  return texts.includes(undefined) ? undefined : (texts as string[])
}
