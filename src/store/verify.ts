import { closeSync, existsSync, fstatSync, openSync, readFileSync, readSync, statSync } from 'node:fs'

/**
 * Is an LMDB data file whole? LMDB maps the file into memory, so a page that a torn copy or a full disk cut off
 * is no error there but a signal that ends the process. So we look first, with plain reads: the newest meta page
 * and every page that its trees reach must lie inside the file and carry its own number.
 *
 * Layout (data version 2, 64 bit, little endian): a page starts with its number (8 octets), a transaction number
 * (8), two unused, flags (2), and the bounds of its node offsets (2 + 2), counted from the end of this header; an
 * overflow page has its length in pages in place of the bounds. The last page number may lie beyond the end of a sound file (pages given back
 * within the transaction that took them are never written), which is why the trees are walked.
 */
export function faultOfDataFile(path: string): string | null {
  if (!existsSync(path)) return null
  const file = openSync(path, 'r')
  try {
    const size = fstatSync(file).size
    return size === 0 ? null : faultOfTrees(file, size)
  } finally {
    closeSync(file)
  }
}

/**
 * True if a process (this one included) has the environment open: then its pages change while we look, and
 * whoever opened it has looked already. Linux only; elsewhere we cannot know and say so.
 */
export function isOpenSomewhere(lockPath: string): boolean {
  if (!existsSync(lockPath)) return false
  const locks = systemLocks()
  return locks === null || holders(locks, lockPath).length > 0
}

/** The processes (of our process namespace) that have the environment open. Linux only; elsewhere none is known. */
export function holdersOf(lockPath: string): number[] {
  const locks = existsSync(lockPath) ? systemLocks() : null
  return locks === null ? [] : holders(locks, lockPath)
}

/** Lines such as `1: POSIX  ADVISORY  READ 1234 fd:00:5678 0 0`: the fifth word is the process, the sixth the file. */
function holders(locks: string, lockPath: string): number[] {
  const inode = `:${statSync(lockPath).ino}`
  const lines = locks.split('\n').map((line) => line.trim().split(/\s+/))
  return lines.filter((words) => words[5]?.endsWith(inode)).map((words) => Number(words[4]))
}

function systemLocks(): string | null {
  try {
    return readFileSync('/proc/locks', 'latin1')
  } catch {
    return null
  }
}

const headerBytes = 24
const metaMagic = 0xbeefc0de
const dataVersion = 2
const branchPage = 0x01
const leafPage = 0x02
const overflowPage = 0x04
const fixedLeafPage = 0x20
const overflowNode = 0x01
const treeNode = 0x02
const nodeHeaderBytes = 8
const treeRootOffset = 40
const noPage = 0xffff_ffff_ffff_ffffn

interface Meta {
  pageBytes: number
  roots: bigint[]
  transaction: bigint
}

/**
 * Level by level, and within a level in the order of the file, many pages with one read: a page at a time, a store of a
 * million bindings took 550 ms, and this takes 200.
 */
function faultOfTrees(file: number, size: number): string | null {
  const meta = newestMeta(file, size)
  if (typeof meta === 'string') return meta
  const reader = new PageReader(file, meta.pageBytes)
  const pageCount = Math.floor(size / meta.pageBytes)
  let budget = pageCount
  let level = pagesOf(meta.roots.filter((root) => root !== noPage).map(Number))
  while (level.length > 0) {
    const next: number[] = []
    for (const number of level) {
      if (budget-- < 0) return 'its pages refer to each other in a circle'
      if (number >= pageCount) return `page ${number} lies beyond the end of the file (${pageCount} pages)`
      const page = reader.page(number)
      if (page === null) return `page ${number} cannot be read`
      if (page.readUInt32LE(0) + page.readUInt32LE(4) * 0x1_0000_0000 !== number) {
        return `page ${number} is not what it should be`
      }
      const fault = collectChildren(page, number, pageCount, next)
      if (fault !== null) return fault
    }
    level = pagesOf(next)
  }
  return null
}

function pagesOf(numbers: number[]): Float64Array {
  return Float64Array.from(numbers).sort()
}

