import { readdirSync, statSync } from 'node:fs'
import { anonymousBytesOf, descriptorsOf, fileBytesOf, threadsOf } from './process-tree.ts'

/** What a router holds at one moment of a soak, and whether a row of such moments is flat. */
export interface Sample {
  readonly seconds: number
  /** Heap, buffers, regions: what belongs to the process alone. */
  readonly anonymousBytes: number
  /** Pages of files, the store's above all, that are mapped just now: the system gives and takes them. */
  readonly fileBytes: number
  readonly storeBytes: number
  readonly descriptors: number
  readonly threads: number
}

export interface Verdict {
  readonly isFlat: boolean
  readonly text: string
}

/** Growth over the whole time, by the line of least squares, as a share of the mean. */
const slopeMax = 0.05
/**
 * A figure by any earlier one. What falls is garbage that was collected, and no growth; between two collections of the old
 * generation V8's saw rises by a third, and there is none in the other figures.
 */
const memoryRiseMax = 1.5
const storeRiseMax = 1.3

export function sampleOf(pid: number, seconds: number, data: string): Sample {
  return {
    seconds,
    anonymousBytes: anonymousBytesOf(pid),
    fileBytes: fileBytesOf(pid),
    storeBytes: bytesIn(data),
    descriptors: descriptorsOf(pid),
    threads: threadsOf(pid),
  }
}

export function verdictOn(samples: readonly Sample[]): Verdict[] {
  return [
    flatness('memory', samples, ({ anonymousBytes }) => anonymousBytes, memoryRiseMax),
    flatness('store', samples, ({ storeBytes }) => storeBytes, storeRiseMax),
    flatness('descriptors', samples, ({ descriptors }) => descriptors, 1),
    flatness('threads', samples, ({ threads }) => threads, 1),
  ]
}

function flatness(
  name: string,
  samples: readonly Sample[],
  figure: (sample: Sample) => number,
  most: number,
): Verdict {
  const values = samples.map(figure)
  const slope = slopeOf(
    samples.map(({ seconds }) => seconds),
    values,
  )
  const rise = largestRise(values)
  const isFlat = slope <= slopeMax && rise <= most
  const text =
    `${name}: ${(slope * 100).toFixed(1)} % from the beginning to the end (at most ${slopeMax * 100}), ` +
    `largest rise ${rise.toFixed(2)} times (at most ${most}): ${isFlat ? 'holds' : 'misses'}`
  return { isFlat, text }
}

function largestRise(values: readonly number[]): number {
  let [lowest, rise] = [Number.POSITIVE_INFINITY, 1]
  for (const value of values) {
    lowest = Math.min(lowest, value)
    rise = Math.max(rise, value / lowest)
  }
  return rise
}

function slopeOf(times: readonly number[], values: readonly number[]): number {
  const [timeMean, valueMean] = [mean(times), mean(values)]
  let [together, alone] = [0, 0]
  times.forEach((time, index) => {
    together += (time - timeMean) * ((values[index] ?? valueMean) - valueMean)
    alone += (time - timeMean) ** 2
  })
  const duration = (times.at(-1) ?? 0) - (times[0] ?? 0)
  return alone === 0 || valueMean === 0 ? 0 : ((together / alone) * duration) / valueMean
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

/** A dozen rows are enough to see how it went. */
export function samplesMarkdown(samples: readonly Sample[]): string {
  const every = Math.ceil(samples.length / 12)
  const rows = samples
    .filter((_, index) => index % every === 0 || index === samples.length - 1)
    .map((one) => [
      one.seconds.toFixed(0),
      ...[one.anonymousBytes, one.fileBytes, one.storeBytes].map((bytes) => (bytes / 2 ** 20).toFixed(0)),
      one.descriptors,
      one.threads,
    ])
  const heads = ['s', 'memory MB', 'mapped files MB', 'store MB', 'descriptors', 'threads']
  return [heads, heads.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n')
}

function bytesIn(directory: string): number {
  return readdirSync(directory).reduce((sum, name) => sum + statSync(`${directory}/${name}`).size, 0)
}
