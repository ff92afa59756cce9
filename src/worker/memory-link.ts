import type { Link, LinkReceiver } from './link.ts'

/**
 * Links between workers that live in one thread: for ladders. What passes arrives once everything that runs now has
 * ended; no time passes.
 */
export function memoryLinks(count: number): Link[] {
  const links = Array.from({ length: count }, (_, index) => new MemoryLink(index, count))
  for (const link of links) link.others = links
  return links
}

class MemoryLink implements Link {
  readonly index: number
  readonly count: number
  others: readonly MemoryLink[] = []
  #receiver: LinkReceiver | null = null
  #arrived: ((receiver: LinkReceiver) => void)[] = []

  constructor(index: number, count: number) {
    this.index = index
    this.count = count
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
    queueMicrotask(() => this.catchUp())
  }
}