/** Pages in ascending order: each read takes along what lies behind the page that is asked for. */
class PageReader {
  readonly #file: number
  readonly #pageBytes: number
  readonly #chunk: Buffer
  #first = 0
  #count = 0
  /** The last page was next to the one before: those after it are worth reading too. */
  #isDense = false

  constructor(file: number, pageBytes: number) {
    this.#file = file
    this.#pageBytes = pageBytes
    this.#chunk = Buffer.allocUnsafe(Math.max(pageBytes, chunkBytes))
  }

  /** Valid until the next one; null if it cannot be read. */
  page(number: number): Buffer | null {
    const pageBytes = this.#pageBytes
    if (number < this.#first || number >= this.#first + this.#count) {
      const gap = number - (this.#first + this.#count)
      this.#isDense = gap >= 0 && gap < denseGap
      const wanted = this.#isDense ? this.#chunk.length : pageBytes
      const got = readSync(this.#file, this.#chunk, 0, wanted, number * pageBytes)
      this.#first = number
      this.#count = Math.floor(got / pageBytes)
      if (this.#count === 0) return null
    }
    const start = (number - this.#first) * pageBytes
    return this.#chunk.subarray(start, start + pageBytes)
  }
}

/** Octets of a read, and pages that may be skipped between two of one read. */
const chunkBytes = 262_144
const denseGap = 32

function newestMeta(file: number, size: number): Meta | string {
  const first = Buffer.alloc(160)
  if (size < 8192 || readSync(file, first, 0, 160, 0) < 160) return 'shorter than two pages'
  const one = parseMeta(first)
  if (typeof one === 'string') return one
  const second = Buffer.alloc(160)
  readSync(file, second, 0, 160, one.pageBytes)
  const two = parseMeta(second)
  return typeof two !== 'string' && two.transaction > one.transaction ? two : one
}

function parseMeta(page: Buffer): Meta | string {
  if (page.readUInt32LE(headerBytes) !== metaMagic) return 'no LMDB data file'
  if (page.readUInt32LE(headerBytes + 4) !== dataVersion) return 'an LMDB data file of another version'
  const pageBytes = page.readUInt32LE(48)
  if (pageBytes < 512 || pageBytes > 65_536) return `a page size of ${pageBytes} octets`
  return {
    pageBytes,
    roots: [page.readBigUInt64LE(88), page.readBigUInt64LE(136)],
    transaction: page.readBigUInt64LE(152),
  }
}

function collectChildren(page: Buffer, number: number, pageCount: number, into: number[]): string | null {
  const flags = page.readUInt16LE(18)
  if ((flags & fixedLeafPage) !== 0) return null
  if ((flags & overflowPage) !== 0) {
    return number + page.readUInt32LE(20) > pageCount ? `page ${number} runs beyond the end` : null
  }
  if ((flags & (branchPage | leafPage)) === 0) return `page ${number} is neither branch nor leaf`
  const nodeCount = page.readUInt16LE(20) >> 1
  if (headerBytes + 2 * nodeCount > page.length) return `page ${number} has no sane bounds`
  for (let i = 0; i < nodeCount; i++) {
    const node = headerBytes + page.readUInt16LE(headerBytes + 2 * i)
    if (node + nodeHeaderBytes > page.length) return `page ${number} has a node outside of it`
    const child = (flags & branchPage) === 0 ? childOfLeaf(page, node) : page.readUIntLE(node, 6)
    if (child === outside) return `page ${number} has a record outside of it`
    if (child !== none) into.push(child)
  }
  return null
}

/** The page that a leaf's record refers to (a long record, a tree of its own); `none` if it has it all here. */
function childOfLeaf(page: Buffer, node: number): number {
  const flags = page.readUInt16LE(node + 4)
  if ((flags & (treeNode | overflowNode)) === 0) return none
  const data = node + nodeHeaderBytes + page.readUInt16LE(node + 6)
  const at = (flags & treeNode) !== 0 ? data + treeRootOffset : data
  if (at + 8 > page.length) return outside
  const child = page.readBigUInt64LE(at)
  return child === noPage ? none : Number(child)
}

const none = -1
const outside = -2
