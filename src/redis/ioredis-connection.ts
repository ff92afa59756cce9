import { setImmediate } from 'node:timers'
import type { Cluster, ClusterOptions, Redis, RedisOptions } from 'ioredis'
import { limits } from '../limits.ts'
import type { Answer, Connection } from './connection.ts'
import type { RedisArgument } from './redis.ts'
import type { Script } from './script.ts'
import type { HostAndPort, RedisAddress } from './url.ts'

/**
 * What ioredis does for us: the protocol, sentinels, a cluster's slots and redirections. What it must not do: keep
 * operations for later, send them again, or connect again by itself. Those are ours, with bounds (link.ts).
 *
 * It is loaded when the first connection is opened: a router without Redis never reads it.
 */
export class IoredisConnection implements Connection {
  readonly opened: Promise<string | null>
  readonly #address: RedisAddress
  readonly #onEnd: (reason: string) => void
  #client: Redis | Cluster | null = null
  #isOver = false
  /** The last that went wrong: ioredis says why before it says that it is over. */
  #trouble = ''
  /** Sockets that hold back what is written until the turn is over. */
  #corked: Redis['stream'][] | null = null

  constructor(
    address: RedisAddress,
    attempt: number,
    scripts: Iterable<Script<unknown>>,
    onEnd: (reason: string) => void,
  ) {
    this.#address = address
    this.#onEnd = onEnd
    this.opened = this.#open(attempt, scripts)
  }

  send(command: string, args: readonly RedisArgument[], answer: Answer): void {
    if (this.#client === null || this.#isOver) {
      queueMicrotask(() => answer.lost())
      return
    }
    if (this.#corked === null) this.#cork()
    this.#client.callBuffer(command, ...args).then(
      (reply) => answer.replied(reply),
      (error: Error) => {
        if (error.name === 'ReplyError') answer.refused(error.message)
        else answer.lost()
      },
    )
  }

