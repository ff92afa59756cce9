import type { RedisReply } from '../../src/redis/redis.ts'
import type { MemoryRedis } from './memory-redis.ts'

/** beatScript, as it is meant. */
export interface HeldEdge {
  uri: string
  instance: string
  life: number
  at: number
  every: number
  draining: string
  isGone: boolean
  floors: string
}

export function runBeat(redis: MemoryRedis, args: readonly string[], secret: Buffer): RedisReply {
  const [kind = '', name = '', uri = '', instance = '', life = '0', every = '0', draining = '0'] = args
  const [given = '', candidate = '', , channel = '', missed = '3', forgotten = '0', epoch, unsettled = ''] =
    args.slice(7)
  const { now } = redis
  const hash = (redis.hash ??= { epoch: candidate, secret: Buffer.from(secret), edges: new Map() })
  const floors = hash.epoch === epoch ? given : unsettled
  const before = hash.edges.get(name)
  const isMine = before?.instance === instance
  const isOthers = before !== undefined && !isMine
  const isTaken =
    isOthers && Number(life) > 0 && !before.isGone && now - before.at <= Number(missed) * before.every
  if (kind !== 'look' && !isTaken && (kind !== 'bye' || isMine)) {
    const next = isMine ? before.life : isOthers ? Math.max(Number(life), before.life + 1) : Number(life)
    const after: HeldEdge = {
      uri,
      instance,
      life: Math.max(next, 1),
      at: now,
      every: Number(every),
      draining,
      isGone: kind === 'bye',
      floors,
    }
    hash.edges.set(name, after)
    const isNews =
      !isMine ||
      now - before.at > Number(missed) * before.every ||
      before.uri !== uri ||
      before.draining !== draining ||
      before.isGone !== after.isGone ||
      before.floors !== floors
    if (isNews) redis.publish(channel, name)
  }
  for (const [one, edge] of hash.edges) if (now - edge.at > Number(forgotten)) hash.edges.delete(one)
  return [
    now,
    Buffer.from(hash.epoch),
    hash.secret,
    ...[...hash.edges].map(([one, edge]) => [
      ...[
        Buffer.from(one),
        Buffer.from(edge.uri),
        Buffer.from(edge.instance),
        edge.life,
        edge.at,
        edge.every,
      ],
      ...[Buffer.from(edge.draining), edge.isGone ? 1 : 0, Buffer.from(edge.floors)],
    ]),
  ]
}
