import type { RedisReply } from '../../src/redis/redis.ts'
import type { MemoryRedis } from './memory-redis.ts'

/** tellScript and readScript, as they are meant. */
interface HeldRecord {
  readonly edge: string
  readonly life: number
  readonly ruid: string
  readonly callId: string
  readonly cseq: number
  readonly at: number
  readonly until: number
  readonly origin: number
  readonly instance: string
  readonly regId: number
  readonly contact: string
  readonly rest: string
  readonly key: string
}

/** What was removed; `callId` and `cseq` are those of the request that did it. */
interface Grave {
  readonly record: HeldRecord
  readonly callId: string
  readonly cseq: number
  readonly at: number
}

export interface HeldRecords {
  readonly live: readonly HeldRecord[]
  readonly buried: readonly Grave[]
}

interface Change {
  readonly isRemoval: boolean
  readonly record: HeldRecord
  readonly first: string
  readonly second: string
}

export function runTell(redis: MemoryRedis, key: string, args: readonly string[]): RedisReply {
  const [
    channel = '',
    aor = '',
    self = '',
    life = '0',
    floor = '0',
    strict = '0',
    most = '0',
    buriedMax = '0',
  ] = args
  const { now } = redis
  const liveMax = Number(most)
  const isStrict = strict === '1'
  const held = redis.records.get(key) ?? { live: [], buried: [] }
  let live = held.live.filter(
    ({ edge, life: its, until }) => until > now && !(edge === self && its < Number(floor)),
  )
  let buried = held.buried.filter(({ record }) => record.until > now)
  const lost: string[] = []
  let isNews = false

  const isAfter = (a: Dated, b: Dated) =>
    a.callId !== '' && a.callId === b.callId ? a.cseq > b.cseq : isStrict ? a.at >= b.at : a.at > b.at
  const isOutdated = ({ isRemoval, record, first, second }: Change) => {
    const others = live.filter(({ edge }) => edge !== self)
    if (isRemoval) {
      const request = { callId: first, cseq: Number(second), at: record.at }
      return others.some((other) => isSameName(other, record) && !isAfter(request, other))
    }
    return (
      others.some((other) => isSame(record, other) && !isAfter(record, other)) ||
      (!live.some((other) => isSameName(other, record)) &&
        buried.some(
          (grave) =>
            (grave.record.ruid === record.ruid || isSame(record, grave.record)) && !isAfter(record, grave),
        ))
    )
  }
  const bury = (record: HeldRecord, by: Dated) => {
    if (buried.some((grave) => grave.record.ruid === record.ruid && grave.at > by.at)) return
    const left = buried.filter(
      (grave) => grave.record.ruid !== record.ruid && !(isTwin(grave.record, record) && grave.at <= by.at),
    )
    left.push({ record, callId: by.callId, cseq: by.cseq, at: by.at })
    buried = left
    if (left.length > Number(buriedMax)) {
      const first = left.reduce((a, b) => (b.record.until < a.record.until ? b : a))
      buried = left.filter((grave) => grave !== first)
    }
  }
  const lose = (record: HeldRecord) => lost.push(record.edge, record.ruid)
  const add = ({ record, first, second }: Change) => {
    const own = live.find((other) => isSameName(other, record))
    if (
      own !== undefined &&
      (own.at > record.at || (own.callId !== '' && own.callId === record.callId && own.cseq > record.cseq))
    ) {
      live = live.map((other) => (other === own ? { ...own, life: Number(life) } : other))
      return
    }
    const taken = live.filter(
      (other) =>
        other !== own &&
        ((other.edge === first && other.ruid === second) || (other.edge !== self && isSame(record, other))),
    )
    for (const other of taken) {
      if (other.edge === self) continue
      lose(other)
      bury(other, record)
    }
    buried = buried.filter((grave) => grave.record.ruid !== record.ruid)
    isNews ||= own === undefined || taken.length > 0 || isOtherwise(own, record)
    live = [...live.filter((other) => other !== own && !taken.includes(other)), record].slice(-liveMax)
  }
  const remove = ({ record, first, second }: Change) => {
    const found = live.find((other) => isSameName(other, record))
    if (found !== undefined && found.edge === self && found.at > record.at) return
    const by = { callId: first, cseq: Number(second), at: record.at }
    for (const other of live) {
      const isThird = other.edge !== self && other.edge !== record.edge && isSame(record, other)
      if (!isThird || isAfter(other, by)) continue
      isNews = true
      lose(other)
      bury(other, by)
      live = live.filter((one) => one !== other)
    }
    if (found !== undefined) {
      isNews = true
      if (found.edge !== self) lose(found)
      live = live.filter((other) => other !== found)
    }
    const gone = found ?? record
    if (gone.until > now) bury(gone, by)
  }

  const changes = readChanges(args.slice(8), Number(life))
  const late = changes.map(isOutdated)
  if (isStrict && late.includes(true)) return [0, 0]
  for (const [i, change] of changes.entries()) {
    if (late[i] === true) continue
    if (change.isRemoval) remove(change)
    else if (change.record.until > now) add(change)
  }
  redis.records.set(key, { live, buried })
  if (isNews) redis.publish(channel, JSON.stringify([self, aor, ...lost]))
  return [1, lost.length > 0 ? 1 : 0, ...late.flatMap((isLate, i) => (isLate ? [i] : []))]
}

