import { getSystemErrorName } from 'node:util'
import { limits } from '../limits.ts'
import { withdrawRecords } from '../sip/header-table.ts'
import { isUsual, type ScanRecord, scanRecordWords } from '../sip/scan-record.ts'
import { bindError } from './bind-error.ts'
import { Destinations } from './destinations.ts'
import { FlowCache } from './flow-cache.ts'
import {
  type NativeAddon,
  type NativeEngine,
  type NativeTables,
  recordWords,
  stateWord,
  stateWords,
  word,
} from './native-addon.ts'
import type { Flow, ListenRequest, ListenSocket } from './socket.ts'
import { createListenSocket } from './sockets.ts'
import type { DatagramBatch, NetworkOptions, Transport, TransportHandler } from './transport.ts'

/**
 * UDP by native/udp.c: many datagrams in one system call. Hot: once per datagram in, once per datagram out.
 *
 * Octets and records of a batch lie in memory that both sides see (NativeTables); a datagram costs JavaScript one
 * string on its way in and one copy of its text on its way out, and nothing else: no Buffer, no closure, no request.
 * What was sent leaves after the batch, when the slab is full, and before the loop sleeps: udp.c sees to that.
 */
export async function openNativeUdp(
  addon: NativeAddon,
  requests: readonly ListenRequest[],
  handler: TransportHandler,
  options: NetworkOptions,
): Promise<Transport> {
  return new NativeUdp(addon, requests, handler, options)
}

/** Datagrams of one batch: so many are read before the first is answered. More make longer bursts, and wait longer. */
const batchMax = 64
/** Each has room for the largest datagram; what is never used of it is never memory. */
const inStride = limits.datagramBytesMax + 1
/** One datagram of the largest kind, or a batch of usual ones. */
const outBytes = 131_072
const outMax = 128
const errorsMax = 256
/** Flows that are remembered: 4,096 peers. */
const flowsMax = 4_096

/** Milliseconds that a closing socket waits for datagrams that the kernel has not taken yet. */
const flushMs = 500

/** What Buffer has and its types leave out: without the checks of toString() and write(), which take as long again. */
interface Octets extends Buffer {
  latin1Slice(start: number, end: number): string
  latin1Write(text: string, offset: number, length: number): number
}

class NativeUdp implements Transport, DatagramBatch {
  readonly sockets: readonly ListenSocket[]
  readonly engine: string
  count = 0
  readonly #addon: NativeAddon
  readonly #engine: NativeEngine
  readonly #handler: TransportHandler
  readonly #flows: FlowCache
  readonly #destinations: Destinations
  readonly #in = Buffer.allocUnsafeSlow(inStride * batchMax) as Octets
  readonly #inRecords = new Int32Array(recordWords * batchMax)
  readonly #inScans = new Int32Array(scanRecordWords * batchMax)
  /** A view for each datagram, made once. */
  readonly #scans = viewsOf(this.#inScans)
  readonly #out = Buffer.allocUnsafeSlow(outBytes) as Octets
  readonly #outRecords = new Int32Array(recordWords * outMax)
  readonly #errors = new Int32Array(recordWords * errorsMax)
  readonly #state = new Int32Array(stateWords)
  #isClosed = false

