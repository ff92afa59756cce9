import { limits } from '../limits.ts'
import type { Clock, Timer } from '../runtime/clock.ts'
import type { ListenSocket } from '../transport/socket.ts'

/** A final response, and where it went. */
export interface Answer {
  /** '' if it is not sent again. */
  readonly text: string
  readonly socket: ListenSocket
  readonly address: string
  readonly port: number
}

/**
 * What is left of transactions that have had their final response: what the response was and where it went. A client that lost the first answers asks again for 64*T1 and must get the same one (timer J, RFC 3261
 * §17.2.2): a MESSAGE that is delivered twice is worse than one that is late. Of an INVITE that was answered with 2xx
 * it is where further 2xx go (RFC 6026 §7).
 *
 * Nothing here is an object of the heap, because nothing costs the collector more than what lives for half a minute
 * and then dies. An answer is a record in a chunk of octets:
 *
 *     until, next: 8 octets each | hash, check, two lengths, socket, port: 4 each | address | response
 *
 * A record is found by its hash and believed by its check: together 64 bits of all that is compared, made with secrets
 * of the layer (matching.ts). Against the texts themselves that takes a quarter off a record and a microsecond off each.
 *
 * `#heads` has the youngest record of each bucket of hashes, and a record the next older one of its bucket. Places are
 * counted on for ever (chunk number times `stride`, plus the offset), so that a place in a chunk that is gone says so
 * by itself: no record is ever taken out. All are kept about equally long: whole chunks go, the oldest first.
 *
 * Most who ask are new. `#tags` says so in an octet, out of a table that is small enough to be in the cache: seven bits
 * of the youngest record's hash, and whether there are older ones. Without it each request waited for two lines of
 * memory, 200 to 400 ns.
 */
export class AnswerRing {
  readonly #clock: Clock
  readonly #chunksMax: number
  readonly #chunkBytes: number
  /** Oldest first. */
  readonly #chunks: Chunk[] = []
  /** The number of the oldest chunk. */
  #firstNumber = 1
  /** Places; 0 for none. Made when the first answer comes: a stateless router has none. */
  #heads = new Float64Array(0)
  #tags = new Uint8Array(0)
  readonly #buckets: number
  readonly #sockets: ListenSocket[] = []
  #size = 0
  #timer: Timer | null = null

  constructor(clock: Clock, bytesMax: number = limits.answeredBytesMax) {
    this.#clock = clock
    this.#chunkBytes = Math.max(minChunkBytes, Math.min(maxChunkBytes, (bytesMax >> 4) & ~7))
    this.#chunksMax = Math.max(1, Math.floor(bytesMax / this.#chunkBytes))
    this.#buckets = 2 ** Math.ceil(Math.log2(Math.min(bytesMax / bytesPerBucket, bucketsMax)))
  }

  /** Answers that are kept; some of them may have had their time. */
  get size(): number {
    return this.#size
  }