export function runRead(redis: MemoryRedis, key: string, [self = '']: readonly string[]): RedisReply {
  const { now } = redis
  const live = (redis.records.get(key)?.live ?? []).filter(({ until }) => until > now)
  return [
    live.filter(({ edge }) => edge === self).map(({ ruid }) => Buffer.from(ruid)),
    ...live
      .filter(({ edge }) => edge !== self)
      .map((record) => [
        ...[octets(record.edge), record.life, octets(record.ruid), octets(record.callId), record.cseq],
        ...[now - record.at, record.until - now, record.origin, octets(record.instance), record.regId],
        ...[octets(record.contact), octets(record.rest)],
      ]),
  ]
}

type Dated = Pick<HeldRecord, 'callId' | 'cseq' | 'at'>

function octets(text: string): Buffer {
  return Buffer.from(text, 'latin1')
}

function readChanges(args: readonly string[], life: number): Change[] {
  const changes: Change[] = []
  for (let i = 0; i < args.length; i += 15) {
    const [op, edge = '', ruid = '', callId = '', cseq, at, until, origin, instance = ''] = args.slice(i)
    const [regId, contact = '', rest = '', key = '', first = '', second = ''] = args.slice(i + 9)
    changes.push({
      isRemoval: op === '-',
      first,
      second,
      record: {
        ...{ edge, life, ruid, callId, cseq: Number(cseq), at: Number(at), until: Number(until) },
        ...{ origin: Number(origin), instance, regId: Number(regId), contact, rest, key: key || contact },
      },
    })
  }
  return changes
}

function isSameName(a: HeldRecord, b: HeldRecord): boolean {
  return a.edge === b.edge && a.ruid === b.ruid
}

function isSame(a: HeldRecord, b: HeldRecord): boolean {
  if (a.origin !== b.origin) return false
  if (a.origin === 0) return true
  const isOneInstance = a.instance !== '' && a.instance === b.instance
  if (isOneInstance && (a.regId === b.regId || a.regId === 0 || b.regId === 0)) return true
  if (a.regId !== 0 && b.regId !== 0) return false
  return (a.callId !== '' && a.callId === b.callId) || a.key === b.key
}

function isTwin(a: HeldRecord, b: HeldRecord): boolean {
  return (
    a.callId === b.callId &&
    a.origin === b.origin &&
    a.instance === b.instance &&
    a.regId === b.regId &&
    a.key === b.key
  )
}

function isOtherwise(a: HeldRecord, b: HeldRecord): boolean {
  return (
    a.origin !== b.origin ||
    a.instance !== b.instance ||
    a.regId !== b.regId ||
    a.contact !== b.contact ||
    a.rest !== b.rest ||
    a.key !== b.key
  )
}
