import { changeScript, joinScript, pageScript } from '../../plugins/htable/edge-scripts.ts'
import {
  claimScript,
  pageScript as countScript,
  listScript,
  purgeScript,
  putScript,
  settleScript,
  sweepScript,
} from '../../plugins/outbox/shared-scripts.ts'
import type { RedisReply } from '../../src/redis/redis.ts'
import { MemoryRedis } from '../edges/memory-redis.ts'

/**
 * A Redis in memory that knows the scripts of shared tables and of the outbox, written once more in TypeScript, plainly. That
 * both are the same is what test/wire/shared-tables.test.ts is for.
 */
export class MemoryTables extends MemoryRedis {
  readonly tables = new Map<string, HeldTable>()
  readonly boxes = new Map<string, HeldBox>()

  override flush(): void {
    super.flush()
    this.tables.clear()
    this.boxes.clear()
  }

  override run(name: string, key: string, args: readonly string[], secret: Buffer | null): RedisReply {
    const owner = key.slice(key.indexOf(':') + 1)
    switch (name) {
      case joinScript.name:
        return join(this.#table(owner), args[0] ?? '')
      case pageScript.name:
        return page(this.tables.get(owner), args[0] ?? '0', this.now)
      case changeScript.name:
        return change(this, this.tables.get(owner), args)
      case putScript.name:
        return texts(put(this, this.#box(owner), args))
      case claimScript.name:
        return claim(this, this.#box(owner), args).map(texts)
      case settleScript.name:
        return settle(this, this.#box(owner), args)
      case sweepScript.name:
        return sweep(this, this.#box(owner), args).map(texts)
      case purgeScript.name:
        return purge(this, this.#box(owner), args)
      case countScript.name:
        return counts(this.#box(owner)).map(texts)
      case listScript.name:
        return list(this.#box(owner), args, this.now).map(texts)
      default:
        return super.run(name, key, args, secret)
    }
  }

  #table(name: string): HeldTable {
    const known = this.tables.get(name)
    if (known !== undefined) return known
    const created = { epoch: '', version: 0, cleared: 0, entries: new Map(), last: new Map() }
    this.tables.set(name, created)
    return created
  }

  #box(name: string): HeldBox {
    const known = this.boxes.get(name)
    if (known !== undefined) return known
    const created = { messages: [], claims: new Map() }
    this.boxes.set(name, created)
    return created
  }
}

interface HeldTable {
  epoch: string
  version: number
  cleared: number
  readonly entries: Map<string, HeldEntry>
  readonly last: Map<string, { number: number; version: number }>
}

interface HeldEntry {
  version: number
  ends: number
  kind: string
  value: string
}

interface HeldBox {
  messages: HeldMessage[]
  readonly claims: Map<string, { edge: string; ends: number }>
}

interface HeldMessage {
  readonly aor: string
  readonly id: string
  readonly text: string
  readonly bytes: number
  readonly ends: number
  attempts: number
  rejections: number
}

const texts = (value: string | number) => Buffer.from(String(value), 'latin1')

const isLive = (entry: HeldEntry | undefined, now: number): entry is HeldEntry =>
  entry !== undefined && entry.kind !== 'x' && (entry.ends === 0 || entry.ends > now)

function join(table: HeldTable, candidate: string): RedisReply {
  if (table.epoch === '') table.epoch = candidate
  return [texts(table.epoch), texts(table.version)]
}

/** Two entries at a time, so that every test has pages. */
function page(table: HeldTable | undefined, cursor: string, now: number): RedisReply {
  const start = Number(cursor)
  const all = [...(table?.entries ?? [])]
  const answer: (string | number)[] = [table?.epoch ?? '', start + 2 < all.length ? start + 2 : 0]
  for (const [key, { version, ends, kind, value }] of all.slice(start, start + 2)) {
    if (ends !== 0 && ends <= now) continue
    answer.push(kind === 'x' ? 'd' : 's', key, kind, value, ends === 0 ? 0 : ends - now, version)
  }
  return answer.map(texts)
}

function change(redis: MemoryTables, table: HeldTable | undefined, args: readonly string[]): RedisReply {
  const [origin = '', number = '', channel = '', epoch] = args
  if (table === undefined || table.epoch !== epoch) return [texts('epoch')]
  const { now } = redis
  const last = table.last.get(origin)
  const operations: string[][] = []
  for (let i = 4; i < args.length; i += 6) operations.push(args.slice(i, i + 6))
  if (last !== undefined && last.number >= Number(number)) {
    const again = operations.map(([action, key = '']) => {
      const entry = table.entries.get(key)
      if (!isLive(entry, now)) return ''
      return action === 'x' || action === 'p' ? '1' : action === 'a' && entry.kind === 'i' ? entry.value : ''
    })
    return ['ok', last.version, ...again].map(texts)
  }
  const before = table.version
  let version = Math.max(now * 1_000, before + 1)
  const answer: (string | number)[] = ['ok', version]
  const told: string[] = []
  const tell = (action: string, key: string, { kind, value, ends, version: at }: HeldEntry) =>
    told.push(action, key, kind, value, String(ends === 0 ? 0 : Math.max(1, ends - now)), String(at))
  for (const [action, key = '', kind = '', value = '', left = '0', mode = ''] of operations) {
    const entry = table.entries.get(key)
    const keeps = mode === 'k' && isLive(entry, now)
    const ends = keeps ? entry.ends : Number(left) === 0 ? 0 : now + Number(left)
    const write = (written: HeldEntry, as = keeps ? 'k' : 's') => {
      table.entries.set(key, written)
      tell(as, key, written)
    }
    let result = ''
    if (action === 's') write({ version, ends, kind, value })
    else if (action === 'a') {
      const base = isLive(entry, now) ? (entry.kind === 'i' ? entry.value : '') : kind
      if (base !== '') {
        result = String(Number(base) + Number(value))
        write({ version, ends, kind: 'i', value: result })
      }
    } else if (action === 'x') {
      if (isLive(entry, now)) {
        result = '1'
        write({ ...entry, version, ends }, 's')
      }
    } else if (action === 'd') write({ version, ends: now + 60_000, kind: 'x', value: '' }, 'd')
    else if (action === 'c') {
      table.entries.clear()
      table.cleared = version
      tell('c', '', { version, ends: 0, kind: 'x', value: '' })
    } else if (action === 'p') {
      const given = Number(mode)
      const at = given === 0 ? (isLive(entry, now) ? 0 : version) : given <= table.cleared ? 0 : given
      if (at > 0 && (entry === undefined || entry.version < at))
        write({ version: at, ends, kind, value }, kind === 'x' ? 'd' : 's')
      version = Math.max(version, at)
      if (isLive(table.entries.get(key), now)) result = '1'
    }
    answer.push(result)
  }
  if (told.length > 0) {
    table.version = version
    redis.publish(channel, JSON.stringify([origin, epoch, String(before), String(version), told]))
  }
  table.last.set(origin, { number: Number(number), version: Number(answer[1]) })
  return answer.map(texts)
}

const nameOf = (hex = '') => Buffer.from(hex, 'hex').toString('latin1')

function tellCount(redis: MemoryTables, box: HeldBox, channel: string, aor: string): void {
  const own = box.messages.filter((one) => one.aor === aor).length
  redis.publish(channel, `${own}|${sumOf(box.messages)}|${aor}`)
}

function sumOf(messages: readonly HeldMessage[]): number {
  return messages.reduce((sum, { bytes }) => sum + bytes, 0)
}

function remove(redis: MemoryTables, box: HeldBox, channel: string, gone: HeldMessage): void {
  box.messages = box.messages.filter((one) => one !== gone)
  tellCount(redis, box, channel, gone.aor)
}

function put(redis: MemoryTables, box: HeldBox, args: readonly string[]): string {
  const [channel = '', aor = '', , id = '', text = '', bytes, left, attempts, perAor, ownMax, max] = args
  if (box.messages.some((one) => one.id === id)) return 'kept'
  const own = box.messages.filter((one) => one.aor === aor)
  const isFull =
    own.length + 1 > Number(perAor) ||
    sumOf(own) + Number(bytes) > Number(ownMax) ||
    sumOf(box.messages) + Number(bytes) > Number(max)
  if (isFull) return 'full'
  const ends = redis.now + Number(left)
  box.messages.push({
    aor,
    id,
    text,
    bytes: Number(bytes),
    ends,
    attempts: Number(attempts),
    rejections: 0,
  })
  tellCount(redis, box, channel, aor)
  return 'kept'
}

function claim(redis: MemoryTables, box: HeldBox, args: readonly string[]): (string | number)[] {
  const [channel = '', aor = '', , edge = '', lease] = args
  const { now } = redis
  const held = box.claims.get(aor)
  if (held !== undefined && held.ends > now && held.edge !== edge) return ['busy', held.ends - now]
  for (const message of box.messages.filter((one) => one.aor === aor)) {
    if (message.ends <= now) {
      remove(redis, box, channel, message)
      continue
    }
    box.claims.set(aor, { edge, ends: now + Number(lease) })
    return ['claimed', message.id, message.attempts++, message.text]
  }
  box.claims.delete(aor)
  return ['nothing']
}

function settle(redis: MemoryTables, box: HeldBox, args: readonly string[]): number {
  const [channel = '', aor = '', edge, id, outcome, rejectionsMax] = args
  if (box.claims.get(aor)?.edge === edge) box.claims.delete(aor)
  const message = box.messages.find((one) => one.id === id)
  if (message === undefined || outcome === 'failed') return 0
  if (outcome === 'rejected' && ++message.rejections < Number(rejectionsMax)) return 0
  remove(redis, box, channel, message)
  return 1
}

function sweep(redis: MemoryTables, box: HeldBox, [channel = '', max]: readonly string[]): string[] {
  const ended = box.messages.filter((one) => one.ends <= redis.now).slice(0, Number(max))
  for (const message of ended) remove(redis, box, channel, message)
  return ended.map(({ aor }) => aor)
}

function purge(redis: MemoryTables, box: HeldBox, [channel = '', hex]: readonly string[]): number {
  const gone = box.messages.filter((one) => one.aor === nameOf(hex))
  for (const message of gone) remove(redis, box, channel, message)
  return gone.length
}

function counts(box: HeldBox): (string | number)[] {
  const answer: (string | number)[] = [sumOf(box.messages), 0]
  for (const aor of new Set(box.messages.map((one) => one.aor))) {
    const own = box.messages.filter((one) => one.aor === aor)
    answer.push(aor, `${own.length}|${sumOf(own)}`)
  }
  return answer
}

function list(box: HeldBox, [hex]: readonly string[], now: number): (string | number)[] {
  return box.messages
    .filter((one) => one.aor === nameOf(hex))
    .flatMap(({ attempts, ends, text }) => [attempts, ends - now, text])
}
