import { lookup, Resolver } from 'node:dns/promises'
import { LRUCache } from 'lru-cache'
import { limits } from '../limits.ts'
import type { Lookups, SrvRecord } from './locate.ts'

/**
 * DNS for locate.ts: asked once, remembered for as long as the records say, within bounds. Never rejects: a name
 * that cannot be resolved has no addresses, and is asked for again soon.
 */
export interface DnsSource {
  resolve4(name: string): Promise<readonly { address: string; ttl: number }[]>
  resolve6(name: string): Promise<readonly { address: string; ttl: number }[]>
  resolveSrv(
    name: string,
  ): Promise<readonly { name: string; port: number; priority: number; weight: number }[]>
  /** The system's own way: /etc/hosts and what else it knows. */
  lookup(name: string): Promise<readonly { address: string }[]>
}

/** Seconds for which an answer is believed that says nothing about it (SRV, /etc/hosts), and the bounds for one that does. */
const ttlSeconds = { default: 60, least: 5, most: 3_600, failed: 10 }
interface Answer<T> {
  records: readonly T[]
  ttlSeconds: number
}

export function createLookups(integer: (below: number) => number, source = systemDns()): Lookups {
  const addresses = new AnswerCache((host) => askAddresses(source, host))
  const services = new AnswerCache((name) => askServices(source, name))
  return {
    srv: (name) => services.get(name.toLowerCase()),
    addresses: (host) => addresses.get(host.toLowerCase()),
    integer,
  }
}

class AnswerCache<T> {
  readonly #known = new LRUCache<string, readonly T[]>({ max: limits.dnsNamesMax, ttl: 1_000 })
  readonly #asked = new Map<string, Promise<readonly T[]>>()
  readonly #ask: (name: string) => Promise<Answer<T>>

  constructor(ask: (name: string) => Promise<Answer<T>>) {
    this.#ask = ask
  }

  async get(name: string): Promise<readonly T[]> {
    const known = this.#known.get(name)
    if (known) return known
    const asked = this.#asked.get(name)
    if (asked) return asked
    if (this.#asked.size >= limits.dnsQuestionsMax) return []
    const question = this.#ask(name).then(({ records, ttlSeconds }) => {
      this.#known.set(name, records, { ttl: ttlSeconds * 1_000 })
      this.#asked.delete(name)
      return records
    })
    this.#asked.set(name, question)
    return question
  }
}

/** A and AAAA at once; the system's own sources if DNS knows neither. IPv4 first: it is what most devices speak. */
async function askAddresses(source: DnsSource, host: string): Promise<Answer<string>> {
  const [four, six] = await Promise.all([orEmpty(source.resolve4(host)), orEmpty(source.resolve6(host))])
  const found = [...four, ...six]
  if (found.length > 0) {
    return { records: found.map(({ address }) => address), ttlSeconds: bounded(found) }
  }
  const known = await orEmpty(source.lookup(host))
  return {
    records: known.map(({ address }) => address),
    ttlSeconds: known.length > 0 ? ttlSeconds.default : ttlSeconds.failed,
  }
}

async function askServices(source: DnsSource, name: string): Promise<Answer<SrvRecord>> {
  const found = await orEmpty(source.resolveSrv(name))
  const records = found.map(({ name: target, port, priority, weight }) => ({
    target,
    port,
    priority,
    weight,
  }))
  return { records, ttlSeconds: ttlSeconds.default }
}

function bounded(records: readonly { ttl: number }[]): number {
  const least = Math.min(...records.map(({ ttl }) => ttl))
  return Math.min(Math.max(least, ttlSeconds.least), ttlSeconds.most)
}

async function orEmpty<T>(answer: Promise<readonly T[]>): Promise<readonly T[]> {
  try {
    return await answer
  } catch {
    return []
  }
}

function systemDns(): DnsSource {
  const resolver = new Resolver({ timeout: 2_000, tries: 2 })
  return {
    resolve4: (name) => resolver.resolve4(name, { ttl: true }),
    resolve6: (name) => resolver.resolve6(name, { ttl: true }),
    resolveSrv: (name) => resolver.resolveSrv(name),
    lookup: (name) => lookup(name, { all: true }),
  }
}