  constructor(
    addon: NativeAddon,
    requests: readonly ListenRequest[],
    handler: TransportHandler,
    options: NetworkOptions,
  ) {
    this.#addon = addon
    this.#handler = handler
    const tables = this.#tables(options)
    this.engine = described(tables.moderationMicroseconds)
    this.#engine = addon.open(
      tables,
      () => this.#onBatch(),
      () => this.#onErrors(),
    )
    try {
      this.sockets = requests.map((request, index) => this.#bind(request, index, options))
    } catch (error) {
      addon.close(this.#engine)
      throw error
    }
    this.#flows = new FlowCache(this.sockets, flowsMax)
    this.#destinations = new Destinations(addon)
    addon.read(this.#engine, true)
  }

  text(index: number): string {
    const records = this.#inRecords
    const offset = records[index * recordWords + word.offset] ?? 0
    return this.#in.latin1Slice(offset, offset + (records[index * recordWords + word.length] ?? 0))
  }

  flow(index: number): Flow {
    return this.#flows.flow(this.#inRecords, index * recordWords)
  }

  record(index: number): ScanRecord | null {
    const scan = this.#scans[index] as ScanRecord
    return isUsual(scan) ? scan : null
  }

  send(socket: ListenSocket, text: string, address: string, port: number): void {
    const { length } = text
    const code = this.#refusal(length, port)
    if (code !== null) {
      this.#handler.onSendError({ socket, address, port }, code)
      return
    }
    const state = this.#state
    let waiting = state[stateWord.waiting] ?? 0
    let offset = state[stateWord.waitingBytes] ?? 0
    if (waiting === outMax || offset + length > outBytes) {
      this.#addon.flush(this.#engine)
      waiting = offset = 0
    }
    const records = this.#outRecords
    const at = waiting * recordWords
    if (!this.#destinations.write(address, socket.family, records, at + word.address)) {
      this.#handler.onSendError({ socket, address, port }, 'EINVAL')
      return
    }
    this.#out.latin1Write(text, offset, length)
    records[at + word.offset] = offset
    records[at + word.length] = length
    records[at + word.socket] = socket.index
    records[at + word.port] = port
    state[stateWord.waiting] = waiting + 1
    state[stateWord.waitingBytes] = offset + length
  }

  identifyBy(key: Uint8Array): void {
    if (!this.#isClosed) this.#addon.identifyBy(this.#engine, key)
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#addon.read(this.#engine, false)
    this.#addon.flush(this.#engine)
    const giveUpAt = performance.now() + flushMs
    while (this.#addon.kept(this.#engine) > 0 && performance.now() < giveUpAt) {
      await new Promise((resolve) => setImmediate(resolve))
    }
    this.#isClosed = true
    this.#addon.close(this.#engine)
  }

  /** What the kernel would refuse, or never get to see. */
  #refusal(length: number, port: number): string | null {
    if (length > limits.datagramBytesMax) return 'EMSGSIZE'
    if (port < 1 || port > 65_535) return 'EINVAL'
    return this.#isClosed ? 'EBADF' : null
  }

  #tables({ moderationMicroseconds = 0, bursts = true }: NetworkOptions): NativeTables {
    return {
      inSlab: this.#in,
      inRecords: this.#inRecords,
      inStride,
      inScans: this.#inScans,
      outSlab: this.#out,
      outRecords: this.#outRecords,
      errors: this.#errors,
      state: this.#state,
      datagramBytesMax: limits.datagramBytesMax,
      keptBytesMax: limits.sendBacklogBytesMax,
      moderationMicroseconds: Math.min(moderationMicroseconds, limits.moderationMicrosecondsMax),
      bursts: bursts ? 1 : 0,
    }
  }

  #bind(request: ListenRequest, index: number, options: NetworkOptions): ListenSocket {
    const { reusePort = false, receiveBufferBytes } = options
    const bufferBytes = receiveBufferBytes || limits.receiveBufferBytes
    try {
      const port = this.#addon.bind(this.#engine, request.address, request.port, reusePort, bufferBytes)
      return createListenSocket(request, index, port)
    } catch (cause) {
      throw bindError(request, cause)
    }
  }

  #onBatch(): void {
    this.count = this.#state[stateWord.received] ?? 0
    withdrawRecords()
    this.#handler.onDatagrams(this)
  }

  #onErrors(): void {
    const count = this.#state[stateWord.errors] ?? 0
    for (let i = 0; i < count; i++) {
      const code = this.#errors[i * recordWords + word.code] ?? 0
      this.#handler.onSendError(this.#flows.flow(this.#errors, i * recordWords), getSystemErrorName(-code))
    }
  }
}

function viewsOf(scans: Int32Array): readonly ScanRecord[] {
  return Array.from({ length: batchMax }, (_, index) =>
    scans.subarray(index * scanRecordWords, (index + 1) * scanRecordWords),
  )
}

function described(moderationMicroseconds: number): string {
  const moderation = moderationMicroseconds === 0 ? 'no' : `${moderationMicroseconds} us of`
  return `native (${moderation} moderation)`
}
