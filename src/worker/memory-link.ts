import type { Clock } from '../runtime/clock.ts'
import type { Link, LinkReceiver } from './link.ts'

/** Links between workers that live in one thread: for ladders. What passes takes a turn of the clock and no time. */
export function memoryLinks(count: number, clock: Clock): Link[] {
  const receivers: (LinkReceiver | null)[] = Array.from({ length: count }, () => null)
  return receivers.map((_, index) => ({
    index,
    count,
    passDatagram(to, text, socketIndex, address, port, hops) {
      clock.schedule(0, () => receivers[to]?.onPassed(text, socketIndex, address, port, hops))
      return true
    },
    tell(to, topic, text) {
      clock.schedule(0, () => receivers[to]?.onTold(index, topic, text))
      return true
    },
    open(receiver) {
      receivers[index] = receiver
    },
    close() {
      receivers[index] = null
    },
  }))
}
