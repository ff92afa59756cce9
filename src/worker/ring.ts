/**
 * Shared memory through which one worker hands records to one other: written by the first, read by the second, without
 * a lock. What does not fit is refused; a record is visible once it is whole, so that a worker that dies while it
 * writes leaves nothing by half.
 *
 *   control: 0 octets written so far, 1 octets read so far (both modulo 2^32)
 *   record:  length of all (4), kind (1), hops (1), socket (2), port (2), octets of the name (2), of the text (4), name, text
 *
 * A record never wraps: where it does not fit before the end a mark says so, and it stands at the beginning.
 */
export interface RingReader {
  /** A datagram that arrived at another worker. */
  onDatagram(text: string, socketIndex: number, address: string, port: number, hops: number): void
  onNotice(topic: string, text: string): void
}

const controlBytes = 64
const headerBytes = 16
const endMark = 0xffff_ffff
const datagramKind = 1
const noticeKind = 2

/** `capacity` is a power of two. */
export function ringMemory(capacity: number): SharedArrayBuffer {
  return new SharedArrayBuffer(controlBytes + capacity)
}

export class Ring {
  readonly #control: Int32Array
  readonly #bytes: Buffer
  readonly #capacity: number

  constructor(memory: SharedArrayBuffer) {
    this.#control = new Int32Array(memory, 0, 2)
    this.#bytes = Buffer.from(memory, controlBytes)
    this.#capacity = this.#bytes.length
  }

  get isEmpty(): boolean {
    return Atomics.load(this.#control, 0) === Atomics.load(this.#control, 1)
  }

  /** Latin-1 text. False if there is no room. */
  writeDatagram(text: string, socketIndex: number, address: string, port: number, hops: number): boolean {
    const at = this.#reserve(address.length + text.length)
    if (at < 0) return false
    const bytes = this.#bytes
    bytes[at + 4] = datagramKind
    bytes[at + 5] = hops
    bytes.writeUInt16LE(socketIndex, at + 6)
    bytes.writeUInt16LE(port, at + 8)
    bytes.writeUInt16LE(address.length, at + 10)
    bytes.writeUInt32LE(text.length, at + 12)
    bytes.write(address, at + headerBytes, 'latin1')
    bytes.write(text, at + headerBytes + address.length, 'latin1')
    this.#publish(at)
    return true
  }

  /** Any text; the topic is ASCII. False if there is no room. */
  writeNotice(topic: string, text: string): boolean {
    const length = Buffer.byteLength(text)
    const at = this.#reserve(topic.length + length)
    if (at < 0) return false
    const bytes = this.#bytes
    bytes[at + 4] = noticeKind
    bytes.writeUInt16LE(topic.length, at + 10)
    bytes.writeUInt32LE(length, at + 12)
    bytes.write(topic, at + headerBytes, 'latin1')
    bytes.write(text, at + headerBytes + topic.length, 'utf8')
    this.#publish(at)
    return true
  }

  /** Hands over at most so many records; how many there were. A record is taken before it is handed over. */
  read(reader: RingReader, recordsMax: number): number {
    const control = this.#control
    const bytes = this.#bytes
    const written = Atomics.load(control, 0)
    let count = 0
    while (count < recordsMax) {
      const done = Atomics.load(control, 1)
      if (done === written) break
      const at = done & (this.#capacity - 1)
      const length = bytes.readUInt32LE(at)
      if (length === endMark) {
        Atomics.store(control, 1, (done + this.#capacity - at) | 0)
        continue
      }
      const nameAt = at + headerBytes
      const textAt = nameAt + bytes.readUInt16LE(at + 10)
      const textEnd = textAt + bytes.readUInt32LE(at + 12)
      const kind = bytes[at + 4]
      const hops = bytes[at + 5] ?? 0
      const socketIndex = bytes.readUInt16LE(at + 6)
      const port = bytes.readUInt16LE(at + 8)
      const name = bytes.toString('latin1', nameAt, textAt)
      const text = bytes.toString(kind === datagramKind ? 'latin1' : 'utf8', textAt, textEnd)
      Atomics.store(control, 1, (done + length) | 0)
      count++
      if (kind === datagramKind) reader.onDatagram(text, socketIndex, name, port, hops)
      else reader.onNotice(name, text)
    }
    return count
  }

  /** Where a record of so many octets of content may be written; -1 if there is no room. */
  #reserve(contentBytes: number): number {
    const length = (headerBytes + contentBytes + 7) & ~7
    const written = Atomics.load(this.#control, 0)
    const free = this.#capacity - ((written - Atomics.load(this.#control, 1)) >>> 0)
    const at = written & (this.#capacity - 1)
    const toEnd = this.#capacity - at
    if (toEnd >= length) {
      if (free < length) return -1
      this.#bytes.writeUInt32LE(length, at)
      return at
    }
    if (free < toEnd + length) return -1
    this.#bytes.writeUInt32LE(endMark, at)
    Atomics.store(this.#control, 0, (written + toEnd) | 0)
    this.#bytes.writeUInt32LE(length, 0)
    return 0
  }

  #publish(at: number): void {
    const written = Atomics.load(this.#control, 0)
    Atomics.store(this.#control, 0, (written + this.#bytes.readUInt32LE(at)) | 0)
  }
}
