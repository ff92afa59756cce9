import { octetsOf } from '../location/binding-codec.ts'
import { keyOf } from '../redis/keys.ts'
import type { RedisReply } from '../redis/redis.ts'
import { defineScript, type Script, textOf } from '../redis/script.ts'
import { type DirectoryRecord, readRecord } from './directory-record.ts'

/**
 * The directory of bindings, one value for each address-of-record: `{ live, buried }` in MessagePack, the shortest that
 * Redis' own Lua can read. One script changes it as a whole, so that nobody sees half of a REGISTER.
 *
 *   live     edge, life, ruid, Call-ID, CSeq, at, until, origin, instance, reg-id, contact, rest, key
 *   buried   the same of what was removed, but CSeq and `rest` are CSeq and Call-ID of the request that did it
 *
 * `at` says when it was bound or removed, `until` when it expires, in milliseconds of Redis' clock. `key` is what makes two
 * contacts the same, if that is not the contact as it stands (directory-record.ts).
 */
export function directoryKey(table: string, aor: string): string {
  return keyOf(`loc.${encodeURIComponent(table)}`, octetsOf(aor))
}

/** On it stands what others have lost, and of which address-of-record they are to forget what they remember. */
export function directoryChannel(table: string): string {
  return `viaduct:loc.${encodeURIComponent(table)}`
}

export interface TellAnswer {
  /** False: one of the changes came too late, and nothing was changed. Only if that was asked for. */
  readonly isTold: boolean
  /** Other edges lost something. */
  readonly hasTaken: boolean
  /** The changes, by number, that came too late, if all others were to be made nevertheless. */
  readonly outdated: readonly number[]
}

