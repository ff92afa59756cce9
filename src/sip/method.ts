/**
 * Methods as bits, so that a test for "INVITE|MESSAGE" is one AND. The names and the order of the first
 * fourteen are Kamailio's; a method not listed here is `other` and compared by its name. Methods are
 * case-sensitive (RFC 3261 §7.1).
 */
export const Method = {
  INVITE: 1 << 0,
  CANCEL: 1 << 1,
  ACK: 1 << 2,
  BYE: 1 << 3,
  INFO: 1 << 4,
  REGISTER: 1 << 5,
  SUBSCRIBE: 1 << 6,
  NOTIFY: 1 << 7,
  MESSAGE: 1 << 8,
  OPTIONS: 1 << 9,
  PRACK: 1 << 10,
  UPDATE: 1 << 11,
  REFER: 1 << 12,
  PUBLISH: 1 << 13,
  other: 1 << 14,
} as const

const names = Object.keys(Method).filter((name) => name !== 'other')

const masks: ReadonlyMap<string, number> = new Map(
  Object.entries(Method).filter(([name]) => name !== 'other'),
)

/** The bit of a method name, `Method.other` if it has none. */
export function methodMask(name: string): number {
  return masks.get(name) ?? Method.other
}

/**
 * The method between two offsets of a message. For those above it is always the same string, not a new slice: it
 * keeps no datagram alive, is compared by its address, and has its hash already where a table asks for it. Length and
 * first letter choose one of 64 slots; a test holds that no two names share one. Hot.
 */
export function methodAt(text: string, start: number, end: number): string {
  const name = slots[methodSlot(end - start, text.charCodeAt(start))] as string
  return name.length === end - start && text.startsWith(name, start) ? name : text.slice(start, end)
}

export function methodSlot(length: number, first: number): number {
  return (length * 11 + first) & 63
}

const slots = new Array<string>(64).fill('')
for (const name of names) slots[methodSlot(name.length, name.charCodeAt(0))] = name
