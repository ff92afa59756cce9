import { defineScript, limits, type RedisReply, textOf } from '../../src/plugin/index.ts'

/**
 * What Redis keeps of a table that edges share, and the three scripts that touch it
 * (docs/decisions/0026-shared-tables.md). All keys of a table have one hash tag:
 *
 *   sht{..}:name        hash   key -> version|end|kind|value   kind: i number, s text, x removed; end: Unix ms, 0 never
 *   sht.due{..}:name    zset   key -> end, for what has one
 *   sht.meta{..}:name   hash   epoch, version, cleared
 *   sht.from.ID{..}:name       the last batch of one router: number:version
 *
 * Versions are microseconds of Redis' clock that never repeat: the order in which Redis took the changes.
 */
export interface EdgeKeys {
  readonly data: string
  readonly due: string
  readonly meta: string
  readonly from: string
}

/** One change as it is told: six arguments of `changeScript`. */
export type ToldChange = readonly [
  /** s set, a add, x time to live, d remove, c remove all, p put back. */
  action: string,
  key: string,
  /** i or s; of an add the initial value, or ''. */
  kind: string,
  /** Of an add the amount. */
  value: string,
  /** Milliseconds to live, 0 for ever. */
  left: string,
  /** r: from now on; k: an entry that is there keeps its end. Of what is put back its version. */
  mode: string,
]

/** An entry as Redis has it, in a page or in a message. */
export interface Item {
  /** s set, k set with the end that it has, d removed, x another end, c all removed. */
  readonly action: string
  readonly key: string
  readonly value: string | number
  readonly leftMs: number
  readonly version: number
}

/** Who finds no epoch begins one: the table is new, or Redis has lost it. */
export const joinScript = defineScript({
  name: 'sht.join',
  keys: 1,
  lua: `
local meta = KEYS[1]
local epoch = redis.call('HGET', meta, 'epoch')
if not epoch then
  epoch = ARGV[1]
  redis.call('HSET', meta, 'epoch', epoch)
end
return { epoch, redis.call('HGET', meta, 'version') or '0' }
`,
  read: (reply: RedisReply) => {
    const [epoch, version] = textsOf(reply) ?? []
    return epoch === undefined || version === undefined ? undefined : { epoch, version: Number(version) }
  },
})

/** Some entries from a cursor on; '0' is the first and, answered, the end. Those removed lately are among them. */
export const pageScript = defineScript({
  name: 'sht.page',
  keys: 2,
  isReadOnly: true,
  lua: `
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local page = redis.call('HSCAN', KEYS[1], ARGV[1], 'COUNT', ARGV[2])
local answer = { redis.call('HGET', KEYS[2], 'epoch') or '', page[1] }
local list = page[2]
for i = 1, #list, 2 do
  local version, ends, kind, value = string.match(list[i + 1], '^(%d+)|(%d+)|(%a)|(.*)$')
  ends = tonumber(ends)
  if version and (ends == 0 or ends > now) then
    answer[#answer + 1] = kind == 'x' and 'd' or 's'
    answer[#answer + 1] = list[i]
    answer[#answer + 1] = kind
    answer[#answer + 1] = value
    answer[#answer + 1] = ends == 0 and '0' or string.format('%.0f', ends - now)
    answer[#answer + 1] = version
  end
end
return answer
`,
  read: (reply: RedisReply) => {
    const [epoch, cursor, ...fields] = textsOf(reply) ?? []
    if (epoch === undefined || cursor === undefined) return undefined
    const items = itemsOf(fields)
    return items === undefined ? undefined : { epoch, cursor, items }
  },
})

/**
 * Makes changes in their order, and tells all. A batch that this router has told before is not made again: an answer
 * that did not come is asked for by telling once more. Under another epoch nothing is made: what the router thinks it
 * adds to is not there.
 */
