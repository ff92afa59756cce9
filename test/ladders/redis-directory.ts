import type { SimulatedClock } from '../../src/testing/clock.ts'
import type { SharedDirectory } from '../../src/testing/shared-location.ts'
import { type MemoryLink, MemoryRedis } from '../edges/memory-redis.ts'

/** The switches of a SharedDirectory for edges that share a Redis in memory, with all of src/edges between. */
export type Switches = Pick<
  SharedDirectory,
  'isAway' | 'delayMs' | 'contacts' | 'cut' | 'mend' | 'kill' | 'forget'
>

export class RedisDirectory implements Switches {
  readonly #redis: MemoryRedis
  readonly #links: { readonly name: string; readonly link: MemoryLink }[] = []
  #isAway = false
  #delayMs = 0

  constructor(clock: SimulatedClock) {
    this.#redis = new MemoryRedis(clock)
  }

  /** One worker's of that edge. */
  open(name: string): MemoryLink {
    const link = this.#redis.link()
    this.#links.push({ name, link })
    link.find()
    return link
  }

  get isAway(): boolean {
    return this.#isAway
  }

  set isAway(away: boolean) {
    this.#isAway = away
    if (away) this.#redis.stop()
    else this.#redis.start()
  }

  get delayMs(): number {
    return this.#delayMs
  }

  set delayMs(milliseconds: number) {
    this.#delayMs = milliseconds
    for (const { link } of this.#links) link.delayMs = milliseconds
  }

  cut(name: string): void {
    for (const one of this.#links) if (one.name === name) one.link.lose()
  }

  mend(name: string): void {
    for (const one of this.#links) if (one.name === name) one.link.find()
  }

  kill(name: string): void {
    this.cut(name)
  }

  forget(): void {
    this.#redis.stop()
    this.#redis.flush()
    this.#redis.start()
  }

  contacts(aor: string): string[] {
    const held = [...this.#redis.records].filter(([key]) => key.endsWith(`:${aor}`))
    return held
      .flatMap(([, { live }]) => live.filter(({ until }) => until > this.#redis.now))
      .map(({ edge, contact }) => `${edge} ${contact}`)
      .sort()
  }
}
