import { readFileSync } from 'node:fs'
import { systemClock } from '../../src/runtime/clock.ts'
import { silentLog } from '../../src/runtime/log.ts'
import { systemRandom } from '../../src/runtime/random.ts'
import { type Server, startServer } from '../../src/server.ts'
import { withdrawRecords } from '../../src/sip/header-table.ts'
import { isUsual, type ScanRecord, scanRecordWords } from '../../src/sip/scan-record.ts'
import { memoryStore } from '../../src/store/memory.ts'
import { loadNativeAddon } from '../../src/transport/native-addon.ts'
import type { Flow, ListenSocket } from '../../src/transport/socket.ts'
import { createListenSocket } from '../../src/transport/sockets.ts'
import type { DatagramBatch, Network, Transport, TransportHandler } from '../../src/transport/transport.ts'

/**
 * A whole router without a kernel: datagrams go in as octets in batches, scanned natively as udp.c does, and what
 * leaves is written into a slab. What remains is what we ourselves take for a message, in one process and one thread.
 */
export class DirectNetwork implements Network, DatagramBatch {
  /** What left since it was last emptied. */
  readonly sent: string[] = []
  count = 0
  readonly #slab = Buffer.alloc(slabBytes)
  readonly #out = Buffer.alloc(65_536)
  readonly #lengths: number[] = []
  readonly #offsets: number[] = []
  readonly #flows: Flow[] = []
  readonly #records = Array.from({ length: batchMax }, () => new Int32Array(scanRecordWords))
  readonly #addon = loadNativeAddon()
  #handler: TransportHandler | null = null
  #socket: ListenSocket | null = null
  #used = 0

