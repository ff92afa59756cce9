import type { CSeq } from './headers/cseq.ts'
import { recordedVia, type Via } from './headers/via.ts'
import { methodAt } from './method.ts'
import type { Uri } from './uri.ts'
import { readUriIn } from './uri-parse.ts'

/**
 * What native/scan.c says of a usual message: the table of its headers (header-table.ts), and beside it what the scan
 * would find next. One record for each datagram of a batch, in memory that is filled anew with the next batch.
 *
 * Hot. The numbers are those of native/scan.h, whose order this is; a law compares all that they lead to with what scan.ts
 * finds (test/wire/native-scan.test.ts).
 */
export type ScanRecord = Int32Array

/** In front of these: the first header of each of 31 ids, and 64 rows of five. */
const isUsualAt = 351
const methodEndAt = 352
const requestUriStartAt = 353
const requestUriEndAt = 354
const statusCodeAt = 355
const reasonStartAt = 356
const reasonEndAt = 357
const headersStartAt = 358
const headersEndAt = 359
const bodyStartAt = 360
const bodyEndAt = 361
const headerCountAt = 362
const seenAt = 363
const cseqNumberAt = 364
const cseqMethodStartAt = 365
const cseqMethodEndAt = 366
const fromTagAt = 367
const toTagAt = 369
const topmostViaAt = 371
const secondViaAt = 387
const isIdentifiedAt = 403
const identityLowAt = 404
const identityHighAt = 405
const uriHostAt = 406
const uriHostEndAt = 407
const uriPortAt = 408
const fromUriAt = 409
const toUriAt = 411
/** Int32 words of a record. */
export const scanRecordWords = 413

/** What a record says at once; the rest when it is asked for. */
interface ScannedOffsets {
  isRequest: boolean
  methodEnd: number
  requestUriStart: number
  requestUriEnd: number
  statusCode: number
  reasonStart: number
  reasonEnd: number
  headersStart: number
  headersEnd: number
  bodyStart: number
  bodyEnd: number
  headerCount: number
  seen: number
}

export function isUsual(record: ScanRecord): boolean {
  return record[isUsualAt] === 1
}

export function readOffsets(record: ScanRecord, message: ScannedOffsets): void {
  const methodEnd = record[methodEndAt] as number
  message.isRequest = methodEnd !== 0
  message.methodEnd = methodEnd
  message.requestUriStart = record[requestUriStartAt] as number
  message.requestUriEnd = record[requestUriEndAt] as number
  message.statusCode = record[statusCodeAt] as number
  message.reasonStart = record[reasonStartAt] as number
  message.reasonEnd = record[reasonEndAt] as number
  message.headersStart = record[headersStartAt] as number
  message.headersEnd = record[headersEndAt] as number
  message.bodyStart = record[bodyStartAt] as number
  message.bodyEnd = record[bodyEndAt] as number
  message.headerCount = record[headerCountAt] as number
  message.seen = record[seenAt] as number
}

export function recordedCSeq(record: ScanRecord, text: string): CSeq {
  const method = methodAt(text, record[cseqMethodStartAt] as number, record[cseqMethodEndAt] as number)
  return { number: record[cseqNumberAt] as number, method }
}

/** Null if the address has to be read: its parameters are written in a way of their own. */
export function recordedFromTag(record: ScanRecord, text: string): string | null {
  return recordedTag(record, text, fromTagAt)
}

export function recordedToTag(record: ScanRecord, text: string): string | null {
  return recordedTag(record, text, toTagAt)
}

function recordedTag(record: ScanRecord, text: string, at: number): string | null {
  const start = record[at] as number
  return start === -1 ? null : text.slice(start, record[at + 1] as number)
}

export function recordedTopmostVia(record: ScanRecord, text: string): Via {
  return recordedVia(text, record, topmostViaAt)
}

/** Null if there is none, undefined if it is not usual and has to be read. */
export function recordedSecondVia(record: ScanRecord, text: string): Via | null | undefined {
  const start = record[secondViaAt] as number
  if (start === 0) return null
  return start === -1 ? undefined : recordedVia(text, record, secondViaAt)
}

export function recordedFromUri(record: ScanRecord, text: string): Uri | null {
  return readUriIn(text, record[fromUriAt] as number, record[fromUriAt + 1] as number)
}

export function recordedToUri(record: ScanRecord, text: string): Uri | null {
  return readUriIn(text, record[toUriAt] as number, record[toUriAt + 1] as number)
}

/** Host and port of a `sip:` URI that has nothing after them. */
export interface HostPort {
  /** A name or an IPv4 address. */
  host: string
  /** 0 if absent. */
  port: number
}

/** False if the Request-URI is of another kind, and has to be parsed. */
export function readRequestHost(record: ScanRecord, text: string, into: HostPort): boolean {
  const start = record[uriHostAt] as number
  if (start === 0) return false
  into.host = text.slice(start, record[uriHostEndAt] as number)
  into.port = record[uriPortAt] as number
  return true
}

/**
 * 64 bits of SipHash-2-4, under a key that the transport was given, over what the sender of a request knows it by:
 *
 *     CSeq number          4 octets
 *     length of Call-ID    2 octets
 *     length of branch     2 octets
 *     branch, Call-ID      each filled up with zeros to a multiple of 8 octets
 *
 * The branch is that of the topmost Via of a request, and of the second Via of a response: ours is above it.
 */
export interface Identity {
  low: number
  high: number
}

/** False if the record says nothing of it. */
export function readIdentity(record: ScanRecord, into: Identity): boolean {
  if (record[isIdentifiedAt] !== 1) return false
  into.low = record[identityLowAt] as number
  into.high = record[identityHighAt] as number
  return true
}
