/**
 * Memory that tables lay out themselves, outside V8's heap: a million bindings there cost the collector nothing.
 * Where one router runs as several workers, the region of a name is one and the same for all of them.
 */
export interface Region {
  /** Grows and never shrinks; views that are made without a length follow it. */
  readonly buffer: ArrayBuffer | SharedArrayBuffer
  /** Other workers may open it. */
  readonly isShared: boolean
  /** Makes it at least so many bytes long. False if that is more than it may ever have. */
  grow(byteLength: number): boolean
  /**
   * One worker at a time between lock() and unlock(), for sections that are short and synchronous. Costs nothing where
   * there is one worker.
   */
  lock(): void
  unlock(): void
}

/** The region of that name; `bytesMax` is what it may ever have, and the same whoever opens it. */
export type OpenRegion = (name: string, bytesMax: number) => Region

/** Regions of a router that is one worker. */
export function privateRegions(): OpenRegion {
  const regions = new Map<string, Region>()
  return (name, bytesMax) => {
    const existing = regions.get(name)
    if (existing !== undefined) return existing
    const created = privateRegion(bytesMax)
    regions.set(name, created)
    return created
  }
}

/**
 * Nobody else has it, and still it is a SharedArrayBuffer: one that only grows. V8 has to look before each octet whether
 * an ArrayBuffer that may be resized has shrunk: 1.1 us for a refresh of a binding, which takes 0.8 here.
 */
function privateRegion(bytesMax: number): Region {
  const buffer = new SharedArrayBuffer(0, { maxByteLength: bytesMax })
  return {
    buffer,
    isShared: false,
    grow(byteLength) {
      if (byteLength > bytesMax) return false
      if (byteLength > buffer.byteLength) buffer.grow(byteLength)
      return true
    },
    lock() {},
    unlock() {},
  }
}
