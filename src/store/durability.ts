/**
 * What an acknowledgement waits for: a 200 to REGISTER is sent when the binding would survive this.
 *
 *   memory  nothing: it is in this process, and on its way to the store (what Kamailio calls write-back)
 *   crash   the end of the process: the kernel has it (write-through). kill -9 loses nothing
 *   power   the end of the machine: the disk has said that it has it
 */
export const durabilities = ['memory', 'crash', 'power'] as const

export type Durability = (typeof durabilities)[number]

/** Null: no such word. */
export function durabilityOf(word: string): Durability | null {
  return durabilities.find((one) => one === word) ?? null
}
