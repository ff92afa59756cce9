import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'

/**
 * What a process and all that descends from it have used, from /proc: every thread is counted, so also V8's collector
 * and compiler, and Kamailio's timer and worker processes.
 */
export interface CpuTime {
  /** To the nanosecond, from each thread's schedstat. */
  readonly totalSeconds: number
  /** In ticks of 10 ms: good for the share of each, not for the sum. */
  readonly userSeconds: number
  readonly systemSeconds: number
  /** That threads were ready to run, and something else had the processor. */
  readonly waitedSeconds: number
}

export function cpuTimeOf(root: number): CpuTime {
  let [ran, waited, userTicks, systemTicks] = [0, 0, 0, 0]
  for (const pid of processTree(root)) {
    const stat = statOf(pid)
    userTicks += Number(stat?.[11] ?? 0)
    systemTicks += Number(stat?.[12] ?? 0)
    for (const thread of listed(`/proc/${pid}/task`)) {
      const nanoseconds = contentsOf(`/proc/${pid}/task/${thread}/schedstat`).split(' ')
      ran += Number(nanoseconds[0] ?? 0)
      waited += Number(nanoseconds[1] ?? 0)
    }
  }
  return {
    totalSeconds: ran / 1e9,
    waitedSeconds: waited / 1e9,
    userSeconds: userTicks / ticksPerSecond,
    systemSeconds: systemTicks / ticksPerSecond,
  }
}

/** Proportional set size: memory that processes share is counted once. */
export function proportionalBytesOf(root: number): number {
  return mapped(root, 'Pss')
}

/** The part of it that is in no file: heap, buffers, shared memory. */
export function anonymousBytesOf(root: number): number {
  return mapped(root, 'Pss_Anon') + mapped(root, 'Pss_Shmem')
}

export function fileBytesOf(root: number): number {
  return mapped(root, 'Pss_File')
}

export function threadsOf(root: number): number {
  return sumOver(root, (pid) => listed(`/proc/${pid}/task`).length)
}

export function descriptorsOf(root: number): number {
  return sumOver(root, (pid) => listed(`/proc/${pid}/fd`).length)
}

/** Seconds that the hypervisor gave to others while a processor of ours had work, since the machine started. */
export function stolenSeconds(): number {
  return Number(contentsOf('/proc/stat').split(/\s+/, 9)[8] ?? 0) / ticksPerSecond
}

/** A process and its descendants, parents first. */
export function processTree(root: number): number[] {
  const children = new Map<number, number[]>()
  for (const name of listed('/proc')) {
    const pid = Number(name)
    const parent = Number.isInteger(pid) ? statOf(pid)?.[1] : undefined
    if (parent === undefined) continue
    const siblings = children.get(Number(parent))
    if (siblings === undefined) children.set(Number(parent), [pid])
    else siblings.push(pid)
  }
  const tree = [root]
  for (const pid of tree) tree.push(...(children.get(pid) ?? []))
  return tree
}

const ticksPerSecond = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'latin1' }))

function sumOver(root: number, count: (pid: number) => number): number {
  return processTree(root).reduce((sum, pid) => sum + count(pid), 0)
}

/** Fields of /proc/PID/stat from the state on: proc(5) calls the first of them the third. */
function statOf(pid: number): string[] | null {
  const text = contentsOf(`/proc/${pid}/stat`)
  const end = text.lastIndexOf(')')
  return end < 0 ? null : text.slice(end + 2).split(' ')
}

function mapped(root: number, field: string): number {
  const pattern = new RegExp(`^${field}: +(\\d+) kB`, 'm')
  return (
    1024 * sumOver(root, (pid) => Number(pattern.exec(contentsOf(`/proc/${pid}/smaps_rollup`))?.[1] ?? 0))
  )
}

/** A process may end while we read about it: then there is nothing to read. */
function contentsOf(path: string): string {
  try {
    return readFileSync(path, 'latin1')
  } catch {
    return ''
  }
}

function listed(path: string): string[] {
  try {
    return readdirSync(path)
  } catch {
    return []
  }
}
