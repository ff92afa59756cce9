import type { Redis } from 'ioredis'
import type { Listening } from './connection.ts'
import { messageOf, rotated, serverOptions } from './ioredis-connection.ts'
import type { RedisAddress } from './url.ts'

/**
 * A connection that only listens. In a cluster it is to any one of the nodes of the URL: PUBLISH reaches all of them,
 * as it does in Redis without a cluster, in every version, and in Valkey.
 */
export class IoredisListening implements Listening {
  readonly opened: Promise<string | null>
  readonly #onMessage: (channel: string, message: Buffer) => void
  readonly #onEnd: (reason: string) => void
  #client: Redis | null = null
  #isOver = false

  constructor(
    address: RedisAddress,
    attempt: number,
    onMessage: (channel: string, message: Buffer) => void,
    onEnd: (reason: string) => void,
  ) {
    this.#onMessage = onMessage
    this.#onEnd = onEnd
    this.opened = this.#open(address, attempt)
  }

  listen(channels: readonly string[]): Promise<string | null> {
    return this.#asked(async (client) => await client.subscribe(...channels.map(octetsOf)))
  }

  forget(channel: string): void {
    void this.#asked(async (client) => await client.unsubscribe(octetsOf(channel)))
  }

  ping(): Promise<string | null> {
    return this.#asked(async (client) => await client.ping())
  }

  drop(): void {
    this.#isOver = true
    this.#client?.disconnect()
  }

  async #open(address: RedisAddress, attempt: number): Promise<string | null> {
    try {
      const { Redis } = await import('ioredis')
      if (this.#isOver) return 'given up'
      const [host] = rotated(address.hosts, attempt)
      const only =
        address.kind === 'cluster' && host ? { ...address, kind: 'single' as const, hosts: [host] } : address
      const client = new Redis(serverOptions(only, attempt))
      this.#client = client
      client.on('messageBuffer', (channel: Buffer, message: Buffer) => {
        if (!this.#isOver) this.#onMessage(channel.toString('latin1'), message)
      })
      return await this.#ready(client)
    } catch (error) {
      return messageOf(error)
    }
  }

  /** What ends it before it is ready is the answer; what ends it later is the end. */
  #ready(client: Redis): Promise<string | null> {
    return new Promise((resolve) => {
      let isReady = false
      let trouble = 'connection closed'
      client.on('error', (error: Error) => {
        trouble = error.message
        resolve(trouble)
      })
      client.once('ready', () => {
        isReady = true
        resolve(null)
      })
      client.once('end', () => {
        resolve(trouble)
        if (!isReady || this.#isOver) return
        this.#isOver = true
        this.#onEnd(trouble)
      })
    })
  }

  async #asked(what: (client: Redis) => Promise<unknown>): Promise<string | null> {
    if (this.#client === null) return 'not connected'
    try {
      await what(this.#client)
      return null
    } catch (error) {
      return messageOf(error)
    }
  }
}

function octetsOf(channel: string): Buffer {
  return Buffer.from(channel, 'latin1')
}