/** How many arguments there are before the changes, and for each of them: directory-record.ts. */
export const tellScript: Script<TellAnswer> = defineScript<TellAnswer>({
  name: 'tell',
  keys: 1,
  lua: `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local channel, aor, self = ARGV[1], ARGV[2], ARGV[3]
local life, floor, isStrict = tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6] == '1'
local liveMax, buriedMax = tonumber(ARGV[7]), tonumber(ARGV[8])

local live, buried, isChanged = {}, {}, false
local text = redis.call('GET', KEYS[1])
if text then
  local isRead, held = pcall(cmsgpack.unpack, text)
  if isRead and type(held) == 'table' and held[1] and held[2] then
    for _, r in ipairs(held[1]) do
      if r[7] > now and not (r[1] == self and r[2] < floor) then live[#live + 1] = r else isChanged = true end
    end
    for _, r in ipairs(held[2]) do
      if r[7] > now then buried[#buried + 1] = r else isChanged = true end
    end
  end
end

local function keyOf(r)
  if r[13] == '' then return r[11] end
  return r[13]
end

local function isSame(a, b)
  if a[8] ~= b[8] then return false end
  if a[8] == 0 then return true end
  if a[9] ~= '' and a[9] == b[9] and (a[10] == b[10] or a[10] == 0 or b[10] == 0) then return true end
  if a[10] ~= 0 and b[10] ~= 0 then return false end
  return (a[4] ~= '' and a[4] == b[4]) or keyOf(a) == keyOf(b)
end

local function isAfter(callId, cseq, at, otherCallId, otherCseq, otherAt)
  if callId ~= '' and callId == otherCallId then return cseq > otherCseq end
  return at > otherAt or (isStrict and at == otherAt)
end

local changes = {}
for i = 9, #ARGV, 15 do
  changes[#changes + 1] = {
    op = ARGV[i], isOutdated = false, first = ARGV[i + 13], second = ARGV[i + 14],
    ARGV[i + 1], life, ARGV[i + 2], ARGV[i + 3], tonumber(ARGV[i + 4]), tonumber(ARGV[i + 5]),
    tonumber(ARGV[i + 6]), tonumber(ARGV[i + 7]), ARGV[i + 8], tonumber(ARGV[i + 9]), ARGV[i + 10],
    ARGV[i + 11], ARGV[i + 12]
  }
end

local function isOutdated(c)
  local isHere = false
  for _, r in ipairs(live) do
    if r[1] == self then
      isHere = isHere or r[3] == c[3]
    else
      if c.op == '+' then
        if isSame(c, r) and not isAfter(c[4], c[5], c[6], r[4], r[5], r[6]) then return true end
      elseif r[1] == c[1] and r[3] == c[3] then
        if not isAfter(c.first, tonumber(c.second), c[6], r[4], r[5], r[6]) then return true end
      end
    end
  end
  -- What is here was judged when it came: graves that it dug itself are none of its own.
  if c.op == '-' or isHere then return false end
  for _, r in ipairs(buried) do
    if (r[3] == c[3] or isSame(c, r)) and not isAfter(c[4], c[5], c[6], r[12], r[5], r[6]) then return true end
  end
  return false
end

for _, c in ipairs(changes) do
  c.isOutdated = isOutdated(c)
  if c.isOutdated and isStrict then return { 0, 0 } end
end

local isNews, lost = false, {}

local function bury(r, callId, cseq, at)
  local left, first = {}, 1
  for _, b in ipairs(buried) do
    local isTwin = b[4] == r[4] and b[8] == r[8] and b[9] == r[9] and b[10] == r[10] and b[13] == keyOf(r)
    if b[3] == r[3] and b[6] > at then return end
    if b[3] ~= r[3] and not (isTwin and b[6] <= at) then left[#left + 1] = b end
  end
  left[#left + 1] = { self, life, r[3], r[4], cseq, at, r[7], r[8], r[9], r[10], '', callId, keyOf(r) }
  if #left > buriedMax then
    for i, b in ipairs(left) do
      if b[7] < left[first][7] then first = i end
    end
    table.remove(left, first)
  end
  buried, isChanged = left, true
end

local function take(r, callId, cseq, at)
  lost[#lost + 1] = r[1]
  lost[#lost + 1] = r[3]
  bury(r, callId, cseq, at)
end

local function hasNews(r, c)
  for i = 8, 13 do
    if r[i] ~= c[i] then return true end
  end
  return false
end

local function add(c)
  local left, own, isStale = {}, nil, false
  for _, r in ipairs(live) do
    if r[1] == self and r[3] == c[3] then
      own = r
      isStale = r[6] > c[6] or (r[4] ~= '' and r[4] == c[4] and r[5] > c[5])
    end
  end
  if isStale then
    if own[2] ~= life then own[2], isChanged = life, true end
    return
  end
  for _, r in ipairs(live) do
    local isTaken = r[1] == c.first and r[3] == c.second
    if r[1] == self then
      if isTaken and r ~= own then isNews, isChanged = true, true elseif r ~= own then left[#left + 1] = r end
    elseif isTaken or isSame(c, r) then
      isNews = true
      take(r, c[4], c[5], c[6])
    else
      left[#left + 1] = r
    end
  end
  local kept = {}
  for _, b in ipairs(buried) do
    if b[3] ~= c[3] then kept[#kept + 1] = b else isChanged = true end
  end
  buried = kept
  if own == nil or hasNews(own, c) then isNews = true end
  if own == nil or own[2] ~= life or own[4] ~= c[4] or own[5] ~= c[5] or own[6] ~= c[6] or own[7] ~= c[7] then
    isChanged = true
  end
  left[#left + 1] = { c[1], life, c[3], c[4], c[5], c[6], c[7], c[8], c[9], c[10], c[11], c[12], c[13] }
  if #left > liveMax then table.remove(left, 1) end
  live = left
end

local function remove(c)
  local left, gone = {}, c
  for _, r in ipairs(live) do
    if r[1] ~= c[1] or r[3] ~= c[3] then
      -- The same at a third edge, from before: it was told first, the removal only now.
      local isThird = r[1] ~= self and r[1] ~= c[1] and isSame(c, r)
      if isThird and not isAfter(r[4], r[5], r[6], c.first, tonumber(c.second), c[6]) then
        isNews, isChanged = true, true
        take(r, c.first, tonumber(c.second), c[6])
      else
        left[#left + 1] = r
      end
    elseif r[1] == self and r[6] > c[6] then
      return
    else
      gone, isNews, isChanged = r, true, true
      if r[1] ~= self then
        lost[#lost + 1] = r[1]
        lost[#lost + 1] = r[3]
      end
    end
  end
  live = left
  if gone[7] > now then bury(gone, c.first, tonumber(c.second), c[6]) end
end

local answer = { 1, 0 }
for i, c in ipairs(changes) do
  if c.isOutdated then
    answer[#answer + 1] = i - 1
  elseif c.op == '+' then
    if c[7] > now then add(c) end
  else
    remove(c)
  end
end
if isChanged or isNews then
  local last = 0
  for _, r in ipairs(live) do last = math.max(last, r[7]) end
  for _, r in ipairs(buried) do last = math.max(last, r[7]) end
  if last > now then
    redis.call('SET', KEYS[1], cmsgpack.pack({ live, buried }), 'PX', string.format('%.0f', last - now))
  else
    redis.call('DEL', KEYS[1])
  end
end
if isNews then redis.call('PUBLISH', channel, cjson.encode({ self, aor, unpack(lost) })) end
if #lost > 0 then answer[2] = 1 end
return answer`,
  read(reply) {
    if (!Array.isArray(reply)) return undefined
    const numbers = reply.filter((part) => typeof part === 'number')
    if (numbers.length !== reply.length || numbers.length < 2) return undefined
    const [isTold = 0, hasTaken = 0, ...outdated] = numbers
    return { isTold: isTold === 1, hasTaken: hasTaken === 1, outdated }
  },
})

export interface ReadAnswer {
  /** Names of those that are this edge's. */
  readonly own: readonly string[]
  readonly others: readonly DirectoryRecord[]
}

export const readScript: Script<ReadAnswer> = defineScript<ReadAnswer>({
  name: 'read',
  keys: 1,
  isReadOnly: true,
  lua: `
local text = redis.call('GET', KEYS[1])
if not text then return { {} } end
local isRead, held = pcall(cmsgpack.unpack, text)
if not (isRead and type(held) == 'table' and held[1]) then return { {} } end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local answer = { {} }
for _, r in ipairs(held[1]) do
  if r[7] > now then
    if r[1] == ARGV[1] then
      table.insert(answer[1], r[3])
    else
      answer[#answer + 1] = { r[1], r[2], r[3], r[4], r[5], now - r[6], r[7] - now, r[8], r[9], r[10], r[11], r[12] }
    end
  end
end
return answer`,
  read(reply) {
    if (!Array.isArray(reply)) return undefined
    const [own = null, ...rest] = reply
    const names = textsOf(own)
    const others = rest.map(readRecord)
    if (names === undefined || !others.every((record) => record !== undefined)) return undefined
    return { own: names, others }
  },
})

function textsOf(reply: RedisReply): string[] | undefined {
  if (!Array.isArray(reply)) return undefined
  return reply.map((part) => textOf(part) ?? '')
}
