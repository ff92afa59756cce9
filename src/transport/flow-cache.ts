import { canonicalAddress } from './address.ts'
import { word } from './native-addon.ts'
import type { Flow, ListenSocket } from './socket.ts'

/**
 * From the record of a datagram to its flow. Hot: once per datagram in.
 *
 * The same peers speak again and again, and a flow never changes: who spoke before is the same object, without a text
 * being made of its address (150 ns), and transactions of one peer share it. Direct-mapped: a newcomer takes the
 * place of another.
 */
export class FlowCache {
  readonly #sockets: readonly ListenSocket[]
  readonly #mask: number
  /** Socket, port and address of each flow, as they stand in a record. */
  readonly #keys: Int32Array
  readonly #flows: (Flow | undefined)[]

  /** `size` is a power of two. */
  constructor(sockets: readonly ListenSocket[], size: number) {
    this.#sockets = sockets
    this.#mask = size - 1
    this.#keys = new Int32Array(size * keyWords)
    this.#flows = new Array<Flow | undefined>(size).fill(undefined)
  }

  /** The flow of the record that begins at this word. */
  flow(records: Int32Array, at: number): Flow {
    const place = this.#hash(records, at) & this.#mask
    const flow = this.#flows[place]
    if (flow !== undefined && this.#isSame(place * keyWords, records, at)) return flow
    return this.#add(place, records, at)
  }

  #hash(records: Int32Array, at: number): number {
    let hash = int(records, at + word.socket)
    for (let i = word.port; i < word.scope; i++) hash = Math.imul(hash ^ int(records, at + i), 0x9e3779b1)
    return hash ^ (hash >>> 15)
  }

  #isSame(key: number, records: Int32Array, at: number): boolean {
    for (let i = 0; i < keyWords; i++) {
      if (this.#keys[key + i] !== records[at + word.socket + i]) return false
    }
    return true
  }

  #add(place: number, records: Int32Array, at: number): Flow {
    const socket = this.#sockets[int(records, at + word.socket)]
    if (socket === undefined) throw new Error('a datagram of a socket that there is not')
    const address = addressText(records, at, socket.family)
    const flow = { socket, address, port: int(records, at + word.port) }
    this.#flows[place] = flow
    for (let i = 0; i < keyWords; i++) {
      this.#keys[place * keyWords + i] = int(records, at + word.socket + i)
    }
    return flow
  }
}

/** Socket, port, address. */
const keyWords = word.scope - word.socket

function addressText(records: Int32Array, at: number, family: 4 | 6): string {
  const first = int(records, at + word.address)
  if (family === 4) return `${first >>> 24}.${(first >> 16) & 255}.${(first >> 8) & 255}.${first & 255}`
  const groups: string[] = []
  for (let i = 0; i < 4; i++) {
    const bits = int(records, at + word.address + i)
    groups.push((bits >>> 16).toString(16), (bits & 0xffff).toString(16))
  }
  return canonicalAddress(groups.join(':'))
}

/** Within the array by construction. */
function int(words: Int32Array, at: number): number {
  return words[at] ?? 0
}
