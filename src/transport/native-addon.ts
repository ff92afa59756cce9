import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'

/**
 * native/udp.c as JavaScript sees it. `npm install` builds it where there is a C compiler (native/build.js); where it is
 * not, the router works with node:dgram.
 */
export interface NativeAddon extends NativeDigest {
  /** Tells which functions and tables it has: another number is another version of udp.c. */
  readonly interface: number
  /** `onBatch` and `onErrors` find what they are called for in the tables. */
  open(tables: NativeTables, onBatch: () => void, onErrors: () => void): NativeEngine
  /** Binds a socket and returns its port. Throws an Error with the errno's name as its code. */
  bind(
    engine: NativeEngine,
    address: string,
    port: number,
    reusePort: boolean,
    receiveBufferBytes: number,
  ): number
  read(engine: NativeEngine, on: boolean): void
  flush(engine: NativeEngine): void
  /** Octets that wait until the kernel can take them. */
  kept(engine: NativeEngine): number
  close(engine: NativeEngine): void
  /** Fills five words: the address, and the zone of IPv6. False if the text is no address of that family. */
  parse(text: string, isIpv6: boolean, words: Int32Array): boolean
  /** From the next datagram on, records have the identity of their request: Transport.identifyBy(). */
  identifyBy(engine: NativeEngine, key: Uint8Array): void
  /** What the engine does with each datagram, for tests: fills the record, and says whether the message is usual. */
  scan(octets: Uint8Array, record: Int32Array, key?: Uint8Array): boolean
}

/** Digest authentication in memory that both sides see: native/digest.h, plugins/auth/digest-memory.ts. */
export interface NativeDigest {
  /** Reads the credentials in the text and the nonce in them. */
  readDigest(memory: Uint8Array): void
  /** Whether the answer that was read last proves the secret. */
  proveDigest(memory: Uint8Array): void
  /** With what is around it in its challenge. */
  issueNonce(memory: Uint8Array): string
}

/** An opaque value. */
export type NativeEngine = object & { readonly nativeEngine: never }

/** Memory that both sides see: native/datagrams.h. */
export interface NativeTables {
  readonly inSlab: Buffer
  readonly inRecords: Int32Array
  /** Octets from one place for a datagram to the next. */
  readonly inStride: number
  /** One after the other: src/sip/scan-record.ts. */
  readonly inScans: Int32Array
  readonly outSlab: Buffer
  readonly outRecords: Int32Array
  readonly errors: Int32Array
  readonly state: Int32Array
  readonly datagramBytesMax: number
  readonly keptBytesMax: number
  readonly moderationMicroseconds: number
  /** 1: datagrams of one length to one destination may leave as one message (native/bursts.h). */
  readonly bursts: 0 | 1
}

/** Words of a record; of that of an error the first is the errno. IPv4 has its address in the first of four words. */
export const word = { offset: 0, code: 0, length: 1, socket: 2, port: 3, address: 4, scope: 8 } as const
export const recordWords = 9

/** Words of `state`. */
export const stateWord = { received: 0, waiting: 1, waitingBytes: 2, errors: 3 } as const
export const stateWords = 4

const addonInterface = 7

/** From src/transport, and from dist/src/transport. */
const places = ['../../native/build/udp.node', '../../../native/build/udp.node']

let loaded: NativeAddon | string | null = null

/** The addon, or why there is none. */
export function loadNativeAddon(): NativeAddon | string {
  loaded ??= load()
  return loaded
}

function load(): NativeAddon | string {
  const place = places.map((path) => fileURLToPath(new URL(path, import.meta.url))).find(existsSync)
  if (place === undefined) return 'native/build/udp.node is not there; node native/build.js says why'
  try {
    const addon = createRequire(import.meta.url)(place) as NativeAddon
    if (addon.interface === addonInterface) return addon
    return `${place} was built from another version of its source; build it with: node native/build.js`
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