  /** The octets that they take, and those that are free for the next ones. */
  get bytes(): number {
    let bytes = 0
    for (const { octets } of this.#chunks) bytes += octets.length
    return bytes
  }

  /** False for a hash that no answer was remembered by: nobody need work out the check. */
  mayKnow(hash: number): boolean {
    return this.#size !== 0 && this.#placeOf(hash, null) !== 0
  }

  /** The youngest one. */
  find(hash: number, check: number): Answer | null {
    const place = this.#size === 0 ? 0 : this.#placeOf(hash, check)
    const chunk = place === 0 ? undefined : this.#chunkAt(place)
    if (chunk === undefined) return null
    const { ints, octets } = chunk
    const at = offsetOf(place)
    const int = at >> 2
    const socket = this.#sockets[ints[int + socketColumn] ?? -1]
    if (socket === undefined) return null
    const addressStart = at + headBytes
    const textStart = addressStart + (ints[int + addressLengthColumn] ?? 0)
    return {
      text: octets.toString('latin1', textStart, textStart + (ints[int + textLengthColumn] ?? 0)),
      socket,
      address: octets.toString('latin1', addressStart, textStart),
      port: ints[int + portColumn] ?? 0,
    }
  }

  remember(hash: number, check: number, answer: Answer, milliseconds: number): void {
    const { text, socket, address, port } = answer
    const bytes = (headBytes + address.length + text.length + 7) & ~7
    if (bytes > stride) return
    if (this.#heads.length === 0) {
      this.#heads = new Float64Array(this.#buckets)
      this.#tags = new Uint8Array(this.#buckets)
    }
    const now = this.#clock.now()
    const chunk = this.#chunkFor(bytes, now)
    const { octets, floats, ints, used: at } = chunk
    const until = now + milliseconds
    const bucket = hash & (this.#buckets - 1)
    const int = at >> 2
    const older = this.#heads[bucket] ?? 0
    floats[at >> 3] = until
    floats[(at >> 3) + 1] = older
    this.#tags[bucket] = tagOf(hash) | (this.#chunkAt(older) === undefined ? 0 : hasOlder)
    ints[int + hashColumn] = hash
    ints[int + checkColumn] = check
    ints[int + addressLengthColumn] = address.length
    ints[int + textLengthColumn] = text.length
    ints[int + socketColumn] = socket.index
    ints[int + portColumn] = port
    write(octets, address, at + headBytes)
    write(octets, text, at + headBytes + address.length)
    this.#sockets[socket.index] = socket
    this.#heads[bucket] = (this.#firstNumber + this.#chunks.length - 1) * stride + at
    chunk.used = at + bytes
    chunk.count++
    if (until > chunk.until) chunk.until = until
    this.#size++
    this.#timer ??= this.#clock.schedule(passMilliseconds, () => this.#pass())
  }

  clear(): void {
    this.#timer?.cancel()
    this.#timer = null
    while (this.#chunks.length > 0) this.#dropOldest()
  }

  /** The youngest record of that hash whose time is not over, and of that check if there is one; 0 if there is none. */
  #placeOf(hash: number, check: number | null): number {
    const bucket = hash & (this.#buckets - 1)
    const tag = this.#tags[bucket] ?? 0
    if (tag !== tagOf(hash) && (tag & hasOlder) === 0) return 0
    let place = this.#heads[bucket] ?? 0
    let chunk = this.#chunkAt(place)
    while (chunk !== undefined) {
      const { floats, ints } = chunk
      const at = offsetOf(place)
      const int = at >> 2
      const isMeant = ints[int + hashColumn] === hash && (check === null || ints[int + checkColumn] === check)
      if (isMeant && (floats[at >> 3] ?? 0) > this.#clock.now()) return place
      place = floats[(at >> 3) + 1] ?? 0
      chunk = this.#chunkAt(place)
    }
    return 0
  }

  /** Hot: an array that is asked for its element -1 looks for a property of that name, which takes 150 ns. */
  #chunkAt(place: number): Chunk | undefined {
    const index = Math.floor(place / stride) - this.#firstNumber
    return index < 0 ? undefined : this.#chunks[index]
  }

  /** The youngest chunk, or a new one if it is full. */
  #chunkFor(bytes: number, now: number): Chunk {
    const youngest = this.#chunks[this.#chunks.length - 1]
    if (youngest !== undefined && youngest.used + bytes <= youngest.octets.length) return youngest
    const spare = this.#makeRoom(now)
    const chunk =
      spare !== null && bytes <= spare.octets.length ? spare : createChunk(bytes, this.#chunkBytes)
    this.#chunks.push(chunk)
    return chunk
  }

  /** Chunks whose time is over go; where there are too many, the oldest. One of them may be used again. */
  #makeRoom(now: number): Chunk | null {
    let spare: Chunk | null = null
    for (let oldest = this.#chunks[0]; oldest !== undefined; oldest = this.#chunks[0]) {
      if (oldest.until > now && this.#chunks.length < this.#chunksMax) break
      spare = this.#dropOldest()
    }
    return spare
  }

  #dropOldest(): Chunk | null {
    const oldest = this.#chunks.shift()
    if (oldest === undefined) return null
    this.#firstNumber++
    this.#size -= oldest.count
    oldest.used = oldest.count = oldest.until = 0
    return oldest
  }

  #pass(): void {
    const now = this.#clock.now()
    for (
      let oldest = this.#chunks[0];
      oldest !== undefined && oldest.until <= now;
      oldest = this.#chunks[0]
    ) {
      this.#dropOldest()
    }
    this.#timer =
      this.#chunks.length === 0 ? null : this.#clock.schedule(passMilliseconds, () => this.#pass())
  }
}

/** What Buffer has and its types leave out: write() without its checks, which take as long again. */
interface Octets extends Buffer {
  latin1Write(text: string, offset: number, length: number): number
}

interface Chunk {
  readonly octets: Octets
  readonly floats: Float64Array
  readonly ints: Int32Array
  /** Where the next record goes. */
  used: number
  count: number
  /** When the last of its records has had its time. */
  until: number
}

/** Bits of the hash that say nothing about its bucket. */
function tagOf(hash: number): number {
  return hash >>> 25
}

/** In its chunk. Hot: `%` of numbers of more than 32 bits is a call of the C library. */
function offsetOf(place: number): number {
  return place - Math.floor(place / stride) * stride
}

/** Hot: an address is written in a fifth of the time that it takes to call the Buffer's own method. */
function write(octets: Octets, text: string, at: number): void {
  const { length } = text
  if (length > shortLength) octets.latin1Write(text, at, length)
  else for (let i = 0; i < length; i++) octets[at + i] = text.charCodeAt(i)
}

/** Up to here a loop is the faster way. */
const shortLength = 24

function createChunk(bytes: number, chunkBytes: number): Chunk {
  const { buffer } = Buffer.allocUnsafeSlow(Math.max(bytes, chunkBytes))
  return {
    octets: Buffer.from(buffer) as Octets,
    floats: new Float64Array(buffer),
    ints: new Int32Array(buffer),
    used: 0,
    count: 0,
    until: 0,
  }
}

/** More than any record takes. */
const stride = 2 ** 20
const minChunkBytes = 1_024
const maxChunkBytes = 262_144
/** Of a tag: there are records behind the youngest one. */
const hasOlder = 0x80
/** About what an answer takes. */
const bytesPerBucket = 512
const bucketsMax = 262_144
const passMilliseconds = 1_000

const headBytes = 40
/** Behind the two numbers of 8 octets, counted in 4. */
const hashColumn = 4
const checkColumn = 5
const addressLengthColumn = 6
const textLengthColumn = 7
const socketColumn = 8
const portColumn = 9
