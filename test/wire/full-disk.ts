import { writeFileSync } from 'node:fs'

/** Writes until nothing fits any more. */
export function fill(path: string): void {
  for (let octets = 1 << 20; octets >= 1_024; octets >>= 1) {
    for (let isFull = false; !isFull; ) {
      try {
        writeFileSync(path, Buffer.alloc(octets), { flag: 'a' })
      } catch {
        isFull = true
      }
    }
  }
}
