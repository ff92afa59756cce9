import type { Clock } from '../runtime/clock.ts'
import type { Link, LinkReceiver } from './link.ts'

/**
 * Links between workers that live in one thread: for ladders. What passes waits for the next turn of the clock, which
 * takes no time.
 */
export function memoryLinks(count: number, clock: Clock): Link[] {
  const links = Array.from({ length: count }, (_, index) => new MemoryLink(index, count, clock))
  for (const link of links) link.others = links
  return links
}

class MemoryLink implements Link {
  readonly index: number
  readonly count: number
  others: readonly MemoryLink[] = []
  readonly #clock: Clock
  #receiver: LinkReceiver | null = null
  #arrived: ((receiver: LinkReceiver) => void)[] = []

  constructor(index: number, count: number, clock: Clock) {
    this.index = index
    this.count = count
    this.#clock = clock
  }

  passDatagram(
    to: number,
    text: string,
    socketIndex: number,
    address: string,
    port: number,
    hops: number,
  ): boolean {
    this.others[to]?.arrive((receiver) => receiver.onPassed(text, socketIndex, address, port, hops))
    return true
  }

  tell(to: number, topic: string, text: string): boolean {
    this.others[to]?.arrive((receiver) => receiver.onTold(this.index, topic, text))
    return true
  }

  open(receiver: LinkReceiver): void {
    this.#receiver = receiver
    this.catchUp()
  }

  catchUp(): void {
    const receiver = this.#receiver
    if (receiver !== null) for (const hand of this.#arrived.splice(0)) hand(receiver)
  }

  close(): void {
    this.#receiver = null
  }

  arrive(hand: (receiver: LinkReceiver) => void): void {
    this.#arrived.push(hand)
    this.#clock.schedule(0, () => this.catchUp())
  }
}