  get socket(): ListenSocket {
    if (this.#socket === null) throw new Error('no router has opened this network')
    return this.#socket
  }

  async open(_requests: readonly unknown[], handler: TransportHandler): Promise<Transport> {
    this.#handler = handler
    this.#socket = createListenSocket({ transport: 'udp', address: '127.0.0.1', port: 5_060 }, 0)
    return {
      sockets: [this.#socket],
      send: (_socket, text) => {
        this.#out.write(text, 'latin1')
        this.sent.push(text)
      },
      close: async () => undefined,
    }
  }

  async resolve(): Promise<[]> {
    return []
  }

  interfaceAddresses(): string[] {
    return ['127.0.0.1']
  }

  /** Into the batch that is delivered next; at most `batchMax`. */
  put(text: string, flow: Flow): void {
    const index = this.count++
    this.#flows[index] = flow
    this.#offsets[index] = this.#used
    this.#lengths[index] = text.length
    this.#slab.write(text, this.#used, 'latin1')
    this.#scan(index, this.#used, this.#used + text.length)
    this.#used += text.length
  }

  #scan(index: number, start: number, end: number): void {
    if (typeof this.#addon === 'string') return
    this.#addon.scan(this.#slab.subarray(start, end), this.#records[index] as ScanRecord)
  }

  deliver(): void {
    withdrawRecords()
    this.#handler?.onDatagrams(this)
    this.count = 0
    this.#used = 0
  }

  text(index: number): string {
    const start = this.#offsets[index] ?? 0
    return this.#slab.toString('latin1', start, start + (this.#lengths[index] ?? 0))
  }

  flow(index: number): Flow {
    return this.#flows[index] as Flow
  }

  record(index: number): ScanRecord | null {
    const record = this.#records[index] as ScanRecord
    return isUsual(record) ? record : null
  }
}

const slabBytes = 65_536
const batchMax = 32

/** A router that runs a script of bench/scripts. */
export async function startOn(network: Network, script: string): Promise<Server> {
  const path = new URL(`../scripts/${script}.cfg`, import.meta.url)
  const text = readFileSync(path, 'latin1').replace('include_file "common.inc"', 'debug=0')
  return await startServer({
    script: { path: path.pathname, text },
    listen: [{ transport: 'udp', address: '127.0.0.1', port: 5_060 }],
    network,
    clock: systemClock(),
    random: systemRandom(),
    log: silentLog,
    store: memoryStore(),
  })
}

/** What both ends of the load generator (bench/sipgen.c) say, several calls at a time, phase by phase. */
export class WholeCalls {
  readonly #network: DirectNetwork
  readonly #caller: Flow
  readonly #callee: Flow
  #number = 0

  constructor(network: DirectNetwork) {
    this.#network = network
    this.#caller = { socket: network.socket, address: '127.0.0.1', port: 6_100 }
    this.#callee = { socket: network.socket, address: '127.0.0.1', port: 5_070 }
  }

  /** INVITE 100 180 200 ACK BYE 200, for `count` calls (at most 16); `during` is handed each delivery. */
  run(count: number, during: (deliver: () => void) => void): void {
    const network = this.#network
    const deliver = () => network.deliver()
    const first = this.#number
    this.#number += count
    network.sent.length = 0
    for (let i = 0; i < count; i++) network.put(invite(first + i), this.#caller)
    during(deliver)
    const invites = this.#taken('INVITE')
    for (const text of invites) {
      network.put(answer(text, '180 Ringing', contact), this.#callee)
      network.put(answer(text, '200 OK', contact), this.#callee)
    }
    during(deliver)
    const answers = this.#taken('SIP/2.0 200')
    answers.forEach((text, i) => {
      network.put(inDialog('ACK', first + i, 1, text), this.#caller)
      network.put(inDialog('BYE', first + i, 2, text), this.#caller)
    })
    during(deliver)
    for (const text of this.#taken('BYE')) network.put(answer(text, '200 OK', ''), this.#callee)
    during(deliver)
    const ends = this.#taken('SIP/2.0 200')
    if (ends.length !== count) throw new Error(`${ends.length} of ${count} calls ended well`)
  }

  #taken(start: string): string[] {
    return this.#network.sent.splice(0).filter((text) => text.startsWith(start))
  }
}

const sdp =
  'v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 20000 RTP/AVP 0 8 101\r\n' +
  'a=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n'
const contact = 'Contact: <sip:uas@127.0.0.1:5070>\r\n'

function identityOf(number: number): { user: string; id: string } {
  return {
    user: String((number * 7_368_787) % 1_000).padStart(7, '0'),
    id: number.toString(16).padStart(8, '0'),
  }
}

function invite(number: number): string {
  const { user, id } = identityOf(number)
  return (
    `INVITE sip:u${user}@127.0.0.1:5070 SIP/2.0\r\n` +
    `Via: SIP/2.0/UDP 127.0.0.1:6100;branch=z9hG4bK-12345678-${id}-1;rport\r\n` +
    'Max-Forwards: 70\r\n' +
    `From: "Alice B" <sip:a${user}@bench.test>;tag=f${id}\r\nTo: <sip:u${user}@bench.test>\r\n` +
    `Call-ID: 12345678-${id}@127.0.0.1\r\nCSeq: 1 INVITE\r\n` +
    'Contact: <sip:alice@127.0.0.1:6100;transport=udp>\r\nUser-Agent: sipgen/1.0 (bench)\r\n' +
    `Content-Type: application/sdp\r\nContent-Length: ${sdp.length}\r\n\r\n${sdp}`
  )
}

/** Of the callee: Via, Record-Route, From, To with a tag, Call-ID and CSeq of the request. */
function answer(request: string, status: string, further: string): string {
  let lines = ''
  for (const line of request.slice(0, request.indexOf('\r\n\r\n')).split('\r\n')) {
    if (/^(Via|From|Call-ID|CSeq|Record-Route):/.test(line)) lines += `${line}\r\n`
    else if (line.startsWith('To:')) lines += `${line}${line.includes(';tag=') ? '' : ';tag=uas1'}\r\n`
  }
  return `SIP/2.0 ${status}\r\n${lines}${further}Content-Length: 0\r\n\r\n`
}

/** Of the caller, by the route that the 200 has recorded. */
function inDialog(method: string, number: number, cseq: number, success: string): string {
  const { id } = identityOf(number)
  const line = (name: string) => new RegExp(`^${name}: (.*)\r\n`, 'm').exec(success)?.[1] ?? ''
  return (
    `${method} sip:uas@127.0.0.1:5070 SIP/2.0\r\n` +
    `Via: SIP/2.0/UDP 127.0.0.1:6100;branch=z9hG4bK-12345678-${id}-${method};rport\r\n` +
    `Max-Forwards: 70\r\nRoute: ${line('Record-Route')}\r\nFrom: ${line('From')}\r\nTo: ${line('To')}\r\n` +
    `Call-ID: ${line('Call-ID')}\r\nCSeq: ${cseq} ${method}\r\nContent-Length: 0\r\n\r\n`
  )
}
