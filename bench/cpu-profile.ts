import { readFileSync } from 'node:fs'

/** Where a V8 CPU profile (`--cpu-prof`) says that the time went. */
export interface ProfileSummary {
  readonly busyMilliseconds: number
  readonly idleMilliseconds: number
  /** Most first; in the function itself. */
  readonly self: readonly Share[]
  /** In the function and what it called; a recursive one is counted once. */
  readonly inclusive: readonly Share[]
}

export interface Share {
  /** `name file:line`, the file as it is called in the working tree. */
  readonly where: string
  /** Of the time that was not idle. */
  readonly percent: number
}

interface Profile {
  readonly nodes: readonly ProfileNode[]
  readonly samples: readonly number[]
  /** Microseconds before each sample. */
  readonly timeDeltas: readonly number[]
}

interface ProfileNode {
  readonly id: number
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number }
  readonly children?: readonly number[]
}

export function readProfile(path: string, root: string): ProfileSummary {
  const profile: Profile = JSON.parse(readFileSync(path, 'utf8'))
  const names = new Map(profile.nodes.map((node) => [node.id, nameOf(node, root)]))
  const parents = new Map(
    profile.nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id])),
  )
  const [self, inclusive] = [new Map<string, number>(), new Map<string, number>()]
  let [busy, idle] = [0, 0]
  profile.samples.forEach((id, index) => {
    const time = profile.timeDeltas[index] ?? 0
    const name = names.get(id) ?? ''
    if (name.startsWith('(idle)')) {
      idle += time
      return
    }
    busy += time
    add(self, name, time)
    const stack = new Set<string>()
    for (let node: number | undefined = id; node !== undefined; node = parents.get(node)) {
      stack.add(names.get(node) ?? '')
    }
    for (const caller of stack) add(inclusive, caller, time)
  })
  return {
    busyMilliseconds: busy / 1_000,
    idleMilliseconds: idle / 1_000,
    self: shares(self, busy),
    inclusive: shares(inclusive, busy),
  }
}

function nameOf({ callFrame }: ProfileNode, root: string): string {
  const file = callFrame.url.replace('file://', '').replace(root, '')
  return `${callFrame.functionName || '(anonymous)'} ${file === '' ? '' : `${file}:${callFrame.lineNumber + 1}`}`
}

function add(times: Map<string, number>, name: string, time: number): void {
  times.set(name, (times.get(name) ?? 0) + time)
}

function shares(times: ReadonlyMap<string, number>, all: number): Share[] {
  return [...times]
    .map(([where, time]) => ({ where, percent: (time / all) * 100 }))
    .toSorted((left, right) => right.percent - left.percent)
}