export const changeScript = defineScript({
  name: 'sht.change',
  keys: 4,
  lua: `
local data, due, meta, from = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local origin, number, channel, known = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local tombstone, remembered, first = ${limits.htableTombstoneMilliseconds}, 3600000, 5
local time = redis.call('TIME')
local micros = tonumber(time[1]) * 1000000 + tonumber(time[2])
local now = math.floor(micros / 1000)

if redis.call('HGET', meta, 'epoch') ~= known then return { 'epoch' } end

local function text(n) return string.format('%.0f', n) end

local function read(key)
  local entry = redis.call('HGET', data, key)
  if not entry then return nil end
  local version, ends, kind, value = string.match(entry, '^(%d+)|(%d+)|(%a)|(.*)$')
  if not version then return nil end
  ends = tonumber(ends)
  local live = kind ~= 'x' and (ends == 0 or ends > now)
  return { version = tonumber(version), ends = ends, kind = kind, value = value, live = live }
end

local last = redis.call('GET', from)
if last then
  local lastNumber, lastVersion = string.match(last, '^(%d+):(%d+)$')
  if tonumber(lastNumber) >= tonumber(number) then
    local again = { 'ok', lastVersion }
    for i = first, #ARGV, 6 do
      local builds = ARGV[i] == 'a' or ARGV[i] == 'x' or ARGV[i] == 'p'
      local entry = builds and read(ARGV[i + 1])
      again[#again + 1] = entry and entry.live and (ARGV[i] ~= 'a' and '1' or entry.kind == 'i' and entry.value) or ''
    end
    return again
  end
end

local due_now = redis.call('ZRANGEBYSCORE', due, '-inf', now, 'LIMIT', 0, 100)
for _, key in ipairs(due_now) do
  redis.call('HDEL', data, key)
  redis.call('ZREM', due, key)
end

local before = tonumber(redis.call('HGET', meta, 'version') or '0')
local version = math.max(micros, before + 1)
local cleared = tonumber(redis.call('HGET', meta, 'cleared') or '0')
local answer = { 'ok', text(version) }
local told = {}

local function tell(action, key, kind, value, ends, at)
  told[#told + 1] = action
  told[#told + 1] = key
  told[#told + 1] = kind
  told[#told + 1] = value
  told[#told + 1] = ends == 0 and '0' or text(math.max(1, ends - now))
  told[#told + 1] = text(at)
end

local function write(key, kind, value, ends, at)
  redis.call('HSET', data, key, text(at) .. '|' .. text(ends) .. '|' .. kind .. '|' .. value)
  if ends == 0 then redis.call('ZREM', due, key) else redis.call('ZADD', due, text(ends), key) end
end

for i = first, #ARGV, 6 do
  local action, key, kind, value, left, mode =
    ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], tonumber(ARGV[i + 4]), ARGV[i + 5]
  local entry = action ~= 'c' and read(key) or nil
  local ends = left == 0 and 0 or now + left
  local keeps = mode == 'k' and entry and entry.live
  if keeps then ends = entry.ends end
  local result = ''
  if action == 's' then
    write(key, kind, value, ends, version)
    tell(keeps and 'k' or 's', key, kind, value, ends, version)
  elseif action == 'a' then
    local base = nil
    if entry and entry.live then
      if entry.kind == 'i' then base = tonumber(entry.value) end
    elseif kind ~= '' then
      base = tonumber(kind)
    end
    if base then
      result = text(base + tonumber(value))
      write(key, 'i', result, ends, version)
      tell(keeps and 'k' or 's', key, 'i', result, ends, version)
    end
  elseif action == 'x' then
    if entry and entry.live then
      result = '1'
      write(key, entry.kind, entry.value, ends, version)
      tell('s', key, entry.kind, entry.value, ends, version)
    end
  elseif action == 'd' then
    write(key, 'x', '', now + tombstone, version)
    tell('d', key, 'x', '', 0, version)
  elseif action == 'c' then
    redis.call('DEL', data, due)
    redis.call('HSET', meta, 'cleared', text(version))
    cleared = version
    tell('c', '', 'x', '', 0, version)
  elseif action == 'p' then
    local at = tonumber(mode)
    if at == 0 then
      if not (entry and entry.live) then at = version end
    elseif at <= cleared then
      at = 0
    end
    if at > 0 and not (entry and entry.version >= at) then
      write(key, kind, value, ends, at)
      tell(kind == 'x' and 'd' or 's', key, kind, value, ends, at)
      if at > version then version = at end
      entry = read(key)
    end
    if entry and entry.live then result = '1' end
  end
  answer[#answer + 1] = result
end

if #told > 0 then
  redis.call('HSET', meta, 'version', text(version))
  redis.call('PUBLISH', channel, cjson.encode({ origin, known, text(before), text(version), told }))
end
redis.call('SET', from, number .. ':' .. answer[2], 'PX', remembered)
return answer
`,
  read: (reply: RedisReply) => {
    const [status, version, ...results] = textsOf(reply) ?? []
    if (status === 'epoch') return { isOtherEpoch: true, version: 0, results: [] }
    return version === undefined ? undefined : { isOtherEpoch: false, version: Number(version), results }
  },
})

/** What `changeScript` has told all who listen. */
export interface Message {
  readonly origin: string
  readonly epoch: string
  /** The version of the table before and after it. */
  readonly before: number
  readonly version: number
  readonly items: readonly Item[]
}

/** Undefined for what is none of ours. */
export function readMessage(octets: Buffer): Message | undefined {
  try {
    const [origin, epoch, before, version, fields] = JSON.parse(octets.toString('latin1'))
    const items = itemsOf(Array.isArray(fields) ? fields : [])
    if (items === undefined || typeof origin !== 'string' || typeof epoch !== 'string') return undefined
    return { origin, epoch, before: Number(before), version: Number(version), items }
  } catch {
    return undefined
  }
}

function itemsOf(fields: readonly unknown[]): Item[] | undefined {
  if (fields.length % 6 !== 0) return undefined
  const items: Item[] = []
  for (let i = 0; i < fields.length; i += 6) {
    const [action, key, kind, value, left, version] = fields.slice(i, i + 6).map(String)
    items.push({
      action: action ?? '',
      key: key ?? '',
      value: kind === 'i' ? Number(value) : (value ?? ''),
      leftMs: Number(left),
      version: Number(version),
    })
  }
  return items
}

function textsOf(reply: RedisReply): string[] | undefined {
  if (!Array.isArray(reply)) return undefined
  const texts = reply.map(textOf)
  return texts.includes(undefined) ? undefined : (texts as string[])
}