  tell(script: Script<unknown>): void {
    if (this.#client === null || this.#isOver) return
    if (this.#corked === null) this.#cork()
    // Who could not be told says NOSCRIPT, and is sent the text.
    for (const node of mastersOf(this.#client)) node.call('SCRIPT', 'LOAD', script.lua).catch(() => {})
  }

  drop(): void {
    this.#isOver = true
    this.#client?.disconnect()
  }

  async #open(attempt: number, scripts: Iterable<Script<unknown>>): Promise<string | null> {
    try {
      const client = await connectedClient(this.#address, attempt)
      if (this.#isOver) {
        client.disconnect()
        return 'given up'
      }
      this.#client = client
      const trouble = (await this.#ready(client)) ?? (await this.#examine(client, scripts))
      if (trouble !== null) return trouble
      // Until here `opened` says what went wrong, from here on `onEnd`.
      client.on('end', () => this.#end('connection closed'))
      if (this.#isOver || client.status === 'end') return this.#trouble || 'connection closed'
      return null
    } catch (error) {
      return messageOf(error)
    }
  }

  #ready(client: Redis | Cluster): Promise<string | null> {
    return new Promise((resolve) => {
      client.on('error', (error: Error) => {
        this.#trouble = error.message
        resolve(error.message)
      })
      // A node that refuses a cluster's client: why is said here, and then only that none could be reached.
      client.on('node error', (error: Error) => {
        this.#trouble = error.message
      })
      // ioredis connects to a node when it is first needed, and refuses what comes while it does.
      client.on('+node', (node: Redis) => {
        if (node.status === 'wait') node.connect().catch(() => {})
      })
      client.once('ready', () => resolve(null))
      client.once('end', () => resolve(this.#trouble || 'connection closed'))
    })
  }

  /** Most of the masters must answer: a cluster with one that hangs serves the keys of the others. */
  #examine(client: Redis | Cluster, scripts: Iterable<Script<unknown>>): Promise<string | null> {
    const nodes = mastersOf(client)
    const known = [...scripts]
    return new Promise((resolve) => {
      let fit = 0
      let unfit = 0
      for (const node of nodes) {
        void examined(node, known).then((trouble) => {
          if (trouble === null) fit++
          else unfit++
          if (fit * 2 > nodes.length) resolve(null)
          else if (unfit * 2 >= nodes.length) resolve(trouble)
        })
      }
      if (nodes.length === 0) resolve('a cluster without masters')
    })
  }

  #end(reason: string): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#onEnd(this.#trouble || reason)
  }

  /** All that is sent until the loop has handled what it had to goes out in one system call for each node. */
  #cork(): void {
    const corked = this.#client === null ? [] : mastersOf(this.#client).map(({ stream }) => stream)
    for (const stream of corked) stream?.cork()
    this.#corked = corked
    setImmediate(() => {
      this.#corked = null
      for (const stream of corked) stream?.uncork()
    })
  }
}

/** Whether a node answers, and is a master; it learns the scripts that the link has run before. */
async function examined(node: Redis, scripts: readonly Script<unknown>[]): Promise<string | null> {
  try {
    await node.call('PING')
    const role = await node.call('ROLE').catch(ifNotPermitted)
    if (Array.isArray(role) && role[0] !== 'master') return `${String(role[0])}, not a master`
    await Promise.all(scripts.map(({ lua }) => node.call('SCRIPT', 'LOAD', lua).catch(ifNotPermitted)))
    return null
  } catch (error) {
    return messageOf(error)
  }
}

/** A user who may not ask for the role, or tell a script: what it may do shows when it does it. */
function ifNotPermitted(error: Error): null {
  if (error.message.startsWith('NOPERM')) return null
  throw error
}

function mastersOf(client: Redis | Cluster): Redis[] {
  return 'nodes' in client ? client.nodes('master') : [client]
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

async function connectedClient(address: RedisAddress, attempt: number): Promise<Redis | Cluster> {
  const { Redis, Cluster } = await import('ioredis')
  if (address.kind !== 'cluster') return new Redis(serverOptions(address, attempt))
  return new Cluster([...rotated(address.hosts, attempt)], clusterOptions(address))
}

/** For one server, found by its name or by the sentinels. docs/decisions/0020-redis.md says why each. */
export function serverOptions(address: RedisAddress, attempt: number) {
  const [first] = rotated(address.hosts, attempt)
  return {
    ...commonOptions(address),
    enableOfflineQueue: false,
    retryStrategy: null,
    db: address.db,
    ...(address.kind === 'sentinel'
      ? {
          // One that is stale must not be asked for ever.
          sentinels: [...rotated(address.hosts, attempt)],
          name: address.masterName,
          sentinelRetryStrategy: () => null,
          sentinelCommandTimeout: limits.redisConnectMilliseconds / 2,
          updateSentinels: false,
          enableTLSForSentinelMode: address.isTls,
          sentinelTLS: address.isTls ? {} : undefined,
        }
      : { host: first?.host ?? '', port: first?.port ?? 0 }),
  } satisfies RedisOptions
}

function clusterOptions(address: RedisAddress) {
  return {
    redisOptions: commonOptions(address),
    enableOfflineQueue: false,
    enableReadyCheck: true,
    clusterRetryStrategy: null,
    scaleReads: 'master',
    // Only what Redis has refused to do is asked again, elsewhere: MOVED, ASK, TRYAGAIN.
    maxRedirections: 4,
    retryDelayOnFailover: 0,
    retryDelayOnClusterDown: 0,
    slotsRefreshTimeout: limits.redisConnectMilliseconds,
    slotsRefreshInterval: limits.redisWindowMilliseconds,
  } satisfies ClusterOptions
}

function commonOptions(address: RedisAddress) {
  return {
    protocol: 2,
    enableReadyCheck: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    disableClientInfo: true,
    connectTimeout: limits.redisConnectMilliseconds,
    disconnectTimeout: limits.redisProbeMillisecondsMin,
    socketTimeout: limits.redisConnectMilliseconds,
    noDelay: true,
    ...(address.user !== '' && { username: address.user }),
    ...(address.password !== '' && { password: address.password }),
    tls: address.isTls ? {} : undefined,
  } satisfies RedisOptions
}

export function rotated(hosts: readonly HostAndPort[], attempt: number): HostAndPort[] {
  const first = attempt % hosts.length
  return [...hosts.slice(first), ...hosts.slice(0, first)]
}
